from __future__ import annotations

import itertools

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.rank import rank, to_rows

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def candidate(name: str, above: float | None = None, failure: str | None = None, **checks: str) -> Candidate:
    energies = {} if above is None else {"e_above_hull": Energy(above, "m", "r"), "e_form": Energy(-2.0, "m", "r")}
    return Candidate(
        name, structure=SALT, energies=energies, failure=failure, checks={k: Check(v) for k, v in checks.items()}
    )


ORDERED = [
    candidate("below", -0.1, relaxed="pass", unique="pass"),
    candidate("tie-1", 0.2, relaxed="pass", unique="pass"),
    candidate("tie-2", 0.2, relaxed="pass", unique="unknown"),
    candidate("no-hull", None, relaxed="pass", unique="pass"),
    candidate("nan", float("nan"), relaxed="pass", unique="pass"),
    candidate("unrelaxed", -0.5, relaxed="fail", unique="pass"),
    candidate("duplicate", -0.1, relaxed="pass", unique="fail"),
    candidate("rejected", -2.0, "relax: exploded", relaxed="pass", unique="pass"),
]


def test_order_whatever_the_input_order() -> None:
    expected = ["below", "tie-1", "tie-2", "nan", "no-hull", "unrelaxed", "duplicate", "rejected"]
    for shuffled in itertools.islice(itertools.permutations(ORDERED), 0, 5000, 97):
        assert [c.id for c in rank(shuffled)] == expected


def test_limit() -> None:
    assert [c.id for c in rank(ORDERED, 2)] == ["below", "tie-1"]
    assert len(rank(ORDERED, 100)) == len(ORDERED)
    for bad in (0, -3):
        with pytest.raises(NucleateError, match="at least 1"):
            rank(ORDERED, bad)


def test_rows() -> None:
    c = candidate("a", 0.2, relaxed="pass", unique="pass", charge="unknown", novel="fail")
    (row, empty) = to_rows([c, Candidate("b", failure="generate: no")])
    assert row == {
        "rank": 1,
        "id": "a",
        "formula": "NaCl",
        "space_group": "Fm-3m",
        "num_atoms": 8,
        "e_form": -2.0,
        "e_above_hull": 0.2,
        "novel": "no",
        "checks": "2/3 charge unknown",
        "failure": "",
        "method": "m",
        "reference": "r",
    }
    assert (empty["rank"], empty["formula"], empty["num_atoms"], empty["e_form"]) == (2, "", 0, None)
    assert (empty["novel"], empty["failure"]) == ("?", "generate: no")
