"""Reference sets from pymatgen's ComputedEntry objects, and whether the energies of these hold MP2020 corrections."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.corrections import composition_correction, known_correction
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

VASP_RAW = EnergyMethod("PBE+U with the Materials Project's settings (uncorrected)")
SCHEME = "MP2020"  # the names of the scheme's adjustments begin with it
SAME_CORRECTION = (
    2e-3  # eV/atom: an adjustment without the scheme's name that is this near to the scheme's is taken for it
)
VASP_PARAMETERS = ("run_type", "hubbards", "potcar_symbols", "potcar_spec")  # an entry made of VASP's output has these
HOW_TO_SAY = "say which: FILE:corrected or FILE:raw (--corrected or --raw of hull)"


def from_computed_entries(
    entries: Iterable[Any], name: str, corrected: bool | None = None, base: ReferenceSet | None = None
) -> ReferenceSet:
    """A reference set of pymatgen's entries, with the corrections that they carry.

    corrected: whether the user says that the energies hold MP2020 corrections; None if the user says nothing. Then the
    energies are corrected if the entries have MP2020 adjustments, and raw if they have none and their parameters show
    that they were made of VASP's output. Otherwise it is not known, which is an error unless no correction applies to
    any of them. base: the set that they are to join.

    Raises NucleateError for a mixture of functionals or of corrected and uncorrected energies, for corrections of
    another scheme, for entries that contradict `corrected`, and where it is not known whether they are corrected.
    """
    entries = list(entries)
    kinds = {_run_type(e) for e in entries} - {""}
    if not kinds <= {"GGA", "GGA+U", "GGA_U"}:
        raise NucleateError(f"{name} holds energies of {', '.join(sorted(kinds))}; one hull takes GGA and GGA+U alone")
    wanted = {id(e): _wanted(e) for e in entries}
    adjusted = [e for e in entries if e.energy_adjustments]
    bare = [e for e in entries if not e.energy_adjustments and abs(wanted[id(e)] or 0.0) > SAME_CORRECTION]
    if corrected is None:
        for e in adjusted:
            _of_the_scheme(e, wanted[id(e)], name)
        if adjusted and bare:
            raise NucleateError(
                f"{name} holds corrected and uncorrected energies ({_called(adjusted[0])} carries a correction, "
                f"{_called(bare[0])} none); correct all of them (MP2020) or none"
            )
        if bare and not all(any(k in e.parameters for k in VASP_PARAMETERS) for e in bare):
            raise NucleateError(
                f"{name} does not say whether its energies are corrected: {_called(bare[0])} would take "
                f"{wanted[id(bare[0])]:+.3f} eV/atom (MP2020) and carries nothing; {HOW_TO_SAY}"
            )
    elif adjusted and not corrected:
        raise NucleateError(f"{name} is called raw, but {_called(adjusted[0])} carries a correction")
    unnamed = EnergyMethod(f"energies of {name}").called(corrected=False)
    method = VASP_RAW if all(_run_type(e) for e in entries) else unnamed
    if corrected if corrected is not None else bool(adjusted):
        method = method.with_corrections()
    applies = any(value is None or abs(value) > SAME_CORRECTION for value in wanted.values())
    if base is not None and not applies and base.method == method.with_corrections():
        method = base.method  # no correction applies, so raw and corrected energies are equal
    return ReferenceSet.from_entries(name, method, [_row(e, name, k) for k, e in enumerate(entries)], {"source": name})


def _run_type(entry: Any) -> str:
    return str(entry.parameters.get("run_type") or entry.data.get("run_type") or "")


def _called(entry: Any) -> str:
    return f"{formula_text(entry.composition)}{f' ({entry.entry_id})' if entry.entry_id else ''}"


def _wanted(entry: Any) -> float | None:
    """The MP2020 correction that a raw energy of this entry needs, eV/atom; None where it is not known."""
    hubbards = entry.parameters.get("hubbards")
    plus_u = bool(hubbards) or "U" in _run_type(entry) or not _run_type(entry)
    structure = getattr(entry, "structure", None)
    if structure is not None and "oxidation_states" not in entry.data:
        return known_correction(structure, plus_u)
    return composition_correction(entry.composition.element_composition, entry.data, plus_u)


def _of_the_scheme(entry: Any, wanted: float | None, name: str) -> None:
    """Raises NucleateError for an entry whose adjustments are not those of MP2020."""
    names = {str(a.name) for a in entry.energy_adjustments}
    if all(n.startswith(SCHEME) for n in names):
        return
    carried = float(entry.correction_per_atom)
    if wanted is None or abs(carried - wanted) > SAME_CORRECTION:
        theirs = "not known" if wanted is None else f"{wanted:+.3f}"
        raise NucleateError(
            f"{name}: {_called(entry)} carries {carried:+.3f} eV/atom ({', '.join(sorted(names))}), which is not the "
            f"MP2020 correction ({theirs}); correct them by MP2020, or, if they are, name the file FILE:corrected"
        )


def _row(entry: Any, name: str, number: int) -> Entry:
    source, added = str(entry.entry_id or f"{name}:{number + 1}"), float(entry.correction_per_atom)
    structure = getattr(entry, "structure", None)
    if structure is not None:
        return entry_of(structure, float(entry.energy_per_atom), source, added)
    composition = entry.composition.element_composition
    atoms = int(composition.num_atoms)
    return Entry(plain_formula(composition), float(entry.energy_per_atom), 0, source, math.nan, atoms, added)


def entry_of(structure: Structure, energy: float, source: str, correction: float) -> Entry:
    """The entry of a crystal. energy, and the correction that it includes: eV/atom. source: where it comes from."""
    from nucleate.crystal.symmetry import space_group

    composition = structure.composition.element_composition
    volume, number = structure.volume / len(structure), space_group(structure)[0]
    return Entry(plain_formula(composition), energy, number, source, volume, len(structure), correction)


def plain_formula(composition: Composition) -> str:
    """The formula as reference sets have it, without parentheses."""
    counts = {str(e): round(n) for e, n in composition.get_el_amt_dict().items()}
    return formula_text(counts)
