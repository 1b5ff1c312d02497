"""How crystals that were made elsewhere are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from nucleate.settings.base import About, Settings, read_settings, section
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.search import Reference


@dataclass(frozen=True)
class ScreenSettings(Settings):
    """Settings of `nucleate.screen`; `ScreenSettings.of(best=20, potential="sevennet")` takes the names of the command
    line's options."""

    best: Annotated[int, Ge(1), About("So many of the best are judged by the second potential, too, and shown.")] = 10
    reference: Reference = "chgnet-mp"
    known: Annotated[
        str,
        About("Dataset to whose structures new ones are compared, e.g. mp-20.", unset="the embedded index alone"),
    ] = ""
    second: Annotated[
        str,
        About("Second potential, which judges the best again: auto (SevenNet beside CHGNet), none, or as --potential."),
    ] = "auto"
    second_reference: Annotated[str, About("Its reference energies (auto: the shipped set).")] = "auto"
    phonons: Annotated[int, Ge(0), About("Test so many of the best for imaginary modes.")] = 0
    relaxation: RelaxSettings = section(RelaxSettings)


def read_screen_settings(values: Mapping[str, Any]) -> ScreenSettings:
    """The settings of a run folder."""
    return read_settings(ScreenSettings, values)
