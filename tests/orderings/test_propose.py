import numpy as np
import pytest

from nucleate.chem.composition import Formula
from nucleate.chem.formula import parse_formula
from nucleate.crystal.symmetry import space_group
from nucleate.errors import NucleateError
from nucleate.library.library import load_library
from nucleate.orderings.propose import propose_orderings


@pytest.fixture(scope="module")
def library():
    return load_library()


@pytest.mark.parametrize("formula", ["Sr7Ca(CdSb2)4", "Ta3Nb(SeI)4", "BaNd2MgMn2O7"])
def test_a_formula_with_alike_elements_becomes_orderings_of_known_crystals(library, formula):
    wanted = parse_formula(formula)
    view = library.hidden(formulas=[wanted])
    found = propose_orderings(view, wanted, 10, max_atoms=60)
    assert len(found) == 10
    for one in found:
        counts = {s: int(n) for s, n in one.structure.composition.get_el_amt_dict().items()}
        assert Formula.of(counts) == Formula.of(wanted) and len(one.structure) <= 60
        known = view[one.parent]  # raises where it is hidden
        assert known.formula == one.parent_formula and len(known.elements) < len(wanted)
        assert one.space_group == space_group(one.structure, 0.01)[0]
        assert bool(one.shared) == (one.index > 1)
        nearest = one.structure.distance_matrix[np.triu_indices(len(one.structure), 1)].min()
        assert nearest > 1.2 and 0.5 < one.structure.volume / len(one.structure) / 22 < 2
    assert any(one.shared for one in found)


def test_the_known_crystal_that_is_hidden_is_found_again(library):
    """GdMgAg2 is a Heusler phase, an ordering of the CsCl types GdAg and MgAg; all of its formula are hidden."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    target = library["mp-1184490"]
    view = library.hidden(formulas=[target.composition])
    found = propose_orderings(view, target.composition, 5)
    fits = [StructureMatcher().fit(one.structure, target.structure) for one in found]
    assert any(fits)
    right = found[fits.index(True)]
    assert right.index == 2 and right.space_group == 225 and len(view[right.parent].elements) == 2


def test_the_order_is_the_same_for_every_multiple_and_call(library):
    once = propose_orderings(library, {"Ta": 3, "Nb": 1, "Se": 4, "I": 4}, 5)
    again = propose_orderings(library, {"I": 8, "Nb": 2, "Ta": 6, "Se": 8}, 5)
    assert [(o.parent, o.index, o.space_group) for o in once] == [(o.parent, o.index, o.space_group) for o in again]


def test_what_has_no_alike_elements_has_no_orderings(library):
    assert propose_orderings(library, {"Na": 1, "Cl": 1}) == []
    with pytest.raises(NucleateError, match="at least 1"):
        propose_orderings(library, {"Na": 1, "K": 1, "Cl": 2}, 0)
