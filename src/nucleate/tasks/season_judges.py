"""What a season measures of weights in training: a small, fixed validation that takes a minute or two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nucleate.evaluate.csp import Predictions
    from nucleate.evaluate.inputs import CrystalSet
    from nucleate.evaluate.metric import Report

SEED = 7  # of everything that a validation draws


@dataclass(frozen=True)
class Judge:
    """measure: (weights, data set, how many, folder for what can be kept) to numbers by name. score: the names of the
    numbers whose mean decides which weights are best; more is better. numbers: all names, with what they are."""

    measure: Callable[[Path, str, int, Path], dict[str, float]]
    score: tuple[str, ...]
    numbers: Mapping[str, str]

    def score_of(self, numbers: Mapping[str, float]) -> float:
        return sum(numbers[name] for name in self.score) / len(self.score)


def judge_crystals(weights: Path, dataset: str, n: int, cache: Path) -> dict[str, float]:
    """`n` crystals drawn without a wish, judged against `n` crystals of the data set as CDVAE's protocol does."""
    from nucleate.evaluate.dng import evaluate_dng
    from nucleate.evaluate.inputs import CrystalSet, Item, read_dataset
    from nucleate.evaluate.measurements import DngSettings
    from nucleate.evaluate.measures.distributions import random_subset
    from nucleate.generators import load_generator
    from nucleate.request.request import Request

    generator = load_generator(weights)
    seeds = [SEED * 1_000_003 + i for i in range(n)]
    anything = Request(text="anything", candidates=n)
    made = generator.generate([generator.plan(anything, seed) for seed in seeds], seeds)
    drawn = CrystalSet("validation", tuple(Item(str(i), s) for i, s in enumerate(made)))
    everything = read_dataset(dataset)
    reference = _fitting(everything, generator.info.max_atoms)
    chosen = random_subset(len(reference), min(n, len(reference)), SEED)
    reference = reference.subset(chosen.tolist(), dataset)
    settings = DngSettings(protocols=("cdvae-2022",), energies=False)
    report = evaluate_dng(drawn, reference, settings, workers=1, cache=cache)
    names = {"valid": "valid_structure", "neutral": "valid_composition", **{k: k for k in ("w_density", "w_elements")}}
    return _values(report, names | {"cov_recall": "cov_recall", "cov_precision": "cov_precision"})


def _fitting(crystals: CrystalSet, max_atoms: int) -> CrystalSet:
    small = [i for i, s in enumerate(crystals.structures) if s is not None and len(s) <= max_atoms]
    return crystals.subset(small, crystals.name)


def judge_matches(weights: Path, dataset: str, n: int, cache: Path) -> dict[str, float]:
    """One structure for each of `n` compositions of the data set, matched with the known one as DiffCSP does."""
    from nucleate.crystal.convert import atom_counts
    from nucleate.evaluate.csp import judge_predictions, load_targets, prediction_seed
    from nucleate.evaluate.measures.validity import structural_validity
    from nucleate.generators import load_generator
    from nucleate.generators.base import Condition
    from nucleate.library.library import load_library

    generator = load_generator(weights)
    if generator.uses_library:  # it must not know what it is to find
        generator = generator.with_library(load_library().hidden(dataset=dataset))
    targets = [t for t in load_targets(dataset, n, SEED) if len(t[1]) <= generator.info.max_atoms]
    seeds = [prediction_seed(SEED, name, 0) for name, _ in targets]
    made = generator.generate([Condition(composition=atom_counts(t)) for _, t in targets], seeds)
    predictions: Predictions = {name: {0: s} for (name, _), s in zip(targets, made, strict=True)}
    report = judge_predictions(targets, predictions, 1, workers=1, across=False)
    numbers = _values(report, {"match": "unfiltered_@1", "rmse": "rmse_unfiltered_@1"})
    return numbers | {"valid": sum(map(structural_validity, made)) / len(made)}


def judge_formulas(weights: Path, dataset: str, n: int, cache: Path) -> dict[str, float]:
    """`n` texts drawn without a wish: whether they are formulas, and neutral and balanced by SMACT's states."""
    from nucleate.chem.checks import smact_verdict
    from nucleate.chem.verdict import PASS
    from nucleate.evaluate.formulas import formula_key
    from nucleate.generators.base import Condition
    from nucleate.generators.formulas import load_formula_generator

    texts = load_formula_generator(weights).draw([Condition()] * n, [SEED * 1_000_003 + i for i in range(n)])
    keys = [formula_key(text) for text in texts]
    readable = [key for key in keys if key is not None]
    sound = sum(smact_verdict(dict(key), "smact14").verdict == PASS for key in readable)
    return {"formula": len(readable) / n, "cn_eb": sound / n, "unique": len(set(readable)) / n}


def _values(report: Report, names: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, Any] = {m.name: m.value for section in report.sections for m in section.metrics}
    return {ours: float(found[theirs]) for ours, theirs in names.items() if found.get(theirs) is not None}


JUDGES = {
    "crystals": Judge(
        judge_crystals,
        ("valid", "cov_recall", "cov_precision"),
        {
            "valid": "share with no distance below 0.5 angstrom",
            "neutral": "share whose composition passes SMACT's published test",
            "cov_recall": "COV-R against as many crystals of the data set",
            "cov_precision": "COV-P against the same",
            "w_density": "Wasserstein distance of densities in g/cm3",
            "w_elements": "Wasserstein distance of numbers of elements",
        },
    ),
    "match": Judge(
        judge_matches,
        ("match",),
        {
            "match": "share of the compositions whose one prediction matches the known crystal",
            "rmse": "mean rms distance of the matches, in (V/N)^(1/3)",
            "valid": "share with no distance below 0.5 angstrom",
        },
    ),
    "formulas": Judge(
        judge_formulas,
        ("cn_eb",),
        {
            "formula": "share that can be read as a formula",
            "cn_eb": "share that is neutral and balanced in electronegativity (smact14)",
            "unique": "distinct formulas per text",
        },
    ),
}
