"""The two heuristics of a tree search (GenMS, Yang et al. 2024, arXiv 2409.06762, eq. 1): R_hi scores formulas and R_lo
scores structures; higher is better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.families.likelihood import STEPS_PER_UNIT, log_likelihoods
from nucleate.pipeline.candidate import FAIL, Candidate
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import FormulaScore, ObjectiveScore

if TYPE_CHECKING:
    from nucleate.language.chat import Chat
    from nucleate.library.library import Library
    from nucleate.request.request import Request

REACH = 0.7  # steps on the modified Pettifor scale that lower R_hi by 1, as in `generators.precedents`
STATES = 1.0  # by which R_hi is lowered where oxidation states do not add up to zero
LANGUAGE = 4.0  # by which R_hi is lowered for the last formula in a language model's order, the first losing nothing
STEP = 0.1  # eV/atom that change R_lo by its weight
HIGHEST = 48  # order of the largest crystallographic point group
TERMS = {
    "e_above_hull": "energy above the hull, in steps of 0.1 eV/atom",
    "e_form": "formation energy, in steps of 0.1 eV/atom",
    "properties": "how far predicted properties are from the wanted, in standard deviations of the training data",
    "request": "1 where the relaxed crystal is not what was asked for in words",
    "known": "1 where the crystal is known",
    "symmetry": "how far the order of the space group falls short of the highest, in factors of 2",
}


class HeuristicStage(Stage):
    """Gives formulas their `formula_score`: R_hi and the terms that it is the sum of.

    Formulas that fail a check were rejected before. The terms are: family, how near the formula is to a known member of
    its family (`families.propose`). known, for a formula without a family, how near it is to a crystal of the shipped
    reference set, by the element mover's distance. likelihood, by a model of compositions. oxidation, whether oxidation
    states by a network add up to zero. language, the place of the formula in the order of a language model, where one
    is asked; formulas that it does not name come last.

    library: the known crystals, None for all of them. Formulas of which all crystals are hidden in it are not among
    those that a formula may be near to.
    """

    name = "heuristic"
    grain: Grain = "chunk"
    cost: Cost = "quick"

    def __init__(
        self, request: Request, chat: Chat | None = None, seed: int = 0, library: Library | None = None
    ) -> None:
        self.request, self.chat, self.seed, self.library = request, chat, seed, library
        self._known: list[dict[str, int]] = []
        self.resource: Resource = "cpu" if chat is None else "network"
        self.transcript: list[dict[str, Any]] = []

    def take_transcript(self) -> list[dict[str, Any]]:
        """Questions and answers since the last call of this method."""
        said, self.transcript = self.transcript, []
        return said

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        places = self._places([c.formula for c in candidates]) if self.chat is not None else {}
        near = self._near([c for c in candidates if c.origin.family is None or c.origin.family.score is None])
        likely = log_likelihoods([c.composition or {} for c in candidates])
        for c, likelihood in zip(candidates, likely, strict=True):
            terms: dict[str, float] = {}
            if c.id in near:
                terms["known"] = -near[c.id] / REACH
            elif c.origin.family is not None and c.origin.family.score is not None:
                terms["family"] = -c.origin.family.score
            terms["likelihood"] = STEPS_PER_UNIT * likelihood
            if "oxidation" in c.checks and c.checks["oxidation"].verdict == FAIL:
                terms["oxidation"] = -STATES
            if places:
                terms["language"] = -LANGUAGE * places.get(c.formula, 1.0)
            rounded = {k: round(v, 4) for k, v in terms.items()}
            yield c.with_(formula_score=FormulaScore(round(math.fsum(terms.values()), 4), rounded))

    def _near(self, candidates: Sequence[Candidate]) -> dict[str, float]:
        if not candidates:
            return {}
        from nucleate.chem.distance import MODIFIED_PETTIFOR, nearest_distances

        away = nearest_distances([c.composition or {} for c in candidates], self._known_formulas())
        return {
            c.id: float(d) if d == d else float(len(MODIFIED_PETTIFOR)) for c, d in zip(candidates, away, strict=True)
        }

    def _known_formulas(self) -> list[dict[str, int]]:
        """The compositions of the reference set that are not hidden."""
        from nucleate.hull.load import load_reference

        if not self._known:
            view = self.library
            some = view.hidden_formulas() if view is not None else frozenset()
            gone = {key for key in some if view is not None and not view.knows_formula(dict(key))}
            self._known = [dict(key) for key in load_reference().keys if key not in gone]
        return self._known

    def _places(self, formulas: Sequence[str]) -> dict[str, float]:
        """formula -> its place in the order of the language model, from 0 (first) to 1."""
        from nucleate.language.stage import order_formulas

        assert self.chat is not None
        order, exchange = order_formulas(self.chat, self.request, list(dict.fromkeys(formulas)), self.seed)
        self.transcript.append(exchange)
        return {formula: i / max(len(order) - 1, 1) for i, formula in enumerate(order)}


def read_objective(text: str) -> dict[str, float]:
    """TERMS -> weights from a text such as "e_above_hull=1, symmetry=0.5"; empty for an empty text.

    Raises NucleateError for an unknown term, one that is given twice, and a weight that is no number.
    """
    out: dict[str, float] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, number = (p.strip() for p in part.partition("="))
        try:
            weight = float(number)
        except ValueError:
            weight = math.nan
        if name not in TERMS or not math.isfinite(weight) or name in out:
            raise NucleateError(
                f"'{part}' is no weight of an objective; write for example e_above_hull=1,symmetry=0.5, each once, of "
                f"{', '.join(TERMS)}"
            )
        out[name] = weight
    return out


class ObjectiveStage(Stage):
    """Gives crystals their `objective`, R_lo: minus the weighted sum of TERMS. `pipeline.rank` then orders by it.

    A crystal must not win by an error of a model (Yang et al. 2024, section 2.2). So a crystal gets no objective, with
    the reason in `objective.missing`, and comes last, where a weighted term is not known or not credible: an energy far
    below all known crystals, or a property beyond what its network was trained on.
    """

    name = "objective"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.weights = dict(weights)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            terms = {name: _term(name, c) for name in self.weights}
            lacking = [name for name, value in terms.items() if value is None]
            if lacking:
                yield c.with_(objective=ObjectiveScore(missing=f"no {', '.join(lacking)} that can be believed"))
                continue
            value = -math.fsum(self.weights[name] * float(v) for name, v in terms.items() if v is not None)
            yield c.with_(objective=ObjectiveScore(round(value, 4)))


def _term(name: str, c: Candidate) -> float | None:
    """The value of a term for a crystal; None where it is not known or not credible."""
    if name == "properties":
        off = c.predicted.off_target if c.predicted else None
        return math.fsum(off.values()) if off else None
    if name == "symmetry":
        return _asymmetry(c)
    if name in ("request", "known"):
        check = c.checks.get("request" if name == "request" else "novel")
        return None if check is None else float(check.verdict == FAIL)
    believed = name in c.energies and "hull" not in c.checks and math.isfinite(c.energies[name].value)
    return c.energies[name].value / STEP if believed else None


def _asymmetry(c: Candidate) -> float | None:
    from nucleate.crystal.symmetry import space_group
    from nucleate.crystal.wyckoff import get_space_group

    if c.structure is None:
        return None
    try:
        number, _ = space_group(c.structure)
    except NucleateError:
        return None
    return math.log2(HIGHEST / get_space_group(number).order)
