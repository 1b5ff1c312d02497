"""Loads trained weights, shipped or from a file, as networks and generators."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from nucleate.errors import NucleateError
from nucleate.systems.recipe import SampleConfig, Temperature
from nucleate.train.checkpoint import ModelInfo, load_network
from nucleate.train.shipped import require_weights
from nucleate.train.weights_file import read_metadata

if TYPE_CHECKING:
    from nucleate.generators.diffusion import DiffusionGenerator


def read_info(weights: str | Path, kind: str | None = None) -> ModelInfo:
    """The description of a shipped model or of a checkpoint file, read without its weights. Raises as `load_model`."""
    path = require_weights(weights, kind)
    return ModelInfo.of(path, read_metadata(path), kind)


def load_model(weights: str | Path, kind: str | None = None) -> tuple[nn.Module, ModelInfo]:
    """The trained network and its description. kind: of model that is expected, None for any kind of crystals. Raises
    NucleateError if there is no such model, if it is of another kind, or if the file is damaged."""
    return load_network(require_weights(weights, kind), kind)


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
    """A generator of crystals, from the name of a shipped model or a checkpoint file.

    steps, sampler, guidance_scale, species_temperature: None means the value of the model's recipe. batch_size, device:
    as in `DiffusionGenerator`. Raises NucleateError if there is no such model, and for settings that the model does not
    have.

    Example:
        >>> import nucleate
        >>> generator = nucleate.load_generator("mp20-csp", steps=5)
        >>> condition = nucleate.Condition(composition={"Sr": 1, "Ti": 1, "O": 3})
        >>> generator.generate([condition], seeds=[0])[0].composition.formula
        'Sr1 Ti1 O3'
    """
    made: DiffusionGenerator = load_sampler(
        weights,
        steps=steps,
        sampler=sampler,
        guidance_scale=guidance_scale,
        species_temperature=species_temperature,
        batch_size=batch_size,
        device=device,
    )
    return made


def load_sampler(
    weights: str | Path,
    kind: str | None = None,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    species_temperature: float | None = None,
    **options: Any,
) -> Any:
    """The generator of a shipped model or a checkpoint file, of the class that the model's system names.

    steps, sampler, species_temperature: None means the value of the recipe. options: of the generator's class; None
    means its default. Raises as `load_model`, and NucleateError for settings that the model does not have.
    """
    model, info = load_model(weights, kind)
    settings = sample_settings(info, steps=steps, sampler=sampler, species_temperature=species_temperature)
    module, _, name = info.sampler.generator.partition(":")
    generator = getattr(importlib.import_module(module), name)
    return generator(model, info, settings=settings, **{k: v for k, v in options.items() if v is not None})


def sample_settings(
    info: ModelInfo,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    species_temperature: float | None = None,
) -> SampleConfig:
    """The `sample` settings of a model's recipe, with the given values in place of its own. Raises NucleateError for
    values that the model cannot take."""
    settings: SampleConfig = info.recipe.sample
    names = info.sampler.names(info.recipe)
    if steps is not None and steps < 1:
        raise NucleateError(f"steps must be at least 1, not {steps}")
    if sampler is not None and sampler not in names:
        raise NucleateError(f"unknown sampler '{sampler}'; known are {', '.join(names)}")
    if species_temperature is not None and not species_temperature > 0:
        raise NucleateError(f"the temperature (--temperature) must be above 0, not {species_temperature:g}")
    given = {"steps": steps, "sampler": sampler, "species_temperature": species_temperature}
    given = {k: v for k, v in given.items() if v is not None}
    if species_temperature is not None and not isinstance(settings, Temperature):
        raise NucleateError(f"{info.recipe.name} draws no elements from probabilities, and has no temperature")
    return settings.changed(**given)
