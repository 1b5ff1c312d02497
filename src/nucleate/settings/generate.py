"""How crystals and formulas are generated, without the rest of a design run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from nucleate.settings.base import About, Settings, section
from nucleate.settings.design import DesignSettings
from nucleate.settings.sampling import AUTO, FORMULA_MODEL, CrystalModel, SamplingSettings, Seed
from nucleate.settings.search import Judge


@dataclass(frozen=True)
class GenerateSettings(Settings):
    """Settings of `nucleate generate`: those of a design run that decide how crystals are drawn."""

    weights: CrystalModel = AUTO
    seed: Seed = 0
    judge: Judge = AUTO
    sampling: SamplingSettings = section(SamplingSettings)

    def of_design(self) -> DesignSettings:
        """The design run that begins with these crystals, one for each crystal that is asked for."""
        return DesignSettings.of(**self.flat(), oversample=1)


@dataclass(frozen=True)
class ComposeSettings(Settings):
    """Settings of `nucleate compose`: how formulas are drawn."""

    weights: Annotated[
        str,
        About(
            "Model of formulas: diffusion-bert-all, diffusion-bert or diffusion-lm (both of the package "
            "nucleate-papers), or a file.",
            names="formula_weights",
        ),
    ] = FORMULA_MODEL
    valid: Annotated[
        bool,
        About(
            "Keep only different formulas that pass the checks of charge and electronegativity; more are drawn until "
            "there are as many as asked for."
        ),
    ] = False
    seed: Seed = 0
    sampling: SamplingSettings = section(SamplingSettings)
