"""The fit of the ranking: the votes are those of `VoteModel`, and a fit learns what stands in the library."""

import numpy as np
import pytest
import torch

from nucleate.config import TrainConfig
from nucleate.retrieval import ranking as module
from nucleate.retrieval.ranking import FOLDER, load_ranking
from nucleate.retrieval.relatives import relatives_of
from nucleate.train.ranking_queries import RatioQueries
from nucleate.train.retrieval_ranking import (
    LeaveOneOut,
    RankingConfig,
    RankingNetwork,
    RankingRecipe,
    fit_ranking,
    load_ranking_recipe,
    save_ranking,
)
from tests.helpers.small_library import perovskite, rock_salt, rutile, small_library

ALKALI, HALIDES = ("Li", "Na", "K", "Rb"), ("F", "Cl", "Br", "I")
CRYSTALS = tuple(
    [(i, rock_salt(a, x, 5.5), dict(e_above_hull=0.0)) for i, (a, x) in enumerate(
        (a, x) for a in ALKALI for x in HALIDES)]
    + [(100 + i, perovskite(a, b, "O", 4), dict(e_above_hull=0.0)) for i, (a, b) in enumerate(
        (a, b) for a in ("Ca", "Sr", "Ba") for b in ("Ti", "Zr", "Hf"))]
    + [(200 + i, rutile(m, "O"), dict(e_above_hull=0.2)) for i, m in enumerate(("Ti", "Sn", "Pb"))]
)  # fmt: skip


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"), CRYSTALS)


@pytest.fixture
def network():
    torch.manual_seed(1)
    out = RankingNetwork(RankingConfig(kinds=5, sizes=3))
    with torch.no_grad():
        for parameter in out.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return out


def test_votes_in_torch_and_in_numpy_are_the_same(library, network, tmp_path, monkeypatch):
    save_ranking(tmp_path / "ranking-known.safetensors", network, {})
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    load_ranking.cache_clear()
    ranking = load_ranking("known")
    load_ranking.cache_clear()
    for ratio in ((1, 1), (1, 1, 3), (1, 2)):
        relatives = relatives_of(library, ratio)
        group = RatioQueries.of(relatives)
        for place in (0, len(relatives.rows) - 1):
            formula = group.formula[place]
            visible = (group.formula != formula).numpy()
            others = np.arange(len(visible)) != place
            for seen in (visible, others):  # without the crystals of the formula, and with its other ones
                same = torch.from_numpy(~visible)[None].float()
                asked = group.elements[[place]], group.roles[[place]], torch.from_numpy(seen)[None], same
                keys, none = network(group, *asked)
                _assert_equal_votes(ranking, relatives, place, seen, keys, none)


def _assert_equal_votes(ranking, relatives, place, seen, keys, none):
    for stable in (0, 1):
        own = ranking.votes(relatives, relatives.elements[place].tolist(), stable=bool(stable), visible=seen)
        np.testing.assert_allclose(own.keys, keys[stable, 0].detach().numpy(), atol=2e-4)
        assert own.none == pytest.approx(float(none[stable, 0]), abs=1e-4)


def test_what_is_right_is_the_prototype_of_the_crystal_itself(library, network):
    relatives = relatives_of(library, (1, 1, 3))
    group = RatioQueries.of(relatives)
    with torch.no_grad():
        lost = group.loss(network, [0, 1])
    same = (group.formula == group.formula[0])[None]
    keys, none = network(group, group.elements[[0]], group.roles[[0]], ~same, same.float())
    every = torch.cat([keys[0, 0], none[0]])
    own = relatives.keys[relatives.pattern[0], 0]  # the first assignment leaves each element where it is
    assert float(lost[0, 0]) == pytest.approx(float(torch.logsumexp(every, 0) - keys[0, 0, own]), abs=1e-5)


def test_crystals_far_above_the_hull_are_not_asked_for_as_stable_ones(library, network):
    relatives = relatives_of(library, (1, 2))
    lost = RatioQueries.of(relatives).loss(network, [0], told=True)
    assert torch.isfinite(lost[[0, 2]]).all() and torch.isnan(lost[[1, 3]]).all()


def test_what_is_told_about_the_cell_leaves_fewer_structure_types(library, network):
    group = RatioQueries.of(relatives_of(library, (1, 1)))
    lost = group.loss(network, [0, 1], told=True)
    assert (lost[2:] <= lost[:2] + 1e-6).all() and torch.equal(group.loss(network, [0, 1]), lost[:2])


def test_the_other_crystals_of_a_formula_vote_where_one_crystal_is_left_out(tmp_path, network):
    crystals = [(1, rock_salt("Na", "Cl", 5.6), {}), (2, rock_salt("Na", "Cl", 5.7), {})]
    group = RatioQueries.of(relatives_of(small_library(tmp_path, crystals), (1, 1)))
    with torch.no_grad():
        network.none.zero_()
        assert float(group.loss(network, [0], "formula")[0, 0]) == 0.0  # only "none of these" is left, and it is right
        before = float(group.loss(network, [0], "crystal")[0, 0])
        network.same += 1
        assert 0 < float(group.loss(network, [0], "crystal")[0, 0]) < before


def test_a_fit_lowers_the_loss_and_is_the_same_again(library):
    recipe = RankingRecipe(
        name="known",
        library="known",
        network=RankingConfig(kinds=4, sizes=2),
        train=TrainConfig(steps=30, batch_size=8, learning_rate=0.05, warmup=1, ema=0.5, checkpoint_every=15),
    )
    rows = np.arange(len(library.table))
    lines = []
    found = [fit_ranking(recipe, library, rows, (library, rows), lines.append)[0] for _ in range(2)]
    first, second = (n.tensors() for n in found)
    assert all(torch.equal(first[k], second[k]) for k in first)
    torch.manual_seed(recipe.train.seed)
    start = RankingNetwork(recipe.network)
    asked = LeaveOneOut(library, rows, 0).drawn(range(len(rows)), np.random.default_rng(0))
    with torch.no_grad():
        before, after = (
            float(torch.cat([g.loss(n, places)[0] for g, places in asked]).mean()) for n in (start, found[0])
        )
    assert after < before / 10
    assert [line["step"] for line in lines[:2]] == [15, 30]


@pytest.mark.parametrize("name", ["known", "mp-20"])
def test_the_shipped_fits_are_those_of_their_recipes(name):
    recipe = load_ranking_recipe(FOLDER.parents[2] / "recipes" / "networks" / f"retrieval-{name.replace('-', '')}.toml")
    known = RankingRecipe.model_validate_json(load_ranking(name).metadata["recipe"])
    assert known == recipe
