"""The rows of a report's ranked table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.rank import nearest_text, novel_text, too_deep, verdict
from nucleate.report.charts import hull_hue
from nucleate.report.markup import MINUS, signed
from nucleate.report.shown import Shown
from nucleate.report.votes import chance_text, chance_value, none_of_these, relative_text

CHECK_SIGNS = {
    "charge": "q",
    "electronegativity": "\u03c7",
    "distance": "d",
    "density": "\u03c1",
    "volume": "v",
    "relaxed": "r",
    "hull": "h",
    "unique": "u",
    "judges": "j",
    "phonons": "\u03c9",
}


@dataclass(frozen=True)
class Number:
    """A cell with a number.

    value: None where there is none. tip: a text that appears under the pointer. hue: colour of the dot before the
    number, None for no dot. wanted: the value or range that was asked for, as a text.
    """

    value: float | None = None
    tip: str = ""
    hue: int | None = None
    wanted: str = ""


@dataclass(frozen=True)
class Mark:
    """One check: the sign that stands for it, its verdict, and words with name, verdict and reason."""

    sign: str
    verdict: str
    words: str


@dataclass(frozen=True)
class RankingRow:
    """One candidate.

    number: its rank. chance: how likely it is that it has its formula's structure, as a text (`votes.chance_text`), and
    chance_value: as a number, for sorting. type: name or label of its structure type. proposer: who proposed it, and
    relative: the known crystal that it is, or is taken from. drawn: whether it has a drawing below the table. words:
    the text that the filter searches. symbol, space_group: of the space group, its number being 0 where it is unknown.
    numbers: the cells with energies, with the difference between two judges, and with predicted properties. novel: new,
    known or unknown; novel_word: the same, or ordering. nearest: the nearest known crystal and what differs. failed:
    how many checks failed, without novelty. cif: the structure as a data URI, and file: a name for it.
    """

    number: int
    formula: str
    chance: str
    chance_value: float | None
    type: str
    proposer: str
    relative: str
    drawn: bool
    words: str
    symbol: str
    space_group: int
    num_atoms: int
    numbers: list[Number]
    novel: str
    novel_word: str
    novel_reason: str
    nearest: str
    marks: list[Mark]
    failed: int
    cif: str
    file: str


@dataclass(frozen=True)
class WantedValues:
    """A property that was asked for: its column in the data, its usual name, and its unit."""

    column: str
    name: str
    unit: str


@dataclass(frozen=True)
class Ranking:
    """The table.

    voted: whether known crystals voted for structures, so that there are columns for these. rest: of formulas that are
    not known, how likely it is that they have none of the structures in the table. judged: whether a second potential
    judged any candidate, so that there is a column for it. wanted: properties with columns of their own. signs: check
    -> its sign.
    """

    rows: list[RankingRow]
    voted: bool
    rest: list[tuple[str, str]]
    judged: bool
    wanted: list[WantedValues]
    signs: Mapping[str, str]


def ranking(shown: Sequence[Shown]) -> Ranking:
    """The table of these candidates, in the order given."""
    judged = any(s.row["disagreement"] is not None for s in shown)
    wanted = _wanted(shown[0].row) if shown else []
    voted = any(s.candidate.vote for s in shown)
    rest = none_of_these([s.candidate for s in shown])
    return Ranking([_row(s, judged, wanted) for s in shown], voted, rest, judged, wanted, CHECK_SIGNS)


def _row(s: Shown, judged: bool, wanted: Sequence[WantedValues]) -> RankingRow:
    c, row = s.candidate, s.row
    novel = {PASS: "new", FAIL: "known"}.get(verdict(c, "novel"), "unknown")
    word = "ordering" if novel_text(row) == "ordering" else novel
    symbols = [e.symbol for e in c.structure.composition.elements] if c.structure is not None else []
    words = " ".join((row["formula"], c.id, row["space_group"], str(s.space_group or ""), word, *symbols)).lower()
    return RankingRow(
        number=s.number,
        formula=row["formula"],
        chance=chance_text(c.vote),
        chance_value=chance_value(c.vote),
        type=(c.vote.name or c.vote.prototype) if c.vote else "",
        proposer=(c.vote.proposer if c.vote else c.origin.generator) or "",
        relative=relative_text(c),
        drawn=s.scene is not None,
        words=words,
        symbol=row["space_group"],
        space_group=s.space_group,
        num_atoms=row["num_atoms"],
        numbers=[
            _energy(c, "e_form"),
            _energy(c, "e_above_hull", coloured=not too_deep(c)),
            *([_second(row)] if judged else []),
            *(_predicted(row, w.column) for w in wanted),
        ],
        novel=novel,
        novel_word=word,
        novel_reason=c.checks["novel"].reason if "novel" in c.checks else "",
        nearest=nearest_text(row),
        marks=_marks(c),
        failed=sum(v.verdict == FAIL for k, v in c.checks.items() if k != "novel"),
        cif=_cif(c),
        file=re.sub(r"[^A-Za-z0-9.-]+", "_", f"{c.formula}-{c.id}") + ".cif",
    )


def _energy(candidate: Candidate, name: str, coloured: bool = False) -> Number:
    energy = candidate.energies.get(name)
    if energy is None or not math.isfinite(energy.value):
        return Number()
    tip = energy.method + (f", against {energy.reference}" if energy.reference else "")
    return Number(energy.value, tip, hull_hue(energy.value) if coloured else None)


def _second(row: Mapping[str, Any]) -> Number:
    """The cell with the difference between the two judges; its tip has the energy by the second one."""
    if row["disagreement"] is None:
        return Number()
    tip = f"{row['second_method']}: {signed(row['second_e_above_hull'])} eV/atom above its own hull"
    return Number(row["disagreement"], tip)


def _wanted(row: Mapping[str, Any]) -> list[WantedValues]:
    from nucleate.generators.properties import UNITS, short_name

    columns = [key.removeprefix("wanted_") for key in row if key.startswith("wanted_")]
    return [WantedValues(c, short_name(c), UNITS.get(c, "")) for c in columns]


def _predicted(row: Mapping[str, Any], column: str) -> Number:
    value, wanted = row[f"predicted_{column}"], row[f"wanted_{column}"].replace("-", MINUS)
    return Number(value, "" if value is None else f"by {row['predicted_by']}", wanted=wanted)


def _marks(candidate: Candidate) -> list[Mark]:
    names = [n for n in CHECK_SIGNS if n in candidate.checks]
    names += [n for n in candidate.checks if n not in CHECK_SIGNS and n != "novel"]
    return [_mark(n, candidate.checks[n]) for n in names]


def _mark(name: str, check: Check) -> Mark:
    words = f"{name}: {check.verdict}" + (f" ({check.reason})" if check.reason else "")
    kind = check.verdict if check.verdict in (PASS, FAIL) else UNKNOWN
    return Mark(CHECK_SIGNS.get(name, name[:1]), kind, words)


def _cif(candidate: Candidate) -> str:
    """The structure as a data URI; "" where there is none that can be written."""
    if candidate.structure is None:
        return ""
    try:
        text = candidate.structure.to(fmt="cif")
    except ValueError:  # numbers that are not finite
        return ""
    return "data:chemical/x-cif;charset=utf-8," + quote(text)
