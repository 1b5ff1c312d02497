import pytest

from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.request.parse import parse_request
from nucleate.tasks.compose import compose, condition_of


class Played:
    """Writes the texts in turn, whatever the seeds."""

    def __init__(self, texts):
        self.texts, self.drawn = texts, 0

    def generate(self, conditions, seeds, progress=None):
        out = [self.texts[(self.drawn + i) % len(self.texts)] for i in range(len(seeds))]
        self.drawn += len(seeds)
        return out


TEXTS = ["Na Cl", "Na Na Cl", "Mg O", "[UNK] O", "Mg O", "Na Cl Cl"]


def test_all_that_was_drawn_is_there_with_its_checks():
    made = compose(Played(TEXTS), Condition(), 6)
    assert [c.id for c in made] == ["NaCl", "Na2Cl", "MgO", "[UNK] O", "MgO", "NaCl2"]
    assert [c.checks["charge"].verdict if c.checks else "" for c in made] == [
        "pass",
        "fail",
        "pass",
        "",
        "pass",
        "fail",
    ]
    assert str(made[3].failure) == "formula: unexpected '['" and made[0].checks["oxidation"].verdict == "pass"


def test_valid_draws_on_until_there_are_enough_distinct_ones():
    played = Played(TEXTS)
    assert [c.id for c in compose(played, Condition(), 2, valid=True)] == ["NaCl", "MgO"] and played.drawn == 4
    played = Played(TEXTS)
    assert len(compose(played, Condition(), 3, valid=True)) == 2 and played.drawn == 60  # there are no more


def test_requests_become_conditions_or_are_refused():
    assert condition_of(parse_request("anything")) == Condition()
    wish = condition_of(parse_request("Li-Fe-O, 12 atoms", exclude="Pb"))
    assert wish == Condition(chemical_system=("Li", "Fe", "O"), num_atoms=12, exclude=("Pb",))
    wish = condition_of(parse_request("Ba Ti *", contains="Li,O", num_elements=3, properties=["e_above_hull=0..0.1"]))
    assert (wish.contains, wish.num_elements, wish.pattern) == (("Li", "O"), 3, "Ba Ti *")
    assert wish.properties == {"e_above_hull": 0.05}
    with pytest.raises(NucleateError, match="NaCl is a whole formula; leave a gap"):
        condition_of(parse_request("NaCl"))
    with pytest.raises(NucleateError, match="cannot draw 0"):
        compose(Played(TEXTS), Condition(), 0)
