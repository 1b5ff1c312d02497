"""The work of `nucleate evaluate dng`: all metrics of de novo generation for one set of crystals."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.evaluate import dng_sections as parts
from nucleate.evaluate.inputs import CrystalSet
from nucleate.evaluate.measurements import DngSettings, MeasuredSet, formulas_and_fingerprints, valid_sample
from nucleate.evaluate.measures.features import measure
from nucleate.evaluate.measures.network import predict_energies, property_network
from nucleate.evaluate.measures.stability import hull_distances, stability_section
from nucleate.evaluate.metric import Report, ReportSection, Series
from nucleate.evaluate.protocols import (
    COVERAGE,
    DISTRIBUTIONS,
    FRECHET,
    NOVELTY,
    STABILITY,
    SYMMETRY,
    VALIDITY,
    Protocol,
    get_protocol,
)
from nucleate.hull.known_crystals import known_table
from nucleate.pipeline.events import Watch

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _Clock:
    """Wall time by stage, and progress under the stage's name."""

    def __init__(self, watch: Watch | None) -> None:
        self.seconds: dict[str, float] = {}
        self._watch = watch or Watch()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[Callable[[int, int], None]]:
        start = time.monotonic()
        try:
            yield self._watch.counter(stage)
        finally:
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + time.monotonic() - start, 2)


def evaluate_dng(
    generated: CrystalSet,
    reference: CrystalSet,
    settings: DngSettings | None = None,
    *,
    floor: CrystalSet | None = None,
    relaxed: CrystalSet | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
    cache: Path | None = None,
) -> Report:
    """Every metric of the protocols for `generated` against `reference` (the test split, say).

    floor: real crystals (training data) of which a random sample of the same size is judged the same way, as the value
    that a perfect generator reaches. relaxed: the crystals, or a random part of them, after relaxation and with
    energies above the hull, for stability; default: `generated`, if its files have such energies. cache: folder for
    measurements; a second run reads them. Runs in spawned processes: a script needs `if __name__ == "__main__":`.
    Raises NucleateError for an unknown protocol or potential, an empty set, energies of two methods.
    """
    settings = settings or DngSettings()
    protocols = [get_protocol(name) for name in settings.protocols]
    wanted = {section for p in protocols for section in p.sections}
    if not wanted:
        raise NucleateError(f"protocol {settings.protocols[0]} says nothing of de novo generation; use evaluate csp")
    if not len(generated) or not len(reference):
        raise NucleateError("there is no crystal to judge" if not len(generated) else "the reference set is empty")
    if settings.energies and wanted & {DISTRIBUTIONS, FRECHET}:
        property_network(settings.potential)  # refuses a wrong name before anything is measured
    if NOVELTY in wanted:
        known_table(settings.known)  # likewise
    clock = _Clock(watch)
    run = _Run(settings, wanted, clock, workers, cache)
    judged, other = run.judge(generated, "crystals"), run.judge(reference, "reference")
    sections, series = _sections(judged, other, protocols, run, relaxed or generated)
    failures = parts.failures(judged)
    if relaxed is not None:
        failures += [(item.name, "relaxation", item.reason) for item in relaxed.items if item.structure is None]
    report = Report(
        task="dng",
        subject=generated.name,
        n=len(generated),
        sections=tuple(sections),
        reference=reference.name,
        protocol={p.name: p.to_dict() for p in protocols},
        failures=tuple(failures + run.failures),
        settings={**dataclasses.asdict(settings), "notes": [*generated.notes, *reference.notes]},
        seconds=clock.seconds,
        series=tuple(series),
    )
    return report if floor is None else _with_floor(report, floor, other, protocols, run)


def _with_floor(
    report: Report, floor: CrystalSet, other: MeasuredSet, protocols: Sequence[Protocol], run: _Run
) -> Report:
    from nucleate.evaluate.measures.distributions import random_subset

    chosen = random_subset(len(floor), min(len(floor), report.n), run.settings.seed)
    name = f"{len(chosen):,} of {floor.name}"
    real = run.judge(floor.subset(chosen.tolist(), name), "real data")
    plain = [
        dataclasses.replace(p, sections=tuple(s for s in p.sections if s in parts.AGAINST_REFERENCE)) for p in protocols
    ]
    sections, _ = _sections(real, other, plain, run)
    return dataclasses.replace(report.with_floor(Report("dng", name, len(chosen), tuple(sections)), name))


@dataclass(eq=False)
class _Run:
    settings: DngSettings
    wanted: set[str]
    clock: _Clock
    workers: int | None
    cache: Path | None
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    def judge(self, crystals: CrystalSet, stage: str) -> MeasuredSet:
        """Measure each crystal, and the energies of a sample of the valid ones."""
        with self.clock(stage) as report:
            features = measure(
                crystals.structures,
                lemat="lemat-2025" in self.settings.protocols,
                time_limit=self.settings.time_limit,
                workers=self.workers,
                progress=report,
                cache=self.cache,
            )
        formulas, composition = formulas_and_fingerprints(crystals)
        judged = MeasuredSet(crystals, features, formulas, composition)
        if self.settings.energies and self.wanted & {DISTRIBUTIONS, FRECHET}:
            if stage == "reference":  # the whole of it, valid or not, as CDVAE does
                judged.sample = np.flatnonzero(features.has)
            else:
                judged.sample = valid_sample(judged, self.settings.energy_samples, self.settings.seed)
            structures = [s for i in judged.sample if (s := crystals.items[i].structure) is not None]
            with self.clock(f"energies, {stage}") as report:
                judged.energies = predict_energies(
                    structures,
                    self.settings.potential,
                    self.settings.hull,
                    workers=self.workers,
                    progress=report,
                    cache=self.cache,
                )
        return judged

    def twins(self, crystals: CrystalSet, p: Protocol, stage: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """(unique, novel), each (n,), under the protocol's matcher; what cannot be compared is neither."""
        from nucleate.evaluate.matching.unique import Matcher, novel, unique

        matcher = Matcher(p.ltol, p.stol, p.angle_tol)
        limit, workers, structures = self.settings.time_limit, self.workers, crystals.structures
        with self.clock(f"unique{stage}") as report:
            own = unique(structures, matcher, limit=limit, workers=workers, progress=report)
        with self.clock(f"novel{stage}") as report:
            table = known_table(self.settings.known)
            other = novel(structures, table, matcher, limit=limit, workers=workers, progress=report)
        for what, found in (("uniqueness", own), ("novelty", other)):
            broken = [i for i in found.reasons if structures[i] is not None]
            self.failures += [(crystals.items[i].name, what, found.reasons[i]) for i in broken]
        return parts.passed(own, structures), parts.passed(other, structures)


def _sections(
    judged: MeasuredSet,
    other: MeasuredSet,
    protocols: Sequence[Protocol],
    run: _Run,
    relaxed: CrystalSet | None = None,
) -> tuple[list[ReportSection], list[Series]]:
    sections: list[ReportSection] = []
    matched: dict[tuple[object, ...], tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {}

    def twins(crystals: CrystalSet, p: Protocol) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        key = (crystals.name, p.ltol, p.stol, p.angle_tol)
        if key not in matched:
            matched[key] = run.twins(crystals, p, f" ({len(matched) + 1})" if matched else "")
        return matched[key]

    for p in protocols:
        for name in p.sections:
            if name == NOVELTY:
                sections.append(parts.novelty(*twins(judged.crystals, p), p, run.settings.known))
            elif name == STABILITY:
                assert relaxed is not None  # floors have no such section
                energies = hull_distances(relaxed.items)
                if energies is None:
                    sections.append(parts.no_stability(p))
                else:
                    section = stability_section(energies, *twins(relaxed, p), p, run.settings.known)
                    sections.append(dataclasses.replace(section, title=f"{section.title} of {relaxed.name}"))
            else:
                with run.clock(name):
                    sections += BUILDERS[name](judged, other, p, run.settings)
    return sections, parts.series(judged, other)


BUILDERS: Mapping[str, Callable[[MeasuredSet, MeasuredSet, Protocol, DngSettings], list[ReportSection]]] = {
    VALIDITY: parts.validity,
    COVERAGE: parts.coverage_of,
    DISTRIBUTIONS: parts.distributions,
    FRECHET: parts.frechet_of,
    SYMMETRY: parts.symmetry,
}
