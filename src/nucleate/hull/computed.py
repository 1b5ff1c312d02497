"""pymatgen's ComputedEntry objects from JSON, built from the numbers and texts in it alone.

pymatgen's own reader imports and constructs any class that the file names, which is unsafe for files of others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError
from nucleate.io.parse import structure_from_dict

_ADJUSTMENTS = {
    "ConstantEnergyAdjustment": ("value",),
    "ManualEnergyAdjustment": ("value",),
    "CompositionEnergyAdjustment": ("adj_per_atom", "n_atoms"),
    "TemperatureEnergyAdjustment": ("adj_per_deg", "temp", "n_atoms"),
}  # class of an adjustment -> the numbers whose product is its energy, eV


def entry_from_dict(values: Mapping[str, Any]) -> Any:
    """A ComputedEntry, or a ComputedStructureEntry if there is a "structure"; parameters and data stay plain values.

    Raises NucleateError for an energy or a correction that is no finite number, a composition that has no elements or
    is not that of the structure, a structure that `structure_from_dict` refuses, and a kind of adjustment that pymatgen
    does not have.
    """
    from pymatgen.core import Composition
    from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry, ConstantEnergyAdjustment

    given_structure, given_composition = values.get("structure"), values.get("composition")
    structure = structure_from_dict(given_structure) if given_structure is not None else None
    try:
        composition = Composition(given_composition) if given_composition is not None else None
    except Exception as error:  # pymatgen raises errors of many kinds
        raise NucleateError(f"its composition cannot be read ({error})") from None
    if composition is not None and not {str(e) for e in composition.element_composition} <= set(SYMBOLS):
        raise NucleateError(f"its composition names what is no element ({composition.formula})")
    if composition is None and structure is None:
        raise NucleateError("it has neither composition nor structure")
    if structure is not None and composition is not None:
        of_composition, of_structure = (
            c.element_composition.get_integer_formula_and_factor()[0] for c in (composition, structure.composition)
        )
        if of_composition != of_structure:
            raise NucleateError(f"its composition is of {of_composition}, and its structure of {of_structure}")
    energy, correction = _number(values, "energy"), _number({"correction": 0.0, **values}, "correction")
    adjustments = [ConstantEnergyAdjustment(e, name=name) for e, name in map(_adjustment, _adjustments(values))]
    if math.isclose(correction, 0) or adjustments:
        correction = 0.0  # it is the sum of the adjustments, which are given below
    about: dict[str, Any] = {
        "parameters": _plain(values, "parameters"), "data": _plain(values, "data"), "entry_id": values.get("entry_id"),
        "energy_adjustments": adjustments,
    }  # fmt: skip
    if structure is None:
        assert composition is not None
        return ComputedEntry(composition, energy, correction, **about)
    return ComputedStructureEntry(structure, energy, correction, composition, **about)


def _adjustments(values: Mapping[str, Any]) -> Sequence[Any]:
    found = values.get("energy_adjustments") or []
    if not isinstance(found, list):
        raise NucleateError("its 'energy_adjustments' are not a list")
    return found


def _adjustment(values: Any) -> tuple[float, str]:
    """Energy (eV per cell) and name of an adjustment."""
    kind = values.get("@class") if isinstance(values, Mapping) else None
    numbers = _ADJUSTMENTS.get(kind) if isinstance(kind, str) else None
    if numbers is None:
        raise NucleateError(f"'{str(kind)[:40]}' is no energy adjustment; there are {', '.join(_ADJUSTMENTS)}")
    return math.prod(_number(values, n) for n in numbers), str(values.get("name") or kind)


def _number(values: Mapping[str, Any], name: str) -> float:
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise NucleateError(f"its '{name}' is not a finite number ({str(value)[:40]})")
    return float(value)


def _plain(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name) or {}
    if not isinstance(found, dict):
        raise NucleateError(f"its '{name}' are not a dictionary")
    return found
