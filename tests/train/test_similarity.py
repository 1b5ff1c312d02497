"""The similarity network: pairs, training on toy data with a known answer, files, and the shipped weights."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nucleate.chem.descriptors import descriptors
from nucleate.config import TrainConfig
from nucleate.errors import NucleateError
from nucleate.generators import load_generator, shipped_weights
from nucleate.nets.similarity import SimilarityNetwork
from nucleate.train.shipped import weights_folder
from nucleate.train.similarity import (
    SHIPPED,
    FingerprintedCrystals,
    Pairs,
    SimilarityConfig,
    SimilarityRecipe,
    first_similar,
    load_similarity,
    load_similarity_recipe,
    save_similarity,
    train_similarity,
)

RECIPE = SimilarityRecipe(
    name="toy",
    data="toy",
    network=SimilarityConfig(hidden=(16,), dropout=0.0),
    train=TrainConfig(steps=60, batch_size=64, learning_rate=1e-2, warmup=5, ema=0.9, checkpoint_every=20),
)
HALIDES, CHALCOGENIDES = ("F", "Cl", "Br", "I"), ("O", "S", "Se", "Te")


def toy():
    """Halides of one element are one structure, its chalcogenides another one; so are the 1:2 compounds."""
    formulas, fingerprints = [], []
    for metal in ("Li", "Na", "K", "Rb", "Ag", "Cu"):
        for n in (1, 2):
            for anions, place in ((HALIDES, 0.0), (CHALCOGENIDES, 1.0)):
                for x in anions:
                    formulas.append({metal: 1, x: n})
                    fingerprints.append([place, 0.02 * len(formulas) % 0.1])
    return FingerprintedCrystals(formulas, np.array(fingerprints))


def split(data, part):
    rows = [i for i in range(len(data.formulas)) if (i % 4 == 0) == (part == "val")]
    return FingerprintedCrystals([data.formulas[i] for i in rows], data.fingerprints[rows])


@pytest.fixture(scope="module")
def trained():
    lines = []
    return train_similarity(RECIPE, split(toy(), "train"), split(toy(), "val"), lines.append), lines


def test_pairs_are_of_one_ratio_and_labelled_by_their_fingerprints():
    data = toy()
    pairs = Pairs(data, 0.3, seed=1)
    a, b, similar = pairs.draw(400)
    assert similar[:200].all() and 0 < similar[200:].mean() < 1  # half of the pairs similar, half at random
    assert (a[:200] != b[:200]).all()
    apart = np.linalg.norm(data.fingerprints[a] - data.fingerprints[b], axis=1)
    assert ((apart <= 0.3) == similar).all()
    for i, j in zip(a, b, strict=True):
        assert sorted(data.formulas[i].values()) == sorted(data.formulas[j].values())
    again = Pairs(data, 0.3, seed=1).draw(400)
    assert all((x == y).all() for x, y in zip(again, (a, b, similar), strict=True))


def test_all_similar_pairs_are_found():
    data = toy()
    pairs = Pairs(data, 0.3, seed=0)
    expected = sum(
        i != j
        and sorted(f.values()) == sorted(g.values())
        and np.linalg.norm(data.fingerprints[i] - data.fingerprints[j]) <= 0.3
        for i, f in enumerate(data.formulas)
        for j, g in enumerate(data.formulas)
    )
    assert len(pairs.partners) == expected
    with pytest.raises(NucleateError, match="no two crystals with the same ratio"):
        Pairs(FingerprintedCrystals(data.formulas, np.arange(len(data.formulas))[:, None]), 0.3, 0)


def test_training_learns_the_toy_data(trained):
    model, lines = trained
    assert [line["step"] for line in lines] == [20, 40, 60]
    assert lines[-1]["loss"] < lines[0]["loss"]
    hits, n = first_similar(model.similarities, split(toy(), "val"), split(toy(), "train"), 0.3)
    assert hits / n > 0.9
    assert model.training["crystals"] == len(split(toy(), "train").formulas)


def test_similar_first_templates_are_counted_by_hand():
    known = FingerprintedCrystals(
        [{"Li": 1, "F": 1}, {"Na": 1, "F": 1}, {"Na": 1, "O": 2}], np.array([[0.0], [1.0], [0.0]])
    )
    queries = FingerprintedCrystals([{"Na": 1, "F": 1}, {"K": 1, "F": 1}, {"Fe": 1}], np.array([[0.0], [0.0], [0.0]]))
    # the query's own formula is no template, and an element has no template here at all
    favour_second = lambda a, b: np.tile(np.arange(len(b), dtype=float), (len(a), 1))  # noqa: E731
    assert first_similar(favour_second, queries, known, 0.3) == (1, 2)


def test_exchange_changes_nothing(trained):
    model, _ = trained
    formulas = toy().formulas[:6]
    found = model.similarities(formulas, formulas)
    assert found == pytest.approx(found.T) and ((found >= 0) & (found <= 1)).all()
    assert model.similarities(formulas, []).shape == (6, 0) and model.similarities([], formulas).shape == (0, 6)


def test_an_element_without_descriptors_is_unknown(trained):
    model, _ = trained
    assert np.isnan(model.similarities([{"Am": 1, "O": 1}], [{"Li": 1, "F": 1}])).all()
    assert model.unknown({"Am": 1, "O": 1}) == ["Am"]


def test_the_network_computes_its_documented_formula():
    torch.manual_seed(0)
    network = SimilarityNetwork(3, hidden=(), dropout=0.0).eval()
    a, b = torch.randn(5, 3), torch.randn(5, 3)
    linear = network.layers[0]
    expected = ((a - b).abs() @ linear.weight.T)[:, 0] + linear.bias
    assert torch.allclose(network(a, b), expected, atol=1e-6)


def test_training_repeats_itself(trained):
    again = train_similarity(RECIPE, split(toy(), "train"), split(toy(), "val"))
    for a, b in zip(trained[0].network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_networks_survive_a_file_and_other_files_are_refused(trained, tmp_path):
    model, _ = trained
    save_similarity(tmp_path / "toy.safetensors", model)
    again = load_similarity(tmp_path / "toy.safetensors")
    formulas = toy().formulas[:5]
    assert (again.similarities(formulas, formulas) == model.similarities(formulas, formulas)).all()
    assert again.recipe == RECIPE and again.training == model.training
    with pytest.raises(NucleateError, match="no weights 'nothing'"):
        load_similarity("nothing")
    with pytest.raises(NucleateError, match="no network of structural similarity"):
        load_similarity(weights_folder() / "oxidation-icsd.safetensors")
    with pytest.raises(NucleateError):
        load_generator(tmp_path / "toy.safetensors")


def test_wrong_recipes_are_refused(tmp_path):
    path = Path(__file__).parents[2] / "recipes" / "networks" / f"{SHIPPED}.toml"
    assert load_similarity_recipe(path).name == SHIPPED
    (tmp_path / "bad.toml").write_text('name = "x"\ndata = "y"\n[network]\nwidth = 3\n')
    with pytest.raises(NucleateError, match=r"bad.toml.*width"):
        load_similarity_recipe(tmp_path / "bad.toml")
    with pytest.raises(NucleateError, match="no recipe"):
        load_similarity_recipe(tmp_path / "none.toml")


def test_data_that_cannot_be_trained_on_are_refused():
    with pytest.raises(NucleateError, match="no crystals"):
        train_similarity(RECIPE, FingerprintedCrystals([], np.zeros((0, 2))), toy())
    with pytest.raises(NucleateError, match="without descriptors"):
        train_similarity(RECIPE, FingerprintedCrystals([{"Am": 1, "O": 1}, {"Pu": 1, "O": 1}], np.zeros((2, 1))), toy())
    broken = RECIPE.changed(train={"learning_rate": 1e30})
    with pytest.raises(NucleateError, match="not finite"):
        train_similarity(broken, toy(), toy())


def test_the_shipped_weights():
    model = load_similarity()
    assert SHIPPED not in shipped_weights()  # the network is no generator
    card = (weights_folder() / f"{SHIPPED}.md").read_text()
    assert f"{sum(p.numel() for p in model.network.parameters()):,}" in card
    perovskite, others = {"Sr": 1, "Ti": 1, "O": 3}, [{"Ba": 1, "Ti": 1, "O": 3}, {"Ca": 1, "C": 1, "O": 3}]
    found = model.similarities([perovskite], others)[0]
    assert found[0] > 0.5 > found[1]  # a perovskite, and calcite
    assert np.isfinite(descriptors(others)).all()
