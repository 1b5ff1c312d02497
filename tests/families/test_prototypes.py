"""Structures of a formula by the crystal families that it fits."""

from __future__ import annotations

import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from nucleate.chem.formula import parse_formula
from nucleate.crystal.symmetry import space_group
from nucleate.errors import NucleateError
from nucleate.families.family import lexicon
from nucleate.families.members import known_members, prototype_member
from nucleate.families.prototypes import PrototypeGenerator, family_fits
from nucleate.generators.base import Condition
from nucleate.library import load_library
from nucleate.settings import PredictSettings
from nucleate.tasks.predict import predict


@pytest.mark.parametrize(
    ("formula", "family", "group", "atoms"),
    [
        ("Y3Al5O12", "garnet", 230, 80),
        ("Gd3Ga5O12", "garnet", 230, 80),
        ("Fe3O4", "spinel", 227, 14),
        ("MgAl2O4", "spinel", 227, 14),
        ("SrTiO3", "perovskite", 221, 5),
        ("Cs2AgBiBr6", "elpasolite", 225, 10),
        ("LiFePO4", "triphylite", 62, 28),
        ("In2O3", "bixbyite", 206, 40),
        ("Mg2SiO4", "olivine", 62, 28),
        ("Mg3Al2Si3O12", "garnet", 230, 80),
        ("NaZr2P3O12", "NASICON", 167, 36),
    ],
)
def test_the_usual_family_of_a_formula_is_found(formula, family, group, atoms):
    found = predict([formula], PredictSettings(method="prototype", samples=8))
    made = [(c.origin.family.name, c.structure) for c in found if c.structure is not None]
    alike = [s for name, s in made if (name, space_group(s)[0], len(s)) == (family, group, atoms)]
    assert alike and all(c.structure is None or c.formula == formula for c in found)
    known = load_library().of_formula(parse_formula(formula)).structures
    assert any(StructureMatcher().fit(alike[0], crystal) for crystal in known)


def test_a_hidden_crystal_does_not_come_back():
    formula = {"Li": 1, "Fe": 1, "P": 1, "O": 4}
    own = ("Li", "Fe", "P", "O")
    first = prototype_member("triphylite")
    assert first.elements == own == lexicon()["triphylite"].types[0].elements
    assert first.entry.id not in {
        m.material_id for m in known_members("triphylite", load_library().hidden(ids=[first.entry.id]))
    }
    view = load_library().hidden(formulas=[formula])
    assert own not in {m.elements for m in known_members("triphylite", view)}
    assert prototype_member("triphylite", 0, view).elements != own
    (fit,) = [f for f in family_fits(formula, view) if f.proposal.family == "triphylite"]
    assert not fit.proposal.known and fit.proposal.nearest.material_id in view
    (made,) = PrototypeGenerator(view).generate([Condition(composition={e: 4 * n for e, n in formula.items()})], [0])
    assert space_group(made)[0] == 62 and len(made) == 28
    none = view.hidden(ids=[m.material_id for m in known_members("triphylite", view)])
    assert family_fits(formula, none) == ()
    with pytest.raises(NucleateError, match="no triphylite such as LiFePO4"):
        prototype_member("triphylite", 0, none)


def test_a_formula_of_no_family_says_so():
    assert family_fits({"Li": 7, "La": 3, "Zr": 2, "O": 13}) == ()
    (only,) = predict(["Li7La3Zr2O13"], PredictSettings(method="prototype", samples=1))
    assert only.structure is None and "fits none of the crystal families" in str(only.failure)


def test_predictions_know_nothing_of_hidden_crystals():
    settings = PredictSettings.of(method="prototype", samples=1, hide=("LiFePO4",))
    (made,) = predict(["LiFePO4"], settings)
    nearest = load_library()[made.origin.family.nearest]
    assert made.structure is not None and nearest.formula != "LiFePO4"
