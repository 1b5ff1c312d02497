"""The diffusion core: processes on named fields, the sampling and training loops, random streams."""

from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.loop import Denoiser, Guided, sample, training_loss
from nucleate.diffusion.process import Fields, Process
from nucleate.diffusion.rng import Streams, derive_seeds
from nucleate.diffusion.torus import WrappedVE

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
