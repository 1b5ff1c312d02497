"""The order of candidates, and the rows that every table of them shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate
from nucleate.pipeline.state import PredictedProperties

BELIEVED = 1.0  # eV/atom below all that is known; no crystal lies deeper, whoever says so
HULL_STEP = 0.1  # eV/atom above the hull that count alike where properties are wanted: the usual bound of metastability


def rank(candidates: Sequence[Candidate], limit: int | None = None) -> list[Candidate]:
    """Best first, at most `limit` of them.

    In this order of weight: living before failed; unique before duplicate; what was asked for in words (check
    "request") before what is not; relaxed (converged) before unrelaxed; lower e_above_hull first, unknown last (as
    where the check "hull" says that competing phases are missing); then by id, so that the order never depends on that
    of the input.

    Where properties were wanted (`PredictStage`), e_above_hull counts in whole steps of 0.1 eV/atom first, all below
    0.1 alike. Within a step the crystal comes first whose predictions are less far from the wanted ranges, added up in
    standard deviations of the network's training data and rounded to tenths; those without a prediction come last in
    their step. What is still equal goes by e_above_hull.

    Where a run has an objective of its own (`search.heuristics.ObjectiveStage`), that counts in place of steps and
    predictions, the highest first, and what has none comes last.

    Example:
        >>> import nucleate
        >>> from nucleate.pipeline.candidate import Energy
        >>> heights = {"a": 0.2, "b": 0.05}
        >>> some = [nucleate.Candidate(i, energies={"e_above_hull": Energy(h, "x")}) for i, h in heights.items()]
        >>> [c.id for c in nucleate.rank(some)]
        ['b', 'a']
    """
    if limit is not None and limit < 1:
        raise NucleateError(f"the number of candidates to show must be at least 1, not {limit}")
    return sorted(candidates, key=_key)[:limit]


def _key(c: Candidate) -> tuple[bool, bool, bool, bool, float, float, float, str]:
    above = above_hull(c)
    bad = verdict(c, "unique") == FAIL, verdict(c, "request") == FAIL, verdict(c, "relaxed") != PASS
    worse = c.failure is not None, *bad
    if c.objective is not None:
        value = c.objective.value
        return *worse, -value if value is not None else math.inf, 0.0, above, c.id
    step = math.floor(round(max(above, 0.0) / HULL_STEP, 6)) if above < math.inf else math.inf
    return *worse, step, _off_target(c), above, c.id


def _off_target(c: Candidate) -> float:
    if c.predicted is None or not c.predicted.wanted:
        return 0.0
    off = c.predicted.off_target
    return round(math.fsum(off.values()), 1) if off else math.inf


def verdict(candidate: Candidate, check: str) -> str:
    """The verdict of a check, unknown if it was not made."""
    return candidate.checks[check].verdict if check in candidate.checks else UNKNOWN


def above_hull(candidate: Candidate) -> float:
    """Energy above the hull, eV/atom; infinite where it is unknown: the check "hull" says that phases lack, or it lies
    deeper than anyone can believe (a record of somebody else's need not have that check)."""
    e = candidate.energies.get("e_above_hull")
    return e.value if e is not None and math.isfinite(e.value) and not too_deep(candidate) else math.inf


def too_deep(candidate: Candidate) -> bool:
    """Whether it lies so far below all that is known (`hull.distances.DEEPEST`) that its hull counts as unknown."""
    e = candidate.energies.get("e_above_hull")
    return e is not None and ("hull" in candidate.checks or e.value < -BELIEVED)


def disagreement(candidate: Candidate) -> float | None:
    """How far the two judges' energies above the hull are apart, eV/atom; None before both have spoken."""
    both = [candidate.energies.get(name) for name in ("e_above_hull", "second_e_above_hull")]
    return abs(both[0].value - both[1].value) if both[0] is not None and both[1] is not None else None


def to_rows(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """One dictionary of plain values for each candidate, in the order given, for tables, CSV and reports alike.

    rank counts from 1. Energies in eV/atom or None. novel: "yes", "no" or "?". checks: "4/5", passed of all, and what
    does not pass.
    second_e_above_hull, disagreement: of the second judge, and how far it is from the first; None if it was not asked.
    decomposition: the known phases under it, "0.5 Fe2O3 + 0.5 Li2O". method, reference: of e_above_hull, e_form or
    the energy, the first there is; second_method: of the second judge's.
    Where a property was wanted of any, predicted_COLUMN (a number or None), wanted_COLUMN ("1..1.6"), predicted_by.
    """
    columns = list(dict.fromkeys(column for c in candidates if c.predicted for column in c.predicted.wanted))
    return [{**_row(i + 1, c), **_wishes(c, columns)} for i, c in enumerate(candidates)]


def _wishes(c: Candidate, columns: Sequence[str]) -> dict[str, Any]:
    predicted = c.predicted or PredictedProperties("")
    out: dict[str, Any] = {}
    for column in columns:
        low, high = predicted.wanted.get(column, (None, None))
        out[f"predicted_{column}"] = predicted.values.get(column)
        out[f"wanted_{column}"] = "" if low is None else f"{low:g}" if low == high else f"{low:g}..{high:g}"
    return {**out, "predicted_by": predicted.by} if columns else {}


def _row(number: int, c: Candidate) -> dict[str, Any]:
    named = [c.energies[k] for k in ("e_above_hull", "e_form", "energy") if k in c.energies]
    return {
        "rank": number,
        "id": c.id,
        "formula": c.formula,
        "space_group": _space_group(c),
        "num_atoms": len(c.structure) if c.structure is not None else 0,
        "e_form": _energy(c, "e_form"),
        "e_above_hull": _energy(c, "e_above_hull"),
        "second_e_above_hull": _energy(c, "second_e_above_hull"),
        "disagreement": disagreement(c),
        "novel": {PASS: "yes", FAIL: "no", UNKNOWN: "?"}[verdict(c, "novel")],
        "checks": _checks(c),
        "failure": str(c.failure or ""),
        "decomposition": c.hull.decomposition if c.hull else "",
        "method": named[0].method if named else "",
        "reference": named[0].reference if named else "",
        "second_method": c.energies["second_e_form"].method if "second_e_form" in c.energies else "",
    }


def _energy(c: Candidate, name: str) -> float | None:
    return c.energies[name].value if name in c.energies else None


def _checks(c: Candidate) -> str:
    """Novelty has a column of its own and is no defect where it fails."""
    checks = {k: v.verdict for k, v in c.checks.items() if k != "novel"}
    if not checks:
        return ""
    others = [f"{name} {v}" for name, v in checks.items() if v != PASS]
    passed = f"{len(checks) - len(others)}/{len(checks)}"
    return f"{passed} {', '.join(others)}" if others else passed


def _space_group(c: Candidate) -> str:
    if c.structure is None:
        return ""
    from nucleate.crystal.symmetry import space_group

    try:
        return space_group(c.structure)[1]
    except NucleateError:  # no crystal: the geometry check says why
        return "?"
