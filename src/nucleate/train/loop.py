"""The training loop: AdamW, EMA, clipping, bf16 where it pays, exact resume, several processes by torch DDP.

Imports torch and this package's tensor code alone, so that it runs on a machine without chemistry packages:
`python -m nucleate.train RECIPE --data PREPARED --out FOLDER` (under torchrun for several devices).
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nucleate.codecs.state import CodecState
from nucleate.errors import NucleateError
from nucleate.locks import Lock
from nucleate.nets.adapters import add_adapters, merge
from nucleate.nets.condition import ConditionEmbedding
from nucleate.systems.reading import recipe_from_json
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import system_of
from nucleate.train.checkpoint import (
    ModelInfo,
    PropertyStats,
    save_weights,
)
from nucleate.train.device import device_of, out_of_memory
from nucleate.train.pace import Pace, Standing
from nucleate.train.precision import autocast
from nucleate.train.schedule import batches, learning_rate
from nucleate.train.shipped import weights_file
from nucleate.train.state import cut_metrics, pack, part, unpack
from nucleate.train.stopping import Stopped, StopRequest, stop_requests
from nucleate.train.weights_file import load_tensors, reading, save_tensors

if TYPE_CHECKING:
    from nucleate.systems.base import Data

LATEST, WEIGHTS, METRICS, LOCK = "latest.safetensors", "weights.safetensors", "metrics.jsonl", ".lock"
SAVE_EVERY = 300.0  # seconds of the clock between two checkpoints, beside those that the recipe asks for by steps
TRIED = 3  # batches that are timed for an estimate


class Trainer:
    """One optimisation run in a folder: latest.safetensors (resume), weights.safetensors (EMA), metrics.jsonl.

    save_every: seconds between two checkpoints, beside those of `train.checkpoint_every`; what is trained does not
    depend on it. The folder is locked until `run` or `close` ends; NucleateError if another process has it.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        out: str | Path,
        device: str | None = None,
        save_every: float = SAVE_EVERY,
    ) -> None:
        if not save_every > 0:
            raise NucleateError(f"the time between two checkpoints must be positive, not {save_every:g} s")
        self.recipe, self.config, self.out, self.save_every = recipe, recipe.train, Path(out), save_every
        self.system = system_of(recipe)
        self.unit = self.system.data.unit
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.device = device_of(device)
        self.step, self.seconds = 0, 0.0
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        if len(data) == 0:
            raise NucleateError(f"there are no {self.unit} to train on")
        keep = self.system.data.fits(recipe, data)
        if not keep.any():
            raise NucleateError(f"none of the {len(data)} {self.unit} fits the recipe (data.max_atoms, codec)")
        data = data[keep.nonzero()[:, 0]]
        self.num_atoms = data.num_atoms
        base = self._base()
        known = base[1].properties if base is not None else {}
        missing = [name for name in recipe.properties if name not in {*data.properties, *known}]
        if missing:
            carried = ", ".join(data.properties) or "no property"
            raise NucleateError(
                f"the data carries no '{missing[0]}', but {carried}; prepare it with --properties {missing[0]}"
            )
        values = {name: data.properties.get(name, torch.full((len(data),), torch.nan)) for name in recipe.properties}
        bare = self.system.codec(recipe, CodecState())
        codec = bare.fitted(data)
        elements = set(torch.unique(data.atomic_numbers[data.mask]).tolist())
        if base is not None and base[1].system.codec(base[1].recipe, CodecState()) == bare:
            codec = base[1].codec  # the scale that the weights know
        if base is not None and self.config.adapter_rank:
            elements |= set(base[1].elements)
        self.info = ModelInfo(
            recipe,
            codec.state.mean,
            codec.state.std,
            tuple(sorted(elements)),
            tuple(torch.bincount(data.num_atoms, minlength=recipe.data.max_atoms + 1).tolist()),
            {self.unit: len(data)} | ({"left out": int((~keep).sum())} if not keep.all() else {}),
            {
                name: known.get(name) or PropertyStats.of(name, v, data.num_atoms, recipe.data.max_atoms)
                for name, v in values.items()
            },
            codec.state.counts,
        )
        torch.manual_seed(self.config.seed)
        with self._memory():
            properties = {k: s.standardise(values[k]).to(self.device) for k, s in self.info.properties.items()}
            self.model = self.system.network(recipe, codec, recipe.data.max_atoms).to(self.device)
            self.objective = self.system.objective(recipe, codec, data, properties, self.device, self.model)
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
        # since the last line of metrics: losses added up, steps, seconds
        self.sums: dict[str, Tensor] = {}
        self.logged, self.spent = 0, 0.0
        self.saved: int | None = None  # the step of the last checkpoint
        self._lock: Lock | None = None
        self._take()
        try:
            if (self.out / LATEST).exists():
                self._resume()
        except BaseException:
            self.close()
            raise

    def _take(self) -> None:
        """Lock the folder, which the first process does for all."""
        if self.rank == 0 and self._lock is None:
            self._lock = Lock(self.out / LOCK, f"is training in {self.out}", "choose another folder with --out")
            for left in self.out.glob(".*.safetensors.*.part"):  # of a process that was killed while it saved
                left.unlink(missing_ok=True)

    def close(self) -> None:
        """Free the folder; may be called twice."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _base(self) -> tuple[dict[str, Tensor], ModelInfo] | None:
        """The weights to start from, shipped or a file, and what they are."""
        source = self.recipe.train.start_from
        if not source:
            return None
        path = weights_file(source) or source
        tensors, metadata = load_tensors(path)
        base = ModelInfo.of(path, metadata, metadata.get("kind"))  # of generators and property networks, either way
        if base.system.data.unit != self.unit:
            raise NucleateError(f"{source} knows {base.system.data.unit}, and cannot start a recipe of {self.unit}")
        return tensors, base

    def _start_from(self, tensors: dict[str, Tensor], base: ModelInfo) -> None:
        own = self.model.state_dict()
        tensors = {k: v.float() for k, v in tensors.items()}
        first, condition = "condition.out.0.weight", getattr(self.model, "condition", None)
        if isinstance(condition, ConditionEmbedding) and first in tensors and len(own[first]) == len(tensors[first]):
            tensors[first] = condition.widened(tensors[first].to(self.device), base.recipe.condition_on)
        taken = {k: v for k, v in tensors.items() if k in own and own[k].shape == v.shape}
        if not taken:
            raise NucleateError(f"{self.config.start_from} shares no parameter with this recipe's network")
        self.model.load_state_dict(taken, strict=False)
        name = Path(self.config.start_from).stem
        self.info.training["start_from"] = f"{name} ({len(taken)} of {len(own)} tensors)"

    def _resume(self) -> None:
        path = self.out / LATEST
        tensors, metadata = load_tensors(path)
        with reading(path):
            if recipe_from_json(metadata["recipe"]) != self.recipe:
                raise NucleateError(f"{self.out} holds a run of another recipe; choose another folder to start afresh")
            state = json.loads(metadata["state"])
            self.ema = {k: v.to(self.device) for k, v in unpack(tensors, self.model, self.optimizer).items()}
            self.sums = {k: v.to(self.device) for k, v in part(tensors, "sums").items()}
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.logged, self.spent = int(state.get("logged", 0)), float(state.get("spent", 0.0))
        self.saved = self.step
        if self.rank == 0:
            cut_metrics(self.out / METRICS, self.step)

    def save(self) -> None:
        """Write both files, of finite numbers alone; only the first process writes."""
        if self.rank != 0:
            return
        self._require_finite()
        # the weights first: once the checkpoint says that the last step is done, its weights are there
        training = self.info.training | {"steps": self.step, "seconds": round(self.seconds + self.spent, 1)}
        network = self.system.network(self.recipe, self.info.codec, self.info.max_atoms)
        network.load_state_dict(merge({k: v.cpu() for k, v in self.ema.items()}))
        save_weights(self.out / WEIGHTS, network, dataclasses.replace(self.info, training=training))
        state = {"step": self.step, "seconds": self.seconds, "logged": self.logged, "spent": self.spent}
        tensors = pack(self.model, self.ema, self.optimizer) | {f"sums.{k}": v for k, v in self.sums.items()}
        save_tensors(self.out / LATEST, tensors, self.info.to_metadata() | {"state": json.dumps(state)})
        self.saved = self.step

    def _require_finite(self) -> None:
        """Raises NucleateError where the loss or a parameter is no finite number any more."""
        loss = [self.sums["loss"]] if "loss" in self.sums else []
        if all(bool(x.isfinite().all()) for x in (*loss, *self.model.parameters())):
            return
        kept = "" if self.saved is None else f"; {self.out} keeps the checkpoint of step {self.saved}"
        raise NucleateError(f"the loss is not finite at step {self.step}; lower train.learning_rate{kept}")

    def batch_loss(self, model: nn.Module, index: Tensor, step: int) -> dict[str, Tensor]:
        """The objective's losses over the crystals `index` (b,)."""
        width = int(self.num_atoms[index].max()) if self.device.type == "cpu" else self.recipe.data.max_atoms
        return self.objective.losses(model, index.to(self.device), width, step)

    def estimate(self, until: int | None = None) -> float:
        """Seconds that the steps to the last one (or `until`) will take, about: from those done before, or from a few
        batches that are tried and change nothing."""
        left = max(self.last_step(until) - self.step, 0)
        if self.step:
            return left * (self.seconds + self.spent) / self.step
        stream = batches(self.num_atoms, self.config.batch_size, self.config.seed, self.step)
        self.model.train()
        times = []
        for index in itertools.islice(stream, TRIED):
            began = time.perf_counter()
            with self._memory():
                self._losses(self.model, index, self.step)[1].backward()
                self.optimizer.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            times.append(time.perf_counter() - began)
        return left * min(times)

    def last_step(self, until: int | None = None) -> int:
        """The step after which `run(until=until)` ends."""
        return min(self.config.steps, until if until is not None else self.config.steps)

    def _losses(self, model: nn.Module, index: Tensor, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of a batch, and their weighted sum."""
        weights = self.objective.weights
        with autocast(self.config.precision, self.device):
            losses = self.batch_loss(model, index, step)
            return losses, torch.stack([weights.get(k, 1.0) * v for k, v in losses.items()]).sum()

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """What a GPU or a machine that is too small says, in one line."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            where = "the GPU" if self.device.type == "cuda" else "the machine"
            raise NucleateError(
                f"{where} is out of memory at step {self.step + 1} with {self.config.batch_size} {self.unit} a batch; "
                f"lower train.batch_size in the recipe{', or use --device cpu' if self.device.type == 'cuda' else ''}"
            ) from None

    def run(
        self,
        on_log: Callable[[dict[str, Any]], None] | None = None,
        until: int | None = None,
        on_standing: Callable[[Standing], None] | None = None,
    ) -> None:
        """Train to the recipe's last step (or `until`); `on_log` gets each line of metrics, `on_standing` every few
        seconds where the run stands.

        SIGINT (Ctrl-C) and SIGTERM end it after the step at hand, with everything saved, by `Stopped`; a second Ctrl-C
        at once, with what was saved before. A later Trainer on the same folder goes on from there, and ends with the
        same weights and metrics as an uninterrupted run. Raises NucleateError for a loss that is not finite and where
        memory does not suffice; the last good checkpoint stays.
        """
        self._take()
        try:
            with stop_requests() as request:
                self._run(on_log, until, on_standing, request)
        finally:
            self.close()

    def _run(
        self,
        on_log: Callable[[dict[str, Any]], None] | None,
        until: int | None,
        on_standing: Callable[[Standing], None] | None,
        request: StopRequest,
    ) -> None:
        config, last = self.config, self.last_step(until)
        model: nn.Module = self.model
        if self.world > 1:
            model = nn.parallel.DistributedDataParallel(model)
        model.train()
        pace, before, began = Pace(config.batch_size, self.unit), self.spent, time.perf_counter()
        kept = began  # when the last checkpoint was written
        stream = batches(self.num_atoms, config.batch_size, config.seed, self.step)
        while self.step < last:
            index = next(stream)[self.rank :: self.world]
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(config, self.step)
            with self._memory(), self._ended_by(request):
                losses, total = self._losses(model, index, self.step)
                self.optimizer.zero_grad(set_to_none=True)
                total.backward()
                norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
                self.optimizer.step()
            self.step += 1
            self._update_ema()
            for k, v in {**losses, "loss": total, "grad_norm": norm}.items():
                self.sums[k] = self.sums[k] + v.detach() if k in self.sums else v.detach().clone()
            self.logged += 1
            now = time.perf_counter()
            self.spent = before + now - began
            if self.rank == 0 and pace.due(self.step) and on_standing is not None:
                on_standing(pace.standing(self.step, last, float(self.sums["loss"]) / self.logged))
            if self.step % config.log_every == 0 or self.step == config.steps:
                self._require_finite()
                line: dict[str, Any] = {"step": self.step} | {k: float(v) / self.logged for k, v in self.sums.items()}
                line["lr"] = learning_rate(config, self.step - 1)
                self.seconds += self.spent
                rate = {f"{self.unit}_per_s": round(self.logged * config.batch_size / max(self.spent, 1e-9), 1)}
                rate["seconds"] = round(self.seconds, 1)
                before, began, self.spent, self.sums, self.logged = 0.0, now, 0.0, {}, 0
                self._log(line, rate, on_log)
            stop = request.number if self.rank == 0 else None
            if (
                stop is not None
                or self.step % config.checkpoint_every == 0
                or self.step == last
                or now - kept > self.save_every
            ):
                self.save()
                kept = time.perf_counter()
            if stop is not None and self.step < last:
                raise Stopped(stop)

    @contextlib.contextmanager
    def _ended_by(self, request: StopRequest) -> Iterator[None]:
        """Of several processes the first one saves and ends; in the others the next exchange with it fails."""
        try:
            yield
        except RuntimeError:
            if self.rank != 0 and request.number is not None:
                raise Stopped(request.number) from None
            raise

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
