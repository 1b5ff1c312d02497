"""Structures of a formula by the crystal families that it fits."""

from __future__ import annotations

import pytest

from nucleate.crystal.symmetry import space_group
from nucleate.families.prototypes import family_fits
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
    ],
)
def test_the_usual_family_of_a_formula_is_found(formula, family, group, atoms):
    found = predict([formula], PredictSettings(method="prototype", samples=8))
    made = [(c.origin.family.name, c.structure) for c in found if c.structure is not None]
    assert (family, group, atoms) in {(name, space_group(s)[0], len(s)) for name, s in made}
    assert all(c.structure is None or c.formula == formula for c in found)


def test_a_formula_of_no_family_says_so():
    assert family_fits({"Li": 7, "La": 3, "Zr": 2, "O": 13}) == ()
    (only,) = predict(["Li7La3Zr2O13"], PredictSettings(method="prototype", samples=1))
    assert only.structure is None and "fits none of the crystal families" in str(only.failure)
