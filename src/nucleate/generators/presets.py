"""From trained weights to the generator that samples them."""

from __future__ import annotations

from pathlib import Path

from nucleate.codecs.sites import SITES
from nucleate.diffusion.loop import LANGEVIN, SAMPLERS
from nucleate.generators.adaptive import AdaptiveCells
from nucleate.generators.diffusion import DiffusionGenerator
from nucleate.generators.load import load_model, sampling


def load_generator(
    weights: str | Path,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    guidance_scale: float | None = None,
    species_temperature: float | None = None,
    batch_size: int | None = None,
    device: str | None = None,
) -> DiffusionGenerator:
    """A generator from a shipped model's name or a checkpoint file; raises NucleateError if there is none.

    steps, sampler, guidance_scale, species_temperature: in place of the recipe's (`config.SampleConfig`).

    Example:
        >>> import nucleate
        >>> generator = nucleate.load_generator("mp20-csp", steps=5)
        >>> condition = nucleate.Condition(composition={"Sr": 1, "Ti": 1, "O": 3})
        >>> generator.generate([condition], seeds=[0])[0].composition.reduced_formula
        'SrTiO3'
    """
    model, info = load_model(weights)
    of_sites = info.recipe.codec.kind == SITES
    known = (*SAMPLERS, LANGEVIN) if of_sites else SAMPLERS
    settings = sampling(info, known, steps=steps, sampler=sampler, species_temperature=species_temperature)
    return (AdaptiveCells if of_sites else DiffusionGenerator)(
        model, info, settings=settings, guidance_scale=guidance_scale, batch_size=batch_size, device=device
    )
