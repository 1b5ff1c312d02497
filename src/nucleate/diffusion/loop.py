"""The two loops over named fields: one draws crystals, one gives the training loss. No other loop exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields, Process
from nucleate.diffusion.rng import Streams

MASK_FIELD = "mask"  # (B, A) bool, true for real atoms; travels with the fields, never diffuses


class Denoiser(Protocol):
    """(fields at noise level t (B,), t, condition tensors) -> a prediction for each diffusing field."""

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields: ...


def training_loss(
    denoiser: Denoiser,
    processes: Mapping[str, Process],
    per_atom: frozenset[str],
    fields: Fields,
    condition: Fields,
    rng: Streams,
) -> dict[str, Tensor]:
    """Loss of each diffusing field, per crystal (B,); fields without a process are given to the network as they are.

    per_atom: names of the fields whose second axis runs over atoms, (B, A, ...).
    """
    first = next(iter(processes))
    t = rng.uniform((len(fields[first]),)).to(fields[first].device)
    noisy = {k: processes[k].corrupt(v, t, rng) if k in processes else v for k, v in fields.items()}
    pred = denoiser(noisy, t, condition)
    mask = fields[MASK_FIELD]
    return {k: p.loss(pred[k], fields[k], noisy[k], t, mask if k in per_atom else None) for k, p in processes.items()}


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    processes: Mapping[str, Process],
    like: Fields,
    *,
    steps: int,
    rng: Streams,
    condition: Fields,
    corrector_steps: int = 0,
    corrector_size: float = 1e-5,
    noise: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Tensor]:
    """Draw x0 for every diffusing field: ancestral predictor with Langevin corrector (Song et al. 2021, algorithm 1).

    like: gives shapes for diffusing fields, e.g. lattice (B, 6), and values for all others (mask among them).
    corrector_steps: Langevin moves before each ancestral step, on the fields whose process offers `correct`.
    progress: called with (done, steps) after each step.
    """
    x = {k: processes[k].prior(v, rng) if k in processes else v for k, v in like.items()}
    first = next(iter(processes))
    size = len(like[first])
    times = torch.linspace(1, 0, steps + 1, device=like[first].device)
    correctable = [k for k, p in processes.items() if hasattr(p, "correct")]
    for i in range(steps):
        t, s = times[i].expand(size), times[i + 1].expand(size)
        for _ in range(corrector_steps if correctable else 0):
            pred = denoiser(x, t, condition)
            for k in correctable:
                x[k] = processes[k].correct(x[k], pred[k], t, corrector_size, rng, noise)  # type: ignore[attr-defined]
        pred = denoiser(x, t, condition)
        for k, p in processes.items():
            x[k] = p.step(x[k], pred[k], t, s, rng, noise)
        if progress is not None:
            progress(i + 1, steps)
    return x


class Guided:
    """Classifier-free guidance (Ho & Salimans 2022): null + scale * (conditional - null); scale 1 is the plain model.

    The null condition is an empty mapping, which every denoiser trained with condition dropout understands.
    Species logits are mixed as logits, which is the same rule on log-probabilities.
    """

    def __init__(self, denoiser: Denoiser, scale: float) -> None:
        self.denoiser, self.scale = denoiser, scale

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        conditional = self.denoiser(fields, t, condition)
        if self.scale == 1.0 or not condition:
            return conditional
        null = self.denoiser(fields, t, {})
        return {k: null[k] + self.scale * (v - null[k]) for k, v in conditional.items()}
