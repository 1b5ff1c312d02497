"""A season of training: the recipes of a queue one after another, unattended, each validated as it goes.

Any interruption, also a kill, loses at most the minutes since the last checkpoint: the same call goes on.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from nucleate.config import ConfigSection, Count, Positive
from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.locks import Lock
from nucleate.pipeline.events import Watch
from nucleate.systems import load_recipe, prepare_for, system_of
from nucleate.tasks.season_judges import JUDGES
from nucleate.train.shipped import require_brought

if TYPE_CHECKING:
    from nucleate.systems.recipe import Recipe
    from nucleate.train.loop import Trainer
    from nucleate.train.pace import Standing
    from nucleate.train.validation import HeldOutLoss

STATE, BEST, LOG = "season.json", "best.safetensors", "log.csv"
RUNNING, DONE, FLAT, OUT_OF_TIME, FAILED = "running", "done", "flat", "out of time", "failed"
NUMBERS = tuple(dict.fromkeys(name for judge in JUDGES.values() for name in judge.numbers))
COLUMNS = ("run", "step", "core_hours", "training_loss", "held_out_loss", "score", "best", *NUMBERS)


class QueuedRun(ConfigSection):
    """One training of the queue. Its name, which its folder and its rows in the log bear, is that of its recipe unless
    `name` says otherwise."""

    recipe: str  # a TOML file; its place is relative to that of the queue
    name: str = ""
    judge: Literal["crystals", "match", "formulas"]  # what validation measures (`tasks.season_judges`)
    validation: str = ""  # the data set to validate on; default: the split "val" of the recipe's data set
    n: Count = 256  # crystals, compositions or formulas of one validation
    every: Count = 1000  # steps between two validations
    patience: Positive = 6.0  # core-hours without a better score after which the run ends
    hours: Annotated[float, Field(gt=0)] | None = None  # core-hours after which the run ends in any case


class Queue(ConfigSection):
    """The runs of a season, in the order in which they are trained."""

    run: Annotated[tuple[QueuedRun, ...], Field(min_length=1)]


def read_queue(path: str | Path) -> Queue:
    """The queue in a TOML file, with absolute places of recipes and the names of runs filled in.

    Raises NucleateError, naming the file, for one that cannot be read, for unknown keys, recipes that are wrong, and
    for two runs of one name.
    """
    path = Path(path)
    try:
        queue = Queue.read(tomllib.loads(path.read_text(encoding="utf-8")))
        runs = []
        for run in queue.run:
            file = path.parent / run.recipe
            recipe = load_recipe(file)
            require_brought(recipe.train.start_from)
            name, bare = run.name or recipe.name, re.fullmatch(r"[\w-]+", recipe.data.dataset)
            if not run.validation and not bare and run.judge != "formulas":
                raise NucleateError(f"run '{name}' needs 'validation', a data set such as \"mp-20:val\"")
            validation = run.validation or f"{recipe.data.dataset}:val"
            runs.append(run.changed(recipe=str(file), name=name, validation=validation))
    except OSError as error:
        raise NucleateError(f"cannot read the queue {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NucleateError(f"{path} is not TOML: {error}") from None
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None
    names = [run.name for run in runs]
    for name in names:
        if names.count(name) > 1:
            raise NucleateError(f"{path}: two runs are called '{name}'; give one of them another name")
    return Queue(run=tuple(runs))


@dataclass
class RunState:
    """Where a run of the season stands. status: one of RUNNING, DONE, FLAT, OUT_OF_TIME and FAILED. reason: why it has
    ended. validations: the rows of the log that belong to it, in the order of steps."""

    status: str = RUNNING
    reason: str = ""
    validations: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path) -> RunState:
        """The state in a folder of a run, a new one where there is none yet."""
        try:
            return cls(**json.loads((folder / STATE).read_text()))
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError) as error:
            raise NucleateError(f"{folder / STATE} is damaged ({error}); remove it to validate anew") from None

    def write(self, folder: Path) -> None:
        with replacing(folder / STATE) as temporary:
            temporary.write_text(json.dumps(dataclasses.asdict(self), indent=1))

    @property
    def step(self) -> int:
        """The step of the last validation."""
        return int(self.validations[-1]["step"]) if self.validations else 0

    @property
    def best(self) -> dict[str, Any] | None:
        """The validation with the highest score, the first of equal ones."""
        scored = [row for row in self.validations if row["score"] is not None]
        return max(scored, key=lambda row: row["score"], default=None)

    @property
    def hours_without_gain(self) -> float:
        """Core-hours from the best validation to the last one."""
        spent, best = [row["core_hours"] for row in self.validations], self.best
        return float(spent[-1] - (best["core_hours"] if best else 0.0)) if spent else 0.0


Told = Callable[[str], None]
Standings = Callable[["Standing"], None]


def run_season(
    queue: Queue,
    out: str | Path,
    *,
    only: Collection[str] = (),
    device: str | None = None,
    threads: int | None = None,
    told: Told = lambda line: None,
    on_standing: Standings | None = None,
    watch: Watch | None = None,
) -> dict[str, RunState]:
    """Train the runs of a queue in turn, each in the folder `out`/NAME, and go on with what an earlier call began.

    After every `every` steps the averaged weights are validated; the best ones so far are kept as best.safetensors.
    All validations of all runs stand in `out`/log.csv. A run ends with its recipe's last step, when its score has not
    grown for `patience` core-hours, or after `hours`. A run that fails (a loss that is not finite, a data set that is
    not there) is recorded as failed, and the next one begins; a later call tries it again.

    only: names of runs; default: all. told: gets a line about each beginning, validation and end. Returns the state of
    each run by name. Raises NucleateError if another process has the folder or a name is unknown, and
    `train.stopping.Stopped` after a signal, with everything saved.
    """
    out = Path(out)
    names = [run.name for run in queue.run]
    for name in only:
        if name not in names:
            raise NucleateError(f"the queue has no run '{name}'; it has {', '.join(names)}")
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    states: dict[str, RunState] = {}
    with Lock(out / ".lock", f"runs a season in {out}", "choose another folder with --out"):
        for run in queue.run:
            if only and run.name not in only:
                continue
            folder = out / run.name
            state = states[run.name] = RunState.read(folder)
            if state.status not in (RUNNING, FAILED):
                told(f"{run.name}: {_standing_of(state)}")
                continue
            try:
                _train(run, state, folder, device, told, on_standing, watch or Watch(), lambda: write_log(out, names))
            except NucleateError as error:
                state.status, state.reason = FAILED, str(error)
            except Exception as error:  # whatever it is, the other runs of the night go on
                state.status, state.reason = FAILED, f"unexpected {type(error).__name__}: {error}"
            state.write(folder)
            write_log(out, names)
            told(f"{run.name}: {_standing_of(state)}")
    return states


def _train(
    run: QueuedRun,
    state: RunState,
    folder: Path,
    device: str | None,
    told: Told,
    on_standing: Standings | None,
    watch: Watch,
    log: Callable[[], object],
) -> None:
    from nucleate.train.loop import Trainer
    from nucleate.train.validation import HeldOutLoss, validation_examples

    recipe = load_recipe(run.recipe)
    data, _ = prepare_for(recipe, watch.progress)
    trainer = Trainer(recipe, data, folder, device)
    try:
        loss = HeldOutLoss(recipe, trainer.info, validation_examples(recipe, run.validation), trainer.device)
        state.status, state.reason, steps = RUNNING, "", recipe.train.steps
        told(f"{run.name}: {'goes on at' if trainer.step else 'begins with'} step {trainer.step:,} of {steps:,}")
        while True:
            if trainer.step > state.step and (trainer.step % run.every == 0 or trainer.step == steps):
                row = _validated(run, recipe, trainer, loss, folder, state, told)
                state.write(folder)
                log()
                told(f"{run.name}: {_words(row)}")
            if trainer.step >= steps:
                state.status = DONE
                return
            if run.hours is not None and trainer.core_seconds >= 3600 * run.hours:
                state.status, state.reason = OUT_OF_TIME, f"{run.hours:g} core-hours are over"
                return
            if state.hours_without_gain >= run.patience:
                state.status, state.reason = FLAT, f"no better score in {run.patience:g} core-hours"
                return
            trainer.run(until=(trainer.step // run.every + 1) * run.every, on_standing=on_standing)
    finally:
        trainer.close()


def _validated(
    run: QueuedRun, recipe: Recipe, trainer: Trainer, loss: HeldOutLoss, folder: Path, state: RunState, told: Told
) -> dict[str, Any]:
    """A validation of the averaged weights of the last checkpoint, which is added to the state; better weights than
    before are kept. A kill in between repeats it, with the same result."""
    import torch

    from nucleate.train.checkpoint import load_network
    from nucleate.train.loop import METRICS, WEIGHTS

    torch.manual_seed(0)
    weights = folder / WEIGHTS
    network, _ = load_network(weights, system_of(recipe).kind)
    judge = JUDGES[run.judge]
    try:
        numbers = judge.measure(weights, run.validation, run.n, folder.parent / "cache")
        score: float | None = round(judge.score_of(numbers), 5)
    except Exception as error:  # early weights may draw crystals that no function can handle
        numbers, score = {}, None
        told(f"{run.name}: step {trainer.step:,} could not be judged ({type(error).__name__}: {error})")
    row: dict[str, Any] = {
        "run": run.name,
        "step": trainer.step,
        "core_hours": round(trainer.core_seconds / 3600, 6),
        "training_loss": _last_loss(folder / METRICS),
        "held_out_loss": round(loss.of(network.to(trainer.device)), 5),
        "score": score,
        **{name: round(value, 5) for name, value in numbers.items()},
    }
    best = state.best
    if score is not None and (best is None or score > best["score"]):
        with replacing(folder / BEST) as temporary:
            shutil.copyfile(weights, temporary)
    state.validations.append(row)
    return row


def _last_loss(metrics: Path) -> float | None:
    """The mean loss of the last line of metrics."""
    try:
        return round(float(json.loads(metrics.read_text().splitlines()[-1])["loss"]), 5)
    except (OSError, IndexError, KeyError, ValueError):
        return None


def _words(row: Mapping[str, Any]) -> str:
    numbers = ", ".join(f"{name} {row[name]:.3f}" for name in NUMBERS if name in row)
    score = f"score {row['score']:.3f} ({numbers})" if row["score"] is not None else "no score"
    return (
        f"step {row['step']:,}, {row['core_hours']:.2f} core-hours: held-out loss {row['held_out_loss']:.4f}, {score}"
    )


def _standing_of(state: RunState) -> str:
    best = state.best
    kept = f"; best at step {best['step']:,}: {best['score']:.3f}" if best else ""
    return f"{state.status}{f' ({state.reason})' if state.reason else ''}{kept}"


def write_log(out: str | Path, names: Collection[str]) -> Path:
    """Write the table of all validations of the runs in a folder of a season, and return its place."""
    out = Path(out)
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    table.writeheader()
    for name in names:
        state = RunState.read(out / name)
        best = None
        for row in state.validations:
            best = max((score for score in (best, row["score"]) if score is not None), default=None)
            table.writerow({k: v for k, v in (row | {"best": best}).items() if v is not None and k in COLUMNS})
    with replacing(out / LOG) as temporary:
        temporary.write_text(text.getvalue())
    return out / LOG
