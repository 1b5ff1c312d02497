import math
from itertools import pairwise

import pytest
import torch

from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.testing.ideal import IdealGaussian

SCHEDULES = ["cosine", "linear", "exponential"]


class Fixed:
    """A 'random' stream that always gives one value: exposes the coefficients of an affine step."""

    def __init__(self, value):
        self.value = value

    def normal(self, shape):
        return torch.full(tuple(shape), self.value, dtype=torch.float64)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_schedule_runs_from_data_to_noise(schedule):
    abar = GaussianVP(schedule).alpha_bar(torch.linspace(0, 1, 101))
    assert abar[0] == 1 and abar[-1] < 2e-3 and (abar.diff() < 0).all() and (abar > 0).all()


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_corrupt_has_the_marginal_of_eq_2(schedule):
    p, t = GaussianVP(schedule), torch.full((500,), 0.4)
    x = p.corrupt(torch.full((500, 400), 2.0), t, Streams(torch.arange(500)))
    abar = float(p.alpha_bar(t)[0])
    assert math.isclose(float(x.mean()), 2 * math.sqrt(abar), abs_tol=0.01)
    assert math.isclose(float(x.var()), 1 - abar, abs_tol=0.01)


def test_loss_is_zero_for_the_true_noise_and_its_square_otherwise():
    p, rng = GaussianVP(), Streams(torch.arange(4))
    x0, t = torch.randn(4, 6), torch.tensor([0.1, 0.4, 0.7, 0.99])
    x_t = p.corrupt(x0, t, rng)
    abar = p.alpha_bar(t)[:, None]
    eps = (x_t - abar.sqrt() * x0) / (1 - abar).sqrt()
    assert p.loss(eps, x0, x_t, t).max() < 1e-8
    assert torch.allclose(p.loss(eps + 0.5, x0, x_t, t), torch.full((4,), 0.25), atol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_ancestral_steps_converge_to_the_data_at_first_order(schedule):
    """With the ideal denoiser the sampler is affine: propagate mean and variance exactly, no Monte Carlo."""
    p, mean, std = GaussianVP(schedule), 0.7, 0.3
    ideal = IdealGaussian(p, "x", mean, std)

    def moments(steps):
        m, v = 0.0, 1.0
        times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        for t, s in zip(times[:-1, None], times[1:, None], strict=True):

            def step(x, z, t=t, s=s):
                x = torch.full((1, 1), x, dtype=torch.float64)
                return float(p.step(x, ideal({"x": x}, t, {})["x"], t, s, Fixed(z)))

            offset = step(0.0, 0.0)
            m, v = step(m, 0.0), (step(1.0, 0.0) - offset) ** 2 * v + (step(0.0, 1.0) - offset) ** 2
        return m, v

    errors = [abs(moments(n)[1] - std**2) for n in (50, 100, 200, 400)]
    assert abs(moments(400)[0] - mean) < 5e-3 and errors[-1] < 6e-3
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert 0.8 < orders[-1] < 2.2 and min(orders) > 0.6, orders


def test_sample_draws_the_data_distribution():
    p = GaussianVP()
    x = sample(
        IdealGaussian(p, "x", 1.5, 0.2),
        {"x": p},
        {"x": torch.zeros(2000, 6)},
        steps=200,
        rng=Streams(torch.arange(2000)),
        condition={},
    )["x"]
    assert abs(float(x.mean()) - 1.5) < 0.01 and abs(float(x.std()) - 0.2) < 0.01


def test_unknown_schedule_is_refused():
    with pytest.raises(ValueError, match="unknown schedule"):
        GaussianVP("square").alpha_bar(torch.zeros(1))
