"""Every row of a CIF is a site or a problem, and statements of the file about the same thing must agree."""

from __future__ import annotations

import numpy as np
import pytest
from cifs import CHLORIDE, ROCKSALT, cif, counts, refused, remarks
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from nucleate.io import read_structures
from nucleate.io.cif import structure_from_cif

LABELLED = ("label", "fract_x", "fract_y", "fract_z")
OCCUPIED = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")


@pytest.mark.parametrize("occupancy", ["1", ".", "?", "1.0", "1.000(3)", "1.00002"])
def test_an_occupancy_that_is_not_given_is_one(occupancy):
    rows = [f"{row} {occupancy}" for row in CHLORIDE]
    assert counts(cif(rows, ROCKSALT, columns=OCCUPIED)) == {"Na": 4, "Cl": 4}


@pytest.mark.parametrize("occupancy", ["0.99", "0.5(1)", "1.01", "full", "0,5"])
def test_other_occupancies_are_refused_with_the_row(occupancy):
    rows = [f"{CHLORIDE[0]} 1", f"{CHLORIDE[1]} {occupancy}"]
    message = refused(cif(rows, ROCKSALT, columns=OCCUPIED))
    assert "row 2 of the atom loop (Cl1)" in message and "occupancy" in message and occupancy in message


def test_a_row_that_is_no_atom_is_left_out_with_a_remark():
    text = cif([*(f"{r} 1" for r in CHLORIDE), "K1 K 0 0 0 0"], ROCKSALT, columns=OCCUPIED)
    assert counts(text) == {"Na": 4, "Cl": 4} and "row 3 of the atom loop (K1) is left out" in remarks(text)
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "calc_flag")
    text = cif([*(f"{r} d" for r in CHLORIDE), "Cg1 C .1 .2 .3 dum"], ROCKSALT, columns=columns)
    assert counts(text) == {"Na": 4, "Cl": 4} and "dummy" in remarks(text)


@pytest.mark.parametrize(
    "symbol", ["OH", "M", "0.5Na+0.5K", "Q", "Wat", "Va", "Vac", "Cg", "H2O", "Na/K", "Fe,Co", "Me", "X", "Og"]
)
def test_a_symbol_that_is_no_element_is_refused(symbol):
    message = refused(cif([*CHLORIDE, f"Z9 {symbol} .25 .25 .25"], ROCKSALT))
    assert "row 3 of the atom loop (Z9)" in message and symbol in message


@pytest.mark.parametrize(
    ("symbol", "element"),
    [("Na1+", "Na"), ("Na+", "Na"), ("Na+1", "Na"), ("NA", "Na"), ("na", "Na"), ("Na0+", "Na"), ("Na1", "Na")],
)
def test_charges_and_case_of_symbols(symbol, element):
    assert counts(cif([f"Q1 {symbol} 0 0 0", CHLORIDE[1]], ROCKSALT)) == {element: 4, "Cl": 4}


@pytest.mark.parametrize("symbol", ["D", "T", "2H"])
def test_isotopes_are_hydrogen_with_a_remark(symbol):
    text = cif([f"D1 {symbol} 0 0 0", CHLORIDE[1]], ROCKSALT)
    assert counts(text) == {"H": 4, "Cl": 4} and "taken as hydrogen" in remarks(text)


@pytest.mark.parametrize(
    "label", ["Wat1", "Vac", "Q1", "M1", "OH", "OW1", "HO1", "CO1", "SI1", "W1", "H2O", "NH4", "Cal1", "T1", "?"]
)
def test_a_label_alone_that_can_be_read_in_two_ways_is_refused(label):
    message = refused(cif([f"{label} 0 0 0", "Cl1 .5 .5 .5"], ROCKSALT, columns=LABELLED))
    assert "row 1 of the atom loop" in message


@pytest.mark.parametrize(
    ("label", "element"), [("Na1", "Na"), ("MG1", "Mg"), ("Fe", "Fe"), ("Na(1)", "Na"), ("Co1A", "Co"), ("Pb2+", "Pb")]
)
def test_a_label_that_begins_with_its_element(label, element):
    assert counts(cif([f"{label} 0 0 0", "Cl1 .5 .5 .5"], ROCKSALT, columns=LABELLED)) == {element: 4, "Cl": 4}


BRUCITE = {"cell": (3.142, 3.142, 4.766, 90, 90, 120), "columns": LABELLED}
HYDROXIDE = ["MG1 0 0 0", "OX1 .33333 .66667 .2216", "HO1 .33333 .66667 .4300"]


def test_the_formula_decides_doubtful_labels():
    named = "_symmetry_space_group_name_H-M 'P -3 m 1'"
    text = cif(HYDROXIDE, named, "_chemical_formula_sum 'H2 Mg O2'", **BRUCITE)
    assert counts(text) == {"Mg": 1, "O": 2, "H": 2} and "HO1) is taken as H, by the formula" in remarks(text)
    holmium = cif(["HO1 0 0 0", "Cl1 .5 .5 .5"], ROCKSALT, "_chemical_formula_sum 'Cl Ho'", columns=LABELLED)
    assert counts(holmium) == {"Ho": 4, "Cl": 4}
    water = cif(["OW1 0 0 0"], ROCKSALT, "_chemical_formula_sum 'H2 O'", columns=LABELLED)
    assert "the formula of the file is H2 O" in refused(water)


def test_a_type_symbol_against_its_label_is_remarked():
    text = cif(["Na1 K 0 0 0", CHLORIDE[1]], ROCKSALT)
    assert counts(text) == {"K": 4, "Cl": 4} and "the type symbol is K, but the label is Na1" in remarks(text)
    said = "_chemical_formula_sum 'Na Cl'"
    assert "the formula of the file is Na Cl" in refused(cif(["Na1 K 0 0 0", CHLORIDE[1]], ROCKSALT, said))


@pytest.mark.parametrize("formula", ["'Na Cl K0.5'", "'Cl H2 Na O'", "'Na2 Cl'", "'NA2 CL'"])
def test_the_formula_must_agree(formula):
    assert "the formula of the file" in refused(cif(CHLORIDE, ROCKSALT, f"_chemical_formula_sum {formula}"))


@pytest.mark.parametrize("formula", ["'Cl Na'", "'NA CL'", "'Na4 Cl4'", "ClNa", "'Na2 Cl2'", "'Na1.0 Cl1.0'"])
def test_formulas_of_one_or_more_units(formula):
    text = cif(CHLORIDE, ROCKSALT, f"_chemical_formula_sum {formula}")
    assert counts(text) == {"Na": 4, "Cl": 4} and not remarks(text)


def test_an_unreadable_formula_is_reported():
    assert "cannot be read" in remarks(cif(CHLORIDE, ROCKSALT, "_chemical_formula_sum 'not known'"))


def test_formulas_with_brackets_and_water_are_compared():
    for formula in ("'(Na Cl)'", "'Na(Cl)'", "'[Na] [Cl]'"):
        assert counts(cif(CHLORIDE, ROCKSALT, f"_chemical_formula_structural {formula}")) == {"Na": 4, "Cl": 4}
    assert "the formula of the file" in refused(cif(CHLORIDE, ROCKSALT, "_chemical_formula_sum 'Na Cl, 2(H2 O)'"))


def test_sites_must_make_z_formula_units():
    formula = "_chemical_formula_sum 'Na Cl'"
    assert counts(cif(CHLORIDE, ROCKSALT, formula, "_cell_formula_units_Z 4")) == {"Na": 4, "Cl": 4}
    assert "Z = 4" in refused(cif(CHLORIDE, formula, "_cell_formula_units_Z 4"))
    assert "Z = 2" in refused(cif(CHLORIDE, ROCKSALT, formula, "_cell_formula_units_Z 2"))
    assert "(Z)" in refused(cif(CHLORIDE, "_cell_formula_units_Z 4"))
    written = CifWriter(
        Structure(Lattice.cubic(4), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
    )  # all atoms are listed, and Z is given as well
    assert counts(str(written)) == {"Cs": 1, "Cl": 1}


def test_a_cif_cut_short_is_not_a_smaller_crystal():
    carbon = Structure(Lattice.cubic(6), ["C"] * 5, np.random.default_rng(0).random((5, 3)))
    lines = str(CifWriter(carbon)).rstrip().splitlines()
    assert "Z = 5" in refused("\n".join(lines[:-1]) + "\n")
    assert "line" in refused("\n".join(lines)[:-12])


def test_hidden_hydrogens_are_a_problem():
    columns = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "attached_hydrogens")
    assert counts(cif([f"{r} 0" for r in CHLORIDE], ROCKSALT, columns=columns)) == {"Na": 4, "Cl": 4}
    message = refused(cif([f"{CHLORIDE[0]} 0", "O1 O .5 .5 .5 2"], ROCKSALT, columns=columns))
    assert "row 2 of the atom loop (O1) has 2 attached hydrogens" in message


def test_two_elements_on_one_place_are_refused_and_one_atom_written_twice_is_merged():
    assert "row 1 of the atom loop (Na1) and row 3 of the atom loop (K1) are at the same place" in refused(
        cif([*CHLORIDE, "K1 K 0 0 0"], ROCKSALT)
    )
    text = cif([*CHLORIDE, "Na2 Na 0.5 0.5 0"], ROCKSALT)
    assert counts(text) == {"Na": 4, "Cl": 4} and "repeats an atom of row 1" in remarks(text)
    groups = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "disorder_group")
    assert "disorder groups" in refused(cif(["Na1 Na 0 0 0 A", "Na2 Na .5 .5 .5 B"], columns=groups))


def test_all_atoms_beside_the_symmetry_stay_in_their_order():
    salt = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    order = np.random.default_rng(3).permutation(8)
    rows = [f"X{i} {salt[i].specie} {' '.join(map(str, salt[i].frac_coords))}" for i in order]
    structure = structure_from_cif(cif(rows, ROCKSALT)).structure
    assert [s.specie.symbol for s in structure] == [salt[i].specie.symbol for i in order]
    assert np.allclose(structure.frac_coords, salt.frac_coords[order])


def test_sites_stay_in_the_order_of_the_file():
    rows = ["O1 O .5 0 0", "Sr1 Sr .5 .5 .5", "O2 O 0 .5 0", "Ti1 Ti 0 0 0", "O3 O 0 0 .5"]
    for said in ("_symmetry_space_group_name_H-M 'P 1'", "_symmetry_equiv_pos_as_xyz 'x,y,z'"):
        structure = structure_from_cif(cif(rows, said, cell=(3.9, 3.9, 3.9, 90, 90, 90))).structure
        assert [s.specie.symbol for s in structure] == ["O", "Sr", "O", "Ti", "O"]


def test_coordinates_near_special_positions():
    # beta-quartz with four digits; with two; and a row whose images are neither one atom nor two
    cell = (4.9965, 4.9965, 5.4570, 90, 90, 120)
    for oxygen in ("0.2072 0.4145 0.5", "0.21 0.41 0.5"):
        text = cif(["Si1 Si 0.5 0 0", f"O1 O {oxygen}"], "_symmetry_space_group_name_H-M 'P 62 2 2'", cell=cell)
        assert counts(text) == {"Si": 3, "O": 6}
    x, y, _ = structure_from_cif(text).structure[3].frac_coords
    assert y == pytest.approx(2 * x, abs=1e-12)  # exactly on the special position


@pytest.mark.parametrize(
    "row", ["Na1 Na 0 0 ?", "Na1 Na 0 0 .", "Na1 Na 0 0 0,5", "Na1 Na 0 0 nan", "Na1 Na 0 0 1_0", "Na1 Na 0 0 inf"]
)
def test_coordinates_that_are_no_numbers(row):
    assert "row 1 of the atom loop (Na1): _atom_site_fract_z" in refused(cif([row, CHLORIDE[1]], ROCKSALT))


def test_coordinates_in_angstrom_are_suspected():
    assert "are they fractions of the cell?" in remarks(
        cif([CHLORIDE[0], "Cl1 Cl 2.82 2.82 2.82"], "_space_group_IT_number 1")
    )


def test_files_that_would_take_all_memory_are_refused_at_once():
    assert "is not a fraction" in refused(cif([CHLORIDE[0], "Cl1 Cl .5 .5 0300000000"], ROCKSALT))
    assert "is not a fraction" in refused(cif([CHLORIDE[0], "Cl1 Cl .5 .5 3e8"], "_space_group_IT_number 1"))
    thin = cif(CHLORIDE, "_space_group_IT_number 1", cell=(5.64, 5.64, 0.0564, 90, 90, 90))
    assert "less than any atom" in refused(thin)
    assert "less than any atom" in refused(cif(CHLORIDE, "_space_group_IT_number 1", cell=(900, 900, 5, 90, 90, 0.01)))


def test_coordinates_as_fractions_and_with_uncertainties():
    assert counts(cif(["Na1 Na 0 0 0.0000(12)", "Cl1 Cl 1/2 1/2 1/2"], ROCKSALT)) == {"Na": 4, "Cl": 4}


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ((5.64, "?", 5.64, 90, 90, 90), "_cell_length_b is not given"),
        (("5,64", 5.64, 5.64, 90, 90, 90), "decimal comma"),
        ((0, 5.64, 5.64, 90, 90, 90), "the cell is impossible"),
        ((5.64, 5.64, 5.64, 90, 90, 180), "the cell is impossible"),
        ((5.64, 5.64, 5.64, 30, 30, 90), "no cell can have the angles"),
        ((5.64, 5.64, 6.0, 90, 90, 90), "does not fit the cell"),
        ((5.64, 5.64, 5.64, 90, 90, 120), "does not fit the cell"),
    ],
)
def test_impossible_cells_are_refused(cell, said):
    assert said in refused(cif(CHLORIDE, ROCKSALT, cell=cell))


def test_volume_and_density_of_the_file_are_compared():
    assert not remarks(cif(CHLORIDE, ROCKSALT, "_cell_volume 179.4(2)", "_exptl_crystal_density_diffrn 2.164"))
    assert "the file says 160" in remarks(cif(CHLORIDE, ROCKSALT, "_cell_volume 160"))
    assert "g/cm3" in remarks(cif(CHLORIDE, ROCKSALT, "_exptl_crystal_density_diffrn 3.1"))


# --- the grammar -----------------------------------------------------------------------------------------------------


def test_text_that_looks_like_something_else():
    text = cif(CHLORIDE, ROCKSALT, "_publ_section_title", ";", "data_of this kind", "loop_", "_atom_site_label", ";")
    assert counts(text) == {"Na": 4, "Cl": 4}
    assert counts(cif(CHLORIDE, ROCKSALT, "_publ_author_name 'O'Brien, J.'")) == {"Na": 4, "Cl": 4}
    assert counts(text.replace("_cell_length_a", "_Cell_Length_A").replace("data_x", "DATA_X")) == {"Na": 4, "Cl": 4}
    assert counts(text.replace("_cell_", "_cell.").replace("_atom_site_", "_atom_site.")) == {"Na": 4, "Cl": 4}
    assert counts(text.replace("\n", "\r\n")) == {"Na": 4, "Cl": 4}
    assert counts(text.replace("Cl1 Cl 0.5", "Cl1 Cl\n 0.5")) == {"Na": 4, "Cl": 4}


def test_a_row_with_a_value_too_many_names_its_line():
    text = cif(["Na1 Na 0 0 0 0.01", CHLORIDE[1]], ROCKSALT)
    line = next(i for i, x in enumerate(text.split("\n"), start=1) if x.startswith("Na1"))
    assert f"line {line} of the file has 6 values, but the loop has 5 columns" in refused(text)
    assert "_cell_length_a occurs twice" in refused(cif(CHLORIDE, ROCKSALT, "_cell_length_a 5.9"))
    said = ("_chemical_formula_sum 'Na Cl'", "_chemical_formula_sum ''", "_journal_year 1963", "_journal_year 1964")
    assert counts(cif(CHLORIDE, ROCKSALT, *said)) == {"Na": 4, "Cl": 4}
    assert "needs quotation marks" in refused(cif(CHLORIDE, ROCKSALT, "_pd_phase_name rock salt"))
    assert "not closed" in refused(cif(CHLORIDE, ROCKSALT, "_publ_section_title", ";", "never closed"))


def test_a_broken_block_leaves_the_others(tmp_path):
    good, broken = cif(CHLORIDE, ROCKSALT), cif(["Na1 Na 0 0"], ROCKSALT)
    path = tmp_path / "a.cif"
    path.write_text(good.replace("data_x", "data_a") + broken.replace("data_x", "data_b") + good)
    result = read_structures([path])
    assert [n.name for n in result.structures] == ["a-a", "a-x"] and [p.row for p in result.problems] == [2]
    line = next(i for i, row in enumerate(path.read_text().split("\n"), start=1) if row == "Na1 Na 0 0")
    assert f"line {line} of the file" in str(result.problems[0])


def test_utf16(tmp_path):
    (tmp_path / "a.cif").write_bytes(cif(CHLORIDE, ROCKSALT).encode("utf-16"))
    assert len(read_structures([tmp_path / "a.cif"]).structures) == 1
