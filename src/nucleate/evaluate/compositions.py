"""Evaluation of generated formulas: readable, neutral, distinct, new, rediscovered, and their distance to known ones.

The measures of Tables 4 and 5 of "Generative design of inorganic compounds using deep diffusion language models" (Dong
et al., arXiv 2310.00475), each over all texts that were generated; if the definition in that paper can be read in two
ways, both are given.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

from nucleate.chem.composition import Formula
from nucleate.chem.formula import RULE, parse_strict
from nucleate.errors import NucleateError
from nucleate.evaluate.composition_sections import (
    Generated,
    KnownFormulas,
    OxidationTest,
    Vocabulary,
    charge_section,
    distances_section,
    distributions_section,
    formulas_section,
)
from nucleate.evaluate.formulas import formula_key
from nucleate.evaluate.metric import Report, ReportSection, Series
from nucleate.evaluate.published import COMPOSITIONS
from nucleate.pipeline.events import Watch


def known_from_texts(texts: Sequence[str], name: str) -> KnownFormulas:
    """Read known formulas. Texts that are no formulas (fractions, empty rows) are left out and counted.

    Raises NucleateError if no text is a formula.
    """
    keys = [formula_key(t) for t in texts]
    rows = tuple(k for k in keys if k is not None)
    if not rows:
        raise NucleateError(f"none of the {len(keys):,} texts in {name} is a formula such as SrTiO3")
    return KnownFormulas(name, rows, len(keys) - len(rows))


def evaluate_compositions(
    texts: Sequence[str],
    train: Sequence[str],
    test: Sequence[str] | None = None,
    *,
    known: Sequence[str] | None = None,
    reasons: Mapping[int, str] | None = None,
    vocabulary: Vocabulary | None = None,
    oxidation_states: OxidationTest | None = None,
    subject: str = "formulas",
    names: Mapping[str, str] | None = None,
    watch: Watch | None = None,
) -> Report:
    """Evaluate the texts that a model generated, one for each sample.

    train: the training formulas of the model; novelty, distances and distributions refer to them. test: formulas that
    were not used in training; they are evaluated too, for comparison, and the model may find them again. known: a
    database for "known again"; None stands for the test formulas. reasons: index of a text -> why its source gave none.
    oxidation_states: gives a verdict on each of a list of reduced formulas, for example by a network that assigns
    states. names: names of "train", "test" and "known" for the report. watch: receives the progress. Raises
    NucleateError if there is no text, or if one of the other lists has no formula.
    """
    if not len(texts):
        raise NucleateError("no generated formulas to judge")
    named = {"train": "training formulas", "test": "test formulas", "known": "known formulas", **(names or {})}
    training = known_from_texts(train, named["train"])
    held = known_from_texts(test, named["test"]) if test is not None else None
    base = known_from_texts(known, named["known"]) if known is not None else held
    watch = watch or Watch()
    run = _read(texts, reasons or {})
    stages = (
        ("formulas", lambda: formulas_section(run, vocabulary, training, held, base)),
        ("charge", lambda: charge_section(run, oxidation_states, training)),
        ("distance", lambda: distances_section(run, training, subject)),
        ("distributions", lambda: distributions_section(run, training, subject)),
    )
    sections: list[ReportSection] = []
    seconds: dict[str, float] = {}
    series: list[Series] = []
    for done, (name, stage) in enumerate(stages):
        watch.progress(subject, done, len(stages))
        start = time.perf_counter()
        section, drawn = stage()
        seconds[name] = time.perf_counter() - start
        sections.append(section)
        series += drawn
    watch.progress(subject, len(stages), len(stages))
    sources = {"train": training, "test": held, "known": base}
    report = Report(
        "compositions",
        subject,
        run.n,
        tuple(sections),
        reference=training.name,
        protocol={
            COMPOSITIONS: {
                "title": "formulas: parsable, unique, novel, recovered, balanced",
                "source": "Dong et al., arXiv 2310.00475, Tables 4 and 5; distance of Hargreaves et al. (2020)",
                "formula": RULE,
                "elements": sorted(vocabulary.elements) if vocabulary and vocabulary.elements else None,
                "max_atoms": vocabulary.max_atoms if vocabulary else None,
                "distance": "element mover's distance, modified Pettifor scale, atomic fractions",
                "oxidation_states": ["smact14", "icsd24", *(["given test"] if oxidation_states else [])],
            }
        },
        failures=tuple(run.failures),
        settings={
            k: {"name": s.name, "formulas": len(s.rows), "distinct": len(s.distinct), "unreadable": s.unreadable}
            for k, s in sources.items()
            if s is not None
        },
        seconds=seconds,
        series=tuple(series),
    )
    if test is None:
        return report
    real = evaluate_compositions(
        test,
        train,
        vocabulary=vocabulary,
        oxidation_states=oxidation_states,
        subject=named["test"] if named["test"] != subject else f"{subject} (real)",
        names=named,
        watch=watch,
    )
    beside = [
        Series(a.title, a.axis, {**a.values, **b.values}, {**a.bars, **b.bars})
        for a, b in zip(report.series, real.series, strict=True)
    ]
    return dataclasses.replace(report.with_floor(real, named["test"]), series=tuple(beside))


def _read(texts: Sequence[str], reasons: Mapping[int, str]) -> Generated:
    run = Generated(texts)
    for i, text in enumerate(texts):
        try:
            run.keys.append(Formula.of(parse_strict(text)))
        except NucleateError as error:
            run.keys.append(None)
            name = f"{i + 1}: {text.strip()[:40]}".removesuffix(": ")
            run.failures.append((name, "formula", reasons.get(i, str(error))))
    return run
