"""Training of the site chooser: decisions of known crystals, and a fit that learns, stops and goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from nucleate.crystal.orbits import site_sizes
from nucleate.errors import NucleateError
from nucleate.generators.site_chooser import SiteChooser
from nucleate.library.entries import KnownEntry
from nucleate.library.library import load_library
from nucleate.retrieval.held_out import held_out_formulas, library_for_fits
from nucleate.train.site_chooser import (
    ChooserRecipe,
    fit_chooser,
    likeness_of_elements,
    load_chooser_network,
    load_chooser_recipe,
    mean_losses,
    site_losses,
)
from nucleate.train.site_decisions import ANY, SiteDecisions, decisions_of, sequence

RECIPE = ChooserRecipe.read(
    {
        "name": "small",
        "most_atoms": 20,
        "network": {"dim": 32, "layers": 2, "heads": 2, "hidden": 64},
        "train": {"steps": 20, "batch_size": 32, "learning_rate": 5e-3, "warmup": 5, "checkpoint_every": 10, "seed": 3},
    }
)


@pytest.fixture(scope="module")
def table():
    return load_library().table


@pytest.fixture(scope="module")
def rows(table):
    return np.random.default_rng(0).permutation(len(table))[:400]


@pytest.fixture(scope="module")
def data(table, rows):
    return decisions_of(table, rows, 20)


def test_decisions_are_those_of_the_crystals(table, rows, data):
    small = rows[table.num_atoms[rows] <= 20]
    assert set(data.row.tolist()) <= set(small.tolist()) and len(data) > 0.9 * len(small)
    for i in range(0, len(data), 7):
        prototype = KnownEntry(table, int(data.row[i])).decorated_prototype()
        kind = int(data.kind[i])
        own = slice(data.starts[kind], data.starts[kind + 1])
        n = len(prototype.elements)
        assert tuple(data.elements[i, :n]) == prototype.elements and not data.elements[i, n:].any()
        reduced = tuple(data.reduced[kind, :n].tolist())
        assert tuple(r * prototype.units for r in reduced) == prototype.counts
        tokens, targets, open_ = sequence(reduced, prototype.space_group, prototype.places, 20)
        assert data.targets[own].tolist() == targets and data.tokens[own].tolist() == [list(t) for t in tokens]
        assert data.group_masks[data.groups[kind], prototype.space_group - 1]
        for mask, target, choices in zip(data.masks[own][2:], targets[2:], open_[2:], strict=True):
            assert mask >> target & 1 and [k for k in range(27) if mask >> k & 1] == list(choices)
            assert len(choices) > 1


def test_a_decorated_prototype_of_a_formula_is_there_once(table, data):
    keys = [(tuple(data.elements[i].tolist()), int(data.kind[i])) for i in range(len(data))]
    assert len(keys) == len(set(keys))


def test_no_decision_needs_more_atoms_than_are_left(data):
    for (_, group, _, _, left), target in zip(data.tokens.tolist(), data.targets.tolist(), strict=True):
        assert not group or site_sizes(group)[target] <= left


def test_a_file_gives_them_back(tmp_path, data):
    data.save(tmp_path / "decisions.npz")
    again = SiteDecisions.load(tmp_path / "decisions.npz")
    np.testing.assert_array_equal(again.masks, data.masks)
    np.testing.assert_array_equal(again.elements, data.elements)


def test_training_learns_stops_and_goes_on(tmp_path, data):
    lines = []
    network = fit_chooser(RECIPE, data, data, tmp_path / "whole", lines.append)
    assert [line["step"] for line in lines] == [10, 20]
    assert lines[1]["held_out"] < lines[0]["held_out"]
    assert sum(mean_losses(network, data, 20)) == pytest.approx(lines[1]["held_out"])

    class Enough(Exception):
        pass

    def stop(line):
        raise Enough

    with pytest.raises(Enough):
        fit_chooser(RECIPE, data, data, tmp_path / "halves", stop, save_every=0.0)
    resumed = fit_chooser(RECIPE, data, data, tmp_path / "halves", save_every=0.0)
    for name, value in network.state_dict().items():
        torch.testing.assert_close(resumed.state_dict()[name], value, rtol=1e-4, atol=1e-5)
    other = RECIPE.changed(train=RECIPE.train.changed(steps=30))
    with pytest.raises(NucleateError, match="another recipe"):
        fit_chooser(other, data, data, tmp_path / "halves")


def test_weights_come_back_and_give_what_training_counts(tmp_path, table, data):
    fit_chooser(RECIPE, data, data, tmp_path)
    network, recipe, facts = load_chooser_network(tmp_path / "weights.safetensors")
    assert recipe == RECIPE and facts["steps"] == 20 and facts["crystals"] == len(data)
    chooser = SiteChooser(network, recipe.most_atoms)
    some = np.arange(10)
    lost = site_losses(network, data, some, np.full(10, ANY), 20).sum(1).tolist()
    for i, value in zip(some.tolist(), lost, strict=True):
        prototype = KnownEntry(table, int(data.row[i])).decorated_prototype()
        log = chooser.log_probability(prototype)
        assert log >= -value - 1e-4  # other settings of it have a probability, too
        if len(prototype.settings()) == 1:
            assert log == pytest.approx(-value, abs=1e-4)


def test_other_files_are_refused():
    from nucleate.train.shipped import weights_folder

    with pytest.raises(NucleateError, match="no weights of a site chooser"):
        load_chooser_network(weights_folder() / "oxidation-icsd.safetensors")


def test_fits_never_see_what_is_kept_for_validation_and_tests(table):
    library = library_for_fits()
    seen = library.seen(np.arange(len(table)))
    for part in ("validation", "test"):
        assert not np.isin(table.formula_numbers[seen], held_out_formulas(table, part)).any()
    assert not np.isin(table.split[seen], (1, 2)).any()


def test_the_recipe_of_the_repository_can_be_read():
    recipe = load_chooser_recipe(Path(__file__).parents[2] / "recipes" / "networks" / "site-chooser.toml")
    assert recipe.name == "site-chooser" and recipe.most_atoms == 52
    with pytest.raises(NucleateError, match="no recipe"):
        load_chooser_recipe("missing.toml")


def test_elements_are_told_by_likeness():
    likeness = likeness_of_elements("known")
    assert likeness.shape[0] == 119 and likeness.isfinite().all()

    def apart(a, b):
        return float((likeness[a] - likeness[b]).norm())

    assert apart(59, 60) < apart(59, 8)  # praseodymium is like neodymium, not like oxygen
