"""The loops over named fields: `training_loss` and `sample`. Only the sampling of formulas word by word has a loop of
its own (`diffusion.unmask`)."""

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
LANGEVIN = "langevin"  # only for models of which all processes have the method `correct`
FLOWS = ("ddim", "second-order")
MASK_FIELD = "mask"  # the field (B, A) bool that is true for atoms and false for padding; it does not diffuse


def free_part(field: str) -> str:
    """The name of the field that says which elements of another field are free, and not fixed by symmetry."""
    return f"{field}_free"


class Denoiser(Protocol):
    """A network: (fields at noise level t (B,), t, tensors of the condition) -> a prediction for each diffusing
    field."""

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields: ...


def training_loss(
    denoiser: Denoiser,
    processes: Mapping[str, Process],
    per_atom: frozenset[str],
    fields: Fields,
    condition: Fields,
    rng: Streams,
) -> dict[str, Tensor]:
    """The loss (B,) of each diffusing field: name -> loss of each crystal.

    fields: clean values. Fields without a process are given to the network unchanged. per_atom: names of the fields
    whose second axis runs over atoms, (B, A, ...). If symmetry fixes a part of a field, another field with the name
    `free_part(name)` and the same shape (bool) says which elements are free.
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
    """The times (steps + 1,) of sampling, from 1 to 0. They are uniform (u), or for the flows u (3 - u) / 2. The
    spacing of the latter is half of the uniform one at t = 1, where the flow is most curved, and 1.5 times it at t =
    0."""
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
    """Draw x0 for every diffusing field. Returns all fields: name -> tensor.

    like: the shapes of diffusing fields, e.g. lattice (B, 6), and the values of all others (the mask among them).
    sampler: "ancestral" takes steps with noise and has a Langevin corrector (Song et al. 2021, algorithm 1). "ddim" and
    "second-order" integrate the probability-flow ODE from a draw of the prior, with steps of first order, or of second
    order by two steps; each step takes one network call. "langevin" is annealed Langevin dynamics: `corrector_steps`
    moves (at least one) at each of `steps` noise levels and no other steps (Sultanov et al. 2023, algorithm 1); it
    needs processes with `correct`.
    noise: for all fields, or by name (1 for fields that are not named). With 1 the samples follow the model; with less
    they are closer to its modes. Ancestral steps and the corrector multiply their noise by it and keep their drift. The
    flows have no noise, and multiply their drift by `process.drift(noise)`: from that of the probability flow at 1 to
    that of ancestral steps at 0. At 0, ancestral steps without corrector and "ddim" are the same method with different
    times. The flows need a noise from 0 to 1.
    corrector_steps, corrector_size: number and size of Langevin moves before each ancestral step, on the fields whose
    process has `correct`. A flow adds the drift of such moves to its own step, without network calls; with noise 1 that
    drift is zero.
    progress: called with (done, steps) after each step. constraints: applied to the draw of the prior and to the result
    of each step. Raises NucleateError for a noise or sampler that the model or the flow cannot use.
    """
    if sampler not in (*SAMPLERS, LANGEVIN):
        raise ValueError(f"unknown sampler {sampler!r}")
    colder = {k: noise.get(k, 1.0) if isinstance(noise, Mapping) else noise for k in processes}
    wrong = [n for n in colder.values() if not 0 <= n <= 1 and sampler in FLOWS]
    if wrong:
        raise NucleateError(f"sampler {sampler!r} takes a noise from 0 to 1, not {wrong[0]:g}")
    unable = [k for k, p in processes.items() if sampler == LANGEVIN and not hasattr(p, "correct")]
    if unable:
        raise NucleateError(
            f"Langevin dynamics cannot draw '{unable[0]}' of this model; use one of the samplers {', '.join(SAMPLERS)}"
        )
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
    """Classifier-free guidance (Ho & Salimans 2022): null + scale * (conditional - null).

    conditional and null are the predictions with the condition and without it; with scale 1 there is no guidance. kept:
    names of conditions that remain in the null prediction (Yang et al. 2023, eq. 2, keep the composition; their omega
    is scale - 1). Networks must have been trained with condition dropout. Logits of species are combined in the same
    way, which is the same rule for log-probabilities. until: at t <= `until` there is no guidance (Kynkaanniemi et al.
    2024), because the kind of crystal is decided by then; guidance would only distort its geometry and take a second
    network call.
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
