"""The report of a run: one HTML file with summary, ranked table, crystals that can be turned, failures and provenance.

It works offline, since styles and scripts are in the file. A content security policy forbids everything else, so that
no text of a user or of a file can run as code or fetch anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nucleate.io import replacing
from nucleate.pipeline.candidate import Candidate
from nucleate.redact import redacted
from nucleate.report.cards import candidate_cards
from nucleate.report.charts import histogram, timing_bar
from nucleate.report.markup import asset, embedded_json, render_template, script_hashes
from nucleate.report.provenance import provenance_rows
from nucleate.report.ranking import ranking
from nucleate.report.scene import drawn_elements
from nucleate.report.shown import shown_candidates
from nucleate.report.summary import hull_values, rejected_candidates, summary_tiles

MOST = 1000  # living candidates that are shown


def write_report(
    path: str | Path,
    candidates_ranked: Sequence[Candidate],
    request_text: str,
    settings: Mapping[str, Any],
    seconds_by_stage: Mapping[str, float],
) -> Path:
    """Write the report of a run and return its path.

    candidates_ranked: all candidates, best first; rejected ones are listed apart, with their reasons. request_text: the
    title. settings: plain JSON values for the provenance (weights, seed, potential, reference, command ...); its text
    "understood" is shown under the request. seconds_by_stage: stage -> seconds. Raises NucleateError where the file
    cannot be written.
    """
    path = Path(path)
    text = redacted(render_run(candidates_ranked, request_text, settings, seconds_by_stage))
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def render_run(
    candidates: Sequence[Candidate],
    request_text: str,
    settings: Mapping[str, Any],
    seconds_by_stage: Mapping[str, float],
) -> str:
    """The page as text (see `write_report`)."""
    living = [c for c in candidates if c.failure is None]
    shown = shown_candidates(living[:MOST])
    scenes = [s.scene for s in shown if s.scene is not None]
    known = drawn_elements(symbol for s in scenes for symbol in s["symbols"])
    scripts = [asset("viewer.js"), asset("report.js")]
    return render_template(
        "run.html",
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {script_hashes(scripts)}; img-src data:",
        style=asset("report.css"),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        request=request_text or "unconditional",
        understood=settings.get("understood"),
        tiles=summary_tiles(candidates),
        ranking=ranking(shown),
        not_shown=len(living) - len(shown),
        cards=candidate_cards(shown, known),
        histogram=histogram(hull_values(candidates)),
        timing=timing_bar(seconds_by_stage),
        meaning=_meaning(candidates),
        rejected=rejected_candidates(candidates),
        facts=provenance_rows(
            {k: v for k, v in settings.items() if k != "understood"}, seconds_by_stage, _methods(candidates)
        ),
        scenes=embedded_json({"elements": known, "scenes": scenes}),
        scripts=scripts,
    )


def _sources(candidates: Sequence[Candidate], name: str) -> list[tuple[str, str]]:
    """Distinct (method, reference) of an energy, in order of appearance."""
    found = (c.energies[name] for c in candidates if name in c.energies)
    return list(dict.fromkeys((e.method, e.reference) for e in found))


def _methods(candidates: Sequence[Candidate]) -> list[tuple[str, str]]:
    """How the energies were computed, as rows of the provenance."""
    rows = []
    for key, name in (("potential", "energy"), ("hull", "e_above_hull"), ("second", "second_e_above_hull")):
        for method, reference in _sources(candidates, name):
            rows.append((f"{key}: method", method))
            if reference:
                rows.append((f"{key}: reference set", reference))
    return rows


@dataclass(frozen=True)
class Meaning:
    """Names for the explanation of the numbers, each a text with commas between them, "" where there is none.

    methods, references: of the energies and their hull. second_methods, second_references: the same of the second
    judge. wanted: properties that were asked for, and predicted_by: the networks that predict them.
    """

    methods: str
    references: str
    second_methods: str
    second_references: str
    wanted: str
    predicted_by: str


def _meaning(candidates: Sequence[Candidate]) -> Meaning:
    first = _sources(candidates, "e_above_hull") or _sources(candidates, "energy")
    second = _sources(candidates, "second_e_above_hull")
    asked = [c.predicted for c in candidates if c.predicted and c.predicted.wanted]
    return Meaning(
        methods=_list(m for m, _ in first),
        references=_list(r for _, r in first),
        second_methods=_list(m for m, _ in second),
        second_references=_list(r for _, r in second),
        wanted=_list(column for p in asked for column in p.wanted),
        predicted_by=_list(p.by for p in asked),
    )


def _list(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(filter(None, names)))
