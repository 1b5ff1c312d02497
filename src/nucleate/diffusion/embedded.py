"""Diffusion-LM (Li et al., NeurIPS 2022): words as learned vectors with Gaussian noise, and back by rounding."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Visited, at, per_crystal
from nucleate.diffusion.rng import Streams


class Embedded:
    """x_t = sqrt(abar) E(w) + sqrt(1 - abar) eps for the vector E(w) of a word; the network predicts E(w) itself.

    table: gives the vectors (V, d) as they are at the moment, of length sqrt(d), so that they cannot shrink to nothing
    under the squared error. Training: squared error of the prediction and cross-entropy of its rounding,
    p(w | x) = softmax(x . E(w)) (their eq. 2; they round x0, which says less about the network). A step takes the
    vector of the nearest word in place of the prediction: their clamping trick.
    """

    def __init__(self, table: Callable[[], Tensor], schedule: str = "sqrt") -> None:
        self.table, self.gaussian = table, GaussianVP(schedule)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        """Normal vectors (B, A, d) for words (B, A)."""
        return rng.normal((*like.shape, self.table().shape[1])).to(like.device)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return self.gaussian.corrupt(self.table()[x0], t, rng)

    def logits(self, vectors: Tensor) -> Tensor:
        """Logits (..., V) of the word that each vector (..., d) stands for."""
        return vectors @ self.table().T

    def round(self, vectors: Tensor) -> Tensor:
        """The nearest word of each vector: (..., d) -> (...)."""
        return self.logits(vectors).argmax(-1)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        pred = pred.float()
        error = (pred - self.table()[x0]).square().mean(-1)
        rounding = F.cross_entropy(self.logits(pred).flatten(0, 1), x0.flatten(), reduction="none").view(x0.shape)
        return per_crystal(error + rounding, mask)

    def _noise(self, x_t: Tensor, pred: Tensor, t: Tensor) -> Tensor:
        """The noise in x_t if the clamped prediction is right."""
        abar = at(self.gaussian.alpha_bar(t.double()), x_t)
        clamped = self.table()[self.round(pred)]
        return ((x_t - abar.sqrt() * clamped) / (1 - abar).sqrt()).to(x_t)

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        return self.gaussian.step(x_t, self._noise(x_t, pred, t), t, s, rng, noise)

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
        """The probability flow at first order: a clamped prediction jumps, there is no slope to draw on."""
        return self.gaussian.flow(x_t, self._noise(x_t, pred, t), t, s, rng, None, noise)
