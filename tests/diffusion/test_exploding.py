import math

import pytest
import torch

from nucleate.diffusion.exploding import GaussianVE
from nucleate.diffusion.loop import LANGEVIN, sample
from nucleate.diffusion.rng import Streams
from nucleate.errors import NucleateError

PROCESS = GaussianVE(0.01, 3.0)


def ideal(std: float, mean: float = 0.0):
    """eps of normal data, exactly."""

    def denoiser(fields, t, condition):
        sigma = PROCESS.sigma(t)[:, None]
        return {"x": sigma * (fields["x"] - mean) / (std**2 + sigma**2)}

    return denoiser


def drawn(sampler: str, steps: int, std: float = 1.0, n: int = 500, **settings) -> torch.Tensor:
    like = {"x": torch.zeros(n, 20)}
    rng = Streams(torch.arange(n))
    return sample(ideal(std), {"x": PROCESS}, like, steps=steps, rng=rng, condition={}, sampler=sampler, **settings)[
        "x"
    ]


@pytest.mark.parametrize("sampler", ["ancestral", "ddim", "second-order"])
def test_standardised_data_come_back(sampler):
    x = drawn(sampler, 100)
    assert math.isclose(float(x.std()), 1.0, rel_tol=0.03) and abs(float(x.mean())) < 0.02


def test_the_second_order_flow_needs_fewer_steps():
    exact = drawn("second-order", 400, n=20)
    error = {s: float((drawn(s, 20, n=20) - exact).abs().mean()) for s in ("ddim", "second-order")}
    assert error["second-order"] < error["ddim"] / 4


def test_annealed_langevin_dynamics_keeps_the_data_and_its_temperature():
    settings = {"corrector_steps": 20, "corrector_size": 1e-5}  # 0.1 sigma^2 at each level
    x = drawn(LANGEVIN, 40, **settings)
    assert math.isclose(float(x.std()), 1.0, rel_tol=0.08)
    cold = drawn(LANGEVIN, 40, noise={"x": 0.15}, **settings)
    assert float(cold.std()) < 0.5
    assert torch.equal(x, drawn(LANGEVIN, 40, noise={"y": 0.15}, **settings))
    assert torch.equal(drawn(LANGEVIN, 10, n=5), drawn(LANGEVIN, 10, n=5, corrector_steps=1))  # not the prior's draw


def test_the_corrector_keeps_the_marginal():
    t, n = torch.full((400,), 0.5), 400
    sigma = PROCESS.sigma(t)[:1]
    start = (1 + sigma.square()).sqrt() * torch.randn(n, 50, generator=torch.Generator().manual_seed(0))
    x, rng, denoiser = start, Streams(torch.arange(n)), ideal(1.0)
    for _ in range(50):
        x = PROCESS.correct(x, denoiser({"x": x}, t, {})["x"], t, 5e-5, rng)
    assert math.isclose(float(x.std()), float(start.std()), rel_tol=0.03)
    assert float((x - start).std()) > 0.3 * float(sigma)  # it has moved


def test_the_loss_counts_only_free_elements():
    x0, t = torch.zeros(3, 4), torch.full((3,), 0.7)
    x_t = PROCESS.corrupt(x0, t, Streams(torch.arange(3)))
    free = torch.tensor([[True] * 4, [True] * 2 + [False] * 2, [False] * 4])
    eps = x_t / PROCESS.sigma(t)[:, None]
    off = eps.clone()
    off[:, 0] += 1
    assert torch.allclose(PROCESS.loss(off, x0, x_t, t, free), torch.tensor([0.25, 0.5, 0.0]), atol=1e-5)


def test_a_process_without_langevin_moves_is_refused():
    from nucleate.diffusion.gaussian import GaussianVP

    like = {"x": torch.zeros(2, 3)}
    with pytest.raises(NucleateError, match="Langevin dynamics cannot draw 'x'"):
        sample(
            ideal(1.0), {"x": GaussianVP()}, like, steps=2, rng=Streams(torch.arange(2)), condition={}, sampler=LANGEVIN
        )
