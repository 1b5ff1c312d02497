"""The one training loop: AdamW, running means of the parameters, clipped gradients, bf16 where it is faster, and
several processes with torch's DistributedDataParallel."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor, nn

from nucleate.config import TrainConfig
from nucleate.errors import NucleateError
from nucleate.train.device import enough_memory
from nucleate.train.precision import autocast
from nucleate.train.schedule import batches, learning_rate

if TYPE_CHECKING:
    from nucleate.systems.base import Objective

TRIED = 3  # the number of batches that are timed to estimate the speed


class Steps:
    """A network in training, one step after another.

    sizes: of the training examples, (N,); a batch is made of examples of similar sizes. unit: what the examples are
    called in messages ("crystals", "formulas"). width: the size to which batches are padded on a GPU, so that all have
    one shape; if it is None, and on the CPU, each batch is padded to its largest example. ema: the running mean of the
    parameters. sums: the sums of the losses, and of the gradient's norm, over the last `counted` steps.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        sizes: Tensor,
        config: TrainConfig,
        device: torch.device,
        unit: str,
        width: int | None = None,
    ) -> None:
        self.model, self.objective, self.sizes, self.config = model, objective, sizes, config
        self.device, self.unit, self.width = device, unit, width
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        if self.world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        self.step = 0
        self.ema = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            [p for p in model.parameters() if p.requires_grad],
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            fused=True,
        )
        self.sums: dict[str, Tensor] = {}
        self.counted = 0

    def batch_loss(self, model: nn.Module, index: Tensor, step: int) -> dict[str, Tensor]:
        """The losses of the objective (name -> mean over the batch) for the examples `index` (b,)."""
        fixed = None if self.device.type == "cpu" else self.width
        width = int(self.sizes[index].max()) if fixed is None else fixed
        return self.objective.losses(model, index.to(self.device), width, step)

    def take(self, last: int, after: Callable[[], None]) -> None:
        """Train up to step number `last`; `after` is called after each step.

        Raises NucleateError if memory does not suffice.
        """
        config = self.config
        model: nn.Module = self.model
        if self.world > 1:
            model = nn.parallel.DistributedDataParallel(model)
        model.train()
        stream = batches(self.sizes, config.batch_size, config.seed, self.step)
        while self.step < last:
            index = next(stream)[self.rank :: self.world]
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(config, self.step)
            with self.guarded():
                losses, total = self._losses(model, index, self.step)
                self.optimizer.zero_grad(set_to_none=True)
                total.backward()
                norm = nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
                self.optimizer.step()
            self.step += 1
            self._update_ema()
            for k, v in {**losses, "loss": total, "grad_norm": norm}.items():
                self.sums[k] = self.sums[k] + v.detach() if k in self.sums else v.detach().clone()
            self.counted += 1
            after()

    def guarded(self) -> contextlib.AbstractContextManager[None]:
        """The context in which a step is computed; too little memory becomes a NucleateError of one line."""
        return enough_memory(self.device, self.config.batch_size, self.unit, self.step + 1)

    def means(self) -> dict[str, float]:
        """Mean losses and mean norm of the gradient, over the steps since the last call of `forget`."""
        return {k: float(v) / self.counted for k, v in self.sums.items()}

    def forget(self) -> None:
        """Start the sums of `means` anew."""
        self.sums, self.counted = {}, 0

    def require_finite(self, kept: str = "") -> None:
        """Raise NucleateError if the loss or a parameter is not finite. kept: appended to the message."""
        loss = [self.sums["loss"]] if "loss" in self.sums else []
        if not all(bool(x.isfinite().all()) for x in (*loss, *self.model.parameters())):
            raise NucleateError(f"the loss is not finite at step {self.step}; lower train.learning_rate{kept}")

    def try_steps(self) -> float:
        """Seconds that a step takes: the shortest of `TRIED` steps, which are computed without changing the network."""
        stream = batches(self.sizes, self.config.batch_size, self.config.seed, self.step)
        self.model.train()
        times = []
        for index in itertools.islice(stream, TRIED):
            began = time.perf_counter()
            with self.guarded():
                self._losses(self.model, index, self.step)[1].backward()
                self.optimizer.zero_grad(set_to_none=True)
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            times.append(time.perf_counter() - began)
        return min(times)

    def _losses(self, model: nn.Module, index: Tensor, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of a batch, and their weighted sum."""
        weights = self.objective.weights
        with autocast(self.config.precision, self.device):
            losses = self.batch_loss(model, index, step)
            return losses, torch.stack([weights.get(k, 1.0) * v for k, v in losses.items()]).sum()

    def _update_ema(self) -> None:
        # The mean reaches back only a few steps at first, so that the random start soon drops out of it.
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        state = self.model.state_dict()
        torch._foreach_lerp_(list(self.ema.values()), [state[k].to(v.dtype) for k, v in self.ema.items()], 1 - decay)
