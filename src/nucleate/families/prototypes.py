"""Structures of a formula by the crystal families that it fits, as their prototypes with its elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import reduced
from nucleate.chem.formula import formula_text
from nucleate.errors import Code, NucleateError
from nucleate.families.decorate import decorated_prototype
from nucleate.families.family import lexicon
from nucleate.families.members import keeps_space_group, known_types
from nucleate.families.propose import Proposal, propose
from nucleate.generators.base import Condition, Progress
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.substitute import supercell_of
from nucleate.library.library import load_library
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import FamilyMember
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.library.library import Library

GENERATOR = "prototypes"
DRAWN = 5  # number of best fits of which a seed of the generator chooses one


@dataclass(frozen=True)
class Fit:
    """A structure type of a family with elements on its sites. structure_type: its index in the family."""

    proposal: Proposal
    structure_type: int


def family_fits(composition: Mapping[str, int], library: Library | None = None) -> tuple[Fit, ...]:
    """Structure types of all families that a reduced composition may have with balanced charges. Those come first whose
    known members are most similar in radius and electronegativity. An element may be on several sites. library: the
    known crystals, None for all; structure types whose members are all hidden in it are left out."""
    return _fits(tuple(sorted(composition.items())), load_library() if library is None else library)


@lru_cache(maxsize=256)
def _fits(counts: tuple[tuple[str, int], ...], library: Library) -> tuple[Fit, ...]:
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
            repeated = len(wanted) < len(family.sites)
            proposals = propose(family, accepts, contains=list(wanted), repeated=repeated, library=library)
        except NucleateError:  # the elements are too different from those of known members
            continue
        kinds = known_types(family.name, library)
        found += [Fit(p, k) for p in proposals for k in kinds if keeps_space_group(family.name, k, p.elements, library)]
    return tuple(sorted(found, key=lambda fit: fit.proposal.score))


class PrototypeStage(Stage):
    """Gives candidates with a composition the structure of one of its `family_fits`, by their wanted rank, from 1 for
    the best.

    library: the known crystals, None for all. A candidate fails, with the reason, if its formula has fewer fits.
    """

    name = "prototype"
    grain: Grain = "chunk"
    cost: Cost = "quick"
    resource: Resource = "cpu"

    def __init__(self, library: Library | None = None) -> None:
        self.library = library

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            found = family_fits(c.composition or {}, self.library)
            rank = c.wanted.rank
            if rank > len(found):
                yield c.failed(
                    self.name, Code.NO_TEMPLATE, f"{c.formula} fits {_number(len(found))} of the crystal families"
                )
                continue
            proposal, kind = found[rank - 1].proposal, found[rank - 1].structure_type
            member = FamilyMember(
                name=proposal.family,
                structure_type=kind,
                elements=tuple(proposal.elements),
                charges=tuple(map(float, proposal.charges)),
                nearest=proposal.nearest.material_id,
                distance=round(proposal.distance, 3),
            )
            structure = decorated_prototype(proposal.family, kind, proposal.elements, proposal.charges, self.library)
            yield c.with_(structure=structure).with_origin(generator=GENERATOR, family=member)


class PrototypeGenerator(BaseGenerator["Structure"]):
    """Structures of a composition by its `family_fits`. The seed chooses one of the DRAWN best fits whose cells, or
    supercells of them, have the wanted number of atoms. library: the known crystals, None for all."""

    name = GENERATOR
    needs = ("composition",)

    def __init__(self, library: Library | None = None) -> None:
        self.library = library

    @property
    def uses_library(self) -> bool:
        return True

    def with_library(self, library: Library) -> PrototypeGenerator:
        return PrototypeGenerator(library)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed. Raises NucleateError for a composition that fits no family in a
        cell of that size."""
        out = []
        for condition, seed in zip(conditions, seeds, strict=True):
            out.append(_drawn(dict(condition.composition or {}), seed, self.library))
            if progress is not None:
                progress(len(out), len(conditions))
        return out


def _drawn(composition: dict[str, int], seed: int, library: Library | None) -> Structure:
    size = sum(composition.values())
    cells = []
    for fit in family_fits(reduced(composition), library):
        proposal = fit.proposal
        cell = decorated_prototype(proposal.family, fit.structure_type, proposal.elements, proposal.charges, library)
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
