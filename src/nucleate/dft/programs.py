"""DFT programs by name: those of this package, and those that other packages bring by entry points.

A DFT program is one class with three things (`DftProgram`): the label that its energies carry, how it is found on this
machine, and the `Evaluator` that asks it for energies, forces and stresses.
"""

from __future__ import annotations

import subprocess
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError
from nucleate.plugins import PluginTable

if TYPE_CHECKING:
    from nucleate.dft.relaxation import Evaluator

AUTO = "auto"
START_LIMIT = 120.0  # seconds that a program may take to print its version
HOW_TO_INSTALL = "install GPAW with: make dft, or pip install 'nucleate[dft]'"
PROGRAMS = PluginTable(
    "nucleate.dft",
    "DFT program",
    {"gpaw": "nucleate.dft.gpaw:Gpaw", "abinit": "nucleate.dft.abinit:Abinit"},
    lambda: {AUTO: None},
)


class DftProgram(Protocol):
    """What the table holds: a class (or function) without arguments that gives such an object.

    label: the program's name as energies carry it, such as "GPAW".
    """

    label: str

    def find(self) -> tuple[str, tuple[str, ...]]:
        """Its version, and the command of the Python in which `evaluator` can be called.

        That Python runs `nucleate.dft.worker`; it is `(sys.executable,)` where the program is not a Python package.
        Raises NucleateError, with the reason, where the program is not there.
        """
        ...

    def evaluator(self, settings: DFTSettings, kind: str, folder: Path) -> Evaluator:
        """The program at work on one crystal, called in the worker process.

        kind: one of `dft.relaxation.TASKS`. folder: of this calculation, for the program's own files.
        """
        ...


@dataclass(frozen=True)
class InstalledProgram:
    """A DFT program that was found. command: the Python that runs `dft.worker` for it."""

    name: str
    label: str
    version: str
    command: tuple[str, ...]

    def method(self, settings: DFTSettings) -> str:
        """The method that stands beside every energy; only energies of equal methods meet on a hull."""
        return f"{self.label} {self.version} {settings.words} (uncorrected)"


def get_program(name: str) -> DftProgram:
    """The DFT program of that name, installed or not; raises NucleateError where the table has none of that name."""
    return cast("DftProgram", PROGRAMS.make(name))


def find_program(name: str = AUTO) -> InstalledProgram:
    """The installed DFT program of that name; "auto" takes the first of the table that is there, GPAW before others.

    Raises NucleateError for an unknown name, and where nothing is installed, with how to install one.
    """
    if name != AUTO and name not in PROGRAMS:
        said = "".join(f"; {text}" for text in PROGRAMS.problems() if f"'{name}'" in text)
        raise NucleateError(f"no DFT program '{name}'; known: {', '.join([AUTO, *PROGRAMS.names()])}{said}")
    reasons = []
    for tried in PROGRAMS.names() if name == AUTO else [name]:
        try:
            return _found(tried)
        except NucleateError as error:
            reasons.append(str(error))
    how = [HOW_TO_INSTALL] if name == AUTO or name in PROGRAMS.own else []
    raise NucleateError(f"no DFT program: {'; '.join([*reasons, *how])}")


def _found(name: str) -> InstalledProgram:
    program, part = get_program(name), PROGRAMS.plugin(name)
    with PROGRAMS.errors_naming(part) if part is not None else nullcontext():
        version, command = program.find()
        return InstalledProgram(name, program.label, version, tuple(command))


@lru_cache(maxsize=16)
def printed_by(command: tuple[str, ...]) -> str:
    """What a command prints to standard output; "" where it cannot be started, fails or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=START_LIMIT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
