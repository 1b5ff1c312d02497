"""Reference sets by name, from files, or from the Materials Project."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.hull.reference import ReferenceSet, read_reference
from nucleate.hull.sources import read_source, split_correction_ending

FOLDER = Path(__file__).parents[1] / "reference"
DEFAULT = "chgnet-mp"
SUFFIXES = (".parquet", ".csv", ".json", ".jsonl")


def load_reference(source: str | Path = DEFAULT) -> ReferenceSet:
    """Known crystals and their energies in eV/atom, all by one method.

    source: an embedded set ("chgnet-mp"); a file (.parquet of `nucleate hull build`, .csv, .json); a run folder; or
    "mp:Li-Fe-O" (`hull.sources`). For a table that does not say whether its energies hold MP2020 corrections, write
    "mine.json:corrected" or "mine.json:raw". Several sources of the same method, with commas between them, are joined
    into one set. The set is kept in memory, so that loading it again takes no time.

    Raises NucleateError for a source that is not there, cannot be read or names no method, and for different methods.

    Example:
        >>> import nucleate
        >>> reference = nucleate.load_reference()
        >>> reference.name, len(reference.of_formula({"Na": 1, "Cl": 1})) > 0
        ('chgnet-mp', True)
    """
    return _load(*require_reference(source))


def require_reference(source: str | Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The parts of a source, and when each of them last changed. Raises NucleateError where one is not there; reads
    none of them."""
    text = str(source)
    parts = [p.strip() for p in text.split(",")] if not Path(text).exists() else [text]
    return tuple(parts), tuple(_file_of(part)[1] for part in parts)


def _file_of(part: str) -> tuple[Path, int]:
    """The file or folder that a part of a source means, and when it last changed in ns (0 where it is no file)."""
    if part.startswith("mp:"):
        return Path(part), 0
    path = FOLDER / f"{part}.parquet"
    if not path.is_file():
        path = Path(split_correction_ending(part)[0])
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
    joined: ReferenceSet | None = None
    for part in parts:
        path, _ = _file_of(part)
        is_set = path.suffix == ".parquet" and split_correction_ending(part)[1] is None
        found = read_reference(path) if is_set else read_source(part, joined)
        if joined is not None:
            renamed = ReferenceSet.from_entries(f"{joined.name}+{found.name}", joined.method, joined, joined.metadata)
            found = renamed.extended(found, found.method)
        joined = found
    assert joined is not None
    return joined
