"""The order of candidates, and the rows that every table of them shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate


def rank(candidates: Sequence[Candidate], limit: int | None = None) -> list[Candidate]:
    """Best first, at most `limit` of them.

    In this order of weight: living before failed; unique before duplicate; relaxed (converged) before unrelaxed; lower
    e_above_hull first, unknown last; then by id, so that the order never depends on that of the input.
    """
    if limit is not None and limit < 1:
        raise NucleateError(f"the number of candidates to show must be at least 1, not {limit}")
    return sorted(candidates, key=_key)[:limit]


def _key(c: Candidate) -> tuple[bool, bool, bool, float, str]:
    e = c.energies.get("e_above_hull")
    above = e.value if e is not None and math.isfinite(e.value) else math.inf
    return c.failure is not None, verdict(c, "unique") == FAIL, verdict(c, "relaxed") != PASS, above, c.id


def verdict(candidate: Candidate, check: str) -> str:
    """The verdict of a check, unknown if it was not made."""
    return candidate.checks[check].verdict if check in candidate.checks else UNKNOWN


def to_rows(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """One dictionary of plain values for each candidate, in the order given, for tables, CSV and reports alike.

    rank counts from 1. Energies in eV/atom or None. novel: "yes", "no" or "?". checks: "4/5", passed of all, and what
    does not pass.
    method, reference: of e_above_hull, or of e_form or the energy where there is none.
    """
    return [_row(i + 1, c) for i, c in enumerate(candidates)]


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
        "novel": {PASS: "yes", FAIL: "no", UNKNOWN: "?"}[verdict(c, "novel")],
        "checks": _checks(c),
        "failure": c.failure or "",
        "method": named[0].method if named else "",
        "reference": named[0].reference if named else "",
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
