"""An evaluation of structure prediction as the general `Report`, which is what the HTML page draws."""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.evaluate.csp_report import PUBLISHED, Breakdown, CspReport, Score, notes
from nucleate.evaluate.metric import Metric, Report, Section, metric
from nucleate.evaluate.protocols import Protocol

DEFINITIONS = {
    "unfiltered": "a prediction made for the target matches it",
    "filtered": "the same, and prediction and target are both valid (DiffCSP's k = 1)",
    "with volume": "the same, and the volumes per atom agree",
    "METRe": "any prediction of the target's composition matches it",
    "METRe one-to-one": "the same, each prediction serving one target",
}


def to_report(report: CspReport, protocol: Protocol) -> Report:
    """Match rates, RMSE, the break-downs and why predictions missed, as sections."""
    dataset = str(report.settings.get("dataset", ""))
    subject = str(report.settings.get("model") or report.settings.get("predictions") or "predictions")
    sections = [
        Section("Match rate", tuple(_rates(report.scores, dataset)), notes(report)),
        Section("RMSE of the matches, in (V/N)^(1/3)", tuple(_distances(report.scores, dataset))),
    ]
    if report.polymorphs is not None and report.polymorphs.targets:
        shared = report.polymorphs
        title = f"Polymorphs: {shared.targets:,} targets of {shared.compositions:,} compositions"
        sections.append(Section(title, tuple(_rates(shared.scores, "", "polymorph_"))))
    for title, rows in (("By crystal system", report.by_crystal_system), ("By number of atoms", report.by_num_atoms)):
        sections.append(Section(title, tuple(_groups(rows, report.samples))))
    missed = tuple(
        metric(f"missed: {reason}", reason, count, "predictions") for reason, count in report.reasons.items()
    )
    sections.append(Section("Why predictions missed", missed, "" if missed else "None did."))
    return Report(
        task="csp",
        subject=subject,
        n=report.targets,
        sections=tuple(sections),
        reference=dataset,
        protocol={protocol.name: {**protocol.to_dict(), **report.protocol}},
        settings=dict(report.settings),
    )


def _rates(scores: Sequence[Score], dataset: str, prefix: str = "") -> list[Metric]:
    return [
        metric(
            f"{prefix}{s.protocol} @{s.samples}".replace(" ", "_"),
            f"{s.protocol}, best of {s.samples}" if s.samples > 1 else s.protocol,
            s.match_rate,
            DEFINITIONS[s.protocol],
            published=_published(s, dataset, rate=True),
        )
        for s in scores
    ]


def _distances(scores: Sequence[Score], dataset: str) -> list[Metric]:
    rows = []
    for s in scores:
        name = f"{s.protocol} @{s.samples}".replace(" ", "_")
        label = f"{s.protocol}, best of {s.samples}" if s.samples > 1 else s.protocol
        known = _published(s, dataset, rate=False)
        rows.append(metric(f"rmse_{name}", label, s.rmse, "mean over the matches", published=known))
        rows.append(metric(f"crmse_{name}", f"{label}, cRMSE", s.crmse, "mean over all targets, a miss counts as stol"))
    return rows


def _published(s: Score, dataset: str, rate: bool) -> dict[str, float]:
    if s.protocol != "unfiltered" or dataset != "mp-20:test":
        return {}
    rows = [p for p in PUBLISHED if p.samples == s.samples]
    return {p.name: p.match_rate / 100 for p in rows} if rate else {p.name: p.rmse for p in rows if p.rmse is not None}


def _groups(rows: Sequence[Breakdown], samples: int) -> list[Metric]:
    out = []
    for row in rows:
        out.append(metric(f"{row.label} @1", row.label, row.at_1, "unfiltered, first prediction"))
        if samples > 1:
            out.append(
                metric(f"{row.label} @{samples}", f"{row.label}, best of {samples}", row.at_k, "unfiltered, best of k")
            )
    return out
