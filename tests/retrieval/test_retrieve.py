"""Structures retrieved from a small library, and from the one that comes with nucleate."""

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from nucleate.library.library import load_library
from nucleate.retrieval.ranking import VoteModel, load_ranking
from nucleate.retrieval.relatives import ROLES, order_of, relatives_of, roles_of
from nucleate.retrieval.retrieve import Retriever
from tests.helpers.small_library import perovskite, rock_salt, small_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def plain():
    """Elements are as far apart as their numbers; nothing else counts."""
    z = np.arange(119.0)
    return VoteModel(
        name="plain",
        kinds=np.repeat(z, ROLES)[:, None],
        sizes=np.zeros((119, 1)),
        slots=np.zeros(3),
        proportions=np.zeros(3),
        tail=np.zeros(1),
        quality=np.zeros((2, 6)),
        pattern=np.zeros((2, 9)),
        none=np.array([[-20.0, 0, 0]] * 2),
        same=np.zeros(2),
        inner=np.zeros((3, 1)),
        inner_bias=np.zeros(1),
        outer=np.zeros((1, 1)),
        context=np.zeros((1, 1)),
        context_bias=np.zeros(1),
        pattern_in_context=np.zeros((2, 1, 9)),
        none_in_context=np.zeros((2, 1)),
        metadata={},
    )


def test_elements_come_by_number_of_atoms_then_electronegativity():
    assert order_of([8, 22, 38], [3, 1, 1]) == [2, 1, 0]


def test_roles_are_those_in_the_formula():
    assert roles_of(np.array([[38, 22, 8], [11, 17, 17], [26, 26, 26]])).tolist() == [[0, 1, 2], [0, 2, 2], [2, 2, 2]]


def test_relatives_are_all_crystals_of_a_ratio(library):
    found = relatives_of(library, (1, 3, 1))
    assert {library.table.number[r] for r in found.rows.tolist()} == {1, 2, 3, 15}
    assert found.assignments.tolist() == [[0, 1, 2], [1, 0, 2]]
    assert found.units.tolist() == [1] * len(found.patterns)
    assert relatives_of(library, (7, 5)) is None


def test_ways_that_a_change_of_setting_makes_the_same_are_one_prototype(library):
    found = relatives_of(library, (1, 1))
    assert found.num_keys == 1 and found.keys.shape == (1, 2)


def test_a_new_perovskite_is_built_in_the_cell_of_the_nearest_one(library, plain):
    found = Retriever(library, plain).retrieve({"Ca": 1, "V": 1, "O": 3})
    best = found.prototypes[0]
    assert best.space_group == 221 and best.num_atoms == 5
    assert best.relatives[0].entry.id == "mp-15"  # CaTiO3: one element fewer to replace
    assert best.relatives[0].substitution == {"Ca": "Ca", "Ti": "V", "O": "O"}
    structure = best.structure()
    assert StructureMatcher().fit(structure, perovskite("Ca", "V", "O", 3.8))
    assert structure.volume == pytest.approx(best.relatives[0].entry.structure.volume * best.relatives[0].volume)
    swapped = [p for p in found.prototypes if StructureMatcher().fit(p.structure(), perovskite("V", "Ca", "O", 3.8))]
    assert swapped and max(p.probability for p in swapped) < best.probability


def test_probabilities_are_shares_of_one_whole(library, plain):
    found = Retriever(library, plain).retrieve({"Ca": 1, "V": 1, "O": 3}, 1)
    assert found.others > 0 and len(found.prototypes) == 1
    assert found.prototypes[0].probability + found.rest + found.none == pytest.approx(1)


def test_known_crystals_of_the_formula_may_be_left_out(library, plain):
    with_own = Retriever(library, plain).retrieve({"Sr": 1, "Ti": 1, "O": 3})
    without = Retriever(library, plain).retrieve({"Sr": 2, "Ti": 2, "O": 6}, own=False)
    assert with_own.formula == without.formula == "SrTiO3"
    assert with_own.prototypes[0].relatives[0].entry.formula == "SrTiO3"
    assert {r.entry.formula for p in without.prototypes for r in p.relatives} == {"BaTiO3", "CaTiO3"}


def test_hidden_crystals_are_not_asked(library, plain):
    hidden = library.hidden(ids=["mp-15"])
    found = Retriever(hidden, plain).retrieve({"Ca": 1, "V": 1, "O": 3})
    assert "mp-15" not in {r.entry.id for p in found.prototypes for r in p.relatives}


def test_the_number_of_formula_units_may_be_told(library, plain):
    ask = Retriever(library, plain).retrieve
    assert {p.num_atoms for p in ask({"Zr": 1, "O": 2}, units=2).prototypes} == {6}
    assert ask({"Zr": 1, "O": 2}, units=7).prototypes == ()
    assert "has 7 formula units" in ask({"Zr": 1, "O": 2}, units=7).reason


def test_what_has_no_relatives_says_so(library, plain):
    found = Retriever(library, plain).retrieve({"Zr": 5, "O": 7})
    assert found.prototypes == () and found.none == 1 and found.reason == "no known crystal has the ratio 5:7"
    alone = Retriever(library.hidden(formulas=[{"Mg": 1, "O": 1}, {"Li": 1, "Cl": 1}]), plain)
    assert "of another formula has the ratio 1:1" in alone.retrieve({"Na": 1, "Cl": 1}, own=False).reason


def test_the_shipped_ranking_finds_well_known_structures_with_their_formulas_hidden():
    """Rock salt, perovskite, spinel, aluminium diboride, each without any crystal of its own formula."""
    spinel = Structure.from_spacegroup(
        "Fd-3m", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0, 0, 0], [0.625] * 3, [0.3876] * 3]
    )
    boride = Structure(
        Lattice.hexagonal(3.09, 3.52), ["Mg", "B", "B"], [[0, 0, 0], [1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]
    )
    retriever = Retriever(load_library())
    for wanted in (rock_salt("Mg", "O", 4.21), perovskite("K", "Mg", "F", 3.99), spinel, boride):
        composition = {e.symbol: int(n) for e, n in wanted.composition.items()}
        found = retriever.retrieve(composition, own=False)
        assert StructureMatcher().fit(found.prototypes[0].structure(), wanted), wanted.formula
        assert found.prototypes[0].probability > 0.15, wanted.formula


def test_a_ranking_that_does_not_exist_is_refused():
    with pytest.raises(Exception, match="no ranking 'none'; there are known, mp-20"):
        load_ranking("none")
