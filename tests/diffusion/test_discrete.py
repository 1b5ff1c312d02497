import pytest
import torch
from torch.nn import functional as F

from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.testing.ideal import IdealCategorical

P = torch.tensor([0.0, 0.05, 0.55, 0.30, 0.10], dtype=torch.float64)
LIMITS = ["uniform", "absorbing"]


def marginal(process, p, t):
    return process.keep(t) * p + (1 - process.keep(t)) * process.limit_distribution(p).double()


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("steps", [3, 10, 100])
def test_the_reverse_chain_keeps_every_marginal_exactly(limit, steps):
    """Ideal x0-posterior in, exact marginals out, for any number of steps: no bias from the posterior."""
    process = D3PM(4, limit)
    ideal = IdealCategorical(process, "x", P)
    classes = torch.arange(5)[None]
    p = marginal(process, P, torch.tensor(1.0, dtype=torch.float64))
    times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
    for t, s in zip(times[:-1, None], times[1:, None], strict=True):
        p0 = process.probabilities(ideal({"x": classes}, t, {})["x"].double())
        p = p @ process.posterior(classes, p0.double(), t, s)[0]
        assert torch.allclose(p, marginal(process, P, s), atol=2e-6)
    assert torch.allclose(p, P, atol=2e-6)


@pytest.mark.parametrize("limit", LIMITS)
def test_posterior_is_bayes_rule_on_explicit_matrices(limit):
    process = D3PM(4, limit)
    t, s = torch.tensor([0.6], dtype=torch.float64), torch.tensor([0.35], dtype=torch.float64)
    pi = process.limit_distribution(P).double()

    def transition(keep):
        return keep * torch.eye(5, dtype=torch.float64) + (1 - keep) * pi.expand(5, 5)

    q_s, q_ts = transition(process.keep(s)), transition(process.keep(t) / process.keep(s))
    assert torch.allclose(q_s @ q_ts, transition(process.keep(t)))
    for x0 in range(1, 5):
        for x_t in range(5):
            joint = q_s[x0] * q_ts[:, x_t]
            if joint.sum() == 0:
                continue
            p0 = F.one_hot(torch.tensor([[x0]]), 5).double()
            got = process.posterior(torch.tensor([[x_t]]), p0, t, s)[0, 0]
            assert torch.allclose(got, joint / joint.sum(), atol=1e-9)


@pytest.mark.parametrize("limit", LIMITS)
def test_loss_is_least_for_the_truth(limit):
    process, rng = D3PM(4, limit), Streams(torch.arange(3000))
    x0 = rng.categorical(P.expand(3000, 5, 5))
    t = rng.uniform((3000,))
    x_t = process.corrupt(x0, t, rng)
    truth = IdealCategorical(process, "x", P)({"x": x_t}, t, {})["x"]
    best = process.loss(truth, x0, x_t, t).mean()
    assert torch.isfinite(best)
    for wrong in (truth.roll(1, -1), torch.zeros_like(truth), truth * 2):
        assert process.loss(wrong, x0, x_t, t).mean() > best + 1e-3


@pytest.mark.parametrize("limit", LIMITS)
def test_sample_draws_the_data_distribution(limit):
    process = D3PM(4, limit)
    x = sample(
        IdealCategorical(process, "x", P),
        {"x": process},
        {"x": torch.zeros(400, 50, dtype=torch.int64)},
        steps=20,
        rng=Streams(torch.arange(400)),
        condition={},
    )["x"]
    share = torch.bincount(x.flatten(), minlength=5) / x.numel()
    assert torch.allclose(share.double(), P, atol=0.01)


def test_barred_classes_are_never_drawn():
    process = D3PM(4, "uniform")
    logits = torch.zeros(50, 20, 5).masked_fill(torch.tensor([0, 0, 1, 0, 1]).bool(), -torch.inf)
    x = process.prior(torch.zeros(50, 20, dtype=torch.int64), rng := Streams(torch.arange(50)))
    x = process.step(x, logits, torch.ones(50), torch.zeros(50), rng)
    assert set(x.unique().tolist()) == {1, 3}


def test_unknown_limit_is_refused():
    with pytest.raises(ValueError, match="unknown limit"):
        D3PM(4, "gaussian")


@pytest.mark.parametrize("power", [1.0, 3.0])
def test_the_closed_form_of_the_absorbing_loss_is_the_kl_divergence_of_the_posteriors(power):
    process = D3PM(4, "absorbing", steps=100, ce_weight=0.0, power=power)
    g = torch.Generator().manual_seed(0)
    pred, x0 = torch.randn(6, 3, 5, generator=g, dtype=torch.float64), torch.randint(1, 5, (6, 3), generator=g)
    t = torch.linspace(0.1, 0.8, 6, dtype=torch.float64)
    x_t = torch.where(torch.rand(6, 3, generator=g) < 0.5, x0, 0)
    q = process.posterior(x_t, torch.nn.functional.one_hot(x0, 5).double(), t, t - 0.01)
    p = process.posterior(x_t, process.probabilities(pred).double(), t, t - 0.01)
    kl = (q * (q.clamp_min(1e-30).log() - p.clamp_min(1e-30).log())).sum(-1)
    keep = process.keep(t), process.keep(t - 0.01)
    wanted = (kl * ((1 - keep[0]) / (keep[1] - keep[0]))[:, None]).mean(1)
    torch.testing.assert_close(process.loss(pred, x0, x_t, t).double(), wanted, rtol=1e-4, atol=1e-5)


def test_a_power_keeps_classes_unknown_until_late():
    early, late = D3PM(4, "absorbing"), D3PM(4, "absorbing", power=3.0)
    x0, rng = torch.ones(4000, 1, dtype=torch.int64), Streams(torch.arange(4000))
    t = torch.full((4000,), 0.5)
    assert (early.corrupt(x0, t, rng) > 0).float().mean() == pytest.approx(0.5, abs=0.03)
    assert (late.corrupt(x0, t, rng) > 0).float().mean() == pytest.approx(0.125, abs=0.03)
