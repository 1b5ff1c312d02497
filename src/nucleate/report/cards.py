"""The cards of a report: one for each candidate that can be drawn, with a rotating crystal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nucleate.pipeline.candidate import FAIL
from nucleate.pipeline.rank import nearest_text, too_deep
from nucleate.report.charts import hull_hue
from nucleate.report.shown import Shown
from nucleate.report.votes import vote_text


@dataclass(frozen=True)
class LegendItem:
    """An element of the drawing: its colour and how many of its atoms the cell has."""

    symbol: str
    colour: str
    count: int


@dataclass(frozen=True)
class CandidateCard:
    """The text beside a drawing.

    symbol: of the space group. vote: how probable the structure is, its type, who proposed it, and the known crystal
    that it is taken from, in words; "" where there is no vote. cell: the name and lengths of the cell that is drawn.
    above_hull: eV/atom, None where it is unknown. nearest: the nearest known crystal and what differs. hue: colour of
    its label, degrees. reasons: why the crystal is what was asked for. failed: the checks that it failed, with reasons.
    """

    number: int
    formula: str
    symbol: str
    vote: str
    legend: list[LegendItem]
    cell: str
    above_hull: float | None
    hue: int
    reasons: Sequence[str]
    decomposition: str
    nearest: str
    failed: list[str]


def candidate_cards(shown: Sequence[Shown], known: Mapping[str, Mapping[str, Any]]) -> list[CandidateCard]:
    """A card for each candidate that has a scene.

    known: element -> its colour and radius, as `scene.drawn_elements` gives them.
    """
    return [_card(s, s.scene["symbols"], known) for s in shown if s.scene is not None]


def _card(s: Shown, symbols: list[str], known: Mapping[str, Mapping[str, Any]]) -> CandidateCard:
    c, hull = s.candidate, s.row["e_above_hull"]
    told = hull is not None and math.isfinite(hull) and not too_deep(c)
    return CandidateCard(
        number=s.number,
        formula=c.formula,
        symbol=s.row["space_group"],
        vote=vote_text(c),
        legend=[LegendItem(e, known[e]["colour"], symbols.count(e)) for e in dict.fromkeys(symbols)],
        cell=s.cell,
        above_hull=hull if told else None,
        hue=hull_hue(hull) if told else 0,
        reasons=c.meets,
        decomposition=str(s.row["decomposition"] or ""),
        nearest=nearest_text(s.row),
        failed=[
            f"{k}: {v.reason}" if v.reason else k for k, v in c.checks.items() if v.verdict == FAIL and k != "novel"
        ],
    )
