"""Packages that are installed for one test: their entry points are found as those of any other package."""

import sys
from textwrap import dedent


def install(monkeypatch, folder, package, entry_points, version="1.0", **modules):
    """Put a distribution with these entry points ({group: {name: target}}) and modules on sys.path."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = []
    for group, names in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {target}" for name, target in names.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
        sys.modules.pop(name, None)
    monkeypatch.syspath_prepend(str(folder))
