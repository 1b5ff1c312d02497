"""The 290 descriptors against a literal calculation, formula by formula."""

import numpy as np
import pytest

from nucleate.chem.descriptors import STATISTICS, _table, descriptor_names, descriptors, without_descriptors
from nucleate.chem.elements import atomic_number
from nucleate.errors import NucleateError

FORMULAS = [{"Sr": 1, "Ti": 1, "O": 3}, {"Na": 1, "Cl": 1}, {"Fe": 1}, {"Li": 1, "Fe": 1, "P": 1, "O": 4}]


def literal(formula):
    """As the paper says it in words, element by element."""
    features = _table()[1]
    rows = [features[atomic_number(s)] for s, n in formula.items() for _ in range(n)]  # one row for each atom
    mean = np.mean(rows, axis=0)
    return np.concatenate(
        [mean, np.sum(rows, axis=0), np.mean((rows - mean) ** 2, 0), np.min(rows, 0), np.max(rows, 0)]
    )


def test_the_table_has_58_features_of_94_elements_without_gaps():
    names, values = _table()
    assert len(names) == len(set(names)) == 58
    assert np.isfinite(values[1:95]).all() and np.isnan(values[95:]).all() and np.isnan(values[0]).all()
    assert values[8, names.index("atomic_weight")] == pytest.approx(15.999, abs=1e-3)
    assert values[8, names.index("en_pauling")] == pytest.approx(3.44)
    assert values[26, names.index("melting_point")] == pytest.approx(1808, abs=5)


def test_descriptors_equal_the_literal_calculation():
    found = descriptors(FORMULAS)
    assert (
        found.shape == (4, 290) and len(descriptor_names()) == 290 and descriptor_names()[0].startswith(STATISTICS[0])
    )
    for row, formula in zip(found, FORMULAS, strict=True):
        assert row == pytest.approx(literal(formula), rel=1e-12, abs=1e-9)


def test_multiples_and_order_change_nothing():
    one = descriptors([{"Sr": 1, "Ti": 1, "O": 3}])
    assert descriptors([{"O": 12, "Sr": 4, "Ti": 4}]) == pytest.approx(one, rel=1e-12)


def test_elements_without_features_give_nan_and_are_named():
    found = descriptors([{"Na": 1, "Cl": 1}, {"Am": 1, "O": 2}])
    assert np.isfinite(found[0]).all() and np.isnan(found[1]).any()
    assert without_descriptors({"Am": 1, "O": 2}) == ["Am"] and without_descriptors({"Pu": 1, "O": 2}) == []
    assert descriptors([]).shape == (0, 290)


@pytest.mark.parametrize("formula", [{}, {"Fe": 0}, {"Fe": 0.5, "O": 1}, {"Fe": -1}])
def test_no_formula_is_refused(formula):
    with pytest.raises(NucleateError, match="whole numbers"):
        descriptors([formula])
    with pytest.raises(NucleateError, match="'Xx' is not an element"):
        descriptors([{"Xx": 1}])
