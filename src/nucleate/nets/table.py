"""The common part of UniMat's two networks: the condition, and the log odds that are known without a network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nucleate.codecs.unimat import UniMatCodec
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.nets.condition import ConditionEmbedding
from nucleate.nets.occupancy import evidence

STEEP = 8.0  # log odds beyond which features saturate


class TableNetwork(nn.Module):
    """The base class of both networks.

    elements (P,): the atomic numbers. rates (P,): the log odds, counted in the training crystals, that a slot of an
    element holds an atom. Networks for a given composition have no rates, since the composition fixes which slots do.
    """

    elements: Tensor
    rates: Tensor

    def __init__(
        self,
        codec: UniMatCodec,
        max_atoms: int,
        processes: Mapping[str, GaussianVP],
        dim: int,
        condition_on: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.codec, self.processes = codec, processes
        self.condition = ConditionEmbedding(dim, codec.num_elements, max_atoms, condition_on)
        self.register_buffer("elements", torch.tensor(codec.elements), persistent=False)
        if not codec.given:
            self.register_buffer("rates", torch.logit(codec.rates, eps=1e-6), persistent=False)

    def log_odds(self, x: Tensor, alpha_bar: Tensor) -> Tensor:
        """Log odds (B, P, L) that noisy slots x (B, P, L, 3) hold an atom: `evidence` of the slot plus `rates`."""
        return evidence(x, alpha_bar) + self.rates[:, None]


def squashed(log_odds: Tensor) -> Tensor:
    """Log odds as features between -1 and 1, in the same shape."""
    return torch.tanh(log_odds / STEEP)
