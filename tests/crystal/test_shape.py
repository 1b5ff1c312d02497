import numpy as np
import pytest
import torch
from pymatgen.core import Lattice, Structure

from nucleate.crystal.shape import SHAPES, named_shape, shape_of
from nucleate.errors import NucleateError

FREE = {
    "cubic": 1,
    "fcc": 1,
    "bcc": 1,
    "hexagonal": 2,
    "rhombohedral": 2,
    "tetragonal": 2,
    "orthorhombic": 3,
    "monoclinic": 4,
}


def degrees_of_freedom(shape):
    """Trace of the projection on the six-dimensional space of symmetric matrices."""
    basis = torch.zeros(6, 3, 3, dtype=torch.float64)
    for k, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]):
        basis[k, i, j] = basis[k, j, i] = 1.0 if i == j else 0.5**0.5
    return float((shape.project(basis) * basis).sum())


@pytest.mark.parametrize("name", SHAPES)
def test_each_shape_leaves_its_own_lengths_and_angles_free(name):
    assert degrees_of_freedom(named_shape(name)) == pytest.approx(FREE[name], abs=1e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_projecting_twice_is_projecting_once_and_keeps_the_volume(name):
    shape = named_shape(name)
    x = torch.randn(5, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = x + x.transpose(1, 2)
    once = shape.project(x)
    assert torch.allclose(shape.project(once), once, atol=1e-10)
    assert torch.allclose(once.diagonal(dim1=1, dim2=2).sum(1), x.diagonal(dim1=1, dim2=2).sum(1), atol=1e-10)


def test_the_shape_of_a_crystal_comes_from_its_space_group():
    rutile = Structure(
        Lattice.tetragonal(4.6, 2.96), ["Ti"] * 2 + ["O"] * 4,
        [[0, 0, 0], [0.5] * 3, [0.305, 0.305, 0], [0.695, 0.695, 0], [0.195, 0.805, 0.5], [0.805, 0.195, 0.5]],
    )  # fmt: skip
    assert degrees_of_freedom(shape_of(rutile)) == pytest.approx(2)
    moved = rutile.copy()
    moved.translate_sites([0], [0.03, 0.01, 0.02], frac_coords=True)
    assert degrees_of_freedom(shape_of(moved, 0.001)) == pytest.approx(6)
    primitive = Structure(Lattice(np.array([[0, 2, 2], [2, 0, 2], [2, 2, 0]])), ["Cu"], [[0, 0, 0]])
    assert degrees_of_freedom(shape_of(primitive)) == pytest.approx(1)


def test_an_unknown_shape_is_refused():
    with pytest.raises(NucleateError, match="unknown lattice shape 'round'; known are cubic"):
        named_shape("round")
