"""Discrete diffusion on categories, D3PM (Austin et al. 2021; Takahara et al. 2024, eqs. 6-8)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nucleate.diffusion.process import WithoutFlow, at, per_crystal
from nucleate.diffusion.rng import Streams

MASK = 0  # the absorbing class; data classes are 1..num_classes


@dataclass(frozen=True)
class D3PM(WithoutFlow):
    """x_t keeps its class with probability a(t) = (1 - t)^power; otherwise it is drawn from the limit distribution.

    With a power above 1 the classes stay unknown until late in sampling. If coordinates diffuse as well, crystals then
    get their geometry first and elements that fit it afterwards.

    limit: "uniform" over classes 1..num_classes (Takahara's Q_t = (1 - beta) I + beta / K 1 1^T), or "absorbing"
    (class 0). The transition matrices differ from a multiple of the identity by a matrix of rank one, so no K x K
    matrix is needed. The network gives logits (..., num_classes + 1) of x0; class 0 never occurs in data and is
    excluded. The loss is eq. 8 between the exact posteriors over a step of length 1 / steps, plus `ce_weight` times the
    cross-entropy of x0 (Austin et al., eq. 5).
    """

    num_classes: int
    limit: str = "uniform"
    steps: int = 1000
    ce_weight: float = 1.0
    power: float = 1.0

    def __post_init__(self) -> None:
        if self.limit not in ("uniform", "absorbing"):
            raise ValueError(f"unknown limit {self.limit!r}")

    def keep(self, t: Tensor) -> Tensor:
        """a(t), the probability that no transition has happened until t."""
        return (1 - t) ** self.power

    def limit_distribution(self, like: Tensor) -> Tensor:
        """The limit distribution over 0..K, shape (K + 1,)."""
        p = torch.zeros(self.num_classes + 1, device=like.device)
        if self.limit == "absorbing":
            p[MASK] = 1.0
        else:
            p[1:] = 1.0 / self.num_classes
        return p

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return rng.categorical(self.limit_distribution(like).expand(*like.shape, -1))

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        keep = rng.uniform(x0.shape) < at(self.keep(t), x0)
        return torch.where(keep, x0, self.prior(x0, rng))

    def posterior(self, x_t: Tensor, p0: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """The exact p(x_s | x_t) = sum over x0 of q(x_s | x_t, x0) p0(x0), shape (..., K + 1).

        The term of each class x0 is divided by its own q(x_t | x0). A single normalisation after the sum would be
        biased for the uniform limit.
        """
        a_t, a_s = (at(self.keep(v), x_t)[..., None] for v in (t, s))
        pi = self.limit_distribution(x_t)
        pi_t = pi[x_t][..., None]
        one_hot = F.one_hot(x_t, self.num_classes + 1).to(p0.dtype)
        likelihood = a_t * one_hot + (1 - a_t) * pi_t  # q(x_t | x0) for every x0
        w = torch.where(p0 > 0, p0 / likelihood.clamp_min(1e-12), torch.zeros_like(p0))
        a_ts = a_t / a_s
        forward = a_ts * one_hot + (1 - a_ts) * pi_t  # q(x_t | x_s) for every x_s
        p = forward * (a_s * w + (1 - a_s) * pi * w.sum(-1, keepdim=True))
        return p / p.sum(-1, keepdim=True).clamp_min(1e-12)

    def probabilities(self, pred: Tensor) -> Tensor:
        """The probabilities of x0 from logits, without the absorbing class."""
        logits = pred.float().clone()
        logits[..., MASK] = -torch.inf
        return logits.softmax(-1)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        p0 = self.probabilities(pred)
        log_p0 = p0.gather(-1, x0[..., None]).clamp_min(1e-12).log()[..., 0]
        t = t.clamp(1.0 / self.steps, 1.0)
        if self.limit == "absorbing":  # eq. 8 in closed form, because differences of a(t) are inaccurate in float32
            return per_crystal(-log_p0 * (x_t == MASK) - self.ce_weight * log_p0, mask)
        s = t - 1.0 / self.steps
        q = self.posterior(x_t, F.one_hot(x0, self.num_classes + 1).to(p0.dtype), t, s)
        p = self.posterior(x_t, p0, t, s)
        kl = (q * (q.clamp_min(1e-12).log() - p.clamp_min(1e-12).log())).sum(-1)
        a_t, a_s = self.keep(t), self.keep(s)
        weight = (1 - a_t) / (a_s - a_t).clamp_min(1e-4)  # 1 / (probability of a transition in this step)
        return per_crystal(at(weight, kl) * kl - self.ce_weight * log_p0, mask)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """A draw of x_s from the exact posterior. `noise` is ignored, because categories have no noise to scale."""
        return rng.categorical(self.posterior(x_t, self.probabilities(pred), t, s))
