"""The process of one calculation: python -m nucleate.dft.worker FOLDER

It reads FOLDER/input.json, continues from FOLDER/state.json where there is one, and writes
FOLDER/result.json at the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from nucleate.config import from_dict
from nucleate.dft.frames import read_json_object, write_json
from nucleate.dft.programs import get_program
from nucleate.dft.relaxation import run
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError
from nucleate.parallel import die_with
from nucleate.relaxation.guard import OutOfRange

INPUT, STATE, RESULT, LOG, LOCK = "input.json", "state.json", "result.json", "log.txt", ".lock"
PARENT = "NUCLEATE_DFT_PARENT"  # environment variable: id of the process that started this one
BUSY = 75  # exit code: another process is doing this calculation


def do_calculation(folder: Path) -> None:
    """Do the calculation in `folder`. A crystal that cannot be computed is a result as well, with the reason."""
    task = read_json_object(folder / INPUT)
    if task is None:
        raise NucleateError(f"{folder / INPUT} cannot be read")
    settings = from_dict(DFTSettings, task["settings"])

    def save(state: dict[str, Any]) -> None:
        write_json(folder / STATE, {**state, "digest": task["digest"]})

    state = read_json_object(folder / STATE)
    if state is not None and state.get("digest") != task["digest"]:
        state = None
    try:
        evaluator = get_program(task["engine"]).evaluator(settings, task["kind"], folder)
        result = {"status": "done", **run(task, settings, evaluator, state, save)}
    except (OutOfRange, NucleateError) as error:
        state = read_json_object(folder / STATE) or {}
        result = {"status": "failed", "reason": " ".join(str(error).split())[:300]}
        result |= {"steps": state.get("steps", 0), "seconds": state.get("seconds", 0.0)}
    write_json(folder / RESULT, {**result, "method": task["method"], "digest": task["digest"]})


def main() -> None:
    from filelock import FileLock, Timeout

    parent = int(os.environ.get(PARENT, "0"))
    if parent == os.getppid():  # it is not where a command such as a container runtime stands between them
        die_with(parent)
    folder = Path(sys.argv[1])
    lock = FileLock(str(folder / LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"another process works in {folder}", flush=True)
        sys.exit(BUSY)
    with lock:
        if not (folder / RESULT).is_file():
            do_calculation(folder)


if __name__ == "__main__":
    main()
