"""Lattice shapes: the freedom that symmetry leaves to the lengths and angles of a cell, for any choice of the cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure
    from torch import Tensor

# For each shape a, b, c (relative lengths), alpha, beta, gamma (degrees) of a cell that has no higher symmetry
_EXAMPLES = {
    "cubic": (1.0, 1.0, 1.0, 90.0, 90.0, 90.0),
    "fcc": (1.0, 1.0, 1.0, 60.0, 60.0, 60.0),
    "bcc": (1.0, 1.0, 1.0, 109.4712206, 109.4712206, 109.4712206),
    "hexagonal": (1.0, 1.0, 1.37, 90.0, 90.0, 120.0),
    "rhombohedral": (1.0, 1.0, 1.0, 73.0, 73.0, 73.0),
    "tetragonal": (1.0, 1.0, 1.37, 90.0, 90.0, 90.0),
    "orthorhombic": (1.0, 1.19, 1.37, 90.0, 90.0, 90.0),
    "monoclinic": (1.0, 1.19, 1.37, 90.0, 103.0, 90.0),
}
SHAPES = tuple(_EXAMPLES)


@dataclass(frozen=True)
class LatticeShape:
    """A class of cells with the same symmetry.

    cell: (3, 3), vectors in rows, one cell of the class. operations: (O, 3, 3), integer matrices W in its basis such
    that for every cell L of the class there is a rotation R with W L = L R.
    """

    cell: NDArray[np.float64]
    operations: NDArray[np.float64]

    def project(self, log_strain: Tensor) -> Tensor:
        """The part of logarithmic strains of `cell`, symmetric matrices (..., 3, 3), that keeps the shape.

        It is the mean over all rotations R, which is an orthogonal projection. So isotropic noise stays isotropic
        within the degrees of freedom of the shape.
        """
        frame = np.linalg.inv(self.cell)
        import torch

        rotations = torch.as_tensor(frame @ self.operations @ self.cell).to(log_strain)  # L0^-1 W L0, orthogonal
        return torch.einsum("oij,...jk,olk->...il", rotations, log_strain, rotations) / len(rotations)


def named_shape(name: str) -> LatticeShape:
    """The shape with a name of `SHAPES` ("cubic", "fcc", ...). Raises NucleateError for another name."""
    from pymatgen.core import Lattice

    if name not in _EXAMPLES:
        raise NucleateError(f"unknown lattice shape '{name}'; known are {', '.join(SHAPES)}")
    return _shape(np.array(Lattice.from_parameters(*_EXAMPLES[name]).matrix), np.zeros((1, 3)), [1])


def shape_of(structure: Structure, symprec: float = 0.1) -> LatticeShape:
    """The shape of a crystal's cell according to its space group; symprec in angstrom."""
    numbers = [site.specie.Z for site in structure]
    return _shape(np.array(structure.lattice.matrix), np.array(structure.frac_coords), numbers, symprec)


def _shape(cell: NDArray, frac_coords: NDArray, numbers: Sequence[int], symprec: float = 1e-3) -> LatticeShape:
    from nucleate.crystal.symmetry import find_symmetry

    found = find_symmetry(cell, frac_coords, numbers, symprec)
    # moyopy's rotations act on columns of fractional coordinates: f' = W f, lattice vectors as columns
    rotations = np.unique(np.array(found.operations.rotations, dtype=np.float64), axis=0)
    operations = np.swapaxes(rotations, 1, 2)
    frame = np.linalg.inv(cell)
    matrices = frame @ operations @ cell
    good = np.abs(matrices @ np.swapaxes(matrices, 1, 2) - np.eye(3)).max((1, 2)) < 0.05
    return LatticeShape(cell, operations[good])
