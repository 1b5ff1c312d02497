"""Counts of generated formulas: by hand, compared with SMACT, and what must not change them."""

import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from nucleate.chem.distance import element_movers_distance
from nucleate.chem.elements import MAIN_ELEMENTS, SYMBOLS
from nucleate.chem.verdict import Verdict
from nucleate.cli.metrics import show_report
from nucleate.cli.tables import output_console
from nucleate.errors import NucleateError
from nucleate.evaluate.composition_sections import Vocabulary
from nucleate.evaluate.compositions import evaluate_compositions
from nucleate.evaluate.formulas import formula_key
from nucleate.evaluate.measures.statistics import wilson

TEXTS = ["SrTiO3", "O3TiSr", "Sr2Ti2O6", "NaCl", "NaCl2", "Xx2", "", "MgO"]
TRAIN = ["NaCl", "KCl", "K2Cl2"]
TEST = ["MgO", "Ca3O3", "CaO", "NaCl"]


def values(report):
    return {m.name: m.value for s in report.sections for m in s.metrics}


def test_counts_by_hand():
    report = evaluate_compositions(TEXTS, TRAIN, TEST)
    assert report.n == 8
    expected = {
        "formula": 6 / 8,
        "unique": 4 / 8,  # SrTiO3, NaCl, NaCl2, MgO
        "novel": 3 / 8,
        "novel_of_unique": 3 / 4,
        "known_generated": 2 / 8,  # NaCl, MgO
        "known_found": 1 / 2,  # of MgO and CaO, which are not in train
        "cn_smact14": 5 / 8,  # copies count as well, and NaCl2 does not
        "cn_eb_smact14": 5 / 8,
        "cn_icsd24": 5 / 8,
        "cn_eb_icsd24": 5 / 8,
        "valid_unique_novel": 2 / 8,  # SrTiO3, MgO
        "emd_0": 1 / 8,
    }
    found = values(report)
    assert {k: found[k] for k in expected} == expected
    assert "os" not in found
    for name, value in expected.items():
        m = report[name]
        assert (m.low, m.high) == wilson(round(value * m.n), m.n), name
    reasons = {(name, reason) for name, stage, reason in report.failures if stage == "formula"}
    assert reasons == {("6: Xx2", "'Xx' is not an element"), ("7", "the text is empty")}


def test_distances_by_hand():
    report = evaluate_compositions(["NaCl", "RbCl", "RbCl", "CsF", "!"], ["NaCl", "KCl"])
    step = element_movers_distance(dict(formula_key("RbCl")), dict(formula_key("KCl")))
    assert step == 0.5
    far = min(element_movers_distance(dict(formula_key("CsF")), dict(formula_key(t))) for t in ("NaCl", "KCl"))
    assert report["emd_mean"].value == pytest.approx((0 + step + step + far) / 4)
    assert report["emd_median"].value == pytest.approx(0.5)
    assert [report[f"emd_{t}"].value for t in (0, 1, 2, 5)] == [1 / 5, 3 / 5, (3 + (far < 2)) / 5, 4 / 5]
    assert report.series[0].values["formulas"] == pytest.approx([0, step, step, far])


def test_distributions_against_scipy():
    texts = ["NaCl", "MgO", "SrTiO3", "Fe", "-"]
    train = ["KCl", "CaO", "CaTiO3", "BaTiO3", "LiFePO4"]
    report = evaluate_compositions(texts, train)
    assert report["w_elements"].value == pytest.approx(wasserstein_distance([2, 2, 3, 1], [2, 2, 3, 3, 4]))
    counts = [
        np.array([sum(s in dict(formula_key(t)) for t in group) for s in SYMBOLS]) for group in (texts[:4], train)
    ]
    assert report["js_elements"].value == pytest.approx(jensenshannon(*counts, base=2))
    same = evaluate_compositions(train, train)
    assert same["w_elements"].value == same["js_elements"].value == same["emd_mean"].value == 0


def test_floor_is_the_test_set_in_place_of_the_generated():
    report = evaluate_compositions(TEXTS, TRAIN, TEST, names={"train": "A", "test": "B"})
    real = evaluate_compositions(TEST, TRAIN)
    assert report.floor == "B"
    for name, value in values(real).items():
        assert report[name].floor == value, name
    assert report["known_found"].floor is None  # it would be 100 % by construction
    assert set(report.series[0].values) == {"formulas", "B"}
    assert set(report.series[1].bars) == {"formulas", "A", "B"}


def test_another_known_set():
    report = evaluate_compositions(TEXTS, TRAIN, TEST, known=["SrTiO3", "Fe0.9O"])
    assert report["known_generated"].value == 1 / 8
    assert report["known_found"].value == 1 / 2  # the test formulas are unchanged
    assert report.settings["known"] == {"name": "known formulas", "formulas": 1, "distinct": 1, "unreadable": 1}
    alone = evaluate_compositions(TEXTS, TRAIN, known=["SrTiO3", "NaCl", "CaO"])
    assert alone["known_found"].value == 1 / 2  # SrTiO3 of SrTiO3 and CaO
    with pytest.raises(KeyError):
        evaluate_compositions(TEXTS, TRAIN)["known_found"]


@given(st.permutations(TEXTS), st.permutations(TEST), st.integers(1, 5))
@settings(max_examples=5, deadline=None)
def test_order_and_multiples_do_not_matter(texts, test, factor):
    other = [" ".join(f"{s}{n * factor}" for s, n in reversed(k)) if (k := formula_key(t)) else t for t in texts]
    found = values(evaluate_compositions(other, TRAIN[::-1], test))
    assert found == pytest.approx(values(evaluate_compositions(TEXTS, TRAIN, TEST)), abs=1e-12)


def test_vocabulary():
    assert len(MAIN_ELEMENTS) == 63  # 69 words less the stop and five special tokens
    assert not MAIN_ELEMENTS & {"La", "Lu", "U", "Xe", "He"}
    assert {"H", "Bi", "Hf", "Ba", "Y"} <= MAIN_ELEMENTS
    texts = ["SrTiO3", "Sr10Ti10O30", "LaAlO3", "Sr9Ti10O30", "?"]
    report = evaluate_compositions(texts, TRAIN, vocabulary=Vocabulary(MAIN_ELEMENTS, 49))
    assert report["in_vocabulary"].value == 2 / 5  # 50 atoms as written are too many
    assert report["formula"].value == 4 / 5
    assert evaluate_compositions(texts, TRAIN, vocabulary=Vocabulary())["in_vocabulary"].value == 4 / 5


def test_a_test_of_oxidation_states():
    asked = []

    def judge(formulas):
        asked.extend(formulas)
        verdict = {"NaCl": "pass", "ClNa": "pass", "MgO": "unknown"}
        return [Verdict(verdict.get(f, "fail"), "no such ion" if f == "MgO" else "") for f in formulas]

    report = evaluate_compositions(["NaCl", "Cl2Na2", "MgO", "SrTiO3", "x"], TRAIN, oxidation_states=judge)
    assert report["os"].value == 2 / 5
    assert len(asked) == 3  # distinct ones
    assert ("MgO", "oxidation states", "no such ion") in report.failures
    with pytest.raises(NucleateError, match="2 verdicts on 1"):
        evaluate_compositions(["NaCl"], TRAIN, oxidation_states=lambda f: [Verdict("pass")] * 2)


def test_unknown_does_not_count_as_passed_and_has_a_reason():
    report = evaluate_compositions(["OHe", "MgO", "Rf2O3", "Rf"], TRAIN)
    assert report["cn_smact14"].value == report["cn_icsd24"].value == 2 / 4  # MgO, and Rf as an element
    stages = {(name, stage) for name, stage, _ in report.failures}
    assert ("OHe", "charge (smact14)") in stages
    assert ("OHe", "charge (icsd24)") in stages
    assert ("Rf2O3", "distance") in stages
    assert report["emd_10"].n == 4
    assert report["emd_mean"].n == 2


def test_mixed_valence_is_the_difference_between_the_sets():
    report = evaluate_compositions(["Fe3O4"], TRAIN)
    assert report["cn_smact14"].value == 0
    assert report["cn_icsd24"].value == 1


def test_nothing_is_a_formula():
    report = evaluate_compositions(["", "[MASK]"], TRAIN, TEST, reasons={0: "not JSON"})
    found = values(report)
    assert found["formula"] == found["unique"] == found["novel"] == found["cn_smact14"] == found["emd_5"] == 0
    assert found["emd_mean"] is None
    assert found["w_elements"] is None
    assert found["novel_of_unique"] is None
    assert ("1", "formula", "not JSON") in report.failures
    json.loads(report.to_json())
    show_report(output_console(), report)


def test_bad_input():
    with pytest.raises(NucleateError, match="no generated formulas"):
        evaluate_compositions([], TRAIN)
    with pytest.raises(NucleateError, match="none of the 1 texts in mine"):
        evaluate_compositions(["NaCl"], ["Fe0.9O"], names={"train": "mine"})
    with pytest.raises(NucleateError, match="none of the 0 texts in test formulas"):
        evaluate_compositions(["NaCl"], TRAIN, [])


def test_long_formulas_do_not_hang():
    """Twenty elements have 10^15 combinations of states."""
    text = "".join(f"{s}{n}" for s, n in zip(SYMBOLS[18:40], range(101, 900, 36), strict=False))
    assert evaluate_compositions([text, "K" + text], TRAIN).n == 2


@pytest.mark.skipif("NUCLEATE_DATA" not in os.environ, reason="NUCLEATE_DATA is not set")
def test_known_crystals_are_mostly_neutral_and_near():
    from nucleate.evaluate.formulas import read_formulas

    train, test = (read_formulas(f"mp-20:{split}") for split in ("train", "test"))
    report = evaluate_compositions(test.texts[:400], train.texts)
    assert report["formula"].value == 1
    assert report["cn_eb_smact14"].value > 0.85  # published for the whole training set: 0.904
    assert report["emd_mean"].value < 0.6
    assert report["w_elements"].value < 0.1
