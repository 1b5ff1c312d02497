"""Notes where two columns of a table seem to contradict each other."""

from __future__ import annotations

from dataclasses import replace

from pymatgen.core import Lattice, Structure

from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.state import HullPlace, Relaxation
from nucleate.report.notes import contradiction_notes
from nucleate.stages.novelty import UniqueStage


def heusler(a: float = 5.9) -> Structure:
    places = [[0.25, 0.25, 0.25], [0, 0, 0], [0.5, 0.5, 0.5]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Mn", "Al", "Ti"], places)


def found(above: float, novel: str, under: str, structure: Structure | None = None, **relax: bool) -> Candidate:
    return Candidate(
        "a",
        structure=structure or heusler(),
        energies={"e_above_hull": Energy(above, "m", "set"), "e_form": Energy(-0.4, "m", "set")},
        checks={"novel": Check(novel)},
        hull=HullPlace(under),
        relaxation=Relaxation("ase:my.calculator:Mine", **relax),
    )


def test_a_known_crystal_below_the_hull_of_known_crystals_is_explained() -> None:
    (line,) = contradiction_notes([found(-0.042, "fail", "TiMn2Al")])
    assert line.startswith("a (") and "is a known crystal" in line
    assert "42 meV/atom below the hull of known crystals, which holds them unrelaxed" in line
    assert contradiction_notes([found(0.01, "fail", "TiMn2Al"), found(-0.0004, "fail", "TiMn2Al")]) == []
    assert (
        "are known crystals"
        in contradiction_notes([found(-0.042, "fail", "TiMn2Al"), found(-0.02, "fail", "TiMn2Al")])[0]
    )


def test_where_novelty_is_untested_the_known_phase_of_the_formula_is_named() -> None:
    candidate = replace(found(-0.042, "fail", "TiMn2Al"), checks={})
    (line,) = contradiction_notes([candidate])
    assert line.startswith("a (") and "below the known phase of its own formula" in line
    assert contradiction_notes([replace(found(-0.042, "fail", "Ti + Mn2Al"), checks={})]) == []


def test_a_new_structure_of_a_known_formula_is_called_so() -> None:
    (line,) = contradiction_notes([found(-0.042, "pass", "AlTiMn2")])
    assert "is a new structure of a known formula: the known phase under it is another structure" in line
    assert contradiction_notes([found(-0.042, "pass", "0.5 Ti2Mn4 + Al"), found(0.1, "pass", "")]) == []
    assert contradiction_notes([found(-0.042, "pass", "AlTiMn2").failed("relax", "error", "blew up")]) == []


def test_a_potential_that_does_not_tell_its_elements_is_named_once() -> None:
    both = [found(0.1, "unknown", "", elements_known=False), found(0.2, "unknown", "", elements_known=False)]
    assert contradiction_notes(both) == [
        "which elements ase:my.calculator:Mine was fitted to is not known: for others its energies mean nothing"
    ]


def test_a_stored_energy_that_no_crystal_has_wins_nothing() -> None:
    absurd = replace(found(0.0, "unknown", ""), id="absurd", energies={"energy": Energy(-1e9, "m")})
    real = replace(absurd, id="real", energies={"energy": Energy(-7.8, "m")})
    kept = {c.id: c.checks["unique"].verdict for c in UniqueStage()([absurd, real])}
    assert kept == {"real": "pass", "absurd": "fail"}
