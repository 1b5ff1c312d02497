"""Self-conditioning (Chen, Zhang, Hinton 2023): a denoiser sees its own earlier output beside the noisy fields."""

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
    """The fields and an earlier output beside them."""
    return {**fields, **{ESTIMATE + k: v for k, v in estimate.items()}}


class Primed:
    """For training: the output of a first call, through which no gradient flows, is shown to the second."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        with torch.no_grad():
            estimate = self.denoiser(fields, t, condition)
        return self.denoiser(with_estimate(fields, estimate), t, condition)


class Remembering:
    """For sampling: each call sees the output of the call before, at a slightly higher noise level."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser = denoiser
        self.last: Fields = {}

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        self.last = self.denoiser(with_estimate(fields, self.last), t, condition)
        return self.last
