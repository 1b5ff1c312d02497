from pathlib import Path

import pytest
import torch
from random_crystals import few_elements

from nucleate.diffusion.discrete import D3PM
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator, shipped_weights
from nucleate.generators.contract import require_accepted
from nucleate.generators.diffusion import Restricted
from nucleate.systems import load_recipe
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig, SampleConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.testing.contracts import check_structure_generator
from nucleate.train.loop import WEIGHTS, Trainer
from recipes import model_of

NETWORK = {"dim": 16, "layers": 1, "heads": 2, "pair_dim": 8, "frequencies": 2, "conditioning": "adaln", "norm": "pre"}


def train(folder, task, species, condition_on=()):
    recipe = JointRecipe(
        name=f"tiny-{task}",
        task=task,
        diffusion=DiffusionConfig(species=species),
        network=NetworkConfig(**NETWORK, condition_on=condition_on),
        train=ConditionalTraining(steps=5, batch_size=16, precision="float32"),
        sample=SampleConfig(steps=8),
    )
    Trainer(recipe, few_elements(80), folder).run()
    return folder / WEIGHTS


@pytest.fixture(scope="module")
def csp(tmp_path_factory):
    return train(tmp_path_factory.mktemp("csp"), "csp", "given")


@pytest.fixture(scope="module", params=["uniform", "absorbing"])
def dng(request, tmp_path_factory):
    return train(tmp_path_factory.mktemp("dng"), "dng", request.param, ("chemical_system",))


def test_csp_meets_the_contract(csp):
    conditions = [
        Condition(composition={"Sr": 1, "Ti": 1, "O": 3}),
        Condition(composition={"Li": 2, "O": 1}),
        Condition(composition={"Fe": 1}),
    ]
    check_structure_generator(load_generator(csp), conditions)


def test_dng_meets_the_contract(dng):
    conditions = [
        Condition(num_atoms=3),
        Condition(chemical_system=("Li", "Fe", "O"), num_atoms=6),
        Condition(chemical_system=("Sr", "O")),
        Condition(),
    ]
    check_structure_generator(load_generator(dng, guidance_scale=1.5, batch_size=2), conditions)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(), "none was given"),
        (Condition(composition={"Xe": 1, "O": 3}), "never saw Xe in training"),
        (Condition(composition={"Xx": 1}), "'Xx' is not an element"),
        (Condition(composition={"O": 10_000}), "cells of 1 to 20 atoms, not 10000"),
        (Condition(composition={"O": 2}, num_atoms=3), "the composition has 2 atoms, not 3"),
        (Condition(composition={"O": 2}, chemical_system=("Li",)), "contradict"),
        (
            Condition(composition={"O": 2}, space_group=225),
            "cannot be asked for a space group (--space-group); it takes a given formula",
        ),
        (Condition(composition={"O": 2}, properties={"band_gap": 1.0}), "cannot be asked for band_gap"),
    ],
)
def test_csp_refuses_what_it_cannot_meet(csp, condition, message):
    with pytest.raises(NucleateError) as error:
        load_generator(csp).generate([condition], [0])
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition(composition={"O": 2}), "chooses the elements itself"),
        (Condition(chemical_system=("U", "O")), "never saw U"),
        (Condition(num_atoms=21), "cells of 1 to 20 atoms, not 21"),
        (Condition(chemical_system=("Li", "Fe", "O"), num_atoms=2), "2 atoms cannot hold 3 elements"),
    ],
)
def test_dng_refuses_what_it_cannot_meet(dng, condition, message):
    with pytest.raises(NucleateError, match=message):
        load_generator(dng).generate([condition], [0])


def test_a_model_without_chemical_systems_says_so(tmp_path):
    generator = load_generator(train(tmp_path, "dng", "absorbing"))
    with pytest.raises(NucleateError, match="not trained on chemical systems; it takes a number of atoms"):
        require_accepted(generator, [Condition(chemical_system=("Li", "O"))])


def test_formula_units_fit_the_model(csp):
    generator = load_generator(csp)
    units = {generator.draw_formula_units({"Ti": 1, "O": 2}, seed) for seed in range(30)}
    assert units <= set(range(1, 7)) and len(units) >= 1
    with pytest.raises(NucleateError, match="one formula unit has 22 atoms"):
        generator.draw_formula_units({"O": 22}, 0)


def test_progress_counts_finished_crystals(csp):
    seen = []
    load_generator(csp).generate([Condition(composition={"O": 2})] * 3, [1, 2, 3], progress=lambda *a: seen.append(a))
    assert seen[-1] == (3, 3)


def test_bad_weights_are_one_line(tmp_path):
    with pytest.raises(NucleateError, match="no weights 'nothing'; shipped:"):
        load_generator("nothing")
    (tmp_path / "junk.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(NucleateError, match="not a safetensors file"):
        load_generator(tmp_path / "junk.safetensors")


@pytest.mark.parametrize("steps", [0, -5])
def test_steps_must_be_positive(csp, steps):
    with pytest.raises(NucleateError, match="at least 1"):
        load_generator(csp, steps=steps)


@pytest.mark.parametrize("name", ["mp20-csp", "mp20-dng"])
def test_shipped_weights_carry_the_recipe_that_stands_in_recipes(name):
    recipe = Path(__file__).parents[2] / "recipes" / f"{name}.toml"
    assert model_of(load_generator(name).info.recipe) == model_of(load_recipe(recipe))


@pytest.mark.parametrize("name", ["mp20-csp", "mp20-dng"])
def test_shipped_weights_sample_and_have_a_card(name):
    from nucleate.train.shipped import weights_folder

    assert name in shipped_weights()
    card = (weights_folder() / f"{name}.md").read_text()
    assert all(word in card for word in ("MP-20", "recipe", "commit", "seconds"))
    condition = (
        Condition(composition={"Na": 1, "Cl": 1}) if name == "mp20-csp" else Condition(chemical_system=("Na", "Cl"))
    )
    (structure,) = load_generator(name, steps=10).generate([condition], [0])
    assert {e.symbol for e in structure.composition.elements} <= {"Na", "Cl"}


def test_elements_are_drawn_with_the_species_temperature():
    """With an ideal denoiser of p(x0), elements are drawn in proportion to p^(1 / T), and forbidden ones never."""
    p, allowed = torch.tensor([0.0, 0.6, 0.3, 0.1]), torch.tensor([[False, True, True, False]])
    like = {"atomic_numbers": torch.ones(4000, 1, dtype=torch.int64), "mask": torch.ones(4000, 1, dtype=torch.bool)}

    def ideal(fields, t, condition):
        return {"atomic_numbers": p.log().expand(4000, 1, -1)}

    denoiser = Restricted(ideal, allowed, temperature=0.5)
    processes, rng = {"atomic_numbers": D3PM(3, "absorbing")}, Streams(torch.arange(4000))
    drawn = sample(denoiser, processes, like, steps=5, rng=rng, condition={})
    share = drawn["atomic_numbers"].flatten().bincount(minlength=4) / 4000
    assert share.tolist() == pytest.approx([0, 0.8, 0.2, 0], abs=0.03)  # .6^2 : .3^2


def test_a_temperature_of_zero_is_refused(dng):
    assert load_generator(dng, species_temperature=0.4).settings.species_temperature == 0.4
    with pytest.raises(NucleateError, match="must be above 0, not 0"):
        load_generator(dng, species_temperature=0.0)
