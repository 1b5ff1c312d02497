"""The protocol that every noise process obeys, and the helpers they share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from nucleate.diffusion.rng import Streams

Fields = Mapping[str, Tensor]
Visited = tuple[Tensor, Tensor, Tensor]  # (x, pred, t) of one field at the step before


class Process(Protocol):
    """The noise on one field. It owns the training target and the reverse step, so the two cannot disagree.

    Times are in [0, 1]; 0 is data, 1 is the prior. `t` has shape (B,). `mask` (B, A) tells real atoms from
    padding, with more axes what is free of a field, or is None for a field without atoms. `pred` is what the network
    gives for this field.
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
        """A draw of the model's reverse transition to the lower noise level s < t."""
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
        """A step along the probability-flow ODE (Song et al. 2021, eq. 13): first order, second order given `before`.

        The denoised estimate is held constant over the step, or drawn on from that of the step before; a first-order
        step to s = 0 lands on the estimate itself. A process without a flow (categories) draws as `step` does.
        noise: 1 is that flow, less is colder: its drift is multiplied by `drift(noise)`.
        langevin: sum of the sizes of `Correctable.correct`'s moves whose drift the step takes in, colder flows only.
        """
        ...


class Correctable(Protocol):
    """A process that also offers a Langevin move at fixed noise level."""

    def correct(self, x_t: Tensor, pred: Tensor, t: Tensor, size: float, rng: Streams, noise: float = 1.0) -> Tensor:
        """One Langevin move that leaves the marginal at t invariant to first order in `size`."""
        ...


def drift(noise: float) -> float:
    """The drift of a reverse process whose noise is scaled by `noise`, in units of the probability flow's.

    The reverse SDE is the flow and Langevin dynamics side by side (Karras et al. 2022, eq. 6), the latter with as much
    drift as the flow, and noise that undoes it. Noise scaled by n spreads a density as a drift of -n^2 times that does,
    so 1 - n^2 of it remains: 2 - n^2 in all. At 1 that is the flow, at 0 the mean of each ancestral step.
    """
    return 2.0 - noise**2


def at(t: Tensor, x: Tensor) -> Tensor:
    """Reshape per-crystal values (B,) to broadcast against x (B, ...)."""
    return t.reshape(t.shape + (1,) * (x.dim() - t.dim()))


def per_crystal(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over a crystal's elements: (B, ...) -> (B,); with a mask, (B, A) or more of the axes, over what is true
    in it alone, and 0 where nothing is."""
    if mask is None:
        return values.flatten(1).mean(1)
    inner = values.flatten(mask.dim()).mean(-1) if values.dim() > mask.dim() else values
    weights = mask.to(inner.dtype).flatten(1)
    return (inner.flatten(1) * weights).sum(1) / weights.sum(1).clamp_min(1)
