import pytest
import torch
from random_crystals import crystals_of
from real_data import real_table

from nucleate.codecs.cell import START, to_frac, to_numbers
from nucleate.codecs.unimat import NULL, SLOTS
from nucleate.config import DataConfig
from nucleate.diffusion.rng import Streams
from nucleate.systems.unimat import CodecConfig, UniMatRecipe, fits
from recipes import fitted


def recipe(task="dng", **codec):
    return UniMatRecipe(name="tiny", task=task, data=DataConfig(max_atoms=24), codec=CodecConfig(**codec))


def same_crystals(a, b):
    """Equal as sets of (element, position), whatever the order of the atoms."""
    for lattice, frac, z, other, other_frac, other_z in zip(*a, *b, strict=True):
        torch.testing.assert_close(lattice @ lattice.T, other @ other.T, rtol=1e-4, atol=1e-4)
        own = sorted((int(e), *map(float, f)) for e, f in zip(z, frac, strict=True) if e > 0)
        theirs = sorted((int(e), *map(float, f)) for e, f in zip(other_z, other_frac, strict=True) if e > 0)
        torch.testing.assert_close(torch.tensor(own), torch.tensor(theirs), rtol=0, atol=2e-6)


@pytest.mark.parametrize("lattice", ["parameters", "log-metric"])
@pytest.mark.parametrize("task", ["dng", "csp"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_what_is_encoded_is_decoded(lattice, task, shuffled):
    batch = crystals_of([38, 22, 8, 8, 8], [57, 89, 92, 71], [1, 2], [6] * 12)
    codec = fitted(recipe(task, lattice=lattice), batch)
    rng = Streams(torch.arange(len(batch))) if shuffled else None
    fields = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers, rng)
    same_crystals(codec.decode(fields), (batch.lattice, batch.frac_coords, batch.atomic_numbers))
    if task == "dng":
        assert fields[SLOTS].shape == (4, len(codec.elements), 12, 3)
        assert (fields[SLOTS] == NULL).all(-1).sum() == fields[SLOTS].shape[:3].numel() - 5 - 4 - 2 - 12


def test_shuffled_slots_of_an_element_keep_their_atoms():
    batch = crystals_of([8] * 12, [8] * 12)
    codec = fitted(recipe(slots=20), batch)
    plain = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers)[SLOTS]
    mixed = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers, Streams(torch.tensor([1, 2])))[SLOTS]
    assert not torch.equal(plain, mixed)
    for a, b in zip(plain[:, 0], mixed[:, 0], strict=True):
        assert torch.equal(a[a[:, 0].argsort()], b[b[:, 0].argsort()])
    occupied = (mixed[:, 0] != NULL).all(-1)
    assert occupied[:, 12:].any() and not torch.equal(occupied[0], occupied[1])


def test_the_null_location_is_that_of_the_paper():
    torch.testing.assert_close(to_numbers(torch.tensor([START, 0.0, 0.5])), torch.tensor([-1.0, -0.94, 0.06]))
    assert pytest.approx(-1.0) == NULL / 2 + 0.5 + START
    near = torch.tensor([-1e-9, 0.9999999, 0.0, 0.97, 0.5])  # rounding at 0 must not send an atom to the other end
    numbers = to_numbers(near)
    assert (numbers[:3] - numbers[2]).abs().max() < 1e-5
    assert (to_frac(numbers) < 1).all() and (to_frac(numbers) >= 0).all()


def test_the_grid_is_the_periodic_table():
    batch = crystals_of([1, 2, 3, 26, 57, 71, 89, 118 - 18], [8, 8, 8, 8])
    codec = fitted(recipe(slots=4), batch)
    assert codec.grid_shape == (9, 18)
    slots = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers)[SLOTS]
    grid = codec.to_grid(slots)
    assert grid.shape == (2, 3, 4, 9, 18) and torch.equal(codec.from_grid(grid), slots)
    occupied = (grid != NULL).all(1)
    places = {(int(h), int(w)) for _, _, h, w in occupied.nonzero()}
    assert places == {(0, 0), (0, 17), (1, 0), (3, 7), (7, 2), (7, 16), (8, 2), (8, 13), (1, 15)}


def test_a_part_of_the_table_is_a_table():
    carbon = fitted(recipe(slots=24, periods=(2,), groups=(14,)), crystals_of([6] * 24))
    assert carbon.grid_shape == (1, 1) and carbon.elements == (6,)
    salts = recipe(groups=(1, 17))
    batch = crystals_of([11, 17], [19, 35], [12, 8], [1, 9])
    assert fits(salts, batch).tolist() == [True, True, False, True]
    codec = fitted(salts, batch[torch.tensor([0, 1, 3])])
    assert codec.grid_shape == (7, 2) and codec.grid == ([0, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1])
    assert [z for z in codec.places if z in (87, 57, 2)] == [87]


def test_crystals_that_do_not_fit_the_table_are_reported():
    batch = crystals_of([8, 8, 8, 22], [8, 8, 22, 38])
    assert fits(recipe(slots=2), batch).tolist() == [False, True]
    assert fits(recipe("csp", slots=2), batch).all()  # the sparse network sees the atoms, and counts no slots
    dense = recipe("csp", slots=2).changed(network={"kind": "dense"})
    assert fits(dense, batch).tolist() == [False, True]
    assert fits(recipe(slots=2, groups=(2, 4, 16)), crystals_of([38, 22], [38, 26])).tolist() == [True, False]


def test_an_empty_table_is_a_crystal_without_atoms():
    codec = fitted(recipe(), crystals_of([8, 22]))
    like = codec.blank(torch.ones(2, 1, dtype=torch.int64))
    _, frac, z = codec.decode(like | {SLOTS: torch.full_like(like[SLOTS], NULL)})
    assert z.shape == (2, 0) and frac.shape == (2, 0, 3)


def test_impossible_angles_are_a_flat_cell():
    codec = fitted(recipe(lattice="parameters"), crystals_of([8, 22], [8]))
    numbers = torch.tensor([[5.0, 5.0, 5.0, 60.0, 60.0, 170.0], [5.0, 5.0, 5.0, 400.0, -90.0, 90.0]])
    raw = torch.cat([numbers[:, :3].log(), numbers[:, 3:].deg2rad()], -1)
    field = (raw - raw.new_tensor(codec.mean)) / raw.new_tensor(codec.std)
    cells = codec.decode_lattice(field, torch.ones(2))
    assert cells.isfinite().all() and cells[0].det().abs() < 1


def test_every_crystal_of_mp20_that_fits_comes_back():
    from nucleate.data import prepare

    real_table("mp_20_test")
    batch, _ = prepare("mp-20", "test")
    settings = recipe(slots=12)
    keep = fits(settings, batch)
    assert 0 < int((~keep).sum()) < 150  # more than 12 atoms of one element: 1 of 90
    fit = batch[keep]
    codec = fitted(settings, fit)
    for part in torch.arange(len(fit)).split(1000):
        chunk = fit[part]
        lattice, frac, z = codec.decode(codec.encode(chunk.lattice, chunk.frac_coords, chunk.atomic_numbers))
        order = torch.argsort(torch.where(chunk.mask, codec.index[chunk.atomic_numbers], 999), dim=1, stable=True)
        assert torch.equal(z, chunk.atomic_numbers.gather(1, order)[:, : z.shape[1]])
        frac0 = chunk.frac_coords.gather(1, order[..., None].expand(-1, -1, 3))[:, : z.shape[1]]
        difference = (frac - frac0 + 0.5) % 1 - 0.5
        assert difference.abs().max() < 2e-6
        torch.testing.assert_close(lattice.det().abs(), chunk.volume, rtol=1e-4, atol=1e-3)
