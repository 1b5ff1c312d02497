"""The multigraph against a plain search for neighbours, on crystals of all kinds of cells."""

import numpy as np
import pytest
import torch

from nucleate.crystal.asymmetric import AsymmetricUnit, Site, symmetric_batch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.multigraph import TRANSLATIONS, multigraph
from nucleate.crystal.orbits import NUM_POSITIONS, SymmetricBatch, expand_orbits, position_numbers
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group

UNITS = [
    AsymmetricUnit(136, (4.6, 4.6, 2.95, 90, 90, 90), (Site(22, "a", ()), Site(8, "f", (0.305,)))),
    AsymmetricUnit(225, (5.6, 5.6, 5.6, 90, 90, 90), (Site(11, "a", ()), Site(17, "b", ()))),
    AsymmetricUnit(166, (2.7, 2.7, 12.8, 90, 90, 120), (Site(29, "a", ()), Site(45, "b", ()))),  # flat and long
    AsymmetricUnit(2, (4.1, 5.2, 6.9, 77, 101, 68), (Site(6, "i", (0.1, 0.3, 0.8)), Site(8, "a", ()))),
    AsymmetricUnit(12, (11.0, 3.0, 6.0, 90, 112, 90), (Site(14, "i", (0.2, 0.4)), Site(3, "j", (0.1, 0.2, 0.3)))),
    AsymmetricUnit(230, (12.0, 12.0, 12.0, 90, 90, 90), (Site(26, "a", ()), Site(8, "h", (0.03, 0.05, 0.15)))),
]
EDGES = 18


@pytest.fixture(scope="module")
def found():
    batch = symmetric_batch(UNITS)
    batch = SymmetricBatch(
        batch.space_group, batch.cell.double(), batch.positions, batch.parameters.double(), batch.atomic_numbers
    )
    atoms = expand_orbits(batch)
    return batch, atoms, multigraph(batch.space_group, atoms, EDGES)


def test_edges_lead_to_the_nearest_atoms(found):
    batch, atoms, g = found
    structures = structures_from_batch(atoms.crystals)
    assert g.crystal.tolist() == batch.mask.nonzero()[:, 0].tolist()
    for n, (crystal, first) in enumerate(zip(g.crystal.tolist(), g.first.tolist(), strict=True)):
        near = structures[crystal].get_neighbors(structures[crystal][first], float(g.reach[n]) + 1e-3)
        wanted = np.sort([a.nn_distance for a in near])
        assert np.allclose(g.distance[n], wanted[:EDGES], atol=1e-4)
        assert np.isclose(float(g.reach[n]), wanted[EDGES], atol=1e-4)


def test_both_ends_of_an_edge_are_atoms_of_their_sites(found):
    batch, atoms, g = found
    site = batch.mask.nonzero()[:, 1]
    for n, k in torch.cartesian_prod(torch.arange(len(g.crystal)), torch.arange(EDGES)).tolist():
        crystal, other = int(g.crystal[n]), int(g.end[n, k])
        assert int(g.crystal[other]) == crystal
        frac, lattice = atoms.crystals.frac_coords[crystal], atoms.crystals.lattice[crystal]
        back = g.back[n, k] @ torch.linalg.inv(lattice)
        for start, step, wanted in ((g.first[n], g.shift[n, k], other), (g.first[other], back, n)):
            gap = frac[atoms.site[crystal] == site[wanted]] - frac[start] - step
            assert (gap - gap.round()).abs().amax(-1).min() < 1e-6
        assert torch.allclose(g.vector[n, k], g.shift[n, k] @ lattice)
        assert torch.isclose(g.back[n, k].norm(), g.distance[n, k])


def test_single_precision_and_the_number_of_edges(found):
    batch, _, g = found
    single = SymmetricBatch(
        batch.space_group, batch.cell.float(), batch.positions, batch.parameters.float(), batch.atomic_numbers
    )
    assert torch.allclose(
        multigraph(single.space_group, expand_orbits(single), 4).distance, g.distance[:, :4].float(), atol=1e-4
    )
    for wrong in (0, TRANSLATIONS):
        with pytest.raises(ValueError, match="1 to 63 edges"):
            multigraph(single.space_group, expand_orbits(single), wrong)


def test_every_wyckoff_position_has_a_place_of_its_own():
    assert sum(len(get_space_group(n).positions) for n in GROUP_NUMBERS) == NUM_POSITIONS
    last = symmetric_batch([AsymmetricUnit(230, UNITS[-1].cell, (Site(8, "h", (0.03, 0.05, 0.15)),))])
    assert int(position_numbers(last)) == NUM_POSITIONS - 1
