"""Variance-preserving Gaussian diffusion for vectors (Ho et al. 2020; Takahara et al. 2024, eqs. 1-3)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nucleate.diffusion.process import Visited, at, drift, per_crystal
from nucleate.diffusion.rng import Streams

FINEST, COARSEST = 0.01, 30.0  # sigma / alpha of the exponential schedule: the scale near t = 0, the value at t = 1
_GAUSS_LEGENDRE = np.polynomial.legendre.leggauss(8)  # nodes and weights on [-1, 1]


@dataclass(frozen=True)
class GaussianVP:
    """x_t = sqrt(abar) x0 + sqrt(1 - abar) eps (eq. 2); the network predicts eps (eq. 3).

    schedule: "cosine" (Nichol & Dhariwal 2021, eq. 17). "linear" in beta (Ho et al. 2020, continuous limit of
    beta = 1e-4 .. 0.02 over 1,000 steps, abar(1) = 4e-5). "sqrt" (Li et al. 2022), which adds noise quickly, because
    the vectors of words are far from each other. "exponential", in which sigma / alpha grows exponentially from 0 to
    COARSEST; it suits positions, because it spends 29 % of the time at sigma / alpha below 0.1, where bonds can be
    recognised, while the cosine spends 6 % there. floor: abar at t = 1 of "cosine" and "sqrt"; it is above zero so that
    no step divides by zero.
    """

    schedule: str = "cosine"
    floor: float = 1e-4

    def alpha_bar(self, t: Tensor) -> Tensor:
        """abar(t), in the shape of t: 1 at t = 0, and decreasing to about `floor` at t = 1."""
        if self.schedule == "cosine":
            return torch.cos(t * math.acos(math.sqrt(self.floor))).square()
        if self.schedule == "exponential":
            return 1 / (1 + (FINEST * torch.expm1(t * math.log(1 + COARSEST / FINEST))).square())
        if self.schedule == "sqrt":
            return 1 - (1 - self.floor) * t.sqrt()
        if self.schedule == "linear":
            return torch.exp(-0.1 * t - 0.5 * (20.0 - 0.1) * t.square())
        raise ValueError(f"unknown schedule {self.schedule!r}")

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return rng.normal(like.shape).to(like)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        abar = at(self.alpha_bar(t), x0)
        return abar.sqrt() * x0 + (1 - abar).sqrt() * rng.normal(x0.shape).to(x0)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        abar = at(self.alpha_bar(t), x0)
        eps = (x_t - abar.sqrt() * x0) / (1 - abar).sqrt().clamp_min(1e-4)
        return per_crystal((pred - eps).square(), mask)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """An ancestral step (Takahara et al. 2024, below eq. 2) between any two noise levels."""
        abar_t, abar_s = at(self.alpha_bar(t), x_t), at(self.alpha_bar(s), x_t)
        alpha = abar_t / abar_s
        beta = 1 - alpha
        mean = (x_t - beta / (1 - abar_t).sqrt() * pred) / alpha.sqrt()
        variance = beta * (1 - abar_s) / (1 - abar_t)
        return mean + noise * variance.sqrt() * rng.normal(x_t.shape).to(x_t)

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
        """A DDIM step (Song, Meng, Ermon 2021, eq. 12 with sigma = 0); with `before`, a two-step method as DPM-Solver++
        (Lu et al. 2022).

        With y = x / sqrt(abar) and sigma = sqrt((1 - abar) / abar) the flow is dy = k (y - x0) d log sigma, where k is
        `drift(noise)`. The first method integrates it exactly for a constant estimate x0, the second one for an
        estimate that is linear in log abar. Like the posterior mean, the latter is about linear in Lu's lambda at high
        noise and in the variance of the noise at low noise. DPM-Solver++(2M) uses lambda everywhere, which is infinite
        at t = 0, and is not of second order there.
        """
        # in double precision, because 1 - abar loses digits near t = 0
        abar_t, abar_s = (at(self.alpha_bar(v.double()), x_t) for v in (t, s))
        x0 = denoised(x_t, pred, abar_t)
        eps = (x_t - abar_t.sqrt() * x0) / (1 - abar_t).sqrt()
        k = drift(noise)
        ratio = ((1 - abar_s) * abar_t / ((1 - abar_t) * abar_s)).sqrt()  # sigma_s / sigma_t
        x_s = abar_s.sqrt() * x0 + (1 - abar_s).sqrt() * ratio ** (k - 1) * eps
        if before is not None:
            x_r, pred_r, r = before
            abar_r = at(self.alpha_bar(r.double()), x_t)
            slope = (x0 - denoised(x_r, pred_r, abar_r)) / (abar_t / abar_r).log()
            rest = 2 * (1 - abar_s).sqrt() * weighted_turn(angle(abar_s), angle(abar_t), k)
            x_s = x_s + slope * (abar_s.sqrt() * (abar_s / abar_t).log() - rest)
        return x_s.to(x_t)


def denoised(x_t: Tensor, eps: Tensor, abar: Tensor) -> Tensor:
    """The estimate of x0 from x_t and the predicted noise eps."""
    return (x_t - (1 - abar).sqrt() * eps) / abar.sqrt()


def angle(abar: Tensor) -> Tensor:
    """arctan(noise / signal): 0 for data, pi / 2 for pure noise."""
    return torch.atan2((1 - abar).sqrt(), abar.sqrt())


def weighted_turn(low: Tensor, high: Tensor, k: float) -> Tensor:
    """The integral of (tan low / tan a)^(k - 1) over the angle a from low to high, by Gauss-Legendre quadrature with 8
    points. For k = 1 it is high - low."""
    nodes, weights = (torch.as_tensor(v, device=low.device) for v in _GAUSS_LEGENDRE)
    a = low[..., None] + (high - low)[..., None] * (1 + nodes) / 2
    return (high - low) / 2 * ((low.tan()[..., None] / a.tan()) ** (k - 1) * weights).sum(-1)
