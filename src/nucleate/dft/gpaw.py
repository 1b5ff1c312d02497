"""Calculations with GPAW. Its licence is the GPL, so it is imported only here, and only in the worker process."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.dft.programs import printed_by
from nucleate.dft.settings import MOLECULE_SMEARING, DFTSettings
from nucleate.errors import NucleateError
from nucleate.potentials.base import Evaluation

if TYPE_CHECKING:
    from ase import Atoms

PYTHON = "NUCLEATE_GPAW_PYTHON"  # environment variable: a Python that has GPAW, perhaps with a command before it
SYMMETRY_TOLERANCE = 1e-4  # angstrom; GPAW's own 1e-7 loses the symmetry of a relaxed crystal to rounding
ITERATIONS = 200  # of the self-consistent field


class Gpaw:
    """GPAW as a `DftProgram`. It may be installed in another environment that also has nucleate's dependencies."""

    label = "GPAW"

    def find(self) -> tuple[str, tuple[str, ...]]:
        python = os.environ.get(PYTHON) or shlex.quote(sys.executable)
        command = tuple(shlex.split(python))
        text = printed_by((*command, "-c", "import gpaw; print('gpaw', gpaw.__version__)"))
        match = re.search(r"^gpaw (\d\S*)", text, re.MULTILINE)
        if match is None:
            raise NucleateError(f"{python} cannot import gpaw")
        return match[1], command

    def evaluator(self, settings: DFTSettings, kind: str, folder: Path) -> GPAWEvaluator:
        return GPAWEvaluator(settings, kind, folder)


class GPAWEvaluator:
    """An `Evaluator` that keeps its calculator from step to step, so that density and wave functions are used again."""

    def __init__(self, settings: DFTSettings, kind: str, folder: Path) -> None:
        self.settings, self.kind, self.folder = settings, kind, folder
        self.moment: float | None = None
        self.k_points = (1, 1, 1)
        self._calculator: Any = None

    def prepare(self, k_points: tuple[int, int, int]) -> None:
        self.k_points, self._calculator = k_points, None

    def evaluate(self, atoms: Atoms, stress: bool) -> Evaluation:
        if self._calculator is None:
            self._calculator = self._new(self.settings.cutoff, _magnetic(atoms))
        energy = self._energy(atoms, self._calculator)
        forces = np.array(self._calculator.get_forces(), dtype=np.float64)
        voigt = self._calculator.get_stress() if stress else np.zeros(6)
        self.moment = float(self._calculator.get_magnetic_moment()) if _magnetic(atoms) else None
        xx, yy, zz, yz, xz, xy = (float(x) for x in voigt)
        full = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        return Evaluation(energy, forces, full)

    def energy(self, atoms: Atoms, cutoff: float) -> float:
        return self._energy(atoms, self._new(cutoff, _magnetic(atoms)))

    def _energy(self, atoms: Atoms, calculator: Any) -> float:
        from gpaw import KohnShamConvergenceError

        try:  # the energy extrapolated to zero smearing
            return float(calculator.get_potential_energy(atoms.copy()))
        except KohnShamConvergenceError:
            raise NucleateError(f"the self-consistent field did not converge in {ITERATIONS} iterations") from None
        except FileNotFoundError as error:
            reason = next((x for x in str(error).splitlines() if x.strip()), "a PAW dataset is missing")
            raise NucleateError(f"{reason.strip()[:150]} (pip install gpaw-data)") from None

    def _new(self, cutoff: float, magnetic: bool) -> Any:
        from gpaw import GPAW, PW

        occupations: dict[str, Any] = {"name": "fermi-dirac", "width": self.settings.smearing}
        if self.kind == "molecule":
            occupations["width"] = MOLECULE_SMEARING
            occupations["fixmagmom"] = magnetic  # that of O2 is known
        return GPAW(
            mode=PW(cutoff),
            xc="PBE",
            kpts={"size": self.k_points, "gamma": True},
            occupations=occupations,
            symmetry={"tolerance": SYMMETRY_TOLERANCE},
            maxiter=ITERATIONS,
            txt=str(self.folder / "gpaw.txt"),
        )


def _magnetic(atoms: Atoms) -> bool:
    return bool(atoms.get_initial_magnetic_moments().any())
