"""Comparison by composition: by hand, its symmetries, and what it refuses to compare."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from nucleate.cli.metrics import show_report
from nucleate.cli.tables import output_console
from nucleate.errors import NucleateError
from nucleate.evaluate import per_composition
from nucleate.evaluate.formulas import formula_key
from nucleate.evaluate.inputs import Item, read_crystals
from nucleate.evaluate.measures.statistics import wilson
from nucleate.evaluate.per_composition import Measured, compare, measured
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.candidate_files import write_candidates

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])


def crystals(*rows, method="m", reference="r", energy="e_form"):
    """(formula, energy or None, e_above_hull or None)"""
    out = []
    for i, (formula, value, *hull) in enumerate(rows):
        found = {energy: Energy(value, method, reference)} if value is not None else {}
        if hull and hull[0] is not None:
            found["e_above_hull"] = Energy(hull[0], method, reference)
        out.append(Measured(str(i), formula_key(formula), found))
    return out


A = crystals(("TiO2", -3.0), ("O4Ti2", -3.2), ("MgO", -2.0), ("NaCl", -1.5), ("KCl", None))
B = crystals(("Ti3O6", -3.1), ("TiO2", -2.9), ("TiO2", -3.0), ("MgO", -2.0), ("KCl", -1.0))


def values(report):
    return {m.name: m.value for s in report.sections for m in s.metrics}


def test_comparison_by_hand():
    report = compare(A, B)
    found = values(report)
    # TiO2: -3.0 and -3.2 against -3.1, -2.9, -3.0; MgO: one tie; KCl has no energy in A, NaCl none in B
    differences = [0.1, -0.1, 0.0, -0.1, -0.3, -0.2, 0.0]
    assert found["pairs"] == 7
    assert found["compositions"] == 2
    assert found["delta_e"] == pytest.approx(sum(differences) / 7)
    assert found["reduction_rate"] == pytest.approx(4 / 7)
    assert (found["lower"], found["tied"], found["higher"]) == pytest.approx((4 / 7, 2 / 7, 1 / 7))
    assert found["delta_e_lowest"] == pytest.approx((-0.1 + 0) / 2)  # -3.2 against -3.1
    assert found["reduction_rate_lowest"] == 1 / 2
    assert found["tied_lowest"] == 1 / 2
    assert (found["energy_a"], found["partner_a"], found["compositions_a"]) == (4 / 5, 3 / 5, 3 / 4)
    assert (found["energy_b"], found["partner_b"], found["compositions_b"]) == (1, 4 / 5, 1)
    assert ("A/4", "e_form", "no e_form") in report.failures
    assert report.n == 10
    assert sorted(report.series[0].values["all pairs"]) == pytest.approx(sorted(differences))
    assert sorted(report.series[0].values["lowest of each composition"]) == pytest.approx([-0.1, 0])
    json.loads(report.to_json())
    show_report(output_console(), report)


EIGHTHS = st.integers(-20, 20).map(lambda k: k / 8)  # exact
ROWS = st.lists(st.tuples(st.sampled_from(["TiO2", "MgO", "NaCl"]), EIGHTHS), min_size=1, max_size=9)


@given(ROWS, ROWS, st.integers(0, 3).map(lambda k: k / 8))
@settings(max_examples=15, deadline=None)
def test_equals_the_literal_sets_and_is_antisymmetric(a, b, tie):
    report = compare(crystals(*a), crystals(*b), tie=tie)
    pairs = [x - y for f, x in a for g, y in b if f == g]
    assert report["pairs"].value == len(pairs)
    if not pairs:
        assert report["delta_e"].value is report["reduction_rate"].value is None
        return
    assert report["delta_e"].value == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)
    assert report["reduction_rate"].value == pytest.approx(sum(d < 0 for d in pairs) / len(pairs))
    assert report["lower"].value == pytest.approx(sum(d < -tie for d in pairs) / len(pairs))
    assert report["tied"].value == pytest.approx(sum(abs(d) <= tie for d in pairs) / len(pairs))
    back = compare(crystals(*b), crystals(*a), tie=tie)
    assert back["delta_e"].value == pytest.approx(-report["delta_e"].value, abs=1e-12)
    assert back["lower"].value == pytest.approx(report["higher"].value)
    assert back["delta_e_lowest"].value == pytest.approx(-report["delta_e_lowest"].value, abs=1e-12)


def test_order_multiples_and_the_zero_of_energy_do_not_matter():
    other = [("O2Ti1", -3.0), ("Ti8O16", -3.2), ("O3Mg3", -2.0), ("ClNa", -1.5), ("ClK", None)]
    assert values(compare(crystals(*other), B[::-1])) == pytest.approx(values(compare(A, B)), abs=1e-12)

    def lowered(group):
        return [
            Measured(m.name, m.key, {k: Energy(e.value - 7, e.method, e.reference) for k, e in m.energies.items()})
            for m in group
        ]

    assert values(compare(lowered(A), lowered(B))) == pytest.approx(values(compare(A, B)), abs=1e-9)


def test_intervals_resample_compositions():
    """Two hundred pairs of two compositions are as good as two observations, not as two hundred."""
    a = crystals(*[("TiO2", -1.0)] * 10, *[("MgO", -1.0)] * 10)
    b = crystals(*[("TiO2", -1.2)] * 10, *[("MgO", -0.6)] * 10)
    report = compare(a, b)
    assert report["delta_e"].value == pytest.approx(-0.1)
    assert (report["delta_e"].low, report["delta_e"].high) == pytest.approx((-0.4, 0.2))
    assert (report["reduction_rate"].low, report["reduction_rate"].high) == (0, 1)
    rng = np.random.default_rng(0)
    names = [f"H{i}O" for i in range(1, 60)]
    x, y = ([(f, v) for f, v in zip(names, rng.normal(m, 0.1, 59), strict=True)] for m in (-0.05, 0))
    spread = compare(crystals(*x), crystals(*y))["delta_e"]
    half = 1.96 * 0.1 * 2**0.5 / 59**0.5
    assert spread.high - spread.low == pytest.approx(2 * half, rel=0.3)
    assert spread.low < -0.05 < spread.high


def test_where_all_pairs_agree_the_interval_is_that_of_the_compositions():
    a, b = crystals(*[("TiO2", -3.0)] * 20, ("MgO", -3.0)), crystals(*[("TiO2", -1.0)] * 20, ("MgO", -1.0))
    rate = compare(a, b)["reduction_rate"]
    assert (rate.value, rate.n) == (1, 401)
    assert (rate.low, rate.high) == wilson(2, 2)
    one = compare(a[:20], b[:20])
    assert (one["reduction_rate"].low, one["reduction_rate"].high) == wilson(1, 1)
    assert one["delta_e"].low is None


def test_stable_and_metastable():
    a = crystals(("MgO", -1, -0.001), ("MgO", -1, 0.0), ("CaO", -1, 0.024), ("KCl", -1, 0.025), ("NaCl", -1, None))
    b = [*crystals(("MgO", -1, 0.5)), Measured("lost", None, {}, "did not converge")]
    report = compare(a, b)
    assert (report["stable_a"].value, report["metastable_a"].value) == (1, 3)  # both limits are strict
    assert (report["stable_rate_a"].value, report["metastable_rate_a"].value) == (1 / 5, 3 / 5)
    assert (report["stable_b"].value, report["stable_rate_b"].n) == (0, 2)
    assert ("A/4", "e_above_hull", "no e_above_hull") in report.failures
    assert ("B/lost", "composition", "did not converge") in report.failures
    assert "cut at 0" not in report.sections[-1].note
    cut = compare(crystals(("MgO", -1, 0.0), ("CaO", -1, 0.1)), a)
    assert "A: 1 are exactly 0 and none is below" in cut.sections[-1].note
    alone = compare(a, crystals(("MgO", -1)))
    assert "A alone has any" in alone.sections[-1].note
    with pytest.raises(KeyError):
        alone["stable_b"]


def test_only_distances_to_the_hull():
    a, b = crystals(("MgO", None, 0.1), ("CaO", None, 0.0)), crystals(("MgO", None, 0.3))
    report = compare(a, b)
    assert [s.title for s in report.sections] == ["Stability"]
    assert "no pairs" in report.sections[0].note
    pairs = compare(a, b, energy="e_above_hull")
    assert pairs["delta_e"].value == pytest.approx(-0.2)
    assert "cut at 0" in pairs.sections[0].note


def test_the_energy_that_both_have():
    both = [Measured("x", formula_key("MgO"), {"e_form": Energy(-3.0, "m", "r"), "energy": Energy(-6.0, "m")})]
    other = crystals(("MgO", -5.5), energy="energy", reference="")
    assert compare(both, other).protocol["per-composition-2024"]["energy"] == "energy"
    assert compare(both, other)["delta_e"].value == pytest.approx(-0.5)
    assert compare(both, both).protocol["per-composition-2024"]["energy"] == "e_form"
    assert compare(both, both, energy="energy").protocol["per-composition-2024"]["energy"] == "energy"


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"method": "pbe"}, "A/0 is by m .reference r., that of B/0 by pbe .reference r."),
        ({"method": ""}, "that of B/0 by a method that is not named"),
        ({"reference": "s"}, "by m .reference r., that of B/0 by m .reference s."),
    ],
)
def test_energies_of_different_methods_are_refused(other, message):
    with pytest.raises(NucleateError, match=message):
        compare(A, crystals(("NaF", -1.0), **other))  # even where no composition is in common
    with pytest.raises(NucleateError, match="cannot be compared"):
        compare([*A, *crystals(("MgO", -2.0), **other)], A)  # within one set, too
    hulls = crystals(("MgO", None, 0.1)), crystals(("MgO", None, 0.1), **other)
    with pytest.raises(NucleateError, match="e_above_hull of"):
        compare(*hulls)


def test_a_method_without_a_name_is_said():
    nameless = crystals(("MgO", -2.0), method="", reference="")
    assert "a method that is not named" in compare(nameless, nameless).sections[0].note


def test_bad_input():
    with pytest.raises(NucleateError, match="B holds no crystals"):
        compare(A, [])
    with pytest.raises(NucleateError, match="not 'enthalpy'"):
        compare(A, B, energy="enthalpy")
    with pytest.raises(NucleateError, match="no crystal of B has a number for e_form or energy"):
        compare(A, crystals(("MgO", None)))
    with pytest.raises(NucleateError, match="no crystal of A or B has a number for energy"):
        compare(A, B, energy="energy")
    with pytest.raises(NucleateError, match="do not both have a number for e_form or energy"):
        compare(A, crystals(("MgO", -5.5), energy="energy"))
    with pytest.raises(NucleateError, match="a tie"):
        compare(A, B, tie=-1)
    wrong = [Measured("x", formula_key("MgO"), {"e_form": Energy(float("nan"), "m", "r")}), *A]
    assert ("A/x", "e_form", "not a finite e_form") in compare(wrong, B).failures


def test_very_many_pairs_are_drawn_in_part_and_counted_in_full(monkeypatch):
    monkeypatch.setattr(per_composition, "DRAWN", 50)
    rng = np.random.default_rng(0)
    a, b = (crystals(*[("C", v) for v in rng.normal(size=40)]) for _ in range(2))
    report = compare(a, b)
    assert report["pairs"].value == 1600
    assert len(report.series[0].values["all pairs"]) == 50


def test_from_files(tmp_path):
    supercell = NACL * (2, 1, 1)

    def candidate(name, structure, value):
        energies = {"e_form": Energy(value, "chgnet", "mp")} if value is not None else {}
        return Candidate(name, structure=structure, energies=energies)

    write_candidates(
        tmp_path / "a.jsonl", [candidate("x", NACL, -2.1), Candidate("y").failed("generate", "error", "no luck")]
    )
    write_candidates(tmp_path / "b.extxyz", [candidate("x", supercell, -2.0), candidate("z", NACL, None)])
    a, b = (measured(read_crystals([tmp_path / name]).items) for name in ("a.jsonl", "b.extxyz"))
    report = compare(a, b, names=("ours", "theirs"))
    assert report["pairs"].value == 1  # a supercell has the same composition
    assert report["delta_e"].value == pytest.approx(-0.1)
    assert report["energy_a"].value == report["energy_b"].value == 1 / 2
    assert {f[0] for f in report.failures} == {"ours/y", "theirs/z"}
    assert "chgnet (reference mp)" in report.sections[0].note
    table = tmp_path / "c.csv"
    cif = NACL.to(fmt="cif").replace('"', '""')
    table.write_text(f'name,cif,ef,hull\np,"{cif}",-2.2,-0.01\n')
    c = measured(read_crystals([table], {"e_form": "ef", "e_above_hull": "hull"}).items)
    assert c[0].energies["e_form"] == Energy(-2.2, "", "")
    assert compare(c, c)["stable_a"].value == 1
    with pytest.raises(NucleateError, match="chgnet"):
        compare(a, c)


def test_disordered_crystals_have_no_composition_to_pair():
    mixed = Structure(Lattice.cubic(3), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    found = measured([Item("m", mixed), Item("n", None, "broken")])
    assert found[0].key is None
    assert "whole numbers" in found[0].reason
    near = Structure(Lattice.cubic(3), [{"Na": 0.9, "K": 0.1}, "Cl"], [[0, 0, 0], [0.5] * 3])
    assert measured([Item("n", near)])[0].key is None
    assert found[1].reason == "broken"
