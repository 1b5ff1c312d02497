"""Training and files of the network of structural similarity. Imports no package of chemistry.

The way of CSPML (Kusaba, Liu, Yoshida, Comput. Mater. Sci. 211, 111496 (2022)): pairs of crystals of equal ratio are
similar if their fingerprints of local order parameters are, and a network learns to tell it from the formulas.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.chem.descriptors import descriptors, labels, missing
from nucleate.config import ConfigSection, Count, NotNegative, Share, TrainConfig, read_toml
from nucleate.errors import NucleateError
from nucleate.nets.similarity import SimilarityNetwork
from nucleate.systems.older import without_conditions
from nucleate.train.best import keep_best
from nucleate.train.shipped import weights_file
from nucleate.train.steps import Steps
from nucleate.train.weights_file import fill, load_tensors, reading, save_tensors, sizes

KIND = "similarity"  # what the metadata of weights call this kind of network
SHIPPED = "template-similarity"
PAIRS = 200_000  # pairs of formulas that go through the network at once
Formula = Mapping[str, int]


class SimilarityConfig(ConfigSection):
    """Size of the network (`nets.similarity`)."""

    hidden: tuple[Count, ...] = (256, 128)
    dropout: Share = 0.1


class SimilarityRecipe(ConfigSection):
    """All that determines the network. data: trained on its split "train", validated on "val".

    threshold: the largest distance of the fingerprints of similar structures. Of `train`, checkpoint_every is the
    number of steps between validations.
    """

    name: str
    data: str
    threshold: NotNegative = 0.3
    network: SimilarityConfig = SimilarityConfig()
    train: TrainConfig = TrainConfig()


@dataclass(frozen=True, eq=False)
class LabelledPair:
    """N crystals: their reduced formulas and the fingerprints (N, D) of their structures."""

    formulas: Sequence[Formula]
    fingerprints: np.ndarray

    def groups(self) -> dict[tuple[int, ...], np.ndarray]:
        """Ratio of the numbers of atoms, sorted -> the rows of the crystals that have it."""
        out: dict[tuple[int, ...], list[int]] = {}
        for i, formula in enumerate(self.formulas):
            out.setdefault(tuple(sorted(formula.values())), []).append(i)
        return {key: np.array(rows) for key, rows in out.items()}


@dataclass(frozen=True, eq=False)
class SimilarityModel:
    """The network and what it was made of. training: facts for the model card."""

    recipe: SimilarityRecipe
    network: SimilarityNetwork
    training: Mapping[str, Any] = field(default_factory=dict)

    def unknown(self, formula: Formula) -> list[str]:
        """Elements of a formula that have no descriptors."""
        return missing(formula)

    @torch.no_grad()
    def similarities(self, queries: Sequence[Formula], known: Sequence[Formula]) -> np.ndarray:
        """How similar each query is to each known formula, (n, m), from 0 to 1; nan where either has no descriptors
        (`unknown`)."""
        ours, theirs = (self.network.standardise(_tensor(descriptors(f))) for f in (queries, known))
        out = np.full((len(queries), len(known)), np.nan)
        if not len(known):
            return out
        for rows in np.array_split(np.arange(len(queries)), math.ceil(len(queries) * len(known) / PAIRS) or 1):
            if len(rows):
                out[rows] = self.network(ours[rows][:, None], theirs[None]).sigmoid().double().numpy()
        return out


def load_similarity_recipe(path: str | Path) -> SimilarityRecipe:
    """Read a recipe from TOML; errors name the file and the key."""
    values = read_toml(path)
    try:
        return SimilarityRecipe.read(values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


class Pairs:
    """Pairs of equal ratio for training: in half of a batch both are similar, the others are drawn at random.

    A crystal is drawn first, each alike, then its partner; so no ratio with many crystals crowds out the others.
    """

    def __init__(self, data: LabelledPair, threshold: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.threshold, self.fingerprints = threshold, np.asarray(data.fingerprints, dtype=np.float32)
        # where the group of each crystal begins in `members`, and its length
        self.group = np.zeros((len(data.formulas), 2), dtype=np.int64)
        members, starts, partners = [], np.zeros(len(data.formulas) + 1, dtype=np.int64), {}
        place = 0
        for rows in data.groups().values():
            members.append(rows)
            self.group[rows] = place, len(rows)
            place += len(rows)
            for i, near in zip(rows, self._near(rows), strict=True):
                partners[int(i)] = near
                starts[i + 1] = len(near)
        self.members = np.concatenate(members)
        self.starts = np.cumsum(starts)
        self.partners = np.concatenate([partners[i] for i in range(len(data.formulas))])
        self.anchors = np.flatnonzero(np.diff(self.starts))
        if not len(self.anchors):
            raise NucleateError(f"no two crystals of equal ratio are within {threshold} of each other")

    def _near(self, rows: np.ndarray) -> list[np.ndarray]:
        """For each crystal of a group, the rows of those that are similar to it."""
        own = torch.from_numpy(self.fingerprints[rows])
        out = []
        for chunk in torch.arange(len(rows)).split(512):
            near = torch.cdist(own[chunk], own) <= self.threshold
            near[torch.arange(len(chunk)), chunk] = False
            out += [rows[n.numpy()] for n in near]
        return out

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows (n,), rows of their partners (n,), and whether they are similar (n,)."""
        half = n // 2
        a = self.rng.choice(self.anchors, half)
        b = self.partners[self.starts[a] + self.rng.integers(0, self.starts[a + 1] - self.starts[a])]
        c = self.rng.integers(0, len(self.group), n - half)
        d = self.members[self.group[c, 0] + self.rng.integers(0, self.group[c, 1])]
        first, second = np.concatenate([a, c]), np.concatenate([b, d])
        apart = np.linalg.norm(self.fingerprints[first] - self.fingerprints[second], axis=1)
        return first, second, apart <= self.threshold


class PairLoss:
    """The objective of training: to tell whether the crystals of a pair are similar.

    A step has `count` pairs, which `pairs` draws; the batch of the training loop is not used. inputs: standardised
    descriptors (N, F) of the crystals.
    """

    def __init__(self, pairs: Pairs, inputs: Tensor, count: int) -> None:
        self.pairs, self.inputs, self.count = pairs, inputs, count
        self.weights: dict[str, float] = {}

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        a, b, similar = self.pairs.draw(self.count)
        logits = model(self.inputs[a], self.inputs[b])
        return {"similar": F.binary_cross_entropy_with_logits(logits, _tensor(similar))}


def first_similar(
    scores: Callable[[Sequence[Formula], Sequence[Formula]], np.ndarray],
    queries: LabelledPair,
    known: LabelledPair,
    limit: float,
) -> tuple[int, int]:
    """How many queries have a similar structure in the first place, of those that have templates: (hits, all).

    Templates are the known crystals of other formulas and equal ratio; scores: (n, m), the highest is the first.
    """
    theirs = known.groups()
    hits = total = 0
    for key, rows in queries.groups().items():
        others = theirs.get(key)
        if others is None:
            continue
        found = scores([queries.formulas[i] for i in rows], [known.formulas[j] for j in others])
        for i, row in zip(rows, found, strict=True):
            usable = np.array([known.formulas[j] != queries.formulas[i] for j in others])
            if usable.any():
                best = others[int(np.where(usable, row, -np.inf).argmax())]
                hits += bool(np.linalg.norm(known.fingerprints[best] - queries.fingerprints[i]) <= limit)
                total += 1
    return hits, total


def train(
    recipe: SimilarityRecipe,
    data: LabelledPair,
    validation: LabelledPair,
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> SimilarityModel:
    """Train on the CPU, a pure function of its arguments; the averaged weights best on validation are kept, by
    `first_similar`.

    Raises NucleateError where there is nothing to train on and where the loss is not finite.
    """
    if not len(data.formulas) or not len(validation.formulas):
        raise NucleateError("there are no crystals to train on or to validate with")
    values = _tensor(descriptors(data.formulas))
    if not bool(values.isfinite().all()):
        raise NucleateError("a formula has an element without descriptors; leave it out")
    config = recipe.train.changed(precision="float32")
    pairs = Pairs(data, recipe.threshold, config.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        network, average = (SimilarityNetwork(len(labels()), **recipe.network.model_dump()) for _ in range(2))
        for module in (network, average):
            module.mean.copy_(values.mean(0))
            module.std.copy_(values.std(0).clamp_min(1e-6))
        model = SimilarityModel(recipe, average)

        def score() -> float:
            hits, n = first_similar(model.similarities, validation, data, recipe.threshold)
            return hits / max(n, 1)

        objective = PairLoss(pairs, network.standardise(values), config.batch_size)
        sizes = torch.ones(len(data.formulas), dtype=torch.int64)
        steps = Steps(network, objective, sizes, config, torch.device("cpu"), "pairs")
        facts = keep_best(steps, average, score, on_log)
    counted = {"crystals": len(data.formulas), "similar_pairs": len(pairs.partners) // 2}
    return dataclasses.replace(model, training=counted | facts)


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def save_similarity(path: str | Path, model: SimilarityModel) -> None:
    """Weights with all that is needed to use them."""
    metadata = {
        "nucleate": "1",
        "kind": KIND,
        "recipe": json.dumps(model.recipe.model_dump()),
        "info": json.dumps({"training": dict(model.training), "descriptors": labels()}),
    }
    save_tensors(path, dict(model.network.state_dict()), metadata)


def load_similarity(weights: str | Path = SHIPPED) -> SimilarityModel:
    """The model of a shipped name or in a file; raises NucleateError if there is none, or one of another kind."""
    path = weights_file(weights)
    if path is None:
        raise NucleateError(f"no weights '{weights}'; shipped: {SHIPPED}; or give a file")
    tensors, metadata = load_tensors(path)
    with reading(path):
        if metadata.get("kind") != KIND:
            raise NucleateError(f"{path} holds no network of structural similarity")
        recipe = SimilarityRecipe.read(without_conditions(json.loads(metadata["recipe"])))
        info = json.loads(metadata["info"])
        if tuple(info["descriptors"]) != labels():
            raise NucleateError("it was trained on other descriptors than this version has")
        training = dict(info["training"])
    asked = sizes(recipe.network)
    network = fill(path, tensors, asked, lambda: SimilarityNetwork(len(labels()), **recipe.network.model_dump()))
    return SimilarityModel(recipe, network.eval(), training)
