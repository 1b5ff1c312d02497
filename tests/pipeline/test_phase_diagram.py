from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition, Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.phase_diagram import _tie_lines, candidates_of, draw_phase_diagram, phases_of
from nucleate.pipeline.reference import Entry, ReferenceSet

SYSTEM = ["Li", "Fe", "O"]
ENERGIES = {"Li": -1.9, "Fe": -8.3, "O": -4.9, "Li2O": -4.77, "Fe2O3": -6.7, "FeO": -6.6, "LiFeO2": -6.2, "LiO": -4.2}


def iron_oxides() -> ReferenceSet:
    return ReferenceSet.from_entries("hand", "m", [Entry(f, e, 1, f, 10, 4) for f, e in ENERGIES.items()])


def test_tie_lines_are_those_of_pymatgen() -> None:
    stable = [p for p in phases_of(SYSTEM, iron_oxides()) if p.stable]
    diagram = PhaseDiagram([PDEntry(Composition(f), e * Composition(f).num_atoms) for f, e in ENERGIES.items()])
    names = {p.name for p in stable}
    assert names == {
        e.composition.reduced_formula.replace("O2", "O") if len(e.elements) == 1 else e.name
        for e in diagram.stable_entries
    }
    edges = set()
    for facet in diagram.facets:
        found = [diagram.qhull_entries[i].composition for i in facet]
        edges |= {frozenset((a.formula, b.formula)) for a in found for b in found if a != b}
    ours = {
        frozenset((Composition(stable[a].name).formula, Composition(stable[b].name).formula))
        for a, b in _tie_lines(stable)
    }
    assert ours == edges


@pytest.mark.parametrize("elements", [SYSTEM, ["Fe", "O"]])
@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_pictures_are_whole_files(tmp_path: Path, elements: list[str], ending: str) -> None:
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
    (found,) = candidates_of([*others, Candidate("none")], SYSTEM, iron_oxides())
    assert (found.name, found.above) == ("FeO2", 0.02) and found.fractions == pytest.approx((0, 1 / 3, 2 / 3))
    with pytest.raises(NucleateError, match="cannot be compared"):
        candidates_of([candidate("d", 0, "Fe", "O", method="other")], SYSTEM, iron_oxides())


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    for file, elements, message in (
        ("a.gif", SYSTEM, "written as .svg"),
        ("a.svg", ["Fe"], "2 or 3 elements"),
        ("a.svg", ["Fe", "O", "Na"], "elemental Na"),
    ):
        with pytest.raises(NucleateError, match=message):
            draw_phase_diagram(tmp_path / file, elements, iron_oxides())
    assert list(tmp_path.iterdir()) == []
