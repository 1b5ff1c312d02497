import math
from itertools import pairwise

import pytest
import torch

from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.diffusion.torus import WrappedVE, wrap, wrapped_normal_score
from nucleate.testing.ideal import IdealTorus


@pytest.mark.parametrize("sigma", [0.005, 0.05, 0.2, 0.5])
def test_score_is_the_gradient_of_the_wrapped_density(sigma):
    d = torch.linspace(-2, 2, 400, dtype=torch.float64, requires_grad=True)
    images = d[:, None] + torch.arange(-30, 31)
    torch.logsumexp(-images.square() / (2 * sigma**2), -1).sum().backward()
    score = wrapped_normal_score(d.detach(), torch.tensor(sigma, dtype=torch.float64))
    assert torch.allclose(score, d.grad, rtol=1e-6, atol=1e-6 / sigma)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.7, 1.0])
def test_score_scale_is_the_root_mean_square(t):
    p = WrappedVE()
    time = torch.full((400,), t)
    sigma = (p.sigma_min * (p.sigma_max / p.sigma_min) ** time)[:, None]
    noise = sigma * Streams(torch.arange(400)).normal((400, 1000))
    rms = wrapped_normal_score(noise, sigma.expand_as(noise)).square().mean().sqrt()
    assert math.isclose(float(p.score_scale(time)[0]), float(rms), rel_tol=0.02)


def test_target_has_unit_scale_and_zero_mean_over_atoms():
    p, mask = WrappedVE(), torch.ones(300, 12, dtype=torch.bool)
    mask[:, 9:] = False
    t = torch.linspace(0.01, 1, 300)
    x0 = torch.rand(300, 12, 3)
    target = p.target(x0, p.corrupt(x0, t, Streams(torch.arange(300))), t, mask)
    real = target * mask[..., None]
    assert real.sum(1).abs().max() < 1e-4
    assert math.isclose(float(real.square().sum() / (300 * 9 * 3)), 8 / 9, rel_tol=0.05)  # one part in nine is removed


def test_loss_ignores_padding_and_common_shifts():
    p, rng = WrappedVE(), Streams(torch.arange(5))
    x0, t = torch.rand(5, 6, 3), torch.linspace(0.1, 0.9, 5)
    mask = torch.tensor([[True] * 4 + [False] * 2] * 5)
    x_t = p.corrupt(x0, t, rng)
    pred = torch.randn(5, 6, 3)
    loss = p.loss(pred, x0, x_t, t, mask)
    other = pred + 3.0
    other[:, 4:] = 100.0
    assert torch.allclose(loss, p.loss(other, x0, x_t, t, mask), rtol=1e-4)


def test_sigma_is_zero_at_data():
    assert WrappedVE().sigma(torch.tensor([0.0, 1.0])).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("corrector_steps", [0, 1])
def test_sample_finds_the_points_of_a_mixture(corrector_steps):
    p, points, std = WrappedVE(centred=False), torch.tensor([0.02, 0.4, 0.75]), 0.01
    x = sample(
        IdealTorus(p, "x", points, std),
        {"x": p},
        {"x": torch.zeros(400, 30)},
        steps=300,
        rng=Streams(torch.arange(400)),
        condition={},
        corrector_steps=corrector_steps,
        corrector_size=1e-6,
    )["x"]
    offset = wrap(x[..., None] - points)
    nearest = offset.abs().argmin(-1)
    assert torch.allclose(torch.bincount(nearest.flatten()) / nearest.numel(), torch.full((3,), 1 / 3), atol=0.02)
    spread = offset.gather(-1, nearest[..., None]).std()
    assert math.isclose(float(spread), std, rel_tol=0.12)


def test_ancestral_steps_converge_at_first_order():
    """Far from wrapping the step is linear: propagate the variance exactly."""
    p, std = WrappedVE(sigma_min=0.0005, sigma_max=0.03, centred=False), 0.01

    class One:
        def __init__(self, z):
            self.z = z

        def normal(self, shape):
            return torch.full(tuple(shape), self.z, dtype=torch.float64)

    def variance(steps):
        v = p.sigma_max**2 + std**2
        times = torch.linspace(1, 0, steps + 1, dtype=torch.float64)
        for t, s in zip(times[:-1, None], times[1:, None], strict=True):
            width = p.sigma(t) ** 2 + std**2

            def step(x, z, t=t, s=s, width=width):
                x = torch.full((1, 1), x, dtype=torch.float64)
                pred = -x / width / p.score_scale(t)
                return float(wrap(p.step(x, pred, t, s, One(z))))

            v = (step(1e-4, 0.0) / 1e-4) ** 2 * v + step(0.0, 0.1) ** 2 * 100
        return v

    errors = [abs(variance(n) - std**2) for n in (50, 100, 200, 400)]
    orders = [math.log2(a / b) for a, b in pairwise(errors)]
    assert errors[-1] < 0.05 * std**2 and all(0.8 < order < 2.2 for order in orders), (errors, orders)


def test_langevin_correction_keeps_the_marginal():
    p, std = WrappedVE(centred=False), 0.02
    t = torch.full((500,), 0.3)
    ideal = IdealTorus(p, "x", torch.tensor([0.5]), std)
    rng = Streams(torch.arange(500))
    width = math.sqrt(float(p.sigma(t)[0]) ** 2 + std**2)
    x = (0.5 + width * rng.normal((500, 40))) % 1
    for _ in range(200):
        x = p.correct(x, ideal({"x": x}, t, {})["x"], t, 1e-6, rng)
    assert math.isclose(float(wrap(x - 0.5).std()), width, rel_tol=0.03)
