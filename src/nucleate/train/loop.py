"""Training of a recipe in a folder, with checkpoints, exact resuming, lines of metrics, and stops between two steps.

It imports only torch and those parts of this package that work on tensors, so that it runs on machines without packages
of chemistry: `python -m nucleate.train RECIPE --data PREPARED --out FOLDER` (with torchrun for several devices).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.locks import Lock
from nucleate.nets.adapters import merge
from nucleate.systems.reading import recipe_from_json
from nucleate.systems.recipe import Recipe
from nucleate.systems.registry import system_of
from nucleate.train.checkpoint import save_weights
from nucleate.train.device import device_of
from nucleate.train.pace import Pace, Standing
from nucleate.train.schedule import learning_rate
from nucleate.train.setup import set_up
from nucleate.train.state import cut_metrics, pack, tensors_under, unpack
from nucleate.train.steps import Steps
from nucleate.train.stopping import Stopped, StopRequest, stop_requests
from nucleate.train.weights_file import errors_name_file, load_tensors, save_tensors

if TYPE_CHECKING:
    from nucleate.systems.base import Data

LATEST, WEIGHTS, METRICS, LOCK = "latest.safetensors", "weights.safetensors", "metrics.jsonl", ".lock"
SAVE_EVERY = 300.0  # seconds between two checkpoints; more are written at every train.checkpoint_every steps
Line = dict[str, Any]  # a line of metrics: name -> value


class Trainer(Steps):
    """The training of one recipe in a folder, which gets latest.safetensors (the state, to resume from),
    weights.safetensors (the averaged weights) and metrics.jsonl.

    save_every: seconds between two checkpoints, beside those of `train.checkpoint_every`; the trained weights do not
    depend on it. The folder is locked until `run` or `close` returns. Raises NucleateError if another process is
    training there, if the folder holds a run of another recipe or a damaged checkpoint, and for data that the recipe
    cannot take.
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
        self.recipe, self.system = recipe, system_of(recipe)
        self.out, self.save_every = Path(out), save_every
        where = device_of(device)
        setup = set_up(recipe, data, where)
        self.info = setup.info
        super().__init__(
            setup.model,
            setup.objective,
            setup.sizes,
            recipe.train,
            where,
            self.system.data.unit,
            recipe.data.max_atoms,
        )
        self.seconds = 0.0  # of training up to the last line of metrics
        self.spent = 0.0  # seconds of training since the last line of metrics
        self.core_seconds = 0.0  # processor time of this process in training, added up over its threads
        self.saved: int | None = None  # the step of the last checkpoint
        self._request = StopRequest()
        self._lock: Lock | None = None
        self._take_folder()
        try:
            if (self.out / LATEST).exists():
                self._resume()
        except BaseException:
            self.close()
            raise

    def _take_folder(self) -> None:
        """Lock the folder. Where several processes train together, the first one locks it for all."""
        if self.rank == 0 and self._lock is None:
            self._lock = Lock(self.out / LOCK, f"is training in {self.out}", "choose another folder with --out")
            for unfinished in self.out.glob(".*.safetensors.*.part"):  # files that a killed process was writing
                unfinished.unlink(missing_ok=True)

    def close(self) -> None:
        """Release the lock of the folder. A second call does nothing."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _resume(self) -> None:
        path = self.out / LATEST
        tensors, metadata = load_tensors(path)
        with errors_name_file(path):
            if recipe_from_json(metadata["recipe"]) != self.recipe:
                raise NucleateError(f"{self.out} holds a run of another recipe; choose another folder to start afresh")
            state = json.loads(metadata["state"])
            self.ema = {k: v.to(self.device) for k, v in unpack(tensors, self.model, self.optimizer).items()}
            self.sums = {k: v.to(self.device) for k, v in tensors_under(tensors, "sums").items()}
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.counted, self.spent = int(state.get("logged", 0)), float(state.get("spent", 0.0))
            self.core_seconds = float(state.get("core_seconds", 0.0))
        self.saved = self.step
        if self.rank == 0:
            cut_metrics(self.out / METRICS, self.step)

    def save(self) -> None:
        """Write the averaged weights and a checkpoint. Where several processes train together, only the first writes.

        Raises NucleateError, and writes nothing, if the loss or a parameter is not finite.
        """
        if self.rank != 0:
            return
        self.require_finite(self._kept())
        # The weights are written first, so that a checkpoint of the last step is never there without its weights.
        times = {"seconds": round(self.seconds + self.spent, 1), "core_seconds": round(self.core_seconds, 1)}
        training = self.info.training | {"steps": self.step} | times
        network = self.system.network(self.recipe, self.info.codec, self.info.max_atoms)
        network.load_state_dict(merge({k: v.cpu() for k, v in self.ema.items()}))
        save_weights(self.out / WEIGHTS, network, dataclasses.replace(self.info, training=training))
        state = {"step": self.step, "seconds": self.seconds, "logged": self.counted, "spent": self.spent}
        state["core_seconds"] = self.core_seconds
        tensors = pack(self.model, self.ema, self.optimizer) | {f"sums.{k}": v for k, v in self.sums.items()}
        save_tensors(self.out / LATEST, tensors, self.info.to_metadata() | {"state": json.dumps(state)})
        self.saved = self.step

    def _kept(self) -> str:
        """The end of the message about numbers that are not finite; it names the checkpoint that is still there."""
        return "" if self.saved is None else f"; {self.out} keeps the checkpoint of step {self.saved}"

    def estimate(self, until: int | None = None) -> float:
        """About how many seconds the steps to the last one (or to `until`) will take.

        The speed is that of the steps done so far; if there are none, a few steps are timed, without a change of the
        network.
        """
        left = max(self.last_step(until) - self.step, 0)
        each = (self.seconds + self.spent) / self.step if self.step else self.try_steps()
        return left * each

    def last_step(self, until: int | None = None) -> int:
        """The step after which `run(until=until)` ends."""
        return min(self.config.steps, until if until is not None else self.config.steps)

    def run(
        self,
        on_log: Callable[[Line], None] | None = None,
        until: int | None = None,
        on_standing: Callable[[Standing], None] | None = None,
    ) -> None:
        """Train to the recipe's last step, or to step `until`.

        on_log is called with each line of metrics, on_standing every few seconds with how far the run has come.

        After SIGINT (Ctrl-C) or SIGTERM the current step is finished, everything is saved, and `Stopped` is raised. A
        second Ctrl-C raises KeyboardInterrupt at once; what was saved before stays. A later Trainer in the same folder
        continues from the last checkpoint and ends with the same weights and metrics as an uninterrupted run. Raises
        NucleateError if the loss is not finite or memory does not suffice; the last good checkpoint stays.
        """
        self._take_folder()
        last = self.last_step(until)
        pace, before, began = Pace(self.config.batch_size, self.unit), self.spent, time.perf_counter()
        saved_at, processor, cores_before = began, time.process_time(), self.core_seconds

        def after() -> None:
            nonlocal before, began, saved_at
            now = time.perf_counter()
            self.spent = before + now - began
            self.core_seconds = cores_before + time.process_time() - processor
            if self.rank == 0 and pace.due(self.step) and on_standing is not None:
                on_standing(pace.standing(self.step, last, float(self.sums["loss"]) / self.counted))
            if self.step % self.config.log_every == 0 or self.step == self.config.steps:
                self._log(on_log)
                before, began = 0.0, now
            stop = self._request.number if self.rank == 0 else None
            due = self.step % self.config.checkpoint_every == 0 or now - saved_at > self.save_every
            if due or stop is not None or self.step == last:
                self.save()
                saved_at = time.perf_counter()
            if stop is not None and self.step < last:
                raise Stopped(stop)

        try:
            with stop_requests() as self._request:
                self.take(last, after)
        finally:
            self.close()

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """As in `Steps`. If several processes train together and are asked to stop, the first one saves and ends, and
        then the exchange of gradients fails in the others; that error becomes `Stopped` here."""
        try:
            with super().guarded():
                yield
        except RuntimeError:
            if self.rank != 0 and self._request.number is not None:
                raise Stopped(self._request.number) from None
            raise

    def _log(self, on_log: Callable[[Line], None] | None) -> None:
        """Write a line of metrics over the steps since the last line; only the first process does."""
        self.require_finite(self._kept())
        self.seconds += self.spent
        line: Line = {"step": self.step} | self.means() | {"lr": learning_rate(self.config, self.step - 1)}
        rate = self.counted * self.config.batch_size / max(self.spent, 1e-9)
        line |= {f"{self.unit}_per_s": round(rate, 1), "seconds": round(self.seconds, 1)}
        self.spent = 0.0
        self.forget()
        if self.rank != 0:
            return
        with open(self.out / METRICS, "a") as file:
            file.write(json.dumps(line) + "\n")
        if on_log is not None:
            on_log(line)
