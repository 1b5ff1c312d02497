"""Energies and features by a property network."""

import numpy as np
import pytest
import torch
from papers import needs_papers
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, Item
from nucleate.evaluate.measurements import DngSettings
from nucleate.evaluate.measures import network
from nucleate.train.property import crystals_of, load_property_network

CRYSTALS = [
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [m, x], [[0, 0, 0], [0.5] * 3])
    for a, m, x in ((5.64, "Na", "Cl"), (4.21, "Mg", "O"), (4.81, "Ca", "O"), (5.14, "Li", "Cl"), (6.0, "Rn", "O"))
]


def test_a_property_network_gives_its_own_energy_and_its_last_hidden_layer():
    found = network.predict_energies(CRYSTALS, "property-mp20")
    assert found.e_form[0] == pytest.approx(-2.1, abs=0.2) and found.e_form[1] == pytest.approx(-3.0, abs=0.3)
    assert found.known.tolist() == [True] * 4 + [False]
    assert found.reasons == {4: "property-mp20 never saw Rn"}
    assert found.method == "property-mp20 (property network, its formation_energy_per_atom)" and not found.reference
    model = load_property_network("property-mp20")
    batch, _ = crystals_of(CRYSTALS[:4])
    features = model.features(batch)
    assert found.features.shape == (5, model.network.dim)
    assert np.allclose(found.features[:4], features.numpy(), atol=1e-5)
    column = model.values(features)["formation_energy_per_atom"]
    assert torch.allclose(column, model.predict(batch)["formation_energy_per_atom"], atol=1e-5)
    assert np.allclose(found.e_form[:4], column.numpy(), atol=1e-5)


def test_in_parts_and_from_the_cache_they_are_the_same(tmp_path, monkeypatch):
    steps = []
    whole = network.predict_energies(CRYSTALS, "property-mp20")
    monkeypatch.setattr(network, "CHUNK", 2)
    parts = network.predict_energies(
        CRYSTALS, "property-mp20", cache=tmp_path, progress=lambda n, of: steps.append((n, of))
    )
    assert steps == [(2, 5), (4, 5), (5, 5)]
    assert parts.reasons == whole.reasons
    assert np.allclose(parts.e_form, whole.e_form, equal_nan=True, atol=1e-5)
    monkeypatch.setattr(network, "_predict_in_chunks", None)  # from here on every computation would raise
    again = network.predict_energies(CRYSTALS, "property-mp20", cache=tmp_path)
    assert np.array_equal(again.features, parts.features, equal_nan=True) and again.reasons == parts.reasons


@needs_papers
def test_other_weights_have_files_of_their_own_in_the_cache(tmp_path, monkeypatch):
    network.predict_energies(CRYSTALS[:2], "property-mp20", cache=tmp_path)
    monkeypatch.setattr(network, "_predict_in_chunks", None)  # from here on every computation would raise
    with pytest.raises(TypeError):
        network.predict_energies(CRYSTALS[:2], "property-perov5", cache=tmp_path)


@needs_papers
def test_each_network_has_the_column_of_its_data():
    columns = {n: network.predict_energies([], n) for n in ("property-perov5", "property-carbon24")}
    assert "its heat_ref" in columns["property-perov5"].method
    assert "its energy_per_atom" in columns["property-carbon24"].method
    assert columns["property-carbon24"].quantity == "energy per atom"


def test_wrong_names_are_one_line_each(monkeypatch):
    for name in ("sevennet", "ase:ase.calculators.emt:EMT"):
        with pytest.raises(NucleateError, match="gives no features of crystals"):
            network.predict_energies(CRYSTALS, name)
    with pytest.raises(NucleateError, match="potentials: chgnet; property networks: property-mp20"):
        network.predict_energies(CRYSTALS, "nothing")
    with pytest.raises(NucleateError, match="a generator, not a network of kind 'property'"):
        network.predict_energies(CRYSTALS, "mp20-dng")
    monkeypatch.setattr("nucleate.train.property.PropertyModel.columns", ("hardness",))
    with pytest.raises(NucleateError, match="property-mp20 predicts hardness, none of formation_energy_per_atom"):
        network.predict_energies(CRYSTALS, "property-mp20")


def test_the_report_names_the_network(monkeypatch):
    monkeypatch.setattr(network, "_energies_by_potential", None)  # no potential is evaluated
    crystals = CrystalSet("made", tuple(Item(str(i), s) for i, s in enumerate(CRYSTALS[:4])))
    settings = DngSettings(protocols=("cdvae-2022",), potential="property-mp20")
    report = evaluate_dng(crystals, crystals, settings, workers=0)
    assert report["w_e_form"].value == pytest.approx(0, abs=1e-6) and report["w_e_form"].n == 4
    assert report["frechet_network"].n == 4
    notes = " ".join(s.note for s in report.sections)
    assert "Energies: property-mp20 (property network, its formation_energy_per_atom), both sides unrelaxed" in notes
    assert "for unrealistic crystals its energies hardly rise" in notes
    assert "Network: property-mp20" in notes and "CHGNet" not in notes
    assert report.settings["potential"] == "property-mp20"
    assert any(s.title.startswith("Formation energy (property-mp20") for s in report.series)


def test_a_wrong_name_is_refused_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr("nucleate.evaluate.dng.measure", None)
    crystals = CrystalSet("made", (Item("a", CRYSTALS[0]),))
    with pytest.raises(NucleateError, match="no potential or property network 'nothing'"):
        evaluate_dng(crystals, crystals, DngSettings(protocols=("cdvae-2022",), potential="nothing"), workers=0)
