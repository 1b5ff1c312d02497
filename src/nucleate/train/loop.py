"""The training loop: AdamW, EMA, clipping, bf16 where it pays, exact resume, several processes by torch DDP.

Imports torch and this package's tensor code alone, so that it runs on a machine without chemistry packages:
`python -m nucleate.train RECIPE --data PREPARED --out FOLDER` (under torchrun for several devices).
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nucleate.codecs.build import Data, fit_codec, fitting
from nucleate.codecs.tokens import FORMULA
from nucleate.config import Recipe, TrainConfig, recipe_to_json
from nucleate.diffusion.rng import derive_seeds
from nucleate.errors import NucleateError
from nucleate.nets.adapters import add_adapters, merge
from nucleate.nets.build import build_network
from nucleate.nets.crystal_transformer import CrystalTransformer
from nucleate.train.checkpoint import (
    ModelInfo,
    PropertyStats,
    load_tensors,
    save_tensors,
    save_weights,
    weights_file,
)
from nucleate.train.objectives import build_objective
from nucleate.train.precision import autocast

LATEST, WEIGHTS, METRICS = "latest.safetensors", "weights.safetensors", "metrics.jsonl"


def batches(num_atoms: Tensor, batch_size: int, seed: int, step: int = 0) -> Iterator[Tensor]:
    """Endless index batches (b,), a pure function of (seed, step): resuming needs no sampler state.

    Each epoch is a permutation, cut into windows of 16 batches; inside a window crystals are sorted by size, so that
    a batch carries little padding, and the batches of a window come in random order.
    """
    n = len(num_atoms)
    per_epoch = max(n // batch_size, 1)
    while True:
        epoch, first = divmod(step, per_epoch)
        generator = torch.Generator().manual_seed(int(derive_seeds(seed, epoch)))
        order = torch.randperm(n, generator=generator)
        chunks: list[Tensor] = []
        for window in order[: per_epoch * batch_size].split(16 * batch_size):
            parts = window[torch.argsort(num_atoms[window], stable=True)].split(batch_size)
            chunks += [parts[i] for i in torch.randperm(len(parts), generator=generator)]
        for chunk in chunks[first:]:
            yield chunk
            step += 1


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a half cosine to `final_learning_rate` at the last step."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    progress = min((step - config.warmup) / max(config.steps - config.warmup, 1), 1.0)
    low = config.final_learning_rate
    return low + 0.5 * (config.learning_rate - low) * (1 + math.cos(math.pi * progress))


class Trainer:
    """One optimisation run in a folder: latest.safetensors (resume), weights.safetensors (EMA), metrics.jsonl."""

    def __init__(self, recipe: Recipe, data: Data, out: str | Path, device: str | None = None) -> None:
        self.recipe, self.config, self.out = recipe, recipe.train, Path(out)
        self.unit = "formulas" if recipe.task == FORMULA else "crystals"
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if device is None:
            device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"
        self.device = torch.device(device)
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        if len(data) == 0:
            raise NucleateError(f"there are no {self.unit} to train on")
        keep = fitting(recipe, data)
        if not keep.any():
            raise NucleateError(f"none of the {len(data)} {self.unit} fits the recipe (data.max_atoms, codec)")
        data = data[keep.nonzero()[:, 0]]
        if recipe.task != FORMULA and int(data.atomic_numbers.max()) > recipe.codec.num_elements:
            raise NucleateError(
                f"the data has atomic number {int(data.atomic_numbers.max())}; raise codec.num_elements"
            )
        self.num_atoms = data.num_atoms
        base = self._base()
        known = base[1].properties if base is not None else {}
        missing = [name for name in recipe.properties if name not in {*data.properties, *known}]
        if missing:
            raise NucleateError(f"the data carries no '{missing[0]}'; prepare it with --properties {missing[0]}")
        values = {name: data.properties.get(name, torch.full((len(data),), torch.nan)) for name in recipe.properties}
        codec = fit_codec(recipe, data)
        elements = set(torch.unique(data.atomic_numbers[data.mask]).tolist())
        if base is not None and base[1].recipe.codec == recipe.codec:
            codec = base[1].codec  # the scale that the weights know
        if base is not None and self.config.adapter_rank:
            elements |= set(base[1].elements)
        self.info = ModelInfo(
            recipe,
            getattr(codec, "mean", ()),
            getattr(codec, "std", ()),
            tuple(sorted(elements)),
            tuple(torch.bincount(data.num_atoms, minlength=recipe.data.max_atoms + 1).tolist()),
            {self.unit: len(data)} | ({"left out": int((~keep).sum())} if not keep.all() else {}),
            {
                name: known.get(name) or PropertyStats.of(name, v, data.num_atoms, recipe.data.max_atoms)
                for name, v in values.items()
            },
            getattr(codec, "counts", ()),
        )
        properties = {name: s.standardise(values[name]).to(self.device) for name, s in self.info.properties.items()}
        torch.manual_seed(self.config.seed)
        self.model = build_network(recipe, codec, recipe.data.max_atoms).to(self.device)
        self.objective = build_objective(recipe, codec, data, properties, self.device, self.model)
        if base is not None:
            self._start_from(*base)
        if self.config.adapter_rank:
            if base is None:
                raise NucleateError("adapters need trained weights below them; set train.start_from")
            add_adapters(self.model, self.config.adapter_rank)
            self.model.to(self.device)
        self.ema = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            fused=True,
        )
        self.step, self.seconds = 0, 0.0
        self.out.mkdir(parents=True, exist_ok=True)
        if (self.out / LATEST).exists():
            self._resume()

    def _base(self) -> tuple[dict[str, Tensor], ModelInfo] | None:
        """The weights to start from, shipped or a file, and what they are."""
        source = self.config.start_from
        if not source:
            return None
        tensors, metadata = load_tensors(weights_file(source) or source)
        kind = metadata.get("kind")
        if (kind == FORMULA) != (self.recipe.task == FORMULA):
            raise NucleateError(f"{source} cannot start a recipe of task '{self.recipe.task}'")
        return tensors, ModelInfo.from_metadata(metadata, kind)  # of generators and property networks, either way

    def _start_from(self, tensors: dict[str, Tensor], base: ModelInfo) -> None:
        own = self.model.state_dict()
        tensors = {k: v.float() for k, v in tensors.items()}
        first, names = "condition.out.0.weight", base.recipe.network.condition_on
        if isinstance(self.model, CrystalTransformer) and first in tensors and len(own[first]) == len(tensors[first]):
            tensors[first] = self.model.condition.widened(tensors[first].to(self.device), names)
        taken = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
        if not taken:
            raise NucleateError(f"{self.config.start_from} shares no parameter with this recipe's network")
        self.model.load_state_dict(taken, strict=False)
        name = Path(self.config.start_from).stem
        self.info.training["start_from"] = f"{name} ({len(taken)} of {len(own)} tensors)"

    def _resume(self) -> None:
        tensors, metadata = load_tensors(self.out / LATEST)
        state = json.loads(metadata["state"])
        if metadata["recipe"] != recipe_to_json(self.recipe):
            raise NucleateError(f"{self.out} holds a run of another recipe; choose another folder to start afresh")
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        self.ema = {k[4:]: v.to(self.device) for k, v in tensors.items() if k.startswith("ema.")}
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            i: {name: tensors[f"optimizer.{i}.{name}"] for name in ("step", "exp_avg", "exp_avg_sq")}
            for i in range(sum(p.requires_grad for p in self.model.parameters()))
            if f"optimizer.{i}.step" in tensors
        }
        self.optimizer.load_state_dict(optimizer)
        self.step, self.seconds = state["step"], state["seconds"]
        self._cut_metrics()

    def _cut_metrics(self) -> None:
        """Drop the lines written after the checkpoint: the resumed run writes them again."""
        path = self.out / METRICS
        if self.rank == 0 and path.exists():
            lines = [line for line in path.read_text().splitlines() if line.endswith("}")]
            kept = [line for line in lines if json.loads(line)["step"] <= self.step]
            temporary = path.with_suffix(".part")
            temporary.write_text("".join(line + "\n" for line in kept))
            temporary.replace(path)

    def save(self) -> None:
        """Write both files; only the first process writes."""
        if self.rank != 0:
            return
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"ema.{k}": v for k, v in self.ema.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{k}": v for k, v in state.items()}
        metadata = self.info.to_metadata() | {"state": json.dumps({"step": self.step, "seconds": self.seconds})}
        save_tensors(self.out / LATEST, tensors, metadata)
        training = self.info.training | {"steps": self.step, "seconds": round(self.seconds, 1)}
        network = build_network(self.recipe, self.info.codec, self.info.max_atoms)
        network.load_state_dict(merge({k: v.cpu() for k, v in self.ema.items()}))
        save_weights(self.out / WEIGHTS, network, dataclasses.replace(self.info, training=training))

    def batch_loss(self, model: nn.Module, index: Tensor, step: int) -> dict[str, Tensor]:
        """The objective's losses over the crystals `index` (b,)."""
        width = int(self.num_atoms[index].max()) if self.device.type == "cpu" else self.recipe.data.max_atoms
        return self.objective.losses(model, index.to(self.device), width, step)

    def run(self, on_log: Callable[[dict[str, Any]], None] | None = None, until: int | None = None) -> None:
        """Train to the recipe's last step (or `until`); `on_log` gets each line of metrics.

        Ctrl-C and errors leave the last checkpoint in place; a later Trainer on the same folder goes on from it.
        """
        config, weights = self.config, self.objective.weights
        model: nn.Module = self.model
        if self.world > 1:
            model = nn.parallel.DistributedDataParallel(model)
        model.train()
        sums: dict[str, Tensor] = {}
        logged, began = 0, time.perf_counter()
        last = min(config.steps, until if until is not None else config.steps)
        stream = batches(self.num_atoms, config.batch_size, config.seed, self.step)
        while self.step < last:
            index = next(stream)[self.rank :: self.world]
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(config, self.step)
            with autocast(config.precision, self.device):
                losses = self.batch_loss(model, index, self.step)
                total = torch.stack([weights.get(k, 1.0) * v for k, v in losses.items()]).sum()
            self.optimizer.zero_grad(set_to_none=True)
            total.backward()
            norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
            self.optimizer.step()
            self.step += 1
            self._update_ema()
            for k, v in {**losses, "loss": total, "grad_norm": norm}.items():
                sums[k] = sums.get(k, 0) + v.detach()
            logged += 1
            if self.step % config.log_every == 0 or self.step == last:
                now = time.perf_counter()
                self.seconds += now - began
                line: dict[str, Any] = {"step": self.step} | {k: float(v) / logged for k, v in sums.items()}
                if not math.isfinite(line["loss"]):
                    raise NucleateError(f"the loss is not finite at step {self.step}; lower train.learning_rate")
                line["lr"] = learning_rate(config, self.step - 1)
                rate = {f"{self.unit}_per_s": round(logged * config.batch_size / (now - began), 1)}
                rate["seconds"] = round(self.seconds, 1)
                began, sums, logged = now, {}, 0
                self._log(line, rate, on_log)
            if self.step % config.checkpoint_every == 0 or self.step == last:
                self.save()

    def _update_ema(self) -> None:
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        torch._foreach_lerp_(list(self.ema.values()), [state[k].to(v.dtype) for k, v in self.ema.items()], 1 - decay)

    def _log(self, line: dict[str, Any], rate: dict[str, Any], on_log: Callable[[dict[str, Any]], None] | None) -> None:
        if self.rank != 0:
            return
        with open(self.out / METRICS, "a") as file:
            file.write(json.dumps(line | rate) + "\n")
        if on_log is not None:
            on_log(line | rate)
