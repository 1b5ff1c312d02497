"""Crystals whose atoms lie upon each other are drawn again, where the settings of the model ask for it."""

import torch
from pymatgen.core import Lattice, Structure

from nucleate.crystal.batch import CrystalBatch
from nucleate.generators.base import Condition
from nucleate.generators.diffusion import ATTEMPTS, DiffusionGenerator
from nucleate.systems.reading import read_recipe
from nucleate.train.setup import set_up

TINY = {"name": "tiny", "system": "bins", "task": "csp", "network": {"dim": 16, "layers": 1, "heads": 2}}


def generator(apart, drawn):
    """A generator that draws the given structures one after the other, and the last one for ever."""
    z = torch.tensor([[11, 17]]).repeat(8, 1)
    data = CrystalBatch(torch.eye(3).repeat(8, 1, 1) * 4, torch.tensor([[[0.0] * 3, [0.5] * 3]]).repeat(8, 1, 1), z)
    recipe = read_recipe(TINY | {"sample": {"steps": 2, "apart": apart}})
    setup = set_up(recipe, data, torch.device("cpu"))
    made = DiffusionGenerator(setup.model, setup.info)
    left = list(drawn)
    made._draw = lambda conditions, seeds: [left.pop(0) if len(left) > 1 else left[0] for _ in seeds]
    return made


def salt(distance):
    return Structure(Lattice.cubic(6), ["Na", "Cl"], [[0, 0, 0], [distance / 6, 0, 0]])


def test_crystals_with_atoms_upon_each_other_are_drawn_again():
    condition = Condition(composition={"Na": 1, "Cl": 1})
    assert generator(0.5, [salt(0.1), salt(0.3), salt(2.0)]).generate([condition], [0]) == [salt(2.0)]
    assert generator(0.0, [salt(0.1), salt(2.0)]).generate([condition], [0]) == [salt(0.1)]


def test_the_last_draw_is_given_back_as_it_is():
    drawn = [salt(0.01 * i) for i in range(1, ATTEMPTS + 3)]
    condition = Condition(composition={"Na": 1, "Cl": 1})
    assert generator(0.5, drawn).generate([condition], [0]) == [drawn[ATTEMPTS - 1]]
