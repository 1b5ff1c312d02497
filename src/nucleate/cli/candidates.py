"""The table of ranked candidates, and the sentences below that explain it."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.chem.elements import RADIOACTIVE
from nucleate.cli.tables import TerminalColumn, energy_text, show_table

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate

STATE_SETS = {
    "icsd24": "icsd24: oxidation states that compounds in the ICSD of 2024 have, as SMACT lists them",
    "smact14": "smact14: SMACT's list of oxidation states of 2014",
}
FEW = 3  # most candidates that a sentence names; it says how many more there are
ASKED = (
    "novel",
    "hull",
    "unique",
    "judges",
    "second",
    "phonons",
    "request",
)  # checks whose verdict "unknown" is explained


def show_candidates(
    console: Console,
    candidates: Sequence[Candidate],
    *,
    decomposition: bool = False,
    stable: float | None = None,
    whole: str = "",
) -> None:
    """Print candidates in the order given, and sentences that explain the table.

    decomposition: show the known phases under each crystal instead of novelty and checks. stable: the largest energy
    above the hull that was asked for, eV/atom. whole: where all columns can be seen (`show_table`).
    """
    from nucleate.generators.properties import short_name
    from nucleate.generators.reach import far_warnings
    from nucleate.pipeline.rank import nearest_text, novel_text, to_rows
    from nucleate.report.notes import contradiction_notes

    rows = to_rows(candidates)

    def column(name: str, cells: Iterable[str], **how: Any) -> TerminalColumn:
        return TerminalColumn(name, list(cells), **how)

    columns = [
        column("#", (str(r["rank"]) for r in rows), right=True, gives_way=2),
        column("id", (r["id"] for r in rows)),
        column("formula", (marked(r["formula"] or "-", elements_of(c)) for r, c in zip(rows, candidates, strict=True))),
        column("space\ngroup", (r["space_group"] or "-" for r in rows)),
        column("atoms", (str(r["num_atoms"] or "-") for r in rows), right=True, gives_way=4),
        column("e_form\neV/atom", (energy_text(r["e_form"]) for r in rows), right=True, gives_way=6),
        column("e_above\n_hull\neV/atom", (energy_text(r["e_above_hull"]) for r in rows), right=True, gives_way=1),
    ]
    for name, text, _ in _wanted(rows):
        head = f"{short_name(name)}\nwanted\n{text}"
        columns.append(column(head, (energy_text(r[f"predicted_{name}"]) for r in rows), right=True, gives_way=3))
    if decomposition:
        under = (r["failure"] or r["decomposition"] or "-" for r in rows)
        columns.append(column("known phases\nunder it", under, folds=24, gives_way=5))
    else:
        if any(r["disagreement"] is not None for r in rows):
            apart = (f"{r['disagreement']:.3f}" if r["disagreement"] is not None else "-" for r in rows)
            columns.append(column("judges\ndiffer by", apart, right=True, gives_way=8))
        columns.append(column("novel?", ("-" if r["failure"] else novel_text(r) for r in rows), gives_way=5))
        if any(r["nearest_id"] for r in rows):
            known = (nearest_text(r) or "-" for r in rows)
            columns.append(column("nearest known crystal", known, folds=24, gives_way=9))
        checks = (f"rejected: {r['failure']}" if r["failure"] else r["checks"] or "-" for r in rows)
        columns.append(column("checks", checks, folds=18, gives_way=7))
    templates = [(c.id, c.formula, c.origin.template) for c in candidates if c.origin.template]
    said = [
        *stability(candidates, stable),
        *far_warnings(templates),
        *caption(rows),
        *doubts(candidates),
        *contradiction_notes(candidates),
        *radioactive(map(elements_of, candidates)),
    ]
    show_table(console, columns, said, dim=[bool(r["failure"]) for r in rows], whole=whole)


def elements_of(candidate: Candidate) -> frozenset[str]:
    """The elements of the structure, or of the formula where there is no structure."""
    if candidate.structure is not None:
        return frozenset(e.symbol for e in candidate.structure.composition.elements)
    return frozenset(candidate.composition or ())


def marked(formula: str, elements: Collection[str]) -> str:
    """The formula with a star where one of its elements is radioactive; `radioactive` says what the star means."""
    return f"{formula} *" if RADIOACTIVE.intersection(elements) else formula


def radioactive(every: Iterable[Collection[str]]) -> list[str]:
    """A line on the stars that `marked` puts behind formulas; no line where there is no star."""
    from nucleate.chem.elements import atomic_number

    found = sorted(RADIOACTIVE.intersection(*[{e for elements in every for e in elements}]), key=atomic_number)
    return [f"* holds a radioactive element: {', '.join(found)}"] if found else []


def state_sets(candidates: Iterable[Candidate]) -> list[str]:
    """A line for each list of oxidation states that verdicts name in brackets."""
    said = {check.reason for c in candidates for check in c.checks.values()}
    return [line for name, line in STATE_SETS.items() if any(name in reason for reason in said)]


def stability(candidates: Sequence[Candidate], stable: float | None = None) -> list[str]:
    """A sentence on how many candidates are as stable as asked for (or on the hull), and on the best one."""
    from nucleate.pipeline.rank import e_above_hull_or_inf

    living = [c for c in candidates if c.failure is None and c.structure is not None]
    heights = {c.id: e_above_hull_or_inf(c) for c in living}
    known = [c for c in living if math.isfinite(heights[c.id])]
    if not known:
        none = "how stable they are is not known: none has an energy above the hull (nucleate hull run FILES gives it)"
        return [none] if living else []
    best = min(known, key=lambda c: heights[c.id])
    limit = 0.0 if stable is None else stable
    good = sum(heights[c.id] <= limit + 1e-9 for c in known)
    asked = f'"stable", at most {1000 * limit:g} meV/atom above the hull of known crystals'
    if len(known) == 1:
        words = f"{best.id} {best.formula} lies {_height(heights[best.id])} of known crystals"
        if stable is not None:
            words += f" and {'meets' if good else 'does not meet'} {asked}"
    else:
        how = (
            f"meet{'' if good > 1 else 's'} {asked}" if stable is not None else f"{'are' if good > 1 else 'is'} stable"
        )
        words = f"{good or 'none'} of the {len(known)} {how}: the best, {best.id} {best.formula}, lies "
        words += f"{_height(heights[best.id])} of known crystals"
    if unknown := len(living) - len(known):
        words += f"; of {unknown} more it is not known"
    return [words]


def _height(value: float) -> str:
    size = abs(1000 * value)
    text = f"{size:.0f}" if size >= 1 else f"{size:.1g}"
    return "on the hull" if size < 0.05 else f"{text} meV/atom {'above' if value > 0 else 'below'} the hull"


def doubts(candidates: Sequence[Candidate]) -> list[str]:
    """Why checks have no verdict, in one sentence for each check and reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for c in candidates:
        for name in ASKED:
            if c.failure is None and name in c.checks and c.checks[name].verdict == "unknown":
                found.setdefault((name, c.checks[name].reason), []).append(c.id)
    return [
        f"{name} is unknown for {few(ids)}: {reason or 'no reason was given'}" for (name, reason), ids in found.items()
    ]


def few(ids: Sequence[str]) -> str:
    """The first ids, and how many more there are."""
    more = f" and {len(ids) - FEW} more" if len(ids) > FEW else ""
    return ", ".join(ids[:FEW]) + more


def caption(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Lines on the methods of energies, on wanted properties, and on the reasons of rejections."""
    lines = []
    origins = Counter((row["method"], row["reference"]) for row in rows if row["method"])
    for (method, reference), n in origins.items():
        which = "" if len(origins) == 1 else f" ({n} of {len(rows)})"
        lines.append(f"energies: {method}{f', reference {reference}' if reference else ''}{which}")
    if seconds := list(dict.fromkeys(row["second_method"] for row in rows if row["second_method"])):
        lines.append(f"second judge: {', '.join(seconds)}, its own e_above_hull; in meV/atom {_spread(rows)}")
    if wanted := wishes(rows):
        lines += [*wanted, "order: steps of 0.1 eV/atom above the hull, in each the nearest to what was wanted first"]
    failures = Counter(row["failure"] for row in rows if row["failure"])
    lines += [f"{n} rejected: {reason}" for reason, n in failures.most_common(8)]
    if len(failures) > 8:
        lines.append(f"{sum(n for _, n in failures.most_common()[8:])} rejected for other reasons")
    return lines


def _spread(rows: Sequence[Mapping[str, Any]]) -> str:
    apart = [1000 * row["disagreement"] for row in rows if row["disagreement"] is not None]
    return f"they differ by {statistics.median(apart):.0f} (median), {max(apart):.0f} (most)" if apart else "no answer"


def wishes(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each wanted property: the wish, the network that predicts it, and the median of its predictions."""
    from nucleate.generators.properties import UNITS

    out = []
    for column, text, values in _wanted(rows):
        by = ", ".join(sorted({row["predicted_by"] for row in rows if row["predicted_by"]}))
        unit = UNITS.get(column, "")
        middle = f", median {statistics.median(values):.3f} {unit}".rstrip() if values else ""
        missing = f", {len(rows) - len(values)} without" if len(values) < len(rows) else ""
        out.append(f"{column}: wanted {text} {unit}".rstrip() + f"; predicted by {by}{middle}{missing}")
    return out


def _wanted(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, list[float]]]:
    """(column, the wanted values in words, the predictions there are) of each wanted property."""
    out = []
    for key in rows[0] if rows else ():
        if key.startswith("wanted_"):
            column = key.removeprefix("wanted_")
            values = [row[f"predicted_{column}"] for row in rows]
            text = ", ".join(dict.fromkeys(row[key] for row in rows if row[key]))
            out.append((column, text, [v for v in values if v is not None]))
    return out
