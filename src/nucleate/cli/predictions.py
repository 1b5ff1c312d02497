"""The table of predicted structures, and the sentences below that explain it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

from nucleate.cli.tables import TerminalColumn, counted_noun, energy_text
from nucleate.generators.methods import ORDERING
from nucleate.report.votes import chance_text, share_text

if TYPE_CHECKING:
    from nucleate.library.library import Library
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import TemplateMatch
    from nucleate.settings import PredictSettings

FEW = 4  # formulas of which a sentence or a family is told
LONGEST = 24  # characters of a label of a structure type; of longer ones the sites are left out
NUMBERS = {  # of a template, and what they mean
    "distance": "distance: element mover's, of the formulas, in steps on the modified Pettifor scale",
    "similarity": "similarity: of the structures, as a network judges by the formulas, 0 to 1",
    "volume": "volume: of the cell over the template's",
}
PROBABLE = "P: that a crystal near the hull has this structure type, by the votes of known crystals"
OPEN = "-: no P, because a crystal of the formula is known; grey: rarely right"
NONE = "none of these"
ORDERED = "ordering: like elements share sites of the nearest known; no votes, so no P: it is among the rest"
REST = "another, or an ordering"
Pair = tuple["Candidate", dict[str, Any]]  # a candidate and its row of `rank.to_rows`


def show_predictions(candidates: Sequence[Candidate], settings: PredictSettings) -> None:
    """A row for each structure, and below what the numbers are and how far they can be trusted.

    candidates: those that are kept, of each formula the best first.
    """
    from nucleate.cli.candidates import elements_of, radioactive
    from nucleate.cli.tables import output_console, show_table
    from nucleate.generators.reach import far_warnings
    from nucleate.pipeline.rank import to_rows

    shown: list[Pair] = list(zip(candidates, to_rows(candidates), strict=True))
    voted = any(c.vote for c in candidates)
    # of a formula with a known crystal nothing hangs on the other structures, and of others there are probabilities
    unvoted = [c for c in candidates if c.vote is None]
    records = [(c.id, c.wanted.label, c.origin.template) for c in unvoted if c.origin.template]
    far = dict.fromkeys(formula for _, formula, record in records if record.far)
    gated = _gated(candidates) if settings.relax and voted else set()
    columns, said, lines = _voted(shown, settings) if voted else _others(shown, settings)
    said += _of_relaxed(shown, gated) if settings.relax else []
    dim = [c is not None and (c.failure is not None or c.id in gated or _is_far(c)) for c in lines]
    labels = [c.wanted.label if c is not None else "" for c in lines]
    sections = [i for i in range(1, len(labels)) if labels[i] and labels[i] != (labels[i - 1] or labels[i - 2])]
    show_table(
        output_console(),
        columns,
        [*said, *far_warnings(records), *_families(far), *radioactive(map(elements_of, candidates))],
        dim=dim,
        sections=sections,
        whole="--out FILE.jsonl writes all that is known",
    )


Table = tuple[list[TerminalColumn], list[str], list["Candidate | None"]]


def _voted(shown: Sequence[Pair], settings: PredictSettings) -> Table:
    """Columns and sentences where structures were retrieved; a row more for what no vote is for."""
    from nucleate.cli.candidates import elements_of, marked
    from nucleate.library.library import load_library

    lines: list[Candidate | None] = []
    cells: list[tuple[str, ...]] = []
    groups = [list(group) for _, group in groupby(shown, key=lambda pair: pair[0].wanted.label)]
    for group in groups:
        for number, (c, row) in enumerate(group, 1):
            lines.append(c)
            name = marked(c.id, elements_of(c))
            cells.append((str(number), name, *_vote_cells(c, row, settings.relax), row["failure"] or row["checks"]))
        if (rest := _none_of_these(group)) is not None:
            lines.append(None)
            cells.append(
                (
                    "",
                    "",
                    share_text(rest),
                    REST if any(_is_ordering(c) for c, _ in group) else NONE,
                    *[""] * (len(VOTED) - 1),
                )
            )
    by_name = dict(zip(("#", "id", *VOTED, "checks"), zip(*cells, strict=True), strict=True))
    columns = [
        TerminalColumn("#", by_name["#"], right=True, gives_way=0 if len(groups) == 1 else 9),
        TerminalColumn("id", by_name["id"], gives_way=8 if len(groups) == 1 else 0),
        TerminalColumn("P", by_name["P"], right=True),
        TerminalColumn("structure type", by_name["structure type"], gives_way=3),
        TerminalColumn("space\ngroup", by_name["group"]),
        TerminalColumn("atoms", by_name["atoms"], right=True, gives_way=4),
    ]
    if settings.relax:
        columns.append(TerminalColumn("e_form\neV/atom", by_name["e_form"], right=True, gives_way=7))
    if any(text not in ("", "-") for text in by_name["e_above_hull"]):
        columns.append(TerminalColumn("e_above\n_hull\neV/atom", by_name["e_above_hull"], right=True, gives_way=1))
    columns += _near_hull(lines)
    columns += [
        TerminalColumn("by", by_name["by"], gives_way=6),
        TerminalColumn("nearest known", by_name["known"], gives_way=2),
        TerminalColumn("elements", by_name["elements"], gives_way=5, folds=9),
    ]
    if settings.relax:
        columns.append(TerminalColumn("checks", by_name["checks"], gives_way=10, folds=18))
    said = plain_sentences(groups, load_library(hide=settings.known.hide), settings.relax)
    if any(c.vote and c.vote.probability is not None for c, _ in shown):
        said.append(PROBABLE)
    if any(_is_ordering(c) for c, _ in shown):
        said.append(ORDERED)
    said += [text for group in groups if (text := _capped(group))]
    if any(_of_known_formula(group) and any(not _is_known(c) for c, _ in group) for group in groups):
        said.append(OPEN)
    if not settings.relax and any(c.vote and c.vote.known_e_above_hull is not None for c, _ in shown):
        said.append("e_above_hull: of the Materials Project, for known crystals alone; --relax computes all")
    return columns, said, lines


VOTED = "P", "structure type", "group", "atoms", "e_form", "e_above_hull", "by", "known", "elements"


def _vote_cells(c: Candidate, row: Mapping[str, Any], relaxed: bool) -> tuple[str, ...]:
    """The cells of the columns of VOTED."""
    vote, match = c.vote, c.origin.template
    height = row["e_above_hull"] if relaxed else vote.known_e_above_hull if vote else None
    if vote is None:
        chance, kind = "-", "-"
    else:
        chance = chance_text(vote)
        kind = vote.name or _short_label(vote.prototype)
    return (
        chance,
        kind,
        row["space_group"],
        str(row["num_atoms"]),
        energy_text(row["e_form"]),
        energy_text(height),
        c.origin.generator or "-",
        f"{match.formula} {match.id}" if match else "-",
        changed_elements(match) if match else "-",
    )


def _others(shown: Sequence[Pair], settings: PredictSettings) -> Table:
    """Columns and sentences of structures from templates, models and random search."""
    from nucleate.cli.candidates import elements_of, marked, radioactive

    candidates = [c for c, _ in shown]
    records = [c.origin.template for c in candidates]
    columns = [TerminalColumn("id", [c.id for c in candidates])]
    named = any("-" in c.wanted.label for c in candidates)  # of a chemical system
    if named or radioactive(map(elements_of, candidates)):
        columns.append(TerminalColumn("formula", [marked(c.formula, elements_of(c)) for c in candidates]))
    columns += [
        TerminalColumn("space\ngroup", [row["space_group"] for _, row in shown]),
        TerminalColumn("atoms", [str(row["num_atoms"]) for _, row in shown], right=True, gives_way=4),
    ]
    said = []
    if any(records):
        columns.append(TerminalColumn("template", [f"{r.formula} {r.id}" if r else "-" for r in records], gives_way=2))
        changes = [changed_elements(r) if r else "-" for r in records]
        columns.append(TerminalColumn("elements", changes, gives_way=3, folds=9))
    for name in NUMBERS if not settings.relax else ():
        values = [getattr(r, name) if r else None for r in records]
        if any(value is not None for value in values):
            cells = ["-" if value is None else f"{value:.2f}" for value in values]
            columns.append(TerminalColumn(name, cells, right=True, gives_way=1 if name == "distance" else 5))
            said.append(NUMBERS[name])
    if settings.relax:
        formed, above = ([energy_text(row[name]) for _, row in shown] for name in ("e_form", "e_above_hull"))
        columns.append(TerminalColumn("e_form\neV/atom", formed, right=True, gives_way=6))
        columns.append(TerminalColumn("e_above\n_hull\neV/atom", above, right=True, gives_way=1))
        columns += _near_hull(candidates)
    if any(c.frequency for c in candidates):
        found = [f"{c.frequency.found} of {c.frequency.drawn}" if c.frequency else "-" for c in candidates]
        columns.append(TerminalColumn("found", found, right=True, gives_way=5))
        said.append("found: as how many of the samples drawn of the formula")
    if settings.relax:
        checks = [row["failure"] or row["checks"] for _, row in shown]
        columns.append(TerminalColumn("checks", checks, gives_way=7, folds=18))
    return columns, said, list(candidates)


def _near_hull(candidates: Iterable[Candidate | None]) -> list[TerminalColumn]:
    """The column of probabilities to be near the hull, none where no candidate has one."""
    from nucleate.pipeline.near_hull import near_hull_probability

    chances = [near_hull_probability(c) if c is not None else None for c in candidates]
    if all(p is None for p in chances):
        return []
    cells = ["" if p is None else share_text(p) for p in chances]
    return [TerminalColumn("near\nhull", cells, right=True, gives_way=2)]


def _of_relaxed(shown: Sequence[Pair], gated: set[str]) -> list[str]:
    from nucleate.cli.candidates import caption, doubts, few, stability
    from nucleate.pipeline.near_hull import NEAR
    from nucleate.tasks.predict import GATE

    candidates = [c for c, _ in shown]
    out = [*stability(candidates), *caption([row for _, row in shown]), *doubts(candidates)]
    if _near_hull(candidates):
        out.append(f"near hull: the probability to be within {1000 * NEAR:g} meV/atom of the hull by DFT")
    if any(c.vote for c in candidates):
        behind = [c.id for c in candidates if c.id in gated]
        last = f"; last, as more than {GATE:g} eV/atom above the lowest of the formula: {few(behind)}" if behind else ""
        out.append(f"order: as known crystals and votes have it, because energies choose worse (docs/predict.md){last}")
    return out


def _gated(candidates: Sequence[Candidate]) -> set[str]:
    """The ids of what lies too far above the lowest of its formula."""
    from nucleate.tasks.predict import is_gated, lowest_energy

    out: set[str] = set()
    for _, some in groupby(candidates, key=lambda c: c.wanted.label):
        group = list(some)
        lowest = lowest_energy(group)
        out |= {c.id for c in group if is_gated(c, lowest)}
    return out


def plain_sentences(groups: Sequence[Sequence[Pair]], library: Library, relaxed: bool) -> list[str]:
    """What was found for each formula, in one sentence; for many formulas one sentence on all of them."""
    if len(groups) <= FEW:
        return [_sentence(group, library, relaxed) for group in groups]
    known = sum(_of_known_formula(group) for group in groups)
    chances = [p for group in groups if not _of_known_formula(group) and (p := _best_chance(group)) is not None]
    likely = sum(p >= 0.5 for p in chances)
    said = f"of {len(groups):,} formulas {known:,} {'are' if known != 1 else 'is'} known"
    if chances:
        many = f"{likely:,}" if likely else "none"
        said += f"; for {many} of the other {len(chances):,} the best guess has 50 % or more"
    return [said]


def _sentence(group: Sequence[Pair], library: Library, relaxed: bool) -> str:
    c, row = next(((c, row) for c, row in group if _is_known(c)), group[0])
    formula, vote = c.wanted.label, c.vote
    if vote is None:
        return f"{formula}: {len(group)} structures"
    if _is_known(c):
        height = row["e_above_hull"] if relaxed else vote.known_e_above_hull
        kind = f"{vote.name}, " if vote.name else ""
        size = counted_noun(int(row["num_atoms"]), "atom")
        said = f"{formula} is known: {kind}{row['space_group']}, {size}, {_height_text(height)}"
        more = len(library.of_formula(c.composition or {})) - sum(_is_known(c) for c, _ in group)
        return said + (
            f"; {more} more known crystal{'s' if more > 1 else ''} of it: nucleate known {formula}" if more > 0 else ""
        )
    where = "is not known" if not library.hidden_text else "is not known, apart from what is hidden"
    kind = f"{vote.name or _short_label(vote.prototype)} as in {c.origin.template.formula}" if c.origin.template else ""
    chance = _best_chance(group)
    if _is_ordering(c) and c.origin.template:
        few = f" (all structure types by votes: {share_text(_voted_share(group))})" if chance is not None else ""
        return f"{formula} {where}; the best guess is an ordering of {c.origin.template.formula}{few}"
    if chance is None:
        return f"{formula} {where}"
    rest = _none_of_these(group) or 0.0
    doubt = f"; more likely ({share_text(rest)}) it has none of these" if rest > 0.5 else ""
    return f"{formula} {where}; the best guess, {kind}, has {share_text(chance)}{doubt}"


def _capped(group: Sequence[Pair]) -> str:
    """What is said where not all ways were looked at to put the elements in the place of those of known crystals."""
    from nucleate.retrieval.relatives import MOST_ASSIGNMENTS

    counts = list((group[0][0].composition or {}).values())
    ways = math.prod(math.factorial(counts.count(n)) for n in set(counts))
    if ways <= MOST_ASSIGNMENTS or not any(c.vote for c, _ in group):
        return ""
    return (
        f"{group[0][0].wanted.label}: its elements can take the places of others in {ways:,} ways, of which "
        f"{MOST_ASSIGNMENTS} are looked at"
    )


def _height_text(height: float | None) -> str:
    if height is None or not math.isfinite(height):
        return "its energy above the hull unknown"
    if abs(height) < 0.0005:
        return "on the hull"
    return f"{abs(1000 * height):.0f} meV/atom {'above' if height > 0 else 'below'} the hull"


def _is_known(c: Candidate) -> bool:
    return bool(c.vote and c.vote.proposer == "known")


def _is_ordering(c: Candidate) -> bool:
    return bool(c.vote and c.vote.proposer == ORDERING)


def _is_far(c: Candidate) -> bool:
    return bool(c.origin.template and c.origin.template.far)


def _of_known_formula(group: Sequence[Pair]) -> bool:
    return any(_is_known(c) for c, _ in group)


def _best_chance(group: Sequence[Pair]) -> float | None:
    return max((c.vote.probability for c, _ in group if c.vote and c.vote.probability is not None), default=None)


def _voted_share(group: Sequence[Pair]) -> float:
    return math.fsum(c.vote.probability for c, _ in group if c.vote and c.vote.probability is not None)


def _none_of_these(group: Sequence[Pair]) -> float | None:
    """The probability that a formula has none of the structures shown, None where none of them has one."""
    chances = [c.vote.probability for c, _ in group if c.vote and c.vote.probability is not None]
    return max(0.0, 1.0 - math.fsum(chances)) if chances else None


def _short_label(label: str) -> str:
    return label if len(label) <= LONGEST else "_".join(label.split("_")[:3])


def _families(far: Iterable[str]) -> list[str]:
    """Which of these formulas fit a crystal family, whose prototype is nearer than a template that is far."""
    from nucleate.chem.formula import parse_formula
    from nucleate.families.members import families_of

    fitting = {formula: [f.name for f in families_of(parse_formula(formula))] for formula in islice(far, FEW)}
    return [
        f"{formula} fits {', '.join(some)}: nucleate design '{formula}, {some[0]} type' begins with that structure type"
        for formula, some in fitting.items()
        if some
    ]


def changed_elements(match: TemplateMatch) -> str:
    """Who takes whose place in the template."""
    return ", ".join(f"{new} for {old}" for old, new in match.substitution.items() if new != old) or "none"
