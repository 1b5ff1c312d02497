"""Chemical checks of compositions before there is a structure: charge, electronegativity, assigned oxidation states."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from nucleate.chem.composition import Formula
from nucleate.errors import Code, NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.stages.check import check_chemistry

_ION = re.compile(r"([A-Z][a-z]?)(\d*)([+-])(?![\w+])")  # "Fe2+" in reasons of the check "charge"
_STATES = re.compile(r"([A-Z][a-z]?) ([+-]\d[^,]*)")  # "Fe +2 (1/3) and +3 (2/3)" in those of the check "oxidation"
CHECKS = ("charge", "electronegativity", "oxidation")


def with_oxidation(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates with the check "oxidation": whether the oxidation states that a network assigns to their elements
    add up to zero. The network is asked once for all of them.

    Candidates without composition and structure are given back as they are. If the check "charge" has found other
    states, the reasons of both checks mention the other ones: FeS2 may be read as Fe4+ S2- and as Fe2+ S-.
    """
    from nucleate.stages.oxidation import composition_oxidation_verdicts

    counts = [Formula.of_amounts(c.structure.composition if c.structure else c.composition or {}) for c in candidates]
    verdicts = iter(composition_oxidation_verdicts([dict(c) for c in counts if c]))
    return [
        c.with_(checks=_told_apart(c.checks, next(verdicts))) if counted else c
        for c, counted in zip(candidates, counts, strict=True)
    ]


def _told_apart(checks: Mapping[str, Check], oxidation: Check) -> dict[str, Check]:
    """The check "oxidation". If the check "charge" has different ions: both checks, each with the ions of the other."""
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
    """Gives each candidate the checks "charge", "electronegativity" and "oxidation" of its composition.

    reject: the checks that reject a candidate when they fail; "unknown" never rejects. Of several candidates with the
    same formula that pass them, all but the first are rejected as duplicates, with the id of the first.
    """

    name = "chemistry"
    grain: Grain = "all"  # a formula can be a duplicate of any other
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
