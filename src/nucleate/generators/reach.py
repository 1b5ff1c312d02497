"""Decides whether a template is close enough to a formula for a prediction from it to be believed.

The limits were found with MP-20: for each of 8,987 crystals of the validation split, the best template of another
formula in the training split (`benchmarks/template_reach.py`). A prediction is right if StructureMatcher (stol 0.5,
ltol 0.3, angle_tol 10) matches it with the known crystal. Within the limits 65.5 % are right (5,646 of 8,616), beyond
them 5.9 % (22 of 371).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from nucleate.chem.classes import NONMETALS

FARTHEST = 5.0  # steps between the formulas (element mover's distance); 6.2 % are right from there on, 14 of 225
NEAR = 2.0  # steps; below, the volume and metals do not count, and 66.4 % are right, 5,584 of 8,415
VOLUME = 1.35  # factor by which a cell grows or shrinks; of larger ones beyond NEAR 5.3 % are right, 6 of 114
# Of templates beyond NEAR in which a metal replaces a nonmetal, or the reverse, 4.3 % are right, 3 of 69
LEAST_SIMILAR = 0.3  # similarity by the network, where it ranks the templates; below, 8.0 % are right, 13 of 162
MAX_NAMED = 4  # formulas and structures that a warning names
HOW_OFTEN_RIGHT = "in a test on known crystals, one in 17 such predictions was right, and two in three of the others"


def far_reason(distance: float, similarity: float | None, substitution: Mapping[str, str], volume: float) -> str:
    """Why a prediction from a template is rarely right, or "" if it may be right.

    distance, similarity, substitution, volume: as in `generators.template.TemplatePrediction`. A distance that is not
    known (nan) is no reason.
    """
    if similarity is not None:
        return f"a similarity of {similarity:.2f}, below {LEAST_SIMILAR:g}" if similarity < LEAST_SIMILAR else ""
    if distance >= FARTHEST:
        return f"{distance:.0f} steps between the formulas, {FARTHEST:g} or more"
    if distance >= NEAR:
        crossed = [f"{new} in the place of {old}" for old, new in substitution.items() if _crosses(old, new)]
        if crossed:
            return f"{distance:.1f} steps between the formulas, and {crossed[0]}"
        if not 1 / VOLUME <= volume <= VOLUME:
            return f"{distance:.1f} steps between the formulas, and a cell of {volume:.2f} times the volume"
    return ""


class Match(Protocol):
    """A template that was used, such as `pipeline.origin.TemplateMatch`. far: why it is too far away, or ""."""

    @property
    def id(self) -> str: ...

    @property
    def formula(self) -> str: ...

    @property
    def far(self) -> str: ...


def far_warnings(made: Sequence[tuple[str, str, Match]]) -> list[str]:
    """Warnings about structures whose templates are too far away.

    made: (id, formula, template) of each structure; of each formula the best one comes first.
    """
    best: dict[str, Match] = {}
    for _, formula, match in made:
        best.setdefault(formula, match)
    without = {formula: match for formula, match in best.items() if match.far}
    out = [f"no good template of {formula}: the best one, {match.formula} {match.id}, has {match.far}"
           for formula, match in list(without.items())[:MAX_NAMED]]  # fmt: skip
    if len(without) > MAX_NAMED:
        out.append(f"no good template of {len(without) - MAX_NAMED} more formulas")
    others = [f"{name} ({match.far})" for name, formula, match in made if match.far and formula not in without]
    if others:
        more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
        out.append(f"from templates that are too far away: {', '.join(others[:MAX_NAMED])}{more}")
    return [*out, f"such structures are guesses: {HOW_OFTEN_RIGHT}"] if out else []


def _crosses(old: str, new: str) -> bool:
    return (old in NONMETALS) != (new in NONMETALS)
