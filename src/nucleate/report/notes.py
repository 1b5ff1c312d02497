"""Sentences below tables of candidates, where two columns seem to contradict each other."""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, Candidate
from nucleate.pipeline.rank import too_deep, verdict

CLEARLY = 1e-3  # eV/atom; less below the hull does not show in a table
FEW = 3  # candidates that a sentence names


def contradiction_notes(candidates: Sequence[Candidate]) -> list[str]:
    """Sentences that explain seeming contradictions in the table of these candidates.

    A known crystal may lie below the hull of known crystals, since a reference set has compounds at the geometry of
    their database, while the candidate is relaxed. A new structure may have a known phase of its own formula under it,
    since "novel" compares structures and the hull compares formulas. And of some potentials it is not known to which
    elements they were fitted. Reasons of checks with the verdict unknown are not among these sentences.
    """
    living = [c for c in candidates if c.failure is None and c.structure is not None]
    below = [c for c in living if verdict(c, "novel") == FAIL and _below(c) > CLEARLY]
    own = [c for c in living if "novel" not in c.checks and _own_formula(c) and _below(c) > CLEARLY]
    forms = [c for c in living if verdict(c, "novel") == PASS and _own_formula(c)]
    untold = [c for c in living if c.relaxation is not None and not c.relaxation.elements_known]
    out = []
    if below:
        deepest = 1000 * max(map(_below, below))
        out.append(
            f"{_few(below)} {_are(below, 'known', 'crystal')} and yet up to {deepest:.0f} meV/atom below the hull of "
            "known crystals, which holds them unrelaxed, as in their database: read that as on the hull"
        )
    if own:
        out.append(
            f"{_few(own)}: below the known phase of {'their' if len(own) > 1 else 'its'} own formula, which the "
            "reference holds unrelaxed, as in its database; relaxation alone may lower a known crystal so far "
            "(nucleate rank compares)"
        )
    if forms:
        out.append(
            f"{_few(forms)} {_are(forms, 'new', 'structure')} of a known formula: the known phase under it is another "
            "structure of that formula"
        )
    for name in dict.fromkeys(c.relaxation.potential for c in untold if c.relaxation):
        out.append(f"which elements {name} was fitted to is not known: for others its energies mean nothing")
    return out


def _below(c: Candidate) -> float:
    """How far a candidate lies below the hull, eV/atom; 0 where that is not known or not credible."""
    above = c.energies.get("e_above_hull")
    return -above.value if above is not None and not too_deep(c) else 0.0


def _own_formula(c: Candidate) -> bool:
    """Whether the known phase under a candidate on the hull has the same formula."""
    from nucleate.chem.composition import Formula
    from nucleate.chem.formula import parse_formula

    under = c.hull.decomposition if c.hull else ""
    if not under or " " in under or c.structure is None:
        return False
    try:
        return Formula.of(parse_formula(under, strict=True)) == Formula.of(parse_formula(c.formula, strict=True))
    except NucleateError:  # the record was written by another program
        return False


def _are(found: Sequence[Candidate], kind: str, noun: str) -> str:
    return f"are {kind} {noun}s" if len(found) > 1 else f"is a {kind} {noun}"


def _few(found: Sequence[Candidate]) -> str:
    more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    return ", ".join(f"{c.id} ({c.formula})" for c in found[:FEW]) + more
