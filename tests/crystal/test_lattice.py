import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nucleate.codecs.joint import JointCodec
from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError

cells = st.tuples(*[st.floats(2, 15)] * 3, *[st.floats(60, 120)] * 3)


def matrix(parameters):
    return lat.from_lengths_angles(torch.tensor([parameters], dtype=torch.float64))


@given(cells)
@settings(max_examples=60, deadline=None)
def test_lengths_and_angles_round_trip(parameters):
    a, b, c = (math.cos(math.radians(v)) for v in parameters[3:])
    if 1 + 2 * a * b * c - a * a - b * b - c * c < 0.05:
        return  # no such cell
    got = lat.lengths_angles(matrix(parameters))[0]
    assert torch.allclose(got, torch.tensor(parameters, dtype=torch.float64), atol=1e-5)


@pytest.fixture
def lattices():
    g = torch.Generator().manual_seed(0)
    return 5 * torch.eye(3, dtype=torch.float64) + torch.randn(20, 3, 3, generator=g, dtype=torch.float64)


def test_log_metric_is_rotation_invariant_and_exact(lattices):
    q, _ = torch.linalg.qr(torch.randn(20, 3, 3, dtype=torch.float64))
    entries = lat.to_log_metric(lattices)
    assert torch.allclose(entries, lat.to_log_metric(lattices @ q), atol=1e-9)
    assert torch.allclose(lat.metric_tensor(lat.from_log_metric(entries)), lat.metric_tensor(lattices), atol=1e-8)
    assert torch.allclose(entries[:, :3].sum(1).exp(), lat.volume(lattices), rtol=1e-9)


def test_every_field_value_decodes_to_a_cell_of_positive_volume():
    assert (torch.linalg.det(lat.from_log_metric(torch.randn(200, 6, dtype=torch.float64) * 2)) > 0).all()


@pytest.mark.parametrize("kind", ["log-metric", "matrix"])
def test_codec_round_trip(kind, lattices):
    n = torch.randint(1, 20, (20,))
    codec = JointCodec(lattice=kind).standardised(lattices, n)
    field = codec.encode_lattice(lattices, n)
    assert field.shape[1:] == codec.lattice_shape()
    if kind == "log-metric":
        assert torch.allclose(field.mean(0), torch.zeros(6, dtype=torch.float64), atol=1e-6)
        assert torch.allclose(field.std(0), torch.ones(6, dtype=torch.float64), atol=1e-6)
    back = codec.decode_lattice(field, n)
    assert torch.allclose(lat.metric_tensor(back), lat.metric_tensor(lattices), rtol=1e-5, atol=1e-5)


def test_batches_are_cut_to_their_largest_crystal():
    z = torch.tensor([[8, 0, 0], [3, 3, 0], [26, 8, 8]])
    batch = CrystalBatch(torch.eye(3).expand(3, 3, 3) * 4, torch.rand(3, 3, 3), z)
    assert batch[:2].atomic_numbers.shape == (2, 2)
    assert batch.num_atoms.tolist() == [1, 2, 3]
    assert torch.allclose(batch.volume, torch.full((3,), 64.0))


def test_batches_survive_a_file(tmp_path):
    z = torch.tensor([[8, 94], [3, 0]])
    batch = CrystalBatch(torch.rand(2, 3, 3), torch.rand(2, 2, 3), z)
    batch.save(tmp_path / "b.safetensors")
    back = CrystalBatch.load(tmp_path / "b.safetensors")
    assert torch.equal(back.atomic_numbers, z) and torch.equal(back.frac_coords, batch.frac_coords)
    (tmp_path / "junk").write_text("no")
    with pytest.raises(NucleateError, match="not a file of prepared crystals"):
        CrystalBatch.load(tmp_path / "junk")


def test_disagreeing_shapes_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        CrystalBatch(torch.rand(2, 3, 3), torch.rand(2, 2, 3), torch.zeros(2, 3, dtype=torch.int64))


def test_too_many_atoms_are_refused():
    with pytest.raises(NucleateError, match="has 3 atoms, more than the 2 allowed"):
        CrystalBatch.from_arrays([torch.eye(3)], [torch.rand(3, 3)], [[1, 1, 1]], max_atoms=2)
