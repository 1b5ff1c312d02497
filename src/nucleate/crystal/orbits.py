"""Crystals given by space group, free parameters of the sites and free parameters of the cell. All of their atoms are
computed from these, for many crystals at once, and differentiably."""

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
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError

# The last space group of each crystal family, and its a, b, c, alpha, beta, gamma: each is the name of the free
# parameter that it equals, or a fixed angle in degrees.
_CELLS: tuple[tuple[int, tuple[str | float, ...]], ...] = (
    (2, ("a", "b", "c", "alpha", "beta", "gamma")),
    (15, ("a", "b", "c", 90.0, "beta", 90.0)),
    (74, ("a", "b", "c", 90.0, 90.0, 90.0)),
    (142, ("a", "a", "c", 90.0, 90.0, 90.0)),
    (194, ("a", "a", "c", 90.0, 90.0, 120.0)),  # rhombohedral ones in hexagonal axes
    (230, ("a", "a", "a", 90.0, 90.0, 90.0)),
)
_NAMES = ("a", "b", "c", "alpha", "beta", "gamma")
NUM_POSITIONS = 1731  # the number of Wyckoff positions of all space groups together


@dataclass(frozen=True)
class SymmetricBatch:
    """B crystals of at most S sites (sets of equivalent atoms), given by their free parameters.

    space_group: (B,) int64, 1 to 230. cell: (B, 6), a, b, c in angstrom, alpha, beta, gamma in degrees, of the
    conventional cell; only the free ones are used (`free_cell`), for instance only a of a cubic cell.
    positions: (B, S) int64, the index of each site's Wyckoff position in `wyckoff.get_space_group(number).positions`.
    parameters: (B, S, 3), first the free parameters of the position; the rest is not used.
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
        """(B, S) bool, true for sites and false for padding."""
        return self.atomic_numbers > 0

    @property
    def num_sites(self) -> Tensor:
        """(B,) int64, the number of sites of each crystal."""
        return self.mask.sum(1)

    @property
    def num_atoms(self) -> Tensor:
        """(B,) int64, the number of atoms in the primitive cell."""
        t = _tables(self.parameters.device, self.parameters.dtype)
        number = position_numbers(self)
        return torch.where(self.mask, t.start[number + 1] - t.start[number], 0).sum(1)

    @property
    def atoms_in_cell(self) -> Tensor:
        """(B,) int64, the number of atoms in the conventional cell."""
        t = _tables(self.parameters.device, self.parameters.dtype)
        return self.num_atoms * t.points[self.space_group]

    @property
    def properties(self) -> Mapping[str, Tensor]:
        """Always empty, because symmetric crystals have no properties. It is there because training asks every kind of
        batch for its properties."""
        return {}

    def __getitem__(self, index: Tensor) -> SymmetricBatch:
        """Some of the crystals as a batch, padded to the one with the most sites."""
        z = self.atomic_numbers[index]
        width = int((z > 0).sum(1).max()) if len(z) else 0
        positions, parameters = self.positions[index][:, :width], self.parameters[index][:, :width]
        return SymmetricBatch(self.space_group[index], self.cell[index], positions, parameters, z[:, :width])

    def to(self, device: torch.device | str) -> SymmetricBatch:
        return SymmetricBatch(*(getattr(self, f.name).to(device) for f in fields(self)))

    def save(self, path: str | Path) -> None:
        """Write a safetensors file."""
        write_prepared(path, {f.name: getattr(self, f.name) for f in fields(self)}, {})

    @classmethod
    def load(cls, path: str | Path) -> SymmetricBatch:
        """The batch in a file of `save`. Raises NucleateError for any other file."""
        return cls(*read_prepared(path, tuple(f.name for f in fields(cls)), "sites")[0])


@dataclass(frozen=True)
class Orbits:
    """All atoms of B symmetric crystals in their primitive cells. The atoms of a site are next to each other, and the
    sites keep their order.

    site: (B, A) int64, the index of the site of each atom, -1 for padding. operation: (B, A) int64, the index of the
    operation (in `wyckoff.get_space_group(number).rotations`) that moves the first atom of the site to this atom, -1
    for padding.
    """

    crystals: CrystalBatch
    site: Tensor
    operation: Tensor


def expand_orbits(batch: SymmetricBatch) -> Orbits:
    """All atoms of the crystals: x = A z + b for every image of every site, wrapped into [0, 1).

    The result has the dtype of `parameters`. Gradients flow from coordinates to `parameters` and from the lattice to
    `cell`. Atoms coincide if the parameters are those of a more special position. Raises NucleateError for a space
    group or a position that does not exist.
    """
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    _check(batch, t)
    number = position_numbers(batch)[batch.mask]  # of all sites without padding, one after another
    crystal, site = batch.mask.nonzero(as_tuple=True)
    sizes = t.start[number + 1] - t.start[number]
    per_atom = torch.repeat_interleave(torch.arange(len(number), device=number.device), sizes)
    nth = torch.arange(len(per_atom), device=number.device) - (sizes.cumsum(0) - sizes)[per_atom]
    image = t.start[number][per_atom] + nth
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
    """Lattices (B, 3, 3) of space groups (B,) and cells (B, 6): rows of the primitive (or the conventional) cell in
    angstrom. The conventional a is along x, and b is in the xy plane."""
    t = _tables(cell.device, cell.dtype)
    conventional = lat.from_lengths_angles(tied_cell(space_group, cell))
    return t.primitive[space_group] @ conventional if primitive else conventional


def tied_cell(space_group: Tensor, cell: Tensor) -> Tensor:
    """Cells (B, 6) that obey the space groups (B,): all lengths and angles are computed from the free ones of `cell`
    (B, 6), for instance b and c from a in a cubic cell."""
    t = _tables(cell.device, cell.dtype)
    return cell.gather(1, t.source[space_group]) * t.from_cell[space_group] + t.constant[space_group]


def free_cell(space_group: Tensor) -> Tensor:
    """Which of a, b, c, alpha, beta, gamma are free in the space groups (B,): (B, 6) bool."""
    t = _tables(space_group.device, torch.float32)
    return t.free_cell[space_group]


def free_parameters(batch: SymmetricBatch) -> Tensor:
    """Which parameters of the sites are free: (B, S, 3) bool, false for padding."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    count = torch.where(batch.mask, t.free[position_numbers(batch)], 0)
    return torch.arange(3, device=count.device) < count[..., None]


def position_numbers(batch: SymmetricBatch) -> Tensor:
    """The number of each site's Wyckoff position among those of all space groups, 0 to `NUM_POSITIONS` - 1: (B, S)."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    return t.first[batch.space_group][:, None] + batch.positions


def first_matrices(batch: SymmetricBatch) -> Tensor:
    """The matrix A in x = A z + b of each site's first atom, (B, S, 3, 3). Columns of parameters that are not free are
    zero."""
    t = _tables(batch.parameters.device, batch.parameters.dtype)
    return t.matrices[t.start[position_numbers(batch)]]


def site_sizes(space_group: int) -> tuple[int, ...]:
    """The number of atoms in the primitive cell for each Wyckoff position of a space group, position a first."""
    return tuple(p.size for p in get_space_group(space_group).positions)


def pad_sites(
    space_groups: Sequence[int], cells: Sequence, positions: Sequence, parameters: Sequence, numbers: Sequence
) -> SymmetricBatch:
    """A padded batch from arrays for each crystal: cells (6,), positions (s,), parameters (s, 3), numbers (s,). The
    fields are those of `SymmetricBatch`, in float32."""
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
    """The tables of all space groups as tensors.

    By space group (index 0 is not used): first and count of its positions, points (lattice points in a conventional
    cell), primitive, and for each of the six numbers of the cell its source, from_cell, constant and free_cell (see
    `tied_cell`). By position: start, the index of its first image, with one more entry at the end; free, the number of
    its free parameters. By image: matrices, shifts and operation.
    """

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
    groups = [get_space_group(n) for n in GROUP_NUMBERS]
    positions = [p for g in groups for p in g.positions]
    count = np.array([0, *(len(g.positions) for g in groups)])
    cells = [next(cell for last, cell in _CELLS if n <= last) for n in (1, *GROUP_NUMBERS)]
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
        found = get_space_group(int(groups[row]))
        raise NucleateError(
            f"crystal {row + 1}: space group {found.symbol} has {len(found.positions)} Wyckoff positions, "
            f"and there is no position with index {int(batch.positions[row][wrong[row]][0])} (counted from 0)"
        )
