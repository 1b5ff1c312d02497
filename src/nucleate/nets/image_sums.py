"""Sums over all periodic images of pairs of atoms, which are the input of an invariant network.

Every feature of a pair (i, j) is a sum over the images of j within a cutoff of i. Another cell of the same crystal,
also a supercell, has the same terms in these sums, only grouped differently.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

CUTOFF = 8.0  # angstrom: the cutoff of the radial sums
ANGULAR_CUTOFF = 5.0  # angstrom: the cutoff of the sums with directions, which cover the first coordination shells
ANGULAR = 6  # number of radial functions of the sums with directions
DEGREES = (1, 2, 3)  # degrees of their spherical harmonics
HARMONICS = sum(2 * d + 1 for d in DEGREES)
FEATURES_WITH_DIRECTION = ANGULAR * HARMONICS
_CHUNK = 2_000_000  # largest number of distances to hold in memory at once


def _reach(lattice: Tensor, cutoff: float) -> Tensor:
    """How many cells to look at in each direction, (B, 3), if coordinate differences are wrapped into [-1/2, 1/2)."""
    heights = 1 / torch.linalg.inv(lattice).norm(dim=1)  # between opposite faces of the cell
    return torch.floor(cutoff / heights + 0.5 + 1e-4).long()


def count_images(lattice: Tensor, cutoff: float = CUTOFF) -> Tensor:
    """How many images of each cell (B, 3, 3), in angstrom, are searched for neighbours within the cutoff: (B,)."""
    return (2 * _reach(lattice, cutoff) + 1).prod(1)


def image_vectors(lattice: Tensor, frac_coords: Tensor, mask: Tensor, cutoff: float) -> Iterator[tuple[Tensor, Tensor]]:
    """All vectors from an atom to an image of an atom, itself excepted, no longer than `cutoff`, in chunks.

    lattice (B, 3, 3) in angstrom, frac_coords (B, A, 3), mask (B, A). Yields the place of the pair in (B, A, A)
    flattened, (E,), and the vectors (E, 3).
    """
    a = mask.shape[1]
    difference = frac_coords[:, None] - frac_coords[:, :, None]  # from i to j
    cartesian = (difference - torch.floor(difference + 0.5)) @ lattice[:, None]
    reach = _reach(lattice, cutoff)
    span = 2 * reach + 1
    counts = span.prod(1)
    pairs = (mask[:, :, None] & mask[:, None]).flatten(1)
    per_chunk = max(_CHUNK // (a * a), 1)
    ends = counts.cumsum(0)
    for first in range(0, int(ends[-1]), per_chunk):
        place = torch.arange(first, min(first + per_chunk, int(ends[-1])), device=lattice.device)
        owner = torch.searchsorted(ends, place, right=True)
        number = place - (ends - counts)[owner]
        last, middle = span[owner, 2], span[owner, 1]
        n = torch.stack([number // (middle * last), number // last % middle, number % last], -1) - reach[owner]
        shift = (n.to(lattice.dtype)[:, None] @ lattice[owner])[:, 0]
        vectors = cartesian.flatten(1, 2)[owner] + shift[:, None]  # (images, A * A, 3)
        squared = vectors.square().sum(-1)
        itself = (n == 0).all(-1)[:, None] & torch.eye(a, dtype=torch.bool, device=n.device).flatten()
        image, pair = ((squared < cutoff**2) & pairs[owner] & ~itself).nonzero(as_tuple=True)
        yield owner[image] * a * a + pair, vectors[image, pair]


def radial(distance: Tensor, count: int, cutoff: float) -> Tensor:
    """Gaussians on an even grid times (1 + cos(pi r / cutoff)) / 2, (E,) -> (E, count)."""
    centres = torch.linspace(0.5, cutoff, count + 1, device=distance.device, dtype=distance.dtype)[:-1]
    width = float(centres[1] - centres[0])
    smooth = 0.5 * (1 + torch.cos(math.pi * distance / cutoff))
    return torch.exp(-(((distance[:, None] - centres) / width) ** 2)) * smooth[:, None]


def direction_harmonics(unit: Tensor) -> Tensor:
    """Real spherical harmonics of degrees 1 to 3 of unit vectors, (E, 3) -> (E, 15).

    Scaled so that the sum over one degree of Y(u) Y(v) is the Legendre polynomial of u . v.
    """
    x, y, z = unit.unbind(-1)
    root3, root15 = math.sqrt(3.0), math.sqrt(15.0)
    two = [root3 * x * y, root3 * y * z, 1.5 * z * z - 0.5, root3 * x * z, root3 / 2 * (x * x - y * y)]
    a, c = math.sqrt(5 / 8), math.sqrt(3 / 8)
    three = [
        a * y * (3 * x * x - y * y),
        root15 * x * y * z,
        c * y * (5 * z * z - 1),
        z * (2.5 * z * z - 1.5),
        c * x * (5 * z * z - 1),
        root15 / 2 * z * (x * x - y * y),
        a * x * (x * x - 3 * y * y),
    ]
    return torch.stack([x, y, z, *two, *three], -1)


def image_sums(lattice: Tensor, frac_coords: Tensor, mask: Tensor, count: int) -> Tensor:
    """Features of all pairs, (B, A, A, count + FEATURES_WITH_DIRECTION), zero on padding.

    First `count` sums of radial functions, then ANGULAR radial functions times each harmonic of the direction i -> j.
    """
    b, a = mask.shape
    out = lattice.new_zeros(b * a * a, count + FEATURES_WITH_DIRECTION)
    for pair, vectors in image_vectors(lattice, frac_coords, mask, CUTOFF):
        distance = vectors.norm(dim=-1)
        out[:, :count].index_add_(0, pair, radial(distance, count, CUTOFF))
        near = (distance < ANGULAR_CUTOFF).nonzero()[:, 0]
        distance = distance[near]
        # the direction between two atoms in the same place is taken as zero
        y = direction_harmonics(vectors[near] / distance.clamp_min(1e-6)[:, None])
        r = radial(distance, ANGULAR, ANGULAR_CUTOFF)
        out[:, count:].index_add_(0, pair[near], (r[:, :, None] * y[:, None]).flatten(1))
    return out.view(b, a, a, -1)
