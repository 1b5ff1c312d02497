"""Elements that are not offered: only what holds one of them is drawn again."""

from pymatgen.core import Lattice, Structure

from nucleate.generators.base import Condition
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.offered import ATTEMPTS, Offered, without


class Dice(BaseGenerator):
    """Writes a formula by the seed; asked counts what was drawn."""

    name, accepts = "dice", frozenset()

    def __init__(self, choices):
        self.choices, self.asked = choices, 0

    def draw(self, conditions, seeds, progress=None):
        self.asked += len(seeds)
        return [self.choices[seed % len(self.choices)] for seed in seeds]


def test_only_what_holds_such_an_element_is_drawn_again():
    dice, seeds = Dice(["Na Cl", "U O O", "Sr Ti O O O"]), list(range(9))
    plain = dice.generate([Condition()] * 9, seeds)
    dice.asked = 0
    made = Offered(dice, {"U"}).generate([Condition()] * 9, seeds)
    assert [a for a, b in zip(made, plain, strict=True) if "U" not in b] == [b for b in plain if "U" not in b]
    assert all("U" not in text for text in made) and dice.asked > 9
    assert made == Offered(dice, {"U"}).generate([Condition()] * 9, seeds)


def test_what_cannot_be_without_is_given_back_as_it_is():
    dice = Dice(["U O O"])
    assert Offered(dice, {"U"}).generate([Condition()], [0]) == ["U O O"] and dice.asked == ATTEMPTS
    assert without(dice, ()) is dice and without(dice, {"U"}).name == "dice"


def test_structures_are_drawn_again_too():
    salt, metal = (Structure(Lattice.cubic(4.0), [e], [[0, 0, 0]]) for e in ("Cl", "U"))
    made = Offered(Dice([metal, salt]), {"U"}).generate([Condition()] * 6, list(range(6)))
    assert made == [salt] * 6
