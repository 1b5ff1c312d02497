"""The pandas table of candidates: the columns of every table of them, and those that a person who computes needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.rank import to_rows

if TYPE_CHECKING:
    import pandas as pd

NUMBERS = (
    *("e_form", "e_above_hull", "p_near_hull", "second_e_above_hull", "disagreement", "energy_per_atom"),
    *("probability", "none_of_these", "known_e_above_hull"),
    *("volume_per_atom", "density", "log10_likelihood", "lowest_phonon_thz"),
)


def to_frame(candidates: Sequence[Candidate]) -> pd.DataFrame:
    """A pandas table with a row for each candidate, in the order given; what is not known is NaN, None or "".

    First come the columns of `pipeline.rank.to_rows`, then energy_per_atom (eV/atom), converged (of the relaxation;
    None where there was none), volume_per_atom (cubic angstrom), density (g/cubic centimetre), twin_of (id of the
    better candidate that is the same crystal), a column check_NAME with "pass", "fail" or "unknown" for every check
    that any of them has ("" where it was not made), failure_stage, failure_code, generator, template (id of the known
    crystal whose structure was taken over) and seed.

    Where any has them also swaps (which elements took the place of which), log10_likelihood (of the new ions, see
    `origin.Substitution`), parent (the crystal that they were put into) and lowest_phonon_thz (THz, negative for an
    imaginary mode).
    """
    import pandas as pd

    checks = list(dict.fromkeys(name for c in candidates for name in c.checks))
    substituted = any(c.origin.substitution for c in candidates)
    vibrating = any(c.phonons for c in candidates)
    rows: list[dict[str, Any]] = []
    for row, c in zip(to_rows(candidates), candidates, strict=True):
        row |= _measured(c)
        row |= {f"check_{name}": c.checks[name].verdict if name in c.checks else "" for name in checks}
        row |= _history(c)
        if substituted:
            made = c.origin.substitution
            row |= {"swaps": made.swaps if made else "", "log10_likelihood": made.log10_likelihood if made else None}
            row |= {"parent": made.parent if made else ""}
        if vibrating:
            row["lowest_phonon_thz"] = c.phonons.lowest_thz if c.phonons else None
        rows.append(row)
    frame = pd.DataFrame(rows)
    return frame.astype({name: float for name in NUMBERS if name in frame})


def _measured(c: Candidate) -> dict[str, Any]:
    structure = c.structure
    return {
        "energy_per_atom": c.energy_per_atom,
        "converged": c.converged if "relaxed" in c.checks else None,
        "volume_per_atom": structure.volume / len(structure) if structure is not None else None,
        "density": float(structure.density) if structure is not None else None,
        "twin_of": c.twin_of,
    }


def _history(c: Candidate) -> dict[str, Any]:
    return {
        "failure_stage": c.failure.stage if c.failure else "",
        "failure_code": c.failure.code if c.failure else "",
        "generator": c.origin.generator,
        "template": c.origin.template.id if c.origin.template else "",
        "seed": c.seed,
    }
