"""Progress of the stages of a command, on standard error, so that standard output can be piped.

On a terminal there are bars; elsewhere (a pipe, the log of a queue) plain lines, at first often, then more and more
rarely.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

from nucleate.pipeline.events import CandidateChanged, Event, Listener, Progress, StageBegan, Watch
from nucleate.train.pace import duration

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate

# seconds before the first line; the time between lines as a share of the time so far; the longest such time, seconds
FIRST, SHARE, LONGEST = 10.0, 0.1, 300.0


@contextmanager
def progress_shown(*more: Listener) -> Iterator[Watch]:
    """A context with a watch whose listener shows the progress of each stage on standard error. more: listeners that
    are told before it."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    show: Bars | ProgressLines = Bars(console) if console.is_terminal else ProgressLines()

    living: dict[str, bool] = {}  # stage -> whether something came through it

    def listener(event: Event) -> None:
        match event:
            case CandidateChanged(name, candidate):
                living[name] = living.get(name, False) or candidate.failure is None
            case Progress(name, done, total) if done == total and not living.get(name, True):
                if isinstance(show, ProgressLines):  # all were refused, and the refusal is the whole answer
                    show.stages.pop(name, None)
            case StageBegan(name, done, total) | Progress(name, done, total):
                show(name, done, total)

    show.start()
    try:
        yield Watch(*more, listener)
    finally:
        show.stop()


class Bars:
    """A moving bar for each stage."""

    def __init__(self, console: Console) -> None:
        self.bars = RichProgress(
            TextColumn("{task.description:<10}", markup=False),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
        )
        self.tasks: dict[str, TaskID] = {}
        self.start, self.stop = self.bars.start, self.bars.stop

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self.tasks:
            self.tasks[stage] = self.bars.add_task(stage, total=total or None)
        self.bars.update(self.tasks[stage], completed=done, total=total or None)


@dataclass
class _Stage:
    began: float  # time of the clock
    before: int  # how many were done then, in an earlier call
    done: int
    total: int
    said: float  # time of the last line
    shown: int = -1  # how many were done according to that line


class ProgressLines:
    """Lines now and then for each stage, and one at its end: "relax: 12 of 50, 3 min, about 9 min to go".

    What an earlier call has done is printed at once, and is left out when the remaining time is estimated.
    """

    def __init__(
        self, write: Callable[[str], object] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self.clock = clock
        self.stages: dict[str, _Stage] = {}

    def start(self) -> None:
        """Do nothing; the first line is written later."""

    def stop(self) -> None:
        """Write a last line for each stage that is not done."""
        for name, stage in self.stages.items():
            if stage.shown != stage.done:
                self._say(name, stage, self.clock())

    def __call__(self, name: str, done: int, total: int) -> None:
        now = self.clock()
        stage = self.stages.get(name)
        if stage is None:
            stage = self.stages[name] = _Stage(now, done, done, total, now)
            if 0 < done < total:
                self.write(f"{name}: goes on, {done:,} of {total:,} were done before")
                stage.shown = done
        stage.done, stage.total = done, total
        apart = min(max(FIRST, SHARE * (now - stage.began)), LONGEST)
        if stage.shown != done and (done == total or now - stage.said >= apart):
            self._say(name, stage, now)

    def _say(self, name: str, stage: _Stage, now: float) -> None:
        spent, made, left = now - stage.began, stage.done - stage.before, stage.total - stage.done
        line = f"{name}: {stage.done:,}{f' of {stage.total:,}' if stage.total else ''}, {duration(spent)}"
        if made > 0 and left > 0:
            line += f", about {duration(spent * left / made)} to go"
        self.write(line)
        stage.said, stage.shown = now, stage.done


TOLD = 4  # formulas of which the best answer is told
TRIED = {  # stage -> what it does, in words
    "retrieval": "known crystals, votes of known crystals, and orderings",
    "relax": "relaxation of the answers, the most probable first",
}


class SearchLines:
    """A listener that prints a line for what is tried, and one for each better answer of a formula.

    Before relaxation the best answer is the first one; then the one of the lowest energy per atom is told."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.first: dict[str, Candidate] = {}
        self.lowest: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Print what the event changes."""
        match event:
            case StageBegan(name, done, total) if name in TRIED and done < total:
                self.console.print(f"trying: {TRIED[name]}", style="dim", soft_wrap=True)
            case CandidateChanged(name, candidate) if candidate.failure is None:
                self._changed(name, candidate)

    def _changed(self, stage: str, c: Candidate) -> None:
        formula = c.wanted.label
        before = self.first.get(formula)
        if stage == "retrieval" and (before is None or c.wanted.rank < before.wanted.rank):
            if before is None and len(self.first) == TOLD:
                return
            self.first[formula] = c
            self._say(c, _chance(c))
        energy = c.energy_per_atom
        if stage != "relax" or formula not in self.first or energy is None:
            return
        if energy < self.lowest.get(formula, float("inf")):
            self.lowest[formula] = energy
            self._say(c, f"{energy:.3f} eV/atom, the lowest energy so far; {_chance(c)}")

    def _say(self, c: Candidate, what: str) -> None:
        self.console.print(f"best so far: {c.id}, {what}", style="dim", soft_wrap=True)


def _chance(c: Candidate) -> str:
    """How probable an answer is, in words."""
    if c.vote is None:
        return "a random structure, because no known crystal has the ratio"
    if c.vote.proposer == "known":
        return f"a known crystal, {c.vote.id}"
    if c.vote.probability is None:
        return f"{c.vote.proposer} from {c.vote.id}, without a probability"
    return f"{100 * c.vote.probability:.0f} % by the votes, from {c.vote.id}"
