"""DFT programs of other packages: found by name, run in the worker process, listed, without effect on others."""

import os

import pytest
from ase.build import bulk
from installed import install

from nucleate.cli.main import main
from nucleate.dft.job import DONE, Runner
from nucleate.dft.programs import PROGRAMS, find_program
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError

EMT = """
    import sys
    import numpy as np
    from ase.calculators.emt import EMT
    from nucleate.potentials.base import Evaluation

    class Program:
        label = "EMT"

        def find(self):
            return "1.2", (sys.executable,)

        def evaluator(self, settings, kind, folder):
            return Evaluator()

    class Evaluator:
        moment = None

        def prepare(self, k_points):
            pass

        def evaluate(self, atoms, stress):
            copy = atoms.copy()
            copy.calc = EMT()
            full = copy.get_stress(voigt=False) if stress else np.zeros((3, 3))
            return Evaluation(copy.get_potential_energy(), copy.get_forces(), full)

        def energy(self, atoms, cutoff):
            return self.evaluate(atoms, False).energy

    class Broken:
        label = "Broken"

        def find(self):
            raise ValueError("no licence")
"""


@pytest.fixture
def emt(monkeypatch, tmp_path):
    """A package with the programs "emt" and "broken", which the worker process finds as well."""
    entries = {"nucleate.dft": {"emt": "dft_of_others:Program", "broken": "dft_of_others:Broken", "auto": "a:b"}}
    install(monkeypatch, tmp_path / "packages", "others", entries, dft_of_others=EMT)
    path = os.pathsep.join([str(tmp_path / "packages"), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)


def test_a_program_of_another_package_relaxes_a_crystal(emt, tmp_path):
    program = find_program("emt")
    assert (program.label, program.version) == ("EMT", "1.2")
    outcome = Runner(program, DFTSettings(wall_time=90.0)).run("Cu", tmp_path / "job", "crystal", bulk("Cu", a=3.7))
    assert outcome.status == DONE and outcome.result["converged"], outcome.reason
    assert outcome.result["method"].startswith("EMT 1.2 PBE")
    assert outcome.result["volume_change"] * 3.7**3 / 4 == pytest.approx(11.565, rel=2e-2)


def test_broken_and_unknown_programs_are_refused_in_one_line(emt):
    with pytest.raises(NucleateError, match=r"'broken' of the package others 1.0 cannot be used \(ValueError: no lic"):
        find_program("broken")
    with pytest.raises(NucleateError, match="no DFT program 'vasp'; known: auto, gpaw, abinit, broken, emt$"):
        find_program("vasp")
    assert PROGRAMS.problems()[0].startswith("the DFT program 'auto' of the package others 1.0 is left out")


def test_auto_goes_on_to_programs_of_other_packages(emt, monkeypatch, tmp_path):
    monkeypatch.setenv("NUCLEATE_GPAW_PYTHON", str(tmp_path / "nowhere"))
    monkeypatch.setenv("NUCLEATE_ABINIT", str(tmp_path / "nowhere"))
    assert find_program().name == "emt"


def test_nucleate_plugins_lists_dft_programs(emt, capsys):
    with pytest.raises(SystemExit):
        main(["plugins"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    listed = [" ".join(row) for row in rows if "DFT" in row]
    assert any("gpaw" in row for row in listed) and any("emt others" in row for row in listed)
