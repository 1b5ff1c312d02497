"""Crystals as sites, from a table to tensors: what comes back, what is left out, and what the cache keeps."""

import pytest
import torch
from pymatgen.core import Lattice, Structure

from nucleate.config import DataConfig
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.orbits import SymmetricBatch, expand_orbits
from nucleate.data import add_files, home
from nucleate.data import sites as module
from nucleate.errors import NucleateError
from nucleate.io import Named, write_structures
from nucleate.systems import prepare_for
from nucleate.systems.reading import read_recipe
from nucleate.systems.sites import SiteRecipe

CRYSTALS = [
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.95), ["Ti", "O"], [[0] * 3, [0.305, 0.305, 0]]),
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]]),
]
RECIPE = SiteRecipe(name="r", data=DataConfig(dataset="mine:train"))


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("nucleate.data.prepared.user_cache", lambda: tmp_path / "cache")
    home().mkdir()
    write_structures(tmp_path / "in.extxyz", [Named(f"c{i}", s) for i, s in enumerate(CRYSTALS)])
    add_files("mine", [tmp_path / "in.extxyz"], (1.0, 0.0, 0.0))


def test_crystals_are_what_they_were(mine, monkeypatch):
    batch, summary = prepare_for(RECIPE)
    assert isinstance(batch, SymmetricBatch) and summary.usable == 3
    assert sorted(batch.space_group.tolist()) == [136, 221, 225]
    made = {s.composition.reduced_formula: s for s in structures_from_batch(expand_orbits(batch).crystals)}
    assert all(made[s.composition.reduced_formula].matches(s) for s in CRYSTALS)
    monkeypatch.setattr(module, "asymmetric_unit", None)  # the second time they come from the cache
    assert torch.equal(prepare_for(RECIPE)[0].parameters, batch.parameters)


def test_a_cache_that_cannot_be_written_only_costs_time(mine, monkeypatch):
    def full(path):
        raise NucleateError(f"{path}: no space left")

    monkeypatch.setattr(module, "replacing", full)
    assert len(prepare_for(RECIPE)[0]) == 3


def test_what_has_no_consistent_symmetry_is_counted(mine, monkeypatch):
    inner = module.asymmetric_unit

    def fails_for_salt(structure):
        if "Na" in structure.composition:
            raise NucleateError("no consistent symmetry")
        return inner(structure)

    monkeypatch.setattr(module, "asymmetric_unit", fails_for_salt)
    batch, summary = prepare_for(RECIPE)
    assert len(batch) == summary.usable == 2 and summary.left_out["without a consistent symmetry"] == 1


def test_properties_are_refused(mine):
    with pytest.raises(NucleateError, match="cannot have properties"):
        prepare_for(RECIPE, properties=("band_gap",))
    with pytest.raises(NucleateError, match="'network.condition_on' is a setting of .*, not of sites"):
        read_recipe({"name": "r", "system": "sites", "network": {"condition_on": ["band_gap"]}})
