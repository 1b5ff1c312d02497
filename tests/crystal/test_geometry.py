"""Distances against brute force over many images, also in very skewed cells."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.crystal.geometry import closest_contacts, mass_density, shortest_distance, volume_per_atom


def brute_force(structure, n=3):
    shifts = np.array(np.meshgrid(*[range(-n, n + 1)] * 3)).reshape(3, -1).T @ structure.lattice.matrix
    best = np.inf
    for i, a in enumerate(structure.cart_coords):
        for b in structure.cart_coords[i:]:
            d = np.linalg.norm(b - a + shifts, axis=1)
            best = min(best, d[d > 1e-9].min())
    return best


@pytest.mark.parametrize("seed", range(20))
def test_exact_for_skewed_cells(seed):
    rng = np.random.default_rng(seed)
    lattice = Lattice.from_parameters(*rng.uniform(2, 8, 3), *rng.uniform(75, 105, 3))
    frac = rng.random((rng.integers(1, 6), 3))
    skew = np.eye(3)
    for _ in range(4):  # the same crystal in another cell
        a, b = rng.choice(3, 2, replace=False)
        skew[a] += rng.integers(-2, 3) * skew[b]
    species = ["Na"] * len(frac)
    crystal = Structure(lattice, species, frac)
    skewed = Structure(Lattice(skew @ lattice.matrix), species, frac @ np.linalg.inv(skew))
    assert shortest_distance(skewed) == pytest.approx(brute_force(crystal), abs=1e-9)


def test_a_single_atom_meets_its_image():
    assert shortest_distance(Structure(Lattice.orthorhombic(3, 1.5, 9), ["H"], [[0.2, 0.3, 0.4]])) == pytest.approx(1.5)


def test_atoms_on_top_of_each_other():
    assert shortest_distance(Structure(Lattice.cubic(5), ["H", "H"], [[0, 0, 0], [0, 0, 1]])) == pytest.approx(0)


def test_rock_salt():
    salt = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert shortest_distance(salt) == pytest.approx(2.82)
    assert mass_density(salt) == pytest.approx(2.165, abs=0.01)
    assert volume_per_atom(salt) == pytest.approx(5.64**3 / 8)
    nearest, tightest = closest_contacts(salt)
    assert nearest.distance == pytest.approx(2.82) and nearest.ratio == pytest.approx(2.82 / (1.66 + 1.02))
    assert tightest.ratio > 0.6


def test_the_tightest_contact_need_not_be_the_shortest():
    frac = [[0, 0, 0], [0.074, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0.6]]
    crystal = Structure(
        Lattice.cubic(10), ["H", "H", "Cs", "Cs"], frac
    )  # 0.74 angstrom is a normal distance for H2, 1.0 angstrom is too short for Cs
    nearest, tightest = closest_contacts(crystal)
    assert (nearest.i, nearest.j) == (0, 1) and nearest.ratio > 1
    assert (tightest.i, tightest.j) == (2, 3) and tightest.ratio == pytest.approx(1 / 4.88)


@pytest.mark.parametrize(
    "structure",
    [
        Structure(Lattice(np.full((3, 3), np.nan)), ["H"], [[0, 0, 0]]),
        Structure(Lattice(np.ones((3, 3))), ["H"], [[0, 0, 0]]),
        Structure(Lattice.cubic(3), ["H"], [[np.nan, 0, 0]]),
    ],
)
def test_structures_that_are_not_finite_are_refused(structure):
    with pytest.raises(ValueError, match="finite"):
        shortest_distance(structure)
