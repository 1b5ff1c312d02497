"""Soft spheres that push the atoms of random structures apart, for many crystals in one batch.

The potential of a pair, periodic images included, is k/2 (d0_ij - d)^2 if the distance d is smaller than d0_ij, and 0
otherwise, with k = 1. In random structure search this is the step between random coordinates and a real potential
(AIRSS; Pickard and Needs, J. Phys.: Condens. Matter 23, 053201 (2011)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nucleate.crystal.batch import CrystalBatch
from nucleate.nets.image_sums import image_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

REACH = 1.02  # d0 is larger than the wanted distance by this factor, so that steps reach it and do not only approach it
KEEPING, GROWING = 150, 300  # steps at constant volume, and steps in which the cell may grow
SKIN = 1.0  # angstrom beyond contact; pairs up to there are listed too, so that a list serves many steps
LONGEST = 0.1  # angstrom; no atom moves farther in one step
_DT, _DT_MAX, _MIX, _PATIENCE = 0.1, 0.5, 0.1, 5  # of FIRE (Bitzek et al., Phys. Rev. Lett. 97, 170201 (2006)), mass 1


@dataclass(frozen=True)
class Separated:
    """B crystals whose atoms were pushed apart.

    crystals: in double precision. nearest (B,): the smallest ratio of a distance to the wanted distance. scaled (B,):
    factor by which the lengths of the cell had to be scaled in the end, 1 if the steps sufficed.
    """

    crystals: CrystalBatch
    nearest: Tensor
    scaled: Tensor


def separate_atoms(crystals: CrystalBatch, apart: Tensor, free: Tensor | None = None) -> Separated:
    """The crystals with atoms pushed apart, until no atoms i and j are closer than `apart` (B, A, A), angstrom, images
    included.

    First, coordinates and the shape of the cell relax at constant volume. Where atoms still overlap, the volume may
    grow too; since the potential only repels, it grows no more than needed. Where atoms still overlap after GROWING
    steps, the cell is scaled. free (B, 3A + 9, 3A + 9): projections of displacements and strain onto those that keep
    the symmetry (`symmetric_moves`), None for no symmetry. Atoms at the same position cannot be separated; their
    `nearest` is 0.
    """
    state = _State.of(crystals, apart, free)
    for steps, growing in ((KEEPING, False), (GROWING, True)):
        state.relax(steps, growing)
    lattice, frac = state.lattice, state.frac
    nearest = state.nearest()
    scaled = torch.where((nearest < 1) & (nearest > 1e-6), 1 / nearest.clamp_min(1e-6), torch.ones_like(nearest))
    lattice = lattice * scaled[:, None, None]
    done = CrystalBatch(lattice, (frac % 1.0) * state.mask[..., None], crystals.atomic_numbers)
    return Separated(done, nearest * scaled, scaled)


def soft_sphere_energy(crystals: CrystalBatch, apart: Tensor) -> Tensor:
    """Energies (B,) of the potential with d0 = `apart` (B, A, A), in units of k times square angstrom."""
    return _State.of(crystals, apart / REACH, None).forces()[1]


def symmetric_moves(
    lattice: NDArray[np.float64],
    frac_coords: NDArray[np.float64],
    rotations: NDArray[np.float64],
    translations: NDArray[np.float64],
    width: int,
) -> NDArray[np.float64]:
    """The matrix (3 width + 9, 3 width + 9) that averages displacements and strain over the operations of a space
    group.

    It acts as row @ matrix on a row of flattened Cartesian displacements (width, 3), padding last, followed by the
    strain (3, 3). lattice (3, 3): rows in angstrom. frac_coords (n, 3). rotations (G, 3, 3), translations (G, 3): of
    fractional coordinates, x -> W x + w. Forces are symmetric without it, but rounding errors grow exponentially where
    the symmetric crystal is unstable.
    """
    n, g = len(frac_coords), len(rotations)
    moved = np.einsum("gab,nb->gna", rotations, frac_coords) + translations[:, None]
    gap = moved[:, :, None] - frac_coords
    image = np.linalg.norm((gap - gap.round()) @ lattice, axis=-1).argmin(
        -1
    )  # (G, n): the atom onto which each atom is moved
    turn = np.linalg.inv(lattice) @ rotations.transpose(0, 2, 1) @ lattice  # (G, 3, 3), for Cartesian rows
    out = np.zeros((width + 3, 3, width + 3, 3))
    for k in range(g):
        out[np.arange(n), :, image[k], :] += turn[k] / g
    out[width:, :, width:, :] = np.einsum("gac,gbd->abcd", turn, turn) / g
    return out.reshape(3 * width + 9, 3 * width + 9)


class _State:
    """Crystals during relaxation. Moves are (B, A + 3, 3): displacements of atoms, then the strain times `arm`."""

    def __init__(self, lattice: Tensor, frac: Tensor, mask: Tensor, reach: Tensor, free: Tensor | None) -> None:
        self.lattice, self.frac, self.mask, self.reach, self.free = lattice, frac, mask, reach, free
        # A strain moves every atom by about its distance from others; this factor makes it as stiff as a coordinate
        self.arm = (reach.amax((1, 2)) * mask.sum(1).sqrt()).clamp_min(1.0)[:, None, None]
        self.pairs = torch.zeros(0, 6, dtype=torch.long)  # crystal, i, j, and the cell of j's image
        self.moved = torch.zeros(len(mask), dtype=torch.float64)  # angstrom since the crystal's pairs were listed
        self.list_pairs(torch.ones(len(mask), dtype=torch.bool))

    @classmethod
    def of(cls, crystals: CrystalBatch, apart: Tensor, free: Tensor | None) -> _State:
        mask = crystals.mask
        reach = REACH * apart.double() * (mask[:, :, None] & mask[:, None])
        return cls(crystals.lattice.double(), crystals.frac_coords.double(), mask, reach, free)

    def list_pairs(self, which: Tensor) -> None:
        """Make new lists of the pairs and images that may come into contact, for the crystals of the mask `which` (B,).

        The pairs are listed crystal by crystal, so that the order of the terms of a crystal, and with it the rounding,
        does not depend on the other crystals.
        """
        a, index = self.mask.shape[1], which.nonzero()[:, 0]
        inverse = torch.linalg.inv(self.lattice)
        cutoff = float(self.reach[index].max()) + SKIN
        found = [self.pairs[~which[self.pairs[:, 0]]]]
        for pair, vectors in image_vectors(self.lattice[index], self.frac[index], self.mask[index], cutoff):
            b, i, j = index[pair // (a * a)], pair // a % a, pair % a
            near = vectors.norm(dim=-1) < self.reach[b, i, j] + SKIN
            b, i, j, vectors = b[near], i[near], j[near], vectors[near]
            cells = (vectors[:, None] @ inverse[b])[:, 0] - (self.frac[b, j] - self.frac[b, i])
            found.append(torch.cat([torch.stack([b, i, j], 1), cells.round().long()], 1))
        self.pairs = torch.cat(found)
        self.moved = torch.where(which, 0.0, self.moved)

    def distances(self) -> tuple[Tensor, Tensor]:
        """Vectors (E, 3) and their lengths (E,)."""
        b, i, j = self.pairs[:, :3].T
        frac = self.frac[b, j] - self.frac[b, i] + self.pairs[:, 3:]
        vectors = (frac[:, None] @ self.lattice[b])[:, 0]
        return vectors, vectors.norm(dim=-1)

    def nearest(self) -> Tensor:
        """The smallest ratio of a distance to the wanted distance (B,), at most 2."""
        self.list_pairs(torch.ones(len(self.mask), dtype=torch.bool))
        b, i, j = self.pairs[:, :3].T
        ratio = self.distances()[1] / (self.reach[b, i, j] / REACH)
        return torch.full((len(self.lattice),), 2.0, dtype=torch.float64).scatter_reduce(0, b, ratio, "amin")

    def forces(self) -> tuple[Tensor, Tensor, Tensor]:
        """Forces on atoms and strain (B, A + 3, 3), energies (B,), and whether any atoms are too close (B,)."""
        b, i, j = self.pairs[:, :3].T
        vectors, d = self.distances()
        reach = self.reach[b, i, j]
        overlap = (reach - d).clamp_min(0)
        count, a = self.mask.shape
        push = (overlap / d.clamp_min(1e-9))[:, None] * vectors  # on j; a pair is listed from both ends
        out = torch.zeros(count, a + 3, 3, dtype=torch.float64)
        out.view(-1, 3).index_add_(0, b * (a + 3) + j, push)
        pull = torch.zeros(count, 9, dtype=torch.float64)
        pull.index_add_(0, b, 0.5 * (push[:, :, None] * vectors[:, None]).flatten(1))
        out[:, a:] = pull.view(-1, 3, 3) / self.arm
        energies = torch.zeros(count, dtype=torch.float64).index_add_(0, b, 0.25 * overlap.square())
        near = torch.zeros(count, dtype=torch.float64).index_add_(0, b, (d * REACH < reach).double()) > 0
        return out, energies, near

    def relax(self, steps: int, growing: bool) -> None:
        """FIRE, each crystal with its own time step, until no atoms are closer than wanted. growing: whether the volume
        may change."""
        count, a = self.mask.shape
        trace = torch.eye(3, dtype=torch.float64)
        v = torch.zeros(count, a + 3, 3, dtype=torch.float64)
        dt, mix = torch.full((count,), _DT, dtype=torch.float64), torch.full((count,), _MIX, dtype=torch.float64)
        downhill = torch.zeros(count)
        for _ in range(steps):
            if (self.moved > SKIN).any():
                self.list_pairs(self.moved > SKIN)
            f, _, near = self.forces()
            if not near.any():
                return
            if not growing:
                f[:, a:] -= trace * (f[:, a:] * trace).sum((1, 2), keepdim=True) / 3
            if self.free is not None:
                f = (f.reshape(count, 1, -1) @ self.free).view_as(f)
            f = f * near[:, None, None]
            power = (f * v).sum((1, 2))
            uphill = power < 0
            downhill = torch.where(uphill, 0.0, downhill + 1)
            faster = downhill > _PATIENCE
            dt = torch.where(faster, (1.1 * dt).clamp_max(_DT_MAX), torch.where(uphill, 0.5 * dt, dt))
            mix = torch.where(faster, 0.99 * mix, torch.where(uphill, _MIX, mix))
            v = v * ~uphill[:, None, None] + dt[:, None, None] * f
            speed, force = v.norm(dim=(1, 2)), f.norm(dim=(1, 2)).clamp_min(1e-12)
            v = (1 - mix)[:, None, None] * v + (mix * speed / force)[:, None, None] * f
            self.move(dt[:, None, None] * v * near[:, None, None])

    def move(self, step: Tensor) -> None:
        """Displace atoms and strain the cell, no atom by more than LONGEST."""
        a = self.mask.shape[1]
        longest = step.norm(dim=-1).amax(1).clamp_min(1e-12)
        step = step * (LONGEST / longest).clamp_max(1.0)[:, None, None]
        volume = torch.linalg.det(self.lattice).abs()
        strain = step[:, a:] / self.arm
        self.frac = self.frac + step[:, :a] @ torch.linalg.inv(self.lattice)
        self.lattice = self.lattice + self.lattice @ strain
        traceless = strain.diagonal(dim1=1, dim2=2).sum(1).abs() < 1e-12  # the volume changes at second order
        ratio = (volume / torch.linalg.det(self.lattice).abs()) ** (1 / 3)
        self.lattice = self.lattice * torch.where(traceless, ratio, torch.ones_like(ratio))[:, None, None]
        far = self.reach.amax((1, 2)) + SKIN
        self.moved = self.moved + 2 * step[:, :a].norm(dim=-1).amax(1) + far * strain.norm(dim=(1, 2))
