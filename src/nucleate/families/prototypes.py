"""Structures of a given formula by the crystal families that it fits: their prototypes with its elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import reduced
from nucleate.chem.formula import formula_text
from nucleate.errors import Code, NucleateError
from nucleate.families.decorate import decorated
from nucleate.families.family import keeps_type, lexicon
from nucleate.families.propose import Proposal, propose
from nucleate.generators.base import Condition, Progress
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.substitute import supercell_of
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import FamilyMember
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure

GENERATOR = "prototypes"
DRAWN = 5  # fits among which a seed of the generator chooses


@dataclass(frozen=True)
class Fit:
    """A structure type of a family, by its place in it, with elements on its sites."""

    proposal: Proposal
    structure_type: int


def fits(composition: Mapping[str, int]) -> tuple[Fit, ...]:
    """Structure types of all families that a reduced composition may have, with charges that balance; those first whose
    known members are nearest in radius and electronegativity. An element may be on several sites."""
    return _fits(tuple(sorted(composition.items())))


@lru_cache(maxsize=256)
def _fits(counts: tuple[tuple[str, int], ...]) -> tuple[Fit, ...]:
    wanted = dict(counts)
    found = []
    for family in lexicon().values():
        placements = [elements for elements in family.placements(wanted) if family.admits(elements)]
        if not placements:
            continue
        allowed = {frozenset(family.composition(elements).items()) for elements in placements}

        def accepts(made: Mapping[str, int], allowed: set[frozenset[tuple[str, int]]] = allowed) -> bool:
            return frozenset(made.items()) in allowed

        try:
            proposals = propose(family, accepts, contains=list(wanted), repeated=len(wanted) < len(family.sites))
        except NucleateError:  # elements too unlike those of the known members
            continue
        kinds = range(len(family.types))
        found += [Fit(p, k) for p in proposals for k in kinds if keeps_type(family.name, k, p.elements)]
    return tuple(sorted(found, key=lambda fit: fit.proposal.score))


class PrototypeStage(Stage):
    """Structures for candidates with a composition and a wanted rank: which of the `fits` it is to be, from 1.

    A formula that has fewer fits than asked for has candidates that failed, with the reason.
    """

    name = "prototype"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            found = fits(c.composition or {})
            rank = c.wanted.rank
            if rank > len(found):
                yield c.failed(
                    self.name, Code.NO_TEMPLATE, f"{c.formula} fits {_number(len(found))} of the crystal families"
                )
                continue
            one, kind = found[rank - 1].proposal, found[rank - 1].structure_type
            member = FamilyMember(
                name=one.family,
                structure_type=kind,
                elements=tuple(one.elements),
                charges=tuple(map(float, one.charges)),
                nearest=one.nearest.material_id,
                distance=round(one.distance, 3),
            )
            structure = decorated(one.family, kind, one.elements, one.charges)
            yield c.with_(structure=structure).with_origin(generator=GENERATOR, family=member)


class PrototypeGenerator(BaseGenerator["Structure"]):
    """Structures of a composition by its `fits`: the seed chooses among the DRAWN best whose cell has that many atoms,
    or a part of them, of which it becomes a supercell."""

    name = GENERATOR
    needs = ("composition",)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """Raises NucleateError for a composition that fits no family in such a cell."""
        out = []
        for condition, seed in zip(conditions, seeds, strict=True):
            out.append(_drawn(dict(condition.composition or {}), seed))
            if progress is not None:
                progress(len(out), len(conditions))
        return out


def _drawn(composition: dict[str, int], seed: int) -> Structure:
    size = sum(composition.values())
    cells = []
    for fit in fits(reduced(composition)):
        one = fit.proposal
        cell = decorated(one.family, fit.structure_type, one.elements, one.charges)
        if size % len(cell) == 0:
            cells.append(cell)
        if len(cells) == DRAWN:
            break
    if not cells:
        raise NucleateError(
            f"{formula_text(composition)} fits no crystal family in a cell of {size} atoms", code=Code.NO_TEMPLATE
        )
    chosen = cells[int(np.random.default_rng(seed).integers(len(cells)))]
    return supercell_of(chosen, size // len(chosen))


def _number(found: int) -> str:
    return f"{found} structure type{'s' if found > 1 else ''}" if found else "none"
