"""Which elements of a crystal are anions and are corrected as such."""

from __future__ import annotations

import pytest
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedStructureEntry

from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.anions import anions_by_bonds, carried_states, likeliest_states
from nucleate.pipeline.candidate import UNKNOWN, Candidate, Energy
from nucleate.pipeline.corrections import known_correction, mp2020_correction
from nucleate.pipeline.method import EnergyMethod
from nucleate.stages.hull import HullStage

RAW = "net 1 (PBE+U, uncorrected)"


def apart(formula: str, side: float = 40.0) -> Structure:
    """Atoms too far apart for bonds, so that only the composition counts."""
    species = [e.symbol for e, n in Composition(formula).items() for _ in range(int(n))]
    places = [[x / 6, y / 6, z / 6] for x in range(6) for y in range(6) for z in range(6)]
    return Structure(Lattice.cubic(side), species, places[: len(species)])


@pytest.mark.parametrize(
    "formula",
    ["NaCl", "Fe3O4", "Ag2HgI4", "BiOCl", "KMnO4", "NaClO4", "Ca2PO4F", "NH4NO3", "LaHO", "Mn4N", "Sr2Cu2O2Cl2"],
)
def test_likeliest_states_are_those_of_pymatgen(formula: str) -> None:
    counts = {e: int(n) for e, n in Composition(formula).reduced_composition.get_el_amt_dict().items()}
    theirs = Composition(counts).oxi_state_guesses(max_sites=-20)
    assert likeliest_states(counts) == (dict(theirs[0]) if theirs else {})


def test_any_number_of_atoms_gets_states() -> None:
    states = likeliest_states({"Na": 8, "Al": 6, "Si": 6, "O": 24, "Cl": 2})  # sodalite
    assert states == {"Na": 1, "Al": 3, "Si": 4, "O": -2, "Cl": -1}
    many = likeliest_states({"Na": 80, "Al": 60, "Si": 60, "O": 240, "Cl": 23, "Fe": 1})
    assert many["O"] == -2 and many["Cl"] == -1
    assert likeliest_states({"Na": 2, "Cl": 1}) == {}


@pytest.mark.parametrize(
    ("formula", "parts"),
    [
        ("Li10B14Cl2O25", {"oxide": 25 * -0.687, "Cl": 2 * -0.614}),
        ("Na8Al6Si6Cl2O24", {"oxide": 24 * -0.687, "Cl": 2 * -0.614}),
        ("Ca10P6O24F2", {"oxide": 24 * -0.687, "F": 2 * -0.462}),
        ("Mg3B7O13I", {"oxide": 13 * -0.687, "I": -0.379}),
        ("Pb5P3O12Br", {"oxide": 12 * -0.687, "Br": -0.534}),
        ("Y10Si6O24N2", {"oxide": 24 * -0.687, "N": 2 * -0.361}),
    ],
)
def test_every_anion_of_a_large_formula_is_corrected(formula: str, parts: dict[str, float]) -> None:
    structure = apart(formula)
    wanted = {f"anion correction ({name})": value / len(structure) for name, value in parts.items()}
    assert mp2020_correction(structure, plus_u=False).parts == pytest.approx(wanted)


def test_states_that_a_structure_carries_come_first() -> None:
    structure = apart("Fe2Cl2O")
    charged = structure.copy().add_oxidation_state_by_element({"Fe": 2, "Cl": -1, "O": -2})
    assert carried_states(charged) == {"Fe": 2, "Cl": -1, "O": -2}
    entry = ComputedStructureEntry(structure, 0.0, parameters={"run_type": "GGA", "software": "other"})
    entry.data["oxidation_states"] = carried_states(charged)
    done = MaterialsProject2020Compatibility("GGA", check_potcar=False).process_entry(entry)
    assert done is not None
    assert mp2020_correction(charged, plus_u=False).total == pytest.approx(done.correction_per_atom)
    zero = structure.copy().add_oxidation_state_by_element({"Fe": 0, "Cl": 0, "O": 0})
    assert carried_states(zero) == carried_states(structure) == {}  # states that are all zero do not count


def cell(*atoms: tuple[str, float, float, float]) -> Structure:
    """Atoms at positions in angstrom in a tall cell; those that are near each other are bonded."""
    places = [a[1:] for a in atoms]
    return Structure(Lattice.orthorhombic(8, 8, 14), [a[0] for a in atoms], places, coords_are_cartesian=True)


def test_without_balanced_states_bonds_tell_a_halide() -> None:
    chloride = cell(("Sm", 0, 0, 0), ("O", 2.3, 0, 0), ("O", 0, 2.3, 0), ("Cl", 0, 0, 2.9))
    assert likeliest_states(counts(chloride)) == {} and anions_by_bonds(chloride, ["Cl"]) == {"Cl": True}
    assert mp2020_correction(chloride).parts["anion correction (Cl)"] == pytest.approx(-0.614 / 4)
    chlorate = cell(("Cs", 0, 0, 0), ("Cl", 0, 0, 4), ("O", 1.3, 0, 4.6), ("O", -0.6, 1.1, 4.6), ("O", -0.6, -1.1, 4.6))
    assert likeliest_states(counts(chlorate)) == {} and anions_by_bonds(chlorate, ["Cl"]) == {"Cl": False}
    assert list(mp2020_correction(chlorate).parts) == ["anion correction (oxide)"]


def counts(structure: Structure) -> dict[str, int]:
    return {e.symbol: int(n) for e, n in structure.composition.items()}


def perchlorate() -> Structure:
    """The surroundings of chlorine in ammonium perchlorate; the likeliest states of its formula have Cl-."""
    corners = ((1, 1, 1), (-1, -1, 1), (-1, 1, -1), (1, -1, -1))
    hydrogen = [("H", 0.6 * x, 0.6 * y, 0.6 * z) for x, y, z in corners]
    oxygen = [("O", 0.83 * x, 0.83 * y, 7 + 0.83 * z) for x, y, z in corners]
    return cell(("N", 0.0, 0.0, 0.0), *hydrogen, ("Cl", 0.0, 0.0, 7.0), *oxygen)


def test_states_and_bonds_that_contradict_each_other_are_both_named() -> None:
    structure = perchlorate()
    assert likeliest_states(counts(structure))["Cl"] == -1
    with pytest.raises(NucleateError, match=r"Cl has bonds to more electronegative atoms, but -1 in the likeliest"):
        mp2020_correction(structure)
    charged = structure.copy().add_oxidation_state_by_element({"N": -3, "H": 1, "Cl": 7, "O": -2})
    assert list(mp2020_correction(charged).parts) == ["anion correction (oxide)", "anion correction (N)"]


def unclear() -> Structure:
    """Silicon between lanthanum and silicon, with iodine: no states balance, and bonds do not say what silicon is."""
    half = [("La", 0.0, 0.0, 0.0), ("Si", 0.0, 0.0, 3.0), ("I", 4.0, 4.0, 0.0)]
    return cell(*half, ("La", 0, 0, 8.3), ("Si", 0, 0, 5.3), ("I", 4, 4, 8))


def test_a_correction_that_is_not_known_is_refused_with_the_reason() -> None:
    structure = unclear()
    with pytest.raises(NucleateError, match=r"correction of LaSiI is not known: .* whether Si is an anion"):
        mp2020_correction(structure)
    assert known_correction(structure) is None
    entries = [Entry(e, -1.0, 229, e, 20, 1) for e in ("La", "Si", "I")]
    reference = ReferenceSet.from_entries("set", EnergyMethod(RAW).with_corrections(), entries)
    candidate = Candidate("a", structure=structure, energies={"energy": Energy(-3.2, RAW)})
    (out,) = HullStage(reference)([candidate])
    assert "e_form" not in out.energies
    assert out.checks["hull"].verdict == UNKNOWN and "not known" in out.checks["hull"].reason


def test_alloys_have_ions_only_where_they_balance() -> None:
    heusler = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(6), ["Mn", "Ru", "Si"], [[0.25, 0.25, 0.25], [0.5, 0.5, 0.5], [0, 0, 0]]
    )
    assert mp2020_correction(heusler).parts == {}  # the scheme has no correction for it


@pytest.mark.parametrize("element", ["Te", "Si", "H", "Cl", "O", "S"])
def test_an_element_has_no_correction(element: str) -> None:
    assert mp2020_correction(apart(element)).parts == {}


def test_noble_gases_change_nothing() -> None:
    iron = mp2020_correction(apart("Fe2O3He"))
    assert 6 * iron.total == pytest.approx(5 * mp2020_correction(apart("Fe2O3")).total)
