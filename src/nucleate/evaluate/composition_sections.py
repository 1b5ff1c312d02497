"""The sections of a report on generated formulas; each measure is defined in one place."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.checks import charge_neutrality, smact_verdict
from nucleate.chem.composition import Formula
from nucleate.chem.distance import nearest_distances
from nucleate.chem.elements import SYMBOLS
from nucleate.chem.formula import RULE, formula_text, parse_strict
from nucleate.chem.verdict import PASS, UNKNOWN, Verdict
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import key_text
from nucleate.evaluate.measures.distributions import distance_interval, jensen_shannon, wasserstein
from nucleate.evaluate.measures.statistics import Mean, mean, rate
from nucleate.evaluate.metric import DISTANCE, Metric, ReportSection, Series, metric
from nucleate.evaluate.published import COMPOSITIONS, published

if TYPE_CHECKING:
    from numpy.typing import NDArray

Part = tuple[ReportSection, list[Series]]
NEAR = (1, 2, 5, 10)  # steps on the modified Pettifor scale
OxidationTest = Callable[[Sequence[str]], Sequence[Verdict]]
Judge = Callable[[Mapping[str, int], str], Verdict]  # composition, set of oxidation states

PAPER_NOTE = "Published: 10,000 samples of models of Materials Project formulas of fewer than 50 atoms"


@dataclass(frozen=True)
class Vocabulary:
    """What a formula may hold: these `elements` (symbols; None allows all), and at most `max_atoms` atoms as written.

    Dong et al. have `Vocabulary(chem.elements.MAIN_ELEMENTS, 49)`."""

    elements: frozenset[str] | None = None
    max_atoms: int | None = None

    def holds(self, counts: Mapping[str, int]) -> bool:
        allowed = self.elements is None or self.elements >= set(counts)
        return allowed and (self.max_atoms is None or sum(counts.values()) <= self.max_atoms)


@dataclass(frozen=True)
class KnownFormulas:
    """Formulas to compare with: the `rows` that can be read, in the order given, and how many cannot (`unreadable`)."""

    name: str
    rows: tuple[Formula, ...]
    unreadable: int = 0

    @property
    def distinct(self) -> frozenset[Formula]:
        return frozenset(self.rows)


@dataclass
class Generated:
    """Texts with their reduced formulas (None for what is no formula), and what could not be judged of them."""

    texts: Sequence[str]
    keys: list[Formula | None] = field(default_factory=list)
    failures: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def n(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> list[Formula]:
        return [k for k in self.keys if k is not None]


def _row(name: str, label: str, hits: int, total: int, definition: str) -> Metric:
    return metric(name, label, rate(hits, total), definition, published=published(COMPOSITIONS, name))


def formulas_section(
    run: Generated,
    vocabulary: Vocabulary | None,
    training: KnownFormulas,
    held: KnownFormulas | None,
    base: KnownFormulas | None,
) -> Part:
    n, distinct = run.n, set(run.rows)
    new = distinct - training.distinct
    rows = [_row("formula", "formula", len(run.rows), n, f"of all {n:,} texts; {RULE}")]
    if vocabulary is not None:
        inside = sum(
            k is not None and vocabulary.holds(parse_strict(t)) for k, t in zip(run.keys, run.texts, strict=True)
        )
        limits = [f"at most {vocabulary.max_atoms} atoms as written"] if vocabulary.max_atoms is not None else []
        limits += [f"{len(vocabulary.elements)} elements"] if vocabulary.elements is not None else []
        rows.append(_row("in_vocabulary", "within the vocabulary", inside, n, f"of all texts; {', '.join(limits)}"))
    rows += [
        _row("unique", "unique", len(distinct), n, "distinct reduced formulas / all texts"),
        _row("novel", "novel", len(new), n, f"distinct formulas not in {training.name} / all texts"),
        _row("novel_of_unique", "novel, of the unique", len(new), len(distinct), "the same / distinct formulas"),
    ]
    if base is not None:
        again = len(distinct & base.distinct)
        what = f"distinct formulas in {base.name} / all texts ('among a given set of generated samples')"
        rows.append(_row("known_generated", "known again, of the generated", again, n, what))
    if (target := held or base) is not None:
        unseen = target.distinct - training.distinct
        what = f"found among the {len(unseen):,} formulas of {target.name} that are not in {training.name}"
        rows.append(_row("known_found", "unseen formulas found", len(distinct & unseen), len(unseen), what))
    note = f"Training: {_describe(training)}."
    if base is not None:
        note += f" Known: {_describe(base)}. The paper does not say which known formulas it recovered."
    return ReportSection("Formulas", tuple(rows), f"{note} {PAPER_NOTE}."), []


def _describe(known: KnownFormulas) -> str:
    text = f"{known.name}, {len(known.distinct):,} distinct formulas"
    return text + (f" ({known.unreadable:,} rows are none and are passed over)" if known.unreadable else "")


def charge_section(run: Generated, test: OxidationTest | None, training: KnownFormulas) -> Part:
    lesser = "and every cation is less electronegative than every anion"
    kinds: list[tuple[str, str, str, Judge]] = [
        ("cn_smact14", "CN, smact14", "one smact14 state for each element adds up to zero", charge_neutrality),
        ("cn_eb_smact14", "CN + EB, smact14", lesser, smact_verdict),
        ("cn_icsd24", "CN, icsd24, mixed valence", "icsd24 states add up to zero", charge_neutrality),
        ("cn_eb_icsd24", "CN + EB, icsd24, mixed valence", "and are balanced in electronegativity", smact_verdict),
    ]
    amounts = Counter(run.rows)
    passed: dict[str, set[Formula]] = {}
    rows = []
    for name, label, what, judge in kinds:
        states = name.rpartition("_")[2]
        verdicts = {k: judge(dict(k), states) for k in amounts}
        passed[name] = {k for k, v in verdicts.items() if v.verdict == PASS}
        if name.startswith("cn_eb"):  # an unknown charge is unknown here too
            run.failures += _unknown(verdicts, f"charge ({states})")
        hits = sum(amounts[k] for k in passed[name])
        rows.append(_row(name, label, hits, run.n, f"{what}; elements and alloys pass; / all texts"))
    if test is not None:
        keys = list(amounts)
        answers = test([key_text(k) for k in keys])
        if len(answers) != len(keys):
            raise NucleateError(f"the test of oxidation states gave {len(answers)} verdicts on {len(keys)} formulas")
        verdicts = dict(zip(keys, answers, strict=True))
        run.failures += _unknown(verdicts, "oxidation states")
        passed["os"] = {k for k, v in verdicts.items() if v.verdict == PASS}
        hits = sum(amounts[k] for k in passed["os"])
        rows.append(_row("os", "OS", hits, run.n, "passes the test of oxidation states; / all texts"))
        hits = sum(amounts[k] for k in passed["os"] & passed["cn_eb_smact14"])
        rows.append(_row("cn_eb_os", "CN + EB (smact14) + OS", hits, run.n, "passes all three; / all texts"))
    good = len(passed["cn_eb_smact14"] - training.distinct)
    what = f"distinct formulas with CN + EB (smact14) that are not in {training.name} / all texts"
    rows.append(_row("valid_unique_novel", "CN + EB, unique and novel", good, run.n, what))
    note = "Each text counts, copies too. Unknown (an element without states) counts as not passed."
    if test is None:
        note += " No OS row: it needs a network that assigns oxidation states, and none was given."
    else:
        note += (
            " OS: the states that a network assigns to the elements add up to zero; alloys have none and count as not "
            "passed. The paper asks BERTOS about formulas that pass CN and EB (1,976 and 1,421 samples; '3,392 "
            "formulas' pass all three)."
        )
    return ReportSection("Charge", tuple(rows), f"{note} {PAPER_NOTE}."), []


def _unknown(verdicts: Mapping[Formula, Verdict], stage: str) -> list[tuple[str, str, str]]:
    return [(formula_text(dict(k)), stage, v.reason) for k, v in verdicts.items() if v.verdict == UNKNOWN]


def distances_section(run: Generated, training: KnownFormulas, subject: str) -> Part:
    distinct = list(dict.fromkeys(run.rows))
    found = nearest_distances([dict(k) for k in distinct], [dict(k) for k in training.distinct])
    by_key = dict(zip(distinct, found.tolist(), strict=True))
    away = [
        (formula_text(dict(k)), "distance", "an element that is not on the scale")
        for k, d in by_key.items()
        if math.isnan(d)
    ]
    run.failures += away
    values = [d for k in run.rows if not math.isnan(d := by_key[k])]
    unit, n = "steps", run.n
    rows = [
        metric("emd_mean", "mean", mean(values), f"of {len(values):,} formulas", unit=unit),
        metric("emd_median", "median", _median(values), f"of {len(values):,} formulas", unit=unit),
        _row("emd_0", "at 0", sum(d == 0 for d in values), n, f"the formula is in {training.name}; / all texts"),
    ]
    rows += [_row(f"emd_{t}", f"below {t}", sum(d < t for d in values), n, f"distance < {t} / all texts") for t in NEAR]
    note = (
        "Element mover's distance (Hargreaves et al. 2020) in steps on the modified Pettifor scale to the nearest of "
        f"{training.name}; each text counts."
    )
    drawn = Series(
        "Distance to the nearest training formula", "steps on the modified Pettifor scale", {subject: values}
    )
    return ReportSection("Distance to the nearest training formula", tuple(rows), note), [drawn]


def _median(values: Sequence[float]) -> Mean:
    """The median, with the order statistics that enclose it at 95 % as its interval (binomial distribution in the
    normal approximation)."""
    n = len(values)
    if not n:
        return Mean(None, None, None, 0)
    ordered = sorted(values)
    half = 1.96 * math.sqrt(n) / 2
    low, high = max(math.floor(n / 2 - half), 0), min(math.ceil(n / 2 + half), n - 1)
    return Mean(float(np.median(ordered)), ordered[low], ordered[high], n)


def distributions_section(run: Generated, training: KnownFormulas, subject: str) -> Part:
    rows: list[Metric] = []
    mine, theirs = ([len(k) for k in keys] for keys in (run.rows, training.rows))
    kinds = (
        ("w_elements", "number of elements, Wasserstein", "of the numbers of elements in a formula", "elements"),
        ("js_elements", "element frequencies, Jensen-Shannon", "distance, base 2, of how many formulas hold each", ""),
    )
    for (name, label, what, unit), compare in zip(kinds, (_compare_sizes, _compare_elements), strict=True):
        if run.rows:
            counted = distance_interval(compare, _presence(run.rows), _presence(training.rows), resamples=100)
            rows.append(metric(name, label, counted, what, unit=unit))
        else:
            rows.append(Metric(name, label, DISTANCE, None, definition=what, unit=unit))
    note = f"Against {training.name}, rows as they are there; of the generated texts those that are formulas."
    drawn = [
        Series("Elements in the formula", "elements", bars={subject: _shares(mine), training.name: _shares(theirs)}),
        Series(
            "Formulas that hold an element",
            "share",
            bars={subject: _held(run.rows), training.name: _held(training.rows)},
        ),
    ]
    return ReportSection("Distributions", tuple(rows), note), drawn


def _presence(keys: Sequence[Formula]) -> NDArray[np.bool_]:
    """(n, 118) bool: which elements a formula holds."""
    place = {s: i for i, s in enumerate(SYMBOLS)}
    out = np.zeros((len(keys), len(SYMBOLS)), dtype=bool)
    for i, key in enumerate(keys):
        out[i, [place[s] for s, _ in key]] = True
    return out


def _compare_sizes(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return wasserstein(a.sum(1), b.sum(1))


def _compare_elements(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return jensen_shannon(a.sum(0), b.sum(0))


def _shares(sizes: Sequence[int]) -> dict[str, float]:
    return {str(k): n / len(sizes) for k, n in sorted(Counter(sizes).items())}


def _held(keys: Sequence[Formula]) -> dict[str, float]:
    found = Counter(s for k in keys for s, _ in k)
    return {s: found[s] / len(keys) for s in SYMBOLS if found[s]}
