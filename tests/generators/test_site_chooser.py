"""The site chooser: probabilities that sum to one, and searches and samples that agree with them."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from every_way import every_way

from nucleate.crystal.decorated import DecoratedPrototype, in_writing_order
from nucleate.crystal.feasible import PartialSites
from nucleate.errors import NucleateError
from nucleate.generators.site_chooser import SiteChooser
from nucleate.nets.site_chooser import SiteChooserNetwork

COMPOSITION = {"Sc": 1, "N": 1}


@pytest.fixture(scope="module")
def chooser():
    torch.manual_seed(1)
    likeness = torch.randn(119, 5)
    network = SiteChooserNetwork(likeness, dim=16, layers=2, heads=2, hidden=32)
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(2.5)  # probabilities far from even
    return SiteChooser(network, 4)


@pytest.fixture(scope="module")
def every(chooser):
    """All decorated prototypes of a composition in cells of up to two atoms, with their probabilities."""
    elements, reduced = in_writing_order(COMPOSITION)
    ends = every_way(PartialSites(reduced, units=1), 2)
    found = sorted({DecoratedPrototype(elements, s.space_group, s.places).canonical() for s in ends})
    return dict(zip(found, np.exp(chooser.log_probabilities(found, units=True)), strict=True))


def test_probabilities_sum_to_one(every):
    assert len(every) > 100
    assert sum(every.values()) == pytest.approx(1.0, abs=1e-5)


def test_so_they_do_with_the_number_of_formula_units_open(chooser, every):
    small = SiteChooser(chooser.network, 2)
    told = np.array(small.log_probabilities(list(every)[:20], units=True))
    np.testing.assert_allclose(small.log_probabilities(list(every)[:20]), told, atol=1e-5)  # one number is possible
    first = next(iter(every))
    assert chooser.log_probability(first) < chooser.log_probability(first, units=True)


def test_a_prototype_has_one_probability_in_all_settings(chooser):
    a = DecoratedPrototype((21, 7), 225, ((0,), (1,)))
    b = DecoratedPrototype((21, 7), 225, ((1,), (0,)))
    assert chooser.log_probability(a) == pytest.approx(chooser.log_probability(b))


def test_the_search_finds_the_most_probable_ones_in_order(chooser, every):
    proposed = chooser.propose(COMPOSITION, 10, units=1)
    values = [p.probability for p in proposed]
    assert values == sorted(values, reverse=True)
    for p in proposed:
        assert p.probability == pytest.approx(every[p.prototype], rel=1e-4)
    assert proposed[0].prototype == max(every, key=every.__getitem__)


def test_samples_follow_the_probabilities(chooser, every):
    n = 3000
    drawn = Counter(chooser.sample(COMPOSITION, n, np.random.default_rng(0), units=1))
    for prototype, p in sorted(every.items(), key=lambda item: -item[1])[:5]:
        assert abs(drawn[prototype] / n - p) < 4 * math.sqrt(p * (1 - p) / n) + 1e-3


def test_what_is_proposed_has_the_composition(chooser):
    for p in chooser.propose({"Sr": 1, "O": 1}, 5):
        counts = p.prototype.composition
        assert counts["Sr"] == counts["O"] and sum(counts.values()) <= 4


def test_cells_that_are_too_large_are_refused(chooser):
    with pytest.raises(NucleateError, match="up to 4 atoms"):
        chooser.propose({"Sr": 1, "Ti": 1, "O": 3})


def test_a_group_that_canonical_crystals_do_not_have_is_impossible(chooser):
    mirrored = DecoratedPrototype.of(78, {21: [0]})
    assert chooser.log_probability(mirrored, units=True) == -math.inf
