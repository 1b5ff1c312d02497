"""CIF texts for tests, and what comes out of them."""

from __future__ import annotations

import pytest

from nucleate.errors import NucleateError
from nucleate.io.cif import structure_from_cif

ROCKSALT = "_symmetry_space_group_name_H-M 'F m -3 m'"
CHLORIDE = ["Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5"]


def cif(
    rows, *said, cell=(5.64, 5.64, 5.64, 90, 90, 90), columns=("label", "type_symbol", "fract_x", "fract_y", "fract_z")
):
    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    lines = ["data_x", *(f"_cell_{n} {v}" for n, v in zip(names, cell, strict=True)), *said, "loop_"]
    return "\n".join([*lines, *(f"_atom_site_{c}" for c in columns), *rows, ""])


def counts(text: str) -> dict[str, int]:
    amounts = structure_from_cif(text).structure.composition.get_el_amt_dict()
    return {e: int(n) for e, n in amounts.items()}


def refused(text: str) -> str:
    with pytest.raises(NucleateError) as error:
        structure_from_cif(text)
    assert "\n" not in str(error.value) and "Error" not in str(error.value)
    return str(error.value)


def remarks(text: str) -> str:
    return " ".join(structure_from_cif(text).remarks)
