"""Soft spheres on crystals with known results, and the symmetry that they keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import batch_from_structures, structures_from_batch
from nucleate.crystal.geometry import shortest_distance
from nucleate.crystal.symmetry import find_symmetry, space_group
from nucleate.generators.soft_spheres import _State, separate_atoms, soft_sphere_energy, symmetric_moves


def apart(batch: CrystalBatch, distance: float) -> torch.Tensor:
    return torch.full((len(batch), *batch.atomic_numbers.shape[1:] * 2), distance, dtype=torch.float64)


def random_batch(count: int, n: int, edge: float, seed: int = 0) -> CrystalBatch:
    rng = np.random.default_rng(seed)
    cells = [Lattice.cubic(edge + 0.1 * i) for i in range(count)]
    return batch_from_structures([Structure(c, ["C"] * n, rng.random((n, 3))) for c in cells])


def test_atoms_that_do_not_overlap_stay() -> None:
    batch = batch_from_structures([Structure(Lattice.cubic(4.0), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])])
    done = separate_atoms(batch, apart(batch, 3.0))
    assert float(soft_sphere_energy(batch, apart(batch, 3.0))) == 0
    assert done.crystals.lattice.numpy() == pytest.approx(batch.lattice.numpy())
    assert done.crystals.frac_coords.numpy() == pytest.approx(batch.frac_coords.numpy())
    assert float(done.scaled) == 1


def test_the_energy_is_that_of_the_pairs() -> None:
    batch = batch_from_structures([Structure(Lattice.cubic(2.5), ["Po"], [[0, 0, 0]])])  # three pairs of images
    assert float(soft_sphere_energy(batch, apart(batch, 3.0))) == pytest.approx(3 * 0.5 * 0.5**2, rel=1e-5)


def test_forces_and_strain_are_derivatives_of_the_energy() -> None:
    batch = random_batch(1, 5, 3.5)
    d0, step = apart(batch, 2.6) / 1.02, 1e-4

    def at(frac: torch.Tensor, lattice: torch.Tensor) -> float:
        return float(_State(lattice, frac, batch.mask, d0, None).forces()[1])

    frac, lattice = batch.frac_coords.double(), batch.lattice.double()
    state = _State(lattice, frac, batch.mask, d0, None)
    forces = state.forces()[0][0]
    for i, axis in ((0, 0), (3, 2)):
        move = torch.zeros_like(frac)
        move[0, i] = torch.linalg.inv(lattice)[0, axis] * step
        assert -(at(frac + move, lattice) - at(frac - move, lattice)) / (2 * step) == pytest.approx(
            float(forces[i, axis]), abs=1e-5
        )
    for a, b in ((0, 0), (1, 2)):
        strain = torch.zeros(3, 3, dtype=torch.float64)
        strain[a, b] = step
        up, down = (at(frac, lattice + s * lattice @ strain) for s in (1, -1))
        slope = -(up - down) / (2 * step)
        assert slope == pytest.approx(float((state.arm * forces[5:])[0, a, b]), abs=1e-4)


def test_atoms_are_separated_at_constant_volume_if_it_suffices() -> None:
    batch = random_batch(8, 10, 7.0)
    done = separate_atoms(batch, apart(batch, 2.2))
    for before, after in zip(structures_from_batch(batch), structures_from_batch(done.crystals), strict=True):
        assert shortest_distance(after) >= 2.2 - 1e-5
        assert after.volume == pytest.approx(before.volume, rel=1e-4)
    assert soft_sphere_energy(done.crystals, apart(batch, 2.2)).numpy() == pytest.approx(0, abs=1e-12)


def test_a_cell_that_is_too_small_grows_no_more_than_it_must() -> None:
    batch = random_batch(4, 8, 3.5)
    done = separate_atoms(batch, apart(batch, 2.5))
    packed = 8 * 2.5**3 / 2**0.5  # the volume of close-packed spheres, the smallest possible one
    for after in structures_from_batch(done.crystals):
        assert shortest_distance(after) >= 2.5 - 1e-5
        assert packed < after.volume < 1.6 * packed


def test_padding_changes_nothing_and_coinciding_atoms_are_reported() -> None:
    small = batch_from_structures([Structure(Lattice.cubic(3.5), ["C"] * 3, np.random.default_rng(1).random((3, 3)))])
    alone, wide = separate_atoms(small, apart(small, 2.0)), CrystalBatch.join([small, random_batch(2, 9, 5.0)])
    together = separate_atoms(wide, apart(wide, 2.0))
    assert together.crystals.lattice[0].numpy() == pytest.approx(alone.crystals.lattice[0].numpy(), abs=1e-9)
    assert together.crystals.frac_coords[0, :3].numpy() == pytest.approx(
        alone.crystals.frac_coords[0].numpy(), abs=1e-9
    )
    two = batch_from_structures([Structure(Lattice.cubic(5.0), ["C", "C"], [[0.1, 0.1, 0.1]] * 2)])
    assert float(separate_atoms(two, apart(two, 2.0)).nearest) == 0


def test_symmetry_is_kept_where_the_crystal_is_unstable() -> None:
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(3.2, 2.4), ["Ti", "O"], [[0, 0, 0], [0.4, 0.4, 0]]
    )
    batch = batch_from_structures([rutile])
    found = find_symmetry(rutile.lattice.matrix, rutile.frac_coords, rutile.atomic_numbers, 1e-3)
    operations = (np.array(v, dtype=float) for v in (found.operations.rotations, found.operations.translations))
    moves = symmetric_moves(rutile.lattice.matrix, rutile.frac_coords, *operations, width=6)
    assert moves @ moves == pytest.approx(moves, abs=1e-9)  # a projection
    (after,) = structures_from_batch(separate_atoms(batch, apart(batch, 2.2), torch.from_numpy(moves[None])).crystals)
    assert shortest_distance(after) >= 2.2 - 1e-5
    assert space_group(after, symprec=1e-3)[0] == 136
