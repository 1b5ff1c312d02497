"""The shipped network of oxidation states: well-known compounds, and changes that must not change its answers."""

import json
from fractions import Fraction

import pyarrow.parquet as pq
import pytest
from real_data import real_table
from typer.testing import CliRunner

from nucleate.chem.verdict import FAIL, PASS, UNKNOWN
from nucleate.cli.main import app
from nucleate.errors import NucleateError
from nucleate.evaluate.compositions import evaluate_compositions
from nucleate.stages.oxidation import OxidationState, assign_oxidation_states, oxidation_verdicts, shipped_model
from nucleate.train.oxidation import accuracy, labelled

KNOWN = {
    "NaCl": {"Na": 1, "Cl": -1},
    "MgO": {"Mg": 2, "O": -2},
    "Al2O3": {"Al": 3, "O": -2},
    "TiO2": {"Ti": 4, "O": -2},
    "LiFePO4": {"Li": 1, "Fe": 2, "P": 5, "O": -2},
    "CaCO3": {"Ca": 2, "C": 4, "O": -2},
    "Fe2O3": {"Fe": 3, "O": -2},
    "BaTiO3": {"Ba": 2, "Ti": 4, "O": -2},
    "KMnO4": {"K": 1, "Mn": 7, "O": -2},
    "Na2S": {"Na": 1, "S": -2},
    "Na2SO4": {"Na": 1, "S": 6, "O": -2},
    "GaN": {"Ga": 3, "N": -3},
    "Fe3O4": {"Fe": Fraction(8, 3), "O": -2},
    "BaBiO3": {"Ba": 2, "Bi": 4, "O": -2},  # half +3, half +5
}


@pytest.mark.parametrize("formula", KNOWN)
def test_known_compounds(formula):
    (states,) = assign_oxidation_states([formula])
    assert {s: q.mean for s, q in states.items()} == KNOWN[formula]
    assert all(0.5 < q.probability <= 1 for q in states.values())
    assert oxidation_verdicts([formula])[0].verdict == PASS


@pytest.mark.parametrize("alloy", ["Y3Lu", "CuNi", "LiMg", "Nd2PdRu3", "Sm3Ho", "Ni3Al"])
def test_alloys_have_no_oxidation_states(alloy):
    assert oxidation_verdicts([alloy])[0].verdict == UNKNOWN


def test_order_and_multiples_do_not_matter():
    assert (
        len({str(assign_oxidation_states([f])) for f in ("LiFePO4", "O4PFeLi", "Li4Fe4P4O16", "Fe P Li O O O O")}) == 1
    )


def test_the_states_of_a_formula_do_not_depend_on_other_formulas():
    texts = [*KNOWN, "NaCl2", "CaAl2Si2O8", "YBa2Cu3O7"]
    together = assign_oxidation_states(texts)
    for text, states in zip(texts, together, strict=True):
        (alone,) = assign_oxidation_states([text])
        assert {s: q.shares for s, q in alone.items()} == {s: q.shares for s, q in states.items()}
        for symbol, state in states.items():
            assert alone[symbol].probability == pytest.approx(state.probability, abs=1e-5)


def test_verdicts():
    formulas = ["NaCl2", "Fe", "NaCl", "RnO", "Rn", "MgO3", "NaCl"]
    verdicts = oxidation_verdicts(formulas)
    assert [v.verdict for v in verdicts] == [FAIL, PASS, PASS, UNKNOWN, PASS, FAIL, PASS]
    assert verdicts[3].reason == "Rn is not in the training data"
    assert verdicts[0].reason.startswith("charge ") and "Cl -1" in verdicts[0].reason
    assert [verdicts[i].reason for i in (1, 2)] == ["element", "Na +1, Cl -1"]
    assert oxidation_verdicts([]) == [] and assign_oxidation_states([]) == []
    assert assign_oxidation_states(["Fe2"]) == [{"Fe": OxidationState(((0, Fraction(1)),), 1.0)}]


@pytest.mark.parametrize("function", [assign_oxidation_states, oxidation_verdicts])
def test_what_is_no_formula_is_one_line(function):
    with pytest.raises(NucleateError, match="'Xx' is not an element"):
        function(["NaCl", "Xx2"])


def test_an_unknown_element_has_no_states():
    with pytest.raises(NucleateError, match="not trained on Rn"):
        assign_oxidation_states(["RnO"])


def test_mixed_valence_as_text_and_as_mean():
    iron = OxidationState(((2, Fraction(1, 3)), (3, Fraction(2, 3))), 0.9)
    assert iron.mean == Fraction(8, 3) and str(iron) == "+2 (1/3) and +3 (2/3)"
    assert str(OxidationState(((-2, Fraction(1)),), 0.9)) == "-2"


def test_an_evaluation_report_has_the_verdicts():
    report = evaluate_compositions(["NaCl", "MgO", "NaCl3", "CuNi", "x"], ["KCl"], oxidation_states=oxidation_verdicts)
    assert report["os"].value == 2 / 5
    assert report["cn_eb_smact14"].value == 3 / 5  # alloys pass this check
    assert report["cn_eb_os"].value == 2 / 5 and report["cn_eb_os"].published


def test_the_command_gives_the_row_unless_told_not_to(tmp_path):
    (tmp_path / "made.txt").write_text("NaCl\nNaCl3\n")
    (tmp_path / "train.txt").write_text("KCl\n")
    rows = []
    for options in ([], ["--no-oxidation-states"]):
        out = tmp_path / f"report{len(options)}"
        arguments = [
            "compositions",
            str(tmp_path / "made.txt"),
            "--train",
            str(tmp_path / "train.txt"),
            "--test",
            "none",
        ]
        CliRunner().invoke(app, ["evaluate", *arguments, *options, "--out", str(out)], catch_exceptions=False)
        report = json.loads((out / "report.json").read_text())
        rows.append({m["name"]: m["value"] for s in report["sections"] for m in s["metrics"]})
    assert rows[0]["os"] == 1 / 2 and "os" not in rows[1]


def test_accuracy_on_the_test_set():
    rows = pq.read_table(real_table("bertos_ICSD_test")).to_pylist()
    data = [labelled(r["elements"], r["oxidation_states"], r["counts"]) for r in rows if len(set(r["elements"])) > 1]
    found = accuracy(shipped_model(), data)
    assert found.element[0] / found.element[1] > 0.94
    assert found.main[0] / found.main[1] > 0.95
    assert found.formula[0] / found.formula[1] > 0.84
