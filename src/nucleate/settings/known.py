"""Which of the known crystals a run may know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from nucleate.settings.base import About, Settings


@dataclass(frozen=True)
class KnownSettings(Settings):
    """Which of the known crystals that come with nucleate a run may know (`library.hiding.hidden_view`)."""

    PANEL: ClassVar[str] = "Known crystals"

    hide: Annotated[
        tuple[str, ...],
        About(
            "Known crystals that the run must not know, with all of their formula and structure, for honest tests: "
            "mp-20:val,test, an id, a formula (in all structures), or a file with an id or a formula in each line; "
            "may be given repeatedly.",
            unset="none",
        ),
    ] = ()
