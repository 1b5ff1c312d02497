"""Space groups and Wyckoff positions for a composition, with exact probabilities, from a trained network."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count as counter
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch

from nucleate.chem.composition import Formula
from nucleate.crystal.decorated import DecoratedPrototype, in_writing_order
from nucleate.crystal.feasible import PartialSites
from nucleate.errors import NucleateError
from nucleate.nets.site_chooser import NEVER, SiteQueries
from nucleate.train.site_chooser import load_chooser_network, site_losses
from nucleate.train.site_decisions import ANY, OTHER, STABLE, TOKEN, arrays_of, token_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.wyckoff_patterns import Places
    from nucleate.nets.site_chooser import SiteChooserNetwork

BATCH = 32  # partial crystals that are looked at together in a search
MOST_LOOKED_AT = 1600  # partial crystals of one search
SCORED = 256  # sequences that are scored together


@dataclass(frozen=True)
class ProposedPrototype:
    """prototype: in canonical form. log_probability: its natural logarithm among all that the composition can have, in
    cells of up to the largest number of atoms, or of the number that was told."""

    prototype: DecoratedPrototype
    log_probability: float

    @property
    def probability(self) -> float:
        return math.exp(self.log_probability)


class SiteChooser:
    """Decides formula units in the primitive cell, then the space group, then Wyckoff positions, with the probabilities
    of a network among what can be completed to exactly the composition (`crystal.feasible`).

    most_atoms: in the primitive cell. stable: True to look for a crystal near the hull or one that could be made, False
    for another one, None for any crystal that somebody has computed.
    """

    def __init__(self, network: SiteChooserNetwork, most_atoms: int, *, stable: bool | None = None) -> None:
        self.network, self.most_atoms = network.eval(), most_atoms
        self.wish = ANY if stable is None else STABLE if stable else OTHER

    @classmethod
    def load(cls, weights: str | Path, *, stable: bool | None = None) -> Self:
        """From a file that training wrote. Raises NucleateError for a file that is none."""
        network, recipe, _ = load_chooser_network(weights)
        return cls(network, recipe.most_atoms, stable=stable)

    def log_probability(self, prototype: DecoratedPrototype, *, units: bool = False) -> float:
        """The natural logarithm of the probability of a decorated prototype for its composition, whatever its setting;
        -inf for one of a group that canonical crystals do not have. units: whether the number of formula units is told.
        Raises NucleateError for a cell of more than `most_atoms` atoms."""
        return self.log_probabilities([prototype], units=units)[0]

    def log_probabilities(self, prototypes: Sequence[DecoratedPrototype], *, units: bool = False) -> list[float]:
        """As `log_probability`, of many at once: that of a prototype is the sum over its settings, each of which the
        network could have chosen."""
        if not prototypes:
            return []
        settings = [self._settings(p) for p in prototypes]
        every = [(p, places) for p, own in zip(prototypes, settings, strict=True) for places in own]
        parts = [self._losses(every[i : i + SCORED]) for i in range(0, len(every), SCORED)]
        each = -np.concatenate(parts)[:, int(units) :].astype(np.float64).sum(1)
        ends = np.cumsum([len(own) for own in settings])[:-1]
        summed = [float(np.logaddexp.reduce(part)) for part in np.split(each, ends)]
        return [value if value > NEVER / 2 else -math.inf for value in summed]

    def propose(self, composition: Mapping[str, int], count: int = 20, *, units: int = 0) -> list[ProposedPrototype]:
        """The most probable decorated prototypes of a composition (symbol -> atoms, of any multiple), the first first.

        units: formula units in the primitive cell, 0 for any number. Sequences of decisions are found in the order of
        their probability, so no other is more probable than those that were found, unless MOST_LOOKED_AT ends the
        search; equal prototypes in several settings become one. Raises NucleateError for a cell that is too large.
        """
        elements, start = self._start(composition, units)
        order = counter()
        waiting: list[tuple[float, int, _Partial]] = [(0.0, next(order), start)]
        found: dict[DecoratedPrototype, float] = {}  # with the largest logarithm of one of its settings
        looked, least = 0, -math.inf  # the last of the best sequences
        while waiting and looked < MOST_LOOKED_AT and -waiting[0][0] > least:
            chosen = [heapq.heappop(waiting) for _ in range(min(BATCH, len(waiting)))]
            looked += len(chosen)
            answers = self._next(elements, [partial for _, _, partial in chosen])
            for (cost, _, partial), (choices, logs) in zip(chosen, answers, strict=True):
                for choice, log in zip(choices, logs, strict=True):
                    if log - cost <= least:
                        continue
                    after = partial.decided(choice, self.most_atoms)
                    if after.state.done:
                        known = after.prototype(elements)
                        found[known] = max(log - cost, found.get(known, -math.inf))
                    else:
                        heapq.heappush(waiting, (cost - log, next(order), after))
            if len(found) >= count:
                least = sorted(found.values(), reverse=True)[count - 1]
        ranked = sorted(found, key=lambda p: -found[p])[: count + count // 4]
        exact = self.log_probabilities(ranked, units=bool(units))
        proposed = [ProposedPrototype(p, value) for p, value in zip(ranked, exact, strict=True)]
        return sorted(proposed, key=lambda p: -p.log_probability)[:count]

    def sample(
        self, composition: Mapping[str, int], count: int, rng: np.random.Generator, *, units: int = 0
    ) -> list[DecoratedPrototype]:
        """Decorated prototypes of a composition, drawn with their probabilities, in canonical form."""
        elements, start = self._start(composition, units)
        drawn = [start] * count
        while open_ := [i for i, partial in enumerate(drawn) if not partial.state.done]:
            answers = self._next(elements, [drawn[i] for i in open_])
            for i, (choices, logs) in zip(open_, answers, strict=True):
                odds = np.exp(np.array(logs))
                choice = choices[int(rng.choice(len(choices), p=odds / odds.sum()))]
                drawn[i] = drawn[i].decided(choice, self.most_atoms)
        return [partial.prototype(elements) for partial in drawn]

    def _start(self, composition: Mapping[str, int], units: int) -> tuple[tuple[int, ...], _Partial]:
        """The elements in writing order, and the crystal before the first decision that is open."""
        formula = Formula.of(composition)
        elements, reduced = in_writing_order(formula.counts)
        self._require_fit(sum(reduced) * max(units, 1), formula.text)
        state = PartialSites(reduced)
        start = _Partial(state, (token_of(state),))
        return elements, start.decided(units, self.most_atoms) if units else start

    @torch.no_grad()
    def _next(self, elements: tuple[int, ...], asked: Sequence[_Partial]) -> list[tuple[tuple[int, ...], list[float]]]:
        """Of each partial crystal what can be decided next, and the logarithms of the probabilities."""
        length = torch.tensor([len(p.tokens) for p in asked])
        tokens = torch.zeros(len(asked), int(length.max()), TOKEN, dtype=torch.int64)
        for row, partial in zip(tokens, asked, strict=True):
            row[: len(partial.tokens)] = torch.tensor(partial.tokens)
        reduced = torch.tensor([p.state.reduced for p in asked])
        names = torch.tensor([elements]).expand(len(asked), -1)
        wish = torch.full((len(asked),), self.wish)
        hidden, table = self.network(SiteQueries(names, reduced, wish, tokens, length))
        every = torch.arange(len(asked))
        last = hidden[every, length - 1]
        units, groups = self.network.unit_logits(last), self.network.group_logits(last)
        places = self.network.place_logits(last, table, tokens[every, length - 1, 1])
        out = []
        for i, partial in enumerate(asked):
            state = partial.state
            choices = state.choices(self.most_atoms)
            logits = units if not state.units else groups if not state.space_group else places
            out.append((choices, torch.log_softmax(logits[i, list(choices)], dim=0).tolist()))
        return out

    @torch.no_grad()
    def _losses(self, every: Sequence[tuple[DecoratedPrototype, Places]]) -> NDArray[np.float32]:
        """(n, 3) negative logarithms of the probabilities of units, space group and positions."""
        kinds = [(tuple(n // p.units for n in p.counts), p.space_group, places) for p, places in every]
        chosen = [(0, p.elements, i, OTHER) for i, (p, _) in enumerate(every)]
        width = max(len(p.elements) for p, _ in every)
        data = arrays_of(chosen, kinds, width, self.most_atoms)
        wish = np.full(len(every), self.wish)
        return site_losses(self.network, data, np.arange(len(every)), wish, self.most_atoms).numpy()

    def _settings(self, prototype: DecoratedPrototype) -> tuple[Places, ...]:
        self._require_fit(sum(prototype.counts), Formula.of(prototype.composition).text)
        return prototype.settings()

    def _require_fit(self, atoms: int, formula: str) -> None:
        if atoms > self.most_atoms:
            raise NucleateError(
                f"the site chooser knows primitive cells of up to {self.most_atoms} atoms, and this one of {formula} "
                f"has {atoms}"
            )


@dataclass(frozen=True, slots=True)
class _Partial:
    """A crystal of which a part is decided, with the tokens of all decisions that had a choice, and of the next."""

    state: PartialSites
    tokens: tuple[tuple[int, ...], ...]

    def decided(self, choice: int, most_atoms: int) -> _Partial:
        state = self.state.decided(choice).after_forced(most_atoms)
        return _Partial(state, (*self.tokens, token_of(state)))

    def prototype(self, elements: tuple[int, ...]) -> DecoratedPrototype:
        return DecoratedPrototype(elements, self.state.space_group, self.state.places).canonical()
