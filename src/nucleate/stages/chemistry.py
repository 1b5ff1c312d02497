"""Chemical checks of compositions before there is a structure: charge, electronegativity, assigned oxidation states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from nucleate.chem.composition import Formula
from nucleate.errors import Code, NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.stages.check import check_chemistry

_ION = re.compile(r"([A-Z][a-z]?)(\d*)([+-])(?![\w+])")  # Fe2+, as the check charge has it
_STATES = re.compile(r"([A-Z][a-z]?) ([+-]\d[^,]*)")  # Fe +2 (1/3) and +3 (2/3), as the check oxidation has it
CHECKS = ("charge", "electronegativity", "oxidation")


def with_oxidation(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with the check "oxidation": whether the states that a network gives to their elements add up to
    zero, all asked in one batch. Candidates without composition and structure come back as they are. Where the check
    "charge" has other states, the reasons of both say so: FeS2 is Fe4+ S2- to one and Fe2+ S- to the other.
    """
    from nucleate.stages.oxidation import verdicts_of

    counts = [Formula.of_amounts(c.structure.composition if c.structure else c.composition or {}) for c in candidates]
    verdicts = iter(verdicts_of([dict(c) for c in counts if c]))
    return [
        c.with_(checks=_told_apart(c.checks, next(verdicts))) if counted else c
        for c, counted in zip(candidates, counts, strict=True)
    ]


def _told_apart(checks: Mapping[str, Check], oxidation: Check) -> dict[str, Check]:
    """The check "oxidation", and "charge" where the two have different ions, each with the reading of the other."""
    charge = checks.get("charge")
    if charge is None or PASS not in (charge.verdict, oxidation.verdict):
        return {"oxidation": oxidation}
    tables = {(s, int(f"{sign}{n or 1}")) for s, n, sign in _ION.findall(charge.reason)}
    network = {(s, int(q)) for s, states in _STATES.findall(oxidation.reason) for q in re.findall(r"[+-]\d+", states)}
    if tables == network or not (tables or charge.verdict == FAIL) or not network:
        return {"oxidation": oxidation}
    out = {"oxidation": oxidation}
    if charge.verdict == PASS:
        ions = charge.reason.partition(" (")[0]
        out["oxidation"] = Check(
            oxidation.verdict, f"{oxidation.reason}; a second reading, by the check charge: {ions}"
        )
    if oxidation.verdict == PASS:
        other = f"; a second reading, by the check oxidation: {oxidation.reason}"
        out["charge"] = Check(charge.verdict, charge.reason + other)
    return out


class ChemistryStage(Stage):
    """Writes the checks "charge", "electronegativity" and "oxidation" of a composition, and rejects by them.

    reject: the checks that reject where they fail; unknown never rejects. A composition that came before and was not
    rejected by them rejects the later ones, with the id of the first.
    """

    name = "chemistry"
    grain: Grain = "all"  # whether a formula is a copy depends on the others
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, reject: Sequence[str] = ("charge", "electronegativity")) -> None:
        unknown = [c for c in reject if c not in CHECKS]
        if unknown:
            raise NucleateError(f"no check '{unknown[0]}' of a composition; there are {', '.join(CHECKS)}")
        self.reject = tuple(reject)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        first: dict[tuple[tuple[str, int], ...], str] = {}
        checked = [c.with_(checks=check_chemistry(c.composition)) if c.composition else c for c in candidates]
        for candidate in with_oxidation(checked):
            if not candidate.composition:
                yield candidate.failed(self.name, Code.NO_COMPOSITION, "there is no composition")
                continue
            faults = [k for k in self.reject if candidate.checks[k].verdict == FAIL]
            if faults:
                yield candidate.failed(
                    self.name, Code.CHEMISTRY, "; ".join(f"{k}: {candidate.checks[k].reason}" for k in faults)
                )
                continue
            earlier = first.setdefault(Formula.of_amounts(candidate.composition), candidate.id)
            copy = earlier != candidate.id
            yield candidate.failed(self.name, Code.DUPLICATE, f"same formula as {earlier}") if copy else candidate
