"""How crystals that were made elsewhere are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from nucleate.settings.base import About, Settings, read_settings, section
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.sampling import AUTO
from nucleate.settings.search import Known, Phonons, Reference, SecondJudge, SecondReference


@dataclass(frozen=True)
class ScreenSettings(Settings):
    """Settings of `nucleate.screen`; `ScreenSettings.of(best=20, potential="sevennet")` takes the names of the command
    line's options."""

    best: Annotated[
        int, Ge(1), About("How many of the best the second potential judges as well, and the table shows.", short="-n")
    ] = 10
    reference: Reference = "chgnet-mp"
    known: Known = ""
    second: SecondJudge = AUTO
    second_reference: SecondReference = AUTO
    phonons: Phonons = 0
    relaxation: RelaxSettings = section(RelaxSettings)


def read_screen_settings(values: Mapping[str, Any]) -> ScreenSettings:
    """The settings of a run folder."""
    return read_settings(ScreenSettings, values)
