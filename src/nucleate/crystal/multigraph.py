"""The symmetry-consistent multigraph of a batch of crystals (paper 5, section 4.1), as dense tensors.

A node is a site, a set of equivalent atoms; an edge leads from its first atom to one of the nearest atoms around, which
is an image of some site by an operation of the space group and a translation. So two nodes may have many edges, and a
node edges to itself. All crystals at once, on their device, without a loop over crystals or edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

from nucleate.crystal.orbits import Orbits
from nucleate.crystal.wyckoff import GROUPS, SpaceGroup, group

TRANSLATIONS = 64  # the shortest lattice translations, each of which moves all atoms
_FAR = 3  # conventional cells along each axis among which they are sought
_MOST_OPERATIONS = 48


@dataclass(frozen=True)
class Multigraph:
    """N nodes, the sites of all crystals one after another, with K edges each, the shortest first.

    crystal: (N,) int64. first: (N,) int64, where among its crystal's atoms the first of the site is. end: (N, K) int64,
    the node that an edge leads to. shift: (N, K, 3), the edge in fractional coordinates of the primitive cell; vector:
    the same in angstrom. back: (N, K, 3), angstrom, the edge as the first atom of the site at its end sees it: from
    there to an image of this site. So angles with edges that go out from the end need no list of reverse edges.
    distance: (N, K), angstrom. reach: (N, 1), angstrom, the distance of the nearest atom that has no edge.
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
    """The `edges` nearest images around each site of crystals with these space groups (B,).

    Of images equally far from a site, some may have an edge and some not: what is summed over edges has to vanish at
    `reach`. Raises ValueError for more edges than there are translations to look among.
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
    conventional = tables.primitive[space_group]  # whose cell is less skew, so rounding in it finds a near image
    whole = torch.floor(shift @ conventional[crystal] + 0.5)
    shift = shift - whole @ torch.linalg.inv(conventional)[crystal]
    steps = tables.steps[space_group]
    lengths = (steps @ lattice).square().sum(-1).masked_fill(~tables.real[space_group], torch.inf)
    shortest = lengths.topk(TRANSLATIONS, largest=False, sorted=True).indices
    steps = steps.gather(1, shortest[..., None].expand(-1, -1, 3))  # (B, T, 3), zero first

    moves = (steps @ lattice)[crystal]
    # the nearest image of each atom, from which the shortest translations lead to all others that are near
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
    """By space group (index 0 is none). primitive: (231, 3, 3). steps: (231, M, 3) lattice translations, fractional in
    the primitive cell, real: (231, M) those that are not padding. inverse: (231, 48, 3, 3) of each rotation."""

    primitive: Tensor
    steps: Tensor
    real: Tensor
    inverse: Tensor


@lru_cache(maxsize=8)
def _tables(device: torch.device, dtype: torch.dtype) -> _Tables:
    groups = [group(n) for n in (1, *GROUPS)]
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
    """The lattice translations within `_FAR` conventional cells; zero comes first."""
    box = np.array(sorted(product(range(-_FAR, _FAR + 1), repeat=3), key=lambda n: sum(map(abs, n))))
    inverse = np.linalg.inv(table.primitive)
    inside = np.array(list(product(range(3), repeat=3))) @ table.primitive  # every lattice point, conventional
    centring = np.unique((inside % 1.0).round(6) % 1.0, axis=0)
    return ((box[:, None] + centring) @ inverse).round().reshape(-1, 3)
