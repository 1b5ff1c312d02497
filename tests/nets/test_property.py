import math

import pytest
import torch

from nucleate.nets.image_sums import CUTOFF, count_images, direction_harmonics, image_sums, image_vectors, radial
from nucleate.nets.property import PropertyNetwork, radials_of

SIZES = {"dim": 32, "layers": 2, "heads": 4, "pair_dim": 18, "predict": ("a", "b")}


@pytest.fixture(params=["pre", "post"])
def net(request):
    torch.manual_seed(0)
    return PropertyNetwork(100, norm=request.param, **SIZES).eval()


@pytest.fixture(scope="module")
def crystals():
    """Cells of 3 to 5 angstrom, so that several images lie within the cutoff; the second one has less atoms."""
    g = torch.Generator().manual_seed(1)
    lattice = torch.eye(3) * 3 + 1.5 * torch.rand(3, 3, 3, generator=g)
    z = torch.randint(1, 90, (3, 4), generator=g)
    z[1, 2:] = 0
    return lattice, torch.rand(3, 4, 3, generator=g) * (z > 0)[..., None], z


@torch.no_grad()
def value(net, lattice, frac, z):
    """In float32, as in use; the sums too."""
    return net(z, image_sums(lattice, frac, z > 0, net.radials))


def close(a, b):
    assert torch.isfinite(a).all() and a.std() > 1e-3, "a constant would be invariant too"
    assert torch.allclose(a, b, atol=1e-4), (a - b).abs().max()


def rotation(seed=0):
    q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(seed)))
    return q * torch.det(q).sign()


def supercell(lattice, frac, z, change):
    """`change`: a whole matrix of determinant d; the cell with d times the atoms of one crystal."""
    n = torch.cartesian_prod(*[torch.arange(-4.0, 5.0)] * 3)
    new = change.float() @ lattice
    shifted = torch.linalg.solve(change.float().T, (frac[:, None] + n).flatten(0, 1).T).T
    inside = ((shifted > -1e-4) & (shifted < 1 - 1e-4)).all(1)
    species = z[:, None].expand(-1, len(n)).flatten()[inside]
    assert len(species) == round(abs(float(torch.det(change.float())))) * len(z)
    return new[None], shifted[inside][None], species[None]


def test_permuting_atoms_changes_nothing(net, crystals):
    lattice, frac, z = crystals
    order = torch.tensor([2, 0, 3, 1])
    close(value(net, lattice, frac, z), value(net, lattice, frac[:, order], z[:, order]))


def test_shifting_the_origin_or_choosing_other_images_changes_nothing(net, crystals):
    lattice, frac, z = crystals
    moved = frac + torch.tensor([0.31, -0.77, 0.52]) + torch.tensor([[1.0, 0, -2], [0, 3, 0], [0, 0, 0], [5, 0, 1]])
    close(value(net, lattice, frac, z), value(net, lattice, moved, z))


def test_rotation_and_reflection_change_nothing(net, crystals):
    lattice, frac, z = crystals
    close(value(net, lattice, frac, z), value(net, lattice @ rotation(), frac, z))
    close(value(net, lattice, frac, z), value(net, -lattice, frac, z))


@pytest.mark.parametrize(
    "change",
    [
        [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
        [[2, 1, 0], [1, 1, 0], [-1, 0, 1]],
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[2, 0, 0], [0, 2, 0], [0, 0, 2]],
        [[1, 1, 0], [-1, 1, 0], [0, 1, 3]],
    ],
    ids=["sheared", "other-cell", "2x1x1", "2x2x2", "slanted-6x"],
)
def test_another_cell_or_a_supercell_changes_nothing(net, crystals, change):
    lattice, frac, z = crystals
    z = z.clone()
    frac = frac[0] * 0.98 + 0.01  # away from the faces, so that counting atoms of the new cell is safe
    small = value(net, lattice[:1], frac[None], z[:1])
    close(small, value(net, *supercell(lattice[0], frac, z[0], torch.tensor(change))))


def test_niggli_reduction_changes_nothing(net):
    import numpy as np

    from nucleate.crystal.convert import niggli_reduced, polar_factor

    lattice = np.array([[4.0, 0.1, 0], [3.7, 4.2, 0.3], [8.3, 4.1, 5.2]])
    frac, z = np.array([[0.1, 0.2, 0.3], [0.6, 0.55, 0.9]]), torch.tensor([[11, 17]])
    reduced, moved = niggli_reduced(lattice, frac)
    assert not np.allclose(np.linalg.norm(reduced, axis=1), np.linalg.norm(lattice, axis=1))
    a, b = (
        value(net, torch.tensor(x)[None].float(), torch.tensor(f)[None].float(), z)
        for x, f in ((lattice, frac), (polar_factor(reduced), moved))
    )
    close(a, b)


def test_padding_and_other_crystals_change_nothing(net, crystals):
    lattice, frac, z = crystals
    close(value(net, lattice, frac, z)[1:2], value(net, lattice[1:2], frac[1:2, :2], z[1:2, :2]))


def test_cells_of_one_atom_are_told_apart_by_their_images(net):
    """The nearest image alone is the same here: simple cubic against a tetragonal cell of the same short edge."""
    lattice = torch.stack([torch.diag(torch.tensor(d)) for d in ([3.0, 3.0, 3.0], [3.0, 3.0, 4.0])])
    out = value(net, lattice, torch.zeros(2, 1, 3), torch.full((2, 1), 29))
    assert (out[0] - out[1]).abs().max() > 1e-3


def test_predictions_depend_on_angles():
    """Chains of one neighbour distance, straight and bent, no other atom within the cutoff of directions."""
    torch.manual_seed(0)
    net = PropertyNetwork(100, norm="pre", **SIZES).eval()
    cell = torch.eye(3)[None] * 30.0
    z = torch.tensor([[8, 1, 1]])
    apart = []
    for angle in (180.0, 104.0):
        a = math.radians(angle)
        places = torch.tensor([[0.0, 0, 0], [1, 0, 0], [math.cos(a), math.sin(a), 0]])[None] / 30
        environment = net.environments(z, image_sums(cell, places, z > 0, net.radials))
        apart.append(environment[0, 0])
    radial_part = 8 * net.radials
    assert torch.allclose(apart[0][:radial_part], apart[1][:radial_part], atol=1e-4)
    assert (apart[0][radial_part:] - apart[1][radial_part:]).abs().max() > 0.05


def test_harmonics_obey_the_addition_theorem():
    g = torch.Generator().manual_seed(3)
    u, v = (torch.nn.functional.normalize(torch.randn(50, 3, generator=g, dtype=torch.float64)) for _ in range(2))
    x = (u * v).sum(-1)
    products = (direction_harmonics(u) * direction_harmonics(v)).split([3, 5, 7], -1)
    for product, legendre in zip(products, (x, 1.5 * x**2 - 0.5, 2.5 * x**3 - 1.5 * x), strict=True):
        assert torch.allclose(product.sum(-1), legendre)


def test_image_vectors_are_all_there():
    """Against a plain enumeration over far more images than needed, for a skewed cell."""
    lattice = torch.tensor([[[3.0, 0.2, 0], [1.4, 2.5, 0.3], [-1.2, 0.9, 4.0]]], dtype=torch.float64)
    frac = torch.tensor([[[0.9, 0.1, 0.4], [-0.3, 1.7, 0.6]]], dtype=torch.float64)
    mask = torch.ones(1, 2, dtype=torch.bool)
    parts = list(image_vectors(lattice, frac, mask, 6.0))
    pairs = torch.cat([p for p, _ in parts])
    lengths = torch.cat([v for _, v in parts]).norm(dim=-1)
    n = torch.cartesian_prod(*[torch.arange(-12.0, 13.0, dtype=torch.float64)] * 3)
    for i in range(2):
        for j in range(2):
            all_ = ((frac[0, j] - frac[0, i] + n) @ lattice[0]).norm(dim=-1)
            wanted = all_[(all_ < 6.0) & (all_ > 1e-9)].sort().values
            assert torch.allclose(lengths[pairs == 2 * i + j].sort().values, wanted)
    assert len(n) > int(count_images(lattice)) > 100


def test_radial_functions_end_smoothly_at_the_cutoff():
    r = torch.tensor([CUTOFF - 1e-3, CUTOFF / 2])
    values = radial(r, 16, CUTOFF)
    assert values[0].abs().max() < 1e-5 < values[1].max()
    assert radials_of(SIZES["pair_dim"]) == 16


def test_gradients_reach_every_parameter_and_are_finite_at_symmetric_sites(crystals):
    torch.manual_seed(0)
    net = PropertyNetwork(100, norm="pre", **SIZES)
    cell = torch.eye(3)[None] * 4.0  # CsCl: all odd moments vanish
    z = torch.tensor([[55, 17]])
    sums = image_sums(cell, torch.tensor([[[0.0, 0, 0], [0.5, 0.5, 0.5]]]), z > 0, net.radials)
    net(z, sums).sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None and torch.isfinite(p.grad).all(), name


def test_the_network_learns_eight_crystals(crystals):
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(5)
    lattice = torch.eye(3) * 4 + torch.rand(8, 3, 3, generator=g)
    z, frac = torch.randint(1, 30, (8, 4), generator=g), torch.rand(8, 4, 3, generator=g)
    target = torch.randn(8, 2, generator=g)
    net = PropertyNetwork(100, norm="pre", **SIZES)
    sums = image_sums(lattice, frac, z > 0, net.radials)
    optimizer = torch.optim.Adam(net.parameters(), 3e-3)
    for _ in range(150):
        loss = (net(z, sums) - target).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 1e-2 * target.var()
