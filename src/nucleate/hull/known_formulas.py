"""The formulas of known crystals: those of the Materials Project, in a shipped file (`scripts/build_formulas.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from nucleate.chem.composition import Formula
from nucleate.hull.load import FOLDER

FILE = Path(FOLDER) / "formulas.parquet"


def is_known(composition: Mapping[str, int]) -> bool:
    """Whether the Materials Project or the shipped reference set has a crystal of this composition (element -> atoms,
    of any multiple)."""
    return alphabetical_formula(composition) in known_formulas()


def alphabetical_formula(composition: Mapping[str, int]) -> str:
    """The reduced formula with its elements in alphabetical order, such as "Al2O3" or "ClNa"."""
    return _text(Formula.of(composition))


@cache
def known_formulas() -> frozenset[str]:
    """Every known formula, spelled as by `alphabetical_formula`."""
    import pyarrow.parquet as pq

    from nucleate.hull.load import load_reference

    return frozenset(pq.read_table(FILE).column("formula").to_pylist()) | {_text(k) for k in load_reference().keys}


def _text(key: Formula) -> str:
    return "".join(f"{e}{n if n > 1 else ''}" for e, n in key)
