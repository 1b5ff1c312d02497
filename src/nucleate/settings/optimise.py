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
from nucleate.settings.sampling import AUTO, SamplingSettings, Seed
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

    weights: Annotated[str, About("Model that takes properties: a shipped one or a file.", names="weights")]
    property: Annotated[
        str, About("Property that is optimised, such as e_form.", short="-p", unset="the only one that the model takes")
    ] = ""
    candidates: Annotated[int, Ge(1), About("Crystals that are generated.", short="-n")] = 1000
    maximise: Annotated[bool, About("Look for high values of the property and not for low ones.")] = False
    target: Annotated[
        float | None,
        About("Value of the property that the model is asked for.", unset="the best one of the training data"),
    ] = None
    seed: Seed = 0
    judge: Judge = AUTO
    relax: Annotated[int, Ge(0), About("How many of the crystals are relaxed and judged by the potential as well.")] = 0
    calibrate: Annotated[
        int,
        Ge(20),
        About(
            "How many training crystals are relaxed to find what counts as success by the potential, where the "
            "energies of the data are on another scale."
        ),
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
