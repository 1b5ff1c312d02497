"""Training and weights files of the network of structural similarity. It imports no package of chemistry.

The method is CSPML (Kusaba, Liu, Yoshida, Comput. Mater. Sci. 211, 111496 (2022)): two crystals with the same ratio of
atoms (such as 1:1:3) are similar if their fingerprints of local order parameters are close to each other, and a network
learns to predict that from the two formulas.
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

from nucleate.chem.descriptors import descriptor_names, descriptors, without_descriptors
from nucleate.config import ConfigSection, Count, NotNegative, Share, TrainConfig, read_toml
from nucleate.errors import NucleateError
from nucleate.nets.similarity import SimilarityNetwork
from nucleate.systems.older import without_conditions
from nucleate.train.best import keep_best
from nucleate.train.shipped import require_weights
from nucleate.train.steps import Steps
from nucleate.train.weights_file import built_from, errors_name_file, load_tensors, save_tensors, sizes_of

KIND = "similarity"  # the name of this kind of network in the metadata of weights files
SHIPPED = "template-similarity"
PAIRS = 200_000  # pairs of formulas that go through the network at once, to limit memory
Formula = Mapping[str, int]


class SimilarityConfig(ConfigSection):
    """Size of the network (`nets.similarity`)."""

    hidden: tuple[Count, ...] = (256, 128)
    dropout: Share = 0.1


class SimilarityRecipe(ConfigSection):
    """Everything that determines the trained network.

    data: the dataset whose split "train" it is trained on and whose split "val" it is validated on. threshold: two
    structures are similar if the distance of their fingerprints is at most this. train.checkpoint_every is the number
    of steps between two validations.
    """

    name: str
    data: str
    threshold: NotNegative = 0.3
    network: SimilarityConfig = SimilarityConfig()
    train: TrainConfig = TrainConfig()


@dataclass(frozen=True, eq=False)
class FingerprintedCrystals:
    """N crystals: their reduced formulas and the fingerprints (N, D) of their structures."""

    formulas: Sequence[Formula]
    fingerprints: np.ndarray

    def rows_by_ratio(self) -> dict[tuple[int, ...], np.ndarray]:
        """The rows of the crystals that have the same ratio of atoms: sorted numbers of atoms -> rows."""
        out: dict[tuple[int, ...], list[int]] = {}
        for i, formula in enumerate(self.formulas):
            out.setdefault(tuple(sorted(formula.values())), []).append(i)
        return {key: np.array(rows) for key, rows in out.items()}


@dataclass(frozen=True, eq=False)
class SimilarityModel:
    """A trained network with its recipe. training: facts for the model card."""

    recipe: SimilarityRecipe
    network: SimilarityNetwork
    training: Mapping[str, Any] = field(default_factory=dict)

    def unknown(self, formula: Formula) -> list[str]:
        """Elements of a formula that have no descriptors."""
        return without_descriptors(formula)

    @torch.no_grad()
    def similarities(self, queries: Sequence[Formula], known: Sequence[Formula]) -> np.ndarray:
        """The predicted probability, (n, m), that the structures of each query and each known formula are similar; NaN
        where one of the two has an element without descriptors (`unknown`)."""
        ours, theirs = (self.network.standardise(_tensor(descriptors(f))) for f in (queries, known))
        out = np.full((len(queries), len(known)), np.nan)
        if not len(known):
            return out
        for rows in np.array_split(np.arange(len(queries)), math.ceil(len(queries) * len(known) / PAIRS) or 1):
            if len(rows):
                out[rows] = self.network(ours[rows][:, None], theirs[None]).sigmoid().double().numpy()
        return out


def load_similarity_recipe(path: str | Path) -> SimilarityRecipe:
    """The recipe in a TOML file. Raises NucleateError that names the file and the key."""
    values = read_toml(path)
    try:
        return SimilarityRecipe.read(values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


class Pairs:
    """Draws pairs of crystals with the same ratio of atoms for training. Half of the pairs of a batch are similar ones;
    the others are drawn at random.

    The first crystal of a pair is drawn uniformly and then its partner. So the frequency of a ratio grows with its
    number of crystals, and not with its number of pairs, of which frequent ratios have far more than all others.
    """

    def __init__(self, data: FingerprintedCrystals, threshold: float, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.threshold, self.fingerprints = threshold, np.asarray(data.fingerprints, dtype=np.float32)
        # `by_ratio` has the rows of all crystals, those of one ratio side by side; `group` says for each crystal where
        # those of its ratio begin there, and how many they are.
        self.group = np.zeros((len(data.formulas), 2), dtype=np.int64)
        by_ratio, starts, partners = [], np.zeros(len(data.formulas) + 1, dtype=np.int64), {}
        begin = 0
        for rows in data.rows_by_ratio().values():
            by_ratio.append(rows)
            self.group[rows] = begin, len(rows)
            begin += len(rows)
            for i, near in zip(rows, self._near(rows), strict=True):
                partners[int(i)] = near
                starts[i + 1] = len(near)
        self.by_ratio = np.concatenate(by_ratio)
        self.starts = np.cumsum(starts)
        self.partners = np.concatenate([partners[i] for i in range(len(data.formulas))])
        self.anchors = np.flatnonzero(np.diff(self.starts))
        if not len(self.anchors):
            raise NucleateError(
                f"no two crystals with the same ratio of atoms have fingerprints within {threshold} of each other"
            )

    def _near(self, rows: np.ndarray) -> list[np.ndarray]:
        """For each of the crystals `rows`, which have the same ratio, the rows of those that are similar to it."""
        own = torch.from_numpy(self.fingerprints[rows])
        out = []
        for chunk in torch.arange(len(rows)).split(512):
            near = torch.cdist(own[chunk], own) <= self.threshold
            near[torch.arange(len(chunk)), chunk] = False
            out += [rows[n.numpy()] for n in near]
        return out

    def draw(self, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """n pairs: the rows of the first crystals (n,), those of their partners (n,), and whether they are similar
        (n,)."""
        half = n // 2
        a = self.rng.choice(self.anchors, half)
        b = self.partners[self.starts[a] + self.rng.integers(0, self.starts[a + 1] - self.starts[a])]
        c = self.rng.integers(0, len(self.group), n - half)
        d = self.by_ratio[self.group[c, 0] + self.rng.integers(0, self.group[c, 1])]
        first, second = np.concatenate([a, c]), np.concatenate([b, d])
        apart = np.linalg.norm(self.fingerprints[first] - self.fingerprints[second], axis=1)
        return first, second, apart <= self.threshold


class PairLoss:
    """The objective of training: the binary cross-entropy of "the two crystals of a pair are similar".

    Each step draws `count` pairs from `pairs`; the batch of the training loop is not used. inputs: standardised
    descriptors (N, F) of the crystals' formulas.
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
    queries: FingerprintedCrystals,
    known: FingerprintedCrystals,
    limit: float,
) -> tuple[int, int]:
    """For how many queries the template with the highest score has a similar structure: (hits, queries with templates).

    The templates of a query are the known crystals of other formulas with the same ratio of atoms. scores: gives the
    scores (n, m) of n queries and m known formulas. limit: the largest distance of the fingerprints of similar
    structures.
    """
    theirs = known.rows_by_ratio()
    hits = total = 0
    for key, rows in queries.rows_by_ratio().items():
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


def train_similarity(
    recipe: SimilarityRecipe,
    data: FingerprintedCrystals,
    validation: FingerprintedCrystals,
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> SimilarityModel:
    """Train on the CPU; equal arguments give equal weights.

    The model gets the averaged weights with the highest share of hits (`first_similar`) on the validation data. on_log:
    called with a line of metrics after each validation. Raises NucleateError if there is nothing to train on or to
    validate with, and if the loss is not finite.
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
        network, average = (SimilarityNetwork(len(descriptor_names()), **recipe.network.model_dump()) for _ in range(2))
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
    """Write the weights, with everything that is needed to use them, to one file."""
    metadata = {
        "nucleate": "1",
        "kind": KIND,
        "recipe": json.dumps(model.recipe.model_dump()),
        "info": json.dumps({"training": dict(model.training), "descriptors": descriptor_names()}),
    }
    save_tensors(path, dict(model.network.state_dict()), metadata)


def load_similarity(weights: str | Path = SHIPPED) -> SimilarityModel:
    """The model of a shipped name or a weights file. Raises NucleateError if there is no such file, or if it holds
    another kind of network, was trained on other descriptors, or is damaged."""
    path = require_weights(weights, KIND)
    tensors, metadata = load_tensors(path)
    with errors_name_file(path):
        if metadata.get("kind") != KIND:
            raise NucleateError(f"{path} holds no network of structural similarity")
        recipe = SimilarityRecipe.read(without_conditions(json.loads(metadata["recipe"])))
        info = json.loads(metadata["info"])
        if tuple(info["descriptors"]) != descriptor_names():
            raise NucleateError("it was trained on other descriptors than this version has")
        training = dict(info["training"])
    asked = sizes_of(recipe.network)
    network = built_from(
        path, tensors, asked, lambda: SimilarityNetwork(len(descriptor_names()), **recipe.network.model_dump())
    )
    return SimilarityModel(recipe, network.eval(), training)
