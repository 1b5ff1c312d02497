"""Which DFT program is there: found and asked for its version in a process of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache

from nucleate.dft.abinit import DATASETS, PROGRAM, datasets
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError

NAMES = ("auto", "gpaw", "abinit")
GPAW_PYTHON = "NUCLEATE_GPAW_PYTHON"  # Python that has GPAW, perhaps behind another command: "nice python"
START_LIMIT = 120.0  # seconds to say its version
HOW_TO = "install GPAW with: make dft, or pip install 'nucleate[dft]'"


@dataclass(frozen=True)
class Engine:
    """A program that is there. command: the Python that runs `dft.worker` for it."""

    name: str
    version: str
    command: tuple[str, ...]

    def method(self, settings: DFTSettings) -> str:
        """What stands beside every energy: only equal methods meet on a hull."""
        label = {"gpaw": "GPAW", "abinit": "ABINIT"}[self.name]
        return f"{label} {self.version} {settings.words} (uncorrected)"


def find_engine(name: str = "auto") -> Engine:
    """The engine of that name; auto: GPAW, else ABINIT. Raises NucleateError with how to install one."""
    if name not in NAMES:
        raise NucleateError(f"no DFT engine '{name}'; known: {', '.join(NAMES)}")
    reasons = []
    if name in ("auto", "gpaw"):
        found = _gpaw(os.environ.get(GPAW_PYTHON) or shlex.quote(sys.executable))
        if isinstance(found, Engine):
            return found
        reasons.append(found)
    if name in ("auto", "abinit"):
        found = _abinit(os.environ.get(PROGRAM) or "abinit")
        if isinstance(found, Engine):
            return found
        reasons.append(found)
    raise NucleateError(f"no DFT program: {'; '.join(reasons)}; {HOW_TO}")


@lru_cache(maxsize=16)
def _gpaw(python: str) -> Engine | str:
    command = tuple(shlex.split(python))
    text = _said([*command, "-c", "import gpaw; print('gpaw', gpaw.__version__)"])
    match = re.search(r"^gpaw (\d\S*)", text, re.MULTILINE)
    return Engine("gpaw", match[1], command) if match else f"{python} cannot import gpaw"


@lru_cache(maxsize=16)
def _abinit(program: str) -> Engine | str:
    match = re.search(r"^\s*(\d+\.\d+\.\d+)", _said([*shlex.split(program), "--version"]), re.MULTILINE)
    if match and datasets() is None:
        return f"{program} has no PAW datasets (pip install gpaw-data, or {DATASETS}=FOLDER)"
    if match:
        return Engine("abinit", match[1], (sys.executable,))
    return f"{program} does not run" if shutil.which(shlex.split(program)[0]) else f"there is no {program}"


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=START_LIMIT, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
