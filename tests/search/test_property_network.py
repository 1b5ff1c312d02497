import dataclasses

import pytest
from papers import needs_papers

from nucleate.errors import NucleateError
from nucleate.generators import read_info
from nucleate.generators.model_checks import facts_of
from nucleate.request.parse import parse_request
from nucleate.search.property_network import property_network_for, shipped_judge
from nucleate.settings import DesignSettings
from nucleate.tasks.blueprint import cautions

WANTED = {"e_form": (-2.0, -2.0), "band_gap": (1.0, 1.6)}


@pytest.fixture(scope="module")
def info():
    return read_info("mp20-cds")


def of(info, dataset, *columns):
    """The same generator as if trained on other data and other columns."""
    recipe = info.recipe
    recipe = recipe.changed(network={"condition_on": columns or recipe.condition_on}, data={"dataset": dataset})
    properties = {c: info.properties.get(c, info.properties["band_gap"]) for c in columns or info.properties}
    return dataclasses.replace(info, recipe=recipe, properties=properties)


def test_the_shipped_network_for_the_data_knows_the_columns(info):
    model, wanted, unknown = property_network_for(WANTED, facts_of(info))
    assert model.name == "property-mp20" and unknown == []
    assert wanted == {"formation_energy_per_atom": (-2.0, -2.0), "band_gap": (1.0, 1.6)}
    assert property_network_for({}, facts_of(info)) == (None, {}, [])


def test_columns_that_no_network_knows_are_returned(info):
    model, wanted, unknown = property_network_for(
        {"band_gap": (1, 2), "hardness": (3, 4)}, facts_of(of(info, "mp-20", "band_gap", "hardness"))
    )
    assert model.name == "property-mp20" and list(wanted) == ["band_gap"] and unknown == ["hardness"]
    assert property_network_for(WANTED, facts_of(of(info, "mine+more"))) == (
        None,
        {},
        ["formation_energy_per_atom", "band_gap"],
    )
    assert shipped_judge(["band_gap"], facts_of(of(info, "perov-5"))) is None


@needs_papers
def test_a_named_network_must_know_one_of_them(info):
    with pytest.raises(NucleateError, match="property-carbon24 predicts energy_per_atom, not .*band_gap"):
        property_network_for(WANTED, facts_of(info), "property-carbon24")


def test_a_named_network_must_exist(info):
    with pytest.raises(NucleateError, match="no weights 'none'; shipped: property-mp20"):
        property_network_for(WANTED, facts_of(info), "none")


def test_properties_without_a_network_are_warned_of_once(info, monkeypatch):
    request = parse_request("Li-Fe-O, e_form=-2, band_gap=1..1.6")
    settings = DesignSettings.of(weights="mp20-cds")
    assert cautions(request, settings) == []
    monkeypatch.setattr("nucleate.generators.read_info", lambda _: of(info, "mine"))
    lines = cautions(request, settings)
    assert len(lines) == 1 and "no shipped network for mine predicts formation_energy_per_atom, band_gap:" in lines[0]


def test_requests_that_will_be_refused_get_no_warning_as_well():
    settings = DesignSettings.of(weights="mp20-cds")
    assert len(cautions(parse_request("anything, e_form=-5.3"), settings)) == 1
    assert cautions(parse_request("anything, e_form=-40"), settings) == []
