"""Steps towards a minimum of the energy, in atoms and cell together: quasi-Newton and FIRE.

Both move a crystal by displacements u (n, 3) and a symmetric logarithmic strain h (3, 3), both relative to the present
positions and cell: positions -> (positions + u) expm(h), cell -> cell expm(h), where rows are vectors. At u = 0 and
h = 0 the gradient of the energy is then exactly -forces and volume x stress, and no derivative of the matrix
exponential is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray

    from nucleate.potentials.base import Evaluation

    Array = NDArray[np.float64]

MAX_STEP = 0.25  # angstrom, of an atom
MAX_STRAIN = 0.08

# An orthonormal basis of the symmetric matrices (6, 3, 3)
_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
STRAINS = np.array([[[float({a, b} == {i, j}) for b in range(3)] for a in range(3)] for i, j in _PAIRS])
STRAINS /= np.linalg.norm(STRAINS, axis=(1, 2), keepdims=True)


class Minimiser(Protocol):
    """Moves a crystal by one step, given what the potential says of it, and remembers the steps before.

    Atoms that are `fixed` (indices) get no displacement; when the cell is strained they keep their fractional
    coordinates.
    """

    def step(self, atoms: Atoms, found: Evaluation) -> None:
        """Move `atoms` in place."""
        ...


def gradient(atoms: Atoms, found: Evaluation, cell: bool, fixed: Sequence[int] = ()) -> Array:
    """Gradient of the energy, (3 n,), or (3 n + 6,) with the cell: eV/angstrom for the displacements, eV for the
    coefficients of the strains in the basis `STRAINS`; 0 for fixed atoms."""
    forces = found.forces.copy()
    forces[list(fixed)] = 0.0
    slope = -forces.ravel()
    if not cell:
        return slope
    return np.concatenate([slope, atoms.get_volume() * np.einsum("ab,sab->s", found.stress, STRAINS)])


def move(atoms: Atoms, step: Array) -> None:
    """Apply displacements and, where `step` (3 n,) or (3 n + 6,) has them, strains to `atoms` in place."""
    from scipy.linalg import expm

    n = len(atoms)
    positions = atoms.positions + step[: 3 * n].reshape(n, 3)
    if len(step) > 3 * n:
        deform = expm(np.einsum("s,sab->ab", step[3 * n :], STRAINS))
        atoms.set_cell(atoms.cell.array @ deform)
        positions = positions @ deform
    atoms.positions = positions


def shorten(step: Array, n: int, scale: float = 1.0) -> Array:
    """The step, scaled down as far as needed so that no atom moves by more than `scale` times MAX_STEP and no component
    of the strain is larger than `scale` times MAX_STRAIN. n: number of atoms."""
    atoms = np.linalg.norm(step[: 3 * n].reshape(n, 3), axis=1).max()
    strain = np.abs(np.einsum("s,sab->ab", step[3 * n :], STRAINS)).max() if len(step) > 3 * n else 0.0
    return step * min(1.0, scale * MAX_STEP / max(atoms, 1e-12), scale * MAX_STRAIN / max(strain, 1e-12))


# The model Hessian has springs between atoms, with the constant k(r) = STIFFNESS exp(-DECAY (r / r0 - 1)) along the
# bond and BEND times that across it, where r0 is the sum of the covalent radii, and a spring of the constant
# SITE_STIFFNESS that ties each atom to its site. The exponential is that of Packwood et al., J. Chem. Phys. 144, 164109
# (2016). The values are the best of some that were tried on 14 generated crystals; benchmarks/relax.py measures the
# number of steps they lead to.
STIFFNESS, BEND, SITE_STIFFNESS = 1.0, 0.3, 1.0  # eV/angstrom^2, -, eV/angstrom^2
DECAY = 3.0
CUTOFF = 6.0  # angstrom


def model_hessian(atoms: Atoms, cell: bool) -> Array:
    """Second derivatives of the energy of a network of springs, (3 n, 3 n), or (3 n + 6, 3 n + 6) with the cell.

    It holds the coupling between atoms, and between atoms and cell, which a minimiser that begins with a diagonal
    matrix would have to learn in its first steps.
    """
    from ase.data import covalent_radii
    from ase.neighborlist import primitive_neighbor_list
    from scipy.sparse import bsr_array, coo_array

    n = len(atoms)
    i, j, d = primitive_neighbor_list("ijD", atoms.pbc, atoms.cell.array, atoms.positions, CUTOFF)
    radii = covalent_radii[atoms.numbers]
    r, rest = np.linalg.norm(d, axis=1), radii[i] + radii[j]
    k = STIFFNESS * np.exp(-DECAY * (np.maximum(r, 0.8 * rest) / rest - 1))
    along = d[:, :, None] * d[:, None, :] / r[:, None, None] ** 2
    spring = 0.5 * k[:, None, None] * (along + BEND * np.eye(3))  # half, because each pair is listed twice
    # Row a of bond p: the change of component a of its vector, u_j - u_i + d . strain, with each coordinate
    rows = 3 * np.arange(len(d))[:, None] + np.arange(3)
    size = 3 * n + (6 if cell else 0)
    entries = [(1.0, 3 * j[:, None] + np.arange(3)), (-1.0, 3 * i[:, None] + np.arange(3))]
    parts = [(np.full(rows.size, sign), rows.ravel(), columns.ravel()) for sign, columns in entries]
    if cell:
        pulls = np.einsum("pa,sab->pbs", d, STRAINS)
        parts.append((pulls.ravel(), np.repeat(rows.ravel(), 6), np.tile(3 * n + np.arange(6), rows.size)))
    values, at, columns = (np.concatenate(x) for x in zip(*parts, strict=True))
    change = coo_array((values, (at, columns)), shape=(rows.size, size)).tocsr()
    blocks = bsr_array((spring, np.arange(len(d)), np.arange(len(d) + 1)), shape=(rows.size, rows.size))
    hessian = (change.T @ (blocks @ change)).toarray()
    hessian[: 3 * n, : 3 * n] += SITE_STIFFNESS * np.eye(3 * n)
    if cell:  # so that a crystal without bonds within the cutoff resists strain as well
        hessian[3 * n :, 3 * n :] += 0.05 * atoms.get_volume() * np.eye(6)
    return hessian


@dataclass
class QuasiNewton:
    """BFGS that begins with the model Hessian, damped as in Nocedal and Wright, Numerical Optimization (2006),
    procedure 18.2.

    The longest allowed step shrinks when the energy falls by much less than the quadratic model expects, and grows
    again when it falls as expected.
    """

    cell: bool = True
    fixed: Sequence[int] = ()
    hessian: Array | None = None
    trust: float = 1.0
    last: tuple[Array, Array, float, float] | None = field(default=None, repr=False)  # step, slope, energy, expected

    def step(self, atoms: Atoms, found: Evaluation) -> None:
        slope = gradient(atoms, found, self.cell, self.fixed)
        if self.hessian is None:
            self.hessian = model_hessian(atoms, self.cell)
            held = [3 * i + k for i in self.fixed for k in range(3)]
            self.hessian[held] = self.hessian[:, held] = 0.0  # without gradient and coupling, held atoms do not move
            self.hessian[held, held] = 1.0
        if self.last is not None:
            self._learn(slope, found.energy)
        w, v = np.linalg.eigh(self.hessian)
        step = -(v @ ((v.T @ slope) / np.maximum(np.abs(w), 0.1)))
        step = shorten(step, len(atoms), self.trust)
        expected = float(slope @ step + 0.5 * step @ (self.hessian @ step))
        self.last = (step, slope, found.energy, expected)
        move(atoms, step)

    def _learn(self, slope: Array, energy: float) -> None:
        assert self.last is not None and self.hessian is not None
        step, last_slope, last_energy, expected = self.last
        modelled, change = self.hessian @ step, slope - last_slope  # change of the gradient: by the model, and seen
        curvature, seen_curvature = float(step @ modelled), float(step @ change)
        if seen_curvature < 0.1 * curvature:  # the damping keeps the Hessian positive definite
            share = 0.9 * curvature / (curvature - seen_curvature)
            change = share * change + (1 - share) * modelled
            seen_curvature = float(step @ change)
        self.hessian += np.outer(change, change) / seen_curvature - np.outer(modelled, modelled) / curvature
        gain = (energy - last_energy) / expected if expected < -1e-6 else 1.0
        if gain < 0.1:
            self.trust = max(0.4 * self.trust, 0.05)
        elif gain > 0.7:
            self.trust = min(1.6 * self.trust, 1.0)


@dataclass
class Fire:
    """FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)) with its published parameters. Each atom has the mass 1,
    and each strain has the mass of all atoms together."""

    cell: bool = True
    fixed: Sequence[int] = ()
    dt: float = 0.1
    alpha: float = 0.1
    downhill_steps: int = 0
    velocity: Array | None = field(default=None, repr=False)

    def step(self, atoms: Atoms, found: Evaluation) -> None:
        n = len(atoms)
        slope = gradient(atoms, found, self.cell, self.fixed)
        weight = np.concatenate([np.ones(3 * n), np.full(len(slope) - 3 * n, float(n))])
        force = -slope / weight
        v = np.zeros_like(force) if self.velocity is None else self.velocity
        if force @ v > 0:
            v = (1 - self.alpha) * v + self.alpha * force / np.linalg.norm(force) * np.linalg.norm(v)
            if self.downhill_steps > 5:
                self.dt, self.alpha = min(1.1 * self.dt, 1.0), 0.99 * self.alpha
            self.downhill_steps += 1
        elif self.velocity is not None:
            v, self.dt, self.alpha, self.downhill_steps = np.zeros_like(force), 0.5 * self.dt, 0.1, 0
        v = v + self.dt * force
        self.velocity = v
        move(atoms, shorten(self.dt * v / weight, n))
