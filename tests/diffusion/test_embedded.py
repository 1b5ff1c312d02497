import torch

from nucleate.diffusion.embedded import Embedded
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams

TABLE = torch.nn.functional.normalize(torch.randn(5, 8, generator=torch.Generator().manual_seed(0)), dim=1) * 8**0.5
PROCESS = Embedded(lambda: TABLE)


def test_the_square_root_schedule_runs_from_data_to_noise():
    abar = GaussianVP("sqrt").alpha_bar(torch.tensor([0.0, 0.25, 1.0]))
    assert torch.allclose(abar, torch.tensor([1.0, 0.5, 0.0]), atol=2e-4) and (abar[-1:] > 0).all()


def test_words_are_the_nearest_to_their_vectors():
    ids = torch.arange(5)[None]
    assert torch.equal(PROCESS.round(TABLE[ids]), ids)
    slightly = PROCESS.corrupt(ids, torch.tensor([1e-4]), Streams(torch.tensor([3])))
    assert torch.equal(PROCESS.round(slightly), ids)


def test_the_loss_is_least_for_the_truth_and_trains_the_vectors():
    ids = torch.tensor([[0, 1, 2, 3]])
    t, mask = torch.tensor([0.5]), torch.ones(1, 4, dtype=torch.bool)
    x_t = PROCESS.corrupt(ids, t, Streams(torch.tensor([0])))
    right, wrong = (PROCESS.loss(TABLE[i], ids, x_t, t, mask) for i in (ids, ids.flip(1)))
    assert right < 0.1 < wrong
    table = TABLE.clone().requires_grad_()
    Embedded(lambda: table).loss(torch.randn(1, 4, 8), ids, x_t, t, mask).sum().backward()
    assert table.grad.abs().max() > 0


def test_both_samplers_end_at_the_words_that_the_network_predicts():
    truth = torch.tensor([[4, 0, 2], [1, 1, 3]])

    def network(fields, t, condition):
        return {"tokens": TABLE[truth] + 0.1}

    like = {"tokens": torch.zeros(2, 3, dtype=torch.long), "mask": torch.ones(2, 3, dtype=torch.bool)}
    for sampler in ("ancestral", "ddim"):
        drawn = sample(
            network, {"tokens": PROCESS}, like, steps=7, rng=Streams(torch.arange(2)), condition={}, sampler=sampler
        )["tokens"]
        assert torch.allclose(drawn, TABLE[truth], atol=1e-4) and torch.equal(PROCESS.round(drawn), truth)
