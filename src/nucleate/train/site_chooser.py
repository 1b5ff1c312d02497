"""Training of the site chooser on the crystals of a library, with checkpoints from which it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from nucleate.config import ConfigSection, Count, Share, TrainConfig, read_toml
from nucleate.diffusion.philox import derived_seed
from nucleate.errors import NucleateError
from nucleate.nets.site_chooser import MOST_PLACES, SiteChooserNetwork, SiteQueries, masked
from nucleate.retrieval.ranking import load_ranking
from nucleate.train.site_decisions import ANY, SiteDecisions
from nucleate.train.state import pack, unpack
from nucleate.train.steps import Steps
from nucleate.train.weights_file import built_from, load_tensors, save_tensors, sizes_of

KIND = "site chooser"
SAVE_EVERY = 300.0  # seconds between two checkpoints
WISHES = 0.5  # how often the network is told in training whether the crystal is a stable one
PARTS = ("units", "group", "places")


class ChooserConfig(ConfigSection):
    """The network (`nets.site_chooser`)."""

    dim: Count = 160
    layers: Count = 4
    heads: Count = 5
    hidden: Count = 320
    dropout: Share = 0.05


class ChooserRecipe(ConfigSection):
    """Everything that determines a training. most_atoms: in the primitive cell. likeness: the ranking of retrieved
    structures whose places of elements the network begins with; it has seen no more of the library than this does."""

    name: str
    most_atoms: Count = 52
    likeness: str = "known"
    network: ChooserConfig = ChooserConfig()
    train: TrainConfig = TrainConfig()


def load_chooser_recipe(path: str | Path) -> ChooserRecipe:
    """The recipe in a TOML file. Raises NucleateError that names the file and the key."""
    try:
        return ChooserRecipe.read(read_toml(path))
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


class SiteLikelihood:
    """The objective: the negative logarithm of the probability of each decision, in nats a crystal."""

    def __init__(self, data: SiteDecisions, most_atoms: int, seed: int) -> None:
        self.data, self.most_atoms, self.seed = data, most_atoms, seed
        self.weights: dict[str, float] = {}

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        rows = index.numpy()
        rng = np.random.default_rng((self.seed, step))
        told = rng.random(len(rows)) < WISHES
        wish = np.where(told, self.data.stable[rows], ANY)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derived_seed(self.seed, step))  # of what drops out, so that a step depends on its number
            lost = site_losses(model, self.data, rows, wish, self.most_atoms).mean(0)
        return dict(zip(PARTS, lost.unbind(), strict=True))


def site_losses(model: Any, data: SiteDecisions, rows: np.ndarray, wish: np.ndarray, most_atoms: int) -> Tensor:
    """(B, 3) negative logarithms of the probabilities of units, space group and positions of some crystals."""
    kind = data.kind[rows]
    first, length = data.starts[kind], np.diff(data.starts)[kind]
    width, deep = int((data.elements[rows] > 0).sum(1).max()), int(length.max())
    there = np.arange(deep) < length[:, None]
    at = np.where(there, first[:, None] + np.arange(deep), first[:, None])
    targets, tokens = data.targets[at].astype(np.int64), data.tokens[at].astype(np.int64)
    asked = SiteQueries(
        *map(
            torch.from_numpy,
            (
                data.elements[rows, :width].astype(np.int64),
                data.reduced[kind, :width].astype(np.int64),
                wish.astype(np.int64),
                tokens,
                length.astype(np.int64),
            ),
        )
    )
    state, table = model(asked)
    right = torch.from_numpy(targets)
    units = unit_mask(asked.reduced, most_atoms)
    first_lost = -masked(model.unit_logits(state[:, 0]), units).gather(1, right[:, :1])[:, 0]
    groups = torch.from_numpy(np.pad(data.group_masks[data.groups[kind]], ((0, 0), (1, 0))))
    second_lost = -masked(model.group_logits(state[:, 1]), groups).gather(1, right[:, 1:2])[:, 0]
    third_lost = torch.zeros(len(rows))
    which, where = np.nonzero(there[:, 2:])
    if len(which):
        chosen = state[torch.from_numpy(which), torch.from_numpy(where + 2)]
        bits = data.masks[at[which, where + 2]]
        open_ = torch.from_numpy((bits[:, None] >> np.arange(MOST_PLACES, dtype=np.uint32) & 1).astype(bool))
        logits = model.place_logits(chosen, table, torch.from_numpy(tokens[which, where + 2, 1]))
        lost = -masked(logits, open_).gather(1, right[which, where + 2][:, None])[:, 0]
        third_lost = third_lost.index_add(0, torch.from_numpy(which), lost)
    return torch.stack([first_lost, second_lost, third_lost], dim=1)


def unit_mask(reduced: Tensor, most_atoms: int) -> Tensor:
    """(B, 64) whether so many formula units (B, E) have at most `most_atoms` atoms."""
    every = torch.arange(64, device=reduced.device)[None]
    return (every > 0) & (every * reduced.sum(1, keepdim=True) <= most_atoms)


@torch.no_grad()
def mean_losses(model: nn.Module, data: SiteDecisions, most_atoms: int, wish: int = ANY) -> list[float]:
    """The mean of each of `site_losses` over all crystals."""
    order = np.argsort(data.lengths, kind="stable")
    parts = np.array_split(order, max(len(order) // 256, 1))
    lost = [site_losses(model, data, rows, np.full(len(rows), wish), most_atoms) for rows in parts]
    return torch.cat(lost).mean(0).tolist()


def likeness_of_elements(ranking: str) -> Tensor:
    """(119, F) what elements are like, as the votes of known crystals have it: their places and sizes, standardised."""
    fit = load_ranking(ranking)
    values = np.concatenate([fit.kinds.reshape(119, -1), fit.sizes], axis=1)
    known = values[1:]
    return torch.from_numpy((values - known.mean(0)) / (known.std(0) + 1e-3)).float()


def fit_chooser(
    recipe: ChooserRecipe,
    data: SiteDecisions,
    held_out: SiteDecisions,
    out: Path,
    on_log: Callable[[dict[str, Any]], None] | None = None,
    save_every: float = SAVE_EVERY,
) -> SiteChooserNetwork:
    """Train on the CPU in a folder, which gets weights.safetensors (averaged) and latest.safetensors, from which the
    same call goes on.

    on_log: called after each validation, every `train.checkpoint_every` steps. save_every: seconds between two
    checkpoints. Raises NucleateError if the folder holds a training of another recipe, or the loss is not finite.
    """
    config = recipe.train
    device = torch.device("cpu")
    torch.manual_seed(config.seed)
    network = SiteChooserNetwork(likeness_of_elements(recipe.likeness), **recipe.network.model_dump())
    average = SiteChooserNetwork(network.likeness, **recipe.network.model_dump()).eval()
    steps = Steps(
        network,
        SiteLikelihood(data, recipe.most_atoms, config.seed),
        torch.from_numpy(data.lengths.astype(np.int64)),
        config,
        device,
        "crystals",
    )
    latest = out / "latest.safetensors"
    facts = {"crystals": len(data), "seconds": 0.0}
    if latest.exists():
        tensors, metadata = load_tensors(latest)
        if metadata["recipe"] != json.dumps(recipe.model_dump()):
            raise NucleateError(f"{out} holds a training of another recipe; choose another folder to start afresh")
        steps.ema = unpack(tensors, network, steps.optimizer)
        steps.step, facts["seconds"] = int(metadata["step"]), float(metadata["seconds"])
    began, saved = time.process_time() - facts["seconds"], time.monotonic()

    def save() -> None:
        nonlocal saved
        steps.require_finite()
        seconds = round(time.process_time() - began, 1)
        metadata = {"recipe": json.dumps(recipe.model_dump()), "step": str(steps.step), "seconds": str(seconds)}
        average.load_state_dict(steps.ema)
        save_chooser(out / "weights.safetensors", average, recipe, {**facts, "steps": steps.step, "seconds": seconds})
        save_tensors(latest, pack(network, steps.ema, steps.optimizer), {"nucleate": "1", **metadata})
        saved = time.monotonic()

    def after() -> None:
        last = steps.step == config.steps
        if steps.step % config.checkpoint_every == 0 or last:
            average.load_state_dict(steps.ema)
            found = dict(zip(PARTS, mean_losses(average, held_out, recipe.most_atoms), strict=True))
            means = steps.means()
            steps.forget()
            if on_log is not None:
                seconds = round(time.process_time() - began, 1)
                line = {"step": steps.step, "loss": means["loss"], "held_out": sum(found.values()), **found}
                on_log({**line, "seconds": seconds})
        if last or time.monotonic() - saved > save_every:
            save()

    steps.take(config.steps, after)
    average.load_state_dict(steps.ema)
    return average


def save_chooser(path: Path, network: SiteChooserNetwork, recipe: ChooserRecipe, facts: Mapping[str, Any]) -> None:
    """Write weights in the form that `load_chooser_network` reads, in half precision."""
    tensors = {k: v.half() for k, v in network.state_dict().items()}
    metadata = {"nucleate": "1", "kind": KIND, "recipe": json.dumps(recipe.model_dump()), "facts": json.dumps(facts)}
    save_tensors(path, tensors, metadata)


def load_chooser_network(path: str | Path) -> tuple[SiteChooserNetwork, ChooserRecipe, dict[str, Any]]:
    """The network, its recipe and facts on its training. Raises NucleateError for a file that is none or is damaged."""
    tensors, metadata = load_tensors(path)
    if metadata.get("kind") != KIND:
        raise NucleateError(f"{path} holds no weights of a site chooser")
    recipe = ChooserRecipe.read(json.loads(metadata["recipe"]))
    features = tensors["likeness"].shape[1] if "likeness" in tensors else 1

    def make() -> SiteChooserNetwork:
        return SiteChooserNetwork(features, **recipe.network.model_dump())

    network = built_from(path, tensors, sizes_of(recipe.network), make)
    return network.eval(), recipe, json.loads(metadata.get("facts", "{}"))
