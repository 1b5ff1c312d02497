"""Arguments of users as candidates: structures of pymatgen, atoms of ASE, candidates, files, formulas."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, candidate_of_formula

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

    Crystal = Structure | Atoms | Candidate | str | Path
    Crystals = Crystal | Iterable[Crystal]


def crystals(given: Crystals) -> tuple[list[Candidate], bool]:
    """(candidates with structures, whether the result is to be a single one).

    The second is true where one object was given outside of a list and it holds one crystal. A text or path names a
    file or folder, of which all crystals are taken. Raises NucleateError for anything that is no crystal, with its
    number where several were given.
    """
    from nucleate.pipeline.candidate_files import with_own_ids

    several = _several(given)
    found: list[Candidate] = []
    items: Iterable[Any] = given if several else [given]  # type: ignore[assignment]
    for i, item in enumerate(items):
        try:
            found += _candidates_of(item, i)
        except NucleateError as error:
            raise NucleateError(f"number {i + 1}: {error}" if several else str(error), code=error.code) from None
    if not found:
        raise NucleateError("no crystal was given")
    return list(with_own_ids(found)), not several and len(found) == 1


def crystals_or_formulas(given: Crystals) -> tuple[list[Candidate], bool]:
    """As `crystals`, but a text that names no file is a formula, and becomes a candidate without a structure."""
    from nucleate.pipeline.candidate_files import with_own_ids

    several = _several(given)
    found: list[Candidate] = []
    for i, item in enumerate(given if several else [given]):  # type: ignore[arg-type]
        if isinstance(item, str) and not Path(item).exists() and Path(item).suffix.lower() not in _endings():
            found.append(candidate_of_formula(item))
            if found[-1].failure is not None and not several:
                raise NucleateError(f"'{item}' is not a formula: {found[-1].failure.reason}")
        else:
            found += _candidates_of(item, i)
    if not found:
        raise NucleateError("no crystal or formula was given")
    return list(with_own_ids(found)), not several and len(found) == 1


def _endings() -> set[str]:
    from nucleate.io.formats import READERS

    return set(READERS)


def _several(given: Any) -> bool:
    """Whether it is a collection of crystals. A structure and ASE atoms, which are iterable, too, are none."""
    if isinstance(given, str | Path | Candidate) or is_structure(given) or _is_atoms(given):
        return False
    if not isinstance(given, Iterable) or isinstance(given, Mapping):
        raise NucleateError(_strange(given))
    return True


def _candidates_of(item: Any, place: int) -> Sequence[Candidate]:
    if isinstance(item, Candidate):
        return [item]
    if isinstance(item, str | Path):
        from nucleate.io import Remark
        from nucleate.pipeline.candidate_files import read_candidates

        found, problems = read_candidates([item])
        if lost := [p for p in problems if not isinstance(p, Remark)]:
            raise NucleateError(f"{lost[0]}" + (f" (and {len(lost) - 1:,} more problems)" if len(lost) > 1 else ""))
        return found
    if is_structure(item):
        return [_of_structure(item, place)]
    if _is_atoms(item):
        return [_of_atoms(item, place)]
    raise NucleateError(_strange(item))


def _of_structure(structure: Structure, place: int) -> Candidate:
    from nucleate.crystal.convert import require_crystal
    from nucleate.io.parse import ParsedCrystal, without_extras

    if not structure.is_ordered:
        raise NucleateError("its sites are shared by several elements; nucleate.substitute(structure, {}) orders them")
    plain = without_extras(ParsedCrystal(structure)).structure
    require_crystal(plain)
    fixed = [
        i for i, site in enumerate(structure) if list(site.properties.get("selective_dynamics") or [1]) == [False] * 3
    ]
    return _named(plain, place, fixed)


def _of_atoms(atoms: Atoms, place: int) -> Candidate:
    from nucleate.crystal.convert import require_crystal
    from nucleate.io.ase_rows import parsed_from_ase

    rules = [constraint.todict() for constraint in atoms.constraints]
    for rule in rules:
        indices = rule.get("kwargs", {}).get("indices")
        if hasattr(indices, "tolist"):
            rule["kwargs"]["indices"] = indices.tolist()
    parsed = parsed_from_ase(atoms.numbers, atoms.positions.ravel(), atoms.cell.array.ravel(), atoms.pbc, rules)
    if parsed.remarks and (kept := [r for r in parsed.remarks if "constraints" in r]):
        raise NucleateError(f"{kept[0]}; FixAtoms is kept")
    require_crystal(parsed.structure)
    return _named(parsed.structure, place, parsed.fixed)


def _named(structure: Structure, place: int, fixed: Sequence[int]) -> Candidate:
    from nucleate.chem.formula import formula_text

    return Candidate(f"{formula_text(structure.composition)}-{place + 1}", structure=structure, fixed=tuple(fixed))


def is_structure(item: Any) -> bool:
    """Whether it is a pymatgen structure, found out without an import of pymatgen, which takes a second."""
    module = sys.modules.get("pymatgen.core.structure")
    return module is not None and isinstance(item, module.IStructure)


def _is_atoms(item: Any) -> bool:
    module = sys.modules.get("ase.atoms")
    return module is not None and isinstance(item, module.Atoms)


def _strange(item: Any) -> str:
    return (
        f"a crystal is a pymatgen Structure, ASE atoms, a Candidate or the path of a file, not "
        f"{type(item).__module__}.{type(item).__name__}"
    )
