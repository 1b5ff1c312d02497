"""Reading of structure files. A row that cannot be used becomes a `Problem` with file, row and reason, and the other
rows are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.io.archive import ARCHIVE
from nucleate.io.results import Named, Problem, ReadResult, Remark

KNOWN = (
    "a folder, .cif, .mcif, .extxyz, .xyz, POSCAR, CONTCAR, .vasp, .res, .cell, .csv, .tsv, .json, .jsonl, .db (ASE), "
    ".parquet, each of them packed (.gz, .bz2, .xz), and a .zip of such files"
)


def read_structures(paths: str | Path | Sequence[str | Path]) -> ReadResult:
    """Read one file or folder, or several in the given order. Folders are read with all folders in them.

    Raises NucleateError for a missing path, an unknown ending, an empty file or folder, and if there is no usable
    crystal at all; everything else that cannot be read is a `Problem` in the result.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> _ = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to("one.cif")
        >>> [(s.name, s.structure.formula) for s in nucleate.read_structures("one.cif").structures]
        [('one', 'Fe2')]
    """
    paths = [paths] if isinstance(paths, str | Path) else paths
    structures: list[Named] = []
    problems: list[Problem] = []
    for item in read_items(paths):
        if isinstance(item, Named):
            structures.append(item)
        else:
            problems.append(item)
    if not structures:
        raise nothing_read(paths, problems)
    lost = [p for p in problems if not isinstance(p, Remark)]
    return ReadResult(structures, lost, [p for p in problems if isinstance(p, Remark)])


def read_items(paths: str | Path | Sequence[str | Path]) -> Iterator[Named | Problem]:
    """As `read_structures`, but the crystals and problems are given one by one, for long files. An empty result is no
    error."""
    from nucleate.io.formats import read_file  # the readers take a while to import

    files, skipped = find_files(paths)
    yield from skipped
    for path in files:
        yield from read_file(path)


def find_files(paths: str | Path | Sequence[str | Path]) -> tuple[list[Path], list[Problem]]:
    """The structure files among `paths` and in their folders, and problems for other files in these folders. Hidden
    files are ignored.

    A zip archive in a folder is skipped, because the folder may contain the same crystals unpacked. Raises
    NucleateError as `read_structures` does for paths that cannot be read.
    """
    from nucleate.io.formats import reader_of

    files: list[Path] = []
    skipped: list[Problem] = []
    for path in map(Path, [paths] if isinstance(paths, str | Path) else paths):
        if not path.exists():
            raise NucleateError(f"no file or folder {path}")
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path)))
            usable = {p for p in found if reader_of(p) is not None}
            if not usable:
                what = f"{len(found):,} files, none of a known kind" if found else "empty"
                raise NucleateError(f"no structure file in {path} ({what}); known are {KNOWN}")
            files += [p for p in found if p in usable]
            skipped += [Problem(str(p), None, "skipped, not a structure file") for p in found if p not in usable]
        elif reader_of(path) is None and path.suffix.lower() != ARCHIVE:
            raise NucleateError(f"{path}: structures cannot be read from '{_kind(path)}'; known are {KNOWN}")
        elif path.stat().st_size == 0:
            raise NucleateError(f"{path} is empty")
        else:
            files.append(path)
    return files, skipped


def nothing_read(paths: str | Path | Sequence[str | Path], problems: Sequence[Problem]) -> NucleateError:
    """The error for files without a usable crystal. It has the first problem and the number of further ones."""
    where = ", ".join(str(p) for p in ([paths] if isinstance(paths, str | Path) else paths))
    problems = [p for p in problems if not isinstance(p, Remark)]
    if not problems:
        return NucleateError(f"no crystal in {where}")
    more = f" (and {len(problems) - 1:,} more problems)" if len(problems) > 1 else ""
    return NucleateError(f"no usable crystal in {where}: {problems[0]}{more}")


def _kind(path: Path) -> str:
    """The kind of a file for messages: its ending, or its name if it has no ending or only that of packed files."""
    from nucleate.io.packed import PACKED

    return path.name if path.suffix.lower() in PACKED or not path.suffix else path.suffix


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
