"""Which model answers a request, and how it is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.settings.sampling import AUTO

# facts of a generator that reports show
SAID = ("training", "version", "license", "reference")

if TYPE_CHECKING:
    from nucleate.generators import Generator, StructureGenerator
    from nucleate.generators.template import TemplateGenerator
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings, SamplingSettings, TemplateSettings


def generator_for(request: Request, settings: DesignSettings) -> StructureGenerator:
    """The generator that the settings name, or the shipped one for the request."""
    weights = settings.generation.weights
    return load_as(weights if weights != AUTO else weights_for(request), settings.sampling)


def load_as(weights: str, sampling: SamplingSettings) -> StructureGenerator:
    """The generator of that name, sampling as the settings say where they say it, else as its recipe does."""
    from nucleate.generators.registry import get_generator

    return get_generator(
        weights,
        steps=sampling.steps or None,
        sampler=sampling.sampler or None,
        guidance_scale=sampling.guidance,
        species_temperature=sampling.temperature,
    )


def templates_of(settings: TemplateSettings, seed: int = 0) -> TemplateGenerator:
    """The templates that the settings name; raises NucleateError for a library that there is not."""
    from nucleate.generators.template import load_templates

    s = settings
    return load_templates(s.library, s.rank_by, volume=s.volume, distinct=s.distinct, seed=seed)


def record_of(generator: Generator[Any], role: str) -> dict[str, Any]:
    """What the report says of a generator; role: what it is in the run, "model" or "structures"."""
    facts = generator.facts()
    said = {f"{role} {name}": facts[name] for name in SAID if facts.get(name)}
    return {role: generator.name, **said}


def weights_for(request: Request) -> str:
    """The shipped model for a request: for a formula structure prediction, else one that knows the properties."""
    from nucleate.generators import read_info, shipped_weights
    from nucleate.generators.methods import ADAPTIVE_WEIGHTS
    from nucleate.generators.properties import resolve_property

    if request.space_groups or request.sites:
        return ADAPTIVE_WEIGHTS
    if not request.properties:
        return "mp20-csp" if request.composition is not None else "mp20-dng"
    composition = request.composition is not None
    needed = {*request.properties, *(["chemical_system"] if request.chemical_system else [])}
    offers: set[str] = set()
    for name in sorted(shipped_weights(), key=_preference):
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


def _preference(name: str) -> tuple[bool, bool, str]:
    """Of models that can do the same: all of inorganic chemistry first, and CDS before CDI (docs/results.md)."""
    return not name.startswith("mp20"), name.endswith("-cdi"), name
