"""What a golden run is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """Steps (`drive.py`) in a folder of their own; all that is printed and written is compared.

    start: the run whose recorded folder this one begins with, so that what older code wrote is opened by newer code.
    dies: a step is killed in the middle. once: recorded and not done again when compared, since it is there for other
    runs to begin with; so are all that die. limit: seconds. kind: "help" texts may change, "refusals" are exit codes
    other than 0; "" is everything else.
    """

    name: str
    steps: tuple[str, ...]
    start: str = ""
    dies: bool = False
    once: bool = False
    limit: float = 300.0
    kind: str = ""
