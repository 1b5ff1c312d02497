"""The stage that gives structures from a generator."""

from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.generators.defaults import BaseGenerator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.stages.generate import GenerateStage


class Picky(BaseGenerator):
    """A generator that makes rock salt, and refuses conditions with iron."""

    name, chunk = "picky", 3

    def draw(self, conditions, seeds, progress=None):
        if any("Fe" in c.composition for c in conditions):
            raise NucleateError("the atoms of Fe1 could not be placed")
        return [Structure(Lattice.cubic(3 + s), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]) for s in seeds]


def test_a_structure_that_cannot_be_made_does_not_fail_the_others():
    conditions = [Condition({e: 1}) for e in ("Cs", "Fe", "Cl")]
    given = [Candidate(f"c{i}", i, wanted=Wanted(c)) for i, c in enumerate(conditions)]
    done = list(GenerateStage(Picky())(given))
    assert [c.failure and str(c.failure) for c in done] == [
        None,
        "generate: the atoms of Fe1 could not be placed",
        None,
    ]
    assert [c.structure and c.structure.lattice.a for c in done] == [3.0, None, 5.0]
