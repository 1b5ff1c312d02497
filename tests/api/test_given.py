import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms, FixBondLength
from pymatgen.core import Lattice, Structure

from nucleate.api.given import crystals, crystals_or_formulas
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_one_object_of_any_kind_is_one_and_a_list_is_several(tmp_path):
    file = tmp_path / "salt.cif"
    SALT.to(filename=str(file))
    for given in (SALT, bulk("MgO", "rocksalt", a=4.2), Candidate("a", structure=SALT), file, str(file)):
        found, one = crystals(given)
        assert one and len(found) == 1 and found[0].structure is not None
        assert not crystals([given])[1]
    found, one = crystals([SALT, bulk("Cu"), file])
    assert [c.id for c in found] == ["NaCl-1", "Cu-2", "salt"] and not one
    assert len(crystals(tmp_path)[0]) == 1  # a folder
    assert [c.id for c in crystals([file, file])[0]] == ["salt", "salt-2"]


def test_atoms_keep_their_places_and_what_is_fixed():
    atoms = bulk("MgO", "rocksalt", a=4.2, cubic=True)
    atoms.set_constraint(FixAtoms([0, 3]))
    (candidate,), _ = crystals(atoms)
    assert candidate.fixed == (0, 3)
    assert np.allclose(candidate.structure.cart_coords % 4.2, atoms.positions % 4.2)
    pinned = SALT.copy(site_properties={"selective_dynamics": [[False] * 3] * 2 + [[True] * 3] * 6})
    assert crystals(pinned)[0][0].fixed == (0, 1)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (3, "not builtins.int"),
        ({"a": 1}, "not builtins.dict"),
        ([SALT, None], "number 2: a crystal is a pymatgen Structure, ASE atoms"),
        ([], "no crystal was given"),
        (molecule("H2O"), "no cell|periodic in 0 of 3"),
        (Atoms("Na", cell=[3, 3, 3], pbc=[True, True, False]), "periodic in 2 of 3"),
        ("nowhere.cif", "no file or folder nowhere.cif"),
        (Structure(Lattice.cubic(4), [{"Ca": 0.5, "Sr": 0.5}], [[0, 0, 0]]), "nucleate.substitute"),
        (Structure(Lattice.cubic(0.1), ["Na"], [[0, 0, 0]]), "no volume"),
    ],
)
def test_what_is_no_crystal_is_refused_in_a_line(given, words):
    with pytest.raises(NucleateError, match=words):
        crystals(given)


def test_other_constraints_are_not_silently_lost():
    atoms = bulk("MgO", "rocksalt", a=4.2)
    atoms.set_constraint(FixBondLength(0, 1))
    with pytest.raises(NucleateError, match="not kept: FixBondLength"):
        crystals(atoms)


def test_texts_are_formulas_where_they_name_no_file(tmp_path):
    SALT.to(filename=str(tmp_path / "salt.cif"))
    found, one = crystals_or_formulas(["SrTiO3", str(tmp_path / "salt.cif"), "Xx"])
    assert [c.formula for c in found] == ["SrTiO3", "NaCl", ""] and found[2].failure is not None and not one
    assert crystals_or_formulas("Fe2O3")[1]
    with pytest.raises(NucleateError, match="'Xx2' is not a formula"):
        crystals_or_formulas("Xx2")
    with pytest.raises(NucleateError, match="no file or folder"):
        crystals_or_formulas("absent.cif")
