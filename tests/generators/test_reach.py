"""When a template is too far from a formula for a prediction to be believed."""

from types import SimpleNamespace

from nucleate.generators.reach import far_reason, far_warnings

SAME = {"Na": "K", "Cl": "Cl"}


def test_near_relatives_are_trusted_and_far_ones_are_not():
    assert far_reason(0.5, None, SAME, 1.2) == "" and far_reason(1.9, None, {"O": "Pt"}, 2.0) == ""
    assert far_reason(15.2, None, SAME, 1.0).startswith("15 steps between the formulas")
    assert "Pt in the place of O" in far_reason(2.5, None, {"O": "Pt", "Ba": "Ba"}, 1.0)
    assert "0.59 times the volume" in far_reason(3.0, None, {"S": "O", "Ti": "Al"}, 0.59)
    assert far_reason(3.0, None, {"S": "O", "Ti": "Al"}, 0.8) == ""
    assert far_reason(float("nan"), None, SAME, 1.0) == ""  # a distance that is not known is no reason


def test_the_network_has_its_own_limit():
    assert "similarity of 0.04" in far_reason(0.1, 0.04, SAME, 1.0)
    assert far_reason(30.0, 0.9, SAME, 1.0) == ""


def test_there_is_one_warning_for_each_formula_by_its_best_template():
    good, bad = (SimpleNamespace(formula="NaCl", id=f"mp-{i}", far=why) for i, why in enumerate(("", "20 steps")))
    assert far_warnings([("a", "KCl", good)]) == []
    first, guess = far_warnings([("a", "A2B", bad), ("b", "A2B", good), ("c", "KCl", good)])
    assert first == "no good template of A2B: the best one, NaCl mp-1, has 20 steps" and guess.startswith("such")
    assert (
        far_warnings([("a", "KCl", good), ("b", "KCl", bad)])[0] == "from templates that are too far away: b (20 steps)"
    )
    assert len(far_warnings([("a", f"A{i}", bad) for i in range(9)])) == 6
