import pytest
import torch
from random_crystals import crystals_of

from nucleate.codecs.compact import SPECIES, WIDEST, CompactCodec
from nucleate.systems import system_of
from nucleate.systems.reading import read_recipe
from recipes import fitted


def codec_of(batch, **codec):
    return CompactCodec(**codec).fitted(batch)


@pytest.mark.parametrize("scale", ["atomic-number", "pettifor"])
@pytest.mark.parametrize("lattice", ["parameters", "log-metric"])
def test_what_is_encoded_is_decoded(scale, lattice):
    batch = crystals_of([38, 22, 8, 8, 8], [57, 89, 92, 71], [1, 2], [6])
    codec = codec_of(batch, species_scale=scale, lattice=lattice)
    fields = codec.encode(batch.lattice, batch.frac_coords, batch.atomic_numbers)
    assert fields[SPECIES].shape == (4, 5, 1) and fields[SPECIES].abs().max() <= WIDEST + 1e-6
    assert not fields[SPECIES][~batch.mask].any() and not fields["frac_coords"][~batch.mask].any()
    cell, frac, z = codec.decode(fields)
    assert torch.equal(z, batch.atomic_numbers)
    torch.testing.assert_close(frac, batch.frac_coords, rtol=0, atol=2e-6)
    torch.testing.assert_close(cell.det().abs(), batch.volume, rtol=1e-4, atol=1e-3)


def test_the_nearest_element_of_the_data_is_taken():
    codec = codec_of(crystals_of([3, 11, 19, 37]))
    fields = codec.encode(torch.eye(3)[None] * 4, torch.zeros(1, 3, 3), torch.tensor([[3, 11, 19]]))
    fields[SPECIES] = fields[SPECIES] + torch.tensor([[[0.1], [-0.1], [0.3]]])
    assert codec.decode(fields)[2].tolist() == [[3, 11, 19]]
    fields[SPECIES] = torch.tensor([[[9.0], [-9.0], [0.0]]])
    assert codec.decode(fields)[2].tolist() == [[37, 3, 19]]


def test_numbers_follow_the_scale():
    batch = crystals_of([19, 26, 27, 9])  # K Fe Co F
    by_number, pettifor = codec_of(batch), codec_of(batch, species_scale="pettifor")
    assert by_number.numbers[9] == pytest.approx(-WIDEST) and by_number.numbers[27] == pytest.approx(WIDEST)
    assert sorted((19, 26, 27, 9), key=lambda z: float(pettifor.numbers[z])) == [19, 27, 26, 9]


def test_one_element_has_one_number():
    codec = codec_of(crystals_of([6, 6, 6]))
    assert codec.numbers[6] == 0
    fields = codec.blank(torch.tensor([[6, 6]])) | {SPECIES: torch.tensor([[[2.0], [-2.0]]])}
    assert codec.decode(fields)[2].tolist() == [[6, 6]]


def test_a_checkpoint_restores_the_codec():
    batch = crystals_of([38, 22, 8], [1, 2])
    for system in ("joint", "unimat", "compact"):
        for task in ("csp", "dng"):
            species = {"diffusion": {"species": "uniform"}} if (system, task) == ("joint", "dng") else {}
            recipe = read_recipe({"name": "tiny", "system": system, "task": task} | species)
            codec = fitted(recipe, batch)
            assert codec.elements == (1, 2, 8, 22, 38) if system != "joint" else codec.std != (1.0,) * 6
            assert system_of(recipe).codec(recipe, codec.state) == codec
