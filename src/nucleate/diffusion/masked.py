"""Masked tokens, of which the most certain are revealed first (MaskGIT, Chang et al., CVPR 2022), and numbers that are
revealed at the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from nucleate.diffusion.process import WithoutFlow, at, per_crystal
from nucleate.diffusion.rng import Streams

MASK = 0  # the hidden token; tokens of data are 1 ... num_classes


@dataclass(frozen=True)
class MaskedTokens(WithoutFlow):
    """Each token is hidden with a probability that grows with t, independently of the others.

    Only tokens that are MASK in the prior's `like` are drawn, so that padding and given tokens keep their values. The
    network gives logits (..., num_classes + 1) of the tokens of the data; class 0 is never drawn. The loss is the
    cross-entropy of the hidden tokens.

    low, high: the probability grows linearly from 0 at the time `low` to 1 at `high`. The tokens are revealed between
    these times, and have a loss only there. A field with later times than another one is drawn before it. surest:
    whether the most certain tokens are revealed first, which favours probable crystals. With False the order is random,
    so that samples follow the model.
    """

    num_classes: int
    low: float = 0.0
    high: float = 1.0
    surest: bool = True

    def hidden(self, t: Tensor) -> Tensor:
        """The probability that a token is hidden at the time t, in the shape of t."""
        return ((t - self.low) / (self.high - self.low)).clamp(0, 1)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return like.clone()

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return x0.masked_fill(rng.uniform(x0.shape).to(x0.device) < at(self.hidden(t), x0), MASK)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        hidden = (x_t == MASK) & at(t <= self.high, x_t)
        if mask is not None:
            hidden = hidden & mask.reshape(*mask.shape, *(1,) * (x0.dim() - mask.dim()))
        error = F.cross_entropy(self.logits(pred).flatten(0, -2), x0.flatten(), reduction="none").view(x0.shape)
        sums = (error * hidden).flatten(1).sum(1)
        # divided by the expected number of hidden tokens, so that all tokens of the batch have the same weight
        tokens = torch.full_like(t, x0[0].numel()) if mask is None else mask.sum(1) * (x0[0].numel() / mask.shape[1])
        return sums / (tokens * 0.5).clamp_min(1)

    def logits(self, pred: Tensor) -> Tensor:
        """Logits in single precision, without the hidden token."""
        logits = pred.float().clone()
        logits[..., MASK] = -torch.inf
        return logits

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """Reveal as many tokens as MaskGIT's cosine schedule requires at s, the most probable drawn values first.

        noise: the temperature of the draws, and of the order in which tokens are revealed; 0 takes the most probable.
        """
        logits, hidden = self.logits(pred), x_t == MASK
        drawn = rng.categorical((logits / noise).softmax(-1)) if noise > 0 else logits.argmax(-1)
        sure = logits.log_softmax(-1).gather(-1, drawn[..., None])[..., 0]
        now, then = self.hidden(t), self.hidden(s)
        uniform = rng.uniform(x_t.shape).to(sure).clamp(1e-9, 1 - 1e-7)
        sure = sure - noise * at(now, sure) * (-uniform.log()).log() if self.surest else uniform
        sure = sure.masked_fill(~hidden, -torch.inf).flatten(1)
        left = hidden.flatten(1).sum(1)
        # the share that stays hidden falls as a cosine from 1 to 0 while the probability falls from 1 to 0
        now, then = (torch.cos(math.pi / 2 * (1 - v)) for v in (now, then))
        stay = torch.floor(left * (then / now.clamp_min(1e-6)).clamp(0, 1)).long()
        place = torch.argsort(torch.argsort(sure, dim=1, descending=True, stable=True), dim=1)
        shown = (place < (left - stay)[:, None]).view(x_t.shape) & hidden
        return torch.where(shown, drawn, x_t)


@dataclass(frozen=True)
class RevealedAtEnd(WithoutFlow):
    """Numbers that are no input of the network, but its output at the last step, such as the offset of a coordinate
    within its bin. The loss is the mean square error."""

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        return torch.zeros_like(like)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return torch.zeros_like(x0)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        return per_crystal((pred - x0).square(), mask)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        return torch.where(at(s, x_t) <= 0, pred.to(x_t), x_t)
