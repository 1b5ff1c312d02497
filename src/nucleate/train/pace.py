"""How fast a training run goes and how long it will take, in numbers and in words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LINE_EVERY = 30.0  # seconds between two lines of a log
SHOW_EVERY = 2.0  # seconds between two reports of a run; reading the loss makes a GPU wait, so they must be rare


@dataclass(frozen=True)
class Standing:
    """How far a run has come: `step` of its `steps` are done.

    loss: the mean over the steps since the last line of metrics. per_second: how many examples are trained on in a
    second; `unit` says what they are (crystals, formulas). seconds_left: what the other steps take at this speed.
    """

    step: int
    steps: int
    loss: float
    unit: str
    per_second: float
    seconds_left: float

    def __str__(self) -> str:
        left = f"{duration(self.seconds_left)} to go" if self.step < self.steps else "done"
        return f"step {self.step:,} of {self.steps:,}, {self.speed}, {left}"

    @property
    def speed(self) -> str:
        """The loss and the speed, in words."""
        return f"loss {self.loss:.4f}, {self.per_second:,.{0 if self.per_second >= 10 else 2}f} {self.unit}/s"


@dataclass
class Pace:
    """The speed of one call of `Trainer.run`, measured from its second step on, because the first step also prepares
    memory and kernels."""

    batch_size: int
    unit: str
    first: int | None = None  # the number of steps that were done when the clock started
    began: float = 0.0
    shown: float = field(default_factory=time.monotonic)  # when the last report was made

    def due(self, step: int) -> bool:
        """Whether it is time for another report. Call it after each step, with the number of steps done."""
        now = time.monotonic()
        if self.first is None:
            self.first, self.began = step, now
        if now - self.shown < SHOW_EVERY or step == self.first:
            return False
        self.shown = now
        return True

    def standing(self, step: int, steps: int, loss: float) -> Standing:
        """How far the run has come after a step for which `due` was called."""
        each = (time.monotonic() - self.began) / max(step - (self.first or 0), 1)
        return Standing(step, steps, loss, self.unit, self.batch_size / max(each, 1e-9), each * (steps - step))


class TrainingLines:
    """Writes lines of text for logs and pipes that say how far a run has come: one at the first call, then at most one
    in `every` seconds."""

    def __init__(self, name: str, say: Callable[[str], None], every: float = LINE_EVERY) -> None:
        self.name, self.say, self.every = name, say, every
        self.said = -math.inf

    def __call__(self, standing: Standing) -> None:
        if time.monotonic() - self.said >= self.every:
            self.said = time.monotonic()
            self.say(f"{self.name}: {standing}")


def duration(seconds: float) -> str:
    """A time span in at most two units, as in "45 s", "12 min", "3 h 20 min", "2 d 5 h"."""
    seconds = max(float(seconds), 0.0)
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d" + (f" {hours} h" if hours else "")
