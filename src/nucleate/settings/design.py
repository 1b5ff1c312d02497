"""Everything beside the request that determines the result of a design run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from nucleate.redact import safe_address
from nucleate.settings.base import Settings, read_settings, section
from nucleate.settings.known import KnownSettings
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.sampling import GenerationSettings, SamplingSettings, Seed, TemplateSettings
from nucleate.settings.search import JudgingSettings, LanguageSettings, SearchSettings

FORMER = {  # the settings of runs of earlier versions, which were not nested -> where they are now
    "oversample": "search.oversample",
    "weights": "generation.weights",
    "sampling_steps": "sampling.steps",
    "sampler": "sampling.sampler",
    "guidance_scale": "sampling.guidance",
    "species_temperature": "sampling.temperature",
    "generator": "generation.generator",
    "structures": "generation.structures",
    "rank_by": "templates.rank_by",
    "templates": "templates.library",
    "potential": "relaxation.potential",
    "fmax": "relaxation.fmax",
    "relax_steps": "relaxation.max_steps",
    "reference": "judging.reference",
    "known": "judging.known",
    "judge": "judging.judge",
    "second": "judging.second",
    "second_reference": "judging.second_reference",
    "phonons": "judging.phonons",
    "llm": "language.address",
    "llm_model": "language.model",
    "llm_price": "language.price",
    "retrieval": "language.retrieval",
    "search": "search.strategy",
    "formulas": "search.formulas",
    "width": "search.width",
    "structures_each": "search.structures_each",
    "seconds": "search.seconds",
    "evaluations": "search.evaluations",
    "objective": "judging.objective",
}


@dataclass(frozen=True)
class DesignSettings(Settings):
    """Settings of a design run, by subject; `DesignSettings.of(oversample=2, potential="sevennet")` takes the names of
    the command line's options, wherever they belong.

    Example:
        >>> import nucleate
        >>> settings = nucleate.DesignSettings.of(oversample=2, potential="sevennet")
        >>> settings.search.oversample, settings.relaxation.potential
        (2, 'sevennet')
    """

    FORMER: ClassVar[Mapping[str, str]] = FORMER

    seed: Seed = 0
    generation: GenerationSettings = section(GenerationSettings)
    sampling: SamplingSettings = section(SamplingSettings)
    templates: TemplateSettings = section(TemplateSettings)
    known: KnownSettings = section(KnownSettings)
    search: SearchSettings = section(SearchSettings)
    relaxation: RelaxSettings = section(RelaxSettings, max_steps=250)
    judging: JudgingSettings = section(JudgingSettings)
    language: LanguageSettings = section(LanguageSettings)

    def recorded(self) -> dict[str, Any]:
        """Plain values for a file, without the secrets that an address may hold."""
        language = dataclasses.replace(self.language, address=safe_address(self.language.address))
        return dataclasses.replace(self, language=language).plain()


def read_design_settings(values: Mapping[str, Any], where: str = "") -> DesignSettings:
    """The settings of a run folder, those of earlier versions (flat) too."""
    return read_settings(DesignSettings, nested(values, FORMER), where)


def nested(values: Mapping[str, Any], former: Mapping[str, str]) -> dict[str, Any]:
    """The values of an earlier version's flat settings where they belong now; what is nested already stays."""
    if any(isinstance(value, Mapping) for value in values.values()):
        return dict(values)
    out: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = former.get(name, name).split(".")
        inner = out
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return out
