import json

import pytest
import torch
from papers import of_papers

from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError
from nucleate.generators import load_generator, shipped_weights
from nucleate.nets.image_sums import image_sums
from nucleate.nets.property import radials_of
from nucleate.systems.base import PROPERTY
from nucleate.systems.prediction import HUBER, PairStore
from nucleate.systems.property import NetworkConfig, PropertyRecipe
from nucleate.systems.recipe import FromWeights
from nucleate.train.checkpoint import save_weights
from nucleate.train.loop import LATEST, METRICS, WEIGHTS, Trainer
from nucleate.train.property import (
    MAX_ATOMS,
    crystals_of,
    load_property_network,
    predict_structures,
)
from nucleate.train.shipped import weights_file, weights_folder
from nucleate.train.weights_file import load_tensors, save_tensors
from recipes import model_of

SHIPPED = ["property-mp20", *of_papers("property-perov5", "property-carbon24")]


def recipe(**train):
    network = NetworkConfig(dim=16, layers=1, heads=2, pair_dim=10, norm="pre", predict=("volume", "rare"))
    settings = {"steps": 20, "batch_size": 16, "warmup": 5, "checkpoint_every": 5, "log_every": 5, "ema": 0.9} | train
    return PropertyRecipe(name="tiny-property", network=network, train=FromWeights(**settings))


@pytest.fixture(scope="module")
def crystals():
    """ "volume" is in every crystal, "rare" in one of ten."""
    g = torch.Generator().manual_seed(0)
    z = torch.randint(1, 30, (100, 6), generator=g)
    z[::2, 4:] = 0
    frac = torch.rand(100, 6, 3, generator=g) * (z > 0)[..., None]
    batch = CrystalBatch(torch.eye(3) * (4 + torch.rand(100, 1, 1, generator=g)) + 0.1, frac, z)
    rare = torch.where(torch.arange(100) % 10 == 3, batch.volume / 7, torch.nan)
    return batch.with_properties({"volume": batch.volume / batch.num_atoms, "rare": rare})


@pytest.fixture(scope="module")
def trained(crystals, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    Trainer(recipe(steps=300, learning_rate=3e-3), crystals, folder, "cpu").run()
    return folder


def metrics(folder):
    lines = [json.loads(line) for line in (folder / METRICS).read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "crystals_per_s")} for line in lines]


def test_training_learns_columns_of_which_values_are_missing(trained, crystals):
    lines = metrics(trained)
    assert lines[-1]["loss"] < 0.3 * lines[0]["loss"] and {"volume", "rare"} < set(lines[0])
    predicted = load_property_network(trained / WEIGHTS).predict(crystals)
    assert set(predicted) == {"volume", "rare"}
    for name, values in predicted.items():
        known = crystals.properties[name].isfinite()
        truth = crystals.properties[name][known]
        assert (values[known] - truth).abs().mean() < 0.6 * (truth - truth.mean()).abs().mean(), name
        assert torch.isfinite(values).all()


def test_a_resumed_run_has_the_same_losses_and_weights(crystals, tmp_path):
    Trainer(recipe(), crystals, tmp_path / "whole", "cpu").run()
    Trainer(recipe(), crystals, tmp_path / "parts", "cpu").run(until=10)
    again = Trainer(recipe(), crystals, tmp_path / "parts", "cpu")
    assert again.step == 10
    again.run()
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts")
    a, b = (load_tensors(tmp_path / name / WEIGHTS)[0] for name in ("whole", "parts"))
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_the_loss_is_hubers_over_known_values_only(crystals, tmp_path):
    trainer = Trainer(recipe(), crystals, tmp_path, "cpu")
    index = torch.tensor([3, 4, 13, 20, 7])  # "rare" is known of the first and the third
    with torch.no_grad():
        losses = trainer.batch_loss(trainer.model, index, 0)
        unknown = trainer.batch_loss(trainer.model, torch.tensor([4, 5]), 0)["rare"]
        width = int(crystals.num_atoms[index].max())
        z, sums = crystals.atomic_numbers[index, :width], trainer.objective.sums.take(index, width)
        out = trainer.model(z, sums)
    for i, (name, known) in enumerate({"volume": [0, 1, 2, 3, 4], "rare": [0, 2]}.items()):
        truth = trainer.info.properties[name].standardise(crystals.properties[name][index])[known]
        error = (out[known, i] - truth).abs()
        expected = torch.where(error < HUBER, error**2 / 2, HUBER * (error - HUBER / 2)).mean()
        assert torch.allclose(losses[name], expected, rtol=1e-5)
    assert float(unknown) == 0.0


def test_stored_sums_are_those_of_each_crystal(crystals):
    network = recipe().network
    store = PairStore(crystals, radials_of(network.pair_dim), torch.device("cpu"))
    index = torch.tensor([1, 2, 51])
    part = crystals[index]
    wanted = image_sums(part.lattice, part.frac_coords, part.mask, radials_of(network.pair_dim))
    assert torch.allclose(store.take(index, 6), wanted, atol=2e-3)
    assert not store.take(index, 6)[1, 4:].any() and not store.take(index, 6)[1, :, 4:].any()


def test_weights_of_another_kind_are_refused(trained, tmp_path):
    metadata = load_tensors(trained / WEIGHTS)[1]
    assert metadata["kind"] == "property" and load_tensors(trained / LATEST)[1]["kind"] == "property"
    with pytest.raises(NucleateError, match="kind 'property', not a generator"):
        load_generator(trained / WEIGHTS)
    with pytest.raises(NucleateError, match="are a generator, not a network of kind 'property'"):
        load_property_network("mp20-csp")
    assert not set(shipped_weights(PROPERTY)) & set(shipped_weights())
    model = load_property_network(trained / WEIGHTS)
    save_weights(tmp_path / "half.safetensors", model.network, model.info, half=True)
    assert load_tensors(tmp_path / "half.safetensors")[1]["kind"] == "property"


def test_loader_errors_are_one_line(trained, tmp_path):
    with pytest.raises(NucleateError, match="no weights 'nothing'; shipped: .*or give a file"):
        load_property_network("nothing")
    (tmp_path / "junk.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(NucleateError, match="not a safetensors file"):
        load_property_network(tmp_path / "junk.safetensors")
    tensors, metadata = load_tensors(trained / WEIGHTS)
    tensors.pop("out.bias")
    save_tensors(tmp_path / "cut.safetensors", tensors, metadata)
    with pytest.raises(NucleateError, match="does not fit its own recipe"):
        load_property_network(tmp_path / "cut.safetensors")


def test_predictions_do_not_depend_on_the_batch(trained, crystals):
    model = load_property_network(trained / WEIGHTS)
    together, alone = model.predict(crystals[:7]), model.predict(crystals[:7], batch_size=1)
    assert all(torch.allclose(together[k], alone[k], atol=1e-4) for k in together)
    features = model.features(crystals[:7])
    assert features.shape == (7, 16) and features.std() > 0


def test_crystals_that_cannot_be_predicted_are_nan_with_a_reason(trained, crystals):
    model = load_property_network(trained / WEIGHTS)
    batch = crystals[:7].with_properties({})
    z, frac, lattice = batch.atomic_numbers.clone(), batch.frac_coords.clone(), batch.lattice.clone()
    z[0, 1] = 92
    z[1] = 0
    lattice[2] = 0.0
    frac[3, 0, 0] = torch.nan
    lattice[4] = torch.diag(torch.tensor([1000.0, 1000.0, 1e-4]))
    bad = CrystalBatch(lattice, frac, z)
    reasons = model.refusals(bad)
    assert list(reasons) == [0, 1, 2, 3, 4]
    for why, part in zip(reasons.values(), ("never saw U", "no atoms", "no volume", "finite", "thin"), strict=True):
        assert part in why
    values = model.predict(bad)["volume"]
    assert values[:5].isnan().all() and values[5:].isfinite().all()
    assert torch.allclose(values[5:], model.predict(batch)["volume"][5:], atol=1e-4)
    large = CrystalBatch.from_arrays([torch.eye(3) * 50], [torch.rand(MAX_ATOMS + 1, 3)], [[6] * (MAX_ATOMS + 1)])
    assert f"{MAX_ATOMS + 1} atoms" in model.refusals(large)[0]
    assert model.predict(CrystalBatch.from_arrays([], [], []))["volume"].shape == (0,)


def test_structures_of_pymatgen(trained):
    from pymatgen.core import Lattice, Structure

    model = load_property_network(trained / WEIGHTS)
    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    partial = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    uranium = Structure(Lattice.cubic(4), ["U"], [[0, 0, 0]])
    values, reasons = predict_structures(model, [salt, partial, salt.get_primitive_structure(), uranium])
    assert set(reasons) == {1, 3} and "partial occupancy" in reasons[1] and "never saw U" in reasons[3]
    assert values["volume"].isnan().tolist() == [False, True, False, True]
    assert abs(values["volume"][0] - values["volume"][2]) < 1e-3, "8 atoms or 2, the same crystal"
    crystals, why = crystals_of([salt, partial])
    assert crystals.num_atoms.tolist() == [8, 0] and list(why) == [1]


def test_columns_that_the_data_lacks_are_refused(crystals, tmp_path):
    with pytest.raises(NucleateError, match="carries no 'rare'"):
        Trainer(recipe(), crystals.with_properties({"volume": crystals.volume}), tmp_path, "cpu")


def test_a_property_recipe_must_predict_something(crystals, tmp_path):
    with pytest.raises(NucleateError, match="'network.predict' must not be empty"):
        recipe().changed(network={"predict": ()})


def test_starting_from_a_denoiser_takes_the_shared_layers(crystals, tmp_path):
    network = NetworkConfig(pair_dim=10, layers=1, norm="pre", predict=("volume",))
    wide = recipe(start_from="mp20-dng").changed(network=network)
    trainer = Trainer(wide, crystals, tmp_path, "cpu")
    source = load_tensors(weights_folder() / "mp20-dng.safetensors")[0]
    assert torch.equal(trainer.model.state_dict()["blocks.0.qkv.weight"], source["blocks.0.qkv.weight"].float())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_networks_carry_their_recipe_and_have_a_card(name):
    from pathlib import Path

    from nucleate.systems import load_recipe

    assert name in shipped_weights(PROPERTY)
    model = load_property_network(name)
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / f"{name}.toml")
    assert model_of(model.info.recipe) == model_of(recipe)
    file = weights_file(name)
    card = file.with_suffix(".md").read_text()
    assert all(word in card for word in ("MAE", "recipe", "commit", "seconds"))
    assert file.stat().st_size < 3e6
