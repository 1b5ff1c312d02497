"""Checkpoints are safetensors; their metadata holds the recipe and all that is needed to sample. No pickle."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nucleate.codecs.state import CodecState
from nucleate.config import from_dict
from nucleate.errors import NucleateError
from nucleate.systems.base import Sampler, System
from nucleate.systems.reading import recipe_from_json, recipe_to_json
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import system_of
from nucleate.train.weights_file import fill, load_tensors, reading, save_tensors, sizes

QUANTILES = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)  # the inner edges of the bins of a property's values
# Cell sizes in a bin are smoothed as if this many more crystals with the sizes of all training crystals lay in it.
PRIOR = 5.0


@dataclass(frozen=True)
class PropertyStats:
    """A property over the n training crystals that have it: mean and standard deviation, lowest and highest value.

    edges: the values at QUANTILES, which part it into bins. num_atoms_counts: a row for each bin, crystals with n atoms
    at index n: low energies and large gaps have cells of their own sizes.
    """

    n: int
    mean: float
    std: float
    low: float
    high: float
    edges: tuple[float, ...] = ()
    num_atoms_counts: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, name: str, values: Tensor, num_atoms: Tensor, max_atoms: int) -> PropertyStats:
        """values (N,), NaN where unknown; raises NucleateError where there is nothing to learn from."""
        present = values.isfinite()
        known, sizes = values[present].double(), num_atoms[present]
        if len(known) < 2 or float(known.std()) == 0:
            raise NucleateError(
                f"property '{name}' has {len(known)} values in the data, and they do not vary: nothing can be learned"
            )
        edges = torch.quantile(known, torch.tensor(QUANTILES, dtype=known.dtype))
        bins = torch.bucketize(known, edges)
        counts = [torch.bincount(sizes[bins == i], minlength=max_atoms + 1).tolist() for i in range(len(edges) + 1)]
        moments = float(known.mean()), float(known.std()), float(known.min()), float(known.max())
        return cls(len(known), *moments, tuple(edges.tolist()), tuple(map(tuple, counts)))

    def problem(self, max_atoms: int) -> str | None:
        """What is wrong with numbers that were read from a file, or None."""
        values = (self.mean, self.std, self.low, self.high, *self.edges)
        rows = self.num_atoms_counts
        if self.n < 2 or not all(map(math.isfinite, values)) or not self.std > 0 or self.low > self.high:
            return "has statistics that no property has"
        if list(self.edges) != sorted(self.edges) or len(rows) != (len(self.edges) + 1 if self.edges else 0):
            return "has bins that do not fit together"
        if any(len(row) != max_atoms + 1 or min(row) < 0 for row in rows):
            return "has counts of atoms that do not fit the cells of training"
        return None

    def standardise(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def size_counts(self, value: float) -> Tensor:
        """Training crystals with n atoms, at index n, among those whose property is like `value`."""
        row = torch.bucketize(torch.tensor(value, dtype=torch.float64), torch.tensor(self.edges, dtype=torch.float64))
        return torch.tensor(self.num_atoms_counts[int(row)], dtype=torch.float32)


@dataclass(frozen=True)
class ModelInfo:
    """What a model needs beside its weights.

    elements: atomic numbers seen in training. num_atoms_counts: training crystals with n atoms, at index n.
    training: free facts (data, steps, seconds, commit, losses) for the model card. properties: those of the recipe.
    word_counts: how often each word occurs in training (generators of formulas), or each of `elements` (UniMat); empty
    for others. The lattice's numbers of formulas are empty.
    """

    recipe: Recipe
    lattice_mean: tuple[float, ...]
    lattice_std: tuple[float, ...]
    elements: tuple[int, ...]
    num_atoms_counts: tuple[int, ...]
    training: dict[str, Any]
    properties: Mapping[str, PropertyStats] = field(default_factory=dict)
    word_counts: tuple[int, ...] = ()

    @property
    def codec(self) -> Any:
        """The codec of the system, with what it knows of the training data."""
        crystals = sum(self.num_atoms_counts)
        state = CodecState(self.lattice_mean, self.lattice_std, self.elements, self.word_counts, crystals)
        return self.system.codec(self.recipe, state)

    @property
    def system(self) -> System:
        """The system of the model's recipe."""
        return system_of(self.recipe)

    @property
    def sampler(self) -> Sampler:
        """How objects are drawn from the model. Raises NucleateError for a network that draws none."""
        if self.system.sampler is None:
            raise NucleateError(f"{self.recipe.name} draws nothing: {self.system.card.task(self.recipe)}")
        return self.system.sampler

    @property
    def takes_composition(self) -> bool:
        """Whether the model makes structures of a given composition."""
        return self.system.sampler is not None and "composition" in self.sampler.accepts(self.recipe)

    @property
    def conditions(self) -> dict[str, PropertyStats]:
        """The properties that crystals can be asked to have, with what training saw of them."""
        names = self.recipe.condition_on
        return {name: stats for name, stats in self.properties.items() if name in names}

    @property
    def max_atoms(self) -> int:
        return len(self.num_atoms_counts) - 1

    def size_weights(self, wanted: Mapping[str, float]) -> Tensor:
        """Weights (max_atoms + 1,) of the cell's sizes for crystals with the `wanted` values of `conditions`.

        p(n) p(n | c_1) / p(n) p(n | c_2) / p(n) ...: given the size, properties are taken as independent.
        """
        plain = torch.tensor(self.num_atoms_counts, dtype=torch.float32)
        plain, weights = plain / plain.sum(), plain / plain.sum()
        for name, value in wanted.items():
            counts = self.conditions[name].size_counts(value) if self.conditions[name].edges else 0 * plain
            given = (counts + PRIOR * plain) / (counts.sum() + PRIOR)
            weights = torch.where(plain > 0, weights * given / plain, weights)
        return weights

    @property
    def kind(self) -> str | None:
        """What the metadata call the network; None for generators of crystals."""
        return self.system.kind

    def to_metadata(self) -> dict[str, str]:
        return {
            "nucleate": "1",
            **({"kind": self.kind} if self.kind else {}),
            "recipe": recipe_to_json(self.recipe),
            "info": json.dumps({k: v for k, v in dataclasses.asdict(self).items() if k != "recipe"}),
        }

    @classmethod
    def of(cls, path: str | Path, metadata: Mapping[str, str], kind: str | None = None) -> ModelInfo:
        """What the metadata of a file say; raises NucleateError, naming the file, where they are damaged, and for
        weights of another kind (None: a generator's)."""
        with reading(path):
            if metadata.get("kind") != kind:
                names = [f"a network of kind '{k}'" if k else "a generator" for k in (metadata.get("kind"), kind)]
                raise NucleateError(f"these weights are {names[0]}, not {names[1]}")
            info = json.loads(metadata["info"])
            if not isinstance(info, dict):
                raise NucleateError("'info' of its metadata is no table")
            found: ModelInfo = from_dict(cls, info | {"recipe": recipe_from_json(metadata["recipe"])})
            found._require_sense()
            if found.kind != kind:
                raise NucleateError(f"its recipe is of system '{found.recipe.system}', which is of another kind")
            return found

    def _require_sense(self) -> None:
        """Raise NucleateError for values that no training run can have written."""
        mean, std, counts = self.lattice_mean, self.lattice_std, self.num_atoms_counts
        problem = None
        if len(mean) != len(std) or not all(map(math.isfinite, (*mean, *std))) or not all(x > 0 for x in std):
            problem = "'lattice_mean' and 'lattice_std' are no scale of cells"
        elif not self.elements or list(self.elements) != sorted({*self.elements}) or self.elements[0] < 0:
            problem = "'elements' is no sorted list of atomic numbers"
        elif self.elements[-1] > 118:
            problem = f"'elements' has {self.elements[-1]}"
        elif not counts or min(counts) < 0 or not sum(counts):
            problem = "'num_atoms_counts' counts no cells"
        elif any(n < 0 for n in self.word_counts):
            problem = "'word_counts' has negative numbers"
        elif lost := [name for name in self.recipe.properties if name not in self.properties]:
            problem = f"'properties' says nothing of '{lost[0]}'"
        else:
            found = ((name, stats.problem(self.max_atoms)) for name, stats in self.properties.items())
            problem = next((f"'{name}' {why}" for name, why in found if why), None)
        if problem:
            raise NucleateError(f"{problem} (in its metadata); it is damaged")


def load_network(path: str | Path, kind: str | None = None) -> tuple[torch.nn.Module, ModelInfo]:
    """The trained network in a file; raises NucleateError if it is damaged or of another kind (None: a generator's)."""
    tensors, metadata = load_tensors(path)
    info = ModelInfo.of(path, metadata, kind)
    with reading(path):
        codec = info.codec
    asked = sizes(info.recipe.network)
    return fill(path, tensors, asked, lambda: info.system.network(info.recipe, codec, info.max_atoms)), info


def save_weights(path: str | Path, model: torch.nn.Module, info: ModelInfo, half: bool = False) -> None:
    """Write a trained network and what is known of it to a file; `half` stores the parameters as float16."""
    state = {k: v.half() if half and v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_tensors(path, state, info.to_metadata())
