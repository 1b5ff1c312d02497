"""Self-conditioning (Chen, Zhang, Hinton 2023): a network gets its own earlier output together with the noisy
fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields

if TYPE_CHECKING:
    from nucleate.diffusion.loop import Denoiser

ESTIMATE = "estimate."  # prefix of the fields that hold an earlier output


def with_estimate(fields: Fields, estimate: Mapping[str, Tensor]) -> Fields:
    """The fields together with an earlier output of the network."""
    return {**fields, **{ESTIMATE + k: v for k, v in estimate.items()}}


class Primed:
    """The denoiser for training: it calls the network twice, and the second call gets the output of the first one,
    through which no gradient flows."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        with torch.no_grad():
            estimate = self.denoiser(fields, t, condition)
        return self.denoiser(with_estimate(fields, estimate), t, condition)


class Remembering:
    """The denoiser for sampling: each call gets the output of the previous call, which was at a slightly higher noise
    level."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.last: Fields = {}

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        self.last = self.denoiser(with_estimate(fields, self.last), t, condition)
        return self.last
