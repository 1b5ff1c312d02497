"""Formulas of known compounds that have no crystal in the library (`scripts/build_other_formulas.py`).

Their crystals are too large, or the source of the formulas does not have them with a structure.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from nucleate.chem.composition import Formula

FILE = Path(__file__).parent / "other_formulas.txt"


def is_other_formula(composition: Mapping[str, int]) -> bool:
    """Whether a composition (symbol -> atoms, of any multiple) is one of them."""
    return written_formula(composition) in _formulas()


def written_formula(composition: Mapping[str, int]) -> str:
    """The reduced formula as the file has it, its elements in alphabetical order: "Al2O3", "ClNa"."""
    return "".join(f"{e}{n if n > 1 else ''}" for e, n in Formula.of(composition))


@cache
def _formulas() -> frozenset[str]:
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
