"""Variance-exploding Gaussian diffusion for vectors (Song et al. 2021; Sultanov et al. 2023, section 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nucleate.diffusion.process import Visited, at, drift, per_crystal
from nucleate.diffusion.rng import Streams


class Exploding(Protocol):
    """A process with x_t ~ N(x0, sigma_t^2)."""

    @property
    def sigma_min(self) -> float: ...

    def sigma(self, t: Tensor) -> Tensor: ...


def geometric(t: Tensor, low: float, high: float) -> Tensor:
    """Noise levels that grow geometrically from low to high, in the shape of t; exactly 0 where t <= 0."""
    value = low * (high / low) ** t
    return torch.where(t > 0, value, torch.zeros_like(value))


def flow_move(
    process: Exploding,
    d: Tensor,
    t: Tensor,
    s: Tensor,
    before: tuple[Tensor, Tensor, Tensor] | None,
    noise: float,
    langevin: float,
) -> Tensor:
    """The change x_s - x_t along the flow dx = -sigma score d sigma.

    d: the denoised displacement E[x0 - x_t | x_t] at t, which is held constant over the step; the change is then
    (1 - sigma_s / sigma_t) d. This is Euler's step in sigma, in which the path to a single x0 is a straight line. (A
    step in sigma^2 / 2 would hold the score constant, which grows as 1 / sigma on that path, and would end half way at
    sigma = 0.) With `before` = (x_t - x_r, the d at r, r) of the previous step, x_t + d is extrapolated in log sigma:
    DPM-Solver++(2M) (Lu et al. 2022).

    noise: with k = `drift(noise)`, the part (sigma_s / sigma_t)^k of d is left after the step. langevin: the sum L of
    the sizes of Langevin moves. Taken as infinitely many small moves with a constant estimate, they leave the part
    exp(-(1 - noise^2) L / sigma_min^2) of that.
    """
    sigma_t, sigma_s = at(process.sigma(t), d), at(process.sigma(s), d)
    if before is not None:
        moved, d_r, r = before
        ratio = (sigma_t / sigma_s).log() / (at(process.sigma(r), d) / sigma_t).log()
        ratio = torch.where(sigma_s > 0, ratio, torch.zeros_like(ratio))  # the last step is of first order
        d = d + 0.5 * ratio * (moved + d - d_r)
    left = (sigma_s / sigma_t) ** drift(noise) * math.exp((1 - drift(noise)) * langevin / process.sigma_min**2)
    return (1 - left) * d


@dataclass(frozen=True)
class GaussianVE:
    """x_t = x0 + sigma_t eps, where sigma_t grows geometrically and is 0 at t = 0. The network predicts eps, which is
    minus sigma_t times the score.

    Data are standardised, so the prior is a normal distribution with the variance 1 + sigma_max^2.
    """

    sigma_min: float = 0.01
    sigma_max: float = 3.0

    def sigma(self, t: Tensor) -> Tensor:
        """The noise level in standard deviations of the data, in the shape of t; exactly 0 where t <= 0."""
        return geometric(t, self.sigma_min, self.sigma_max)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return math.sqrt(1 + self.sigma_max**2) * rng.normal(like.shape).to(like)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return x0 + at(self.sigma(t), x0) * rng.normal(x0.shape).to(x0)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        """The score-matching loss weighted by sigma^2, so that all noise levels count equally (Sultanov et al. 2023,
        eqs. 5-6)."""
        eps = (x_t - x0) / at(self.sigma(t).clamp_min(self.sigma_min), x0)
        return per_crystal((pred - eps).square(), mask)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """Ancestral step of the variance-exploding process (Song et al. 2021, eq. 46)."""
        sigma_t, sigma_s = at(self.sigma(t), x_t), at(self.sigma(s), x_t)
        gap = sigma_t.square() - sigma_s.square()
        spread = sigma_s * gap.sqrt() / sigma_t
        return x_t - gap / sigma_t * pred + noise * spread * rng.normal(x_t.shape).to(x_t)

    def flow(
        self,
        x_t: Tensor,
        pred: Tensor,
        t: Tensor,
        s: Tensor,
        rng: Streams,
        before: Visited | None = None,
        noise: float = 1.0,
        langevin: float = 0.0,
    ) -> Tensor:
        """A step along the probability flow (`flow_move`)."""
        d = -at(self.sigma(t), x_t) * pred
        earlier = None
        if before is not None:
            x_r, pred_r, r = before
            earlier = x_t - x_r, -at(self.sigma(r), x_t) * pred_r, r
        return x_t + flow_move(self, d, t, s, earlier, noise, langevin)

    def correct(self, x_t: Tensor, pred: Tensor, t: Tensor, size: float, rng: Streams, noise: float = 1.0) -> Tensor:
        """A Langevin move. Its step is `size` at sigma_min and grows with sigma^2 (Sultanov et al. 2023, algorithm 1,
        where epsilon_L is twice this size)."""
        sigma = at(self.sigma(t), x_t)
        step = size * (sigma / self.sigma_min).square()
        return x_t - step / sigma * pred + noise * (2 * step).sqrt() * rng.normal(x_t.shape).to(x_t)
