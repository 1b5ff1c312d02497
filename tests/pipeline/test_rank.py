from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.collection import Candidates
from nucleate.pipeline.rank import nearest_text, novel_text, rank, to_rows
from nucleate.pipeline.state import NearestKnown, Novelty, PredictedProperties

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
    candidate("too-deep", -1.0, relaxed="pass", unique="pass", hull="unknown"),
    candidate("nan", float("nan"), relaxed="pass", unique="pass"),
    candidate("unrelaxed", -0.5, relaxed="fail", unique="pass"),
    candidate("duplicate", -0.1, relaxed="pass", unique="fail"),
    candidate("rejected", -2.0, "relax: exploded", relaxed="pass", unique="pass"),
]


def test_the_ranking_does_not_depend_on_the_input_order() -> None:
    expected = ["below", "tie-1", "tie-2", "nan", "no-hull", "too-deep", "unrelaxed", "duplicate", "rejected"]
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
    (row, empty) = to_rows([c, Candidate("b", failure=Failure("generate", "error", "no"))])
    assert row == {
        "rank": 1,
        "id": "a",
        "formula": "NaCl",
        "space_group": "Fm-3m",
        "num_atoms": 8,
        "e_form": -2.0,
        "e_above_hull": 0.2,
        "p_near_hull": None,
        "second_e_above_hull": None,
        "disagreement": None,
        "novel": "no",
        "novelty": "",
        "nearest_id": "",
        "nearest_formula": "",
        "nearest_relation": "",
        "nearest_differs": "",
        "checks": "2/3 charge unknown",
        "failure": "",
        "decomposition": "",
        "method": "m",
        "reference": "r",
        "second_method": "",
    }
    assert (empty["rank"], empty["formula"], empty["num_atoms"], empty["e_form"]) == (2, "", 0, None)
    assert (empty["novel"], empty["failure"]) == ("?", "generate: no")


def test_rows_name_the_nearest_known_crystal() -> None:
    nearest = NearestKnown("mp-1", "KCl", "same structure type", "Na for K; volume per atom -8.0 %")
    c = candidate("a", 0.2, novel="unknown").with_(novelty=Novelty("ordering of", ("mp-1",), nearest))
    (row,) = to_rows([c])
    assert (row["novelty"], row["nearest_id"], row["nearest_formula"]) == ("ordering of", "mp-1", "KCl")
    assert nearest_text(row) == "mp-1 KCl: same structure type; Na for K; volume per atom -8.0 %"
    assert (row["novel"], novel_text(row)) == ("?", "ordering")
    (plain,) = to_rows([candidate("a", 0.2, novel="fail")])
    assert (nearest_text(plain), novel_text(plain)) == ("", "no")
    assert "nearest known crystal" in repr(Candidates([c])) and "ordering" in repr(Candidates([c]))
    assert Candidates([c]).to_frame()["nearest_relation"].tolist() == ["same structure type"]


def wish(name: str, above: float | None, off: float | None, **checks: str) -> Candidate:
    found = {} if off is None else {"values": {"band_gap": 1.0 - off}, "off_target": {"band_gap": off}}
    made = PredictedProperties("net", wanted={"band_gap": (1.0, 1.6)}, **found)
    return candidate(name, above, **({"relaxed": "pass"} | checks)).with_(predicted=made)


WISHED = [
    wish("met", 0.09, 0.0),
    wish("met-within-error", 0.095, 0.04),
    wish("near", -0.3, 0.2),
    wish("far", 0.0, 1.5),
    wish("unknown", -0.5, None),
    wish("next-step-met", 0.1, 0.0),
    wish("next-step-near", 0.15, 0.3),
    wish("unstable-but-met", 0.9, 0.0),
    wish("no-hull", None, 0.0),
    wish("unrelaxed", -0.5, 0.0, relaxed="fail"),
    wish("duplicate", -0.5, 0.0, unique="fail"),
]


def test_within_a_step_above_the_hull_wanted_properties_decide() -> None:
    for shuffled in itertools.islice(itertools.permutations(WISHED), 0, 200_000, 997):
        assert [c.id for c in rank(shuffled)] == [c.id for c in WISHED]


def test_distances_of_several_properties_add_up() -> None:
    both = [wish("a", 0.05, 0.0), wish("b", 0.05, 0.0)]
    a = both[0].with_(predicted=replace(both[0].predicted, off_target={"band_gap": 0.3, "e": 0.3}))
    b = both[1].with_(predicted=replace(both[1].predicted, off_target={"band_gap": 0.0, "e": 0.5}))
    assert [c.id for c in rank([a, b])] == ["b", "a"]


def test_rows_have_wanted_and_predicted_properties() -> None:
    rows = to_rows([WISHED[0], WISHED[4], ORDERED[0]])
    assert len({tuple(row) for row in rows}) == 1  # all rows have the same columns, as a CSV file needs
    assert [row["predicted_band_gap"] for row in rows] == [1.0, None, None]
    assert [row["wanted_band_gap"] for row in rows] == ["1..1.6", "1..1.6", ""]
    assert [row["predicted_by"] for row in rows] == ["net", "net", ""]
    assert "predicted_by" not in to_rows(ORDERED)[0]


def test_an_incredible_energy_does_not_come_first():
    deep, near = (
        Candidate(name, energies={"e_above_hull": Energy(value, "m")}, checks={"relaxed": Check("pass")})
        for name, value in (("a", -3.0), ("b", 0.3))
    )
    assert [c.id for c in rank([deep, near])] == ["b", "a"]
