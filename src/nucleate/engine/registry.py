"""Engines by name: where stages run. Another package brings its own by an entry point (`nucleate.plugins`)."""

from __future__ import annotations

import os
from typing import cast

from nucleate.errors import NucleateError
from nucleate.pipeline.run import Executor
from nucleate.plugins import PluginTable

LOCAL = "local"
VARIABLE = "NUCLEATE_ENGINE"  # environment variable that names the engine where no option does
ENGINES = PluginTable("nucleate.engines", "engine", {LOCAL: "nucleate.engine.local:executor"})


def get_executor(workers: int | None = None, engine: str = "") -> Executor:
    """The executor that an engine makes for a number of workers; with None the engine chooses the number.

    engine: its name; "" means the engine that the environment variable NUCLEATE_ENGINE names, and without that variable
    the processes of this machine. Raises NucleateError where there is no engine of that name, or where what it makes is
    no executor.
    """
    name = engine or os.environ.get(VARIABLE, "") or LOCAL
    made = ENGINES.make(name, workers)
    if not hasattr(made, "map"):
        part = ENGINES.plugin(name)
        source = f" of the package {part.source}" if part is not None else ""
        raise NucleateError(f"the engine '{name}'{source} gives a {type(made).__name__}, which has no method `map`")
    return cast("Executor", made)
