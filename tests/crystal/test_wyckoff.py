"""Wyckoff positions of all 230 groups compared with other sources; orbits, gradients, crystals that come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from real_data import crystal_of, real_table

from nucleate.crystal.asymmetric import (
    AsymmetricUnit,
    Site,
    asymmetric_unit,
    asymmetric_units,
    site_frequencies,
    symmetric_batch,
)
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.lattice import lengths_angles
from nucleate.crystal.orbits import (
    SymmetricBatch,
    expand_orbits,
    free_cell,
    free_parameters,
    lattices,
    pad_sites,
    tied_cell,
)
from nucleate.crystal.symmetry import find_symmetry, space_group
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError

TABLES = [get_space_group(n) for n in GROUP_NUMBERS]
CELL = (7.0, 8.3, 9.7, 75.0, 99.0, 112.0)


@pytest.fixture(scope="module")
def crowded() -> SymmetricBatch:
    """A crystal of each group with an element of its own on every position, and two more on the general one."""
    rng = np.random.default_rng(3)
    places = [[*range(len(t.positions)), *[len(t.positions) - 1] * 2] for t in TABLES]
    return pad_sites(
        list(GROUP_NUMBERS),
        [CELL] * len(places),
        places,
        [rng.random((len(p), 3)) for p in places],
        [range(1, len(p) + 1) for p in places],
    )


def test_operations_are_those_of_moyopy() -> None:
    import moyopy

    for t in TABLES:
        change = np.linalg.inv(t.primitive).T
        found = moyopy.operations_from_number(t.number, setting=moyopy.Setting.standard())
        assert len(found) == t.order * t.lattice_points
        for w, shift in zip(np.array(found.rotations, float), np.array(found.translations), strict=True):
            same = np.abs(t.rotations - change @ w @ np.linalg.inv(change)).max((1, 2)) < 1e-9
            assert same.sum() == 1
            away = t.translations[same][0] - change @ shift
            assert np.abs(away - away.round()).max() < 1e-9


def test_multiplicities_are_those_of_pyxtal() -> None:
    from pyxtal.symmetry import Group

    for t in TABLES:
        other = {p.letter: (p.multiplicity, p.get_dof()) for p in Group(t.number).Wyckoff_positions}
        assert {p.letter: (p.size * t.lattice_points, p.free) for p in t.positions} == other
        assert all(p.multiplicity == p.size * t.lattice_points for p in t.positions)


def test_orbits_are_invariant_and_site_symmetry_times_size_is_the_order() -> None:
    rng = np.random.default_rng(0)
    for t in TABLES:
        for p in t.positions:
            atoms = p.matrices @ rng.random(p.free) + p.shifts
            images = np.einsum("gij,aj->gai", t.rotations, atoms) + t.translations[:, None]
            gaps = images[:, :, None] - atoms
            same = np.abs(gaps - gaps.round()).max(-1) < 1e-9
            assert (same.sum(1) == 1).all() and (same.sum(2) == 1).all()  # each operation permutes the atoms
            stabilisers = np.diagonal(same, axis1=1, axis2=2).sum(0)
            assert (stabilisers * p.size == t.order).all()
            assert same[p.operations, 0, np.arange(p.size)].all()  # which operation leads where


def test_moyopy_finds_the_same_groups_and_letters(crowded: SymmetricBatch) -> None:
    crystals = expand_orbits(crowded).crystals
    exact = 0
    for i, t in enumerate(TABLES):
        real = crystals.mask[i]
        numbers = crystals.atomic_numbers[i][real].numpy()
        found = find_symmetry(crystals.lattice[i].numpy(), crystals.frac_coords[i][real].numpy(), numbers, 1e-3)
        assert found.number == t.number
        first = [int(np.flatnonzero(numbers == z)[0]) for z in range(1, len(t.positions) + 1)]
        letters = [found.wyckoffs[k] for k in first]
        own = [p.letter for p in t.positions]
        assert sorted(letters) == sorted(own)  # another origin permutes them
        exact += letters == own
        for k, letter, p in zip(first, letters, t.positions, strict=True):
            other = t.positions[t.index(letter)]
            assert (other.size, other.free) == (p.size, p.free)
            assert other.site_symmetry.rstrip(".") == found.site_symmetry_symbols[k].rstrip(".")
    assert exact > 200


def test_crystals_of_all_groups_come_back_from_their_free_parameters(crowded: SymmetricBatch) -> None:
    structures = structures_from_batch(expand_orbits(crowded).crystals)
    units = [asymmetric_unit(s, 1e-3) for s in structures]
    assert [u.space_group for u in units] == list(GROUP_NUMBERS)
    assert [u.num_atoms for u in units] == [len(s) for s in structures]
    again = structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)
    for a, b in zip(structures, again, strict=True):
        assert a.composition == b.composition
        assert a.volume == pytest.approx(b.volume, rel=1e-4)
        radius = 4.0  # all distances, which do not depend on the choice of the cell
        assert len(a.get_neighbor_list(radius)[0]) == pytest.approx(len(b.get_neighbor_list(radius)[0]), abs=4)


def test_gradients_agree_with_finite_differences(crowded: SymmetricBatch) -> None:
    rows = [0, 13, 61, 165, 224]  # of each kind of cell, two of them centred

    def cartesian(parameters: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
        at = [v[rows] for v in (crowded.space_group, crowded.positions, crowded.atomic_numbers)]
        found = expand_orbits(SymmetricBatch(at[0], cell, at[1], parameters, at[2])).crystals
        return (found.frac_coords @ found.lattice)[:, :40]

    z = crowded.parameters[rows].double().requires_grad_()
    cell = crowded.cell[rows].double().requires_grad_()
    assert torch.autograd.gradcheck(cartesian, (z, cell), fast_mode=True)
    gz, gc = torch.autograd.grad(cartesian(z, cell).square().sum(), (z, cell))
    free = free_parameters(crowded)[rows]
    assert (gz[~free] == 0).all() and (gc[~free_cell(crowded.space_group[rows])] == 0).all()


def test_cells_are_tied_to_the_shape_of_their_space_group() -> None:
    groups = torch.tensor([1, 14, 62, 136, 166, 194, 225])
    full = torch.tensor([CELL] * len(groups), dtype=torch.float64)
    tied = tied_cell(groups, full)
    a, b, c, alpha, beta, gamma = CELL
    assert tied.tolist() == [
        [a, b, c, alpha, beta, gamma],
        [a, b, c, 90, beta, 90],
        [a, b, c, 90, 90, 90],
        [a, a, c, 90, 90, 90],
        [a, a, c, 90, 90, 120],
        [a, a, c, 90, 90, 120],
        [a, a, a, 90, 90, 90],
    ]
    assert free_cell(groups).sum(1).tolist() == [6, 4, 3, 2, 2, 2, 1]
    assert torch.allclose(lengths_angles(lattices(groups, full, primitive=False)), tied)
    shrink = torch.linalg.det(lattices(groups, full)) / torch.linalg.det(lattices(groups, full, primitive=False))
    assert torch.allclose(shrink, 1 / torch.tensor([1, 1, 1, 1, 3, 1, 4], dtype=torch.float64))
    assert torch.allclose(lengths_angles(lattices(groups, full))[6, 3:], torch.tensor(60.0).double())


def test_rutile_from_its_sites_is_rutile() -> None:
    unit = AsymmetricUnit(
        136, (4.6, 4.6, 2.95, 90, 90, 90), (Site(22, "a", ()), Site(8, "f", (0.305,)))
    )  # rutile, International Tables: 2a and 4f (x, x, 0)
    batch = symmetric_batch([unit])
    found = expand_orbits(batch)
    expected = Structure.from_spacegroup(
        136, Lattice.tetragonal(4.6, 2.95), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
    )
    structure = structures_from_batch(found.crystals)[0]
    assert StructureMatcher(ltol=1e-3, stol=1e-3, angle_tol=0.1).fit(structure, expected)
    assert found.site[0].tolist() == [0, 0, 1, 1, 1, 1]
    first = found.crystals.frac_coords[0, 2]
    w, shift = (torch.tensor(v[found.operation[0, 3]]).float() for v in get_space_group(136).operations)
    assert torch.allclose((w @ first + shift) % 1, found.crystals.frac_coords[0, 3])
    back = asymmetric_units(batch)[0]
    assert [(s.letter, s.parameters) for s in back.sites] == [("a", ()), ("f", (pytest.approx(0.305),))]
    twice = asymmetric_unit(structure * (2, 1, 3))
    assert twice.space_group == 136 and {s.letter for s in twice.sites} <= {"a", "b", "f", "g"}
    assert twice.num_atoms == 6


def test_padding_and_batches_change_nothing(crowded: SymmetricBatch) -> None:
    whole = expand_orbits(crowded)
    for i in (0, 61, 224):
        alone = expand_orbits(SymmetricBatch(*(getattr(crowded, f)[i : i + 1] for f in crowded.__dataclass_fields__)))
        n = alone.crystals.atomic_numbers.shape[1]
        assert torch.equal(alone.crystals.frac_coords[0], whole.crystals.frac_coords[i, :n])
        assert (whole.site[i, n:] == -1).all() and (whole.crystals.atomic_numbers[i, n:] == 0).all()
    assert len(expand_orbits(pad_sites([], [], [], [], [])).crystals) == 0


def test_frequencies() -> None:
    unit = AsymmetricUnit(225, (5.6,) * 3 + (90.0,) * 3, (Site(11, "a", ()), Site(17, "b", ())))
    found = site_frequencies([unit, unit])
    assert found[225]["a"] == pytest.approx((2 + 1 / 12) / 3) and found[225]["l"] == pytest.approx(1 / 36)
    assert found[1] == {"a": 1.0}


def test_wrong_groups_positions_and_shapes_are_refused() -> None:
    with pytest.raises(NucleateError, match="numbers 1 to 230, not 231"):
        get_space_group(231)
    with pytest.raises(NucleateError, match="Pnma has no Wyckoff position 'e'; it has a, b, c, d"):
        symmetric_batch([AsymmetricUnit(62, CELL, (Site(8, "e", ()),))])
    with pytest.raises(NucleateError, match="Pnma has 4 Wyckoff positions, and there is no position with index 4"):
        expand_orbits(pad_sites([62], [CELL], [[4]], [[[0, 0, 0]]], [[8]]))
    with pytest.raises(NucleateError, match="numbers 1 to 230"):
        expand_orbits(pad_sites([0], [CELL], [[0]], [[[0, 0, 0]]], [[8]]))
    one = torch.ones(1, 1, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"cell has shape \(1, 3\), not \(1, 6\)"):
        SymmetricBatch(one[0], torch.ones(1, 3), one, torch.zeros(1, 1, 3), one)
    near = Structure(Lattice.cubic(3), ["H", "H", "H"], [[0, 0, 0], [0.01, 0, 0], [0.02, 0.01, 0]])
    with pytest.raises(NucleateError, match="no consistent symmetry"):
        asymmetric_unit(near)


def test_real_crystals_come_back() -> None:
    import pyarrow.parquet as pq

    crystals = [crystal_of(r) for r in pq.read_table(real_table("mp_20_val")).slice(0, 150).to_pylist()]
    units = [asymmetric_unit(s) for s in crystals]
    back = structures_from_batch(expand_orbits(symmetric_batch(units)).crystals)
    matcher = StructureMatcher(ltol=0.02, stol=0.03, angle_tol=1)
    for crystal, unit, again in zip(crystals, units, back, strict=True):
        assert matcher.fit(crystal, again)
        assert space_group(again, 1e-3)[0] == unit.space_group
