"""The `Report` on structure prediction: match rates, RMSE, rates by groups, and reasons of misses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from nucleate.evaluate.matching.counts import (
    FILTERED,
    METRE,
    ONE_TO_ONE,
    UNFILTERED,
    WITH_VOLUME,
    Breakdown,
    MatchCounts,
    MatchSettings,
    Score,
)
from nucleate.evaluate.matching.match import Group, count_matches
from nucleate.evaluate.metric import Metric, Report, ReportSection, metric
from nucleate.evaluate.protocols import Protocol, get_protocol
from nucleate.evaluate.published import CSP, published

PROTOCOL = "crystalite-2026"
PUBLISHED_FOR = "mp-20:test"  # the targets of published values
DEFINITIONS = {
    UNFILTERED: "a prediction made for the target matches it",
    FILTERED: "the same, and prediction and target are both valid (DiffCSP's k = 1)",
    WITH_VOLUME: "the same, and the volumes per atom agree",
    METRE: "any prediction of the target's composition matches it",
    ONE_TO_ONE: "the same, each prediction serving one target",
}


def evaluate_csp(
    groups: Sequence[Group],
    matcher: MatchSettings | None = None,
    *,
    across: bool = True,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    protocol: str = PROTOCOL,
    dataset: str = "",
    subject: str = "predictions",
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Judge k predictions for each target, as `count_matches` counts them.

    protocol: whose name and source the report carries; what is compared follows `matcher` alone. dataset: where the
    targets are from ("mp-20:test"); for that split published values are shown beside. subject, settings: what was
    judged.
    """
    counts = count_matches(groups, matcher, across=across, workers=workers, progress=progress)
    rules = get_protocol(protocol)
    return csp_report(counts, matcher or MatchSettings(), rules, dataset, subject, settings or {})


def csp_report(
    counts: MatchCounts,
    matcher: MatchSettings,
    protocol: Protocol,
    dataset: str = "",
    subject: str = "predictions",
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """The counts as sections of metrics."""
    stated = {k: getattr(protocol, k) for k in ("name", "title", "source", "csp_rows")}
    if not protocol.sections:  # otherwise its notes are about generated crystals
        stated["notes"] = protocol.notes
    return Report(
        task="csp",
        subject=subject,
        n=counts.targets,
        sections=tuple(_sections(counts, matcher, dataset)),
        reference=dataset,
        protocol={protocol.name: {**stated, **dataclasses.asdict(matcher)}},
        settings={**(settings or {}), "samples": counts.samples},
    )


def reported_by(protocol: Protocol, report: Report) -> frozenset[str]:
    """Names of the metrics that the protocol reports."""
    keys = tuple(_key(row, "") for row in protocol.csp_rows)
    names = (m.name.removeprefix("polymorph_") for s in report.sections for m in s.metrics)
    wanted = {n for n in names if n.removeprefix("rmse_").removeprefix("crmse_").rpartition("@")[0] in keys}
    return frozenset(wanted | {f"polymorph_{n}" for n in wanted})


def _sections(counts: MatchCounts, matcher: MatchSettings, dataset: str) -> Iterable[ReportSection]:
    yield ReportSection("Match rate", tuple(_rates(counts.scores, dataset)), _note(counts, matcher))
    yield ReportSection("RMSE of the matches, in (V/N)^(1/3)", tuple(_distances(counts.scores, dataset)))
    shared = counts.polymorphs
    if shared is not None and shared.targets:
        title = f"Polymorphs: {shared.targets:,} targets of {shared.compositions:,} compositions"
        yield ReportSection(
            title, (*_rates(shared.scores, "", "polymorph_"), *_distances(shared.scores, "", "polymorph_"))
        )
    for title, rows in (("By crystal system", counts.by_crystal_system), ("By number of atoms", counts.by_num_atoms)):
        yield ReportSection(title, tuple(_groups(rows, counts.samples)))
    missed = _reasons("missed", counts.reasons)
    yield ReportSection("Why predictions missed", missed, "" if missed else "None did.")
    yield ReportSection("Targets", tuple(_targets(counts)))
    if shared is not None and shared.failures:
        title = "Comparisons across targets without a verdict"
        yield ReportSection(title, _reasons("no_verdict", shared.failures))


def _key(counted_as: str, samples: int | str) -> str:
    return f"{counted_as} @{samples}".replace(" ", "_").removesuffix("@")


def _label(s: Score) -> str:
    return f"{s.counted_as}, best of {s.samples}" if s.samples > 1 else s.counted_as


def _rates(scores: Sequence[Score], dataset: str, prefix: str = "") -> list[Metric]:
    rows = []
    for s in scores:
        name = _key(s.counted_as, s.samples)
        known = published(CSP, name, _published_set(dataset))
        rows.append(metric(prefix + name, _label(s), s.match_rate, DEFINITIONS[s.counted_as], published=known))
    return rows


def _distances(scores: Sequence[Score], dataset: str, prefix: str = "") -> list[Metric]:
    rows = []
    for s in scores:
        name = _key(s.counted_as, s.samples)
        known = published(CSP, f"rmse_{name}", _published_set(dataset))
        rmse, crmse = ("", ", cRMSE") if not prefix else (", RMSE", ", cRMSE")
        what = "mean over the matches", "mean over all targets, a miss counts as stol"
        rows.append(metric(f"{prefix}rmse_{name}", _label(s) + rmse, s.rmse, what[0], published=known))
        rows.append(metric(f"{prefix}crmse_{name}", _label(s) + crmse, s.crmse, what[1]))
    return rows


def _published_set(dataset: str) -> str:
    return "mp-20" if dataset == PUBLISHED_FOR else ""


def _groups(rows: Sequence[Breakdown], samples: int) -> list[Metric]:
    out = []
    for row in rows:
        out.append(metric(f"{row.label} @1", row.label, row.at_1, "unfiltered, first prediction"))
        if samples > 1:
            label = f"{row.label}, best of {samples}"
            out.append(metric(f"{row.label} @{samples}", label, row.at_k, "unfiltered, best of k"))
    return out


def _reasons(name: str, reasons: Mapping[str, int]) -> tuple[Metric, ...]:
    return tuple(metric(f"{name}: {reason}", reason, count, "predictions") for reason, count in reasons.items())


def _targets(counts: MatchCounts) -> Iterable[Metric]:
    yield metric("valid_targets", "valid", counts.valid_targets, "the most that 'filtered' can reach")
    if counts.unknown_compositions:
        what = "compositions that SMACT cannot judge; they count as invalid"
        yield metric("unknown_compositions", "unknown compositions", counts.unknown_compositions, what)
    if counts.polymorphs is not None:
        what = "targets that match an earlier one of their composition"
        yield metric("duplicates", "duplicates", counts.polymorphs.duplicates, what)


def _note(counts: MatchCounts, p: MatchSettings) -> str:
    """One paragraph that says how the numbers were counted."""
    ceiling = "-" if counts.valid_targets.value is None else f"{100 * counts.valid_targets.value:.2f}"
    text = (
        "k: predictions counted of each target, any of which may match. "
        f"Match: StructureMatcher stol {p.stol:g}, ltol {p.ltol:g}, angle_tol {p.angle_tol:g}. Every rate is "
        f"over all {counts.targets} targets. filtered: prediction and target valid (distances of 0.5 A, volume, a "
        f"CrystalNN fingerprint, composition by the rule '{p.composition_rule}'), which "
        f"{ceiling} % of the targets are: its ceiling. with volume: volume per atom "
        f"within {100 * p.volume_tol:g} %. RMSE over matches, in (V/N)^(1/3); cRMSE charges {p.stol:g} for a "
        "miss. Intervals: Wilson, bootstrap."
    )
    shared = counts.polymorphs
    if shared is not None:
        text += (
            " METRe: targets that any prediction of their composition matches (arXiv 2509.12178; published values are "
            "for the polymorph split of MP-20); one-to-one: each prediction for one target. "
            f"{shared.targets} targets share a composition, {shared.duplicates} of them match an earlier one."
        )
        for reason, count in shared.failures.items():
            text += f" {count} comparisons across targets without a verdict: {reason}."
    if counts.unknown_compositions:
        text += f" {counts.unknown_compositions} targets that SMACT cannot judge count as invalid."
    return text
