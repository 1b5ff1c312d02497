"""Crystals of two databases in one library: each keeps its own name, and energies are of one of them alone."""

import json

import numpy as np
import pytest

from nucleate.api.knowing import known
from nucleate.errors import NucleateError
from nucleate.library.library import USUAL_HEIGHT, Library
from nucleate.library.packing import packed, unpacked_crystal, write_library
from nucleate.library.table import LibraryTable
from tests.helpers.small_library import anatase, rock_salt, rutile

METADATA = {"attribution": "of the first", "attribution of oqmd": "of the second"}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "known.parquet"
    crystals = [
        unpacked_crystal(rutile("Ti", "O"), "mp", 1, e_above_hull=USUAL_HEIGHT - 0.01, experimental=False),
        unpacked_crystal(rutile("Ti", "O", 0.29), "mp", 2, e_above_hull=USUAL_HEIGHT + 0.01, experimental=True),
        unpacked_crystal(rutile("Ti", "O", 0.28), "mvc", 3),
        unpacked_crystal(anatase(), "oqmd", 1),
        unpacked_crystal(rock_salt("Na", "Cl", 5.64), "oqmd", 5),
        unpacked_crystal(rock_salt("Na", "Cl", 5.70), "mp", 5, experimental=True),
    ]
    write_library(path, packed(crystals), METADATA)
    return Library(LibraryTable.read(path))


def ids(entries):
    return [entry.id for entry in entries]


def test_a_crystal_without_energy_stands_where_crystals_that_were_made_usually_are(library):
    assert ids(known("TiO2", library=library)) == ["mp-1", "oqmd-1", "mp-2", "mvc-3"]
    assert ids(known("NaCl", library=library)) == ["mp-5", "oqmd-5"]  # neither has an energy; one was made for certain


def test_each_database_can_be_asked_alone(library):
    assert ids(known(source="oqmd", library=library)) == ["oqmd-5", "oqmd-1"]  # the smaller cell first
    assert ids(known("TiO2", source="MP", library=library)) == ["mp-1", "mp-2", "mvc-3"]
    assert ids(known("oqmd-5", library=library)) == ["oqmd-5"]
    with pytest.raises(NucleateError, match=r"known crystals are of mp \(Materials Project\) or oqmd, not of 'icsd'"):
        known(source="icsd", library=library)


def test_a_database_is_named_where_a_crystal_is_of_it(library, tmp_path):
    assert known("mp-1", library=library).attribution == known("mvc-3", library=library).attribution == "of the first"
    assert known("oqmd-1", library=library).attribution == "of the second"
    assert known("TiO2", library=library).attribution == "of the first; of the second"
    assert known("H2O", library=library).attribution == "of the first"
    known("NaCl", library=library).write(tmp_path / "x.jsonl")
    records = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines()]
    assert [record["attribution"] for record in records] == ["of the first", "of the second"]


def test_energies_of_other_databases_are_not_there(library):
    entry = library["oqmd-1"]
    assert entry.e_above_hull is entry.e_form is entry.band_gap is entry.experimental is None
    assert not known("TiO2", stable=True, library=library) and len(known(e_above_hull="..9", library=library)) == 2


def test_a_crystal_of_one_database_is_hidden_with_that_of_another(library):
    assert len(library.hidden(ids=["oqmd-5"])) == len(library.hidden(ids=["mp-5"])) == len(library) - 2
    assert not np.isin(["mp-5", "oqmd-5"], ids(library.hidden(ids=["mp-5"]).entries())).any()


def test_crystals_that_tie_are_ordered_by_experiment_and_a_potential(tmp_path):
    made = {"e_above_hull": 0.0, "experimental": True}
    crystals = [
        unpacked_crystal(rutile("Ti", "O"), "mp", 1, e_above_hull=0.0, e_tie=0.0, experimental=False),
        unpacked_crystal(rutile("Ti", "O", 0.29), "mp", 2, e_tie=0.05, **made),
        unpacked_crystal(rutile("Ti", "O", 0.28), "mp", 3, e_tie=0.02, **made),
        unpacked_crystal(rutile("Ti", "O", 0.35), "mp", 4, e_tie=0.7, **made),  # cannot have this energy
        unpacked_crystal(anatase(), "mp", 5, e_above_hull=0.3),
    ]
    write_library(tmp_path / "known.parquet", packed(crystals), METADATA)
    library = Library(LibraryTable.read(tmp_path / "known.parquet"))
    found = known("TiO2", library=library)
    assert ids(found) == ["mp-3", "mp-2", "mp-1", "mp-5", "mp-4"]
    assert [entry.raised for entry in found] == [0, 0, 0, 0, pytest.approx(0.7)]
    assert (
        found[-1].e_above_hull == pytest.approx(0.7)
        and ids(known("TiO2", stable=True, library=library)) == ids(found)[:3]
    )
