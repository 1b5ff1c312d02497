"""What a weights file says beside its tensors. It is a safetensors file, whose metadata holds the recipe and everything
else that is needed to use the network; no pickle is involved."""

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
from nucleate.train.weights_file import built_from, errors_name_file, load_tensors, save_tensors, sizes_of

QUANTILES = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)  # of a property's values, the edges between its bins
# The distribution of cell sizes in a bin is smoothed: this many crystals, distributed as all training crystals, are
# added to those of the bin.
PRIOR = 5.0


@dataclass(frozen=True)
class PropertyStats:
    """Statistics of a property over the `n` training crystals that have it, in the unit of its column.

    edges: the values at QUANTILES, which separate its bins. num_atoms_counts: for each bin a row with the number of
    crystals that have n atoms in the cell, at index n. It is kept because crystals with low energies or wide gaps have
    other cell sizes than all crystals.
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
        """The statistics of the values (N,), NaN where unknown, of crystals with num_atoms (N,) atoms in the cell.

        Raises NucleateError, with the property's name, if fewer than two values are known or all are equal.
        """
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
        """What is wrong with statistics that were read from a file, or None. max_atoms: of the model."""
        values = (self.mean, self.std, self.low, self.high, *self.edges)
        rows = self.num_atoms_counts
        if self.n < 2 or not all(map(math.isfinite, values)) or not self.std > 0 or self.low > self.high:
            return "has an impossible mean, deviation or range"
        if list(self.edges) != sorted(self.edges) or len(rows) != (len(self.edges) + 1 if self.edges else 0):
            return "has bins whose edges are not sorted, or not one row of counts for each bin"
        if any(len(row) != max_atoms + 1 or min(row) < 0 for row in rows):
            return f"has counts of cell sizes that are negative or not for 0 to {max_atoms} atoms"
        return None

    def standardise(self, values: Tensor) -> Tensor:
        return (values - self.mean) / self.std

    def size_counts(self, value: float) -> Tensor:
        """Numbers of training crystals with n atoms, (max_atoms + 1,), among those in the bin of `value`."""
        row = torch.bucketize(torch.tensor(value, dtype=torch.float64), torch.tensor(self.edges, dtype=torch.float64))
        return torch.tensor(self.num_atoms_counts[int(row)], dtype=torch.float32)


@dataclass(frozen=True)
class ModelInfo:
    """What a model needs beside its weights.

    lattice_mean, lattice_std: the scale of the cell's numbers in training; empty for models of formulas. elements: the
    sorted atomic numbers that training has seen. num_atoms_counts: the number of training crystals with n atoms in the
    cell, at index n. training: facts for the model card (data, steps, seconds, commit, losses). properties: statistics
    of the properties that the recipe names. word_counts: for models of formulas how often each word (token) occurs in
    training, for UniMat how often each of `elements` does; empty for others.
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
        """The codec of the recipe's system, fitted to the training data."""
        crystals = sum(self.num_atoms_counts)
        state = CodecState(self.lattice_mean, self.lattice_std, self.elements, self.word_counts, crystals)
        return self.system.codec(self.recipe, state)

    @property
    def system(self) -> System:
        """The system of the model's recipe."""
        return system_of(self.recipe)

    @property
    def sampler(self) -> Sampler:
        """How crystals or formulas are drawn from the model. Raises NucleateError if the network is no generator."""
        if self.system.sampler is None:
            raise NucleateError(f"{self.recipe.name} is no generator: {self.system.card.task(self.recipe)}")
        return self.system.sampler

    @property
    def takes_composition(self) -> bool:
        """Whether the model makes structures of a given composition."""
        return self.system.sampler is not None and "composition" in self.sampler.accepts(self.recipe)

    @property
    def conditions(self) -> dict[str, PropertyStats]:
        """The properties for which a value can be asked for, with their statistics in training."""
        names = self.recipe.condition_on
        return {name: stats for name, stats in self.properties.items() if name in names}

    @property
    def max_atoms(self) -> int:
        return len(self.num_atoms_counts) - 1

    def size_weights(self, wanted: Mapping[str, float]) -> Tensor:
        """Weights of the cell sizes 0 to max_atoms, (max_atoms + 1,), for crystals with the `wanted` values of
        `conditions` (name -> value).

        w(n) = p(n) p(n | c_1) / p(n) p(n | c_2) / p(n) ..., where n is the number of atoms and c_i are the values. It
        assumes that the properties are independent of each other for a given n.
        """
        counts = torch.tensor(self.num_atoms_counts, dtype=torch.float32)
        marginal, weights = counts / counts.sum(), counts / counts.sum()
        for name, value in wanted.items():
            counts = self.conditions[name].size_counts(value) if self.conditions[name].edges else 0 * marginal
            given = (counts + PRIOR * marginal) / (counts.sum() + PRIOR)
            weights = torch.where(marginal > 0, weights * given / marginal, weights)
        return weights

    @property
    def kind(self) -> str | None:
        """The kind of network, as the metadata names it; None stands for generators of crystals."""
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
        """The ModelInfo in the metadata of a file. kind: the kind it must have (None: a generator of crystals).

        Raises NucleateError, naming the file, if the metadata is damaged or the network is of another kind.
        """
        with errors_name_file(path):
            if metadata.get("kind") != kind:
                names = [f"a network of kind '{k}'" if k else "a generator" for k in (metadata.get("kind"), kind)]
                raise NucleateError(f"these weights are {names[0]}, not {names[1]}")
            info = json.loads(metadata["info"])
            if not isinstance(info, dict):
                raise NucleateError("'info' of its metadata is not a table")
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
            problem = "'lattice_mean' and 'lattice_std' are not finite, or not positive deviations"
        elif not self.elements or list(self.elements) != sorted({*self.elements}) or self.elements[0] < 0:
            problem = "'elements' is not a sorted list of atomic numbers"
        elif self.elements[-1] > 118:
            problem = f"'elements' has the atomic number {self.elements[-1]}"
        elif not counts or min(counts) < 0 or not sum(counts):
            problem = "'num_atoms_counts' is empty, negative or zero everywhere"
        elif any(n < 0 for n in self.word_counts):
            problem = "'word_counts' has negative numbers"
        elif lost := [name for name in self.recipe.properties if name not in self.properties]:
            problem = f"'properties' has no statistics of '{lost[0]}'"
        else:
            found = ((name, stats.problem(self.max_atoms)) for name, stats in self.properties.items())
            problem = next((f"'{name}' {why}" for name, why in found if why), None)
        if problem:
            raise NucleateError(f"{problem} (in its metadata); it is damaged")


def load_network(path: str | Path, kind: str | None = None) -> tuple[torch.nn.Module, ModelInfo]:
    """The trained network in a weights file, and its ModelInfo. kind: the kind it must have (None: a generator of
    crystals). Raises NucleateError if the file is missing, damaged, or holds a network of another kind."""
    tensors, metadata = load_tensors(path)
    info = ModelInfo.of(path, metadata, kind)
    with errors_name_file(path):
        codec = info.codec
    asked = sizes_of(info.recipe.network)
    return built_from(path, tensors, asked, lambda: info.system.network(info.recipe, codec, info.max_atoms)), info


def save_weights(path: str | Path, model: torch.nn.Module, info: ModelInfo, half: bool = False) -> None:
    """Write a trained network with its ModelInfo to a weights file; `half` stores the parameters as float16."""
    state = {k: v.half() if half and v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_tensors(path, state, info.to_metadata())
