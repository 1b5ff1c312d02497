from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure
from scipy.optimize import linprog

from nucleate.chem.formula import formula_text, parse_formula
from nucleate.errors import NucleateError
from nucleate.hull.distances import (
    distance_to_hull,
    format_decomposition,
    formation_energy,
    stable_phases,
)
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.stages.hull import HullStage


def by_hand(value: float) -> Energy:
    return Energy(value, "by hand 1.0")


def candidate(species: list[str], energy: float | None, method: str = "by hand 1.0") -> Candidate:
    n = len(species)
    structure = Structure(Lattice.cubic(3.0 * n), species, [[i / n] * 3 for i in range(n)])
    return Candidate("c1", structure=structure, energies={} if energy is None else {"energy": Energy(energy, method)})


def evaluate(c: Candidate, reference: ReferenceSet) -> Candidate:
    (out,) = HullStage(reference)([c])
    return out


def test_formation_energy_by_hand(reference: ReferenceSet) -> None:
    assert formation_energy({"Na": 1, "Cl": 1}, by_hand(-3.5), reference) == pytest.approx(-2.0)
    assert formation_energy({"Na": 2, "Cl": 6}, by_hand(-2.0), reference) == pytest.approx(-2.0 - (-1 - 6) / 4)
    assert formation_energy({"Cl": 4}, by_hand(-1.5), reference) == pytest.approx(0.5)
    with pytest.raises(NucleateError, match="elemental Fe, O"):
        formation_energy({"Fe": 2, "O": 3}, by_hand(-6.0), reference)


def test_a_crystal_between_two_phases(reference: ReferenceSet) -> None:
    # Half of the atoms of NaCl3 are in NaCl (-3.5), half in Cl (-2), so the hull is at -2.75 eV/atom
    above, parts = distance_to_hull({"Na": 1, "Cl": 3}, by_hand(-2.5), reference)
    assert above == pytest.approx(0.25)
    assert parts == pytest.approx({"NaCl": 1.0, "Cl2": 1.0})


def test_stage_names_method_reference_and_decomposition(reference: ReferenceSet) -> None:
    out = evaluate(candidate(["Na", "Cl", "Cl", "Cl"], -2.5), reference)
    assert out.energies["e_above_hull"] == Energy(pytest.approx(0.25), "by hand 1.0", "tiny")
    assert out.energies["e_form"] == Energy(pytest.approx(-0.75), "by hand 1.0", "tiny")
    assert out.hull.decomposition == "Cl2 + NaCl"
    assert out.energies["energy"].value == -2.5


def test_a_known_composition_and_one_below_the_hull(reference: ReferenceSet) -> None:
    assert evaluate(candidate(["Na", "Cl"], -3.3), reference).energies["e_above_hull"].value == pytest.approx(0.2)
    assert evaluate(candidate(["Na", "Cl"], -3.6), reference).energies["e_above_hull"].value == pytest.approx(-0.1)
    new = evaluate(candidate(["Na", "Cl", "Cl", "Cl"], -2.9), reference)
    assert new.energies["e_above_hull"].value == pytest.approx(-0.15)
    assert evaluate(candidate(["Na"], -1.2), reference).energies["e_above_hull"].value == pytest.approx(-0.2)


def test_far_below_the_known_hull_the_check_is_unknown(reference: ReferenceSet) -> None:
    out = evaluate(candidate(["Na", "Cl", "Cl", "Cl"], -3.5), reference)
    assert out.energies["e_above_hull"].value == pytest.approx(-0.75)
    assert out.checks["hull"].verdict == "unknown"
    assert "0.75 eV/atom below Cl2 + NaCl: 'tiny' lacks the phases" in out.checks["hull"].reason
    assert "hull" not in evaluate(candidate(["Na", "Cl"], -3.6), reference).checks


def test_candidates_do_not_enter_the_hull(reference: ReferenceSet) -> None:
    stage = HullStage(reference)
    first, second = stage([candidate(["Na", "Cl"], -4.0), candidate(["Na", "Cl"], -3.5)])
    assert first.energies["e_above_hull"].value == pytest.approx(-0.5)
    assert second.energies["e_above_hull"].value == pytest.approx(0.0)


def test_oxidation_states_do_not_matter(reference: ReferenceSet) -> None:
    c = candidate(["Na", "Cl"], -3.3)
    assert c.structure is not None
    c.structure.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert evaluate(c, reference).energies["e_above_hull"].value == pytest.approx(0.2)


def test_missing_element_is_unknown_not_zero(reference: ReferenceSet) -> None:
    out = evaluate(candidate(["Fe", "Fe", "O", "O", "O"], -6.0), reference)
    assert out.checks["hull"].verdict == "unknown"
    assert "Fe, O" in out.checks["hull"].reason
    assert set(out.energies) == {"energy"} and out.failure is None


def test_no_energy_or_structure_is_unknown(reference: ReferenceSet) -> None:
    assert "relax first" in evaluate(candidate(["Na", "Cl"], None), reference).checks["hull"].reason
    assert evaluate(Candidate("c2"), reference).checks["hull"].verdict == "unknown"


def test_another_method_is_refused(reference: ReferenceSet) -> None:
    with pytest.raises(NucleateError, match="SevenNet"):
        evaluate(candidate(["Na", "Cl"], -3.5, "SevenNet"), reference)
    for ask in (formation_energy, distance_to_hull):
        with pytest.raises(NucleateError, match="SevenNet"):
            ask({"Na": 1, "Cl": 1}, Energy(-3.5, "SevenNet"), reference)


def test_stable_phases(reference: ReferenceSet) -> None:
    assert [(entry.formula, entry.source, e_form) for entry, e_form in stable_phases(["Na", "Cl"], reference)] == [
        ("NaCl", "k-4", pytest.approx(-2.0)),
        ("Cl2", "k-2", pytest.approx(0.0)),
        ("Na", "k-1", pytest.approx(0.0)),
    ]
    with pytest.raises(NucleateError, match="elemental O"):
        stable_phases(["Na", "O"], reference)


def test_decomposition_of_an_unbalanced_ternary_is_exact(reference: ReferenceSet) -> None:
    more = [
        Entry("Li", -1.9, 229, "a", 20.0, 1),
        Entry("O", -5.0, 12, "b", 10.0, 2),
        Entry("Fe", -7.0, 229, "c", 11.0, 1),
        Entry("Li2O", -4.9, 225, "d", 8.0, 3),
    ]
    known = reference.extended(more, reference.method)
    _, parts = distance_to_hull({"Li": 1, "Fe": 1, "O": 2}, by_hand(-5.0), known)
    assert parts == pytest.approx({"Li2O": 0.5, "Fe2O3": 0.5})
    assert format_decomposition(parts) == "0.5 Fe2O3 + 0.5 Li2O"
    balance = {"Li": 2 * parts["Li2O"], "Fe": 2 * parts["Fe2O3"], "O": parts["Li2O"] + 3 * parts["Fe2O3"]}
    assert balance == pytest.approx({"Li": 1, "Fe": 1, "O": 2})


def test_a_decomposition_is_written_without_rounding_noise() -> None:
    assert format_decomposition({"NaCl": 1.0, "Cl": 1e-9}) == "NaCl"


def test_a_stage_pickles_the_name_of_its_reference_set(reference: ReferenceSet, tmp_path: Path) -> None:
    file = tmp_path / "tiny.parquet"
    reference.save(file)
    text = pickle.dumps(HullStage(str(file)))
    assert len(text) < 2000
    (out,) = pickle.loads(text)([candidate(["Na", "Cl"], -3.3)])
    assert out.energies["e_above_hull"].value == pytest.approx(0.2)
    with pytest.raises(NucleateError, match="no reference set"):
        HullStage("nowhere")


@pytest.mark.parametrize("size", [2, 3, 4, 5])
def test_the_hull_is_the_lowest_mixture(size: int) -> None:
    """Compared with a linear programme: the lowest energy of known crystals that add up to the composition."""
    rng = np.random.default_rng(size)
    elements = ["Li", "Mg", "Fe", "P", "O"][:size]
    entries = [Entry(e, float(rng.uniform(-5, -1)), 1, e, 10, 1) for e in elements]
    for k in range(12 * size):
        chosen = rng.choice(elements, rng.integers(2, size + 1), replace=False)
        formula = "".join(f"{e}{rng.integers(1, 5)}" for e in chosen)
        formula = formula_text(parse_formula(formula))  # reduced, as in a reference set
        entries.append(Entry(formula, float(rng.uniform(-6.5, -2.5)), 1, f"k{k}", 10, 4))
    entries.append(Entry("LiMg", (entries[0].energy + entries[1].energy) / 2, 1, "on a tie line", 10, 2))
    known = ReferenceSet.from_entries("random", "by hand 1.0", entries)
    table = np.array([[dict(key).get(e, 0) for e in elements] for key in known.keys], float)
    table /= table.sum(axis=1, keepdims=True)
    for _ in range(30):
        amounts = dict(zip(elements, rng.integers(1, 7, size).tolist(), strict=True))
        wanted = np.array(list(amounts.values())) / sum(amounts.values())
        lowest = linprog(known.energies.astype(float), A_eq=table.T, b_eq=wanted).fun
        above, parts = distance_to_hull(amounts, by_hand(0.0), known)
        assert -above == pytest.approx(lowest, abs=1e-6)
        total = Composition({})
        for formula, units in parts.items():
            total += Composition(formula) * units
        reduced = Composition(amounts).reduced_composition
        assert all(total[e] == pytest.approx(reduced[e], abs=1e-6) for e in elements)


def test_elements_alone_make_a_flat_hull() -> None:
    known = ReferenceSet.from_entries("flat", "by hand 1.0", [Entry(e, -1, 1, e, 10, 1) for e in ("Na", "K", "Cs")])
    above, parts = distance_to_hull({"Na": 1, "K": 1, "Cs": 2}, by_hand(-1.1), known)
    assert above == pytest.approx(-0.1) and parts == pytest.approx({"Na": 1, "K": 1, "Cs": 2})
