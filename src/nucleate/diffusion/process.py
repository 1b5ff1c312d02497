"""The protocol of noise processes, and functions that they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from nucleate.diffusion.rng import Streams

Fields = Mapping[str, Tensor]
Visited = tuple[Tensor, Tensor, Tensor]  # (x, pred, t) of one field in the previous step


class Process(Protocol):
    """The noise on one field. It defines both the training loss and the reverse step, so that these always match.

    Times `t` (B,) are in [0, 1], where 0 is data and 1 is the prior. `mask` (B, A) is true for atoms and false for
    padding; with more axes it is true for the free elements of a field; it is None for a field without atoms. `pred` is
    the output of the network for this field.
    """

    def prior(self, like: Tensor, rng: Streams) -> Tensor:
        """A draw at t = 1 with the shape of `like`."""
        ...

    def corrupt(self, x0: Tensor, t: Tensor, rng: Streams) -> Tensor:
        """A draw of q(x_t | x0)."""
        ...

    def loss(self, pred: Tensor, x0: Tensor, x_t: Tensor, t: Tensor, mask: Tensor | None) -> Tensor:
        """Loss per crystal, shape (B,)."""
        ...

    def step(self, x_t: Tensor, pred: Tensor, t: Tensor, s: Tensor, rng: Streams, noise: float = 1.0) -> Tensor:
        """A draw of the model's reverse transition from noise level t to the lower one s < t."""
        ...

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
        """A step along the probability-flow ODE (Song et al. 2021, eq. 13).

        before: the previous step. Without it the step is of first order, with a constant denoised estimate; with it the
        step is of second order, with an estimate that is extrapolated from both. A first-order step to s = 0 gives the
        estimate itself. A process without a flow (categories) draws as `step` does. noise: 1 is the probability flow;
        in general its drift is multiplied by `drift(noise)`. langevin: the sum of the sizes of moves of
        `Correctable.correct` whose drift is added to the step; with noise 1 that drift is zero.
        """
        ...


class WithoutFlow:
    """A process that has no probability flow, such as one of categories: a deterministic map cannot spread one class
    over several. A step along the flow is then a draw as in `step`."""

    def flow(
        self: Process,
        x_t: Tensor,
        pred: Tensor,
        t: Tensor,
        s: Tensor,
        rng: Streams,
        before: Visited | None = None,
        noise: float = 1.0,
        langevin: float = 0.0,
    ) -> Tensor:
        """A draw as in `step`."""
        return self.step(x_t, pred, t, s, rng, noise)


class Correctable(Protocol):
    """A process that also has a Langevin move at a fixed noise level."""

    def correct(self, x_t: Tensor, pred: Tensor, t: Tensor, size: float, rng: Streams, noise: float = 1.0) -> Tensor:
        """One Langevin move. To first order in `size` it does not change the distribution of x_t."""
        ...


def drift(noise: float) -> float:
    """The drift of a reverse process whose noise is multiplied by `noise`, in units of the drift of the probability
    flow.

    The reverse SDE is the sum of the probability flow and of Langevin dynamics (Karras et al. 2022, eq. 6). The latter
    has the same drift as the flow, and noise that compensates it. With noise multiplied by n, only n^2 of that drift is
    compensated, so the total drift is 1 + (1 - n^2) = 2 - n^2. With n = 1 it is that of the flow, and with n = 0 that
    of the mean of ancestral steps.
    """
    return 2.0 - noise**2


def at(t: Tensor, x: Tensor) -> Tensor:
    """Reshape per-crystal values (B,) to broadcast against x (B, ...)."""
    return t.reshape(t.shape + (1,) * (x.dim() - t.dim()))


def per_crystal(values: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of all values of each crystal: (B, ...) -> (B,).

    With a mask, of shape (B, A) or with more of the axes of `values`, only values where it is true count; the mean is 0
    if there are none.
    """
    if mask is None:
        return values.flatten(1).mean(1)
    inner = values.flatten(mask.dim()).mean(-1) if values.dim() > mask.dim() else values
    weights = mask.to(inner.dtype).flatten(1)
    return (inner.flatten(1) * weights).sum(1) / weights.sum(1).clamp_min(1)
