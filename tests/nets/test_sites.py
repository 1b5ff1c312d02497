"""The network of sites: symmetry of both of its outputs, and the derivative by which the lattice output is made."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from nucleate.codecs.sites import PARAMETERS, SiteCodec
from nucleate.crystal.asymmetric import AsymmetricUnit, Site, symmetric_batch
from nucleate.crystal.orbits import SymmetricBatch, expand_orbits, free_cell, free_parameters, lattices
from nucleate.crystal.wyckoff import get_space_group
from nucleate.diffusion.exploding import GaussianVE
from nucleate.diffusion.loop import free_part
from nucleate.diffusion.torus import WrappedVE
from nucleate.nets.harmonics import DEGREES, harmonics
from nucleate.nets.sites import SiteNetwork, geometry, lattice_derivative

UNITS = [
    AsymmetricUnit(136, (4.6, 4.6, 2.95, 90, 90, 90), (Site(22, "a", ()), Site(8, "f", (0.305,)))),
    AsymmetricUnit(225, (5.6, 5.6, 5.6, 90, 90, 90), (Site(11, "a", ()), Site(17, "b", ()))),
    AsymmetricUnit(2, (4.1, 5.2, 6.9, 77, 101, 68), (Site(6, "i", (0.1, 0.3, 0.8)), Site(8, "a", ()))),
    AsymmetricUnit(12, (11.0, 3.0, 6.0, 90, 112, 90), (Site(14, "i", (0.2, 0.4)), Site(3, "j", (0.1, 0.2, 0.3)))),
    AsymmetricUnit(166, (3.7, 3.7, 12.8, 90, 90, 120), (Site(29, "c", (0.21,)), Site(45, "h", (0.1, 0.3)))),
    AsymmetricUnit(62, (5.4, 7.6, 5.3, 90, 90, 90), (Site(20, "c", (0.03, 0.99)), Site(8, "d", (0.29, 0.03, 0.71)))),
]


def as_double(batch: SymmetricBatch) -> SymmetricBatch:
    return dataclasses.replace(batch, cell=batch.cell.double(), parameters=batch.parameters.double())


@pytest.fixture(scope="module")
def data() -> SymmetricBatch:
    return as_double(symmetric_batch(UNITS))


@pytest.fixture(scope="module")
def codec(data) -> SiteCodec:
    return SiteCodec().fitted(data)


@pytest.fixture(scope="module")
def network(codec) -> SiteNetwork:
    torch.manual_seed(0)
    processes = {"lattice": GaussianVE(0.005), PARAMETERS: WrappedVE(centred=False)}
    out = SiteNetwork(codec, processes, dim=24, layers=2, edges=16).double()
    for parameter in out.parameters():  # the zeros with which training begins would hide every effect
        torch.nn.init.normal_(parameter, std=0.3)
    return out


def scores(network, codec, data) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        out = network(codec.encode(data), torch.full((len(data),), 0.4, dtype=data.cell.dtype), {})
    return out["lattice"], out[PARAMETERS]


def test_harmonics_obey_the_addition_theorem():
    u, v = torch.nn.functional.normalize(torch.randn(2, 50, 3, dtype=torch.float64), dim=-1)
    cosine = (u * v).sum(-1)
    products = (harmonics(u) * harmonics(v)).split(DEGREES, -1)
    for degree, product in enumerate(products):
        legendre = np.polynomial.legendre.Legendre.basis(degree)(cosine.numpy())
        assert np.allclose(product.sum(-1), legendre, atol=1e-12)


def test_impossible_angles_give_finite_outputs(network, codec):
    """Noise makes them on the way, in single precision."""
    flat = AsymmetricUnit(1, (9.0, 22.3, 5.7, 146, 144, 81), (Site(6, "a", (0.1, 0.3, 0.8)), Site(8, "a", (0, 0, 0))))
    out = scores(copy.deepcopy(network).float(), codec, symmetric_batch([flat]))
    assert all(v.isfinite().all() for v in out)


def test_outputs_cover_all_free_parameters_and_no_others(network, codec, data):
    lattice, parameters = scores(network, codec, data)
    assert torch.equal(lattice != 0, free_cell(data.space_group))
    free = free_parameters(data)
    assert parameters[free].abs().min() > 1e-6 and not parameters[~free].abs().gt(1e-9).any()


def images(unit: AsymmetricUnit) -> list[tuple[int, AsymmetricUnit, torch.Tensor]]:
    """The same crystal with another atom of a site as its first: (site, crystal, rotation of the site's parameters)."""
    table, out = get_space_group(unit.space_group), []
    steps = np.array(np.meshgrid(*[range(-2, 3)] * 3)).reshape(3, -1).T
    for s, site in enumerate(unit.sites):
        position = table.positions[table.index(site.letter)]
        matrix, inverse = position.matrices[0], np.linalg.pinv(position.matrices[0])
        for k in range(1, position.size if position.free else 0):
            wanted = position.matrices[k] @ site.parameters + position.shifts[k] + steps
            z = (wanted - position.shifts[0]) @ inverse.T
            off = np.abs(z @ matrix.T + position.shifts[0] - wanted).max(1)
            if off.min() < 1e-9:  # otherwise the site is on another branch of its position
                moved = dataclasses.replace(site, parameters=tuple(z[off.argmin()] % 1.0))
                sites = (*unit.sites[:s], moved, *unit.sites[s + 1 :])
                turn = torch.from_numpy(inverse @ position.matrices[k])
                out.append((s, dataclasses.replace(unit, sites=sites), turn))
    return out


@pytest.mark.parametrize(("crystal", "count"), [(0, 1), (1, 0), (2, 1), (3, 4), (4, 2), (5, 8)])
def test_another_atom_of_a_site_may_stand_for_it(network, codec, data, crystal, count):
    lattice, score = scores(network, codec, data)
    found = images(UNITS[crystal])
    assert len(found) >= count
    for site, unit, turn in found:
        changed = as_double(symmetric_batch([*UNITS[:crystal], unit, *UNITS[crystal + 1 :]]))
        lattice2, score2 = scores(network, codec, changed)
        d = len(turn)
        assert torch.allclose(score2[crystal, site, :d], turn @ score[crystal, site, :d], atol=1e-5)
        assert torch.allclose(lattice2, lattice, atol=1e-5)


def test_the_order_of_crystals_and_sites_does_not_matter(network, codec, data):
    lattice, score = scores(network, codec, data)
    turned = [dataclasses.replace(u, sites=u.sites[::-1]) for u in UNITS[::-1]]
    lattice2, score2 = scores(network, codec, as_double(symmetric_batch(turned)))
    assert torch.allclose(lattice2.flip(0), lattice, atol=1e-9)
    assert torch.allclose(score2.flip(0).flip(1), score, atol=1e-9)


def test_a_crystal_does_not_depend_on_the_others(network, codec, data):
    lattice, score = scores(network, codec, data)
    lattice2, score2 = scores(network, codec, data[torch.tensor([3])])
    assert torch.allclose(lattice2[0], lattice[3], atol=1e-9) and torch.allclose(score2[0], score[3], atol=1e-9)


def test_the_lattice_derivative_is_that_of_finite_differences(codec, data):
    fields = codec.encode(data)
    exact = lattice_derivative(codec, fields)
    for p in range(6):
        ends = []
        for h in (1e-6, -1e-6):
            moved = fields["lattice"].clone()
            moved[:, p] += h
            decoded = codec.decode({**fields, "lattice": moved})
            ends.append(lattices(decoded.space_group, decoded.cell))
        assert torch.allclose((ends[0] - ends[1]) / 2e-6, exact[:, p], atol=1e-6)
    assert not exact[~fields[free_part("lattice")]].any()


def test_gradients_of_edges_are_those_of_their_lengths(codec, data):
    """G_e of Sultanov et al. 2023 (section 4.3) against the lengths of the same edges in a slightly larger cell."""
    fields = codec.encode(data)
    g = geometry(codec, fields, codec.decode(fields), 16)
    for p in range(6):
        lengths = []
        for h in (1e-6, -1e-6):
            moved = fields["lattice"].clone()
            moved[:, p] += h
            decoded = codec.decode({**fields, "lattice": moved})
            lattice = lattices(decoded.space_group, decoded.cell)[g.graph.crystal]
            lengths.append((g.graph.shift @ lattice).norm(dim=-1))
        assert torch.allclose((lengths[0] - lengths[1]) / 2e-6, g.gradient[..., p], atol=1e-6)


def test_cells_come_back_from_the_codec(codec, data):
    back = codec.decode(codec.encode(data))
    free = free_cell(data.space_group)
    assert torch.allclose(back.cell[free], data.cell[free], atol=1e-9)
    assert torch.allclose(expand_orbits(back).crystals.lattice, expand_orbits(data).crystals.lattice, atol=1e-9)
    wild = codec.encode(data) | {"lattice": 30 * torch.randn(len(data), 6, dtype=torch.float64)}
    cell = codec.decode(wild).cell
    assert (cell[:, :3] >= 0).all() and ((cell[:, 3:] >= 0) & (cell[:, 3:] <= 180)).all()
