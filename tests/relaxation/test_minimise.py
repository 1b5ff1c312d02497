"""The minimisers on energies whose minimum and gradient are known."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk

from nucleate.potentials.base import Evaluation
from nucleate.relaxation.minimise import Fire, QuasiNewton, gradient, model_hessian, move


def springs(atoms, rest=2.6, reach=3.6):
    """Morse-like pairs within a cutoff, with analytic energy, forces and stress."""
    from ase.neighborlist import primitive_neighbor_list

    i, j, d = primitive_neighbor_list("ijD", atoms.pbc, atoms.cell.array, atoms.positions, reach)
    r = np.linalg.norm(d, axis=1)
    fade = (1 - (r / reach) ** 2) ** 3
    energy = 0.5 * (((r - rest) ** 2 - 1) * fade).sum()
    slope = 0.5 * (2 * (r - rest) * fade - ((r - rest) ** 2 - 1) * 6 * r / reach**2 * (1 - (r / reach) ** 2) ** 2)
    pull = slope[:, None] * d / r[:, None]
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, i, pull)
    np.add.at(forces, j, -pull)
    return Evaluation(float(energy), forces, d.T @ pull / atoms.get_volume())


def crystal(rattle=0.15):
    atoms = bulk("Al", "fcc", a=4.2, cubic=True)
    atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.03 * np.array([[1, 0.5, 0], [0.5, -1, 0], [0, 0, 0]])), True)
    atoms.rattle(rattle, seed=3)
    return atoms


def test_the_gradient_is_the_slope_of_the_energy_along_every_coordinate():
    atoms = crystal()
    slope = gradient(atoms, springs(atoms), cell=True)
    for k in range(len(slope)):
        ends = []
        for sign in (1, -1):
            moved, step = atoms.copy(), np.zeros(len(slope))
            step[k] = sign * 1e-5
            move(moved, step)
            ends.append(springs(moved).energy)
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(slope[k], abs=1e-6)


def test_the_model_hessian_is_positive_and_hardly_resists_a_translation():
    atoms = crystal(0.0)
    hessian = model_hessian(atoms, cell=True)
    assert np.allclose(hessian, hessian.T) and np.linalg.eigvalsh(hessian).min() > 0.5
    shift = np.concatenate([np.tile([1.0, 0, 0], len(atoms)), np.zeros(6)])
    assert shift @ hessian @ shift == pytest.approx(len(atoms) * 1.0)  # only the springs to the sites resist
    assert model_hessian(atoms, cell=False) == pytest.approx(hessian[:-6, :-6])


@pytest.mark.parametrize("minimiser", [QuasiNewton, Fire])
@pytest.mark.parametrize("cell", [True, False])
def test_reaches_the_minimum(minimiser, cell):
    atoms, run = crystal(), minimiser(cell=cell)
    volume = atoms.get_volume()
    for _ in range(400):
        found = springs(atoms)
        if np.abs(gradient(atoms, found, cell)).max() < 1e-4:
            break
        run.step(atoms, found)
    assert np.abs(gradient(atoms, found, cell)).max() < 1e-4
    assert (atoms.get_volume() == pytest.approx(volume)) is not cell


def test_quasi_newton_needs_a_third_of_the_steps():
    steps = {}
    for minimiser in (QuasiNewton, Fire):
        atoms, run = crystal(), minimiser()
        for steps[minimiser] in range(400):
            found = springs(atoms)
            if np.abs(found.forces).max() < 0.01 and np.abs(found.stress).max() < 1e-3:
                break
            run.step(atoms, found)
    assert 3 * steps[QuasiNewton] < steps[Fire] < 400, steps


def test_no_step_is_longer_than_the_limits():
    atoms = Atoms("Al2", positions=[[0, 0, 0], [1.4, 1.4, 1.4]], cell=[4, 4, 4], pbc=True)
    before = atoms.copy()
    QuasiNewton().step(atoms, Evaluation(0.0, np.array([[900.0, 0, 0], [-900.0, 0, 0]]), np.eye(3)))
    way = atoms.get_scaled_positions(wrap=False) - before.get_scaled_positions(wrap=False)
    assert 0 < np.abs(way).max() < 0.25 / 4 + 1e-6
    assert abs(atoms.get_volume() / before.get_volume() - 1) < 0.3
