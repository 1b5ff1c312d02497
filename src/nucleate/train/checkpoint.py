"""Checkpoints are safetensors; their metadata holds the recipe and all that is needed to sample. No pickle."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nucleate.codecs.build import restore_codec
from nucleate.codecs.tokens import FORMULA
from nucleate.config import Recipe, recipe_from_json, recipe_to_json
from nucleate.errors import NucleateError

PROPERTY = "property"  # kind of a network that predicts properties
QUANTILES = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)  # inner edges of a property's bins
PRIOR = 5.0  # crystals of the plain size distribution that each bin is smoothed with


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
            raise NucleateError(f"property '{name}' has {len(known)} values in the data, and they do not vary")
        edges = torch.quantile(known, torch.tensor(QUANTILES, dtype=known.dtype))
        bins = torch.bucketize(known, edges)
        counts = [torch.bincount(sizes[bins == i], minlength=max_atoms + 1).tolist() for i in range(len(edges) + 1)]
        moments = float(known.mean()), float(known.std()), float(known.min()), float(known.max())
        return cls(len(known), *moments, tuple(edges.tolist()), tuple(map(tuple, counts)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PropertyStats:
        rows = tuple(map(tuple, values.get("num_atoms_counts", ())))
        return cls(**values | {"edges": tuple(values.get("edges", ())), "num_atoms_counts": rows})

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
        """`JointCodec` (or `UniMatCodec`, `CompactCodec`) of crystals, `TokenCodec` of formulas."""
        return restore_codec(
            self.recipe,
            mean=self.lattice_mean,
            std=self.lattice_std,
            elements=self.elements,
            counts=self.word_counts,
            crystals=sum(self.num_atoms_counts),
        )

    @property
    def conditions(self) -> dict[str, PropertyStats]:
        """The properties that crystals can be asked to have, with what training saw of them."""
        names = self.recipe.network.condition_on
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
        """What the network is if it is no generator; in the metadata."""
        return self.recipe.task if self.recipe.task in (PROPERTY, FORMULA) else None

    def to_metadata(self) -> dict[str, str]:
        return {
            "nucleate": "1",
            **({"kind": self.kind} if self.kind else {}),
            "recipe": recipe_to_json(self.recipe),
            "info": json.dumps({k: v for k, v in dataclasses.asdict(self).items() if k != "recipe"}),
        }

    @classmethod
    def from_metadata(cls, metadata: dict[str, str], kind: str | None = None) -> ModelInfo:
        """Raises NucleateError for weights of another kind; None is a generator's."""
        if metadata.get("kind") != kind:
            names = [f"a network of kind '{k}'" if k else "a generator" for k in (metadata.get("kind"), kind)]
            raise NucleateError(f"these weights are {names[0]}, not {names[1]}")
        info = json.loads(metadata["info"])
        return cls(
            recipe_from_json(metadata["recipe"]),
            tuple(info["lattice_mean"]),
            tuple(info["lattice_std"]),
            tuple(info["elements"]),
            tuple(info["num_atoms_counts"]),
            info["training"],
            {k: PropertyStats.from_dict(v) for k, v in info.get("properties", {}).items()},
            tuple(info.get("word_counts", ())),
        )


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write safetensors to a temporary name, flush to disk, then rename: a kill never leaves a half-written file."""
    from safetensors.torch import save

    path = Path(path)
    temporary = path.with_suffix(path.suffix + ".part")
    with open(temporary, "wb") as file:
        file.write(save({k: v.detach().contiguous().cpu() for k, v in tensors.items()}, metadata))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The open file and its metadata; raises NucleateError if it is missing or is not a nucleate checkpoint."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise NucleateError(f"no weights at {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("nucleate") != "1":
                raise NucleateError(f"{path} holds no nucleate recipe; was it written by another program?")
            yield file, metadata
    except (SafetensorError, OSError) as error:
        raise NucleateError(f"{path} is not a safetensors file ({error})") from None


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return Path(__file__).parent.parent / "weights"


def weights_file(weights: str | Path) -> Path | None:
    """The file of a shipped name, or the file itself; None where there is neither."""
    shipped = weights_folder() / f"{weights}.safetensors"
    return next((path for path in (shipped, Path(weights)) if path.is_file()), None)


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata; raises NucleateError if the file is missing or is not a nucleate checkpoint."""
    with _opened(path) as (file, metadata):
        return {k: file.get_tensor(k) for k in file.keys()}, metadata  # noqa: SIM118 (not a dict)


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata without the tensors; raises as `load_tensors`."""
    with _opened(path) as (_, metadata):
        return metadata


def save_weights(path: str | Path, model: torch.nn.Module, info: ModelInfo, half: bool = False) -> None:
    """A model ready to ship; `half` stores float16."""
    state = {k: v.half() if half and v.is_floating_point() else v for k, v in model.state_dict().items()}
    save_tensors(path, state, info.to_metadata())
