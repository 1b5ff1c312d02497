"""Exact denoisers of simple data distributions, so that the mathematics of diffusion can be tested without training.

Each is called as a network is, with (fields, t, condition), t (B,), and predicts its one field for the whole batch.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Fields, at
from nucleate.diffusion.torus import WrappedVE, wrapped_normal_score


class IdealGaussian:
    """The expected noise E[eps | x_t] for x0 ~ N(mean, std^2), each element of the field by itself."""

    def __init__(self, process: GaussianVP, field: str, mean: float, std: float) -> None:
        self.process, self.field, self.mean, self.std = process, field, mean, std

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        x = fields[self.field]
        abar = at(self.process.alpha_bar(t), x)
        variance = abar * self.std**2 + 1 - abar
        return {self.field: (1 - abar).sqrt() * (x - abar.sqrt() * self.mean) / variance}


class IdealTorus:
    """The normalised score of x_t where x0 is one of `points` (M,), all equally likely, plus wrapped normal noise of
    standard deviation `std`; both in periods of the torus."""

    def __init__(self, process: WrappedVE, field: str, points: Tensor, std: float = 0.0) -> None:
        self.process, self.field, self.points, self.std = process, field, points, std

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        x = fields[self.field].double()
        width = at((self.process.sigma(t).double().square() + self.std**2).sqrt(), x)[..., None]
        difference = x[..., None] - self.points.double()
        images = difference[..., None] + torch.arange(-6, 7, dtype=torch.float64)
        log_density = torch.logsumexp(-images.square() / (2 * width[..., None].square()), -1)
        score = (log_density.softmax(-1) * wrapped_normal_score(difference, width)).sum(-1)
        return {self.field: (score / at(self.process.score_scale(t), x)).to(fields[self.field].dtype)}


class IdealCategorical:
    """Logits of p(x0 | x_t), where every entry of x0 is drawn from `p` (num_classes + 1,) independently."""

    def __init__(self, process: D3PM, field: str, p: Tensor) -> None:
        self.process, self.field, self.p = process, field, p

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        x = fields[self.field]
        keep = at(self.process.keep(t), x)[..., None]
        one_hot = torch.nn.functional.one_hot(x, len(self.p)).to(self.p.dtype)
        likelihood = keep * one_hot + (1 - keep) * self.process.limit_distribution(x)[x][..., None]
        return {self.field: (self.p * likelihood).clamp_min(1e-30).log()}
