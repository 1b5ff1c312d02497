"""Known crystals as files, each of which says where they come from and under which licence."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.io.cells import write_csv
from nucleate.io.results import Named
from nucleate.io.write import WRITERS, write_structures
from nucleate.io.write_cif import cif_text

if TYPE_CHECKING:
    from nucleate.library.entries import KnownEntries

FORMATS = f".cif (one crystal), a folder of CIFs, {', '.join(WRITERS)}, .csv (no structures)"


def check_format(path: Path, count: int | None = None) -> None:
    """Raise NucleateError if crystals cannot be written to a path of this ending; count: how many they are."""
    ending = path.suffix.lower()
    if not path.is_dir() and ending not in ("", ".cif", ".csv", *WRITERS):
        raise NucleateError(f"known crystals cannot be written to '{path.suffix}'; known are {FORMATS}")
    if ending == ".cif" and not path.is_dir() and (count or 1) > 1:
        raise NucleateError(f"{path} takes one crystal, and these are {count:,}; choose a folder, .extxyz or .jsonl")


def write_entries(path: Path, entries: KnownEntries) -> Path:
    """Write the crystals to a file or folder of `FORMATS`; raises NucleateError for another ending, and for none."""
    if not len(entries):
        raise NucleateError(f"there are no crystals to write to {path}")
    check_format(path, len(entries))
    ending = path.suffix.lower()
    facts = [{**entry.to_dict(), "attribution": entry.attribution} for entry in entries]
    if path.is_dir() or ending not in (".cif", ".csv"):
        named = [Named(e.id, e.structure, _known(f)) for e, f in zip(entries, facts, strict=True)]
        write_structures(path, named)
        return path
    if ending == ".csv":
        write_csv(path, facts)
        return path
    with replacing(path) as temporary:
        head = "".join(f"# {name}: {value}\n" for name, value in _known(facts[0]).items())
        temporary.write_text(head + cif_text(entries[0].structure), encoding="utf-8")
    return path


def _known(facts: dict[str, object]) -> dict[str, object]:
    """Those that are known."""
    return {name: value for name, value in facts.items() if value is not None and value != ""}
