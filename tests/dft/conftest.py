"""A stand-in for GPAW: ASE's EMT with the basis error of plane waves, and bad manners on demand."""

import os
from pathlib import Path

import pytest

GPAW = '''
"""FAKE_GPAW: good, slow, slowcompound, crash, signal, garbage, half, diverge, flood; FAKE_LOG: gets a line per call."""
import math, os, sys, time
import numpy as np

__version__ = "99.1"
MODE = os.environ.get("FAKE_GPAW", "good")
if MODE == "banner":
    print("Welcome to the machine")
if MODE == "absent":
    raise ImportError("no gpaw")


class KohnShamConvergenceError(Exception):
    pass


class PW:
    def __init__(self, ecut):
        self.ecut = ecut


def error(ecut):  # of the basis, eV per atom
    return 30 * math.exp(-ecut / 100)


class GPAW:
    def __init__(self, mode, **parameters):
        self.ecut, self.parameters = mode.ecut, parameters

    def get_potential_energy(self, atoms):
        from ase.calculators.emt import EMT

        if MODE == "diverge":
            raise KohnShamConvergenceError("no")
        self.atoms = atoms
        log = os.environ.get("FAKE_LOG")
        if log:
            with open(log, "a") as file:
                moment = atoms.get_initial_magnetic_moments().sum()
                print(atoms.get_chemical_formula(), self.ecut, round(atoms.get_volume(), 6), moment, file=file)
        calls = GPAW.calls = getattr(GPAW, "calls", 0) + 1
        if MODE == "slow" or (MODE == "slowcompound" and len(set(atoms.numbers)) > 1):
            time.sleep(0.0 if calls < 5 else 3600.0)
        while MODE == "flood":
            print("all work and no play " * 1000)
        if calls >= 5 and MODE in ("crash", "signal", "garbage", "half"):
            print("Segmentation fault, says the Fortran part")
            folder = sys.argv[1]
            if MODE == "half":
                open(os.path.join(folder, "result.json"), "w").write('{"status": "done", "ener')
            if MODE == "signal":
                sys.stdout.flush()
                os.kill(os.getpid(), 11)
            if MODE in ("garbage", "half"):
                os.write(1, os.urandom(2000) + b"\\n~~~~ 42 \\x00 ~~~\\n")
                os._exit(0)
            print("MPI_ABORT was invoked")
            sys.stdout.flush()
            os._exit(7)
        self.emt = EMT()
        self.copy = atoms.copy()
        self.copy.calc = self.emt
        return self.copy.get_potential_energy() + len(atoms) * error(self.ecut)

    def get_forces(self):
        return self.copy.get_forces()

    def get_stress(self):  # of a fixed number of plane waves: the spurious pull of the basis is in it
        slope = -error(self.ecut) / 100
        pull = -2 / 3 * self.ecut * len(self.copy) * slope / self.copy.get_volume()
        return self.copy.get_stress() + pull * np.array([1, 1, 1, 0, 0, 0])

    def get_magnetic_moment(self):
        return float(self.copy.get_initial_magnetic_moments().sum())
'''


@pytest.fixture
def gpaw(tmp_path, monkeypatch) -> Path:
    """The stand-in on PYTHONPATH; returns the file where it logs its calls. No MPI, one thread, caches in tmp_path."""
    from nucleate.dft.programs import printed_by

    package = tmp_path / "fake" / "gpaw"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(GPAW)
    path = os.pathsep.join([str(package.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.delenv("NUCLEATE_GPAW_PYTHON", raising=False)
    monkeypatch.setenv("FAKE_LOG", str(tmp_path / "calls.txt"))
    monkeypatch.setenv("FAKE_GPAW", "good")
    printed_by.cache_clear()
    yield tmp_path / "calls.txt"
    printed_by.cache_clear()
