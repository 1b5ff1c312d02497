"""What determines the optimisation of a property."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from nucleate.errors import NucleateError
from nucleate.settings.base import About, Settings, read_settings, section
from nucleate.settings.design import nested
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.sampling import SamplingSettings, Seed
from nucleate.settings.search import Judge, Reference

FORMER = {
    "guidance_scale": "sampling.guidance",
    "species_temperature": "sampling.temperature",
    "sampling_steps": "sampling.steps",
    "sampler": "sampling.sampler",
    "potential": "relaxation.potential",
}


@dataclass(frozen=True)
class OptimiseSettings(Settings):
    """Settings of `tasks.optimise`: crystals are generated for the wanted value of a property and judged twice, by a
    property network and by a potential after relaxation."""

    FORMER: ClassVar[Mapping[str, str]] = FORMER

    weights: Annotated[str, About("Generator that takes properties: shipped name or file.")]
    property: Annotated[str, About("What to optimise.", unset="the only property of the generator")] = ""
    candidates: Annotated[int, Ge(1), About("Crystals to generate.")] = 1000
    maximise: Annotated[bool, About("High values are the good ones.")] = False
    target: Annotated[float | None, About("Value to ask for.", unset="the best one of the training data")] = None
    seed: Seed = 0
    judge: Judge = "auto"
    relax: Annotated[int, Ge(0), About("How many of them the potential relaxes and judges.")] = 0
    calibrate: Annotated[
        int,
        Ge(20),
        About("Training crystals relaxed for the thresholds of the potential, where the data's are on another scale."),
    ] = 300
    reference: Reference = "chgnet-mp"
    sampling: SamplingSettings = section(SamplingSettings)
    relaxation: RelaxSettings = section(RelaxSettings, max_steps=250, time_limit_s=300.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relax > self.candidates:
            raise NucleateError(f"cannot relax {self.relax} of {self.candidates} crystals")


def read_optimise_settings(values: Mapping[str, Any]) -> OptimiseSettings:
    """The settings of an optimisation's folder, those of earlier versions (flat) too."""
    return read_settings(OptimiseSettings, nested(values, FORMER))
