"""Structures of a formula: its known crystals, then the structure types of other known crystals by their votes, and
orderings of known crystals of simpler ratios where votes do not say enough.

The votes are those of `retrieval.retrieve`. Of a formula that has a known crystal they are taken from crystals of other
formulas alone, and say nothing of what is already known, so no probability is given there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import element_movers_distance, on_scale
from nucleate.chem.elements import atomic_number
from nucleate.crystal.same_crystal import is_same_crystal, prepare_for_comparison
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.methods import ADAPTIVE, MODEL_ATOMS, PROTOTYPE, RANDOM, RANDOM_ATOMS, RETRIEVAL
from nucleate.generators.planning import plan_condition
from nucleate.generators.reach import far_reason
from nucleate.generators.substitute import supercell_of
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import rows_of_formula
from nucleate.library.library import load_library
from nucleate.library.matching import comparable_row
from nucleate.library.patterns import load_patterns
from nucleate.retrieval.merging import COMPARED
from nucleate.retrieval.ranking import FOLDER
from nucleate.retrieval.retrieve import RetrievedRelative, Retriever

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library
    from nucleate.orderings.propose import ProposedOrdering

FIT = "known"  # the ranking, one of `retrieval.ranking.FITS`
DRAWN = 20  # structure types among which a seed of `generate` chooses
MOST_SEARCHED = 200  # structure types among which one is looked for whose cell repeats to a wanted size
DOUBT = 0.5  # probability of none of the structure types, from which on orderings are proposed, too
LIKELY = 0.05  # probability of a structure type that comes before the first ordering

Kind = tuple[int, tuple[int, ...]]  # a decorated prototype: pattern of the library, elements of its slots


@dataclass(frozen=True, eq=False)
class FormulaAnswer:
    """A structure for a formula.

    relative: the known crystal whose structure it has, and what takes the place of its elements. known: whether that is
    a crystal of the formula itself. probability: of this structure type, None where the formula has a known crystal,
    and of orderings. ordering: how its elements share the sites of the known crystal, None for all other answers.
    """

    relative: RetrievedRelative
    known: bool
    probability: float | None = None
    ordering: ProposedOrdering | None = None

    @property
    def entry(self) -> KnownEntry:
        """The known crystal."""
        return self.relative.entry

    def structure(self) -> Structure:
        """The primitive cell; of a known crystal as it is, else with other elements and scaled."""
        return self.relative.structure() if self.ordering is None else self.ordering.structure

    def distance(self) -> float | None:
        """Element mover's distance between the formulas, in steps on the modified Pettifor scale; None where one of
        them has an element that is not on it."""
        if self.ordering is not None:
            return self.ordering.distance
        theirs = self.entry.composition
        ours = {self.relative.substitution[e]: n for e, n in theirs.items()}
        return element_movers_distance(ours, theirs) if on_scale(ours) and on_scale(theirs) else None


@dataclass(frozen=True, eq=False)
class FormulaAnswers:
    """The structures for a formula, the first to be said first.

    none: the probability that it has none of the structure types that crystals of its ratio have, None where it has a
    known crystal. reason: why there are fewer than were asked for, "" where there are as many.
    """

    formula: str
    answers: tuple[FormulaAnswer, ...]
    none: float | None = None
    reason: str = ""


class RetrievalGenerator(BaseGenerator["Structure"]):
    """Structures of a composition by the votes of known crystals. The seed chooses one of the DRAWN most probable
    structure types, each as often as it is probable. library: the known crystals, None for all."""

    name = RETRIEVAL
    needs = ("composition",)

    def __init__(self, library: Library | None = None) -> None:
        self._library = library
        self._retriever: Retriever | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_retriever": None}  # the memory of relatives stays in its process

    @property
    def library(self) -> Library:
        """The known crystals; all of them are opened when they are first needed."""
        return self._library if self._library is not None else load_library()

    @property
    def retriever(self) -> Retriever:
        """What asks the library; made when it is first needed."""
        if self._retriever is None:
            self._retriever = Retriever(self.library, FIT)
        return self._retriever

    @property
    def uses_library(self) -> bool:
        return True

    def with_library(self, library: Library) -> RetrievalGenerator:
        return RetrievalGenerator(library)

    def facts(self) -> dict[str, Any]:
        """What is asked, and by which fit."""
        hidden = f" without {self.library.hidden_text}" if self.library.hidden_text else ""
        return {"dataset": f"{len(self.library):,} known crystals{hidden}", "version": f"ranking {ranking_digest()}"}

    def answers(self, composition: Mapping[str, int], count: int) -> FormulaAnswers:
        """Up to `count` structures for a composition (symbol -> atoms, of any multiple): its known crystals in the
        order of `Library.ordered`, then other structure types, the most probable first.

        Raises NucleateError for an element that is none.
        """
        formula = Formula.of(composition)
        text, atoms = formula.text, sum(formula.counts.values())
        if strangers := self._without_crystals(formula.counts):
            return FormulaAnswers(
                text, (), None, f"no known crystal has {' or '.join(strangers)}, so {text} is like none of them"
            )
        known = self._known(formula, count)
        if len(known) == count:
            return FormulaAnswers(text, tuple(known))
        kinds = {self._kind(answer.relative) for answer in known}
        found = self.retriever.retrieve(formula.counts, max(COMPARED, count + len(kinds)), own=False)
        types = [p for p in found.prototypes if self._kind(p.relatives[0]) not in kinds]
        others = self._others_than(known, [FormulaAnswer(p.relatives[0], False, p.probability) for p in types])
        if known:
            others = [replace(answer, probability=None) for answer in others]
        elif len(others) < count or found.none > DOUBT:
            others = self._with_orderings(others, formula, count)
        every = (*known, *others)[:count]
        none = None if known or found.reason else found.none
        return FormulaAnswers(text, every, none, self._reason(formula, len(every), count, atoms))

    def _others_than(self, known: Sequence[FormulaAnswer], others: Sequence[FormulaAnswer]) -> list[FormulaAnswer]:
        """The other answers without those of the first COMPARED that are the same crystal as a known one."""
        theirs = [(prepare_for_comparison(answer.structure()), answer.entry.num_atoms) for answer in known]
        out = []
        for answer in others[:COMPARED]:
            alike = [crystal for crystal, size in theirs if size == answer.entry.num_atoms]
            own = prepare_for_comparison(answer.structure()) if alike else None
            if own is None or not any(is_same_crystal(other, own, None) for other in alike):
                out.append(answer)
        return [*out, *others[COMPARED:]]

    def _with_orderings(self, others: Sequence[FormulaAnswer], formula: Formula, count: int) -> list[FormulaAnswer]:
        """The other answers, and between those that are not LIKELY orderings of known crystals that are not too far
        away (`generators.reach`)."""
        from nucleate.orderings.propose import propose_orderings

        first = [answer for answer in others if (answer.probability or 0.0) >= LIKELY]
        rest = others[len(first) :]
        seen = [prepare_for_comparison(answer.structure()) for answer in others[: max(COMPARED, len(first))]]
        orderings = []
        for proposed in propose_orderings(self.library, formula.counts, count):
            if far_reason(proposed.distance, None, proposed.substitution, 1.0):
                continue
            crystal = prepare_for_comparison(proposed.structure)
            if any(is_same_crystal(other, crystal, None) for other in seen):
                continue
            theirs = self.library[proposed.parent]
            relative = RetrievedRelative(theirs, proposed.substitution, 1.0, 1.0)
            orderings.append(FormulaAnswer(relative, False, None, proposed))
        both = [answer for pair in zip(orderings, rest, strict=False) for answer in pair]
        taken = min(len(orderings), len(rest))
        return [*first, *both, *orderings[taken:], *rest[taken:]]

    def _reason(self, formula: Formula, found: int, count: int, atoms: int) -> str:
        ratio = f"{':'.join(map(str, formula.ratio))} of {formula.text}"
        hidden = f" without {self.library.hidden_text}" if self.library.hidden_text else ""
        if found >= count:
            return ""
        if found:
            return (
                f"the known crystals{hidden} have {found} structure type{'s' if found > 1 else ''} of the ratio {ratio}"
            )
        return f"no known crystal{hidden} has the ratio {ratio}{_others(atoms)}"

    def _without_crystals(self, counts: Mapping[str, int]) -> list[str]:
        """The elements that no known crystal has."""
        library = self.library
        elements = library.table.elements
        seen = np.bincount((elements if library.visible is None else elements[library.visible]).ravel(), minlength=119)
        return [symbol for symbol in counts if not seen[atomic_number(symbol)]]

    def _known(self, formula: Formula, count: int) -> list[FormulaAnswer]:
        """The first known crystals of a formula, each structure once."""
        library, counts = self.library, formula.counts
        out: list[FormulaAnswer] = []
        seen: dict[str, list[int]] = {}
        for row in library.ordered(library.seen(rows_of_formula(library.table, counts))).tolist():
            if len(out) == count:
                break
            entry = KnownEntry(library.table, row)
            alike = seen.setdefault(entry.prototype, [])
            if any(_same(library, row, other) for other in alike):
                continue
            alike.append(row)
            out.append(FormulaAnswer(RetrievedRelative(entry, {symbol: symbol for symbol in counts}, 1.0, 1.0), True))
        return out

    def _kind(self, relative: RetrievedRelative) -> Kind:
        """The decorated prototype of a crystal with other elements, the same for any setting of it."""
        table, row = self.library.table, relative.entry.row
        patterns = load_patterns(table)
        pattern = int(patterns.pattern[row])
        exchanges = patterns.automorphisms(pattern)
        own = relative.entry.elements
        places = patterns.order[row, : exchanges.shape[1]].tolist()
        elements = np.array([atomic_number(relative.substitution[own[place]]) for place in places])
        return pattern, min(map(tuple, elements[exchanges].tolist()))

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """As `planning.plan_condition`; where no number of atoms is wanted, formula units are those of a structure type
        that is drawn as often as it is probable."""

        def units(formula: Mapping[str, int], seed: int, group: int | None) -> int:
            drawn = self._drawn(formula, seed, 0)
            return int(drawn.entry.num_atoms) // sum(Formula.of(formula).counts.values())

        return plan_condition(wishes, seed, units=units)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed. Raises NucleateError for a composition of which no known structure
        type has a cell of that size, or one that repeats to it."""
        out = []
        for condition, seed in zip(conditions, seeds, strict=True):
            composition = dict(condition.composition or {})
            atoms = sum(composition.values())
            units = atoms // sum(Formula.of(composition).counts.values())
            made = self._drawn(composition, seed, units).structure()
            out.append(supercell_of(made, atoms // len(made)))
            if progress is not None:
                progress(len(out), len(conditions))
        return out

    def _drawn(self, composition: Mapping[str, int], seed: int, units: int) -> RetrievedRelative:
        """A relative of one of the most probable structure types, whose cell has so many formula units or a divisor of
        them; 0 for any number."""
        formula = Formula.of(composition)
        if strangers := self._without_crystals(formula.counts):
            raise NucleateError(f"no known crystal has {' or '.join(strangers)}, so {formula.text} is like none")
        fitting = list(self.retriever.retrieve(formula.counts, DRAWN, units=units).prototypes)
        if not fitting:
            every = self.retriever.retrieve(formula.counts, MOST_SEARCHED)
            size = units * sum(formula.counts.values())
            fitting = [p for p in every.prototypes if size % p.num_atoms == 0]
            if not fitting:
                raise NucleateError(every.reason or f"no known structure type of {formula.text} fits into {size} atoms")
        shares = np.array([p.probability for p in fitting])
        chosen = np.random.default_rng([seed, 11]).choice(len(fitting), p=shares / shares.sum())
        return fitting[int(chosen)].relatives[0]


@cache
def ranking_digest() -> str:
    """The start of the SHA-256 of the fit, by which a run is not continued with another one."""
    return hashlib.sha256((FOLDER / f"ranking-{FIT}.safetensors").read_bytes()).hexdigest()[:16]


def _same(library: Library, row: int, other: int) -> bool:
    """Whether two known crystals of one formula are the same crystal."""
    return is_same_crystal(comparable_row(library.table, row), comparable_row(library.table, other))


def _others(atoms: int) -> str:
    """The methods that need no known crystal of the ratio, for a formula unit of so many atoms."""
    models = f"--method {ADAPTIVE} or transformer (up to {MODEL_ATOMS} atoms), " if atoms <= MODEL_ATOMS else ""
    search = f"--method {RANDOM}, or " if atoms <= RANDOM_ATOMS else ""
    return f"; what needs none: {models}{search}--method {PROTOTYPE} where the formula fits a crystal family"
