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
        float, Gt(0), About("A crystal is relaxed when no force on an atom is larger than this.", "eV/angstrom")
    ] = 0.05
    smax: Annotated[
        float,
        Gt(0),
        About(
            "And no component of the stress, where the cell relaxes (0.003 is 0.5 GPa).",
            "eV/cubic angstrom",
        ),
    ] = 0.003
    max_steps: Annotated[int, Ge(0), About("Relaxation steps at most.", name="relax_steps")] = 300
    cell: Annotated[
        bool | None,
        About(
            "Relax the cell as well. Default: yes, but not where a file fixes atoms (selective dynamics), as with "
            "VASP's ISIF = 2; with --cell fixed atoms keep their fractional coordinates (ISIF = 3).",
            off="fixed_cell",
        ),
    ] = None
    optimiser: Annotated[
        Optimiser, About("bfgs (from a model Hessian; a third of the steps of the other one) or fire.")
    ] = "bfgs"
    time_limit_s: Annotated[
        float | None,
        Gt(0),
        About(
            "Time for one crystal; then it stays as far as it is.", "seconds", name="time_limit", unset="without limit"
        ),
    ] = None
    potential: Annotated[
        str,
        About(
            "Interatomic potential that relaxes: chgnet, sevennet, mace:FILE, matgl:FOLDER or "
            "ase:PACKAGE.MODULE:CALLABLE."
        ),
    ] = "chgnet"
    primitive: Annotated[
        bool,
        About(
            "Relax a cell that repeats itself as its primitive one, which has fewer atoms; the result is the given "
            "cell all the same.",
            off="as_given",
        ),
    ] = True
