"""Inpainting: parts of a given cell are kept, and the generator makes the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from nucleate.chem.elements import atomic_number
from nucleate.crystal import lattice as lat
from nucleate.crystal.shape import LatticeShape, named_shape, shape_of
from nucleate.diffusion.constraints import Constraint, KnownParts, Shaped
from nucleate.diffusion.process import Fields, Process
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Fixed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.codecs.joint import JointCodec

MASK_HELP = "lattice, shape, coords, species, element symbols (O) and atoms (1-4), with commas between"


def fixed_parts(structure: Structure, mask: str) -> Fixed:
    """The parts of a structure that a mask names.

    mask: words with commas between. "lattice" keeps the cell; "shape" keeps the relations between its lengths and
    angles that its space group demands; "coords" keeps all positions; "species" keeps the elements of all atoms;
    element symbols ("O") and atom numbers from 1 ("1-4") keep position and element of these atoms. Raises NucleateError
    for any other word, and for an element or an atom that is not there.
    """
    from nucleate.crystal.convert import require_crystal

    require_crystal(structure)
    symbols = [site.specie.symbol for site in structure]
    everything = set(range(len(symbols)))
    species: set[int] = set()
    coords: set[int] = set()
    cell = ""
    for word in (w.strip() for w in mask.split(",")):
        span = re.fullmatch(r"(\d+)(?:-(\d+))?", word)
        if word in ("lattice", "shape"):
            if cell not in ("", word):
                raise NucleateError("'lattice' and 'shape' contradict each other; give one of them")
            cell = word
        elif word == "coords":
            coords |= everything
        elif word == "species":
            species |= everything
        elif span:
            first, last = int(span[1]), int(span[2] or span[1])
            if not 1 <= first <= last <= len(symbols):
                raise NucleateError(f"'{word}' names atoms that are not there; the cell has atoms 1 to {len(symbols)}")
            species |= set(range(first - 1, last))
            coords |= set(range(first - 1, last))
        elif word in symbols:
            own = {i for i, s in enumerate(symbols) if s == word}
            species |= own
            coords |= own
        else:
            raise NucleateError(f"'{word}' is nothing that can be kept of this cell; give {MASK_HELP}")
    return Fixed(
        tuple(tuple(map(float, row)) for row in structure.lattice.matrix),
        tuple(symbols),
        tuple(tuple(map(float, f)) for f in structure.frac_coords),
        cell,
        tuple(sorted(species)),
        tuple(sorted(coords)),
    )


@dataclass(frozen=True)
class InpaintPlan:
    """`Fixed` in the reduced cell that generators work with.

    lattice (3, 3): rows in angstrom. frac_coords (n, 3). numbers (n,): atomic numbers. change (3, 3): integers, with
    given cell = change @ reduced cell. shape: of the lattice, if it is kept.
    """

    fixed: Fixed
    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    numbers: NDArray[np.int64]
    change: NDArray[np.float64]
    shape: LatticeShape | None

    def restore(self, structure: Structure) -> Structure:
        """A generated structure in the basis of the given cell; fixed parts are exactly as they were given."""
        from pymatgen.core import Lattice, Structure

        cell = self.change @ structure.lattice.matrix
        if self.fixed.cell == "lattice":
            cell = np.array(self.fixed.lattice)
        frac = structure.frac_coords @ np.linalg.inv(self.change)  # rows: f_given = f_reduced change^-1
        for i in self.fixed.coords:
            frac[i] = self.fixed.frac_coords[i]
        return Structure(Lattice(cell), structure.species, frac % 1.0)


fix = fixed_parts  # its name in earlier versions, for scripts that import it


def plan_inpainting(fixed: Fixed) -> InpaintPlan:
    """The fixed parts in the Niggli-reduced cell; atoms keep their order."""
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.convert import niggli_reduced, polar_factor

    given, frac = np.array(fixed.lattice), np.array(fixed.frac_coords)
    reduced, moved = niggli_reduced(given, frac)
    change = np.rint(given @ np.linalg.inv(reduced))
    structure = Structure(Lattice(reduced), list(fixed.species), moved)
    shape = shape_of(structure) if fixed.cell == "shape" else None
    numbers = np.array([atomic_number(s) for s in fixed.species])
    return InpaintPlan(fixed, polar_factor(reduced), moved, numbers, change, shape)


def species_order(composition: Mapping[str, int], fixed: Fixed | None) -> list[int]:
    """Atomic numbers of the atoms of a composition. Atoms of a fixed cell that keep their element keep their index; the
    other atoms of the composition are filled in between them, sorted."""
    left = sorted(atomic_number(e) for e, n in composition.items() for _ in range(n))
    if fixed is None:
        return left
    kept = {i: atomic_number(fixed.species[i]) for i in fixed.species_at}
    for z in kept.values():
        left.remove(z)
    return [kept[i] if i in kept else left.pop(0) for i in range(sum(composition.values()))]


def lattice_projection(
    shapes: Sequence[LatticeShape], codec: JointCodec, num_atoms: Tensor
) -> Callable[[Tensor], Tensor]:
    """A function that projects lattice fields (R, 6) of R crystals onto the shapes; num_atoms (R,)."""

    def project(field: Tensor) -> Tensor:
        metric = lat.metric_tensor(codec.decode_lattice(field.double(), num_atoms))
        cells = []
        for g, shape in zip(metric, shapes, strict=True):
            cell = torch.as_tensor(shape.cell).to(g)
            frame = torch.linalg.inv(cell)
            strain = shape.project(_log(frame @ g @ frame.T))
            cells.append(torch.linalg.cholesky(cell @ _exp(strain) @ cell.T))
        return codec.encode_lattice(torch.stack(cells), num_atoms).to(field.dtype)

    return project


def _log(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(1e-12).log()) @ vectors.T


def _exp(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values.exp()) @ vectors.T


def inpaint_constraints(
    conditions: Sequence[Condition],
    codec: JointCodec,
    processes: Mapping[str, Process],
    like: Fields,
) -> list[Constraint]:
    """The constraints of one batch for `diffusion.loop.sample`. Fields that no condition fixes stay free.

    like: as for `sample`; atoms of a fixed cell come first in each crystal. Where the composition is given, species do
    not diffuse and need no constraint.
    """
    plans = [plan_inpainting(c.fixed) if c.fixed is not None else None for c in conditions]
    device = like["lattice"].device
    out: list[Constraint] = []
    shapes = [
        (p.shape if p is not None else None) or (named_shape(c.lattice_shape) if c.lattice_shape else None)
        for p, c in zip(plans, conditions, strict=True)
    ]
    rows = [i for i, shape in enumerate(shapes) if shape is not None]
    if rows:
        index = torch.tensor(rows, device=device)
        wanted = [shape for shape in shapes if shape is not None]
        out.append(Shaped(index, lattice_projection(wanted, codec, like["mask"].sum(1)[index])))
    if not any(p is not None for p in plans):
        return out
    b, a = like["mask"].shape
    lattice, frac = torch.eye(3).repeat(b, 1, 1), torch.zeros(b, a, 3)
    numbers = torch.ones(b, a, dtype=torch.int64)
    whole, coords = torch.zeros(b, dtype=torch.bool), torch.zeros(b, a, dtype=torch.bool)
    species = coords.clone()
    for i, p in enumerate(plans):
        if p is not None:
            lattice[i], n = torch.from_numpy(p.lattice), len(p.numbers)
            frac[i, :n], numbers[i, :n] = torch.from_numpy(p.frac_coords).float(), torch.from_numpy(p.numbers)
            whole[i] = p.fixed.cell == "lattice"
            coords[i, list(p.fixed.coords)] = True
            species[i, list(p.fixed.species_at)] = True
    values = {
        "lattice": codec.encode_lattice(lattice.to(device), like["mask"].sum(1)),
        "frac_coords": frac.to(device),
        "atomic_numbers": numbers.to(device),
    }
    masks = {"lattice": whole, "frac_coords": coords, "atomic_numbers": species}
    masks = {k: v.to(device) for k, v in masks.items() if k in processes and bool(v.any())}
    if masks:
        out.append(KnownParts(processes, values, masks))
    return out
