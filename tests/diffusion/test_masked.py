import torch

from nucleate.diffusion.loop import sample
from nucleate.diffusion.masked import MASK, MaskedTokens, RevealedAtEnd
from nucleate.diffusion.rng import Streams


def test_the_share_of_hidden_tokens_is_the_time():
    process, x0 = MaskedTokens(5), torch.ones(2, 40_000, dtype=torch.int64)
    hidden = process.corrupt(x0, torch.tensor([0.2, 0.7]), Streams(torch.arange(2))) == MASK
    torch.testing.assert_close(hidden.float().mean(1), torch.tensor([0.2, 0.7]), rtol=0, atol=0.01)


def test_fields_of_later_times_are_drawn_first():
    early, late = MaskedTokens(5, 0.6, 1.0), MaskedTokens(5, 0.0, 0.6)
    x0, t = torch.ones(1, 1000, dtype=torch.int64), torch.tensor([0.6])
    assert (early.corrupt(x0, t, Streams(torch.tensor([0]))) == x0).all()
    assert (late.corrupt(x0, t, Streams(torch.tensor([0]))) == MASK).all()
    hidden, pred = torch.full((1, 4), MASK), torch.zeros(1, 4, 6)
    steps = torch.tensor([0.9]), torch.tensor([0.7])
    assert (late.step(hidden, pred, *steps, Streams(torch.tensor([0]))) == MASK).all()
    assert (early.step(hidden, pred, *steps, Streams(torch.tensor([0]))) != MASK).any()
    assert late.loss(pred, x0[:, :4], hidden, torch.tensor([0.8])).item() == 0


def test_the_loss_counts_hidden_atoms_alone():
    process = MaskedTokens(3)
    x0 = torch.tensor([[1, 2, 3]])
    x_t = torch.tensor([[MASK, 2, MASK]])
    pred = torch.zeros(1, 3, 4)
    mask = torch.tensor([[True, True, False]])
    wrong = pred.clone()
    wrong[0, 1:] = torch.tensor([9.0, -9.0, 9.0, 3.0])  # entries of a token that is seen, and of padding
    t = torch.tensor([0.5])
    assert torch.equal(process.loss(pred, x0, x_t, t, mask), process.loss(wrong, x0, x_t, t, mask))
    torch.testing.assert_close(process.loss(pred, x0, x_t, t, mask), torch.tensor([3.0]).log())


def ideal(target):
    """A network that knows the tokens, and is the less sure of them the later they come."""

    def denoiser(fields, t, condition):
        logits = torch.nn.functional.one_hot(target, 7).float() * torch.linspace(9, 3, target.shape[1])[:, None]
        return {"x": logits, "rest": torch.full_like(fields["rest"], 0.25)}

    return denoiser


def drawn(noise, steps=8, seed=0, given=None):
    target = torch.tensor([[1, 2, 3, 4, 5, 6, 1, 2]])
    like = {"x": torch.full_like(target, MASK) if given is None else given, "rest": torch.zeros(1, 8)}
    processes = {"x": MaskedTokens(6), "rest": RevealedAtEnd()}
    streams = Streams(torch.tensor([seed]))
    return target, sample(ideal(target), processes, like, steps=steps, rng=streams, condition={}, noise=noise)


def test_all_tokens_are_revealed_in_any_number_of_steps():
    for steps in (1, 2, 3, 8, 30):
        target, found = drawn(0.0, steps)
        assert torch.equal(found["x"], target)
        assert torch.equal(found["rest"], torch.full((1, 8), 0.25))


def test_given_tokens_stay():
    given = torch.tensor([[6, MASK, MASK, 6, MASK, MASK, MASK, MASK]])
    _, found = drawn(0.0, given=given)
    assert found["x"].tolist() == [[6, 2, 3, 6, 5, 6, 1, 2]]


def test_tokens_of_the_highest_confidence_come_first():
    target = torch.tensor([[1, 2, 3, 4, 5, 6, 1, 2]])
    process, x = MaskedTokens(6), torch.full((1, 8), MASK)
    pred = ideal(target)({"rest": torch.zeros(1)}, None, None)["x"]
    x = process.step(x, pred, torch.tensor([1.0]), torch.tensor([0.5]), Streams(torch.tensor([0])), 0.0)
    shown = (x[0] != MASK).tolist()
    assert shown == sorted(shown, reverse=True) and 0 < sum(shown) < 8


def test_a_temperature_varies_what_is_drawn_and_the_same_seed_repeats_it():
    flat = {tuple(drawn(3.0, seed=s)[1]["x"][0].tolist()) for s in range(8)}
    assert len(flat) > 4
    assert torch.equal(drawn(3.0, seed=5)[1]["x"], drawn(3.0, seed=5)[1]["x"])


def test_padding_changes_no_draw():
    process = MaskedTokens(6)
    pred = torch.randn(1, 4, 3, 7, generator=torch.Generator().manual_seed(0))
    wide = torch.cat([pred, torch.randn(1, 2, 3, 7)], 1)
    hidden = torch.zeros(1, 4, 3, dtype=torch.int64)
    padded = torch.cat([hidden, torch.ones(1, 2, 3, dtype=torch.int64)], 1)
    t, s = torch.tensor([1.0]), torch.tensor([0.4])
    one = process.step(hidden, pred, t, s, Streams(torch.tensor([3])), 0.7)
    two = process.step(padded, wide, t, s, Streams(torch.tensor([3])), 0.7)
    assert torch.equal(two[:, :4], one) and (two[:, 4:] == 1).all()
