"""Calculations with ABINIT: for each set of positions it is run once, with a file as input and a file as output.

It takes the PAW datasets of the package gpaw-data, so that its energies are those of GPAW within a few meV/atom.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.dft.programs import printed_by
from nucleate.dft.settings import MOLECULE_SMEARING, DFTSettings
from nucleate.errors import NucleateError
from nucleate.io import replacing
from nucleate.parallel import die_with
from nucleate.potentials.base import Evaluation

if TYPE_CHECKING:
    from ase import Atoms

PROGRAM, DATASETS = "NUCLEATE_ABINIT", "NUCLEATE_PAW"  # environment variables: the program, a folder of PAW datasets
HARTREE, BOHR = 27.211386, 0.529177211  # eV, angstrom
ITERATIONS = 100
VOIGT = ((0, 0), (1, 1), (2, 2), (2, 1), (2, 0), (1, 0))  # order of strten


def datasets() -> Path | None:
    """The folder with the PAW datasets: the one that the environment variable names, else that of gpaw-data.

    gpaw-data is found without an import; None where it is not installed.
    """
    if own := os.environ.get(DATASETS):
        return Path(own)
    spec = importlib.util.find_spec("gpaw_data")
    return Path(spec.origin).parent / "setups" if spec and spec.origin else None


class Abinit:
    """ABINIT as a `DftProgram`."""

    label = "ABINIT"

    def find(self) -> tuple[str, tuple[str, ...]]:
        program = os.environ.get(PROGRAM) or "abinit"
        command = shlex.split(program)
        match = re.search(r"^\s*(\d+\.\d+\.\d+)", printed_by((*command, "--version")), re.MULTILINE)
        if match is None:
            raise NucleateError(f"{program} does not run" if shutil.which(command[0]) else f"there is no {program}")
        if datasets() is None:
            raise NucleateError(f"{program} has no PAW datasets (pip install gpaw-data, or {DATASETS}=FOLDER)")
        return match[1], (sys.executable,)

    def evaluator(self, settings: DFTSettings, kind: str, folder: Path) -> AbinitEvaluator:
        return AbinitEvaluator(settings, kind, folder)


class AbinitEvaluator:
    """An `Evaluator` that writes run.abi, runs the program and reads run.abo in `folder`/abinit."""

    def __init__(self, settings: DFTSettings, kind: str, folder: Path) -> None:
        self.settings, self.kind, self.folder = settings, kind, folder / "abinit"
        self.moment: float | None = None
        self.k_points = (1, 1, 1)

    def prepare(self, k_points: tuple[int, int, int]) -> None:
        self.k_points = k_points

    def evaluate(self, atoms: Atoms, stress: bool) -> Evaluation:
        text = self._run(atoms, self.settings.cutoff)
        n = len(atoms)
        forces = _numbers(text, "fcart", 3 * n).reshape(n, 3) * HARTREE / BOHR
        full = np.zeros((3, 3))
        if stress:
            for (i, j), value in zip(VOIGT, _numbers(text, "strten", 6) * HARTREE / BOHR**3, strict=True):
                full[i, j] = full[j, i] = value
        self.moment = _moment(text) if atoms.get_initial_magnetic_moments().any() else None
        return Evaluation(_energy(text), forces, full)

    def energy(self, atoms: Atoms, cutoff: float) -> float:
        return _energy(self._run(atoms, cutoff))

    def _run(self, atoms: Atoms, cutoff: float) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        # ABINIT does not overwrite an output, it writes another one with a number
        for old in self.folder.glob("run.abo*"):
            old.unlink()
        (self.folder / "run.abi").write_text(self._input(atoms, cutoff))
        command = [*shlex.split(os.environ.get(PROGRAM) or "abinit"), "run.abi"]
        # ends ABINIT also where only this process is killed and not its whole group
        together = functools.partial(die_with, os.getpid()) if sys.platform == "linux" else None
        with (self.folder / "run.log").open("w") as log:
            code = subprocess.run(
                command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, preexec_fn=together
            ).returncode
        output = self.folder / "run.abo"
        text = output.read_text(errors="replace") if output.is_file() else ""
        if "was not enough SCF cycles to converge" in text:
            raise NucleateError(f"the self-consistent field did not converge in {ITERATIONS} iterations")
        if code != 0 or "etotal" not in text:
            log_text = (self.folder / "run.log").read_text(errors="replace")
            said = re.findall(r"message: \|?\s*\n?\s*(.+)", log_text) or log_text.strip().splitlines()[-1:]
            raise RuntimeError(f"abinit ended with code {code}: {said[-1].strip()[:150] if said else 'no output'}")
        return text

    def _input(self, atoms: Atoms, cutoff: float) -> str:
        symbols = atoms.get_chemical_symbols()
        kinds = list(dict.fromkeys(symbols))
        numbers = [int(atoms.numbers[symbols.index(k)]) for k in kinds]
        moments = atoms.get_initial_magnetic_moments()
        width = MOLECULE_SMEARING if self.kind == "molecule" else self.settings.smearing
        lines = [
            f"ecut {cutoff / HARTREE:.8f}",
            f"pawecutdg {2 * cutoff / HARTREE:.8f}",
            f"occopt 3\ntsmear {width / HARTREE:.8f}",
            f"ngkpt {' '.join(map(str, self.k_points))}\nnshiftk 1\nshiftk 0 0 0",
            f"nstep {ITERATIONS}\ntolvrs 1.0d-9\nixc 11\ntolsym 1.0d-4\nchkprim 0\nchksymbreak 0",
            "prtwf 0\nprtden 0\nprteig 0\nprtgsr 0\nprtebands 0",
            f"natom {len(atoms)}\nntypat {len(kinds)}\nznucl {' '.join(map(str, numbers))}",
            f"typat {' '.join(str(kinds.index(s) + 1) for s in symbols)}",
            "acell 3*1.0 angstrom\nrprim\n" + _rows(atoms.cell.array),
            "xred\n" + _rows(atoms.get_scaled_positions(wrap=False)),
            f'pseudos "{", ".join(self._dataset(k) for k in kinds)}"',
        ]
        if moments.any():
            lines.append("nsppol 2\nspinat\n" + _rows([[0.0, 0.0, m] for m in moments]))
            if self.kind == "molecule":
                lines.append(f"spinmagntarget {moments.sum():.1f}")
        return "\n".join(lines) + "\n"

    def _dataset(self, symbol: str) -> str:
        """The name of an element's PAW dataset, unpacked beside the input."""
        file = self.folder / f"{symbol}.PBE.xml"
        if not file.is_file():
            folder = datasets()
            packed = folder / f"{symbol}.PBE.gz" if folder else None
            if packed is None or not packed.is_file():
                raise NucleateError(f"no PAW dataset of {symbol} in {folder} (pip install gpaw-data, or {DATASETS})")
            with replacing(file) as temporary:
                temporary.write_bytes(gzip.decompress(packed.read_bytes()))
        return file.name


def _rows(values: object) -> str:
    return "\n".join("  " + " ".join(f"{x:.14f}" for x in row) for row in np.asarray(values))


def _energy(text: str) -> float:
    """Energy of the cell in eV, extrapolated to zero smearing: halfway between free and internal energy."""
    free = float(_numbers(text, "etotal", 1)[0])
    entropy = re.findall(r"-kT\*entropy'?\s*[:=]\s*(\S+)", text)
    return (free - 0.5 * float(entropy[-1].replace("D", "E")) if entropy else free) * HARTREE


def _moment(text: str) -> float | None:
    found = re.findall(r"[Tt]otal magnetization \(exact up - dn\)\s*=\s*(\S+)", text)
    return float(found[-1]) if found else None


def _numbers(text: str, name: str, count: int) -> np.ndarray:
    """`count` values of a variable, which ABINIT prints after the computation."""
    after = text.rpartition("echo values of variables after computation")[2]
    match = re.search(rf"^\s*-?\s*{name}\s+((?:[-+.\dEeDd]+\s+){{{count}}})", after, re.MULTILINE)
    values = [float(x.replace("D", "E")) for x in match[1].split()] if match else []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise RuntimeError(f"abinit's output has no {name}")
    return np.array(values)
