"""Settings: documented, checked, nested, flat where that is handy, and read from the folders of earlier versions."""

import dataclasses
import pickle

import pytest

from nucleate.errors import NucleateError
from nucleate.settings import (
    ComposeSettings,
    DesignSettings,
    GenerateSettings,
    OptimiseSettings,
    PredictSettings,
    RelaxSettings,
    SamplingSettings,
    ScreenSettings,
    SearchSettings,
    SubstituteSettings,
)
from nucleate.settings.base import entries, read_settings
from nucleate.settings.design import read_design_settings
from nucleate.settings.optimise import read_optimise_settings

FLAT = {  # what request.json held before settings were nested, each with another value than the default
    "seed": 7,
    "oversample": 3,
    "weights": "mp20-cds",
    "sampling_steps": 20,
    "sampler": "ddim",
    "guidance_scale": 2.0,
    "species_temperature": 0.5,
    "generator": "lexicon",
    "structures": "prototype",
    "rank_by": "metric",
    "templates": "perov-5",
    "potential": "sevennet",
    "fmax": 0.1,
    "relax_steps": 9,
    "reference": "sevennet-mp",
    "known": "mp-20",
    "judge": "property-mp20",
    "second": "none",
    "second_reference": "chgnet-mp",
    "phonons": 2,
    "llm": "http://localhost:8080/v1",
    "llm_model": "small",
    "llm_price": "0.15,0.6",
    "retrieval": False,
    "search": "beam",
    "formulas": 9,
    "width": 3,
    "structures_each": 2,
    "seconds": 60.0,
    "evaluations": 5,
    "objective": "e_above_hull=1",
}
RENAMED = {"sampling_steps": "steps", "guidance_scale": "guidance", "species_temperature": "temperature"}


def test_settings_of_an_earlier_version_are_read():
    found = read_design_settings(FLAT).flat()
    assert {RENAMED.get(k, k): v for k, v in FLAT.items()}.items() <= found.items()
    assert read_design_settings({"seed": 1}) == DesignSettings(seed=1), "what is not there has its default"
    assert read_design_settings(DesignSettings().plain()) == DesignSettings()
    assert DesignSettings().relaxation.max_steps == 250 and RelaxSettings().max_steps == 300
    with pytest.raises(NucleateError, match=r"unknown key 'nonsense'; the keys here are seed, generation"):
        read_design_settings({"nonsense": 1})
    old = {
        "weights": "mp20-cds",
        "property": "e_form",
        "guidance_scale": 1.0,
        "potential": "sevennet",
    }
    now = OptimiseSettings.of(weights="mp20-cds", property="e_form", guidance=1.0, potential="sevennet")
    assert read_optimise_settings(old) == now == read_optimise_settings(now.plain())


def test_names_of_options_find_their_place():
    settings = DesignSettings.of(seed=1, steps=20, relax_steps=3, potential="sevennet", search="beam")
    assert settings == DesignSettings(
        seed=1,
        sampling=SamplingSettings(steps=20),
        relaxation=RelaxSettings(max_steps=3, potential="sevennet"),
        search=SearchSettings(strategy="beam"),
    )
    assert settings.replaced(seed=2).replaced(seed=1) == settings
    assert DesignSettings.of(**settings.flat()) == settings
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: DesignSettings(oversample=2),
            r"has search.oversample in place of 'oversample'; write",
        ),
        (
            lambda: DesignSettings(sampling_steps=2),
            r"has sampling.steps in place .*; write .*of\(steps=...\)",
        ),
        (lambda: DesignSettings(steps=2), r"has 'steps' as sampling.steps"),
        (lambda: DesignSettings.of(guidance_scale=2), r"has sampling.guidance in place of 'guidance_scale'"),
        (lambda: DesignSettings(magic=2), "has no 'magic'; there are seed, weights"),
        (lambda: DesignSettings(search="beam"), "search must be SearchSettings, not 'beam'"),
        (lambda: DesignSettings(seed="1"), "seed must be a valid integer, not '1'"),
        (lambda: SearchSettings(oversample=0), "oversample must be at least 1, not 0"),
        (lambda: RelaxSettings(fmax=0.0), "fmax must be greater than 0, not 0.0"),
        (lambda: RelaxSettings(fmax=float("inf")), "fmax must be a finite number"),
        (lambda: RelaxSettings(optimiser="magic"), "optimiser must be one of bfgs, fire, not 'magic'"),
        (lambda: PredictSettings.of(rank_by="magic"), "rank_by must be one of emd, metric, random, not 'magic'"),
        (
            lambda: read_settings(DesignSettings, {"sampling": {"step": 1}}),
            r"'sampling.step'; the keys of .sampling",
        ),
        (lambda: read_settings(DesignSettings, {"sampling": 1}), "'sampling' is a table of settings, not 1"),
        (lambda: read_settings(OptimiseSettings, {}), "the key 'weights' is missing"),
    ],
)
def test_what_is_no_setting_is_refused_in_one_line(make, message):
    with pytest.raises(NucleateError, match=message) as found:
        make()
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: SearchSettings(strategy="magic"), "strategy"),
        (lambda: DesignSettings.of(search="magic"), "search"),
        (lambda: DesignSettings().replaced(search="magic"), "search"),
        (lambda: read_settings(DesignSettings, {"search": {"strategy": "magic"}}), "'search.strategy'"),
        (lambda: read_settings(SearchSettings, {"strategy": "magic"}), "'strategy'"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_under_which_it_was_given(make, name):
    with pytest.raises(NucleateError) as found:
        make()
    assert str(found.value) == f"{name} must be one of best-first, breadth-first, beam, not 'magic'"
    assert str(pickle.loads(pickle.dumps(found.value))) == str(found.value)


@pytest.mark.parametrize(
    "kind",
    [
        ComposeSettings,
        DesignSettings,
        GenerateSettings,
        OptimiseSettings,
        PredictSettings,
        RelaxSettings,
        ScreenSettings,
        SubstituteSettings,
    ],
)
def test_every_field_is_documented_and_has_a_name_of_its_own(kind):
    found = list(entries(kind))
    assert len({entry.key for entry in found}) == len(found)
    assert all(entry.about.text.endswith((".", ")")) for entry in found)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        DesignSettings().seed = 1
