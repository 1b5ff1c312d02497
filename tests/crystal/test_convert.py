from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymatgen.core import DummySpecies, Lattice, Structure

from nucleate.crystal import lattice as lat
from nucleate.crystal.convert import (
    atom_counts,
    atoms_from_batch,
    batch_from_atoms,
    batch_from_structures,
    niggli_reduced,
    polar_factor,
    require_crystal,
    right_handed,
    structures_from_batch,
)
from nucleate.errors import NucleateError

cells = st.lists(st.floats(-4, 4), min_size=9, max_size=9).map(lambda v: np.array(v).reshape(3, 3) + 5 * np.eye(3))
seeds = st.integers(0, 10_000)


def crystal(cell: np.ndarray, seed: int) -> Structure:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    return Structure(Lattice(cell), rng.integers(1, 90, n), rng.random((n, 3)))


def close(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal modulo lattice translations."""
    d = a - b
    return bool(np.abs(d - d.round()).max() < 1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(cells, seeds), min_size=1, max_size=4))
def test_structures_round_trip(items):
    assume(all(abs(np.linalg.det(c)) > 1 for c, _ in items))
    before = [crystal(c, s) for c, s in items]
    batch = batch_from_structures(before)
    assert batch.num_atoms.tolist() == [len(s) for s in before]
    for a, b in zip(before, structures_from_batch(batch), strict=True):
        assert [s.specie.Z for s in a] == [s.specie.Z for s in b]
        assert np.abs(a.lattice.matrix - b.lattice.matrix).max() < 1e-5
        assert close(a.frac_coords, b.frac_coords)
        assert b.frac_coords.min() >= 0 and b.frac_coords.max() < 1


@settings(max_examples=20, deadline=None)
@given(cells, seeds)
def test_atoms_round_trip(cell, seed):
    assume(abs(np.linalg.det(cell)) > 1)
    batch = batch_from_structures([crystal(cell, seed)])
    again = batch_from_atoms(atoms_from_batch(batch))
    assert torch.equal(again.atomic_numbers, batch.atomic_numbers)
    assert (again.lattice - batch.lattice).abs().max() < 1e-5
    assert close(again.frac_coords.numpy(), batch.frac_coords.numpy())


def test_no_warning_about_read_only_arrays_and_padding():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = batch_from_structures([Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])], max_atoms=5)
    assert batch.atomic_numbers.tolist() == [[11, 17, 0, 0, 0]]
    with pytest.raises(NucleateError, match="2 atoms, more than the 1"):
        batch_from_structures([Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])], max_atoms=1)
    assert len(batch_from_structures([])) == 0


def test_oxidation_states_are_set_aside():
    s = Structure(Lattice.cubic(4), ["Fe2+", "O2-"], [[0, 0, 0], [0.5] * 3])
    assert batch_from_structures([s]).atomic_numbers.tolist() == [[26, 8]]
    mixed = Structure(Lattice.cubic(4), ["Fe2+", "Fe3+", "O2-"], [[0, 0, 0], [0.3] * 3, [0.6] * 3])
    assert atom_counts(mixed) == {"Fe": 2, "O": 1}


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (Structure(Lattice.cubic(4), [{"Fe": 0.5, "Ni": 0.5}], [[0, 0, 0]]), "partial occupancy at site 1"),
        (Structure(Lattice.cubic(4), [{"Fe": 0.5}], [[0, 0, 0]]), "partial occupancy"),
        (Structure(Lattice.cubic(4), ["O", "D"], [[0, 0, 0], [0.5] * 3]), "site 2 holds 'D'"),
        (Structure(Lattice.cubic(4), ["D+"], [[0, 0, 0]]), "holds 'D'"),
        (Structure(Lattice.cubic(4), [DummySpecies("X")], [[0, 0, 0]]), "not an element"),
        (Structure(Lattice.cubic(4), [], []), "no atoms"),
        (Structure(Lattice([[1, 0, 0], [2, 0, 0], [0, 0, 1]]), ["H"], [[0, 0, 0]]), "no volume"),
        (Structure(Lattice.cubic(4), ["H"], [[float("nan"), 0, 0]]), "not a finite number"),
        (Structure(Lattice(np.eye(3) * 4, pbc=(True, True, False)), ["H"], [[0, 0, 0]]), "periodic in 2 of 3"),
    ],
)
def test_broken_structures_are_refused_with_the_reason(structure, reason):
    with pytest.raises(NucleateError, match=reason):
        require_crystal(structure)
    good = Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]])
    with pytest.raises(NucleateError, match="structure 2 of 2"):
        batch_from_structures([good, structure])


def test_molecules_are_refused():
    with pytest.raises(NucleateError, match="no cell"):
        batch_from_atoms([molecule("H2O")])
    slab = bulk("Cu")
    slab.pbc = (True, True, False)
    with pytest.raises(NucleateError, match="periodic in 2 of 3"):
        batch_from_atoms([slab])


@settings(max_examples=60, deadline=None)
@given(cells, seeds, st.booleans())
def test_niggli_is_the_same_crystal(cell, seed, mirror):
    cell = cell * np.array([1, 1, -1]) if mirror else cell
    s = crystal(cell, seed)
    assume(abs(np.linalg.det(cell)) > 5 and len(s) > 0)
    cell2, frac2 = niggli_reduced(cell, s.frac_coords)
    assert np.linalg.det(cell2) > 0
    change = cell2 @ np.linalg.inv(cell)
    assert np.abs(change - change.round()).max() < 1e-6  # the same lattice, in the same frame
    assert round(abs(np.linalg.det(change))) == 1
    # every atom where it was, modulo lattice translations
    assert close(frac2 @ cell2 @ np.linalg.inv(cell), s.frac_coords)
    reduced = Lattice(cell).get_niggli_reduced_lattice()
    assert np.allclose(sorted(Lattice(cell2).abc), sorted(reduced.abc), atol=1e-4)


def test_niggli_refuses_a_flat_cell():
    with pytest.raises(NucleateError, match="Niggli"):
        niggli_reduced(np.array([[1.0, 0, 0], [2, 0, 0], [0, 0, 1]]), np.zeros((1, 3)))


@settings(max_examples=30, deadline=None)
@given(cells)
def test_polar_removes_the_rotation_alone(cell):
    assume(np.linalg.det(cell) > 1)
    p = polar_factor(cell)
    assert np.abs(p - p.T).max() < 1e-9
    assert np.linalg.eigvalsh(p).min() > 0
    assert np.abs(p @ p.T - cell @ cell.T).max() < 1e-8  # the same lengths and angles
    rotation = np.linalg.solve(p, cell)
    assert np.linalg.det(rotation) > 0
    # the decoder of the network's six lattice numbers gives the same matrix
    decoded = lat.from_log_metric(lat.to_log_metric(torch.tensor(cell)[None]))[0].numpy()
    assert np.abs(decoded - p).max() < 1e-5


def test_polar_and_right_handed():
    left = np.diag([1.0, 2, -3])
    with pytest.raises(NucleateError, match="right-handed"):
        polar_factor(left)
    cell, frac = right_handed(left, np.array([[0.1, 0.2, 0.3]]))
    assert np.linalg.det(cell) > 0
    assert np.allclose(frac @ cell, [[0.1, 0.2, 0.3]] @ left)
