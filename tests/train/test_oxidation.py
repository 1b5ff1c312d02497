from pathlib import Path

import pytest
import torch

from nucleate.config import TrainConfig
from nucleate.errors import NucleateError
from nucleate.generators import load_generator, shipped_weights
from nucleate.train.oxidation import (
    OxidationConfig,
    OxidationRecipe,
    accuracy,
    labelled,
    load_oxidation,
    load_oxidation_recipe,
    save_oxidation,
    train_oxidation,
)
from nucleate.train.shipped import weights_folder

RECIPE = OxidationRecipe(
    name="toy",
    data="toy",
    network=OxidationConfig(dim=32, layers=2, heads=4, hidden=32, dropout=0.1),
    train=TrainConfig(steps=30, batch_size=8, learning_rate=1e-2, warmup=5, precision="float32", checkpoint_every=10),
)
CATIONS = {"Li": 1, "Na": 1, "K": 1, "Mg": 2, "Ca": 2, "Zn": 2}
ANIONS = {"F": -1, "Cl": -1, "Br": -1, "O": -2, "S": -2}


def toy():
    return [labelled((c, a), (p, q), (-q, p)) for c, p in CATIONS.items() for a, q in ANIONS.items()]


@pytest.fixture(scope="module")
def trained():
    lines = []
    data = toy()
    return train_oxidation(RECIPE, data[::2], data[1::2], lines.append), lines


def test_thirty_steps_learn_simple_salts(trained):
    model, lines = trained
    assert [line["step"] for line in lines] == [10, 20, 30]
    assert lines[-1]["loss"] < 0.5 * lines[0]["loss"]
    right, n = accuracy(model, toy()).element
    assert right / n > 0.9
    assert model.training["formulas"] == 15 and set(model.elements) == {*CATIONS, *ANIONS}
    assert model.states == (-2, -1, 0, 1, 2)


def test_training_is_a_function_of_recipe_and_data(trained):
    torch.manual_seed(5)  # global generator: neither used nor changed
    before = torch.random.get_rng_state()
    again = train_oxidation(RECIPE, toy()[::2], toy()[1::2])
    assert torch.equal(before, torch.random.get_rng_state())
    first = trained[0].network.state_dict()
    assert all(torch.equal(v, first[k]) for k, v in again.network.state_dict().items())
    other = RECIPE.changed(train={"seed": 1})
    assert not torch.equal(
        train_oxidation(other, toy()[::2], toy()[1::2]).network.states.weight, first["states.weight"]
    )


def test_a_file_of_weights_loads_completely_and_the_same_each_time(trained, tmp_path):
    model = trained[0]
    save_oxidation(tmp_path / "toy.safetensors", model)
    loaded, again = (load_oxidation(tmp_path / "toy.safetensors") for _ in range(2))
    assert (loaded.recipe, loaded.elements, loaded.states, dict(loaded.training)) == (
        model.recipe,
        model.elements,
        model.states,
        dict(model.training),
    )
    for k, v in loaded.network.state_dict().items():
        assert torch.equal(v, again.network.state_dict()[k])
        assert torch.allclose(v, model.network.state_dict()[k], rtol=1e-3, atol=1e-5)  # half precision
    assert accuracy(loaded, toy()) == accuracy(model, toy())


def test_groups_of_one_element_are_mixed_valence():
    magnetite = labelled(("Fe", "O", "Fe"), (3, -2, 2), (16, 32, 8))
    assert magnetite.composition == {"Fe": 3, "O": 4}
    assert magnetite.shares == {"Fe": {3: 2 / 3, 2: 1 / 3}, "O": {-2: 1}}


def test_formulas_that_lack_atoms_are_left_out():
    broken = [labelled(("Na", "S"), (1, 6), (2, 1)), labelled(("Ba", "Se"), (2, -2), (1, 2))]
    assert [d.charge for d in broken] == [8, -2]
    model = train_oxidation(RECIPE.changed(train={"steps": 1}), toy() + broken, toy())
    assert model.training["left_out"] == 2 and "Ba" not in model.elements and max(model.states) == 2


def test_accuracies_by_hand(trained):
    model = trained[0]
    data = [labelled(("Na", "Cl"), (1, -1), (4, 4)), labelled(("Mg", "O"), (1, -2), (2, 2))]  # the second is wrong
    data.append(labelled(("Ca", "F", "F"), (2, -1, -2), (2, 3, 1)))  # three quarters of F as the network says
    found = accuracy(model, data, [4, 2, 2])
    assert found.element == (4, 6) and found.main == (5, 6)
    assert found.atom == (pytest.approx(8 + 2 + 2 + 3), 18)
    assert found.formula == (1, 3) and found.neutral == (3, 3)


def test_generators_and_networks_are_told_apart(trained, tmp_path, monkeypatch):
    folder = weights_folder()
    assert "oxidation-icsd" not in shipped_weights() and (folder / "oxidation-icsd.safetensors").is_file()
    with pytest.raises(NucleateError, match="kind 'oxidation', not a generator"):
        load_generator("oxidation-icsd")
    with pytest.raises(NucleateError, match="holds no network of oxidation states"):
        load_oxidation(folder / "mp20-csp.safetensors")
    (tmp_path / "damaged.safetensors").write_bytes(b"no tensors")
    monkeypatch.setattr("nucleate.train.shipped.weights_folder", lambda: tmp_path)
    assert shipped_weights()[0] == "damaged"


def test_bad_input_is_one_line(tmp_path):
    with pytest.raises(NucleateError, match="no labelled formulas"):
        train_oxidation(RECIPE, [], toy())
    with pytest.raises(NucleateError, match="no recipe at"):
        load_oxidation_recipe(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text('name = "x"\ndata = "y"\n[network]\nwidth = 3')
    with pytest.raises(NucleateError, match="r.toml: unknown key 'network.width'"):
        load_oxidation_recipe(tmp_path / "r.toml")


def test_the_shipped_weights_carry_their_recipe_and_have_a_card():
    model = load_oxidation(weights_folder() / "oxidation-icsd.safetensors")
    recipe = Path(__file__).parents[2] / "recipes" / "networks" / "oxidation-icsd.toml"
    assert model.recipe == load_oxidation_recipe(recipe)
    card = (weights_folder() / "oxidation-icsd.md").read_text()
    assert all(word in card for word in ("GPL-3", "CPU seconds", "recipes/networks/oxidation-icsd.toml", "96.82"))
    assert (weights_folder() / "oxidation-icsd.safetensors").stat().st_size < 2e6
