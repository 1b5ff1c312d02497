import dataclasses

import numpy as np
import pytest
from ase.build import bulk

from nucleate.dft.elements import _CRYSTALS, MOLECULES, reference_state, starting_moments
from nucleate.dft.frames import read_json_object, to_atoms, to_record, to_structure, write_json
from nucleate.dft.settings import PRESETS, DFTSettings, all_metals, k_grid, preset_settings, symmetric_grid
from nucleate.errors import NucleateError


def test_presets_grow_finer():
    fast, standard, tight = (PRESETS[n] for n in ("fast", "standard", "tight"))
    assert fast.cutoff < standard.cutoff < tight.cutoff
    assert fast.k_spacing > standard.k_spacing > tight.k_spacing
    assert len({s.digest for s in PRESETS.values()}) == len({s.words for s in PRESETS.values()}) == 3
    with pytest.raises(NucleateError, match="fast, standard, tight"):
        preset_settings("sloppy")


def test_the_wall_time_is_no_part_of_a_result():
    assert preset_settings("fast", wall_time=10.0).digest == PRESETS["fast"].digest
    assert dataclasses.replace(PRESETS["fast"], fmax=0.02).digest != PRESETS["fast"].digest


@pytest.mark.parametrize("bad", [{"cutoff": 0.0}, {"wall_time": -1.0}, {"spin": "up"}, {"max_steps": -1}])
def test_bad_settings_are_refused(bad):
    with pytest.raises(NucleateError):
        DFTSettings(**bad)


def test_the_k_grid_is_even_along_equivalent_axes_and_as_fine_as_asked():
    assert k_grid(bulk("Si").cell, 0.35) == (6, 6, 6)
    assert len(set(k_grid(bulk("MgO", "rocksalt", a=4.2).cell, 0.2))) == 1
    a, b, c = k_grid(np.diag([3.0, 6.0, 60.0]), 0.3)
    assert (a, b, c) == (7, 4, 1)


def test_axes_that_symmetry_mixes_get_equal_divisions():
    mixing = [np.eye(3), [[1, 0, 0], [1, -1, 0], [0, 0, 1]]]
    assert symmetric_grid((4, 3, 2), [np.eye(3)]) == (4, 3, 2)
    assert symmetric_grid((4, 3, 2), mixing) == (4, 4, 2)
    assert symmetric_grid((4, 3, 2), [[[0, 0, 1], [0, 1, 1], [1, 0, 0]]]) == (4, 4, 4)


def test_a_crystal_counts_as_a_metal_where_all_its_elements_are_metals():
    assert all_metals([12, 3]) and all_metals([26])
    assert not all_metals([12, 8]) and not all_metals([14])


@pytest.mark.parametrize("element", [*_CRYSTALS, *MOLECULES, "Fe", "Ti", "Si", "Li", "Xe"])
def test_elements_have_bonds_of_sensible_length(element):
    from ase.data import atomic_numbers, covalent_radii
    from ase.neighborlist import neighbor_list

    kind, atoms = reference_state(element)
    assert kind == ("molecule" if element in MOLECULES else "crystal") and len(atoms) <= 12
    shortest = neighbor_list("d", atoms, 6.0).min()
    ratio = shortest / (2 * covalent_radii[atomic_numbers[element]])
    assert 0.75 < ratio < (1.65 if element != "Xe" else 2)


def test_elements_that_are_too_large_are_named():
    for element in ("S", "Mn"):
        with pytest.raises(NucleateError, match=element):
            reference_state(element)


def test_starting_moments_follow_from_the_elements():
    assert starting_moments(["Li", "Fe", "O"]) == [0.0, 4.0, 0.0]
    assert starting_moments(["Fe"], "off") == [0.0]
    assert reference_state("O")[1].get_initial_magnetic_moments().tolist() == [1.0, 1.0]
    assert not reference_state("N")[1].get_initial_magnetic_moments().any()
    assert not reference_state("O", "off")[1].get_initial_magnetic_moments().any()
    assert reference_state("Ni")[1].get_initial_magnetic_moments().tolist() == [2.0]


def test_frames_are_exact_and_files_whole(tmp_path):
    atoms = bulk("Fe") * (2, 1, 1)
    atoms.rattle(0.1, seed=1)
    atoms.set_initial_magnetic_moments([4.0, -4.0])
    write_json(tmp_path / "a.json", to_record(atoms))
    back = to_atoms(read_json_object(tmp_path / "a.json"))
    assert (back.positions == atoms.positions).all() and (back.cell == atoms.cell).all()
    assert back.get_initial_magnetic_moments().tolist() == [4.0, -4.0] and back.pbc.all()
    assert to_structure(to_record(atoms)).composition.reduced_formula == "Fe"
    (tmp_path / "a.json").write_text('{"half": ')
    assert read_json_object(tmp_path / "a.json") is None and read_json_object(tmp_path / "b.json") is None
