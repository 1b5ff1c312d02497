"""Every shipped potential agrees with its own package and with finite differences; batches change nothing."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor

from nucleate.chem.elements import element_symbol
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.potentials.base import MPTRJ_ELEMENTS, unknown_elements_reason
from nucleate.potentials.registry import POTENTIALS, get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidate, single_point


def crystals():
    salt, silicon = bulk("NaCl", "rocksalt", a=5.7), bulk("Si", "diamond", a=5.5, cubic=True)
    for seed, atoms in enumerate((salt, silicon)):
        atoms.set_cell(atoms.cell.array @ (np.eye(3) + 0.02 * np.diag([1, -1, 0.5])), scale_atoms=True)
        atoms.rattle(0.05, seed=seed)
    return [salt, silicon]


def calculator_of(name):
    """The ASE calculator of the potential's own package."""
    if name == "chgnet":
        from chgnet.model.dynamics import CHGNetCalculator

        return CHGNetCalculator(use_device="cpu")
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator("7net-0", device="cpu")


@pytest.fixture(params=sorted(POTENTIALS.own))
def potential(request):
    return get_potential(request.param)


@pytest.mark.filterwarnings("ignore")
def test_agrees_with_the_calculator_of_its_package(potential, capfd):
    (salt, silicon), own = crystals(), calculator_of(potential.name)
    capfd.readouterr()
    found = potential.evaluate([salt, silicon])
    assert capfd.readouterr() == ("", "")
    for atoms, mine in zip((salt, silicon), found, strict=True):
        atoms.calc = own
        assert mine.energy == pytest.approx(atoms.get_potential_energy(), abs=1e-4)
        assert mine.forces == pytest.approx(atoms.get_forces(), abs=1e-4)
        assert mine.stress == pytest.approx(atoms.get_stress(voigt=False), abs=1e-5)


def test_a_batch_gives_the_numbers_of_single_crystals(potential):
    together = potential.evaluate(crystals())
    for mine, atoms in zip(together, crystals(), strict=True):
        (alone,) = potential.evaluate([atoms])
        assert mine.energy == pytest.approx(alone.energy, abs=1e-4)
        assert mine.forces == pytest.approx(alone.forces, abs=1e-4)
        assert mine.stress == pytest.approx(alone.stress, abs=1e-5)


def test_energies_without_forces_are_the_same(potential):
    structures = [AseAtomsAdaptor.get_structure(atoms) for atoms in crystals()]
    found = potential.energies(structures, 2)
    assert found == pytest.approx(
        [e.energy / len(s) for e, s in zip(potential.evaluate(crystals()), structures, strict=True)], abs=1e-5
    )


def test_forces_and_stress_are_derivatives_of_the_energy(potential):
    _, atoms = crystals()
    (found,) = potential.evaluate([atoms])

    def energy(shift, strain):
        moved = atoms.copy()
        moved.positions[3, 1] += shift
        moved.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        return potential.evaluate([moved])[0].energy

    h, strain = 0.01, np.zeros((3, 3))
    assert -(energy(h, strain) - energy(-h, strain)) / (2 * h) == pytest.approx(found.forces[3, 1], abs=5e-3)
    strain[0, 0] = h
    slope = (energy(0, strain) - energy(0, -strain)) / (2 * h) / atoms.get_volume()
    assert slope == pytest.approx(found.stress[0, 0], abs=5e-4)


def test_a_left_handed_cell_is_the_same_crystal(potential):
    salt, _ = crystals()
    mirrored = salt.copy()
    mirrored.set_cell(salt.cell.array[[1, 0, 2]])
    right, left = potential.evaluate([salt, mirrored])
    assert left.energy == pytest.approx(right.energy, abs=1e-4)
    assert left.forces == pytest.approx(right.forces, abs=1e-4)
    assert left.stress == pytest.approx(right.stress, abs=1e-5) and abs(right.stress).max() > 1e-3


def test_structures_that_it_cannot_take_are_refused_in_one_line(potential):
    with pytest.raises(NucleateError, match="Og|plutonium"):
        potential.evaluate([Atoms("Og", cell=[4, 4, 4], pbc=True)])


STRANGERS = ("Po", "At", "Rn", "Fr", "Ra", "Am", "Cm", "Bk", "Cf", "Es", "Lr", "Og")


@pytest.mark.parametrize("element", STRANGERS)
def test_an_element_outside_the_training_data_is_refused_before_anything_is_computed(element, potential, monkeypatch):
    def never(*_):
        raise AssertionError("computed")

    monkeypatch.setattr(type(potential), "evaluate", never)
    monkeypatch.setattr(type(potential), "energies", never)
    cell = [[0, 2.8, 2.8], [2.8, 0, 2.8], [2.8, 2.8, 0]]
    oxide = Structure(Lattice(cell), [element, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    words = f"{potential.name} does not know {element}"
    result = relax_candidate(Candidate("a", structure=oxide), RelaxSettings(potential=potential.name))
    assert words in str(result.failure) and "energy" not in result.energies and "\n" not in str(result.failure)
    with pytest.raises(NucleateError, match=words):
        single_point([oxide], potential=potential.name)


def test_both_shipped_potentials_know_the_elements_of_mptrj(potential):
    assert potential.elements == MPTRJ_ELEMENTS and len(MPTRJ_ELEMENTS) == 89
    assert unknown_elements_reason(potential, ["He", "Xe", "Ac", "Pu", "Pm", "Tc", "D"]) == ""


@pytest.mark.filterwarnings("ignore")
def test_the_checkpoint_of_sevennet_names_the_same_elements():
    from sevenn import _keys, util

    from nucleate.potentials.sevennet import MODEL

    types = util.load_checkpoint(MODEL).config[_keys.TYPE_MAP]
    assert frozenset(element_symbol(int(z)) for z in types) == MPTRJ_ELEMENTS
