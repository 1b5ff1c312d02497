"""Training and files of the network of oxidation states. Imports no package of chemistry, as all of training."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.config import ConfigSection, Count, NotNegative, Share, TrainConfig, from_dict, read_toml
from nucleate.errors import NucleateError
from nucleate.nets.oxidation import OxidationNetwork, assign_shares, encode
from nucleate.systems.older import without_conditions
from nucleate.train.best import keep_best
from nucleate.train.steps import Steps
from nucleate.train.weights_file import fill, load_tensors, reading, save_tensors, sizes

KIND = "oxidation"  # what the metadata of weights call this kind of network
DRAFTS = 0.2  # the weight of the loss of each draft; that of the answer has weight 1


class OxidationConfig(ConfigSection):
    """Size of the network (`nets.oxidation`)."""

    dim: Count = 160
    layers: Count = 4
    heads: Count = 5
    hidden: Count = 320  # width of the feed-forward layers
    dropout: Share = 0.2


class OxidationRecipe(ConfigSection):
    """All that determines the network. data: files NAME_train, NAME_validation and NAME_test.

    max_charge: of a formula per atom; where the labels add up to more, atoms are missing, and it is not trained on.
    Of `train`, checkpoint_every is the number of steps between validations.
    """

    name: str
    data: str
    max_charge: NotNegative = 0.5
    network: OxidationConfig = OxidationConfig()
    train: TrainConfig = TrainConfig()


@dataclass(frozen=True)
class LabelledFormula:
    """A reduced composition, symbol -> atoms, with the share of each element's atoms in each state."""

    composition: Mapping[str, int]
    shares: Mapping[str, Mapping[int, float]]

    @property
    def charge(self) -> float:
        """The sum of the oxidation states of all atoms of the reduced formula."""
        return sum(n * q * share for s, n in self.composition.items() for q, share in self.shares[s].items())


@dataclass(frozen=True)
class OxidationModel:
    """The network and what its numbers mean. elements: those seen in training. training: facts for the model card."""

    recipe: OxidationRecipe
    network: OxidationNetwork
    elements: tuple[str, ...]
    states: tuple[int, ...]
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """How many of a set of labelled formulas were answered right, as (right, all).

    element: all atoms of the element in the right states, in the right shares. main: the state of most of its atoms is
    right. atom: atoms in the right state, as many as the formula has in its source, so O and H weigh most (this is the
    accuracy of BERTOS). formula: all of its elements right. neutral: the assigned states add up to zero.
    """

    element: tuple[int, int]
    main: tuple[int, int]
    atom: tuple[float, float]
    formula: tuple[int, int]
    neutral: tuple[int, int]


def load_oxidation_recipe(path: str | Path) -> OxidationRecipe:
    """Read a recipe from TOML; errors name the file and the key."""
    values = read_toml(path)
    try:
        return OxidationRecipe.read(values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def labelled(elements: Sequence[str], states: Sequence[int], counts: Sequence[int]) -> LabelledFormula:
    """One formula from its groups of atoms: an element that occurs twice is in mixed valence."""
    atoms: dict[str, dict[int, int]] = {}
    for symbol, state, count in zip(elements, states, counts, strict=True):
        own = atoms.setdefault(symbol, {})
        own[int(state)] = own.get(int(state), 0) + int(count)
    totals = {symbol: sum(own.values()) for symbol, own in atoms.items()}
    divisor = math.gcd(*totals.values())
    return LabelledFormula(
        {symbol: n // divisor for symbol, n in totals.items()},
        {symbol: {q: n / totals[symbol] for q, n in own.items()} for symbol, own in atoms.items()},
    )


def _tensors(data: Sequence[LabelledFormula], elements: Sequence[str], states: Sequence[int]) -> tuple[Tensor, ...]:
    """Elements (N, L), atoms (N, L) and shares (N, L, S)."""
    index, counts = encode([d.composition for d in data], elements)
    shares = torch.zeros(*index.shape, len(states))
    for row, d in enumerate(data):
        for place, symbol in enumerate(d.composition):
            for state, share in d.shares[symbol].items():
                if state in states:  # a state that training has not seen has no place, and the answer is wrong
                    shares[row, place, states.index(state)] = share
    return index, counts, shares


class SharesLoss:
    """The objective of training: the cross-entropy of the shares in the network's answer, `DRAFTS` times that in each
    of its drafts, and that of mixed valence, as means over elements.

    index, counts (N, L) and shares (N, L, S): the elements of the labelled formulas, as `_tensors` gives them.
    """

    def __init__(self, index: Tensor, counts: Tensor, shares: Tensor) -> None:
        self.index, self.counts, self.shares = index, counts, shares
        self.weights: dict[str, float] = {}

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        elements, shares = self.index[index, :width], self.shares[index, :width]
        mask = elements > 0
        drafts, mixed = model(elements, self.counts[index, :width])
        losses = [F.cross_entropy(logits[mask], shares[mask]) for logits in drafts]
        several = (shares[mask].amax(-1) < 1 - 1e-6).float()
        valence = F.binary_cross_entropy_with_logits(mixed[mask], several)
        return {"states": losses[-1] + DRAFTS * sum(losses[:-1]) + valence}


@torch.no_grad()
def predict(network: OxidationNetwork, index: Tensor, counts: Tensor, batch_size: int = 1024) -> tuple[Tensor, ...]:
    """Shares (N, L, S) assigned, probabilities (N, L, S) of the states and (N, L) of mixed valence."""
    network.eval()
    parts = []
    for rows in torch.arange(len(index)).split(batch_size):
        drafts, mixed = network(index[rows], counts[rows])
        parts.append(
            (assign_shares(drafts[-1], mixed, counts[rows], network.values), drafts[-1].softmax(-1), mixed.sigmoid())
        )
    return tuple(torch.cat(p) for p in zip(*parts, strict=True))


def score(model: OxidationModel, data: Sequence[LabelledFormula], multiples: Sequence[int] | None = None) -> Scores:
    """Accuracy on labelled formulas. multiples: of the reduced formula that each is in its source (`Scores.atom`)."""
    index, counts, truth = _tensors(data, model.elements, model.states)
    shares, _, _ = predict(model.network, index, counts)
    mask = index > 0
    atoms = counts * (torch.tensor(multiples)[:, None] if multiples is not None else 1)
    right = (shares - truth).abs().amax(-1) < 1e-4
    main = shares.argmax(-1) == truth.argmax(-1)
    charge = ((shares @ torch.tensor(model.states, dtype=torch.float32)) * counts).sum(1)
    n, total = int(mask.sum()), len(data)
    return Scores(
        (int(right[mask].sum()), n),
        (int((main & (truth.sum(-1) > 0))[mask].sum()), n),
        (float((torch.minimum(shares, truth).sum(-1) * atoms)[mask].sum()), float(atoms[mask].sum())),
        (int((right | ~mask).all(1).sum()), total),
        (int((charge.abs() < 1e-3).sum()), total),
    )


def train(
    recipe: OxidationRecipe,
    data: Sequence[LabelledFormula],
    validation: Sequence[LabelledFormula],
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> OxidationModel:
    """Train on the CPU, a pure function of its arguments; the averaged weights best on validation (elements) are kept.

    Raises NucleateError where there is nothing to train on and where the loss is not finite.
    """
    config, given = recipe.train, len(data)
    data = [d for d in data if abs(d.charge) <= recipe.max_charge * sum(d.composition.values())]
    if not data or not validation:
        raise NucleateError("there are no labelled formulas to train on or to validate with")
    elements = tuple(sorted({s for d in data for s in d.composition}))
    seen = {q for d in data for own in d.shares.values() for q in own}
    states = tuple(range(min(seen), max(seen) + 1))
    known = [d for d in validation if set(elements) >= set(d.composition)]
    objective = SharesLoss(*_tensors(data, elements, states))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        settings = recipe.network.model_dump()
        network, average = (OxidationNetwork(len(elements), states, **settings) for _ in range(2))
        model = OxidationModel(recipe, average, elements, states)
        sizes = (objective.index > 0).sum(1)
        steps = Steps(network, objective, sizes, config, torch.device("cpu"), "formulas")
        facts = keep_best(steps, average, lambda: fraction(score(model, known).element), on_log)
    return dataclasses.replace(model, training={"formulas": len(data), "left_out": given - len(data)} | facts)


def fraction(counted: tuple[float, float]) -> float:
    """One of the pairs (right, all) of `Scores` as a share."""
    right, total = counted
    return right / max(total, 1)


def save_oxidation(path: str | Path, model: OxidationModel) -> None:
    """Half-precision weights with all that is needed to use them."""
    info = {"elements": model.elements, "states": model.states, "training": dict(model.training)}
    metadata = {
        "nucleate": "1",
        "kind": KIND,
        "recipe": json.dumps(model.recipe.model_dump()),
        "info": json.dumps(info),
    }
    state = model.network.state_dict()
    save_tensors(path, {k: v.half() if v.is_floating_point() else v for k, v in state.items()}, metadata)


def load_oxidation(path: str | Path) -> OxidationModel:
    """The model in a file; raises NucleateError if there is none, or one of another kind."""
    tensors, metadata = load_tensors(path)
    with reading(path):
        if metadata.get("kind") != KIND:
            raise NucleateError(f"{path} holds no network of oxidation states")
        recipe = OxidationRecipe.read(without_conditions(json.loads(metadata["recipe"])))
        info = from_dict(_Info, json.loads(metadata["info"]))
        if not info.elements or list(info.states) != sorted({*info.states}):
            raise NucleateError("its metadata name no elements, or no sorted states; it is damaged")
    settings = recipe.network.model_dump()
    network = fill(
        path,
        tensors,
        sizes(recipe.network),
        lambda: OxidationNetwork(len(info.elements), info.states, **settings),
    )
    return OxidationModel(recipe, network.eval(), info.elements, info.states, info.training)


@dataclass(frozen=True)
class _Info:
    """What the metadata of weights say beside the recipe."""

    elements: tuple[str, ...]
    states: tuple[int, ...]
    training: dict[str, Any]
