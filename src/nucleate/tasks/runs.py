"""Runs of any task, by their folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.tasks import design, screen
from nucleate.tasks.design import DesignResult
from nucleate.tasks.screen import ScreenResult


def is_screening(out: Path) -> bool:
    """Whether the folder holds a run of `screen`, by its record."""
    try:
        return screen.RECORD in json.loads((out / "request.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def load_run(out: str | Path) -> DesignResult | ScreenResult:
    """Read a run folder of `design` or `screen` as it stands, finished or not.

    `.candidates` are the best, in order, `.all` holds every one, `.to_frame()` is a table of all. Raises NucleateError
    for any other folder.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> _ = nucleate.screen(iron, "runs/iron", second="none", relax_steps=0, overwrite=True)
        >>> nucleate.load_run("runs/iron").candidates[0].formula
        'Fe'
    """
    if not (Path(out) / "request.json").is_file():
        raise NucleateError(f"{out} is not a run folder (no request.json)")
    return screen.load_screen(out) if is_screening(Path(out)) else design.load_run(out)


def resume(out: str | Path, **options: Any) -> DesignResult | ScreenResult:
    """Finish an interrupted run of `design` or `screen`; what is done is not repeated.

    options: executor, watch; of a tree search also seconds and evaluations, a new budget for all of it, and llm, the
    address of its language model.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> iron = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> _ = nucleate.screen(iron, "runs/iron", second="none", relax_steps=0, overwrite=True)
        >>> len(nucleate.resume("runs/iron").all)  # it was finished: nothing is done again
        1
    """
    return screen.resume_screen(out, **options) if is_screening(Path(out)) else design.resume(out, **options)
