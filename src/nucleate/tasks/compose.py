"""New formulas that meet wishes about their elements and properties."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.pattern import EXAMPLES
from nucleate.generators.planning import formula_condition
from nucleate.pipeline.candidate import FAIL, Candidate, candidate_of_formula
from nucleate.stages.check import check_chemistry
from nucleate.stages.chemistry import with_oxidation

if TYPE_CHECKING:
    from nucleate.generators import Generator
    from nucleate.request.request import Request

ROUNDS = 20  # times n formulas that are drawn at most to find n good ones


def condition_of(request: Request) -> Condition:
    """What a request asks of a generator of formulas; a range of a property stands for its middle.

    Raises NucleateError for a formula without a gap.
    """
    if request.composition is not None:
        raise NucleateError(
            f"{formula_text(request.composition)} is a whole formula; leave a gap in it ({EXAMPLES}), or give a "
            "chemical system such as Li-Fe-O"
        )
    properties = {k: (low + high) / 2 for k, (low, high) in request.properties.items()}
    return dataclasses.replace(formula_condition(request), properties=properties)


def compose(
    generator: Generator[str],
    condition: Condition,
    n: int,
    seed: int = 0,
    *,
    valid: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Candidate]:
    """n drawn formulas as candidates with their checks; a text that is no formula is there as rejected.

    valid: draw on until there are n distinct ones of which no check of charge and electronegativity fails, at most
    ROUNDS times as many; fewer come back where that is not enough.
    """
    from nucleate.diffusion.philox import derived_seed

    if n < 1:
        raise NucleateError(f"cannot draw {n} formulas; ask for at least 1")
    found: list[Candidate] = []
    seen: set[tuple[tuple[str, int], ...]] = set()
    for start in range(0, n * ROUNDS if valid else n, n):
        seeds = [derived_seed(seed, i) for i in range(start, start + n)]
        for text, own in zip(generator.generate([condition] * n, seeds), seeds, strict=True):
            candidate = _checked(text, own)
            key = tuple(sorted((candidate.composition or {}).items()))
            fails = candidate.failure or any(c.verdict == FAIL for c in candidate.checks.values())
            if not valid or not (fails or key in seen):
                found.append(candidate)
            seen.add(key)
        if progress is not None:
            progress(min(len(found), n), n)
        if len(found) >= n:
            break
    return with_oxidation(found[:n])


def _checked(text: str, seed: int) -> Candidate:
    made = candidate_of_formula(text, seed, strict=True)
    if not made.composition:
        return made
    checked = made.with_(checks=check_chemistry(made.composition))
    return dataclasses.replace(checked, id=formula_text(made.composition))
