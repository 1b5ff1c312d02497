"""Crystals from tiny UniMat and compact models: contracts, conditions, refusals."""

import pytest
from random_crystals import few_elements

from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.systems.reading import read_recipe
from nucleate.testing.contracts import check_structure_generator
from nucleate.train.loop import WEIGHTS, Trainer

SRTIO3, LI2O = {"Sr": 1, "Ti": 1, "O": 3}, {"Li": 2, "O": 1}


def trained(folder, kind, task, network="sparse", condition_on=(), slots=6, steps=5, **codec):
    sizes = {"kind": "dense", "widths": (8, 16)} if network == "dense" else {"layers": 1, "frequencies": 2}
    sizes |= {"widths": (8, 16)} if kind == "compact" else {"seen": 8} if network == "sparse" else {}
    codec |= {"slots": slots} if kind == "unimat" else {}
    recipe = read_recipe(
        {
            "name": f"tiny-{kind}",
            "system": kind,
            "task": task,
            "data": {"max_atoms": 6},
            "codec": {"lattice": "parameters", "random_origin": True} | codec,
            "network": {"dim": 16, "heads": 2, "condition_on": condition_on} | sizes,
            "train": {"steps": steps, "batch_size": 16, "precision": "float32"},
            "sample": {"steps": 10},
        }
    )
    trainer = Trainer(recipe, few_elements(80), folder)
    trainer.run()
    return load_generator(folder / WEIGHTS)


@pytest.fixture(scope="module", params=[("unimat", "sparse"), ("unimat", "dense"), ("compact", "sparse")], ids="-".join)
def csp(request, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("csp"), request.param[0], "csp", request.param[1])


@pytest.fixture(scope="module", params=["sparse", "dense"])
def unimat(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unimat")
    return trained(folder, "unimat", "dng", request.param, ("chemical_system",), steps=30)


@pytest.fixture(scope="module")
def compact(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("compact"), "compact", "dng")


def test_a_given_composition_is_met(csp):
    check_structure_generator(csp, [Condition(composition=SRTIO3), Condition(composition=LI2O)], tolerance=5e-3)


def test_a_chemical_system_is_met(unimat):
    conditions = [Condition(chemical_system=("Sr", "O")), Condition(chemical_system=("Fe", "Li", "O"))]
    crystals = unimat.generate(conditions * 4, range(8))
    for crystal, condition in zip(crystals, conditions * 4, strict=True):
        assert {e.symbol for e in crystal.composition.elements} <= set(condition.chemical_system)
    free = unimat.generate([Condition()] * 8, range(8))
    assert all(len(crystal) for crystal in free) and len({len(crystal) for crystal in free}) > 1
    assert unimat.generate([Condition()] * 2, [3, 4]) == [unimat.generate([Condition()], [s])[0] for s in (3, 4)]


def test_a_number_of_atoms_is_met(compact):
    check_structure_generator(compact, [Condition(num_atoms=4), Condition(num_atoms=6)], tolerance=5e-3)


def test_what_cannot_be_met_is_refused(unimat, csp, compact):
    for model, condition, words in (
        (unimat, Condition(num_atoms=5), "finds the number of atoms itself; it takes a chemical system"),
        (unimat, Condition(composition=SRTIO3), "chooses the elements itself"),
        (unimat, Condition(lattice_shape="cubic"), "cannot be asked for a lattice shape"),
        (
            compact,
            Condition(chemical_system=("Sr", "O")),
            "not trained on chemical systems; it takes a number",
        ),
        (compact, Condition(num_atoms=7), "cells of 1 to 6 atoms"),
        (csp, Condition(composition={"U": 1, "O": 2}), "never saw U"),
    ):
        with pytest.raises(NucleateError, match=words):
            model.generate([condition], [0])


def test_a_table_without_room_refuses(tmp_path):
    model = trained(tmp_path, "unimat", "csp", "dense", slots=2)
    assert 0 < model.info.training["left out"] < 80
    with pytest.raises(NucleateError, match="room for 2 atoms of an element, not 3"):
        model.generate([Condition(composition=SRTIO3)], [0])
    with pytest.raises(NucleateError, match="none of the 80 crystals fits"):
        trained(tmp_path / "none", "unimat", "dng", groups=(18,))  # no crystal of the training data has noble gases
    with pytest.raises(NucleateError, match="'codec.slots' must be at least 1, not 0"):
        trained(tmp_path / "none", "unimat", "dng", slots=0)
