"""Diffusion-LM (Li et al., NeurIPS 2022): words become learned vectors, which get Gaussian noise, and vectors become
words again by rounding."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional as F

from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Visited, at, per_crystal
from nucleate.diffusion.rng import Streams


class Embedded:
    """x_t = sqrt(abar) E(w) + sqrt(1 - abar) eps for the vector E(w) of a word w; the network predicts E(w).

    table: gives the current vectors (V, d). They have the length sqrt(d), because the squared error would otherwise
    shrink them to zero. The loss is the squared error of the prediction plus the cross-entropy of its rounding,
    p(w | x) = softmax(x . E(w)) (Li et al., eq. 2, where x0 is rounded and not the prediction). In a step of sampling
    the prediction is replaced by the vector of the nearest word (their clamping trick).
    """

    def __init__(self, table: Callable[[], Tensor], schedule: str = "sqrt") -> None:
        self.table, self.gaussian = table, GaussianVP(schedule)

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        """Normal vectors (B, A, d) for words (B, A)."""
        return rng.normal((*like.shape, self.table().shape[1])).to(like.device)

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        return self.gaussian.corrupt(self.table()[x0], t, rng)

    def logits(self, vectors: Tensor) -> Tensor:
        """Logits (..., V) of the words for vectors (..., d)."""
        return vectors @ self.table().T

    def round(self, vectors: Tensor) -> Tensor:
        """The nearest word of each vector: (..., d) -> tokens (...)."""
        return self.logits(vectors).argmax(-1)

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None = None) -> Tensor:
        pred = pred.float()
        error = (pred - self.table()[x0]).square().mean(-1)
        rounding = F.cross_entropy(self.logits(pred).flatten(0, 1), x0.flatten(), reduction="none").view(x0.shape)
        return per_crystal(error + rounding, mask)

    def _noise(self, x_t: Tensor, pred: Tensor, t: Tensor) -> Tensor:
        """The noise that x_t contains if the clamped prediction is correct."""
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
        """A first-order step of the probability flow. A second-order step makes no sense, because the clamped
        prediction jumps from word to word and has no slope."""
        return self.gaussian.flow(x_t, self._noise(x_t, pred, t), t, s, rng, None, noise)
