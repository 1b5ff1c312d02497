"""What a report says of the votes for structures: how probable each is, and that it is none of these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.state import StructureVote

KNOWN = "known"  # the proposer of a known crystal of the formula


def share_text(share: float) -> str:
    """A probability in per cent: "42 %", "<1 %", ">99 %"."""
    if 0 < share < 0.005:
        return "<1 %"
    return ">99 %" if 0.995 <= share < 1 else f"{100 * share:.0f} %"


def chance_text(vote: StructureVote | None) -> str:
    """How likely it is that a crystal has its formula's structure: "42 %", "known", or "-" where there is no number;
    "" without a vote."""
    if vote is None:
        return ""
    if vote.proposer == KNOWN:
        return KNOWN
    return "-" if vote.probability is None else share_text(vote.probability)


def chance_value(vote: StructureVote | None) -> float | None:
    """The same as a number from 0 to 1, for sorting; None where there is none."""
    if vote is None:
        return None
    return 1.0 if vote.proposer == KNOWN else vote.probability


def relative_text(candidate: Candidate) -> str:
    """The known crystal that a voted structure is, or is taken from: "Rb2AgSbCl6 mp-1110803"; "" where there is
    none."""
    match = candidate.origin.template
    return f"{match.formula} {match.id}" if candidate.vote is not None and match is not None else ""


def vote_text(candidate: Candidate) -> str:
    """What the votes say of a structure, in one line; "" without a vote."""
    vote = candidate.vote
    if vote is None:
        return ""
    kind = vote.name or vote.prototype
    if vote.proposer == KNOWN:
        return f"known crystal {vote.id}: {kind}"
    chance = f"P {chance_text(vote)}" if vote.probability is not None else "no probability"
    return f"{chance}: {kind}, by {vote.proposer} from {relative_text(candidate)}"


def none_of_these(candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    """Formula and how likely it is that it has none of these structures, for formulas whose structures have
    probabilities; what is drawn several times counts once."""
    shares: dict[str, dict[tuple[str, str], float]] = {}
    for c in candidates:
        if c.vote is not None and c.vote.probability is not None:
            shares.setdefault(c.formula, {})[c.vote.prototype, relative_text(c)] = c.vote.probability
    return [(f, share_text(max(0.0, 1.0 - math.fsum(own.values())))) for f, own in shares.items()]
