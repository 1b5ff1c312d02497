"""New formulas that meet wishes about their elements and properties."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.pattern import EXAMPLES
from nucleate.generators.properties import parse_properties
from nucleate.pipeline.candidate import FAIL, Candidate, of_formula
from nucleate.pipeline.check import check_chemistry
from nucleate.pipeline.chemistry import with_oxidation
from nucleate.search.request import parse_elements

if TYPE_CHECKING:
    from nucleate.generators import FormulaGenerator

ROUNDS = 20  # times n formulas that are drawn at most to find n good ones


def condition_of(
    request: str = "",
    *,
    contains: str | None = None,
    exclude: str | None = None,
    num_elements: int | None = None,
    num_atoms: int | None = None,
    properties: Sequence[str] = (),
) -> Condition:
    """The condition of a request: "" for anything, a chemical system "Li-Fe-O", or a formula with gaps "Li ? O4".

    Raises NucleateError for anything else. A range of a property stands for its middle.
    """
    text = request.strip()
    if num_atoms is not None and num_atoms < 1:
        raise NucleateError(f"a formula cannot have {num_atoms} atoms; ask for at least 1")
    condition = Condition(
        num_atoms=num_atoms,
        properties={k: (low + high) / 2 for k, (low, high) in parse_properties(properties).items()},
        contains=parse_elements(contains) if contains else (),
        exclude=parse_elements(exclude) if exclude else (),
        num_elements=num_elements,
    )
    if not text or text.lower() == "anything":
        return condition
    if "?" in text or "*" in text:
        return dataclasses.replace(condition, pattern=text)
    if re.fullmatch(r"[A-Z][a-z]?(-[A-Z][a-z]?)+", text):
        return dataclasses.replace(condition, chemical_system=parse_elements(text))
    raise NucleateError(f"'{text}' was not understood; give a chemical system such as Li-Fe-O, or a gap: {EXAMPLES}")


def compose(
    generator: FormulaGenerator,
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
    from nucleate.diffusion.rng import derive_seeds

    if n < 1:
        raise NucleateError(f"cannot draw {n} formulas; ask for at least 1")
    found: list[Candidate] = []
    seen: set[tuple[tuple[str, int], ...]] = set()
    for start in range(0, n * ROUNDS if valid else n, n):
        seeds = [int(derive_seeds(seed, i)) for i in range(start, start + n)]
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
    made = of_formula(text, seed, strict=True)
    if not made.composition:
        return made
    checked = made.with_(checks=check_chemistry(made.composition))
    return dataclasses.replace(checked, id=formula_text(made.composition))
