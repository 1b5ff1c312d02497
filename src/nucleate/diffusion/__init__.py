"""Diffusion: noise processes on named fields, the loops of training and sampling, and random streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.diffusion.discrete import D3PM
    from nucleate.diffusion.gaussian import GaussianVP
    from nucleate.diffusion.loop import Denoiser, Guided, sample, training_loss
    from nucleate.diffusion.process import Fields, Process
    from nucleate.diffusion.rng import Streams, derive_seeds
    from nucleate.diffusion.torus import WrappedVE

__getattr__ = lazy_names(
    __name__,
    {
        "D3PM": "nucleate.diffusion.discrete",
        "Denoiser": "nucleate.diffusion.loop",
        "Fields": "nucleate.diffusion.process",
        "GaussianVP": "nucleate.diffusion.gaussian",
        "Guided": "nucleate.diffusion.loop",
        "Process": "nucleate.diffusion.process",
        "Streams": "nucleate.diffusion.rng",
        "WrappedVE": "nucleate.diffusion.torus",
        "derive_seeds": "nucleate.diffusion.rng",
        "sample": "nucleate.diffusion.loop",
        "training_loss": "nucleate.diffusion.loop",
    },
)

__all__ = [
    "D3PM",
    "Denoiser",
    "Fields",
    "GaussianVP",
    "Guided",
    "Process",
    "Streams",
    "WrappedVE",
    "derive_seeds",
    "sample",
    "training_loss",
]
