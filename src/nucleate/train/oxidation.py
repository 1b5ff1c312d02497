"""Training and weights files of the network of oxidation states. Like all of training, it imports no package of
chemistry (pymatgen, ASE)."""

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
from nucleate.train.weights_file import built_from, errors_name_file, load_tensors, save_tensors, sizes_of

KIND = "oxidation"  # the name of this kind of network in the metadata of weights files
DRAFTS = 0.2  # the weight of the loss of each intermediate answer (draft); the final answer has weight 1


class OxidationConfig(ConfigSection):
    """Size of the network (`nets.oxidation`)."""

    dim: Count = 160
    layers: Count = 4
    heads: Count = 5
    hidden: Count = 320  # width of the feed-forward layers
    dropout: Share = 0.2


class OxidationRecipe(ConfigSection):
    """Everything that determines the trained network.

    data: the files of labelled formulas are NAME_train, NAME_validation and NAME_test. max_charge: formulas whose
    labels add up to a larger charge per atom are left out of training, because atoms are missing in them.
    train.checkpoint_every is the number of steps between two validations.
    """

    name: str
    data: str
    max_charge: NotNegative = 0.5
    network: OxidationConfig = OxidationConfig()
    train: TrainConfig = TrainConfig()


@dataclass(frozen=True)
class LabelledFormula:
    """A reduced composition (symbol -> atoms), and for each element the share of its atoms in each oxidation state."""

    composition: Mapping[str, int]
    shares: Mapping[str, Mapping[int, float]]

    @property
    def charge(self) -> float:
        """The sum of the oxidation states of all atoms of the reduced formula."""
        return sum(n * q * share for s, n in self.composition.items() for q, share in self.shares[s].items())


@dataclass(frozen=True)
class OxidationModel:
    """The network and what its inputs and outputs stand for.

    elements: the symbols that training has seen, in the order of the network's embedding. states: the oxidation states
    of its outputs. training: facts for the model card.
    """

    recipe: OxidationRecipe
    network: OxidationNetwork
    elements: tuple[str, ...]
    states: tuple[int, ...]
    training: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """How much of a set of labelled formulas was predicted correctly; each field is a pair (correct, all).

    element: elements of formulas of which every state has the correct share of the atoms. main: elements of which the
    most frequent state is correct. atom: atoms in the correct state, counted in the formula unit of the source, so that
    O and H weigh most (the accuracy that BERTOS reports). formula: formulas of which all elements are correct.
    neutral: formulas whose assigned states add up to zero.
    """

    element: tuple[int, int]
    main: tuple[int, int]
    atom: tuple[float, float]
    formula: tuple[int, int]
    neutral: tuple[int, int]


def load_oxidation_recipe(path: str | Path) -> OxidationRecipe:
    """The recipe in a TOML file. Raises NucleateError that names the file and the key."""
    values = read_toml(path)
    try:
        return OxidationRecipe.read(values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def labelled(elements: Sequence[str], states: Sequence[int], counts: Sequence[int]) -> LabelledFormula:
    """A labelled formula from groups of atoms, each with its symbol, oxidation state and number of atoms.

    An element with groups of different states has mixed valence.
    """
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
    """Indices of the elements (N, L), numbers of their atoms (N, L), and shares of their states (N, L, S)."""
    index, counts = encode([d.composition for d in data], elements)
    shares = torch.zeros(*index.shape, len(states))
    for row, d in enumerate(data):
        for column, symbol in enumerate(d.composition):
            for state, share in d.shares[symbol].items():
                if state in states:  # a state that training has not seen cannot be predicted and counts as wrong
                    shares[row, column, states.index(state)] = share
    return index, counts, shares


class SharesLoss:
    """The objective of training: the cross-entropy between the labelled shares and the final answer of the network,
    plus `DRAFTS` times that of each draft, plus the binary cross-entropy of "has mixed valence"; all as means over
    elements.

    index, counts (N, L) and shares (N, L, S): the labelled formulas, as `_tensors` gives them.
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
def predict_states(
    network: OxidationNetwork, index: Tensor, counts: Tensor, batch_size: int = 1024
) -> tuple[Tensor, ...]:
    """Assigned shares of the states (N, L, S), probabilities of the states (N, L, S) and of mixed valence (N, L).

    index, counts (N, L): elements and numbers of atoms, as `nets.oxidation.encode` gives them.
    """
    network.eval()
    chunks = []
    for rows in torch.arange(len(index)).split(batch_size):
        drafts, mixed = network(index[rows], counts[rows])
        chunks.append(
            (assign_shares(drafts[-1], mixed, counts[rows], network.values), drafts[-1].softmax(-1), mixed.sigmoid())
        )
    return tuple(torch.cat(c) for c in zip(*chunks, strict=True))


def accuracy(model: OxidationModel, data: Sequence[LabelledFormula], multiples: Sequence[int] | None = None) -> Scores:
    """The accuracy of a model on labelled formulas.

    multiples: how many reduced formulas the formula unit of the source has, for each of `data`; 1 where not given. Only
    `Scores.atom` depends on it.
    """
    index, counts, truth = _tensors(data, model.elements, model.states)
    shares, _, _ = predict_states(model.network, index, counts)
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


def train_oxidation(
    recipe: OxidationRecipe,
    data: Sequence[LabelledFormula],
    validation: Sequence[LabelledFormula],
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> OxidationModel:
    """Train on the CPU; equal arguments give equal weights.

    The model gets the averaged weights with the highest `Scores.element` on the validation data. on_log: called with a
    line of metrics after each validation. Raises NucleateError if there is nothing to train on or to validate with, and
    if the loss is not finite.
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
        facts = keep_best(steps, average, lambda: as_share(accuracy(model, known).element), on_log)
    return dataclasses.replace(model, training={"formulas": len(data), "left_out": given - len(data)} | facts)


def as_share(counted: tuple[float, float]) -> float:
    """A pair (correct, all) of `Scores` as a share from 0 to 1."""
    right, total = counted
    return right / max(total, 1)


def save_oxidation(path: str | Path, model: OxidationModel) -> None:
    """Write the weights in half precision, with everything that is needed to use them, to one file."""
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
    """The model in a weights file. Raises NucleateError if there is no such file, or if it holds another kind of
    network or is damaged."""
    tensors, metadata = load_tensors(path)
    with errors_name_file(path):
        if metadata.get("kind") != KIND:
            raise NucleateError(f"{path} holds no network of oxidation states")
        recipe = OxidationRecipe.read(without_conditions(json.loads(metadata["recipe"])))
        info = from_dict(_Info, json.loads(metadata["info"]))
        if not info.elements or list(info.states) != sorted({*info.states}):
            raise NucleateError("its metadata has no elements, or its oxidation states are not sorted; it is damaged")
    settings = recipe.network.model_dump()
    network = built_from(
        path,
        tensors,
        sizes_of(recipe.network),
        lambda: OxidationNetwork(len(info.elements), info.states, **settings),
    )
    return OxidationModel(recipe, network.eval(), info.elements, info.states, info.training)


@dataclass(frozen=True)
class _Info:
    """What the metadata of a weights file says beside the recipe."""

    elements: tuple[str, ...]
    states: tuple[int, ...]
    training: dict[str, Any]
