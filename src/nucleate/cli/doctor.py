"""`nucleate doctor`: what is installed, what is missing, and the command that repairs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

OK, MISSING, OPTIONAL, UNUSED = "ok", "missing", "optional", "unused"
_MARKS = {
    OK: ("ok", "green"),
    MISSING: ("missing", "red"),
    OPTIONAL: ("not here", "yellow"),
    UNUSED: ("not used", "yellow"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the examination; `mend` is the command that repairs what is not ok."""

    what: str
    state: str
    detail: str
    mend: str = ""


def doctor() -> None:
    """Examine packages, devices, weights, known crystals, reference energies and data; exits with 1 if something needed
    is missing."""
    from rich.text import Text

    from nucleate.cli.tables import TerminalColumn, output_console, show_table

    findings = list(examine())
    columns = [
        TerminalColumn("what", [f.what for f in findings]),
        TerminalColumn("state", [Text(*_MARKS[f.state]) for f in findings]),
        TerminalColumn("detail", [f.detail for f in findings], gives_way=1, folds=20),
        TerminalColumn("to mend it", [f.mend if f.state != OK else "" for f in findings], folds=20),
    ]
    bad = [f.what for f in findings if f.state == MISSING]
    said = f"missing: {', '.join(bad)}" if bad else "all that is needed is here"
    show_table(output_console(), columns, [said])
    if bad:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """All findings, one after the other. A broken part does not keep the others from being examined."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("Python", OK if sys.version_info >= (3, 11) else MISSING, python, "install Python 3.11 or newer")
    yield from _packages()
    yield from _devices()
    yield from _weights()
    yield from models_of_packages()
    yield from _library()
    yield from _reference()
    yield from _data()


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    needed = (
        "torch",
        "safetensors",
        "numpy",
        "pymatgen",
        "ase",
        "moyopy",
        "chgnet",
        "pyxtal",
        "smact",
        "pyarrow",
        "pooch",
        "typer",
        "rich",
    )
    optional = {"sevenn": "sevennet", "phonopy": "phonons", "tensorboard": "tensorboard"}  # package: extra
    for name, state in [*((n, MISSING) for n in needed), *((n, OPTIONAL) for n in optional)]:
        extra = "nucleate" if state == MISSING else f"nucleate[{optional[name]}]"
        try:
            yield Finding(name, OK, version(name))
        except PackageNotFoundError:
            yield Finding(name, state, "not installed", f"pip install '{extra}'")


def _devices() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("CPU", OK, f"{cores} cores")
    try:
        import torch
    except ImportError:
        return
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory / 2**30
            yield Finding(f"GPU {i}", OK, f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB")
    else:
        yield Finding("GPU", OPTIONAL, "none; everything runs on the CPU", "a CUDA build of torch, if there is a GPU")


def _weights() -> Iterator[Finding]:
    from nucleate.errors import NucleateError
    from nucleate.generators import shipped_weights
    from nucleate.generators.load import load_model
    from nucleate.generators.methods import ADAPTIVE_WEIGHTS
    from nucleate.settings.sampling import FORMULA_MODEL
    from nucleate.systems.base import FORMULA, PROPERTY
    from nucleate.train.property import load_property_network
    from nucleate.train.shipped import other_models

    sources = other_models().sources
    crystals = dict.fromkeys(["mp20-csp", "mp20-dng", ADAPTIVE_WEIGHTS, *shipped_weights()])
    formulas = dict.fromkeys([FORMULA_MODEL, *shipped_weights(FORMULA)])
    for name, kind in [*((n, None) for n in crystals), *((n, FORMULA) for n in formulas)]:
        try:
            model, info = load_model(name, kind)
            size = sum(p.numel() for p in model.parameters())
            yield Finding(f"weights {name}", OK, f"{size / 1e6:.1f} M parameters, {info.system.card.task(info.recipe)}")
        except NucleateError as error:
            yield Finding(f"weights {name}", MISSING, str(error), _reinstall(sources.get(name)))
    for name in shipped_weights(PROPERTY):
        try:
            columns = ", ".join(load_property_network(name).columns)
            yield Finding(f"weights {name}", OK, f"predicts {columns}")
        except NucleateError as error:
            yield Finding(f"weights {name}", MISSING, str(error), _reinstall(sources.get(name)))


def _reinstall(source: str | None) -> str:
    """The command that installs the package of a damaged model again. source: package and version; None: nucleate."""
    return f"pip install --force-reinstall --no-deps {source.split()[0] if source else 'nucleate'}"


def models_of_packages() -> Iterator[Finding]:
    """Whether nucleate-papers is here, and what cannot be used of it and of other packages with models."""
    from nucleate.train.papers import PACKAGE, PAPERS, how_to_install
    from nucleate.train.shipped import other_models, papers_entry

    others, entry = other_models(), papers_entry()
    if entry is None:
        detail = f"not installed; it has {len(PAPERS)} models that reproduce tables of papers"
        yield Finding(PACKAGE, OPTIONAL, detail, how_to_install())
    elif count := list(others.sources.values()).count(entry.source):
        yield Finding(PACKAGE, OK, f"{entry.version}, {count} models")
    for text in others.problems:
        yield Finding("models of packages", UNUSED, text)


def _library() -> Iterator[Finding]:
    from nucleate.errors import NucleateError
    from nucleate.library.library import load_library

    try:
        library = load_library()
        yield Finding("known crystals", OK, f"{len(library):,}, {library.table.metadata.get('name', '')}")
    except NucleateError as error:
        yield Finding("known crystals", MISSING, str(error), "pip install --force-reinstall nucleate")


def _reference() -> Iterator[Finding]:
    from nucleate.errors import NucleateError
    from nucleate.hull.load import load_reference

    for name in ("chgnet-mp", "sevennet-mp"):
        try:
            reference = load_reference(name)
            yield Finding(f"reference {name}", OK, f"{len(reference):,} crystals, {reference.method}")
        except NucleateError as error:
            yield Finding(f"reference {name}", MISSING, str(error), "pip install --force-reinstall nucleate")


def _data() -> Iterator[Finding]:
    from nucleate.data import home
    from nucleate.data.tables import overview

    folder = Path(home())
    note = "" if "NUCLEATE_DATA" in os.environ else " (set NUCLEATE_DATA to use another)"
    mend = "made by the first `nucleate data get`"
    yield Finding("data folder", OK if folder.is_dir() else OPTIONAL, f"{folder}{note}", mend)
    absent: dict[str, str] = {}
    for item in overview():
        if isinstance(item, str):
            name, _, mend = item.partition(" is not here; run: ")
            absent.setdefault(name.split(":")[0], mend)
        else:
            yield Finding(f"data {item.name}:{item.split}", OK, f"{item.usable:,} of {item.rows:,} crystals")
    for name, mend in absent.items():
        yield Finding(f"data {name}", OPTIONAL, "(in part) not here; needed only to train and to evaluate", mend)
