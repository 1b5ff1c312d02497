"""The symmetry of a CIF comes from its operations, symbols, number and cell together."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest
import spglib
from cifs import CHLORIDE, ROCKSALT, cif, counts, refused, remarks
from pymatgen.core import Lattice

from nucleate.io.cif import structure_from_cif
from nucleate.io.cif.settings import fits_metric, operations_key
from nucleate.io.cif.symmetry import readings_of
from nucleate.io.cif.text import DataBlock

CELLS = {
    "triclinic": (33, 36, 39, 80, 95, 105),
    "monoclinic a": (33, 36, 39, 100, 90, 90),
    "monoclinic b": (33, 36, 39, 90, 100, 90),
    "monoclinic c": (33, 36, 39, 90, 90, 100),
    "orthorhombic": (39, 45, 51, 90, 90, 90),
    "tetragonal": (45, 45, 57, 90, 90, 90),
    "hexagonal": (51, 51, 63, 90, 90, 120),
    "rhombohedral": (42, 42, 42, 80, 80, 80),
    "cubic": (66, 66, 66, 90, 90, 90),
}


def cell_of(number: int, choice: str) -> str:
    if number <= 2:
        return "triclinic"
    if number <= 15:
        return f"monoclinic {choice.strip('-')[0]}"
    if number <= 74:
        return "orthorhombic"
    if number <= 142:
        return "tetragonal"
    if number <= 194:
        return "rhombohedral" if choice == "R" else "hexagonal"
    return "cubic"


@cache
def truth(hall: int) -> frozenset[tuple[int, ...]]:
    table = spglib.get_symmetry_from_database(hall)
    return operations_key(table["rotations"], table["translations"])


def spellings(hall: int) -> dict[str, str]:
    """Symbols of a setting as spglib has them, and as they are typed: kind -> text."""
    kind = spglib.get_spacegroup_type(hall)
    full = kind.international_full.replace("_", "")
    short = re.sub(r" 1(?= |$)", "", full) if 3 <= kind.number <= 15 else kind.international.split("=")[-1].strip()
    out = {"full": full, "screws": kind.international_full, "short": short, "none": short.replace(" ", "")}
    out |= {"lower": short.lower(), "underscores": short.replace(" ", "_")}
    if kind.choice in ("1", "2", "H", "R"):
        letter = {"1": "S", "2": "Z"}.get(kind.choice, kind.choice)
        out |= {
            f"explicit {k}": f"{v}{mark}" for k, v in out.items() for mark in (f":{kind.choice}", f" :{kind.choice}")
        }
        out["explicit letter"] = f"{short.replace('_', '')} {letter}"
    elif kind.number >= 3:
        out["numbered"] = f"{short} (#{kind.number})"
    return out


def read(tag: str, value: str, cell: str):
    lattice = np.array(Lattice.from_parameters(*CELLS[cell]).matrix)
    return readings_of(DataBlock("x", {tag: [value]}, ()), lattice)


@cache
def meanings() -> dict[tuple[str, str], set[frozenset]]:
    """(spelling, cell) -> operations of all settings that bear it."""
    out: dict[tuple[str, str], set[frozenset]] = {}
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        for text in spellings(hall).values():
            out.setdefault((text, cell_of(kind.number, kind.choice)), set()).add(truth(hall))
    return out


def test_all_spellings_of_the_530_settings():
    wrong = []
    for hall in range(1, 531):
        kind = spglib.get_spacegroup_type(hall)
        cell = cell_of(kind.number, kind.choice)
        for name, text in spellings(hall).items():
            readings = read("_space_group_name_h-m_alt", text, cell)
            first = {r.key for r in readings if r.rank == 0}
            # one reading where the text says which; else only readings that have this symbol
            right = first == {truth(hall)} if name.startswith("explicit") else first <= meanings()[text, cell]
            # group 68 had other symbols before 1992, some of which are those of another setting today
            if not right and kind.number != 68:
                wrong.append((hall, text, [r.name for r in readings]))
        for text in (kind.hall_symbol, kind.hall_symbol.replace(" ", "_")):
            (reading,) = read("_space_group_name_hall", text, cell)
            if reading.key != truth(hall):
                wrong.append((hall, text, [reading.name]))
    assert not wrong


def test_numbers_alone_are_the_standard_setting():
    for number in range(1, 231):
        hall = next(h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == number)
        choice = spglib.get_spacegroup_type(hall).choice
        readings = read("_space_group_it_number", str(number), cell_of(number, choice))
        choices = {hall, hall + 1} if choice in ("1", "H") else {hall}
        assert {r.key for r in readings if r.rank == 0} <= {truth(h) for h in choices}, number


@pytest.mark.parametrize(
    "symbol",
    ["F m 3 m", "Fm3m", "fm-3m", "F 4/m -3 2/m", "Fm-3m (225)", "F m -3 m (#225)", "Fm-3m No. 225", "F m \u00af3 m"],
)
def test_rock_salt_by_many_names(symbol):
    assert counts(cif(CHLORIDE, f"_symmetry_space_group_name_H-M '{symbol}'")) == {"Na": 4, "Cl": 4}


@pytest.mark.parametrize(
    "said", ["_space_group_name_Hall '-F 4 2 3'", "_space_group_IT_number 225", "_symmetry_Int_Tables_number 225"]
)
def test_rock_salt_by_hall_symbol_or_number(said):
    assert counts(cif(CHLORIDE, said)) == {"Na": 4, "Cl": 4}


def test_a_name_that_is_not_known_is_never_p1():
    assert "'F m -3 q' is not understood" in refused(cif(CHLORIDE, "_space_group_name_H-M_alt 'F m -3 q'"))
    assert "not the number of a space group" in refused(cif(CHLORIDE, "_space_group_IT_number 231"))
    text = cif(CHLORIDE, "_space_group_name_H-M_alt 'F m -3 q'", "_space_group_IT_number 225")
    assert counts(text) == {"Na": 4, "Cl": 4} and "is not understood" in remarks(text)
    assert "gives no symmetry" in remarks(cif(CHLORIDE))


BISMUTH = {"cell": (4.7459, 4.7459, 4.7459, 57.23, 57.23, 57.23)}


@pytest.mark.parametrize("symbol", ["R -3 m", "R -3 m :R", "R-3mR", "R-3m:r", "R -3 m R"])
def test_rhombohedral_axes_by_the_cell(symbol):
    text = cif(["Bi1 Bi .2339 .2339 .2339"], f"_symmetry_space_group_name_H-M '{symbol}'", **BISMUTH)
    assert counts(text) == {"Bi": 2}


def test_hexagonal_axes_do_not_fit_a_rhombohedral_cell():
    text = cif(["Bi1 Bi .2339 .2339 .2339"], "_symmetry_space_group_name_H-M 'R -3 m :H'", **BISMUTH)
    assert counts(text) == {"Bi": 2} and "does not fit the cell" in remarks(
        text
    )  # the axes follow the cell, with a remark
    operations = "_symmetry_equiv_pos_as_xyz"
    text = cif(["Bi1 Bi 0 0 0"], "loop_", operations, "x,y,z", "-y,x-y,z", "y-x,-x,z", **BISMUTH)
    assert "do not fit its cell" in refused(text)


SPINEL = {"cell": (8.0832, 8.0832, 8.0832, 90, 90, 90)}
FIRST = ["Mg1 Mg 0 0 0", "Al1 Al .625 .625 .625", "O1 O .3874 .3874 .3874"]
SECOND = ["Mg1 Mg .125 .125 .125", "Al1 Al .5 .5 .5", "O1 O .2624 .2624 .2624"]
UNITS = ("_chemical_formula_sum 'Al2 Mg O4'", "_cell_formula_units_Z 8")


@pytest.mark.parametrize(
    ("rows", "symbol", "said"),
    [
        (FIRST, "F d -3 m S", ()),
        (FIRST, "F d -3 m :1", ()),
        (SECOND, "F d -3 m Z", ()),
        (SECOND, "Fd-3m:2", ()),
        (FIRST, "F d -3 m", UNITS),
        (SECOND, "F d -3 m", UNITS),
        (SECOND, "F d -3 m", UNITS[:1]),
        (SECOND, "F d -3 m", ("_space_group_IT_coordinate_system_code 2",)),
        (SECOND, "F d -3 m", ("_exptl_crystal_density_diffrn 3.58",)),
        (FIRST, "F d -3 m", ()),
        (SECOND, "F d -3 m", ()),
    ],
)
def test_the_origin_by_suffix_or_by_evidence(rows, symbol, said):
    text = cif(rows, f"_symmetry_space_group_name_H-M '{symbol}'", *said, **SPINEL)
    assert counts(text) == {"Mg": 8, "Al": 16, "O": 32}


def test_an_origin_that_stays_open_is_refused_with_both_readings():
    message = refused(cif(["Si1 Si .13 .27 .41"], "_space_group_IT_number 227", cell=(66, 66, 66, 90, 90, 90)))
    assert "more than one way" in message and ":1 (group 227)" in message and ":2 (group 227)" in message


def test_other_cell_choices_and_axes():
    zirconia = ["Zr1 Zr .7917 .0395 .0671", "O2 O .6553 .3317 .7253", "O3 O .5208 .7569 .9704"]
    cell = (6.78349, 5.2116, 5.1505, 90, 129.3118, 90)
    for said in (("P 21/n",), ("P21/n",), ("P 1 21/n 1",), ("P_21/n",)):
        text = cif(zirconia, f"_space_group_name_H-M_alt '{said[0]}'", "_symmetry_Int_Tables_number 14", cell=cell)
        structure = structure_from_cif(text).structure
        assert structure.density == pytest.approx(5.81, abs=0.01)
        lengths = structure.distance_matrix[np.triu_indices(12, 1)]
        assert lengths.min() == pytest.approx(2.052, abs=0.005)


def test_the_number_alone_tries_other_settings_where_the_standard_one_contradicts_the_file():
    perovskite = ["Ca1 Ca -.00676 .03602 .25", "Ti1 Ti 0 .5 0", "O1 O .0714 .4838 .25", "O2 O .7108 .2888 .0371"]
    cell, formula = (5.3796, 5.4423, 7.6401, 90, 90, 90), "_chemical_formula_sum 'Ca O3 Ti'"
    for symbol in ("P b n m", "Pbnm", "P 21/b 21/n 21/m"):
        text = cif(perovskite, f"_symmetry_space_group_name_H-M '{symbol}'", "_space_group_IT_number 62", cell=cell)
        assert counts(text) == {"Ca": 4, "Ti": 4, "O": 12}
    text = cif(perovskite, "_space_group_IT_number 62", formula, "_cell_formula_units_Z 4", cell=cell)
    try:
        assert counts(text) == {"Ca": 4, "Ti": 4, "O": 12} and "read as" in remarks(text)
    except Exception as error:  # several settings agree with the formula: then both are named
        assert "more than one way" in str(error)


FACES = ["x,y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z"]


@pytest.mark.parametrize(
    "operations",
    [
        FACES,
        [o.upper() for o in FACES],
        ["x,y,z", "x,.5+y,0.5+z", "1/2+x,y,1/2+z", "+x+1/2, y + 1/2, z"],
        ["x,y,z", "x,y+0.5000,z-1/2", "x+3/2,y,z+.5", "x-1/2,y-1/2,z"],
    ],
)
def test_operations_in_any_spelling(operations):
    listed = ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{o}'" for o in operations)]
    assert counts(cif(CHLORIDE, *listed)) == {"Na": 4, "Cl": 4}


@pytest.mark.parametrize("operation", ["x,y", "x,y,w", "x+0.11,y,z", "x,x,z", "1/0+x,y,z", "import os"])
def test_texts_that_are_no_symmetry_operations_are_refused(operation):
    listed = ["loop_", "_symmetry_equiv_pos_as_xyz", "'x,y,z'", f"'{operation}'"]
    assert f"'{operation}' is not a symmetry operation" in refused(cif(CHLORIDE, *listed))


@pytest.mark.parametrize("raises", [True, False])
def test_operations_that_are_no_group(raises, monkeypatch):
    monkeypatch.setattr("spglib.error.OLD_ERROR_HANDLING", not raises)  # phonopy sets this variable when it is imported
    listed = ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{o}'" for o in FACES[:3])]
    assert "do not form a space group" in refused(cif(CHLORIDE, *listed))


def test_a_name_that_contradicts_the_operations():
    one = "_symmetry_equiv_pos_as_xyz 'x,y,z'"
    message = refused(cif(CHLORIDE, ROCKSALT, one))
    assert "more than one way" in message
    known = cif(CHLORIDE, ROCKSALT, one, "_cell_formula_units_Z 4", "_chemical_formula_sum 'Na Cl'")
    assert counts(known) == {"Na": 4, "Cl": 4} and "the file names F m -3 m" in remarks(known)
    # all atoms are listed, with a symbol that generates no further ones
    rows = [f"{e}{x}{y}{z} {e} {(x + s) / 2} {y / 2} {z / 2}" for e, s in (("Na", 0), ("Cl", 1))
            for x, y, z in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))]  # fmt: skip
    assert counts(cif(rows, ROCKSALT, one)) == {"Na": 4, "Cl": 4}
    faces = ["loop_", "_symmetry_equiv_pos_as_xyz", *(f"'{o}'" for o in FACES)]
    other = cif(rows, "_symmetry_space_group_name_H-M 'P n m a'", "_space_group_IT_number 1", one)
    assert counts(other) == {"Na": 4, "Cl": 4} and "contradicts itself (P n m a, number 1)" in remarks(other)
    assert counts(cif(CHLORIDE, *faces)) == {"Na": 4, "Cl": 4}
    contradiction = cif(CHLORIDE, ROCKSALT, "_space_group_IT_number 221")
    assert "more than one way" in refused(contradiction) or "contradicts itself" in refused(contradiction)


def test_magnetic_files_keep_their_atoms():
    operations = ["loop_", "_space_group_symop_magn_operation.id", "_space_group_symop_magn_operation.xyz"]
    operations += ["1 x,y,z,+1", "2 x,y+1/2,z+1/2,-1", "3 x+1/2,y,z+1/2,-1", "4 x+1/2,y+1/2,z,+1"]
    assert counts(cif(CHLORIDE, *operations)) == {"Na": 4, "Cl": 4}


def test_structures_that_these_atoms_do_not_describe():
    assert "magnetic space group without its operations" in refused(
        cif(CHLORIDE, "_space_group_magn.name_BNS 'P_a n m a'")
    )
    wave = ["loop_", "_cell_wave_vector_seq_id", "_cell_wave_vector_x", "1 0.31"]
    assert "modulated" in refused(cif(CHLORIDE, ROCKSALT, *wave))


def test_multiplicities_of_the_file_choose_the_origin():
    columns = ("label", "type_symbol", "symmetry_multiplicity", "fract_x", "fract_y", "fract_z")
    text = cif(
        ["Si1 Si 8 0 0 0"],
        "_symmetry_space_group_name_H-M 'F d -3 m'",
        cell=(5.43, 5.43, 5.43, 90, 90, 90),
        columns=columns,
    )
    assert counts(text) == {"Si": 8}
    assert fits_metric(np.eye(3)[None], np.eye(3))
