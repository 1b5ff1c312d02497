"""The two loops over named fields: one draws, one gives the training loss. Words that are shown one by one, each at its
own time, have a loop of their own (`diffusion.unmask`); no other exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from nucleate.diffusion.constraints import Constraint
from nucleate.diffusion.process import Fields, Process, Visited
from nucleate.diffusion.rng import Streams
from nucleate.errors import NucleateError

SAMPLERS = ("ancestral", "ddim", "second-order")
LANGEVIN = "langevin"  # for models all of whose processes offer `correct`
FLOWS = ("ddim", "second-order")
MASK_FIELD = "mask"  # (B, A) bool, true for real atoms; travels with the fields, never diffuses


def free_part(field: str) -> str:
    """The name of what says which elements of a field are free."""
    return f"{field}_free"


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

    per_atom: names of the fields whose second axis runs over atoms, (B, A, ...). A field of which symmetry leaves only
    a part free comes with another beside it, `free_part` of its name: bool, of its shape.
    """
    first = next(iter(processes))
    t = rng.uniform((len(fields[first]),)).to(fields[first].device)
    noisy = {k: processes[k].corrupt(v, t, rng) if k in processes else v for k, v in fields.items()}
    pred = denoiser(noisy, t, condition)
    masks = {k: fields[MASK_FIELD] for k in per_atom} | {
        k: fields[free_part(k)] for k in fields if free_part(k) in fields
    }
    return {k: p.loss(pred[k], fields[k], noisy[k], t, masks.get(k)) for k, p in processes.items()}


def time_grid(
    sampler: str, steps: int, device: torch.device | None = None, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Times (steps + 1,) from 1 to 0. Uniform; for the flows u (3 - u) / 2 of a uniform u: half the
    uniform spacing at t = 1, where the flow bends most, and one and a half times it at t = 0."""
    u = torch.linspace(1, 0, steps + 1, device=device, dtype=dtype)
    return u * (3 - u) / 2 if sampler in FLOWS else u


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
    noise: float | Mapping[str, float] = 1.0,
    progress: Callable[[int, int], None] | None = None,
    sampler: str = "ancestral",
    constraints: Sequence[Constraint] = (),
) -> dict[str, Tensor]:
    """Draw x0 for every diffusing field.

    sampler: "ancestral", steps with noise and a Langevin corrector (Song et al. 2021, algorithm 1); or the
    probability-flow ODE from the prior's draw, by first-order ("ddim") or two-step second-order ("second-order")
    steps, one network call each; or "langevin", annealed Langevin dynamics: `corrector_steps` moves (one at least) at
    each of `steps` noise levels and nothing else (paper 5, algorithm 1; processes without such moves cannot).
    noise: of all fields, or by name (1 where none is given). 1 draws from the model; less is colder, and keeps to its
    modes. Ancestral steps and the corrector scale their noise by it, and leave their drift as it is. The flows have no
    noise, but the drift that it leaves to the others: from the probability flow's at 1 to that of the ancestral steps
    at 0 (`process.drift`), where ancestral steps without corrector and "ddim" are the same step, at other times. A flow
    takes a noise from 0 to 1.
    like: gives shapes for diffusing fields, e.g. lattice (B, 6), and values for all others (mask among them).
    corrector_steps: Langevin moves before each ancestral step, on the fields whose process offers `correct`. A flow
    takes what they add to its drift into its own step, at no network call; at noise 1 that is nothing.
    progress: called with (done, steps) after each step.
    constraints: applied to the draw of the prior and to the result of each step.
    """
    if sampler not in (*SAMPLERS, LANGEVIN):
        raise ValueError(f"unknown sampler {sampler!r}")
    colder = {k: noise.get(k, 1.0) if isinstance(noise, Mapping) else noise for k in processes}
    wrong = [n for n in colder.values() if not 0 <= n <= 1 and sampler in FLOWS]
    if wrong:
        raise NucleateError(f"sampler {sampler!r} takes a noise from 0 to 1, not {wrong[0]:g}")
    stuck = [k for k, p in processes.items() if sampler == LANGEVIN and not hasattr(p, "correct")]
    if stuck:
        raise NucleateError(f"Langevin dynamics cannot draw '{stuck[0]}' of this model; {', '.join(SAMPLERS)} can")
    x = {k: processes[k].prior(v, rng) if k in processes else v for k, v in like.items()}
    first = next(iter(processes))
    size = len(like[first])
    times = time_grid(sampler, steps, like[first].device)
    for constraint in constraints:
        x = constraint(x, times[0].expand(size), rng)
    correctable = [k for k, p in processes.items() if hasattr(p, "correct") and sampler not in FLOWS]
    moves = max(corrector_steps, 1) if sampler == LANGEVIN else corrector_steps
    before: dict[str, Visited] = {}
    for i in range(steps):
        t, s = times[i].expand(size), times[i + 1].expand(size)
        for _ in range(moves if correctable else 0):
            pred = denoiser(x, t, condition)
            for k in correctable:
                x[k] = processes[k].correct(x[k], pred[k], t, corrector_size, rng, colder[k])  # type: ignore[attr-defined]
        if sampler != LANGEVIN:
            pred = denoiser(x, t, condition)
            for k, p in processes.items():
                if sampler == "ancestral":
                    x[k] = p.step(x[k], pred[k], t, s, rng, colder[k])
                    continue
                here = x[k], pred[k], t
                x[k] = p.flow(*here, s, rng, before.get(k), colder[k], corrector_steps * corrector_size)
                if sampler == "second-order":
                    before[k] = here
        for constraint in constraints:
            x = constraint(x, s, rng)
        if progress is not None:
            progress(i + 1, steps)
    return x


class Guided:
    """Classifier-free guidance (Ho & Salimans 2022): null + scale * (conditional - null); scale 1 is the plain model.

    The null condition is what is `kept` of the condition (in paper 2, eq. 2, the composition; omega = scale - 1), or
    an empty mapping, which every denoiser trained with condition dropout understands.
    Species logits are mixed as logits, which is the same rule on log-probabilities. At t <= `until` the plain model is
    taken (Kynkaanniemi et al. 2024): the mode is chosen by then, guidance would bend its geometry, and costs a call.
    """

    def __init__(self, denoiser: Denoiser, scale: float, until: float = 0.0, kept: Sequence[str] = ()) -> None:
        self.denoiser, self.scale, self.until, self.kept = denoiser, scale, until, kept

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        conditional = self.denoiser(fields, t, condition)
        rest = {k: v for k, v in condition.items() if k.removesuffix("_present") in self.kept}
        if self.scale == 1.0 or len(rest) == len(condition) or float(t.max()) <= self.until:
            return conditional
        null = self.denoiser(fields, t, rest)
        return {k: null[k] + self.scale * (v - null[k]) for k, v in conditional.items()}
