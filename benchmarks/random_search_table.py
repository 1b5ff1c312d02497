"""The tables of `random_search.py`: methods side by side, and each pair of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.convert import atom_counts
from nucleate.errors import NucleateError
from nucleate.evaluate.match import MatchSettings, compare
from nucleate.evaluate.metric import Metric
from nucleate.evaluate.per_composition import Measured
from nucleate.evaluate.per_composition import compare as compare_energies
from nucleate.evaluate.protocols import NEAR_HULL
from nucleate.evaluate.statistics import rate
from nucleate.parallel import map_jobs
from nucleate.pipeline.candidate import PASS, Candidate
from nucleate.pipeline.reference import formula_key
from nucleate.search.predict import RANDOM

if TYPE_CHECKING:
    from pymatgen.core import Structure

KNOWN, REACHED = "known", 0.005  # the method that relaxes the known crystals; eV/atom above them
Target = tuple[str, "Structure"]
Runs = dict[str, dict[str, list[Candidate]]]  # method -> target -> its samples
COLUMNS = (
    "compositions with a converged sample, %",
    "samples converged, %",
    "known crystal found, %",
    "lowest is the known crystal, %",
    "reached, %",
    "median lowest E_d, eV/atom",
    "# stable",
    "# metastable",
    "too deep",
    "s/composition: structures",
    "relaxation",
)


def by_method(targets: Sequence[Target], runs: Runs, workers: int) -> None:
    """The table of methods."""
    hit = matches(targets, runs, workers)
    known = {name: energy(g[0]) for name, g in runs.get(KNOWN, {}).items() if converged(g[0])}
    print(f"| method | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for method, samples in runs.items():
        groups = [samples[name] for name, _ in targets]
        cells = row(groups, {c.id for g in groups for c in g if hit.get((method, c.id))}, known)
        print(f"| {method} | {' | '.join(cells)} |")


def row(groups: Sequence[Sequence[Candidate]], hits: set[str], known: dict[str, float]) -> list[str]:
    """Of one method; hits: ids of samples that match the known crystal. known: target -> its energy, eV/atom."""
    n = len(groups)
    good = [[c for c in g if converged(c)] for g in groups]
    best = [min(g, key=energy) for g in good if g]
    placed = [c for c in best if "e_above_hull" in c.energies]
    above = [c.energies["e_above_hull"].value for c in placed]
    sound = [c.energies["e_above_hull"].value for c in placed if "hull" not in c.checks]
    reached = sum(energy(c) <= known.get(c.provenance["target"], -np.inf) + REACHED for c in best)
    return [
        rate(len(best), n).percent,
        rate(sum(map(len, good)), sum(map(len, groups))).percent,
        rate(sum(any(c.id in hits for c in g) for g in good), n).percent,
        rate(sum(c.id in hits for c in best), n).percent,
        rate(reached, n).percent if known else "-",
        f"{np.median(above):.3f}" if above else "-",
        f"{sum(e < 0 for e in sound)}",
        f"{sum(e < NEAR_HULL for e in sound)}",
        f"{len(above) - len(sound)}",
        *(f"{sum(c.provenance.get(k, 0) for g in groups for c in g) / n:.1f}" for k in seconds_of(groups)),
    ]


def matches(targets: Sequence[Target], runs: Runs, workers: int) -> dict[tuple[str, str], bool]:
    """(method, candidate) -> whether a converged sample matches the known crystal."""
    keys, jobs = [], []
    for (name, target), (method, samples) in itertools.product(targets, runs.items()):
        for c in samples[name]:
            if converged(c):
                keys.append((method, c.id))
                jobs.append((c.structure, target, MatchSettings(), False))
    found = map_jobs(compare, jobs, limit=MatchSettings().time_limit, workers=workers)
    return {keys[o.index]: o.reason is None and o.value.rms is not None for o in found}


def converged(c: Candidate) -> bool:
    """Whether the sample is a relaxed crystal with an energy."""
    return c.failure is None and "relaxed" in c.checks and c.checks["relaxed"].verdict == PASS


def energy(c: Candidate) -> float:
    return c.energies["energy"].value


def seconds_of(groups: Sequence[Sequence[Candidate]]) -> tuple[str, str]:
    """The names under which a method's stages noted their seconds."""
    realise = next(k for g in groups for c in g for k in c.provenance if k.startswith("seconds_") and "relax" not in k)
    return realise, "seconds_relax"


def by_pair(targets: Sequence[Target], runs: Runs) -> None:
    """The table of pairs: eqs. 3 and 4 of the lowest of each composition, and of all pairs."""
    wanted = "delta_e_lowest", "reduction_rate_lowest", "tied_lowest", "delta_e", "reduction_rate"
    print("\n| A, B | compositions | delta E, lowest, eV/atom | E_A < E_B, lowest, % | within 1 meV, % | ", end="")
    print("delta E, all pairs, eV/atom | E_A < E_B, all pairs, % |\n|---|---|---|---|---|---|---|")
    for a, b in itertools.combinations(sorted(runs, key=lambda m: m == RANDOM), 2):  # all against random search
        try:
            report = compare_energies(
                measured(targets, runs[a]), measured(targets, runs[b]), names=(a, b), energy="energy"
            )
        except NucleateError as error:
            print(f"| {a}, {b} | {error} |")
            continue
        found = {m.name: m for section in report.sections for m in section.metrics}
        cells = [interval(found[name]) for name in wanted]
        print(f"| {a}, {b} | {found['compositions'].value} | {' | '.join(cells)} |")


def measured(targets: Sequence[Target], samples: dict[str, list[Candidate]]) -> list[Measured]:
    """What `evaluate.per_composition` compares: energies of converged samples alone."""
    out = []
    for name, target in targets:
        key = formula_key(atom_counts(target))
        for c in samples[name]:
            energies = {"energy": c.energies["energy"]} if converged(c) else {}
            out.append(Measured(c.id, key, energies, "" if energies else c.failure or "not converged"))
    return out


def interval(m: Metric) -> str:
    """A mean in eV/atom or a rate in per cent, with its interval."""
    if m.value is None:
        return "-"
    scale, digits = (1, 3) if m.unit else (100, 1)
    text = f"{scale * m.value:.{digits}f}"
    if m.low is None or m.high is None:
        return text
    return f"{text} ({scale * m.low:.{digits}f} to {scale * m.high:.{digits}f})"
