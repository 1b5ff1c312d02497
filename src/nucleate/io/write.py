"""Writing of structure files. A file is written under a temporary name and renamed, so that it is never incomplete."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.io.results import Named
from nucleate.io.write_cif import cif_text

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def write_structures(path: str | Path, named: Sequence[Named]) -> None:
    """Write crystals with their names and scalar properties. The ending of the path decides the format.

    A path without an ending, or of a folder, stands for a folder, which gets a file "<name>_<formula>.cif" for each
    crystal; .extxyz, .xyz, .jsonl and .db (ASE) are one file for all, which is replaced. Raises NucleateError for
    another ending, if there is nothing to write, and if the path cannot be written.

    Example:
        >>> import nucleate
        >>> from nucleate.io import Named
        >>> from pymatgen.core import Lattice, Structure
        >>> iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> nucleate.write_structures("iron.extxyz", [Named("iron", iron, {"mine": 1.5})])
        >>> nucleate.read_structures("iron.extxyz").structures[0].info["mine"]
        1.5
    """
    path = Path(path)
    if not named:
        raise NucleateError(f"no structures to write to {path}")
    if path.is_dir() or not path.suffix:
        _write_folder(path, named)
        return
    write = WRITERS.get(path.suffix.lower())
    if write is None:
        raise NucleateError(
            f"structures cannot be written to '{path.suffix}'; known are a folder, {', '.join(WRITERS)}"
        )
    with replacing(path) as temporary:
        write(temporary, named)


def structure_to_dict(structure: Structure) -> dict[str, Any]:
    """pymatgen's dictionary of a structure with lattice, species and coordinates. Properties are left out, because they
    may have values that JSON cannot store."""
    values: dict[str, Any] = _bare(structure).as_dict()
    return values


def _bare(structure: Structure) -> Structure:
    """The structure without properties of its own and of its sites."""
    from pymatgen.core import Structure

    if not structure.properties and not any(site.properties for site in structure):
        return structure
    return Structure(structure.lattice, structure.species_and_occu, structure.frac_coords, labels=structure.labels)


def json_default(value: Any) -> Any:
    """The argument `default` of `json.dumps`: it turns numbers and arrays of numpy into Python's. Raises TypeError for
    other values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON value")


def safe_name(text: str) -> str:
    """A text that can be a file name on every system: it has only letters, digits, '.', '-', '_' and '+'."""
    return re.sub(r"[^A-Za-z0-9.+_-]+", "_", text).strip("._")[:100] or "structure"


def safe_names(texts: Iterable[str]) -> list[str]:
    """`safe_name` of each text, with a number added if another one is equal. Small and capital letters count as equal,
    because some file systems do not distinguish them."""
    out: list[str] = []
    taken: set[str] = set()
    for text in texts:
        name = base = safe_name(text)
        count = 1
        while name.lower() in taken:
            count += 1
            name = f"{base}-{count}"
        taken.add(name.lower())
        out.append(name)
    return out


def _write_folder(path: Path, named: Sequence[Named]) -> None:
    texts: dict[str, str] = {}
    stems = safe_names(f"{n.name}_{formula_text(n.structure.composition)}" for n in named)
    for stem, n in zip(stems, named, strict=True):
        info = "".join(f"# {k}: {_one_line(v)}\n" for k, v in {"name": n.name, **n.info}.items())
        texts[f"{stem}.cif"] = info + cif_text(n.structure)
    if path.is_dir():
        for file, text in texts.items():
            with replacing(path / file) as temporary:
                temporary.write_text(text, encoding="utf-8")
        return
    with replacing(path) as temporary:
        temporary.mkdir()
        for file, text in texts.items():
            (temporary / file).write_text(text, encoding="utf-8")


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _atoms(n: Named) -> Atoms:
    from ase import Atoms

    from nucleate.crystal.convert import species_numbers

    return Atoms(
        numbers=species_numbers(n.structure),
        cell=n.structure.lattice.matrix,
        scaled_positions=n.structure.frac_coords,
        pbc=True,
    )


def _write_extxyz(path: Path, named: Sequence[Named]) -> None:
    import ase.io

    frames = []
    for n in named:
        atoms = _atoms(n)
        info = {k: _one_line(v) if isinstance(v, str) else v for k, v in n.info.items()}
        # keys without a value are left out, because a reader would take the next key for the value
        atoms.info = {"name": _one_line(n.name), **{re.sub(r"\W", "_", k): v for k, v in info.items() if v != ""}}
        frames.append(atoms)
    ase.io.write(str(path), frames, format="extxyz")


def _write_jsonl(path: Path, named: Sequence[Named]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for n in named:
            record = {"name": n.name, **n.info, "structure": structure_to_dict(n.structure)}
            file.write(json.dumps(record, default=json_default) + "\n")


def _write_db(path: Path, named: Sequence[Named]) -> None:
    import sqlite3

    import ase.db

    try:
        with ase.db.connect(str(path), type="db", use_lock_file=False) as db:
            for n in named:
                # ASE refuses some keys and values as columns, so all of them are stored in `data` as well
                columns = {k: v for k, v in {"name": n.name, **n.info}.items() if _fits_ase(k, v)}
                db.write(_atoms(n), key_value_pairs=columns, data={"nucleate": {**n.info, "name": n.name}})
    except sqlite3.Error as error:
        raise NucleateError(f"cannot write {path}: {error}") from None


def _fits_ase(key: str, value: object) -> bool:
    from ase.db.core import check

    try:
        check({key: value})
    except (ValueError, TypeError):
        return False
    return True


WRITERS: dict[str, Callable[[Path, Sequence[Named]], None]] = {
    ".extxyz": _write_extxyz,
    ".xyz": _write_extxyz,
    ".jsonl": _write_jsonl,
    ".db": _write_db,
}
