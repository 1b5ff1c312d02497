from __future__ import annotations

import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure
from pymatgen.io.ase import AseAtomsAdaptor
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

from nucleate.crystal.symmetry import space_group, space_group_number, space_group_symbol
from nucleate.errors import NucleateError


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (bulk("NaCl", "rocksalt", 5.6), (225, "Fm-3m")),
        (bulk("Si"), (227, "Fd-3m")),
        (bulk("Mg"), (194, "P6_3/mmc")),
        (bulk("ZnO", "wurtzite", 3.2, c=5.2), (186, "P6_3mc")),
        (bulk("CsCl", "cesiumchloride", 4.1, cubic=True), (221, "Pm-3m")),
    ],
)
def test_known_crystals(atoms, expected):
    structure = AseAtomsAdaptor.get_structure(atoms)
    assert space_group(structure) == expected
    assert space_group(structure * (2, 1, 1)) == expected
    assert SpacegroupAnalyzer(structure, 0.1).get_space_group_symbol() == expected[1]


def test_thousands_of_atoms_get_no_symmetry_search():
    big = AseAtomsAdaptor.get_structure(bulk("CsCl", "cesiumchloride", 4.1, cubic=True) * (14, 14, 14))
    assert len(big) > 5000 and space_group(big) == (0, "?")


def test_symprec_decides_which_group_is_found():
    structure = AseAtomsAdaptor.get_structure(bulk("NaCl", "rocksalt", 5.6, cubic=True))
    structure.translate_sites([0], [0.004, 0.002, 0.001])  # 0.03 angstrom
    assert space_group(structure)[0] == 225
    assert space_group(structure, symprec=0.001)[0] == 1


def test_oxidation_states_do_not_matter():
    structure = Structure.from_spacegroup(225, Lattice.cubic(4.2), ["Mg2+", "O2-"], [[0, 0, 0], [0.5] * 3])
    assert space_group(structure) == (225, "Fm-3m")


def test_a_failed_symmetry_search_is_reported():
    # atoms are nearer to each other than the tolerance: the cell is valid but has no space group
    structure = Structure(Lattice.cubic(3), ["H", "H", "H"], [[0, 0, 0], [0.01, 0, 0], [0.02, 0.01, 0]])
    assert space_group(structure) == (0, "?")


def test_bad_cells_tolerances_and_numbers_are_refused():
    with pytest.raises(NucleateError, match="no volume"):
        space_group(Structure(Lattice([[1, 0, 0], [2, 0, 0], [0, 0, 1]]), ["H"], [[0, 0, 0]]))
    with pytest.raises(NucleateError, match="symprec"):
        space_group(Structure(Lattice.cubic(3), ["H"], [[0, 0, 0]]), symprec=0)
    with pytest.raises(NucleateError, match="1 to 230"):
        space_group_symbol(231)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (62, 62),
        ("225", 225),
        ("P nma", 62),
        ("pnma", 62),
        ("P 2_1/n 2_1/m 2_1/a", 62),
        ("Pbnm", 62),
        ("P21/c", 14),
        ("P2_1/n", 14),
        ("C2/c", 15),
        ("R-3m:H", 166),
        ("$P6_3/mmc$", 194),
        (r"Fm\bar{3}m", 225),
        ("Fm3\u0305m", 225),
        ("Fm\u22123m", 225),
        ("Fm3m", 225),
        ("Cmca", 64),
    ],
)
def test_symbols_as_people_spell_them(text, number):
    assert space_group_number(text) == number


def test_each_symbol_means_one_group():
    for n in range(1, 231):
        name = space_group_symbol(n)
        assert space_group_number(n) == space_group_number(name) == space_group_number(name.lower()) == n
        assert space_group_number(name.replace("_", "")) == n


def test_symbols_that_do_not_exist():
    with pytest.raises(NucleateError, match=r"called 'Pnmx'; similar ones: .*Pnma \(62\)"):
        space_group_number("Pnmx")
    for text in ("0", "231", "-3"):
        with pytest.raises(NucleateError, match=f"1 to 230, not {text}"):
            space_group_number(text)
    for text in ("", "xyz"):
        with pytest.raises(NucleateError, match="write 225 or Fm-3m"):
            space_group_number(text)
