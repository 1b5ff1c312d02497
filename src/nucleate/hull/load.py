"""Reference sets by name, by file or from a database: the one door to known crystals and their energies."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.hull.reference import ReferenceSet, read_reference
from nucleate.hull.sources import read_source, split_said

FOLDER = Path(__file__).parents[1] / "reference"
DEFAULT = "chgnet-mp"
SUFFIXES = (".parquet", ".csv", ".json", ".jsonl")


def load_reference(source: str | Path = DEFAULT) -> ReferenceSet:
    """Known crystals and their energies; raises NucleateError for what is not there or names no method.

    source: an embedded set ("chgnet-mp"); a file: .parquet of `nucleate hull build`, .csv, .json; a run folder; or
    "mp:Li-Fe-O" (`hull.sources`). A table that does not say whether its energies are corrected is called
    "mine.json:corrected" or "mine.json:raw". Several with commas between them join into one set, if their methods are
    the same. The set is kept in memory, so that asking again costs nothing.

    Example:
        >>> import nucleate
        >>> reference = nucleate.load_reference()
        >>> reference.name, len(reference.of_formula({"Na": 1, "Cl": 1})) > 0
        ('chgnet-mp', True)
    """
    return _load(*require_reference(source))


def require_reference(source: str | Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The parts of a source and when each last changed; raises NucleateError where one is not there. Reads nothing."""
    text = str(source)
    parts = [p.strip() for p in text.split(",")] if not Path(text).exists() else [text]
    return tuple(parts), tuple(_file_of(part)[1] for part in parts)


def _file_of(part: str) -> tuple[Path, int]:
    """The file or folder that a part of a source means, and when it last changed (0: no file)."""
    if part.startswith("mp:"):
        return Path(part), 0
    path = FOLDER / f"{part}.parquet"
    if not path.is_file():
        path = Path(split_said(part)[0])
    if not path.exists() or (path.is_file() and path.suffix not in SUFFIXES):
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.parquet"))) or "none"
        raise NucleateError(
            f"no reference set '{part}': neither an embedded set ({known}) nor a run folder, nor a file "
            f"({', '.join(SUFFIXES)}), nor mp:ELEMENTS"
        )
    file = path / "candidates.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise NucleateError(f"{path} is no run of nucleate (no {file.name})")
    return path, file.stat().st_mtime_ns


@lru_cache(maxsize=8)
def _load(parts: tuple[str, ...], _changed: tuple[int, ...]) -> ReferenceSet:
    whole: ReferenceSet | None = None
    for part in parts:
        path, _ = _file_of(part)
        own = path.suffix == ".parquet" and split_said(part)[1] is None
        found = read_reference(path) if own else read_source(part, whole)
        if whole is not None:
            both = ReferenceSet.from_entries(f"{whole.name}+{found.name}", whole.method, whole, whole.metadata)
            found = both.extended(found, found.method)
        whole = found
    assert whole is not None
    return whole
