"""Variance-exploding diffusion on the torus of fractional coordinates (Takahara et al. 2024, eqs. 4-5; Jiao et al.
2023)."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nucleate.diffusion.exploding import flow_move, geometric
from nucleate.diffusion.process import Visited, at, per_crystal
from nucleate.diffusion.rng import Streams

_IMAGES = 4  # |k| <= 4 images: the neglected weight is below exp(-24) for sigma <= 0.5


def wrap(difference: Tensor) -> Tensor:
    """A difference of fractional coordinates moved into [-1/2, 1/2) by an integer."""
    return difference - torch.floor(difference + 0.5)


def wrapped_normal_score(difference: Tensor, sigma: Tensor) -> Tensor:
    """The score d/dx log N_w(x; 0, sigma^2) of the wrapped normal distribution, by a sum over periodic images (Jiao et
    al. 2023, appendix B.1).

    difference, sigma: in fractional units, of shapes that broadcast; the result has the broadcast shape.
    """
    k = torch.arange(-_IMAGES, _IMAGES + 1, device=difference.device, dtype=difference.dtype)
    d = wrap(difference)[..., None] + k
    variance = sigma.square()[..., None]
    weights = torch.softmax(-d.square() / (2 * variance), dim=-1)
    return -(weights * d).sum(-1) / variance[..., 0]


@functools.lru_cache(maxsize=8)
def _score_scale_table(sigma_min: float, sigma_max: float, points: int = 256) -> np.ndarray:
    """sqrt(E[score^2]) on a grid of log sigma, by quadrature; this is 1 / sqrt(lambda_t) in eq. 5."""
    sigma = np.exp(np.linspace(math.log(sigma_min), math.log(sigma_max), points))[:, None, None]
    # the midpoint rule on the circle, with a grid that resolves the narrowest distribution
    u = (np.arange(8000) + 0.5) / 8000 - 0.5
    out = np.empty(points)
    for i, s in enumerate(sigma[:, 0, 0]):
        x = np.clip(u * min(1.0, 16 * s), -0.5, 0.5)[:, None] + np.arange(-_IMAGES, _IMAGES + 1)
        w = np.exp(-(x**2) / (2 * s**2))
        density = w.sum(1)
        score = -(w * x).sum(1) / s**2 / np.maximum(density, 1e-300)
        out[i] = math.sqrt((density * score**2).sum() / density.sum())
    return out


@functools.lru_cache(maxsize=16)
def _score_scale_on(sigma_min: float, sigma_max: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.as_tensor(_score_scale_table(sigma_min, sigma_max), dtype=dtype, device=device)


@dataclass(frozen=True)
class WrappedVE:
    """x_t ~ N_w(x0, sigma_t^2), a wrapped normal distribution, where sigma_t grows geometrically (eq. 4) and is 0 at
    t = 0.

    The network predicts the score divided by its root mean square, so that its target has unit scale at every t
    (the weight lambda_t of eq. 5). With `centred` the mean over the atoms of a crystal is subtracted from prediction
    and target. The density does not change if all atoms are shifted together, so the true score sums to zero, and the
    centred target has the same expectation with a smaller variance.
    """

    sigma_min: float = 0.005
    sigma_max: float = 0.5
    centred: bool = True

    def sigma(self, t: Tensor) -> Tensor:
        """The noise level in fractional units, in the shape of t; exactly 0 where t <= 0."""
        return geometric(t, self.sigma_min, self.sigma_max)

    def score_scale(self, t: Tensor) -> Tensor:
        """sqrt(E[score^2]) at t, in the shape of t."""
        table = _score_scale_on(self.sigma_min, self.sigma_max, t.dtype, t.device)
        position = t.clamp(0, 1) * (len(table) - 1)
        low = position.floor().clamp_max(len(table) - 2).long()
        return torch.lerp(table[low], table[low + 1], position - low)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return rng.uniform(like.shape).to(like)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return (x0 + at(self.sigma(t), x0) * rng.normal(x0.shape).to(x0)) % 1.0

    def target(self, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None) -> Tensor:
        """The normalised score of q(x_t | x0), in the shape of x0."""
        sigma = at(self.sigma(t).clamp_min(self.sigma_min), x0).expand_as(x0)
        score = wrapped_normal_score(x_t - x0, sigma) / at(self.score_scale(t), x0)
        return self.centre(score, mask)

    def centre(self, vectors: Tensor, mask: Tensor | None) -> Tensor:
        """Vectors (B, A, 3) minus their mean over the atoms of each crystal; unchanged if not `centred`."""
        if not self.centred or mask is None:
            return vectors
        weights = mask[..., None].to(vectors.dtype)
        return vectors - (vectors * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True).clamp_min(1)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        return per_crystal((self.centre(pred, mask) - self.target(x0, x_t, t, mask)).square(), mask)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """Ancestral step of the variance-exploding process (Song et al. 2021, eq. 46)."""
        sigma_t, sigma_s = at(self.sigma(t), x_t), at(self.sigma(s), x_t)
        score = pred * at(self.score_scale(t), x_t)
        gap = sigma_t.square() - sigma_s.square()
        spread = sigma_s * gap.sqrt() / sigma_t
        return (x_t + gap * score + noise * spread * rng.normal(x_t.shape).to(x_t)) % 1.0

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
        """A step along the probability flow: `exploding.flow_move` on the torus."""
        earlier = None
        if before is not None:
            x_r, pred_r, r = before
            earlier = wrap(x_t - x_r), self.displacement(pred_r, r), r
        return (x_t + flow_move(self, self.displacement(pred, t), t, s, earlier, noise, langevin)) % 1.0

    def displacement(self, pred: Tensor, t: Tensor) -> Tensor:
        """The displacement sigma^2 * score from x_t to its denoised estimate, in fractional units (Tweedie's formula on
        the torus)."""
        return pred * at(self.score_scale(t) * self.sigma(t).square(), pred)

    def correct(self, x_t: Tensor, pred: Tensor, t: Tensor, size: float, rng: Streams, noise: float = 1.0) -> Tensor:
        """A Langevin move. Its step is `size` at sigma_min and grows with sigma^2 (Jiao et al. 2023, algorithm 1)."""
        step = size * (at(self.sigma(t), x_t) / self.sigma_min).square()
        score = pred * at(self.score_scale(t), x_t)
        return (x_t + step * score + noise * (2 * step).sqrt() * rng.normal(x_t.shape).to(x_t)) % 1.0
