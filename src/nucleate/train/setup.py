"""What is prepared before the first training step: the examples that the recipe can use, the network, the objective,
and the facts about the data that the weights file keeps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nucleate.codecs.state import CodecState
from nucleate.errors import NucleateError
from nucleate.nets.adapters import add_adapters
from nucleate.nets.condition import ConditionEmbedding
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import system_of
from nucleate.train.checkpoint import ModelInfo, PropertyStats
from nucleate.train.device import enough_memory
from nucleate.train.shipped import require_brought, weights_file
from nucleate.train.weights_file import load_tensors

if TYPE_CHECKING:
    from nucleate.systems.base import Data, Objective

# The tensor that has one input column for each property a network is conditioned on, and grows when one is added.
FIRST = "condition.out.0.weight"


@dataclass(frozen=True)
class Setup:
    """A network on the device, before its first step. sizes: atoms of each training example, (N,)."""

    info: ModelInfo
    model: nn.Module
    objective: Objective
    sizes: Tensor


@dataclass(frozen=True)
class Base:
    """Trained weights that a recipe starts from. source: their shipped name or file, as `train.start_from` has it."""

    source: str
    tensors: dict[str, Tensor]
    info: ModelInfo


def set_up(recipe: Recipe, data: Data, device: torch.device) -> Setup:
    """The network, the objective and the facts for the weights file, from a recipe and its training data.

    Raises NucleateError if the recipe can use none of the data, if the data lacks a property that the recipe needs, and
    if the weights of `train.start_from` do not fit.
    """
    system, train = system_of(recipe), recipe.train
    data, left_out = _usable(recipe, data)
    base = _base_of(recipe)
    if train.adapter_rank and base is None:
        raise NucleateError("train.adapter_rank adds adapters to trained weights; set train.start_from as well")
    values, stats = _properties(recipe, data, base)
    bare = system.codec(recipe, CodecState())
    codec = bare.fitted(data)
    if base is not None and base.info.system.codec(base.info.recipe, CodecState()) == bare:
        codec = base.info.codec  # the base weights expect inputs that are scaled as in their own training
    elements = set(torch.unique(data.atomic_numbers[data.mask]).tolist())
    if base is not None and train.adapter_rank:
        elements |= set(base.info.elements)
    info = ModelInfo(
        recipe,
        codec.state.mean,
        codec.state.std,
        tuple(sorted(elements)),
        tuple(torch.bincount(data.num_atoms, minlength=recipe.data.max_atoms + 1).tolist()),
        {system.data.unit: len(data)} | ({"left out": left_out} if left_out else {}),
        stats,
        codec.state.counts,
    )
    torch.manual_seed(train.seed)
    with enough_memory(device, train.batch_size, system.data.unit):
        properties = {k: s.standardise(values[k]).to(device) for k, s in stats.items()}
        model = system.network(recipe, codec, recipe.data.max_atoms).to(device)
        objective = system.objective(recipe, codec, data, properties, device, model)
    if base is not None:
        info.training["start_from"] = _filled(model, base, device)
    if train.adapter_rank:
        add_adapters(model, train.adapter_rank)
        model.to(device)
    return Setup(info, model, objective, data.num_atoms)


def _usable(recipe: Recipe, data: Data) -> tuple[Data, int]:
    """The examples that the recipe can use, and how many others there are."""
    source = system_of(recipe).data
    if len(data) == 0:
        raise NucleateError(f"there are no {source.unit} to train on")
    keep = source.fits(recipe, data)
    if not keep.any():
        raise NucleateError(f"none of the {len(data)} {source.unit} fits the recipe (data.max_atoms, codec)")
    return data[keep.nonzero()[:, 0]], int((~keep).sum())


def _base_of(recipe: Recipe) -> Base | None:
    """The weights that `train.start_from` names, or None if it is empty."""
    source, unit = recipe.train.start_from, system_of(recipe).data.unit
    if not source:
        return None
    require_brought(source)
    path = weights_file(source) or source
    tensors, metadata = load_tensors(path)
    info = ModelInfo.of(path, metadata, metadata.get("kind"))
    if info.system.data.unit != unit:
        raise NucleateError(f"{source} was trained on {info.system.data.unit}, and this recipe trains on {unit}")
    return Base(source, tensors, info)


def _properties(recipe: Recipe, data: Data, base: Base | None) -> tuple[dict[str, Tensor], dict[str, PropertyStats]]:
    """The property columns that the recipe needs, with NaN where a value is unknown, and their statistics. For a
    property that the base weights were trained on, the statistics are theirs."""
    known = base.info.properties if base is not None else {}
    missing = [name for name in recipe.properties if name not in {*data.properties, *known}]
    if missing:
        carried = ", ".join(data.properties) or "no property"
        raise NucleateError(
            f"the data carries no '{missing[0]}', but {carried}; prepare it with --properties {missing[0]}"
        )
    unknown = torch.full((len(data),), torch.nan)
    values = {name: data.properties.get(name, unknown) for name in recipe.properties}
    most = recipe.data.max_atoms
    return values, {
        name: known.get(name) or PropertyStats.of(name, column, data.num_atoms, most) for name, column in values.items()
    }


def _filled(model: nn.Module, base: Base, device: torch.device) -> str:
    """Copy the base weights' tensors of equal name and shape into the network. Returns words on how many these are."""
    own = model.state_dict()
    tensors = {k: v.float() for k, v in base.tensors.items()}
    condition = getattr(model, "condition", None)
    if isinstance(condition, ConditionEmbedding) and FIRST in tensors and len(own[FIRST]) == len(tensors[FIRST]):
        tensors[FIRST] = condition.widened(tensors[FIRST].to(device), base.info.recipe.condition_on)
    taken = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
    if not taken:
        raise NucleateError(f"{base.source} shares no parameter with this recipe's network")
    model.load_state_dict(taken, strict=False)
    return f"{Path(base.source).stem} ({len(taken)} of {len(own)} tensors)"
