import pytest
import torch

from nucleate.config import DataConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.properties import parse_properties, parse_property, resolve_property
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig, SampleConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.loop import WEIGHTS, Trainer

NETWORK = {"dim": 32, "layers": 1, "heads": 2, "pair_dim": 8, "frequencies": 2, "norm": "pre"}


def trained(folder, conditioning):
    """Lithium crystals have property -1, oxygen crystals +1; a quarter of the values is missing."""
    g = torch.Generator().manual_seed(0)
    lithium = torch.rand(400, generator=g) < 0.5
    z = torch.where(lithium[:, None], 3, 8).expand(400, 3).clone()
    value = torch.where(lithium, -1.0, 1.0)
    value[::4] = torch.nan
    cell = torch.eye(3) * 4 + 0.2 * torch.rand(400, 3, 3, generator=g)
    data = CrystalBatch(cell, torch.rand(400, 3, 3, generator=g), z, {"formation_energy_per_atom": value})
    recipe = JointRecipe(
        name="tiny",
        task="dng",
        data=DataConfig(max_atoms=3),
        diffusion=DiffusionConfig(species="absorbing"),
        network=NetworkConfig(**NETWORK, conditioning=conditioning, condition_on=("formation_energy_per_atom",)),
        train=ConditionalTraining(
            steps=150, batch_size=64, warmup=10, learning_rate=5e-3, ema=0.9, precision="float32"
        ),
        sample=SampleConfig(steps=10, corrector_steps=0),
    )
    Trainer(recipe, data, folder).run()
    return folder / WEIGHTS


@pytest.fixture(scope="module", params=["cdi", "cds", "adaln"])
def weights(request, tmp_path_factory):
    return trained(tmp_path_factory.mktemp(request.param), request.param)


def share_of_oxygen(weights, target, guidance=2.0, n=24):
    wanted = {} if target is None else {"e_form": target}
    generator = load_generator(weights, guidance_scale=guidance)
    made = generator.generate([Condition(properties=wanted, num_atoms=3)] * n, list(range(n)))
    return sum(s.composition["O"] for s in made) / (3 * n)


def test_a_wanted_property_decides_the_element(weights):
    assert share_of_oxygen(weights, -1.0) < 0.1 and share_of_oxygen(weights, 1.0) > 0.9
    assert 0.2 < share_of_oxygen(weights, None) < 0.8


def test_guidance_zero_ignores_the_property(weights):
    assert 0.2 < share_of_oxygen(weights, 1.0, guidance=0.0) < 0.8


def test_a_crystal_does_not_depend_on_other_conditions_of_its_batch(weights):
    generator = load_generator(weights, guidance_scale=2.0)
    conditions = [Condition(properties={"e_form": 1.0}, num_atoms=3), Condition(num_atoms=3)]
    both = generator.generate(conditions, [5, 6])
    for condition, seed, together in zip(conditions, [5, 6], both, strict=True):
        alone = generator.generate([condition], [seed])[0]
        assert alone.species == together.species
        assert alone.lattice.matrix == pytest.approx(together.lattice.matrix, rel=1e-4, abs=1e-4)


def test_statistics_of_properties_are_in_the_weights_file(weights):
    generator = load_generator(weights)
    stats = generator.info.conditions["formation_energy_per_atom"]
    assert stats.n == 300 and (stats.low, stats.high) == (-1.0, 1.0) and abs(stats.mean) < 0.2
    assert generator.facts()["properties"]["formation_energy_per_atom"]["high"] == 1.0


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"band_gap": 1.0}, "tiny cannot be asked for band_gap; it takes formation_energy_per_atom, a number of atoms"),
        ({"e_form": 50.0}, "standard deviations outside the training data"),
        ({"e_form": float("nan")}, "outside the training data"),
    ],
)
def test_what_the_model_cannot_give_is_refused_in_one_line(weights, properties, message):
    with pytest.raises(NucleateError, match=message) as error:
        load_generator(weights).generate([Condition(properties=properties)], [0])
    assert "\n" not in str(error.value)


def test_wanted_properties_are_parsed():
    assert parse_property("e_form=-3.2") == ("e_form", (-3.2, -3.2))
    assert parse_property(" band_gap = 1..1.6 ") == ("band_gap", (1.0, 1.6))
    assert parse_property("x=-1e-2..+.5") == ("x", (-0.01, 0.5))
    assert parse_property("gap (eV) = 1") == ("gap (eV)", (1.0, 1.0))  # a column of the user's own data
    assert parse_properties(["a=1", "b=2", "a=1"]) == {"a": (1.0, 1.0), "b": (2.0, 2.0)}


@pytest.mark.parametrize(
    "text", ["e_form", "e_form=", "=3", "e_form=low", "e_form=1..", "a=b=1", "gap=2..1", "a=1e999"]
)
def test_texts_that_are_no_wanted_property_are_refused(text):
    with pytest.raises(NucleateError):
        parse_properties([text])


def test_two_values_for_one_property_contradict():
    with pytest.raises(NucleateError, match="two different values"):
        parse_properties(["a=1", "a=2"])


def test_names_resolve_to_columns():
    assert resolve_property("e_form", ["heat_all", "heat_ref"]) == "heat_ref"
    assert resolve_property("heat_all", ["heat_all", "heat_ref"]) == "heat_all"
    assert resolve_property("e_form", ["band_gap"]) is None
