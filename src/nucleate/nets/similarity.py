"""A network that predicts from the descriptors of two formulas whether their structures are similar (CSPML)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class SimilarityNetwork(nn.Module):
    """Predicts from the standardised descriptors of two formulas the logit that their structures are similar.

    Its input is the absolute difference of both descriptors (Kusaba et al., Comput. Mater. Sci. 211, 111496 (2022)), so
    that the result does not depend on their order.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, features: int, *, hidden: tuple[int, ...] = (256, 128), dropout: float = 0.1) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        layers: list[nn.Module] = []
        for a, b in zip((features, *hidden), hidden, strict=False):
            layers += [nn.Linear(a, b), nn.SiLU(), nn.Dropout(dropout)]
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1] if hidden else features, 1))

    def standardise(self, descriptors: Tensor) -> Tensor:
        """Descriptors (..., F) in standard deviations of the training formulas."""
        return (descriptors - self.mean) / self.std

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Standardised descriptors (..., F) of both to logits (...,); shapes broadcast."""
        return self.layers((a - b).abs())[..., 0].float()
