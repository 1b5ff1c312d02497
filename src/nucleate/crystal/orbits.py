"""Crystals given by their space group: free parameters of sites and cell to all atoms, batched and differentiable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.prepared import read_prepared, write_prepared
from nucleate.crystal.wyckoff import GROUPS, group
from nucleate.errors import NucleateError

# Last group of a crystal family, and what its a, b, c, alpha, beta, gamma are: one of these (free), or degrees
_CELLS: tuple[tuple[int, tuple[str | float, ...]], ...] = (
    (2, ("a", "b", "c", "alpha", "beta", "gamma")),
    (15, ("a", "b", "c", 90.0, "beta", 90.0)),
    (74, ("a", "b", "c", 90.0, 90.0, 90.0)),
    (142, ("a", "a", "c", 90.0, 90.0, 90.0)),
    (194, ("a", "a", "c", 90.0, 90.0, 120.0)),  # rhombohedral ones in hexagonal axes
    (230, ("a", "a", "a", 90.0, 90.0, 90.0)),
)
_NAMES = ("a", "b", "c", "alpha", "beta", "gamma")
NUM_POSITIONS = 1731  # of all groups together


@dataclass(frozen=True)
class SymmetricBatch:
    """B crystals of at most S sites (sets of equivalent atoms), as free parameters.

    space_group: (B,) int64, 1 to 230. cell: (B, 6) a, b, c in angstrom, alpha, beta, gamma in degrees, of the
    conventional cell; only the free ones are read (`free_cell`), so a alone of a cubic cell.
    positions: (B, S) int64, the place of each site's Wyckoff position in `wyckoff.group(number).positions`.
    parameters: (B, S, 3), the free ones of the position come first, the rest is not read.
    atomic_numbers: (B, S) int64; padding is zero.
    """

    space_group: Tensor
    cell: Tensor
    positions: Tensor
    parameters: Tensor
    atomic_numbers: Tensor

    def __post_init__(self) -> None:
        b, s = self.atomic_numbers.shape
        wanted = {"space_group": (b,), "cell": (b, 6), "positions": (b, s), "parameters": (b, s, 3)}
        for name, shape in wanted.items():
            if (found := tuple(getattr(self, name).shape)) != shape:
                raise ValueError(f"{name} has shape {found}, not {shape}")

    def __len__(self) -> int:
        return len(self.space_group)

    @property
    def mask(self) -> Tensor:
        """(B, S) bool, true for real sites."""
        return self.atomic_numbers > 0

    @property
    def num_sites(self) -> Tensor:
        """(B,) int64."""
        return self.mask.sum(1)

    @property
    def num_atoms(self) -> Tensor:
        """(B,) int64, in the primitive cell."""
        t = _tables(self.parameters.device, self.parameters.dtype)
        place = places(self)
        return torch.where(self.mask, t.start[place + 1] - t.start[place], 0).sum(1)

    @property
    def atoms_in_cell(self) -> Tensor:
        """(B,) int64, in the conventional cell."""
        t = _tables(self.parameters.device, self.parameters.dtype)
        return self.num_atoms * t.points[self.space_group]

    @property
    def properties(self) -> Mapping[str, Tensor]:
        """Always empty: symmetric crystals carry no properties, and training asks every kind of batch for them."""
        return {}

    def __getitem__(self, index: Tensor) -> SymmetricBatch:
        """Some of the crystals, padded no further than the one with the most sites."""
        z = self.atomic_numbers[index]
        width = int((z > 0).sum(1).max()) if len(z) else 0
        positions, parameters = self.positions[index][:, :width], self.parameters[index][:, :width]
        return SymmetricBatch(self.space_group[index], self.cell[index], positions, parameters, z[:, :width])

    def to(self, device: torch.device | str) -> SymmetricBatch:
        return SymmetricBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def save(self, path: str | Path) -> None:
        """Write safetensors."""
        write_prepared(path, {f.name: getattr(self, f.name) for f in fields(self)}, {})

    @classmethod
    def load(cls, path: str | Path) -> SymmetricBatch:
        """Read what `save` wrote; raises NucleateError on any other file."""
        return cls(*read_prepared(path, tuple(f.name for f in fields(cls)), "sites")[0])


@dataclass(frozen=True)
class Orbits:
    """All atoms of symmetric crystals: primitive cells, the atoms of a site next to each other, sites in their order.

    site: (B, A) int64, the site that an atom is of, -1 for padding. operation: (B, A) int64, the one of its space group
    (`wyckoff.group(number).rotations`) that takes the site's first atom to it, -1 for padding.
    """

    crystals: CrystalBatch
    site: Tensor
    operation: Tensor


def orbits(batch: SymmetricBatch) -> Orbits:
    """All atoms, by x = A z + b of every image; coordinates are wrapped into [0, 1).

    Gradients flow from coordinates to `parameters` and from the lattice to `cell`. In the dtype of `parameters`. Atoms
    may coincide where parameters are those of a more special position. Raises NucleateError for a group or a position
    that does not exist.
    """
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    _check(batch, t)
    place = places(batch)[batch.mask]  # of real sites, one after another
    crystal, site = batch.mask.nonzero(as_tuple=True)
    sizes = t.start[place + 1] - t.start[place]
    per_atom = torch.repeat_interleave(torch.arange(len(place), device=place.device), sizes)
    nth = torch.arange(len(per_atom), device=place.device) - (sizes.cumsum(0) - sizes)[per_atom]
    image = t.start[place][per_atom] + nth
    row = crystal[per_atom]
    z = batch.parameters[batch.mask][per_atom]
    frac = ((t.matrices[image] @ z[..., None]).squeeze(-1) + t.shifts[image]) % 1.0
    counts = torch.bincount(row, minlength=len(batch))
    column = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    shape = (len(batch), int(counts.max()) if len(counts) else 0)
    crystals = CrystalBatch(
        lattices(batch.space_group, batch.cell),
        frac.new_zeros(*shape, 3).index_put((row, column), frac),
        batch.atomic_numbers.new_zeros(shape).index_put((row, column), batch.atomic_numbers[batch.mask][per_atom]),
    )
    empty = torch.full(shape, -1, dtype=torch.int64, device=row.device)
    sites = empty.index_put((row, column), site[per_atom])
    return Orbits(crystals, sites, empty.index_put((row, column), t.operation[image]))


def lattices(space_group: Tensor, cell: Tensor, *, primitive: bool = True) -> Tensor:
    """(B,) and (B, 6) -> (B, 3, 3): rows of the primitive (or the conventional) cell, angstrom; a along x, b in xy."""
    t = _tables(cell.device, cell.dtype)
    conventional = lat.from_lengths_angles(tied_cell(space_group, cell))
    return t.primitive[space_group] @ conventional if primitive else conventional


def tied_cell(space_group: Tensor, cell: Tensor) -> Tensor:
    """(B,) and (B, 6) -> (B, 6): lengths and angles as the crystal family ties them together, from the free ones."""
    t = _tables(cell.device, cell.dtype)
    return cell.gather(1, t.source[space_group]) * t.from_cell[space_group] + t.constant[space_group]


def free_cell(space_group: Tensor) -> Tensor:
    """(B,) -> (B, 6) bool: which of a, b, c, alpha, beta, gamma are free."""
    t = _tables(space_group.device, torch.float32)
    return t.free_cell[space_group]


def free_parameters(batch: SymmetricBatch) -> Tensor:
    """(B, S, 3) bool: which parameters are free; none of padding."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    count = torch.where(batch.mask, t.free[places(batch)], 0)
    return torch.arange(3, device=count.device) < count[..., None]


def places(batch: SymmetricBatch) -> Tensor:
    """(B, S) int64: the place of each site's Wyckoff position among those of all groups, 0 to `NUM_POSITIONS` - 1."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    return t.first[batch.space_group][:, None] + batch.positions


def first_matrices(batch: SymmetricBatch) -> Tensor:
    """(B, S, 3, 3): A of x = A z + b of each site's first atom; columns of parameters that are not free are zero."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    return t.matrices[t.start[places(batch)]]


def site_sizes(space_group: int) -> tuple[int, ...]:
    """Atoms in the primitive cell of each Wyckoff position, a first."""
    return tuple(p.size for p in group(space_group).positions)


def pad_sites(
    space_groups: Sequence[int], cells: Sequence, positions: Sequence, parameters: Sequence, numbers: Sequence
) -> SymmetricBatch:
    """One batch of crystals given one by one: (6,), (s,), (s, 3), (s,) each, float32."""
    width = max((len(z) for z in numbers), default=0)
    where = torch.zeros(len(numbers), width, dtype=torch.int64)
    z = torch.zeros(len(numbers), width, 3)
    elements = torch.zeros_like(where)
    for i, n in enumerate(map(len, numbers)):
        where[i, :n] = torch.as_tensor(positions[i])
        z[i, :n] = torch.as_tensor(np.asarray(parameters[i]), dtype=torch.float32).reshape(n, 3)
        elements[i, :n] = torch.as_tensor(numbers[i])
    cell = torch.as_tensor(np.array(cells, dtype=np.float32)).reshape(-1, 6)
    return SymmetricBatch(torch.as_tensor(space_groups, dtype=torch.int64), cell, where, z, elements)


@dataclass(frozen=True)
class _Tables:
    """All groups at once. By group (index 0 is none): first and count of its positions, points of the lattice in a
    conventional cell, primitive, source, from_cell, constant, free_cell. By position: start (of its images; one more at
    the end), free. By image: the rest."""

    first: Tensor
    count: Tensor
    points: Tensor
    primitive: Tensor
    source: Tensor
    from_cell: Tensor
    constant: Tensor
    free_cell: Tensor
    start: Tensor
    free: Tensor
    matrices: Tensor
    shifts: Tensor
    operation: Tensor


@lru_cache(maxsize=8)
def _tables(device: torch.device, dtype: torch.dtype) -> _Tables:
    groups = [group(n) for n in GROUPS]
    positions = [p for g in groups for p in g.positions]
    count = np.array([0, *(len(g.positions) for g in groups)])
    cells = [next(cell for last, cell in _CELLS if n <= last) for n in (1, *GROUPS)]
    own = [[_NAMES.index(v) if isinstance(v, str) else i for i, v in enumerate(cell)] for cell in cells]
    named = [[isinstance(v, str) for v in cell] for cell in cells]
    tables = {
        "first": np.cumsum(count) - count,
        "count": count,
        "points": np.array([1, *(g.lattice_points for g in groups)]),
        "primitive": np.stack([np.eye(3), *(g.primitive for g in groups)]),
        "source": np.array(own),
        "from_cell": np.array(named, dtype=float),
        "constant": np.array([[0.0 if isinstance(v, str) else v for v in cell] for cell in cells]),
        "free_cell": np.array([[name in cell for name in _NAMES] for cell in cells]),
        "start": np.cumsum([0, *(p.size for p in positions)]),
        "free": np.array([p.free for p in positions]),
        "matrices": np.concatenate([np.pad(p.matrices, ((0, 0), (0, 0), (0, 3 - p.free))) for p in positions]),
        "shifts": np.concatenate([p.shifts for p in positions]),
        "operation": np.concatenate([p.operations for p in positions]),
    }
    values = {name: torch.from_numpy(v) for name, v in tables.items()}
    return _Tables(**{k: v.to(device, dtype) if v.is_floating_point() else v.to(device) for k, v in values.items()})


def _check(batch: SymmetricBatch, t: _Tables) -> None:
    groups = batch.space_group
    if ((groups < 1) | (groups > 230)).any():
        raise NucleateError("space groups have numbers 1 to 230")
    wrong = batch.mask & ((batch.positions < 0) | (batch.positions >= t.count[groups][:, None]))
    if wrong.any():
        row = int(wrong.any(1).nonzero()[0])
        found = group(int(groups[row]))
        raise NucleateError(
            f"crystal {row + 1}: space group {found.symbol} has {len(found.positions)} Wyckoff positions, "
            f"and one numbered {int(batch.positions[row][wrong[row]][0])} (from 0) was asked for"
        )
