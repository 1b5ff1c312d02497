"""Wishes about the elements of a formula as rules for its words: which are given, tied to each other, or forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nucleate.chem.elements import atomic_number
from nucleate.codecs.tokens import MASK_ID, SPECIAL, TokenCodec
from nucleate.diffusion.unmask import Rule
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition
from nucleate.generators.pattern import parse_pattern


@dataclass(frozen=True)
class WordPlan:
    """Rules for the words of one formula, each of which is an atom.

    given: element -> number of atoms that are written from the start. gaps: for each gap of a pattern, the number of
    atoms that get the same element. allowed: the elements that other atoms may have, () for any. barred: elements that
    they may not have. num_elements: number of different elements in the formula, None if open. fewest_atoms,
    most_atoms: of the formula; most_atoms is None if it is to be drawn.
    """

    given: dict[str, int]
    gaps: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    num_elements: int | None = None
    fewest_atoms: int = 1
    most_atoms: int | None = None

    @property
    def constrained(self) -> bool:
        """Whether there is any rule about elements."""
        return bool(self.given or self.gaps or self.allowed or self.barred or self.num_elements)

    def write(self, words: Tensor, ties: Tensor, codec: TokenCodec) -> None:
        """Write the given words into `words` (A,), and in `ties` (A,) give all atoms of a gap one label; in place."""
        place = 0
        for symbol, n in self.given.items():
            words[place : place + n] = codec.token(symbol)
            place += n
        for n in self.gaps:
            ties[place : place + n] = place
            place += n


def word_plan(condition: Condition) -> WordPlan:
    """The rules that a condition demands. Raises NucleateError for wishes that contradict each other."""
    system, barred = condition.chemical_system or (), tuple(dict.fromkeys(condition.exclude))
    given = {e: 1 for e in (*condition.contains, *system)}
    gaps: tuple[int, ...] = ()
    fewest, most = 1, condition.num_atoms
    for symbol in (*given, *barred):
        atomic_number(symbol)
    if condition.pattern is not None:
        pattern = parse_pattern(condition.pattern)
        gaps = pattern.gaps
        missing = {e: 1 for e in given if e not in pattern.named}
        if missing and not pattern.open:
            raise NucleateError(
                f"write {', '.join(missing)} into the pattern '{condition.pattern}' itself, or end it in *"
            )
        given = {**pattern.named, **missing}
        fewest = sum(given.values()) + sum(gaps) + pattern.open
        if not pattern.open:
            barred = (*barred, *pattern.named)  # a gap has another element than those that are named
            if most not in (None, pattern.num_atoms):
                raise NucleateError(f"'{condition.pattern}' has {pattern.num_atoms} atoms, not {most}")
            most = pattern.num_atoms
            if gaps and system:
                raise NucleateError(
                    f"the chemical system {'-'.join(system)} leaves no element for '{condition.pattern}'"
                )
    if clash := sorted(set(given) & set(condition.exclude)):
        raise NucleateError(f"{clash[0]} is wanted and excluded; choose one")
    if system and (outside := sorted(set(given) - set(system))):
        raise NucleateError(f"{outside[0]} is wanted, but lies outside the chemical system {'-'.join(system)}")
    k = condition.num_elements
    if k is not None:
        if k < max(len(given), 1):
            raise NucleateError(
                f"{len(given)} elements are wanted, more than the {k} asked for"
                if k > 0
                else f"a formula cannot have {k} elements; ask for at least 1"
            )
        if system and k != len(system):
            raise NucleateError(f"the chemical system {'-'.join(system)} has {len(system)} elements, not {k}")
        if gaps and not len(given) < k <= len(given) + len(gaps):
            most_elements = f" to {len(given) + len(gaps)}" if len(gaps) > 1 else ""
            raise NucleateError(f"'{condition.pattern}' has {len(given) + 1}{most_elements} elements, not {k}")
        fewest = max(fewest, sum(given.values()) + k - len(given))
    fewest = max(fewest, sum(given.values()))
    return WordPlan(given, gaps, system, barred, k, fewest, most)


def word_rule(plans: Sequence[WordPlan], codec: TokenCodec, mask: Tensor, ties: Tensor) -> Rule:
    """A function that gives, for the words (B, A) of a batch so far, which words may be drawn next, (B, V).

    mask, ties (B, A): as in `diffusion.unmask.unmask`; the label of tied words is the index of the first of them.
    """
    device = mask.device
    allowed = torch.zeros(len(plans), codec.size, dtype=torch.bool)
    allowed[:, len(SPECIAL) :] = True
    for row, plan in enumerate(plans):
        if plan.allowed:
            allowed[row] = False
            allowed[row, [codec.token(s) for s in plan.allowed]] = True
        allowed[row, [codec.token(s) for s in plan.barred]] = False
    allowed = allowed.to(device)
    wanted = torch.tensor([p.num_elements or 0 for p in plans], device=device)
    drawn = mask & (ties == torch.arange(mask.shape[1], device=device))  # tied words are drawn together

    def rule(words: Tensor) -> Tensor:
        counts = torch.zeros(len(words), codec.size, device=device)
        counts.scatter_add_(1, words, mask.float())
        here = counts > 0
        here[:, MASK_ID] = False
        missing = wanted - here.sum(1)
        full = (wanted > 0) & (missing <= 0)
        left = (drawn & (words == MASK_ID)).sum(1)
        last = (wanted > 0) & (missing >= left)  # every remaining draw must give a new element
        out = torch.where(full[:, None], allowed & here, allowed)
        return torch.where((last & ~full)[:, None], out & ~here, out)

    return rule
