"""Running one calculation, in a folder and a process of its own, which may take too long, crash or write nonsense.

In the folder input.json has the task, state.json the state after the last step, result.json the result, and log.txt
what the program printed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.dft import worker
from nucleate.dft.frames import read_json_object, to_record, write_json
from nucleate.dft.programs import InstalledProgram
from nucleate.dft.settings import METAL_SPACING, DFTSettings, all_metals
from nucleate.errors import NucleateError
from nucleate.parallel import ONE_THREAD

if TYPE_CHECKING:
    from ase import Atoms

POLL = 0.2  # seconds after which a process is looked at again
LOG_LIMIT = 100_000_000  # bytes that a process may print in one call before it is ended
DONE, FAILED, TIME, CRASHED, GARBAGE = "done", "failed", "out of time", "crashed", "garbage"
Progress = Callable[[str, int, float], None]  # (name, ionic steps so far, seconds in this call)


class CalculationStopped(Exception):
    """Raised when the user stops the run; the state of each calculation stays on disk."""


@dataclass(frozen=True)
class CalculationOutcome:
    """How a calculation ended.

    status: one of the five texts above. reason: in words, unless it is done. result: of `relaxation.run`, if it is
    done. steps: of the relaxation. seconds: of wall-clock time, over all calls. fresh: whether anything was calculated
    in this call.
    """

    status: str
    reason: str = ""
    result: dict[str, Any] | None = None
    steps: int = 0
    seconds: float = 0.0
    fresh: bool = True

    @property
    def energy(self) -> float | None:
        """eV/atom, of a calculation that is done."""
        return self.result["energy"] if self.result else None


@dataclass(frozen=True)
class Runner:
    """Runs calculations with one program and one set of settings.

    stop: set it to end all calculations at once (they raise `CalculationStopped`). progress: called about every second
    while a calculation runs. finished: called with name and outcome when a calculation of this call ends. again:
    whether calculations whose program reported a failure are done again.
    """

    program: InstalledProgram
    settings: DFTSettings
    stop: threading.Event = field(default_factory=threading.Event)
    progress: Progress | None = None
    finished: Callable[[str, CalculationOutcome], None] | None = None
    again: bool = False

    @property
    def method(self) -> str:
        """The method that its energies carry."""
        return self.program.method(self.settings)

    @property
    def digest(self) -> str:
        """A hash of program, version and settings; only results with equal hashes may be compared."""
        return hashlib.sha256(f"{self.method} {self.settings.digest}".encode()).hexdigest()[:12]

    def run(self, name: str, folder: Path, kind: str, atoms: Atoms) -> CalculationOutcome:
        """The outcome of a calculation, which is found in `folder`, or continued or begun there.

        name: for messages. kind: one of `relaxation.TASKS`. A folder that holds another calculation is renamed to
        FOLDER.old-1. Raises NucleateError where the folder cannot be written, and `CalculationStopped` where `stop` was
        set.
        """
        settings = self.settings
        content: list[Any] = [self.digest, kind, to_record(atoms)]
        if kind != "molecule" and all_metals(atoms.numbers):
            settings = dataclasses.replace(settings, k_spacing=METAL_SPACING * settings.k_spacing)
            content.append(settings.k_spacing)
        task: dict[str, Any] = {"engine": self.program.name, "method": self.method, "kind": kind}
        task |= {"settings": dataclasses.asdict(settings), "atoms": to_record(atoms)}
        task["digest"] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
        before = read_json_object(folder / worker.INPUT)
        if before is not None and before.get("digest") != task["digest"]:
            _move_aside(folder)
        found = _outcome(folder, task["digest"], fresh=False)
        if found is not None and not (found.status == FAILED and self.again):
            return found
        (folder / worker.RESULT).unlink(missing_ok=True)  # it is unreadable, or to be calculated again
        write_json(folder / worker.INPUT, task)
        outcome = self._supervise(name, folder, task["digest"])
        if self.finished is not None:
            self.finished(name, outcome)
        return outcome

    def _supervise(self, name: str, folder: Path, digest: str) -> CalculationOutcome:
        started, limit = time.monotonic(), self.settings.wall_time
        while True:
            code, lines = self._process(name, folder, started)
            spent = time.monotonic() - started
            if code != worker.BUSY or spent > limit:
                break
            if self.stop.wait(1.0):  # another process does the same calculation: wait for its result
                raise CalculationStopped
        found = _outcome(folder, digest, fresh=True)
        if found is not None:
            return found
        state = read_json_object(folder / worker.STATE) or {}
        steps, seconds = int(state.get("steps", 0)), round(float(state.get("seconds", 0.0)), 1)
        after = f"after {steps} steps" if state else "before the first step"
        if code == GARBAGE:
            return CalculationOutcome(
                GARBAGE, f"printed {LOG_LIMIT:,} bytes {after}: {lines}", steps=steps, seconds=seconds
            )
        if code == TIME or code == worker.BUSY:
            said = f"not done within {limit:g} s, stopped {after}; the same command continues from there"
            return CalculationOutcome(TIME, said, steps=steps, seconds=max(seconds, round(spent, 1)))
        if isinstance(code, int) and code != 0:
            how = signal.Signals(-code).name if -code in set(signal.Signals) else f"exit code {code}"
            return CalculationOutcome(
                CRASHED, f"{how} {after}{f': {lines}' if lines else ''}", steps=steps, seconds=seconds
            )
        what = "an unreadable result" if (folder / worker.RESULT).exists() else "no result"
        return CalculationOutcome(
            GARBAGE, f"{what}{f'; last words: {lines}' if lines else ''}", steps=steps, seconds=seconds
        )

    def _process(self, name: str, folder: Path, started: float) -> tuple[int | str, str]:
        """(exit code, or TIME or GARBAGE where it was ended for that; the last line of its log)."""
        log = folder / worker.LOG
        command = [*self.program.command, "-m", worker.__name__, str(folder.absolute())]
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**ONE_THREAD, **os.environ, "PYTHONPATH": path, worker.PARENT: str(os.getpid())}
        with log.open("ab") as file:
            begin = file.tell()
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    # so that Ctrl-C reaches only us, and we end all processes of the calculation
                    start_new_session=True,
                )
            except OSError as error:
                raise NucleateError(f"{command[0]} cannot be started: {error.strerror or error}") from None
            try:
                code = self._wait(process, name, folder, started, file.fileno(), begin)
            finally:
                _kill(process)
        return code, _last_line(log, begin)

    def _wait(
        self, process: subprocess.Popen[bytes], name: str, folder: Path, started: float, log: int, begin: int
    ) -> int | str:
        steps, told = 0, -math.inf
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(POLL)
            now = time.monotonic()
            if self.stop.is_set():
                raise CalculationStopped
            if now - started > self.settings.wall_time:
                return TIME
            if os.fstat(log).st_size - begin > LOG_LIMIT:
                return GARBAGE
            if self.progress is not None and now - told > 1.0:
                steps, told = int((read_json_object(folder / worker.STATE) or {}).get("steps", steps)), now
                self.progress(name, steps, now - started)


def _outcome(folder: Path, digest: str, fresh: bool) -> CalculationOutcome | None:
    """The outcome in result.json; None where the file is missing, unreadable or of another calculation."""
    values = read_json_object(folder / worker.RESULT)
    if values is None or values.get("digest") != digest:
        return None
    try:
        if values["status"] == FAILED:
            return CalculationOutcome(
                FAILED, str(values["reason"]), None, int(values["steps"]), float(values["seconds"]), fresh
            )
        energy, atoms = float(values["energy"]), values["atoms"]
        if values["status"] != DONE or not math.isfinite(energy):
            return None
        if not (len(atoms["numbers"]) == len(atoms["positions"]) > 0 and len(atoms["cell"]) == 3):
            return None
        return CalculationOutcome(DONE, "", values, int(values["steps"]), float(values["seconds"]), fresh)
    except (KeyError, TypeError, ValueError):
        return None


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all that it started."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _last_line(log: Path, begin: int) -> str:
    """The last line with a letter or digit, of what was printed from byte `begin` on."""
    with log.open("rb") as file:
        file.seek(max(begin, log.stat().st_size - 10_000))
        lines = file.read().decode("utf-8", "replace").splitlines()
    printable = ["".join(c for c in x if c.isprintable()).strip() for x in lines]
    return next((x[:160] for x in reversed(printable) if any(c.isalnum() for c in x)), "")


def _move_aside(folder: Path) -> None:
    n = 1
    while (old := folder.with_name(f"{folder.name}.old-{n}")).exists():
        n += 1
    shutil.move(folder, old)
