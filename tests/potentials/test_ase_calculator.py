"""Potentials that the user names or that plug-ins bring, by ASE calculators."""

import sys
import types

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT as Embedded
from installed import install
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.potentials.base import unknown_elements_reason
from nucleate.potentials.registry import get_potential, require_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidate, single_point

EMT = "ase:ase.calculators.emt:EMT"


def copper(a=3.7):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Cu"], [[0, 0, 0]])


def test_any_calculator_relaxes():
    before = copper(3.75)
    before.perturb(0.03)
    result = relax_candidate(Candidate("Cu", structure=before), RelaxSettings(potential=EMT, fmax=0.01))
    assert result.failure is None and result.checks["relaxed"].verdict == "pass"
    assert result.structure.volume ** (1 / 3) == pytest.approx(3.59, abs=0.02)
    assert result.energies["energy"].method == "ASE calculator ase.calculators.emt:EMT"
    assert single_point([copper(), copper(3.6)], potential=EMT)[1] < single_point([copper()], potential=EMT)[0]


def test_an_element_that_the_calculator_does_not_know_is_a_failure():
    lone = Structure(Lattice.cubic(3), ["Fe"], [[0, 0, 0]])
    result = relax_candidate(Candidate("Fe", structure=lone), RelaxSettings(potential=EMT))
    assert result.failure is not None and "Fe" in str(result.failure) and "\n" not in str(result.failure)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("magic:x", "write mace:..., matgl:..., ase:..."),
        ("mace:", "is no potential"),
        ("ase:os", "write ase:PACKAGE.MODULE:CALLABLE"),
        ("ase:ase.calculators.emt:NOPE", "write ase:PACKAGE.MODULE:CALLABLE"),
        ("ase:ase.calculators.calculator:CalculationFailed.nope", "write ase:"),
        ("ase:math:sqrt", "cannot be loaded"),
    ],
)
def test_a_name_of_no_potential_is_refused_in_one_line(name, words):
    with pytest.raises(NucleateError, match=words) as error:
        get_potential(name).load()
    assert "\n" not in str(error.value)


def test_elements_that_a_calculator_names_are_checked_and_without_them_the_record_says_so(monkeypatch):
    from ase.calculators.emt import EMT as Calculator

    class Model(Calculator):
        models = (types.SimpleNamespace(atomic_numbers=np.array([29, 79])),)

    module = types.ModuleType("mace")
    module.calculators = types.SimpleNamespace(mace_mp=lambda **_: Model())
    monkeypatch.setitem(sys.modules, "mace", module)
    potential = get_potential("mace:copper-and-gold")
    assert potential.elements == {"Cu", "Au"} and "does not know Ag" in unknown_elements_reason(potential, ["Ag", "Cu"])
    settings = RelaxSettings(potential=EMT, max_steps=0)
    assert get_potential(EMT).elements is None
    assert not relax_candidate(Candidate("Cu", structure=copper()), settings).relaxation.elements_known
    chgnet = relax_candidate(Candidate("Cu", structure=copper()), RelaxSettings(max_steps=0))
    assert chgnet.relaxation.elements_known


@pytest.mark.parametrize("kind", ["mace", "matgl"])
def test_a_missing_package_is_named(kind, monkeypatch):
    monkeypatch.setitem(sys.modules, kind, None)
    with pytest.raises(NucleateError, match=f"pip install {kind}"):
        get_potential(f"{kind}:missing-model").load()


def test_mace_takes_a_file_or_a_name(monkeypatch, tmp_path):
    """mace-torch needs another version of e3nn than SevenNet, so a stand-in with its interface is used here."""
    from ase.calculators.emt import EMT as Calculator

    asked = []
    module = types.ModuleType("mace")
    module.calculators = types.SimpleNamespace(
        MACECalculator=lambda **kw: asked.append(("file", kw)) or Calculator(),
        mace_mp=lambda **kw: asked.append(("hub", kw)) or Calculator(),
    )
    monkeypatch.setitem(sys.modules, "mace", module)
    file = tmp_path / "my.model"
    file.write_bytes(b"weights")
    named, own = get_potential("mace:medium"), get_potential(f"mace:{file}")
    for potential in (named, own):
        (found,) = potential.evaluate([bulk("Cu", a=3.7)])
        assert found.forces.shape == (1, 3) and found.stress.shape == (3, 3)
    assert [a[0] for a in asked] == ["hub", "file"] and asked[1][1]["model_paths"] == str(file)
    assert named.method == "MACE medium" and own.method.startswith(f"MACE {file} (sha256 ")
    file.write_bytes(b"other weights")
    assert get_potential(f"mace:{file}").method == own.method  # cached, so that a run loads one model


@pytest.mark.filterwarnings("ignore")
def test_a_saved_matgl_potential(tmp_path):
    pytest.importorskip("matgl", reason="matgl is not installed")
    from matgl.apps.pes import Potential
    from matgl.models import TensorNet

    model = TensorNet(element_types=("Al", "Cu"), units=8, num_rbf=4, num_layers=1, is_intensive=False)
    Potential(model=model, calc_stresses=True).save(tmp_path / "tiny")
    potential = get_potential(f"matgl:{tmp_path / 'tiny'}")
    atoms = bulk("Cu", a=3.7, cubic=True)
    atoms.rattle(0.1, seed=1)
    (found,) = potential.evaluate([atoms])
    moved = [atoms.copy(), atoms.copy()]
    for sign, copy in zip((1, -1), moved, strict=True):
        copy.positions[0, 0] += sign * 0.01
    up, down = (e.energy for e in potential.evaluate(moved))
    assert -(up - down) / 0.02 == pytest.approx(found.forces[0, 0], abs=1e-3)
    for sign, copy in zip((1, -1), moved, strict=True):
        copy.set_cell(atoms.cell.array @ np.diag([1 + sign * 0.01, 1, 1]), scale_atoms=False)
        copy.set_scaled_positions(atoms.get_scaled_positions())
    up, down = (e.energy for e in potential.evaluate(moved))
    assert (up - down) / 0.02 / atoms.get_volume() == pytest.approx(found.stress[0, 0], abs=1e-4)
    assert "sha256" in potential.method and isinstance(moved[0], Atoms)
    assert potential.elements == {"Al", "Cu"} and "does not know Au" in unknown_elements_reason(potential, ["Au", "Cu"])


def test_a_plug_in_brings_a_calculator_or_a_potential_of_its_own(monkeypatch, tmp_path):
    code = """
    from ase.calculators.emt import EMT

    class Own:
        name, method, elements, pool = "own", "Own 1", None, 1
        def load(self): pass
        def evaluate(self, crystals): return [7 for _ in crystals]
        def energies(self, structures, batch_size): return [1.0 for _ in structures]

    def emt():
        made = EMT()
        made.elements = {"Cu", "Al"}
        return made
    """
    names = {"emt": "brought:emt", "own-one": "brought:Own", "chgnet": "brought:emt", "wrong": "builtins:dict"}
    install(monkeypatch, tmp_path, "calculators", {"nucleate.potentials": names}, brought=code)
    require_potential("emt")
    potential = get_potential("emt")
    assert potential.method == "emt (calculators 1.0)" and potential is get_potential("emt")
    assert unknown_elements_reason(potential, ["Cu", "Xe"]) == "emt does not know Xe: not in its training data"
    crystal = bulk("Cu", a=3.7)
    (found,) = potential.evaluate([crystal])
    crystal.calc = Embedded()
    assert found.energy == pytest.approx(crystal.get_potential_energy())
    assert get_potential("own-one").evaluate([crystal]) == [7] and get_potential("chgnet").method.startswith("CHGNet")
    relaxed = relax_candidate(Candidate("Cu", structure=copper()), RelaxSettings(potential="emt", fmax=0.01))
    assert relaxed.failure is None and relaxed.energies["energy"].method == "emt (calculators 1.0)"
    with pytest.raises(NucleateError, match="the potential 'wrong' of the package calculators 1.0 gives a dict"):
        get_potential("wrong")
    with pytest.raises(NucleateError, match="no potential 'none'; known: chgnet, emt, own-one, sevennet, wrong, mace"):
        require_potential("none")


def test_a_potential_is_an_ase_calculator():
    from nucleate.potentials import calculator

    crystal = bulk("Cu", a=3.7)
    crystal.rattle(0.02, seed=1)
    crystal.calc = calculator(EMT)
    own = crystal.copy()
    own.calc = Embedded()
    assert crystal.get_potential_energy() == pytest.approx(own.get_potential_energy())
    np.testing.assert_allclose(crystal.get_forces(), own.get_forces())
    np.testing.assert_allclose(crystal.get_stress(), own.get_stress())
    crystal.set_cell([0, 0, 0])
    with pytest.raises(NucleateError, match="give the atoms a cell"):
        crystal.get_potential_energy()


def test_the_example_of_the_documentation_runs():
    import doctest

    from nucleate.potentials import for_ase

    assert doctest.testmod(for_ase) == doctest.TestResults(failed=0, attempted=7)
