"""Only objects that have one of the elements to be left out are drawn again."""

from pymatgen.core import Lattice, Structure

from nucleate.generators.base import Condition
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.without_elements import ATTEMPTS, WithoutElements, without_elements


class Dice(BaseGenerator):
    """A generator that gives formulas by the seed and counts in `asked` how many were drawn."""

    name, accepts = "dice", frozenset()

    def __init__(self, choices):
        self.choices, self.asked = choices, 0

    def draw(self, conditions, seeds, progress=None):
        self.asked += len(seeds)
        return [self.choices[seed % len(self.choices)] for seed in seeds]


def test_only_objects_with_such_an_element_are_drawn_again():
    dice, seeds = Dice(["Na Cl", "U O O", "Sr Ti O O O"]), list(range(9))
    plain = dice.generate([Condition()] * 9, seeds)
    dice.asked = 0
    made = WithoutElements(dice, {"U"}).generate([Condition()] * 9, seeds)
    assert [a for a, b in zip(made, plain, strict=True) if "U" not in b] == [b for b in plain if "U" not in b]
    assert all("U" not in text for text in made) and dice.asked > 9
    assert made == WithoutElements(dice, {"U"}).generate([Condition()] * 9, seeds)


def test_after_the_last_attempt_an_object_is_given_back_as_it_is():
    dice = Dice(["U O O"])
    assert WithoutElements(dice, {"U"}).generate([Condition()], [0]) == ["U O O"] and dice.asked == ATTEMPTS
    assert without_elements(dice, ()) is dice and without_elements(dice, {"U"}).name == "dice"


def test_structures_are_drawn_again_too():
    salt, metal = (Structure(Lattice.cubic(4.0), [e], [[0, 0, 0]]) for e in ("Cl", "U"))
    made = WithoutElements(Dice([metal, salt]), {"U"}).generate([Condition()] * 6, list(range(6)))
    assert made == [salt] * 6
