"""What a file says beside its crystal must agree with it: symmetry, formula, weight, labels, units, counts."""

from __future__ import annotations

import copy
import gzip
import json

import pytest
from cifs import CHLORIDE, ROCKSALT, cif, counts, refused, remarks
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.io import read_structures
from nucleate.io.cif.settings import named_settings

LABELLED = ("label", "fract_x", "fract_y", "fract_z")
SALT = {"Na": 4, "Cl": 4}
ZIRCONIA = ["Zr1 Zr .2754 .0395 .2083", "O1 O .07 .3317 .3447", "O2 O .4496 .7569 .4792"]
MONOCLINIC = (5.1505, 5.2116, 5.3173, 90, 99.23, 90)
TITANATE = ["Ca1 Ca .9933 .0356 .25", "Ti1 Ti 0 .5 0", "O1 O .0714 .4838 .25", "O2 O .7108 .2888 .0371"]
BRUCITE = (3.142, 3.142, 4.766, 90, 90, 120)


def operations(*found: str, tag: str = "_symmetry_equiv_pos_as_xyz") -> str:
    return "\n".join(["loop_", tag, *(f"'{xyz}'" for xyz in found)])


def read(tmp_path, name: str, text: str | bytes):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_structures(tmp_path / name)


def refused_file(tmp_path, name: str, text: str | bytes) -> str:
    with pytest.raises(NucleateError) as error:
        read(tmp_path, name, text)
    return str(error.value)


@pytest.mark.parametrize("name", [r"Fm\bar{3}m", r"F m \bar 3 m", r"F m \overline{3} m", "F m -3 m, 225", "Fm-3m S"])
def test_names_of_groups_from_papers(name):
    assert counts(cif(CHLORIDE, f"_symmetry_space_group_name_H-M '{name}'")) == SALT


def test_axes_in_small_letters():
    assert [s.choice for s in named_settings("R -3 m h")] == ["H"]
    assert [s.choice for s in named_settings("R -3 m r")] == ["R"]


def test_operations_that_stand_twice_must_be_the_same():
    twice = operations("x,y,z", "-x,-y,-z", tag="_space_group_symop_operation_xyz")
    assert "occurs twice" in refused(cif(CHLORIDE, operations("x,y,z"), operations("x,y,z", "-x,-y,-z")))
    message = refused(cif(CHLORIDE, operations("x,y,z"), twice))
    assert "twice, and the lists differ" in message and "_space_group_symop_operation_xyz" in message
    assert counts(cif(CHLORIDE, operations("x,y,z", "-x,-y,-z"), twice)) == {"Na": 1, "Cl": 1}
    magnetic = operations("x,y,z,+1", "-x,-y,-z,-1", tag="_space_group_symop_magn_operation.xyz")
    assert "twice" in refused(cif(CHLORIDE, operations("x,y,z"), magnetic))


def test_operations_whose_products_are_missing_are_no_group():
    wrong = operations("x,y,z", "-x,-y,-z", "-x,y+1/3,1/2-z", "x,1/2-y,z+1/2")
    assert "do not form a space group" in refused(cif(ZIRCONIA, wrong, cell=MONOCLINIC))


@pytest.mark.parametrize("formula", ["K1+ Cl1-", "K+ Cl-", "K1 +, Cl1 -", "K Cl 1-", "Na Cl Br0.01"])
def test_formulas_with_charges_and_traces_are_held_against_the_sites(formula):
    assert "formula of the file" in refused(cif(CHLORIDE, ROCKSALT, f"_chemical_formula_sum '{formula}'"))


@pytest.mark.parametrize("formula", ["Na1+ Cl1-", "Na+ Cl-", "Na1 +, Cl1 -"])
def test_charges_in_a_formula_that_agrees(formula):
    assert counts(cif(CHLORIDE, ROCKSALT, f"_chemical_formula_sum '{formula}'")) == SALT


def test_one_hydrogen_of_a_large_formula_is_missed():
    rows = [f"C{i} C {i % 10 / 10} {i // 10 / 10} .1" for i in range(100)]
    rows += [f"H{i} H {i % 10 / 10} {i // 10 / 10} .6" for i in range(99)]
    text = cif(
        rows, "_symmetry_space_group_name_H-M 'P 1'", "_chemical_formula_sum 'C100 H100'", cell=(30,) * 3 + (90,) * 3
    )
    assert "C100 H99" in refused(text)


def test_a_formula_weight_tells_where_no_formula_stands():
    weight = "_chemical_formula_weight 58.44"
    assert counts(cif(CHLORIDE, ROCKSALT, weight)) == SALT
    assert counts(cif(CHLORIDE, ROCKSALT, weight, "_cell_formula_units_Z 4")) == SALT
    assert "formula weight of 74.55" in refused(cif(CHLORIDE, ROCKSALT, "_chemical_formula_weight 74.55"))


def test_a_moiety_tells_where_no_formula_stands():
    assert "formula of the file" in refused(cif(CHLORIDE, ROCKSALT, "_chemical_formula_moiety 'K Cl'"))


def test_a_number_alone_is_no_setting_whose_atoms_are_impossible():
    text = cif(TITANATE, "_symmetry_Int_Tables_number 62", cell=(5.3796, 5.4423, 7.6401, 90, 90, 90))
    message = refused(text)
    assert "P 21/b 21/n 21/m" in message and "more than one way" in message and "name of the setting" in message


def test_atoms_nearer_than_any_two_are_refused_with_their_rows():
    message = refused(cif([*CHLORIDE, "K1 K 0 0 .03"], ROCKSALT))
    assert "(K1)" in message and "0.17 angstrom" in message


def test_axes_that_contradict_the_cell_are_taken_only_where_the_atoms_agree():
    hexagonal = {"cell": (4.546, 4.546, 11.862, 90, 90, 120)}
    name = "_symmetry_space_group_name_H-M 'R -3 m :R'"
    assert "closer than any bond" in refused(cif(["Bi1 Bi .234 .234 .234"], name, **hexagonal))
    assert counts(cif(["Bi1 Bi 0 0 .234"], name, **hexagonal)) == {"Bi": 6}


@pytest.mark.parametrize(
    "label",
    [
        "O1W",
        "O1H",
        "O-H",
        "O(W)",
        "O_h",
        "O2w",
        "N-H4",
        "Na/K",
        "Na,K",
        "Na0.5K0.5",
        "Si,Al",
        "Si1Al",
        "Fe(Mg)",
        "Al-Si",
        "Na1Vac",
        "S-O4",
        "S1O4",
    ],
)
def test_a_label_that_names_further_atoms_needs_the_formula(label):
    assert "row 1 of the atom loop" in refused(
        cif([f"{label} 0 0 0", CHLORIDE[1][:3] + " .5 .5 .5"], ROCKSALT, columns=LABELLED)
    )


@pytest.mark.parametrize("label", ["O1A", "O1S", "O_M1", "O(1)", "O2-", "O1'", "O1_b", "O1*"])
def test_a_label_with_a_suffix_is_its_element(label):
    rows = [f'"{label}" 0 0 0', "Mg1 .5 .5 .5"]
    assert counts(cif(rows, ROCKSALT, columns=LABELLED, cell=(4.21,) * 3 + (90,) * 3)) == {"O": 4, "Mg": 4}


@pytest.mark.parametrize("label", ["OH1", "Wat1", "OW", "O-H", "O1W", "H2O"])
def test_an_oxygen_that_its_label_calls_hydroxide_or_water(label):
    name, rows = "_symmetry_space_group_name_H-M 'P -3 m 1'", ["Mg1 Mg 0 0 0", f"{label} O .3333 .6667 .22"]
    assert "the file has no hydrogens" in refused(cif(rows, name, cell=BRUCITE))
    assert counts(cif([*rows, "H1 H .3333 .6667 .43"], name, cell=BRUCITE)) == {"Mg": 1, "O": 2, "H": 2}
    assert counts(cif(rows, name, "_chemical_formula_sum 'Mg O2'", cell=BRUCITE)) == {"Mg": 1, "O": 2}


@pytest.mark.parametrize("symbol", ["Fe2.5+", "Fe2.67+", "Fe+0.5"])
def test_charges_with_decimals(symbol):
    assert counts(cif([f"Fe1 {symbol} 0 0 0", CHLORIDE[1]], ROCKSALT)) == {"Fe": 4, "Cl": 4}


def test_the_columns_of_a_site_stand_in_one_loop():
    text = cif(["Na1 0 0 0", "Cl1 .5 .5 .5"], ROCKSALT, columns=LABELLED) + "loop_\n_atom_site_type_symbol\nCl\nNa\n"
    assert "must be a column of the loop" in refused(text)


def test_one_disorder_group():
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "disorder_group")
    rows = [f"{CHLORIDE[0]} .", f"{CHLORIDE[1]} 1"]
    assert "disorder group 1" in remarks(cif(rows, ROCKSALT, columns=columns))
    assert "disorder group -1" in refused(cif([rows[0], f"{CHLORIDE[1]} -1"], ROCKSALT, columns=columns))


def test_multiplicities_that_are_others():
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "symmetry_multiplicity")
    text = cif([f"{CHLORIDE[0]} 8", f"{CHLORIDE[1]} 4"], ROCKSALT, columns=columns)
    assert "(Na1) gives 4 atoms, but the file says 8" in remarks(text)


@pytest.mark.parametrize(
    "tag",
    [
        "_cell_subsystems_number 2",
        "_atom_site_displace_Fourier_id 1",
        "_space_group_symop_magn_ssg_centering.xyz x1,x2,x3,x4,+1",
    ],
)
def test_modulated_structures(tag):
    assert "modulated" in refused(cif(CHLORIDE, ROCKSALT, tag))


def test_the_end_of_a_text_of_dos():
    assert counts(cif(CHLORIDE, ROCKSALT) + "\x1a") == SALT


XYZ = """2
Lattice="4.1 0 0 0 4.1 0 0 0 4.1" Properties=species:S:1:pos:R:3
Cs 0 0 0
Cl 2.05 2.05 2.05
"""


@pytest.mark.parametrize("said", ["unit=bohr", "length_unit=Bohr", 'units="nm"', "units=a.u."])
def test_other_units_of_extxyz(tmp_path, said):
    assert "angstrom" in refused_file(tmp_path, "a.extxyz", XYZ.replace(" Prop", f" {said} Prop"))
    assert read(tmp_path, "a.extxyz", XYZ.replace(" Prop", " units=metal energy_units=au Prop")).structures


def test_two_cells_of_extxyz(tmp_path):
    assert "twice" in refused_file(tmp_path, "a.extxyz", XYZ.replace(" Prop", ' cell="5 0 0 0 5 0 0 0 5" Prop'))


def test_numbers_as_names_of_extxyz(tmp_path):
    found = read(tmp_path, "a.extxyz", XYZ.replace("Cs", "1").replace("Cl", "2"))
    assert "atomic numbers: 1 as H, 2 as He" in str(found.remarks[0])


def test_occupancies_of_extxyz(tmp_path):
    text = XYZ.replace("pos:R:3", "pos:R:3:occupancy:R:1").replace("0 0 0\nCl", "0 0 0 1\nCl")
    assert "line 4: partial occupancy" in refused_file(tmp_path, "a.extxyz", text[:-1] + " 0.5\n")
    assert read(tmp_path, "a.extxyz", text[:-1] + " 1.0\n").structures


def test_angles_of_a_dictionary(tmp_path):
    values = copy.deepcopy(Structure(Lattice.cubic(4.1), ["Cs", "Cl"], [[0] * 3, [0.5] * 3]).as_dict())
    values["lattice"]["gamma"] = 120.0
    assert "alpha, beta, gamma are 90, 90, 120" in refused_file(tmp_path, "a.json", json.dumps(values))


@pytest.mark.parametrize("end", ["K", "K1", "K+", "K1+"])
def test_ends_of_poscar_lines(tmp_path, end):
    text = f"x\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0 {end}\n.5 .5 .5\n"
    assert "ends in K" in refused_file(tmp_path, "POSCAR", text)


def test_packed_files_by_another_name(tmp_path):
    text = gzip.compress(b"x\n1\n4 0 0\n0 4 0\n0 0 4\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n")
    assert "does not end in .gz" in refused_file(tmp_path, "POSCAR", text)


RES = """TITL x
CELL 0.71073 4.1 4.1 4.1 90 90 90
LATT -1
SFAC Cs Cl
UNIT 1 1
Cs1 1 0 0 0 11.0 0.05
Cl1 2 0.5 0.5 0.5 11.0 0.05 0.05 =
 0.05 0 0 0
END
"""


def test_shelx_files_inside_a_cif(tmp_path):
    assert str(read(tmp_path, "a.res", RES).structures[0].structure.composition) == "Cs1 Cl1"
    for old, new, said in (
        ("LATT -1\n", "", "no line LATT"),
        ("UNIT 1 1", "UNIT 4 8", "UNIT says Cs4 Cl8"),
        ("END", "Q1 1 .25 .25 .25 11.0 0.05 2.3\nEND", "the label is Q1"),
        ("Cl1", "X1", "the label is X1"),
    ):
        assert said in refused_file(tmp_path, "a.res", RES.replace(old, new))


def _table(tmp_path, *cells: str):
    text = cif(CHLORIDE, ROCKSALT)
    rows = "".join(f'a{i},"{text}","{cell}"\n' for i, cell in enumerate(cells))
    return read(tmp_path, "a.csv", f"id,cif,gap\n{rows}")


@pytest.mark.parametrize("cell", ["1.23(4)", "\u22121.5", "1.2\u00b10.1", "<0.1", "5%", "~1", "1.5*", "$5", "1'234.5"])
def test_columns_that_were_meant_as_numbers_are_named(tmp_path, cell):
    assert "column 'gap' is text" in str(_table(tmp_path, cell, cell).remarks[0])


@pytest.mark.parametrize("cell", ["\u2014", "n.d.", "...", "#DIV/0!", "unknown"])
def test_more_words_for_nothing(tmp_path, cell):
    found = _table(tmp_path, cell, "1.5")
    assert "no number in some rows" in str(found.remarks[0]) and found.structures[1].info["gap"] == 1.5


def test_two_columns_of_crystals(tmp_path):
    text = cif(CHLORIDE, ROCKSALT)
    assert "two columns of crystals" in refused_file(tmp_path, "a.csv", f'cif,CIF\n"{text}","{text}"\n')
    assert "not from 'structure'" in str(read(tmp_path, "a.csv", f'cif,structure\n"{text}",x\n').remarks[0])


@pytest.mark.parametrize(("symbol", "element"), [("7Li", "Li"), ("11B", "B"), ("62Ni", "Ni")])
def test_isotopes_of_neutron_papers(symbol, element):
    text = cif([f"{element}1 {symbol} 0 0 0", CHLORIDE[1]], ROCKSALT)
    assert counts(text) == {element: 4, "Cl": 4} and "isotope" in remarks(text)
    assert "is not an element" in refused(cif([f"{element}1 999{element} 0 0 0", CHLORIDE[1]], ROCKSALT))


def test_the_group_of_a_parent_is_none_of_the_crystal():
    assert "parent" in refused(cif(CHLORIDE, "_parent_space_group.name_H-M_alt 'F m -3 m'"))


def test_a_density_that_lacks_the_hydrogens():
    rows = ["Mg1 Mg 0 0 0", "O1 O .3333 .6667 .2216"]
    said = "_exptl_crystal_density_diffrn 2.377"
    assert "the file says 2.377" in remarks(cif(rows, "_symmetry_space_group_name_H-M 'P -3 m 1'", said, cell=BRUCITE))


def test_signs_and_spaces_of_documents():
    assert counts(cif([CHLORIDE[0], "Cl1\u00a0Cl \u22120.5 .5 .5"], ROCKSALT)) == SALT


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_a_file_that_is_not_packed(tmp_path, ending):
    assert f"not packed, though its name ends in {ending}" in refused_file(tmp_path, f"a.cif{ending}", cif(CHLORIDE))


def test_words_of_refusals(tmp_path):
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    message = refused(cif([f"{row} 0" for row in CHLORIDE], ROCKSALT, columns=columns))
    assert "no sites are left; row 1 of the atom loop (Na1) is left out: its occupancy is 0" in message
    assert "quotation marks" in refused(cif(CHLORIDE, "loop_\n_symmetry_equiv_pos_as_xyz\nx, y, z"))
    assert "(no data_ block): 'NaCl.cif'" in refused_file(tmp_path, "a.csv", "id,cif\na,NaCl.cif\n")
