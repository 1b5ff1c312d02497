"""Absorbing discrete diffusion with the spindle schedule of DiffusionBERT (He et al., arXiv 2211.15029)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nucleate.diffusion.process import WithoutFlow
from nucleate.diffusion.rng import Streams

MASK = 0  # the absorbing word


@dataclass(frozen=True)
class Spindle(WithoutFlow):
    """At time t a word v is unchanged with probability a_v(t) = 1 - t - w sin(pi t) H_v, clipped to [0, 1]; otherwise
    it is MASK.

    H_v = 1 - mean(H) / H(v), where H(v) = -log(frequency of v) is the information of a word and mean(H) its mean over
    all words of the training data. (He et al. use the mean over the current sentence, which the reverse process does
    not know.) Each a_v falls from 1 to 0. With w > 0 rare words are masked first, so that common words are generated
    first; with w < 0 it is the other way round; with w = 0 all words have the same schedule. The network gives logits
    (..., V) of x0; MASK never occurs in data. information: H(v) in nats, 0 for words that never occur. weight: w.
    """

    information: tuple[float, ...]
    weight: float = 0.3  # "word frequency" in Dong et al., Tables 1 and 3

    def relative(self, device: torch.device | None = None) -> Tensor:
        """H_v of all words, (V,); 0 for words that never occur."""
        h = torch.tensor(self.information, dtype=torch.float32, device=device)
        mean = ((-h).exp() * h)[h > 0].sum()
        return torch.where(h > 0, 1 - mean / h.clamp_min(1e-6), torch.zeros_like(h))

    def keep(self, t: Tensor) -> Tensor:
        """a_v(t) of all words: times (...) -> (..., V)."""
        bend = self.weight * torch.sin(math.pi * t)[..., None] * self.relative(t.device)
        return (1 - t[..., None] - bend).clamp(0, 1)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return torch.full_like(like, MASK)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        keep = self.keep(t).gather(1, x0.flatten(1)).view(x0.shape)
        return torch.where(rng.uniform(x0.shape).to(x0.device) < keep, x0, torch.full_like(x0, MASK))

    def probabilities(self, pred: Tensor) -> Tensor:
        """The probabilities of x0 from logits; words that never occur in the training data get 0."""
        seen = torch.tensor(self.information, device=pred.device) > 0
        seen[MASK] = False
        return pred.float().masked_fill(~seen, -torch.inf).softmax(-1)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        """The mean cross-entropy over the masked words of each sentence, (B,); 0 if no word is masked.

        With weight 0 its expectation is the bound of the log likelihood per word (Austin et al. 2021, appendix A.3),
        because every number of masked words is equally likely.
        """
        logits = pred.float().clone()
        logits[..., MASK] = -torch.inf
        entropy = F.cross_entropy(logits.flatten(0, 1), x0.flatten(), reduction="none").view(x0.shape)
        hidden = (x_t == MASK).float() if mask is None else ((x_t == MASK) & mask).float()
        return (entropy * hidden).sum(1) / hidden.sum(1).clamp_min(1)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """A draw of the posterior for masked words; other words stay. `noise` is ignored, because words have no noise
        to scale."""
        return torch.where(x_t == MASK, rng.categorical(self.posterior(self.probabilities(pred), t, s)), x_t)

    def posterior(self, p0: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """The exact p(x_s | x_t = MASK) = sum over x0 of q(x_s | MASK, x0) p0(x0): (B, A, V) -> (B, A, V)."""
        a_t, a_s = self.keep(t)[:, None], self.keep(s)[:, None]
        shown = torch.where(a_t < 1, (a_s - a_t) / (1 - a_t).clamp_min(1e-9), torch.ones_like(a_s))
        p = p0 * shown
        p[..., MASK] = (1 - p.sum(-1)).clamp_min(0)
        return p
