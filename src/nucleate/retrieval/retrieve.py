"""Structures of a composition from the known crystals of its ratio, the most probable first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.elements import atomic_number, element_symbol
from nucleate.library.entries import KnownEntry
from nucleate.retrieval.merging import COMPARED, distinct
from nucleate.retrieval.ranking import NEVER, VoteModel, load_ranking
from nucleate.retrieval.relatives import order_of, relatives_of
from nucleate.retrieval.volumes import atomic_volumes

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library
    from nucleate.retrieval.ranking import Votes
    from nucleate.retrieval.relatives import Relatives

RATIOS = 256  # whose relatives are kept in memory
SUPPORT = 8  # relatives that are kept of a structure type


@dataclass(frozen=True, eq=False)
class RetrievedRelative:
    """A known crystal whose structure a composition may have.

    substitution: its elements -> those that take their places. share: of it in the votes for this structure, 0 to 1.
    volume: factor between the volumes of the new cell and of its own, by the volumes of the atoms.
    """

    entry: KnownEntry
    substitution: Mapping[str, str]
    share: float
    volume: float

    def structure(self) -> Structure:
        """The primitive cell with the other elements, scaled."""
        from pymatgen.core import Lattice, Structure

        lattice, frac, numbers = self.entry.table.primitive(self.entry.row)
        species = [self.substitution[element_symbol(int(z))] for z in numbers]
        return Structure(Lattice(lattice * self.volume ** (1 / 3)), species, frac)


@dataclass(frozen=True, eq=False)
class RetrievedPrototype:
    """A structure type with the elements of a composition in its slots.

    probability: that this is the structure, among all that were retrieved and "none of these". space_group: 1 to 230.
    num_atoms: in the primitive cell. free: coordinates of its atoms that symmetry leaves free. relatives: known
    crystals of this type, those with the heaviest votes first.
    """

    probability: float
    space_group: int
    num_atoms: int
    free: int
    relatives: tuple[RetrievedRelative, ...]

    def structure(self) -> Structure:
        """The crystal, in the geometry of the first of the relatives."""
        return self.relatives[0].structure()


@dataclass(frozen=True, eq=False)
class Retrieval:
    """What was retrieved for a composition. prototypes: the most probable first. others: how many more there are, and
    rest: their probability together. none: the probability that it is none of all these. reason: why there are none, ""
    where there are some."""

    formula: str
    prototypes: tuple[RetrievedPrototype, ...]
    others: int
    rest: float
    none: float
    reason: str = ""


class Retriever:
    """Asks a library, or a view of it, for structures of compositions.

    ranking: one of `ranking.FITS`, or another one. stable: whether a crystal near the hull, or one that could be made,
    is looked for, and not any crystal that somebody has computed.
    """

    def __init__(self, library: Library, ranking: str | VoteModel = "known", *, stable: bool = True) -> None:
        self.library, self.stable = library, stable
        self.ranking = load_ranking(ranking) if isinstance(ranking, str) else ranking
        self._relatives = lru_cache(maxsize=RATIOS)(self._found)

    def _found(self, ratio: tuple[int, ...]) -> Relatives | None:
        return relatives_of(self.library, ratio)

    def retrieve(
        self, composition: Mapping[str, int], count: int = 20, *, units: int = 0, own: bool = True
    ) -> Retrieval:
        """Up to `count` structure types for a composition (symbol -> atoms, of any multiple); types whose crystals are
        the same are one answer (`merging`).

        units: formula units in the primitive cell, 0 for any number. own: whether known crystals of the composition
        itself are asked. Raises NucleateError for an element that is none.
        """
        formula = Formula.of(composition)
        counts = formula.counts
        numbers, amounts = [atomic_number(s) for s in counts], list(counts.values())
        order = order_of(numbers, amounts)
        wanted = [numbers[i] for i in order]
        relatives = self._relatives(formula.ratio)
        ratio = ":".join(map(str, formula.ratio))
        if relatives is None:
            return Retrieval(formula.text, (), 0, 0.0, 1.0, f"no known crystal has the ratio {ratio}")
        visible = None
        if not own:
            visible = ~relatives.of_composition(np.array(wanted))
            if not visible.any():
                reason = f"no known crystal of another formula has the ratio {ratio}"
                return Retrieval(formula.text, (), 0, 0.0, 1.0, reason)
        votes = self.ranking.votes(relatives, wanted, stable=self.stable, visible=visible)
        keys = votes.keys
        if units:
            pattern, _ = relatives.first
            keys = np.where(relatives.units[pattern] == units, keys, NEVER)
            votes = type(votes)(votes.votes, keys, votes.none)
        shares = votes.probabilities
        ranked = [k for k in np.argsort(-keys, kind="stable").tolist() if keys[k] > NEVER / 2]
        chosen = ranked[: count + COMPARED]
        every = distinct(self._prototypes(relatives, votes, chosen, shares, wanted))
        found = tuple(every[:count])
        rest = float(shares[ranked].sum()) - sum(p.probability for p in found)
        reason = (
            "" if ranked else f"no known crystal of the ratio {ratio} has {units} formula units in its primitive cell"
        )
        others = len(ranked) - len(chosen) + len(every) - len(found)
        return Retrieval(formula.text, found, others, rest, float(shares[-1]), reason)

    def _prototypes(
        self, relatives: Relatives, votes: Votes, keys: Sequence[int], shares: np.ndarray, wanted: Sequence[int]
    ) -> tuple[RetrievedPrototype, ...]:
        of_vote = relatives.keys[relatives.pattern].ravel()
        among = np.flatnonzero(np.isin(of_vote, keys))
        flat = votes.votes.ravel()
        ordered = among[np.lexsort((-flat[among], of_vote[among]))]
        starts = dict(zip(*np.unique(of_vote[ordered], return_index=True), strict=True))
        volumes = atomic_volumes(self.library)
        table, of_pattern = self.library.table, relatives.first[0]
        out = []
        for key in keys:
            begin = int(starts[key])
            some = ordered[begin : begin + 4 * SUPPORT]
            some = some[of_vote[some] == key]
            rows: list[int] = []
            kept: list[RetrievedRelative] = []
            for place in some.tolist():
                i, a = divmod(place, relatives.keys.shape[1])
                if flat[place] < NEVER / 2 or i in rows or len(rows) == SUPPORT:
                    continue
                rows.append(i)
                kept.append(
                    self._relative(relatives, i, a, wanted, float(np.exp(flat[place] - votes.keys[key])), volumes)
                )
            row = int(relatives.rows[rows[0]])
            group = int(table.space_group[row])
            atoms, free = int(table.num_atoms[row]), int(relatives.free[of_pattern[key]])
            out.append(RetrievedPrototype(float(shares[key]), group, atoms, free, tuple(kept)))
        return tuple(out)

    def _relative(
        self, relatives: Relatives, i: int, a: int, wanted: Sequence[int], share: float, volumes: np.ndarray
    ) -> RetrievedRelative:
        theirs = relatives.elements[i]
        ours = np.array(wanted)[relatives.assignments[a]]
        before, after = float(volumes[theirs] @ relatives.reduced), float(volumes[ours] @ relatives.reduced)
        factor = after / before if before > 0 and after > 0 else 1.0
        swaps = {element_symbol(int(x)): element_symbol(int(y)) for x, y in zip(theirs, ours, strict=True)}
        return RetrievedRelative(KnownEntry(self.library.table, int(relatives.rows[i])), swaps, share, factor)
