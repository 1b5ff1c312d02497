"""Reading OUTCAR of VASP, for runs without a vasprun.xml."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nucleate.dft.compressed import open_compressed
from nucleate.dft.vasp_run import Step, VaspRun
from nucleate.dft.vasp_settings import merged_tags, to_number
from nucleate.errors import NucleateError

TAGS = (
    "ENCUT GGA METAGGA LMETAGGA LHFCALC AEXX HFSCREEN ALDAX AGGAX ALDAC AGGAC LTHOMAS LMODELHF LRHFCALC LIBXC1 LIBXC2 "
    "IVDW LVDW LUSE_VDW ZAB_VDW BPARAM CPARAM PARAM1 PARAM2 PARAM3 NSW IBRION EDIFF EDIFFG NELM ISIF ISPIN PREC LASPH "
    "LSORBIT ICHARG NELECT PSTRESS ALGO ML_LMLFF LDAU LDAUTYPE LDAUL LDAUU LDAUJ LATTICE_CONSTRAINTS"
)
TAG = re.compile(rf"^\s*({TAGS.replace(' ', '|')})\s*=\s*([^;!#\n]*)", re.IGNORECASE)
HUBBARD = re.compile(r"(?:for each species|type is set to) (LDAU\w+)\s*=\s*(.*)")
ITERATION = re.compile(r"Iteration\s+\d+\(\s*(\d+)\)")
ENERGY = re.compile(r"energy  without entropy\s*=.*energy\(sigma->0\)\s*=\s*(\S+)")
NUMBER = re.compile(r"[-+]?\d*\.\d+(?:[eEdD][-+]?\d+)?|\*+|NaN", re.IGNORECASE)
VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (2, 0))  # order of the values in the line "in kB"


def read_outcar(path: Path) -> VaspRun:
    """What the run wrote; of a file that was cut off, what there is.

    Raises NucleateError for a file that is no OUTCAR of VASP.
    """
    reader = _Reader()
    broken = ""
    with open_compressed(path) as file:
        lines = iter(io.TextIOWrapper(file, encoding="utf-8", errors="replace"))
        try:
            for line in lines:
                reader.line(line, lines)
        except EOFError:
            broken = "the compressed file ends in the middle"
    if not reader.version:
        raise NucleateError("not an OUTCAR of VASP")
    ended = "" if reader.ended else "the file ends in the middle (VASP was killed or is still running)"
    return reader.run(broken or ended)


class _Reader:
    def __init__(self) -> None:
        self.version = ""
        self.incar: dict[str, str] = {}  # the INCAR as the beginning of OUTCAR repeats it
        self.settings: dict[str, str] = {}
        self.titles: list[str] = []
        self.elements: list[str] = []
        self.valences: list[float] = []
        self.counts: list[int] = []
        self.steps = self.iterations = 0
        self.lattice = self.positions = np.full((0, 3), math.nan)
        self.forces: np.ndarray | None = None
        self.stress: np.ndarray | None = None
        self.first: Step | None = None
        self.before: Step | None = None
        self.last: Step | None = None
        self.ended = self.stopped = self.criterion_met = False

    def line(self, line: str, rest: Iterator[str]) -> None:
        """Read one line. rest: the lines after it, from which a table takes its rows."""
        if not self.version and (found := re.match(r"\s*vasp\.(\S+)", line)):
            self.version = found[1]
        elif not self.steps and not self.iterations and self._header(line):
            return
        elif found := ITERATION.search(line):
            self.iterations = int(found[1])
        elif "direct lattice vectors" in line:
            self.lattice = _table(rest, 3)[:, :3]
        elif "POSITION" in line and "TOTAL-FORCE" in line:
            next(rest, "")
            table = _table(rest, sum(self.counts))
            self.positions, self.forces = table[:, :3], table[:, 3:]
        elif line.lstrip().startswith("in kB"):
            self.stress = _stress(NUMBER.findall(line))
        elif found := ENERGY.search(line):
            self._finish(to_number(found[1]))
        elif "General timing and accounting" in line:
            self.ended = True
        elif "reached required accuracy - stopping structural" in line:
            self.criterion_met = True
        elif "soft stop encountered" in line or "hard stop encountered" in line:
            self.stopped = True

    def _header(self, line: str) -> bool:
        if found := TAG.match(line):
            tag, value = found[1].upper(), found[2].strip()
            target = self.settings if self.counts else self.incar
            target[tag] = value if target is self.incar else (value.split() or [""])[0]
        elif found := HUBBARD.search(line):
            self.settings |= {found[1]: found[2].strip(), "LDAU": "T"}
        elif found := re.match(r"\s*TITEL\s*=\s*(.*)", line):
            self.titles.append(found[1].strip())
        elif found := re.match(r"\s*VRHFIN\s*=\s*([A-Za-z]+)", line):
            self.elements.append(found[1])
        elif found := re.search(r"ZVAL\s*=\s*([\d.]+)\s+mass and valenz", line):
            self.valences.append(float(found[1]))
        elif found := re.match(r"\s*ions per type\s*=\s*([\d\s]+)", line):
            self.counts = [int(x) for x in found[1].split()]
        else:
            return False
        return True

    def _finish(self, energy: float) -> None:
        positions = np.full(self.positions.shape, math.nan)
        if self.lattice.shape == (3, 3) and np.isfinite(self.lattice).all():
            positions = self.positions @ np.linalg.pinv(self.lattice)
        step = Step(energy, self.iterations, self.lattice, positions, self.forces, self.stress)
        self.steps, self.iterations = self.steps + 1, 0
        self.first = self.first or step
        self.before, self.last = self.last, step

    def run(self, broken: str) -> VaspRun:
        elements = self.elements or [[*t.split(), "", ""][1].split("_")[0] for t in self.titles]
        n = len(self.counts)
        titles, valences = self.titles[:n] + [""] * n, self.valences[:n] + [math.nan] * n
        types = tuple(zip(elements, titles, valences, self.counts, strict=False))
        symbols = tuple(e for e, _, _, count in types for _ in range(count))
        settings = merged_tags(self.incar, self.settings)
        return VaspRun(
            self.version.split()[0],
            settings,
            symbols,
            types,
            self.steps,
            self.first,
            self.before,
            self.last,
            broken,
            self.stopped,
            self.criterion_met,
        )


def _table(rest: Iterator[str], rows: int) -> np.ndarray:
    """The numbers of the next lines, (rows, 6); NaN in place of what is no number."""
    out = np.full((rows, 6), math.nan)
    for i in range(rows):
        values = [to_number(x) for x in NUMBER.findall(next(rest, ""))[:6]]
        out[i, : len(values)] = values
    return out


def _stress(values: list[str]) -> np.ndarray:
    out = np.full((3, 3), math.nan)
    for (i, j), value in zip(VOIGT, values, strict=False):
        out[i, j] = out[j, i] = to_number(value)
    return out
