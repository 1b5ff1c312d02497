"""Two sets of crystals compared composition by composition: eqs. 3 to 5 of UniMat (Yang et al., arXiv 2311.09235).

Formation energies of different chemistries cannot be compared, those of one composition can: of each pair (x from A, x'
from B) with one reduced formula, which is lower, and by how much? The difference of two formation energies is that of
the energies per atom, so either serves. Energies of different methods or references are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import Mean, Rate, mean, rate, wilson
from nucleate.evaluate.metric import Metric, Report, ReportSection, Series, metric
from nucleate.evaluate.protocols import NEAR_HULL
from nucleate.evaluate.published import PER_COMPOSITION, published
from nucleate.pipeline.candidate import Energy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.evaluate.inputs import Item

E_FORM, ENERGY, E_HULL = "e_form", "energy", "e_above_hull"
TIE = 1e-3  # eV/atom; two relaxations of one crystal agree about so well
RESAMPLES = 2000
DRAWN = 100_000  # differences in the histogram at most

Side = tuple[str, str, "Sequence[Measured]"]  # "a" or "b", its name, its crystals
Groups = Mapping[Formula, "NDArray[np.float64]"]


@dataclass(frozen=True)
class Measured:
    """A crystal by its composition and energies (eV/atom). reason: why it has no composition or no energies."""

    name: str
    key: Formula | None
    energies: Mapping[str, Energy] = field(default_factory=dict)
    reason: str = ""


def measured(items: Iterable[Item]) -> list[Measured]:
    """The compositions and energies of crystals that were read. One without a structure counts too."""
    out = []
    for item in items:
        if item.structure is None:
            out.append(Measured(item.name, None, {}, item.reason or "no structure"))
            continue
        counts = item.structure.composition.element_composition.get_el_amt_dict()
        try:
            key, reason = Formula.of(cast("Mapping[str, int]", counts)), item.reason  # it refuses fractions
        except NucleateError as error:
            key, reason = None, str(error)
        out.append(Measured(item.name, key, item.energies, reason))
    return out


def compare(
    a: Sequence[Measured],
    b: Sequence[Measured],
    *,
    names: tuple[str, str] = ("A", "B"),
    energy: str | None = None,
    tie: float = TIE,
) -> Report:
    """delta E_f(A, B), the reduction rate, and how many of each set are stable.

    energy: "e_form", "energy" or "e_above_hull" (its differences at one composition are those of the energies, if both
    are over one hull and nothing was cut at 0); None for the first of "e_form" and "energy" that both sets have. tie:
    eV/atom within which two energies are the same. Raises NucleateError for an empty set, for energies of more than one
    method or reference (naming both), and where there is nothing to compare.
    """
    sides = tuple(zip("ab", names, (a, b), strict=True))
    for _, name, group in sides:
        if not group:
            raise NucleateError(f"{name} holds no crystals to compare")
    if not 0 <= tie < math.inf:
        raise NucleateError(f"a tie needs an energy difference of 0 or more, not {tie}")
    chosen = _choose(sides, energy)
    failures = [(f"{name}/{m.name}", "composition", m.reason) for _, name, g in sides for m in g if m.key is None]
    sections: list[ReportSection] = []
    series: list[Series] = []
    methods: dict[str, str] = {}
    if chosen is not None:
        methods[chosen] = _one_method(chosen, sides)
        failures += _missing(chosen, sides)
        groups = [_by_composition(g, chosen) for g in (a, b)]
        pairs = _pair_up(groups[0], groups[1], tie)
        sections += [_differences(pairs, names, chosen, tie, methods[chosen]), _overlap(pairs, groups, sides, chosen)]
        values = {"all pairs": pairs.drawn, "lowest of each composition": pairs.lowest.tolist()}
        series.append(Series(f"{chosen}, {names[0]} - {names[1]}", "eV/atom", values))
    known = [side for side in sides if _has(side[2], E_HULL)]
    if known:
        methods[E_HULL] = _one_method(E_HULL, sides)
        failures += _missing(E_HULL, known) if chosen != E_HULL else []
        sections.append(_stability(known, methods[E_HULL], chosen is not None))
    return Report(
        "compare",
        f"{names[0]} and {names[1]}",
        len(a) + len(b),
        tuple(sections),
        reference=names[1],
        protocol={
            PER_COMPOSITION: {
                "title": "two sets, composition by composition",
                "source": "Yang et al., ICLR 2024 (UniMat), eqs. 3 to 5",
                "energy": chosen,
                "tie": tie,
                "methods": methods,
                "metastable": NEAR_HULL,
                "resamples": RESAMPLES,
            }
        },
        failures=tuple(failures),
        settings={"a": names[0], "b": names[1], "n_a": len(a), "n_b": len(b)},
        series=tuple(series),
    )


def _value(m: Measured, energy: str) -> float | None:
    found = m.energies.get(energy)
    return found.value if found is not None and math.isfinite(found.value) else None


def _has(group: Sequence[Measured], energy: str) -> bool:
    return any(_value(m, energy) is not None for m in group)


def _choose(sides: Sequence[Side], energy: str | None) -> str | None:
    """The name of the energy to compare, or None where the sets share no energy but one has distances to the hull."""
    if energy not in (None, E_FORM, ENERGY, E_HULL):
        raise NucleateError(f"the energy compared is {E_FORM}, {ENERGY} or {E_HULL}, not '{energy}'")
    for wanted in (energy,) if energy else (E_FORM, ENERGY):
        if all(_has(group, wanted) for _, _, group in sides):
            return wanted
    if energy is None and any(_has(group, E_HULL) for _, _, group in sides):
        return None
    what = energy or f"{E_FORM} or {ENERGY}"
    kinds = (energy,) if energy else (E_FORM, ENERGY)
    lacking = [name for _, name, group in sides if not any(_has(group, k) for k in kinds)]
    who = f"no crystal of {' or '.join(lacking)} has" if lacking else "the two sets do not both have"
    raise NucleateError(f"{who} a number for {what}; relax, or name the column that holds it")


def _one_method(energy: str, sides: Sequence[Side]) -> str:
    """The method of all these energies, in words; raises NucleateError for more than one."""
    first: dict[tuple[str, str], str] = {}
    for _, name, group in sides:
        for m in group:
            if _value(m, energy) is not None:
                e = m.energies[energy]
                first.setdefault((e.method, e.reference), f"{name}/{m.name}")
    if len(first) > 1:
        (one, x), (other, y) = list(first.items())[:2]
        raise NucleateError(
            f"{energy} of {x} is by {_words(*one)}, that of {y} by {_words(*other)}; such energies cannot be compared"
        )
    return _words(*next(iter(first)))


def _words(method: str, reference: str) -> str:
    text = method or "a method that is not named"
    return f"{text} (reference {reference})" if reference else text


def _missing(energy: str, sides: Sequence[Side]) -> list[tuple[str, str, str]]:
    return [
        (f"{name}/{m.name}", energy, m.reason or f"{'no' if energy not in m.energies else 'not a finite'} {energy}")
        for _, name, group in sides
        for m in group
        if m.key is not None and _value(m, energy) is None
    ]


def _by_composition(group: Sequence[Measured], energy: str) -> Groups:
    out: dict[Formula, list[float]] = {}
    for m in group:
        if m.key is not None and (value := _value(m, energy)) is not None:
            out.setdefault(m.key, []).append(value)
    return {k: np.array(v) for k, v in out.items()}


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The pairs of each of C common compositions: how many, the sum of E_A - E_B, and in how many that is below 0,
    below -tie and above tie, each (C,). lowest: (C,) difference of the lowest. drawn: differences for a histogram."""

    common: tuple[Formula, ...]
    sizes: NDArray[np.float64]
    sums: NDArray[np.float64]
    negative: NDArray[np.float64]
    lower: NDArray[np.float64]
    higher: NDArray[np.float64]
    lowest: NDArray[np.float64]
    drawn: list[float]


def _pair_up(a: Groups, b: Groups, tie: float) -> _Pairs:
    common = tuple(sorted(a.keys() & b.keys()))
    total = sum(len(a[k]) * len(b[k]) for k in common)
    every = max(math.ceil(total / DRAWN), 1)  # of very many pairs a histogram needs only some
    rows = np.zeros((len(common), 6))
    drawn: list[float] = []
    seen = 0
    for row, k in zip(rows, common, strict=True):
        for x in a[k]:
            d = x - b[k]
            row[:5] += len(d), d.sum(), (d < 0).sum(), (d < -tie).sum(), (d > tie).sum()
            drawn += d[-seen % every :: every].tolist()
            seen += len(d)
        row[5] = a[k].min() - b[k].min()
    sizes, sums, negative, lower, higher, lowest = rows.T
    return _Pairs(common, sizes, sums, negative, lower, higher, lowest, drawn)


def _differences(pairs: _Pairs, names: tuple[str, str], energy: str, tie: float, method: str) -> ReportSection:
    sets, within = ", ".join(names), f"{1000 * tie:g} meV/atom"
    all_pairs, best_of = "all pairs of one composition", "the lowest energies of each common composition"
    tied = pairs.sizes - pairs.lower - pairs.higher
    best = pairs.lowest
    rows = (
        _mean("delta_e", f"delta E({sets}), eq. 3", pairs.sums, pairs.sizes, f"mean E_A - E_B, {all_pairs}"),
        _rate(
            "reduction_rate", f"reduction rate({sets}), eq. 4", pairs.negative, pairs.sizes, f"E_A < E_B, {all_pairs}"
        ),
        _rate("lower", f"lower by more than {within}", pairs.lower, pairs.sizes, all_pairs),
        _rate("tied", f"within {within}", tied, pairs.sizes, all_pairs),
        _rate("higher", f"higher by more than {within}", pairs.higher, pairs.sizes, all_pairs),
        _row("delta_e_lowest", "delta E, lowest of each", mean(best.tolist()), f"mean of E_A - E_B of {best_of}"),
        _row("reduction_rate_lowest", "reduction rate, lowest of each", _share(best < 0), f"E_A < E_B of {best_of}"),
        _row("tied_lowest", f"within {within}, lowest of each", _share(np.abs(best) <= tie), f"of {best_of}"),
    )
    note = (
        f"{energy} by {method}. Intervals over pairs: bootstrap of compositions, whose pairs are not independent. "
        "Published: energies by DFT; 'lowest of each' against AIRSS."
    )
    if energy == E_HULL:
        note += " Distances to the hull that were cut at 0 hide differences."
    return ReportSection("Per composition", rows, note)


def _overlap(pairs: _Pairs, groups: Sequence[Groups], sides: Sequence[Side], energy: str) -> ReportSection:
    rows = [
        _row("pairs", "pairs", int(pairs.sizes.sum()), "of A and B, of one reduced formula, both with an energy"),
        _row("compositions", "compositions in common", len(pairs.common), "with an energy in both sets"),
    ]
    for (side, name, given), group in zip(sides, groups, strict=True):
        formulas = {m.key for m in given if m.key is not None}
        partner = sum(len(group[k]) for k in pairs.common)
        energies = sum(map(len, group.values()))
        of_all, n = f"of all {len(given):,} given", len(given)
        some = "those with at least one energy (UniMat's convergence rate)"
        rows += [
            _row(f"energy_{side}", f"{name}: with {energy}", rate(energies, n), of_all),
            _row(f"partner_{side}", f"{name}: with a partner", rate(partner, n), of_all),
            _row(f"compositions_{side}", f"{name}: compositions with {energy}", rate(len(group), len(formulas)), some),
        ]
    return ReportSection("What could be compared", tuple(rows), "A crystal without an energy has no partner.")


def _stability(sides: Sequence[Side], method: str, compared: bool) -> ReportSection:
    rows: list[Metric] = []
    cut = ""
    for side, name, group in sides:
        values = [v for m in group if (v := _value(m, E_HULL)) is not None]
        of_all, n = f"of all {len(group):,} given", len(group)
        for key, label, limit in (("stable", "stable, eq. 5", 0.0), ("metastable", "metastable", NEAR_HULL)):
            hits, what = sum(v < limit for v in values), f"E_d < {1000 * limit:g} meV/atom"
            rows.append(_row(f"{key}_{side}", f"{name}: # {label}", hits, what))
            rows.append(_row(f"{key}_rate_{side}", f"{name}: {label}", rate(hits, n), f"{what}, {of_all}"))
        if min(values) == 0:
            cut += f" {name}: {values.count(0):,} are exactly 0 and none is below, as where distances were cut at 0."
    note = f"{E_HULL} by {method}. A crystal without it counts as not stable; the stable are among the metastable.{cut}"
    note += f" {sides[0][1]} alone has any." if len(sides) == 1 else ""
    note += "" if compared else " The sets have no energy in common, so no pairs were compared."
    return ReportSection("Stability", tuple(rows), note)


def _row(name: str, label: str, counted: Rate | Mean | int, definition: str) -> Metric:
    unit = "eV/atom" if isinstance(counted, Mean) else ""
    return metric(name, label, counted, definition, unit=unit, published=published(PER_COMPOSITION, name))


def _share(which: NDArray[np.bool_]) -> Rate:
    return rate(int(which.sum()), len(which))


def _mean(name: str, label: str, sums: NDArray[np.float64], sizes: NDArray[np.float64], definition: str) -> Metric:
    total = int(sizes.sum())
    value = float(sums.sum()) / total if total else None
    return _row(name, label, Mean(value, *_bootstrap(sums, sizes), total), definition)


def _rate(name: str, label: str, hits: NDArray[np.float64], sizes: NDArray[np.float64], definition: str) -> Metric:
    got, total, count = int(hits.sum()), int(sizes.sum()), len(sizes)
    low, high = _bootstrap(hits, sizes)
    if low is None or high is None or low == high:  # no spread to resample: as sure as that many compositions
        low, high = wilson(round(count * got / total), count) if total else (0.0, 1.0)
    return _row(name, label, Rate(got, total, low, high), definition)


def _bootstrap(parts: NDArray[np.float64], sizes: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """95 % percentile interval of sum(parts) / sum(sizes) over resampled compositions; None for fewer than two."""
    if len(sizes) < 2:
        return None, None
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        chosen = rng.integers(0, len(sizes), len(sizes))
        found.append(parts[chosen].sum() / sizes[chosen].sum())
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
