"""The probability to be near the hull by DFT, from the energy above the hull by a potential."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check, Energy
from nucleate.pipeline.near_hull import WEIGHTS, near_hull_probability, terms_of

(METHOD, REFERENCE) = next(iter(WEIGHTS))


def relaxed(height, method=METHOD, reference=REFERENCE, verdict=PASS):
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    candidate = Candidate("NaCl-1", structure=salt)
    return candidate.with_(
        energies={"e_above_hull": Energy(height, method, reference)}, checks={"relaxed": Check(verdict, "")}
    )


def test_the_higher_above_the_hull_the_less_probable():
    chances = [near_hull_probability(relaxed(x)) for x in (-0.05, 0.0, 0.025, 0.1, 0.3)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.9 and 0.5 < chances[1] < 0.8 and chances[-1] < 0.01


def test_beyond_the_range_of_the_fit_it_stays():
    assert near_hull_probability(relaxed(-3.0)) == near_hull_probability(relaxed(-0.1))
    np.testing.assert_allclose(terms_of(np.array([0.05, -0.05])), [[1, 1, 1], [1, -1, 0]])


@pytest.mark.parametrize(
    "candidate",
    [
        relaxed(0.0, method="another potential"),
        relaxed(0.0, reference="my-set"),
        relaxed(0.0, verdict=FAIL),
        relaxed(float("nan")),
        Candidate("NaCl-1"),
    ],
)
def test_there_is_none_without_a_fit_a_relaxation_or_an_energy(candidate):
    assert near_hull_probability(candidate) is None
