"""Cells that repeat themselves: found, relaxed as their primitive cell elsewhere, and put together again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from nucleate.crystal.primitive import find_repeats

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def same_sites(a, b, tolerance=1e-6):
    away = np.array(a) - np.array(b)
    return np.abs(away - np.rint(away)).max() < tolerance


def test_the_cube_of_a_face_centred_lattice_is_four_cells():
    found = find_repeats(SALT)
    assert found is not None and len(found.sites) == 2 and round(abs(np.linalg.det(found.multiples))) == 4
    assert abs(np.linalg.det(found.lattice)) == pytest.approx(SALT.volume / 4)
    assert {SALT[i].specie.symbol for i in found.sites} == {"Na", "Cl"}
    lattice, frac = found.given_cell(found.lattice, found.frac_coords)
    assert np.allclose(lattice, SALT.lattice.matrix) and same_sites(frac, SALT.frac_coords)


def test_strain_and_displacement_of_the_primitive_cell_reach_every_copy():
    found = find_repeats(SALT)
    strain = np.eye(3) + np.array([[0.02, 0.01, 0], [0.01, -0.01, 0], [0, 0, 0.03]])
    shift = np.array([0.3, -0.2, 0.1])
    cell = found.lattice @ strain
    moved = found.frac_coords.copy()
    moved[1] += shift @ np.linalg.inv(cell)
    lattice, frac = found.given_cell(cell, moved)
    assert np.allclose(lattice, SALT.lattice.matrix @ strain)
    expected = SALT.frac_coords @ lattice + shift * (np.array(found.copy_of) == 1)[:, None]
    assert same_sites(frac, expected @ np.linalg.inv(lattice))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.lists(st.integers(-2, 2), min_size=9, max_size=9).map(lambda v: np.reshape(v, (3, 3))),
)
def test_any_supercell_of_any_crystal_comes_back(seed, scale):
    if not 1 < abs(round(np.linalg.det(scale))) <= 8:
        return
    rng = np.random.default_rng(seed)
    lattice = Lattice.from_parameters(*rng.uniform(4, 7, 3), *rng.uniform(70, 110, 3))
    crystal = Structure(lattice, ["Li", "O", "O"], rng.random((3, 3)))
    large = crystal.make_supercell(scale, in_place=False, to_unit_cell=True)
    large = large.copy()
    large.perturb(0.001)
    found = find_repeats(large)
    assert found is not None and len(found.sites) == 3 and np.linalg.det(found.lattice) > 0
    lattice, frac = found.given_cell(found.lattice, found.frac_coords)
    assert np.allclose(lattice, large.lattice.matrix, atol=1e-6) and same_sites(frac, large.frac_coords, 2e-3)


def test_primitive_and_nearly_repeated_cells_stay_as_they_are():
    primitive = SALT.get_primitive_structure()
    assert find_repeats(primitive) is None
    displaced = SALT.copy()
    displaced.translate_sites([0], [0.02, 0, 0])  # 0.1 angstrom
    assert find_repeats(displaced) is None
    charged = SALT.copy()
    charged.add_oxidation_state_by_site([1, 1, 1, 0, -1, -1, -1, 0])
    assert find_repeats(charged) is None
    assert find_repeats(Structure(Lattice.cubic(3), ["Fe", "Fe"], [[0, 0, 0], [0, 0, 0]])) is None
