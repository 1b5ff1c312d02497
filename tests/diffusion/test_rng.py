import subprocess
import sys

import numpy as np
import torch

from nucleate.diffusion.philox import derived_seed, philox
from nucleate.diffusion.rng import Streams, derive_seeds


def words(*values):
    return [torch.tensor([v]) for v in values]


def test_philox_gives_the_published_known_answers():
    full = 0xFFFFFFFF
    assert [int(w) for w in philox(words(0, 0, 0, 0), words(0, 0))] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    assert [int(w) for w in philox(words(full, full, full, full), words(full, full))] == [
        0x408F276D,
        0x41C83B0E,
        0xA20BC7C6,
        0x6D5451FD,
    ]
    pi = words(0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), words(0xA4093822, 0x299F31D0)
    assert [int(w) for w in philox(*pi)] == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def test_a_crystal_draws_the_same_whatever_its_batch_and_padding():
    together, alone = Streams(torch.tensor([3, 9, 12])), Streams(torch.tensor([9]))
    for _ in range(3):
        wide, narrow = together.normal((3, 20, 3)), alone.normal((1, 7, 3))
        assert torch.equal(wide[1, :7], narrow[0])
    assert torch.equal(together.uniform((3, 20))[1, :7], alone.uniform((1, 7))[0])


def test_normals_and_uniforms_have_their_moments():
    rng = Streams(torch.arange(200))
    x, u = rng.normal((200, 1000)), rng.uniform((200, 1000))
    assert abs(float(x.mean())) < 0.01 and abs(float(x.var()) - 1) < 0.01 and abs(float((x**4).mean()) - 3) < 0.08
    assert abs(float(u.mean()) - 0.5) < 0.003 and float(u.min()) > 0 and float(u.max()) < 1
    assert abs(float(torch.corrcoef(torch.stack([x[0], x[1]]))[0, 1])) < 0.1


def test_categorical_follows_unnormalised_probabilities():
    p = torch.tensor([0.0, 2.0, 5.0, 3.0])
    draws = Streams(torch.arange(100)).categorical(p.expand(100, 400, 4))
    share = torch.bincount(draws.flatten(), minlength=4) / draws.numel()
    assert torch.allclose(share, p / 10, atol=0.01) and share[0] == 0


def test_derived_seeds_differ_and_repeat():
    a = derive_seeds(7, 3, torch.arange(1000))
    assert len(set(a.tolist())) == 1000 and int(a.min()) >= 0
    assert torch.equal(a[5:6], derive_seeds(7, 3, torch.tensor([5])))
    assert not torch.equal(a, derive_seeds(8, 3, torch.arange(1000)))


def test_numpy_and_torch_give_the_same_words():
    seed = torch.tensor([[3], [2**61 + 5]])
    counter = [torch.arange(6).expand(2, 6), *(torch.full((2, 6), v) for v in (2**32 - 1, 0, 7))]
    key = [(seed & 0xFFFFFFFF).expand(2, 6), ((seed >> 32) & 0xFFFFFFFF).expand(2, 6)]
    with np.errstate(all="raise"):
        arrays = philox([v.numpy() for v in counter], [v.numpy() for v in key])
    assert all(np.array_equal(a, b.numpy()) for a, b in zip(arrays, philox(counter, key), strict=True))


def test_single_seeds_are_those_of_tensors():
    for seed in (0, 7, 2**31, 2**62 + 12345, 2**63 - 1):
        for labels in ((0,), (1, 2), (2**33 + 5, 17, 3), (2**63 - 1,)):
            assert derived_seed(seed, *labels) == int(derive_seeds(seed, *labels))
    assert derived_seed(5) == 5


def test_seeds_of_a_run_need_no_torch():
    code = "import sys; import nucleate.diffusion.philox; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
