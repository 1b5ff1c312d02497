"""The ranking of candidates, and the rows of tables of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate
from nucleate.pipeline.near_hull import near_hull_probability
from nucleate.pipeline.state import PredictedProperties, StructureVote

MAX_BELIEVED_DEPTH = 1.0  # eV/atom; no real crystal lies deeper than this below the hull of known crystals
HULL_STEP = 0.1  # eV/atom, the usual bound of metastability; where properties are wanted, the hull counts in such steps


def rank(candidates: Sequence[Candidate], limit: int | None = None) -> list[Candidate]:
    """The candidates, best first, at most `limit` of them. Raises NucleateError for a limit below 1.

    The first difference in this list decides: candidates that were not rejected come before rejected ones; unique ones
    before duplicates; those that fulfil a request in words before those that fail the check "request"; converged
    relaxations before others; lower e_above_hull before higher, and unknown ones last (which includes those whose check
    "hull" says that competing phases are missing). Candidates that are still equal are sorted by id, so that the result
    does not depend on the order of the input.

    Where properties were wanted (`PredictStage`), e_above_hull is first compared in whole steps of 0.1 eV/atom, where
    everything below 0.1 is one step. Within a step the crystal comes first whose predictions are closer to the wanted
    ranges: the distances are summed in standard deviations of the network's training data and rounded to tenths, and
    candidates without a prediction come last. Then e_above_hull itself decides.

    Where a run has an objective of its own (`search.heuristics.ObjectiveStage`), the objective counts in place of steps
    and predictions. The highest value comes first, and candidates without one come last.

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
    above = e_above_hull_or_inf(c)
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
    """The verdict of a check, "unknown" if the check was not made."""
    return candidate.checks[check].verdict if check in candidate.checks else UNKNOWN


def e_above_hull_or_inf(candidate: Candidate) -> float:
    """Energy above the hull in eV/atom, or infinity where it is unknown or not to be believed (`too_deep`)."""
    e = candidate.energies.get("e_above_hull")
    return e.value if e is not None and math.isfinite(e.value) and not too_deep(candidate) else math.inf


def too_deep(candidate: Candidate) -> bool:
    """Whether a candidate lies so far below the hull of known crystals that its e_above_hull counts as unknown.

    The hull stage then gives it a check "hull" (`hull.distances.DEEPEST`). A record that was made elsewhere may lack
    that check, so energies below -MAX_BELIEVED_DEPTH count too.
    """
    e = candidate.energies.get("e_above_hull")
    return e is not None and ("hull" in candidate.checks or e.value < -MAX_BELIEVED_DEPTH)


def disagreement(candidate: Candidate) -> float | None:
    """Difference of the energies above the hull by the first and the second potential, eV/atom; None unless there are
    both."""
    both = [candidate.energies.get(name) for name in ("e_above_hull", "second_e_above_hull")]
    return abs(both[0].value - both[1].value) if both[0] is not None and both[1] is not None else None


def to_rows(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """One dictionary of plain values for each candidate, in the given order, for tables, CSV files and reports.

    rank counts from 1. Energies are in eV/atom, None if not known. novel: "yes", "no" or "?"; novelty:
    the word of `library.novelty` on the crystal. nearest_id, nearest_formula, nearest_relation, nearest_differs: the
    nearest known crystal, what both have in common, and what the candidate has instead. checks: "4/5" for four of
    five passed, and the names of those that did not pass. second_e_above_hull: by the second potential. disagreement:
    how far that is from the first, eV/atom. p_near_hull: the probability that it is near the hull by DFT
    (`pipeline.near_hull`), None where there is none. decomposition: the known phases below it, "0.5 Fe2O3 + 0.5 Li2O".
    method, reference: of e_above_hull, or of e_form or the energy if that is all there is. second_method: of the second
    potential. If any structure was retrieved (`state.StructureVote`), there are proposer, probability, none_of_these,
    prototype, prototype_name, known_id and known_e_above_hull. If a property was wanted of any candidate, there are
    predicted_COLUMN (a number or None), wanted_COLUMN ("1..1.6") and predicted_by.
    """
    columns = list(dict.fromkeys(column for c in candidates if c.predicted for column in c.predicted.wanted))
    votes = any(c.vote for c in candidates)
    return [{**_row(i + 1, c), **(_vote(c) if votes else {}), **_wishes(c, columns)} for i, c in enumerate(candidates)]


def _vote(c: Candidate) -> dict[str, Any]:
    vote = c.vote or StructureVote("")
    return {
        "proposer": vote.proposer,
        "probability": vote.probability,
        "none_of_these": vote.none,
        "prototype": vote.prototype,
        "prototype_name": vote.name,
        "known_id": vote.id,
        "known_e_above_hull": vote.known_e_above_hull,
    }


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
        "p_near_hull": near_hull_probability(c),
        "second_e_above_hull": _energy(c, "second_e_above_hull"),
        "disagreement": disagreement(c),
        "novel": {PASS: "yes", FAIL: "no", UNKNOWN: "?"}[verdict(c, "novel")],
        "novelty": c.novelty.word if c.novelty else "",
        **_nearest(c),
        "checks": _checks(c),
        "failure": str(c.failure or ""),
        "decomposition": c.hull.decomposition if c.hull else "",
        "method": str(named[0].method) if named else "",
        "reference": named[0].reference if named else "",
        "second_method": str(c.energies["second_e_form"].method) if "second_e_form" in c.energies else "",
    }


def _nearest(c: Candidate) -> dict[str, str]:
    nearest = c.novelty.nearest if c.novelty else None
    names = ("id", "formula", "relation", "differs")
    return {f"nearest_{name}": getattr(nearest, name) if nearest else "" for name in names}


def nearest_text(row: Mapping[str, Any]) -> str:
    """The nearest known crystal of a row of `to_rows`, "mp-19282 Sr2ZnWO6: same structure type; Mg for Zn"; "" where
    it is not known."""
    if not row["nearest_id"]:
        return ""
    said = f"{row['nearest_id']} {row['nearest_formula']}: {row['nearest_relation']}"
    return "; ".join(filter(None, (said, row["nearest_differs"])))


def novel_text(row: Mapping[str, Any]) -> str:
    """What a table says under "novel": "yes", "no", "?", or "ordering" for an ordering of a known disordered phase."""
    return "ordering" if row["novelty"] == "ordering of" and row["novel"] == "?" else str(row["novel"])


def _energy(c: Candidate, name: str) -> float | None:
    return c.energies[name].value if name in c.energies else None


def _checks(c: Candidate) -> str:
    """How many checks passed, and which did not. Novelty is left out: it has a column of its own."""
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
    except NucleateError:  # it is no possible crystal, and the geometry check says why
        return "?"
