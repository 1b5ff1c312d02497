"""When a relaxation with an interatomic potential is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt

from nucleate.settings.base import About, Settings

Optimiser = Literal["bfgs", "fire"]


@dataclass(frozen=True)
class RelaxSettings(Settings):
    """How crystals are relaxed: what `relaxation.pool` takes, and every task that relaxes."""

    PANEL: ClassVar[str] = "Relaxation"

    fmax: Annotated[
        float, Gt(0), About("A crystal counts as relaxed when the force on every atom is below this.", "eV/angstrom")
    ] = 0.05
    smax: Annotated[
        float,
        Gt(0),
        About(
            "Where the cell relaxes too, every component of the stress must be below this as well (0.003 is 0.5 GPa).",
            "eV/cubic angstrom",
        ),
    ] = 0.003
    max_steps: Annotated[int, Ge(0), About("Steps of the relaxation at most.", name="relax_steps")] = 300
    cell: Annotated[
        bool | None,
        About(
            "Relax the cell as well. Default: yes, but not where a file fixes atoms (selective dynamics), as with "
            "VASP's ISIF = 2; with --cell fixed atoms keep their fractional coordinates (ISIF = 3).",
            off="fixed_cell",
        ),
    ] = None
    optimiser: Annotated[
        Optimiser,
        About("Method of the relaxation: bfgs (from a model Hessian; takes a third of the steps) or fire."),
    ] = "bfgs"
    time_limit_s: Annotated[
        float | None,
        Gt(0),
        About(
            "Time for one crystal, which then stays as far as it is.", "seconds", name="time_limit", unset="no limit"
        ),
    ] = None
    potential: Annotated[
        str,
        About(
            "Interatomic potential: chgnet, sevennet, mace:FILE, matgl:FOLDER or ase:PACKAGE.MODULE:CALLABLE.",
            names="potentials",
        ),
    ] = "chgnet"
    primitive: Annotated[
        bool,
        About(
            "Relax the primitive cell where a crystal is given by a larger one, which takes less time; the result is "
            "the given cell all the same.",
            off="as_given",
        ),
    ] = True
