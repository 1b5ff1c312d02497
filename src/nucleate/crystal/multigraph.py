"""The symmetry-consistent multigraph of a batch of crystals, as dense tensors.

A node is a site, that is, a set of equivalent atoms. An edge leads from the first atom of a site to one of its nearest
atoms, which is the image of the first atom of some site by an operation of the space group and a translation. So two
nodes may be connected by many edges, and a node may have edges to itself. All crystals are treated at once, on their
device, without a loop over crystals or edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from nucleate.crystal.orbits import Orbits
from nucleate.crystal.wyckoff import GROUP_NUMBERS, SpaceGroup, get_space_group

TRANSLATIONS = 64  # the number of shortest lattice translations by which neighbours are looked for
_FAR = 3  # the translations are chosen among so many conventional cells in both directions of each axis
_MOST_OPERATIONS = 48


@dataclass(frozen=True)
class Multigraph:
    """N nodes, which are the sites of all crystals one after another, with K edges each, the shortest first.

    crystal: (N,) int64, the crystal of each node. first: (N,) int64, the index of the site's first atom among the atoms
    of its crystal. end: (N, K) int64, the node that an edge leads to. shift: (N, K, 3), the edge in fractional
    coordinates of the primitive cell. vector: (N, K, 3), the same in angstrom. back: (N, K, 3), in angstrom, the
    reversed edge after the symmetry operation that moves its start to the first atom of the site `end`; with it, angles
    to the edges of that site can be computed without a list of reverse edges. distance: (N, K), the length of the edge
    in angstrom. reach: (N, 1), the distance in angstrom of the nearest atom without an edge.
    """

    crystal: Tensor
    first: Tensor
    end: Tensor
    shift: Tensor
    vector: Tensor
    back: Tensor
    distance: Tensor
    reach: Tensor


@torch.no_grad()
def multigraph(space_group: Tensor, atoms: Orbits, edges: int) -> Multigraph:
    """The multigraph with `edges` edges for each site. space_group: (B,). atoms: of the B crystals.

    If several atoms are at the same distance from a site, some of them may have an edge and others not. So whatever is
    summed over edges must vanish at the distance `reach`. Raises ValueError unless 0 < edges < TRANSLATIONS.
    """
    if not 0 < edges < TRANSLATIONS:
        raise ValueError(f"a site has 1 to {TRANSLATIONS - 1} edges, not {edges}")
    crystals = atoms.crystals
    lattice, mask = crystals.lattice, atoms.site >= 0
    tables = _tables(lattice.device, lattice.dtype)
    before = torch.nn.functional.pad(atoms.site, (1, 0), value=-1)[:, :-1]
    starts = mask & (atoms.site != before)  # the atoms of a site lie next to each other
    node_of = starts.flatten().cumsum(0).view_as(starts) - 1
    crystal, first = starts.nonzero(as_tuple=True)

    shift = crystals.frac_coords[crystal] - crystals.frac_coords[crystal, first][:, None]  # (N, A, 3)
    # The conventional cell is less skewed than the primitive one, so rounding its coordinates finds a near image.
    conventional = tables.primitive[space_group]
    whole = torch.floor(shift @ conventional[crystal] + 0.5)
    shift = shift - whole @ torch.linalg.inv(conventional)[crystal]
    steps = tables.steps[space_group]
    lengths = (steps @ lattice).square().sum(-1).masked_fill(~tables.real[space_group], torch.inf)
    shortest = lengths.topk(TRANSLATIONS, largest=False, sorted=True).indices
    steps = steps.gather(1, shortest[..., None].expand(-1, -1, 3))  # (B, T, 3), zero first

    moves = (steps @ lattice)[crystal]
    # First each atom is moved to its nearest image; from there the shortest translations reach all other near images.
    shift = shift + _take(steps[crystal], _squares(shift @ lattice[crystal], moves).argmin(2))
    squares = _squares(shift @ lattice[crystal], moves)
    squares = squares.masked_fill(~mask[crystal][..., None], torch.inf)
    squares[torch.arange(len(first), device=first.device), first, 0] = torch.inf  # the atom itself
    nearest = squares.flatten(1).topk(edges + 1, largest=False, sorted=True).indices
    atom, step = nearest // TRANSLATIONS, nearest % TRANSLATIONS
    shift = _take(shift, atom) + _take(steps[crystal], step)
    operation = atoms.operation[crystal].gather(1, atom)
    seen_back = torch.einsum("nkij,nkj->nki", tables.inverse[space_group[crystal, None], operation], -shift)
    vector, back = shift @ lattice[crystal], seen_back @ lattice[crystal]
    distance = vector.norm(dim=-1)
    end, shift, vector, back = (v[:, :edges] for v in (node_of[crystal].gather(1, atom), shift, vector, back))
    return Multigraph(crystal, first, end, shift, vector, back, distance[:, :edges], distance[:, edges:])


def _squares(start: Tensor, moves: Tensor) -> Tensor:
    """|start + move|^2: (N, A, 3) and (N, T, 3) -> (N, A, T)."""
    lengths = start.square().sum(-1)[..., None] + moves.square().sum(-1)[:, None]
    return lengths + 2 * start @ moves.transpose(1, 2)


def _take(rows: Tensor, index: Tensor) -> Tensor:
    """(N, M, 3) at (N, K) -> (N, K, 3)."""
    return rows.gather(1, index[..., None].expand(-1, -1, 3))


@dataclass(frozen=True)
class _Tables:
    """Tables by the number of the space group; index 0 is not used.

    primitive: (231, 3, 3). steps: (231, M, 3) lattice translations in coordinates of the primitive cell, real: (231, M)
    bool, false for padding. inverse: (231, 48, 3, 3) inverse matrices of the rotations.
    """

    primitive: Tensor
    steps: Tensor
    real: Tensor
    inverse: Tensor


@lru_cache(maxsize=8)
def _tables(device: torch.device, dtype: torch.dtype) -> _Tables:
    groups = [get_space_group(n) for n in (1, *GROUP_NUMBERS)]
    steps = [_translations(g) for g in groups]
    most = max(map(len, steps))
    padded = np.stack([np.pad(s, ((0, most - len(s)), (0, 0))) for s in steps])
    inverse = [np.pad(np.linalg.inv(g.rotations), ((0, _MOST_OPERATIONS - g.order), (0, 0), (0, 0))) for g in groups]
    return _Tables(
        torch.from_numpy(np.stack([g.primitive for g in groups])).to(device, dtype),
        torch.from_numpy(padded).to(device, dtype),
        torch.from_numpy(np.arange(most) < np.array([len(s) for s in steps])[:, None]).to(device),
        torch.from_numpy(np.stack(inverse).round()).to(device, dtype),
    )


def _translations(table: SpaceGroup) -> np.ndarray:
    """The lattice translations within `_FAR` conventional cells, in the primitive cell's coordinates; zero is first."""
    box = np.array(sorted(product(range(-_FAR, _FAR + 1), repeat=3), key=lambda n: sum(map(abs, n))))
    inverse = np.linalg.inv(table.primitive)
    inside = np.array(list(product(range(3), repeat=3))) @ table.primitive  # every lattice point, conventional
    centring = np.unique((inside % 1.0).round(6) % 1.0, axis=0)
    return ((box[:, None] + centring) @ inverse).round().reshape(-1, 3)
