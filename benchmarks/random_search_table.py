"""The tables of `random_search.py`: methods side by side, and each pair of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from random_search_rows import ENERGY, Sample

from nucleate.chem.composition import Formula
from nucleate.chem.formula import parse_formula
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import rate
from nucleate.evaluate.metric import Metric
from nucleate.evaluate.per_composition import Measured
from nucleate.evaluate.per_composition import compare as compare_energies
from nucleate.evaluate.protocols import NEAR_HULL
from nucleate.tasks.predict import RANDOM

KNOWN, REACHED = "known", 0.005  # the method that relaxes the known crystals; eV/atom above them
Runs = dict[str, dict[str, list[Sample]]]  # method -> target -> its samples
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


def common(rows: Sequence[Sample], methods: Sequence[str]) -> Runs:
    """The samples of the targets that all methods have."""
    runs: Runs = {m: {} for m in methods}
    for r in rows:
        runs[r.method].setdefault(r.target, []).append(r)
    shared = sorted(set.intersection(*(set(r) for r in runs.values())))
    if not shared:
        raise NucleateError(f"no composition is finished by all of {', '.join(methods)}")
    return {m: {name: r[name] for name in shared} for m, r in runs.items()}


def by_method(runs: Runs) -> None:
    """The table of methods."""
    known = {name: g[0].energy for name, g in runs.get(KNOWN, {}).items() if g[0].energy is not None}
    print(f"| method | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for method, samples in runs.items():
        print(f"| {method} | {' | '.join(row(list(samples.values()), known))} |")


def row(groups: Sequence[Sequence[Sample]], known: dict[str, float]) -> list[str]:
    """The cells of one method. known: target -> energy of the known crystal, eV/atom."""
    n = len(groups)
    good = [[s for s in g if s.energy is not None] for g in groups]
    best = [min(g, key=energy) for g in good if g]
    above = [s.e_above_hull for s in best if s.e_above_hull is not None]
    sound = [s.e_above_hull for s in best if s.e_above_hull is not None and not s.deep]
    reached = sum(energy(s) <= known.get(s.target, -np.inf) + REACHED for s in best)
    seconds = [sum(getattr(s, f"seconds_{k}") for g in groups for s in g) / n for k in ("structure", "relax")]
    return [
        rate(len(best), n).percent,
        rate(sum(map(len, good)), sum(map(len, groups))).percent,
        rate(sum(any(s.matched for s in g) for g in good), n).percent,
        rate(sum(s.matched for s in best), n).percent,
        rate(reached, n).percent if known else "-",
        f"{np.median(above):.3f}" if above else "-",
        f"{sum(e < 0 for e in sound)}",
        f"{sum(e < NEAR_HULL for e in sound)}",
        f"{len(above) - len(sound)}",
        *(f"{s:.1f}" for s in seconds),
    ]


def energy(s: Sample) -> float:
    assert s.energy is not None
    return s.energy


def by_pair(runs: Runs) -> None:
    """The table of pairs of methods: eqs. 3 and 4 for the lowest samples of each composition, and for all pairs."""
    wanted = "delta_e_lowest", "reduction_rate_lowest", "tied_lowest", "delta_e", "reduction_rate"
    print("\n| A, B | compositions | delta E, lowest, eV/atom | E_A < E_B, lowest, % | within 1 meV, % | ", end="")
    print("delta E, all pairs, eV/atom | E_A < E_B, all pairs, % |\n|---|---|---|---|---|---|---|")
    for a, b in itertools.combinations(sorted(runs, key=lambda m: m == RANDOM), 2):  # all against random search
        try:
            report = compare_energies(measured(runs[a]), measured(runs[b]), names=(a, b), energy=ENERGY)
        except NucleateError as error:
            print(f"| {a}, {b} | {error} |")
            continue
        found = {m.name: m for section in report.sections for m in section.metrics}
        cells = [interval(found[name]) for name in wanted]
        print(f"| {a}, {b} | {found['compositions'].value} | {' | '.join(cells)} |")


def measured(samples: dict[str, list[Sample]]) -> list[Measured]:
    """What `evaluate.per_composition` compares: only the energies of converged samples."""
    every = [s for group in samples.values() for s in group]
    return [
        Measured(f"{s.target}-{s.rank}", Formula.of(parse_formula(s.formula)), s.energies, s.failure) for s in every
    ]


def interval(m: Metric) -> str:
    """A mean in eV/atom or a rate in per cent, with its interval."""
    if m.value is None:
        return "-"
    scale, digits = (1, 3) if m.unit else (100, 1)
    text = f"{scale * m.value:.{digits}f}"
    if m.low is None or m.high is None:
        return text
    return f"{text} ({scale * m.low:.{digits}f} to {scale * m.high:.{digits}f})"
