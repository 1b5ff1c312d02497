"""ABINIT's files, with a program in its place that reads the input and writes the output of ABINIT 9.6."""

import gzip
import os
import sys

import numpy as np
import pytest
from ase.build import bulk

from nucleate.dft.abinit import _energy, _moment, _numbers
from nucleate.dft.elements import reference_state
from nucleate.dft.job import CRASHED, DONE, FAILED, Runner
from nucleate.dft.programs import find_program, printed_by
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError

PROGRAM = """#!{python}
import os, re, sys, time
if "--version" in sys.argv:
    print("9.6.2")
    sys.exit()
import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT

text = open(sys.argv[1]).read()


def block(name):
    rows = re.search(name + r"\\n((?:  .*\\n)+)", text)[1]
    return np.array([[float(x) for x in row.split()] for row in rows.splitlines()])


numbers = [int(x) for x in re.search("znucl (.*)", text)[1].split()]
typat = [int(x) for x in re.search("\\ntypat (.*)", text)[1].split()]
atoms = Atoms([numbers[t - 1] for t in typat], cell=block("rprim"), scaled_positions=block("xred"), pbc=True)
for name in re.search('pseudos "(.*)"', text)[1].split(", "):
    assert open(name).read() == "<paw_dataset/>", name
mode = os.environ.get("FAKE_ABINIT", "good")
if mode == "crash":
    print("--- !ERROR\\nsrc_file: m_x.F90\\nmessage: |\\n    Not enough memory for the wave functions\\n...")
    sys.exit(14)
atoms.calc = EMT()
hartree, bohr = 27.211386, 0.529177211
out = open("run.abo", "w")
if mode == "lost":
    out.write(" scprqt:  WARNING -\\n  nstep=   100 was not enough SCF cycles to converge;\\n")
out.write("entropy   :   0.00000000E+00\\n'-kT*entropy'       : -2.0E-03\\n")
out.write(" Total magnetization (exact up - dn) =  2.000000E+00\\n")
out.write(" -outvars: echo values of variables after computation  --------\\n            acell  1.0  1.0  1.0 Bohr\\n")
out.write(f"           etotal   {{atoms.get_potential_energy() / hartree - 0.001:.12E}}\\n            fcart  ")
forces = atoms.get_forces() * bohr / hartree
out.write("\\n                   ".join(" ".join(f"{{x:.10E}}" for x in f) for f in forces))
stress = atoms.get_stress() * bohr**3 / hartree
out.write("\\n           strten  " + " ".join(f"{{x:.10E}}" for x in stress[:3]))
out.write("\\n                   " + " ".join(f"{{x:.10E}}" for x in stress[3:]) + "\\n")
"""
SETTINGS = DFTSettings(cutoff=400.0, wall_time=90.0, fmax=0.01, smax=3e-4)


@pytest.fixture
def abinit(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "abinit"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    paw = tmp_path / "paw"
    paw.mkdir()
    for symbol in ("Cu", "O"):
        (paw / f"{symbol}.PBE.gz").write_bytes(gzip.compress(b"<paw_dataset/>"))
    monkeypatch.setenv("NUCLEATE_ABINIT", str(program))
    monkeypatch.setenv("NUCLEATE_PAW", str(paw))
    printed_by.cache_clear()
    yield find_program("abinit")
    printed_by.cache_clear()


@pytest.mark.skipif(os.name == "nt", reason="a script with an interpreter line")
def test_the_shared_relaxation_with_abinit(abinit, tmp_path):
    atoms = bulk("Cu", cubic=True, a=3.7)
    atoms.positions[0] += 0.1
    outcome = Runner(abinit, SETTINGS).run("Cu", tmp_path / "job", "crystal", atoms)
    assert outcome.status == DONE and outcome.result["converged"], outcome.reason
    assert outcome.result["volume_change"] * 3.7**3 == pytest.approx(4 * 11.565, rel=2e-3)  # EMT's copper
    assert outcome.result["method"].startswith("ABINIT 9.6.2 PBE") and outcome.result["moment"] is None
    text = (tmp_path / "job" / "abinit" / "run.abi").read_text()
    assert "nsppol" not in text and "ngkpt 9 9 9" in text and "tsmear 0.00367" in text


def test_oxygen_keeps_its_moment(abinit, tmp_path):
    kind, atoms = reference_state("O")
    outcome = Runner(abinit, DFTSettings(cutoff=400.0, max_steps=0)).run("O", tmp_path / "job", kind, atoms)
    text = (tmp_path / "job" / "abinit" / "run.abi").read_text()
    assert outcome.status == DONE and outcome.result["moment"] == 2.0
    assert "nsppol 2" in text and "spinmagntarget 2.0" in text and "ngkpt 1 1 1" in text and "tsmear 0.00036" in text


@pytest.mark.parametrize(
    ("manner", "status", "said"),
    [("crash", CRASHED, "Not enough memory"), ("lost", FAILED, "self-consistent field did not converge")],
)
def test_failures_of_abinit_are_recorded(abinit, tmp_path, monkeypatch, manner, status, said):
    monkeypatch.setenv("FAKE_ABINIT", manner)
    outcome = Runner(abinit, SETTINGS).run("Cu", tmp_path / "job", "crystal", bulk("Cu"))
    assert outcome.status == status and said in outcome.reason


def test_an_element_without_a_dataset(abinit, tmp_path):
    outcome = Runner(abinit, SETTINGS).run("Ag", tmp_path / "job", "crystal", bulk("Ag"))
    assert outcome.status == FAILED and "no PAW dataset of Ag" in outcome.reason


def test_abinit_without_paw_datasets_is_not_taken(abinit, monkeypatch):
    monkeypatch.delenv("NUCLEATE_PAW")
    monkeypatch.setattr("nucleate.dft.abinit.datasets", lambda: None)
    printed_by.cache_clear()
    with pytest.raises(NucleateError, match="no PAW datasets"):
        find_program("abinit")


def test_output_values():
    text = """'-kT*entropy'       : -8.0E-05
 -outvars: echo values of variables after computation  --------
           etotal     -7.9658030358E+00
            fcart      1.0000000000E-01  2.0000000000E-01  3.0000000000E-01
                      -1.0000000000E-01 -2.0000000000E-01 -3.0000000000E-01
-          fftalg         512
"""
    assert _energy(text) == pytest.approx((-7.9658030358 + 4e-5) * 27.211386)
    assert np.allclose(_numbers(text, "fcart", 6), [0.1, 0.2, 0.3, -0.1, -0.2, -0.3])
    with pytest.raises(RuntimeError, match="no strten"):
        _numbers(text, "strten", 6)
    assert _moment(text) is None
