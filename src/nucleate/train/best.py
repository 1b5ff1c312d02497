"""Training in memory that ends with the averaged weights that had the highest score on validation data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from torch import nn

from nucleate.train.steps import Steps


def keep_best(
    steps: Steps,
    average: nn.Module,
    score: Callable[[], float],
    on_log: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train to the last step, and leave in the network `average` the averaged weights that had the highest score.

    After every `train.checkpoint_every` steps the averaged weights are put into `average`, and `score` is called.
    on_log: called after each validation with the step, the mean loss since the last one, the score ("validation") and
    the CPU seconds. Returns facts for the model card. Raises NucleateError if the loss is not finite.
    """
    config, began = steps.config, time.process_time()
    best, kept, kept_step = -math.inf, {k: v.clone() for k, v in steps.ema.items()}, 0

    def after() -> None:
        nonlocal best, kept, kept_step
        if steps.step % config.checkpoint_every and steps.step != config.steps:
            return
        steps.require_finite()
        average.load_state_dict(steps.ema)
        value = score()
        if value > best:
            best, kept_step = value, steps.step
            kept = {k: v.clone() for k, v in steps.ema.items()}
        line = {"step": steps.step, "loss": steps.means()["loss"], "validation": value}
        steps.forget()
        if on_log is not None:
            on_log(line | {"seconds": round(time.process_time() - began, 1)})

    average.eval()
    steps.take(config.steps, after)
    average.load_state_dict(kept)
    return {"steps": config.steps, "kept_step": kept_step, "seconds": round(time.process_time() - began, 1)}
