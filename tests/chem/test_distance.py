"""The element mover's distance against scipy, against a literal transport problem, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from nucleate.chem.distance import (
    MODIFIED_PETTIFOR,
    cumulative_profiles,
    element_movers_distance,
    nearest_distances,
    on_scale,
    profile_distances,
)
from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

PLACE = {s: i + 1 for i, s in enumerate(MODIFIED_PETTIFOR)}
COMPOSITIONS = st.dictionaries(st.sampled_from(MODIFIED_PETTIFOR), st.integers(1, 20), min_size=1, max_size=6)


def by_scipy(a, b):
    return wasserstein_distance([PLACE[s] for s in a], [PLACE[s] for s in b], list(a.values()), list(b.values()))


def by_transport(a, b):
    """The definition itself: the cheapest plan that carries the fractions of `a` to those of `b`."""
    cost = np.array([[abs(PLACE[s] - PLACE[t]) for t in b] for s in a], dtype=float)
    leave = np.kron(np.eye(len(a)), np.ones(len(b)))
    arrive = np.kron(np.ones(len(a)), np.eye(len(b)))
    amounts = np.concatenate([np.array(list(x.values())) / sum(x.values()) for x in (a, b)])
    plan = linprog(cost.ravel(), A_eq=np.vstack([leave, arrive]), b_eq=amounts, bounds=(0, None))
    assert plan.success
    return plan.fun


def test_the_scale_is_that_of_glawe():
    assert len(MODIFIED_PETTIFOR) == len(set(MODIFIED_PETTIFOR)) == 103
    assert set(MODIFIED_PETTIFOR) == set(SYMBOLS[:103])
    # noble gases first, hydrogen last; two tables that were made apart (mendeleev, ElementEmbeddings) agree on all
    known = {"He": 1, "Cs": 8, "Li": 12, "Sc": 48, "Fe": 71, "Zn": 74, "B": 86, "C": 87, "N": 88, "O": 97, "F": 102}
    assert {s: PLACE[s] for s in known} == known
    assert PLACE["H"] == 103


def test_distances_by_hand():
    assert element_movers_distance({"Na": 1, "Cl": 1}, {"K": 1, "Cl": 1}) == pytest.approx(
        0.5
    )  # K and Na are neighbours
    assert element_movers_distance({"He": 1}, {"H": 1}) == pytest.approx(102)
    # Ti 51, O 97: a third of the atoms are titanium in one formula, half in the other
    assert element_movers_distance({"Ti": 1, "O": 2}, {"Ti": 1, "O": 1}) == pytest.approx(46 / 6)


@given(COMPOSITIONS, COMPOSITIONS)
@settings(max_examples=200, deadline=None)
def test_distances_equal_scipys(a, b):
    assert element_movers_distance(a, b) == pytest.approx(by_scipy(a, b), abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"Sr": 1, "Ti": 1, "O": 3}, {"Ba": 1, "Zr": 1, "O": 3}),
        ({"Li": 1, "Fe": 1, "P": 1, "O": 4}, {"Na": 3, "V": 2, "P": 3, "O": 12}),
        ({"H": 2, "O": 1}, {"Fe": 1}),
        ({"Cu": 2, "O": 1}, {"Cu": 1, "O": 2}),
    ],
)
def test_distances_equal_the_solution_of_the_transport_problem(a, b):
    assert element_movers_distance(a, b) == pytest.approx(by_transport(a, b), abs=1e-8)


@given(COMPOSITIONS, COMPOSITIONS, COMPOSITIONS, st.integers(2, 9))
@settings(max_examples=100, deadline=None)
def test_the_distance_is_a_metric_of_reduced_compositions(a, b, c, factor):
    assert element_movers_distance(a, b) == element_movers_distance(b, a)
    assert element_movers_distance(a, c) <= element_movers_distance(a, b) + element_movers_distance(b, c) + 1e-9
    multiple = {s: factor * n for s, n in reversed(a.items())}
    assert element_movers_distance(a, multiple) == 0
    assert element_movers_distance(multiple, b) == pytest.approx(element_movers_distance(a, b), abs=1e-12)
    same = {s: n / sum(a.values()) for s, n in a.items()} == {s: n / sum(b.values()) for s, n in b.items()}
    assert (element_movers_distance(a, b) == 0) == same


@given(st.lists(COMPOSITIONS, min_size=1, max_size=12), st.lists(COMPOSITIONS, min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_the_nearest_has_the_least_of_all_distances(compositions, known):
    expected = [min(element_movers_distance(c, k) for k in known) for c in compositions]
    assert nearest_distances(compositions, known) == pytest.approx(expected, abs=1e-9)


def test_nearest_is_exact_among_many_of_one_mean():
    """More known compositions share the mean of the query than are looked at first, and the nearest is the last."""
    decoys = [{MODIFIED_PETTIFOR[50 - i]: 1, MODIFIED_PETTIFOR[50 + i]: 1} for i in range(2, 50)]
    decoys = [{**d, MODIFIED_PETTIFOR[50]: n} for d in decoys for n in range(1, 8)]
    query = {MODIFIED_PETTIFOR[49]: 1, MODIFIED_PETTIFOR[51]: 1}
    assert nearest_distances([query], decoys)[0] == pytest.approx(
        min(element_movers_distance(query, d) for d in decoys)
    )
    assert nearest_distances([query], [*decoys, query])[0] == 0
    far = {"H": 1}  # its mean lies beyond those of all others
    assert nearest_distances([far], decoys)[0] == pytest.approx(min(element_movers_distance(far, d) for d in decoys))


def test_elements_without_a_place_on_the_scale():
    assert not on_scale({"Rf": 1})
    assert not on_scale({})
    assert not on_scale({"O": 0})
    with pytest.raises(NucleateError, match="Rf"):
        element_movers_distance({"Rf": 1}, {"O": 1})
    found = nearest_distances([{"Rf": 1}, {"O": 1}], [{"O": 2}, {"Og": 1}])
    assert np.isnan(found[0])
    assert found[1] == 0
    assert np.isnan(nearest_distances([{"Rf": 1}], [{"O": 1}])).all()
    assert nearest_distances([], [{"O": 1}]).shape == (0,)
    with pytest.raises(NucleateError, match="no known composition"):
        nearest_distances([{"O": 1}], [{"Rf": 1}])


def test_nearest_among_thousands():
    rng = np.random.default_rng(0)

    def some(n):
        return [
            {
                MODIFIED_PETTIFOR[k]: int(c)
                for k, c in zip(rng.choice(103, 3, False), rng.integers(1, 9, 3), strict=True)
            }
            for _ in range(n)
        ]

    queries, known = some(40), some(3000)
    expected = [min(element_movers_distance(q, k) for k in known) for q in queries[:5]]
    assert nearest_distances(queries, known)[:5] == pytest.approx(expected, abs=1e-9)


def test_all_distances_at_once_are_those_of_each_pair():
    ours = [{"Sr": 1, "Ti": 1, "O": 3}, {"Na": 1, "Cl": 1}, {"Rf": 1}]
    theirs = [{"Ba": 1, "Ti": 1, "O": 3}, {"K": 2, "Cl": 2}, {}]
    found = profile_distances(cumulative_profiles(ours), cumulative_profiles(theirs))
    assert found.shape == (3, 3)
    for i in (0, 1):
        for j in (0, 1):
            assert found[i, j] == pytest.approx(element_movers_distance(ours[i], theirs[j]))
    assert np.isnan(found[2]).all() and np.isnan(found[:, 2]).all()  # no place on the scale, and no composition
