"""Which generator answers a request, and how it is loaded."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.settings.sampling import AUTO

# names of facts of a generator that reports show
REPORTED = ("training", "version", "license", "reference")

if TYPE_CHECKING:
    from nucleate.generators import Generator, StructureGenerator
    from nucleate.generators.template import TemplateGenerator
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings, SamplingSettings, TemplateSettings
    from nucleate.settings.known import KnownSettings


def generator_for(request: Request, settings: DesignSettings) -> StructureGenerator:
    """The generator that the settings name, or the shipped one for the request."""
    weights = settings.generation.weights
    chosen = weights if weights != AUTO else weights_for(request)
    return without_hidden(load_with_sampling(chosen, settings.sampling), settings.known)


def without_hidden(generator: StructureGenerator, known: KnownSettings) -> StructureGenerator:
    """The generator, which takes nothing from known crystals that the settings hide."""
    from nucleate.generators.defaults import BaseGenerator
    from nucleate.library.library import load_library

    if known.hide and isinstance(generator, BaseGenerator) and generator.uses_library:
        return generator.with_library(load_library(hide=known.hide))
    return generator


def load_with_sampling(weights: str, sampling: SamplingSettings) -> StructureGenerator:
    """The generator of that name. It samples as the settings say; what they leave open is as in its recipe."""
    from nucleate.generators.registry import get_generator

    return get_generator(
        weights,
        steps=sampling.steps or None,
        sampler=sampling.sampler or None,
        guidance_scale=sampling.guidance,
        species_temperature=sampling.temperature,
    )


def templates_of(settings: TemplateSettings, known: KnownSettings, seed: int = 0) -> TemplateGenerator:
    """The generator of templates that the settings describe; raises NucleateError where its crystals do not exist."""
    from nucleate.generators.template import load_templates
    from nucleate.library.library import load_library

    s, view = settings, load_library(hide=known.hide)
    return load_templates(s.library, s.rank_by, known=view, volume=s.volume, distinct=s.distinct, seed=seed)


def generator_record(generator: Generator[Any], role: str) -> dict[str, Any]:
    """What the report says of a generator. role: the part that it has in the run, "model" or "structures"."""
    facts = generator.facts()
    said = {f"{role} {name}": facts[name] for name in REPORTED if facts.get(name)}
    return {role: generator.name, **said}


def weights_for(request: Request) -> str:
    """The name of the shipped weights for a request.

    For a formula they predict structures, else they make crystals of any or of given elements; where properties are
    wanted, they are weights that were trained with these. Raises NucleateError where there are none.
    """
    from nucleate.generators import read_info, shipped_weights
    from nucleate.generators.methods import ADAPTIVE_WEIGHTS
    from nucleate.generators.properties import resolve_property
    from nucleate.train.shipped import other_models

    if request.space_groups or request.sites:
        return ADAPTIVE_WEIGHTS
    if not request.properties:
        return "mp20-csp" if request.composition is not None else "mp20-dng"
    composition = request.composition is not None
    needed = {*request.properties, *(["chemical_system"] if request.chemical_system else [])}
    offers: set[str] = set()
    others = other_models().files
    for name in sorted(shipped_weights(), key=lambda name: _preference(name, others)):
        info = read_info(name)
        if info.takes_composition == composition:
            if all(resolve_property(p, info.recipe.condition_on) for p in needed):
                return name
            offers |= set(info.conditions)
    what = "structures of a given formula" if composition else "crystals of a chemical system"
    raise NucleateError(
        f"no shipped model makes {what if needed - set(request.properties) or composition else 'crystals'} for "
        f"{', '.join(request.properties)}; properties on offer: {', '.join(sorted(offers)) or 'none'}; "
        "train your own with: nucleate train"
    )


def _preference(name: str, others: Container[str]) -> tuple[bool, bool, bool, str]:
    """For sorting models that can do the same: those of nucleate itself before those of other packages, so that
    installing one changes no choice; those of all inorganic crystals first; CDS before CDI (docs/results.md). others:
    the names of those of other packages."""
    return name in others, not name.startswith("mp20"), name.endswith("-cdi"), name
