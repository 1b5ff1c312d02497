"""Fits the ranking of retrieved structures (`retrieval.ranking`) to a library, leaving out one formula after another.

The crystals of a formula are taken away, the other crystals of its ratio vote, and the parameters are moved so that the
decorated prototype of one of its crystals gets a larger share of the votes, or "none of these" where no other crystal
has this prototype. The loss is the negative logarithm of that share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nucleate.chem.distance import PLACES
from nucleate.chem.elements import SYMBOLS
from nucleate.config import ConfigSection, Count, TrainConfig, read_toml
from nucleate.errors import NucleateError
from nucleate.library.library import Library
from nucleate.retrieval.ranking import NEVER
from nucleate.retrieval.relatives import ROLES, relatives_of
from nucleate.train.best import keep_best
from nucleate.train.ranking_queries import LeaveOut, RatioQueries, as_tensor
from nucleate.train.steps import Steps
from nucleate.train.weights_file import save_tensors

MOST_VOTES = 120_000  # relatives times assignments; ratios with more are left out of the fit
KIND = "retrieval ranking"
LOSSES = ("any", "stable", "any_told", "stable_told")  # the last two where sizes are told


class RankingConfig(ConfigSection):
    """kinds, sizes: dimensions of the places of elements; hidden: units of the layer that moves them; contexts: numbers
    by which the composition changes weights (`retrieval.ranking.VoteModel`)."""

    kinds: Count = 16
    sizes: Count = 6
    hidden: Count = 32
    contexts: Count = 8


class RankingRecipe(ConfigSection):
    """Everything that determines a fit. library: "known" or "mp-20:train". leave_out: whether all crystals of a formula
    are hidden when one of them is asked for, or that crystal alone. told: whether the loss is counted once more where
    the formula units in the cell are told; sizes are then weighed against each other less well. Batches are of
    formulas, or of crystals."""

    name: str
    library: str
    leave_out: LeaveOut = "formula"
    told: bool = False
    network: RankingConfig = RankingConfig()
    train: TrainConfig = TrainConfig()


def load_ranking_recipe(path: str | Path) -> RankingRecipe:
    """The recipe in a TOML file. Raises NucleateError that names the file and the key."""
    try:
        return RankingRecipe.read(read_toml(path))
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


class RankingNetwork(nn.Module):
    """The parameters of `VoteModel`, and the votes as torch computes them; a test holds the two together."""

    def __init__(self, config: RankingConfig) -> None:
        super().__init__()
        facts = _known_places()
        kinds = torch.randn(len(facts), config.kinds) * 0.02
        kinds[:, : facts.shape[1]] += facts[:, : config.kinds]
        sizes = torch.randn(len(facts), config.sizes) * 0.1
        sizes[:, 0] += facts[:, 2]
        self.elements = nn.Parameter(kinds)
        self.roles = nn.Parameter(torch.randn(ROLES, config.kinds) * 0.02)
        self.elements_in_roles = nn.Parameter(torch.randn(len(facts) * ROLES, config.kinds) * 0.02)
        self.sizes = nn.Parameter(sizes)
        self.slots = nn.Parameter(torch.tensor([0.0, 0.5, 0.0]))
        self.proportions = nn.Parameter(torch.tensor([0.0, 0.5, 0.0]))
        self.tail = nn.Parameter(torch.zeros(1))
        self.quality = nn.Parameter(torch.tensor([[0.3, -1.0, 0.0, 0.3, 0.0, -0.5]]).repeat(2, 1))
        self.pattern = nn.Parameter(torch.zeros(2, 9))
        self.none = nn.Parameter(torch.tensor([[-6.0, 0.0, 0.0]]).repeat(2, 1))
        wide = 2 * config.kinds + 1
        self.inner = nn.Parameter(torch.randn(wide, config.hidden) / math.sqrt(wide))
        self.inner_bias = nn.Parameter(torch.zeros(config.hidden))
        self.outer = nn.Parameter(torch.zeros(config.hidden, config.kinds))
        self.context = nn.Parameter(torch.randn(config.kinds, config.contexts) / math.sqrt(config.kinds))
        self.context_bias = nn.Parameter(torch.zeros(config.contexts))
        self.pattern_in_context = nn.Parameter(torch.zeros(2, config.contexts, 9))
        self.none_in_context = nn.Parameter(torch.zeros(2, config.contexts))
        self.same = nn.Parameter(torch.zeros(2))

    @property
    def kinds(self) -> Tensor:
        """(119 * ROLES, D)"""
        return (
            self.elements.repeat_interleave(ROLES, 0) + self.roles.repeat(len(SYMBOLS) + 1, 1) + self.elements_in_roles
        )

    def tensors(self) -> dict[str, Tensor]:
        """The parameters as `VoteModel` has them."""
        summed = ("elements", "roles", "elements_in_roles")
        others = {name: value.detach() for name, value in self.named_parameters() if name not in summed}
        return {"kinds": self.kinds.detach(), **others}

    def forward(
        self, group: RatioQueries, wanted: Tensor, roles: Tensor, visible: Tensor, same: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logarithms of the votes for each decorated prototype (2, B, K) and for none (2, B), for any crystal and for a
        stable one. wanted, roles: (B, S) of the compositions; visible: (B, n) whose votes count."""
        kinds = self.kinds
        ratio = group.ratio
        theirs, _ = self.placed(kinds[group.kinds], ratio)
        ours, mean = self.placed(kinds[wanted * ROLES + roles], ratio)
        slots = torch.arange(wanted.shape[1])
        flat, other = theirs.flatten(0, 1), ours.flatten(0, 1)
        apart = (flat**2).sum(-1)[:, None] + (other**2).sum(-1) - 2 * flat @ other.T
        own = apart.clamp(min=0).reshape(*group.kinds.shape, *wanted.shape)  # (n, S, B, S)
        context = torch.tanh(mean @ self.context + self.context_bias)  # (B, C)
        chosen = own.permute(2, 0, 1, 3)[:, :, slots, group.assignments]  # (B, n, A, S)
        weights = softplus(self.slots[0] + self.slots[1] * group.share + self.slots[2] * group.sites)  # (n, S)
        distance = (weights[None, :, None] * chosen).sum(-1)
        balance = torch.softmax(self.proportions[0] * group.share + self.proportions[1] * group.sites, dim=1)
        size = self.sizes[group.elements][None, :, None] - self.sizes[wanted][:, group.assignments][:, None]
        mean = (balance[None, :, None, :, None] * size).sum(3)
        spread = (balance[None, :, None, :, None] * size**2).sum((3, 4)) - (mean**2).sum(-1)
        distance = distance + 5 * softplus(self.proportions[2]) * spread
        votes = -softplus(self.tail + 2) * torch.log1p(distance)
        heights = self.quality @ group.quality.T + self.pattern @ group.facts.T - group.exchanges  # (2, n)
        fitting = torch.einsum("bc,tcf,nf->tbn", context, self.pattern_in_context, group.facts)
        fitting = fitting + self.same[:, None, None] * same
        votes = (votes[None] + (heights[:, None] + fitting)[..., None]).masked_fill(~visible[None, :, :, None], NEVER)
        flat = votes.flatten(2)  # (2, B, n * A)
        top = flat.detach().amax(-1, keepdim=True)
        mass = torch.zeros(*flat.shape[:2], group.num_keys).index_add(2, group.keys, torch.exp(flat - top))
        some = mass > 0
        keys = torch.where(some, torch.log(torch.where(some, mass, 1.0)) + top, NEVER)
        counts = torch.log1p(visible.sum(1).float())
        given = torch.stack([torch.ones_like(counts), counts, torch.full_like(counts, wanted.shape[1])])
        return keys, self.none @ given + torch.einsum("bc,tc->tb", context, self.none_in_context)

    def placed(self, kinds: Tensor, ratio: Tensor) -> tuple[Tensor, Tensor]:
        """The places of the elements of compositions (m, S, D) as the others in it move them, and their mean (m, D).
        kinds: (m, S, D); ratio: (S,) share of each element in the atoms."""
        mean = (ratio[:, None] * kinds).sum(1)
        given = torch.cat([kinds, mean[:, None].expand_as(kinds), ratio.log()[:, None].expand(*kinds.shape[:2], 1)], -1)
        return kinds + torch.tanh(given @ self.inner + self.inner_bias) @ self.outer, mean


class LeaveOneOut:
    """The objective: each example is a formula, of which a crystal is drawn for the batch at random; where `leave_out`
    is "crystal", each crystal is an example, and others of its formula vote too.

    rows: of the library's table, the crystals that are asked for. Those of ratios with more than MOST_VOTES votes are
    left out. seed: of the drawing. told: as in `RankingRecipe`.
    """

    def __init__(
        self, library: Library, rows: np.ndarray, seed: int, leave_out: LeaveOut = "formula", told: bool = False
    ) -> None:
        table = library.table
        rows = rows[table.num_elements[rows] > 0]
        self.library, self.rng, self.leave_out = library, np.random.default_rng(seed), leave_out
        self.told = told
        self.of_formula: dict[int, list[int]] = {}
        for row in rows.tolist():
            number = row if leave_out == "crystal" else int(table.formula_numbers[row])
            self.of_formula.setdefault(number, []).append(row)
        self.formulas = sorted(self.of_formula)
        self.ratio = np.sort(table.reduced, axis=1)
        self.queries: dict[bytes, RatioQueries | None] = {}
        self.weights: dict[str, float] = {}

    def group(self, row: int) -> RatioQueries | None:
        """The queries of the ratio of a crystal; None where there are too many votes."""
        key = self.ratio[row].tobytes()
        if key not in self.queries:
            found = relatives_of(self.library, [n for n in self.ratio[row].tolist() if n])
            few = found is not None and len(found.rows) * len(found.assignments) <= MOST_VOTES
            self.queries[key] = RatioQueries.of(found) if found is not None and few else None
        return self.queries[key]

    def drawn(self, formulas: Sequence[int], rng: np.random.Generator) -> list[tuple[RatioQueries, list[int]]]:
        """A crystal of each formula (place in `formulas`), by ratio, as places among the relatives."""
        out: dict[int, tuple[RatioQueries, list[int]]] = {}
        for i in formulas:
            rows = self.of_formula[self.formulas[i]]
            row = rows[int(rng.integers(len(rows)))]
            group = self.group(row)
            if group is not None:
                place = int(np.flatnonzero(group.rows == row)[0])
                out.setdefault(id(group), (group, []))[1].append(place)
        return list(out.values())

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        found = [g.loss(model, asked, self.leave_out, self.told) for g, asked in self.drawn(index.tolist(), self.rng)]
        means = torch.nan_to_num(torch.cat(found, dim=1).nanmean(dim=1))
        return dict(zip(LOSSES, means, strict=False))


def fit_ranking(
    recipe: RankingRecipe,
    library: Library,
    rows: np.ndarray,
    validation: tuple[Library, np.ndarray],
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[RankingNetwork, dict[str, Any]]:
    """Fit on the CPU; equal arguments give equal parameters.

    library: without all that must not be seen. rows: of its table, the crystals that are asked for in turn. validation:
    a library and rows of it; the averaged parameters with the least loss on them are kept. on_log: called with a line
    of metrics after each validation. Gives the network and facts for the model card.
    """
    config = recipe.train.changed(precision="float32")
    objective = LeaveOneOut(library, rows, config.seed, recipe.leave_out, recipe.told)
    held_out = LeaveOneOut(*validation, config.seed, recipe.leave_out, recipe.told)
    if not objective.formulas or not held_out.formulas:
        raise NucleateError("there are no crystals to fit to or to validate with")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network, average = RankingNetwork(recipe.network), RankingNetwork(recipe.network)
        asked = held_out.drawn(range(len(held_out.formulas)), np.random.default_rng(config.seed))

        def score() -> float:
            with torch.no_grad():
                lost = [
                    g.loss(average, places[i : i + 4], recipe.leave_out, recipe.told)
                    for g, places in asked
                    for i in range(0, len(places), 4)
                ]
            means = torch.cat(lost, dim=1).nanmean(dim=1)
            return -float(means.mean())

        sizes = torch.ones(len(objective.formulas), dtype=torch.int64)
        facts = keep_best(
            Steps(network, objective, sizes, config, torch.device("cpu"), "formulas"), average, score, on_log
        )
    return average, {"examples": len(objective.formulas), **facts}


def save_ranking(path: str | Path, network: RankingNetwork, metadata: Mapping[str, str]) -> None:
    """Write the parameters in the form that `retrieval.ranking.load_ranking` reads."""
    save_tensors(path, network.tensors(), {"nucleate": "1", "kind": KIND, **metadata})


def _known_places() -> Tensor:
    """(119, 4): where fits begin: place on the modified Pettifor scale, electronegativity, radius, period."""
    from pymatgen.core import Element

    out = np.zeros((len(SYMBOLS) + 1, 4))
    for z, symbol in enumerate(SYMBOLS, start=1):
        element = Element(symbol)
        radius = float(element.atomic_radius) if element.atomic_radius else 1.5
        out[z] = PLACES[z] / 20, _pauling(element), radius, element.row / 4
    out[1:] -= out[1:].mean(0)
    return as_tensor(out)


def _pauling(element: Any) -> float:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        value = float(element.X)
    return value if math.isfinite(value) and value > 0 else 2.0
