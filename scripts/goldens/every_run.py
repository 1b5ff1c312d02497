"""The golden runs, all of them: their names, their steps, and what they begin with."""

from __future__ import annotations

from dataclasses import replace

from run import Run
from runs_design import DESIGN
from runs_generators import GENERATORS
from runs_models import MODELS
from runs_python import PYTHON
from runs_words import WORDS

RUNS: list[Run] = [*WORDS, *GENERATORS, *MODELS, *DESIGN, *PYTHON]

if len({run.name for run in RUNS}) != len(RUNS):
    raise ValueError("two golden runs have one name")
RUNS = [replace(run, once=True) if run.dies else run for run in RUNS]
