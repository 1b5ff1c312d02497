"""Crystals from CIF files."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.io.rows import Rows, read_text

if TYPE_CHECKING:
    from pymatgen.core import Structure


def read_cif(path: Path) -> Rows:
    """One crystal for each data block with a cell; blocks of remarks alone are passed over."""
    blocks = re.split(r"^\s*data_", "\n" + read_text(path), flags=re.MULTILINE | re.IGNORECASE)[1:]
    if not blocks:
        raise NucleateError("not a CIF file (no data_ block)")
    crystals = [b for b in blocks if "_cell_length_a" in b or "_atom_site" in b] or blocks[:1]
    headers = [b.split(maxsplit=1)[0] if b.strip() else "" for b in crystals]
    distinct = len(set(headers)) == len(headers)
    for i, (header, block) in enumerate(zip(headers, crystals, strict=True)):
        single = len(crystals) == 1
        name = path.stem if single else f"{path.stem}-{header if distinct else i + 1}"
        yield None if single else i + 1, name, {}, partial(structure_from_cif, "data_" + block)


def structure_from_cif(text: str) -> Structure:
    """The one structure of a CIF text; refuses sites that do not add up to its formula, as when it is cut short."""
    from pymatgen.io.cif import CifParser

    parser = CifParser.from_str(text, check_cif=False)
    found = parser.parse_structures(primitive=False, on_error="raise")
    if not found:
        raise NucleateError("the CIF holds no structure")
    formula = next(iter(parser.as_dict().values())).get("_chemical_formula_sum")
    if formula and found[0].is_ordered:
        _require_formula(found[0], str(formula))
    return found[0]


def _require_formula(structure: Structure, formula: str) -> None:
    from pymatgen.core import Composition

    try:
        said = Composition(formula).element_composition
    except ValueError:  # remarks in place of a formula
        return
    have = structure.composition.element_composition
    if not said.num_atoms or not have.num_atoms:
        return
    units = max(have.num_atoms / said.num_atoms, said.num_atoms / have.num_atoms)
    same = have.fractional_composition.almost_equals(said.fractional_composition, rtol=0, atol=0.005)
    if not same or abs(units - round(units)) > 0.02:
        raise NucleateError(
            f"the sites make {have.formula}, the formula of the CIF is {formula}; cut short or incomplete"
        )
