"""Whether a template is near enough to a formula for a prediction to be believed.

The limits come from validation crystals (MP-20: templates of the training split of other formulas, for each of 8,987
crystals of the validation split the best one; `benchmarks/template_reach.py`). A prediction is right where
StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10) finds the known crystal in it. Within the limits 65.5 % are right
(5,646 of 8,616), beyond them 5.9 % (22 of 371).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from nucleate.chem.classes import NONMETALS

FARTHEST = 5.0  # steps between the formulas (element mover's distance): 6.2 % right from there on, 14 of 225
NEAR = 2.0  # steps up to which neither of the next two counts: 66.4 % right, 5,584 of 8,415
VOLUME = 1.35  # times that a cell grows or shrinks; beyond NEAR 5.3 % right, 6 of 114
# A metal in the place of a nonmetal, or the reverse: beyond NEAR 4.3 % right, 3 of 69
LEAST_SIMILAR = 0.3  # of the network's similarity, where templates are ranked by it: 8.0 % right below, 13 of 162
FEW = 4  # formulas and structures that are named
RIGHT = "of the crystals that served to test it, one in 17 such predictions was right, and two in three of the others"


def far(distance: float, similarity: float | None, substitution: Mapping[str, str], volume: float) -> str:
    """Why a prediction from a template is hardly ever right, or "" where it may well be.

    distance, similarity, substitution, volume: as of `generators.template.Prediction`; a distance that is not known
    (nan) is no reason.
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
    """A template that was taken, such as `pipeline.origin.TemplateMatch`. far: why it is no good one, or ""."""

    @property
    def id(self) -> str: ...

    @property
    def formula(self) -> str: ...

    @property
    def far(self) -> str: ...


def warnings(made: Sequence[tuple[str, str, Match]]) -> list[str]:
    """What is to be said of structures whose templates are far: (id, formula, template) of each structure, the best
    one of each formula first."""
    best: dict[str, Match] = {}
    for _, formula, match in made:
        best.setdefault(formula, match)
    without = {formula: match for formula, match in best.items() if match.far}
    out = [f"no good template of {formula}: the best one, {match.formula} {match.id}, has {match.far}"
           for formula, match in list(without.items())[:FEW]]  # fmt: skip
    if len(without) > FEW:
        out.append(f"no good template of {len(without) - FEW} more formulas")
    others = [f"{name} ({match.far})" for name, formula, match in made if match.far and formula not in without]
    if others:
        more = f" and {len(others) - FEW} more" if len(others) > FEW else ""
        out.append(f"from templates that are too far away: {', '.join(others[:FEW])}{more}")
    return [*out, f"such structures are guesses: {RIGHT}"] if out else []


def _crosses(old: str, new: str) -> bool:
    return (old in NONMETALS) != (new in NONMETALS)
