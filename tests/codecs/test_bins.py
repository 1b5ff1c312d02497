import torch
from random_crystals import crystals_of

from nucleate.codecs.bins import CELL_OFFSET, COORDINATES, OFFSET, BinCodec


def batch_and_codec():
    batch = crystals_of([38, 22, 8, 8, 8], [57, 89, 92, 71], [1, 2], [6])
    return batch, BinCodec().fitted(batch)


def test_what_is_encoded_is_decoded():
    batch, codec = batch_and_codec()
    fields = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers)
    assert fields["frac_coords"].min() >= 1 and fields["frac_coords"].max() <= COORDINATES
    assert fields[OFFSET].abs().max() <= 0.5 and fields[CELL_OFFSET].abs().max() <= 0.5
    cell, frac, z = codec.decode(fields)
    order = codec.order(batch.atomic_numbers)
    assert torch.equal(z, batch.atomic_numbers.gather(1, order))
    moved = frac - batch.frac_coords.gather(1, order[..., None].expand(-1, -1, 3))
    assert (moved - moved.round()).abs().max() < 1e-5
    torch.testing.assert_close(cell.det().abs(), batch.volume, rtol=1e-4, atol=1e-3)


def test_atoms_stand_in_the_order_of_electronegativity_whatever_order_they_come_in():
    codec = BinCodec()
    z = torch.tensor([[8, 22, 8, 38, 8], [17, 11, 0, 0, 0]])
    assert codec.blank(z)["atomic_numbers"].tolist() == [[38, 22, 8, 8, 8], [11, 17, 0, 0, 0]]


def test_only_atoms_are_hidden_at_the_start():
    fields = BinCodec().blank(torch.tensor([[8, 22, 8], [17, 11, 0]]))
    assert not fields["lattice"].any()
    assert fields["frac_coords"].any(-1).tolist() == [[False, False, False], [False, False, True]]


def test_where_the_composition_is_not_given_elements_are_hidden_too():
    fields = BinCodec(given=False).blank(torch.tensor([[1, 1, 1], [1, 1, 0]]))
    assert fields["atomic_numbers"].tolist() == [[0, 0, 0], [0, 0, 1]]
    assert fields["mask"].tolist() == [[True, True, True], [True, True, False]]


def test_special_positions_are_middles_of_bins():
    frac = torch.tensor([[[0.0, 0.5, 0.25], [1 / 3, 2 / 3, 1 / 6], [1 / 8, 5 / 12, 0.99999]]])
    fields = BinCodec().encode(torch.eye(3)[None] * 4, frac, torch.tensor([[6, 6, 6]]))
    assert fields[OFFSET].abs().max() < 1e-3
    assert fields["frac_coords"][0, 2, 2] == 1  # just below 1 is 0


def test_cells_beyond_the_scale_get_its_last_bin():
    codec = BinCodec()
    cells = torch.eye(3)[None] * torch.tensor([0.1, 4.0, 1000.0])[:, None, None]
    fields = codec.encode(cells, torch.zeros(3, 1, 3), torch.ones(3, 1, dtype=torch.int64))
    assert codec.decode(fields)[0].isfinite().all()
    assert fields[CELL_OFFSET].abs().max() <= 0.5
