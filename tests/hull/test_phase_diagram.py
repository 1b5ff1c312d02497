from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Lattice, Structure

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.hull.phase_diagram import _tie_lines, candidate_phases, draw_phase_diagram, known_phases
from nucleate.hull.phase_table import write_phases
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Candidate, Energy

SYSTEM = ["Li", "Fe", "O"]
ENERGIES = {"Li": -1.9, "Fe": -8.3, "O": -4.9, "Li2O": -4.77, "Fe2O3": -6.7, "FeO": -6.6, "LiFeO2": -6.2, "LiO": -4.2}


def iron_oxides() -> ReferenceSet:
    return ReferenceSet.from_entries("hand", "m", [Entry(f, e, 1, f, 10, 4) for f, e in ENERGIES.items()])


def test_tie_lines_are_those_of_pymatgen() -> None:
    stable = [p for p in known_phases(SYSTEM, iron_oxides()) if p.stable]
    diagram = PhaseDiagram([PDEntry(Composition(f), e * Composition(f).num_atoms) for f, e in ENERGIES.items()])
    names = {p.name for p in stable}
    assert names == {e.composition.reduced_formula for e in diagram.stable_entries}
    edges = set()
    for facet in diagram.facets:
        found = [diagram.qhull_entries[i].composition for i in facet]
        edges |= {frozenset((a.reduced_formula, b.reduced_formula)) for a in found for b in found if a != b}
    ours = {
        frozenset((Composition(stable[a].name).reduced_formula, Composition(stable[b].name).reduced_formula))
        for a, b in _tie_lines(stable)
    }
    assert ours == edges


@pytest.mark.parametrize("elements", [SYSTEM, ["Fe", "O"]])
@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_pictures_are_complete_files(tmp_path: Path, elements: list[str], ending: str) -> None:
    file = tmp_path / f"a{ending}"
    phases = draw_phase_diagram(file, elements, iron_oxides())
    assert file.stat().st_size > 4000 and list(tmp_path.iterdir()) == [file]
    assert len(phases) == (8 if len(elements) == 3 else 4)
    if ending == ".svg":
        assert ElementTree.parse(file).getroot().tag.endswith("svg")


def test_candidates_are_the_lowest_of_their_formula_in_the_system() -> None:
    def candidate(name: str, above: float, *species: str, method: str = "m") -> Candidate:
        structure = Structure(Lattice.cubic(4), list(species), [[i / 3] * 3 for i in range(len(species))])
        energies = {"e_above_hull": Energy(above, method, "hand"), "e_form": Energy(-1, method, "hand")}
        return Candidate(name, structure=structure, energies=energies)

    others = [candidate("a", 0.05, "Fe", "O", "O"), candidate("b", 0.02, "Fe", "O", "O"), candidate("c", 0, "Na", "O")]
    (found,) = candidate_phases([*others, Candidate("none")], SYSTEM, iron_oxides())
    assert (found.name, found.above) == ("FeO2", 0.02) and found.fractions == pytest.approx((0, 1 / 3, 2 / 3))
    with pytest.raises(NucleateError, match="cannot be compared"):
        candidate_phases([candidate("d", 0, "Fe", "O", method="other")], SYSTEM, iron_oxides())


def test_other_numbers_of_elements_and_formats_are_refused(tmp_path: Path) -> None:
    for file, elements, message in (
        ("a.gif", SYSTEM, "written as .svg"),
        ("a.svg", ["Fe"], "2, 3 or 4 elements"),
        ("a.svg", ["Fe", "O", "Na"], "elemental Na"),
    ):
        with pytest.raises(NucleateError, match=message):
            draw_phase_diagram(tmp_path / file, elements, iron_oxides())
    assert list(tmp_path.iterdir()) == []


def four_elements() -> ReferenceSet:
    more = {"P": -5.4, "FePO4": -6.9, "LiFePO4": -6.7, "Li3P": -3.4, "Li3PO4": -6.0, "Na": -1.3}
    return ReferenceSet.from_entries("hand", "m", [Entry(f, e, 1, f, 10, 4) for f, e in {**ENERGIES, **more}.items()])


def test_four_elements_are_a_tetrahedron(tmp_path: Path) -> None:
    system = [*SYSTEM, "P"]
    known = draw_phase_diagram(tmp_path / "four.svg", system, four_elements())
    assert "LiFePO4" in {p.name for p in known}
    ElementTree.parse(tmp_path / "four.svg")
    stable = [p for p in known if p.stable]
    entries = [PDEntry(Composition(p.name), e.energy * Composition(p.name).num_atoms) for p in known
               for e in four_elements() if e.formula == p.name]  # fmt: skip
    diagram = PhaseDiagram(entries)
    edges = {
        frozenset((a.reduced_formula, b.reduced_formula))
        for facet in diagram.facets
        for a, b in itertools.combinations([diagram.qhull_entries[i].composition for i in facet], 2)
    }
    reduced = [Composition(p.name).reduced_formula for p in stable]
    assert {frozenset((reduced[a], reduced[b])) for a, b in _tie_lines(stable)} == edges


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_table_of_phases_has_any_number_of_elements(tmp_path: Path, number: int) -> None:
    system = ["O", "Li", "Fe", "P", "Na"][:number]
    for name in ("a.csv", "a.json"):
        known = write_phases(tmp_path / name, system, four_elements())
        assert {p.name for p in known if p.stable} >= {formula_text({e: 1}) for e in system}
    rows = json.loads((tmp_path / "a.json").read_text())["phases"]
    with (tmp_path / "a.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [r["formula"] for r in table] == [r["formula"] for r in rows] == [p.name for p in known]
    assert all(r["kind"] == "known" and r["method"] == "m" and r["reference"] == "hand" for r in rows)
    assert rows == sorted(rows, key=lambda r: (r["e_above_hull"], r["formula"]))
