from __future__ import annotations

import copy
import json
import sys

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.io import read_structures
from nucleate.io.parse import parse_dict, structure_from_dict, without_extras

CELL = Lattice.from_parameters(4.1, 5.2, 6.3, 81.2, 95.7, 103.1)
PLACES = np.random.default_rng(1).random((3, 3))
CRYSTAL = Structure(CELL, ["O", "Li", "Fe"], PLACES)
RICH = Structure(
    CELL,
    ["O2-", "Li+", "Fe3+"],
    PLACES,
    site_properties={"magmom": [1.0, 0.0, 5.0], "selective_dynamics": [[True] * 3] * 3},
    labels=["O1", "Li1", "Fe1"],
)
RICH.properties["note"] = "of the whole crystal"


def is_bare(structure: Structure) -> None:
    assert [s.specie.symbol for s in structure] == ["O", "Li", "Fe"]
    assert np.allclose(structure.lattice.matrix, CELL.matrix) and np.allclose(structure.frac_coords, PLACES)
    again = json.loads(json.dumps(structure.as_dict()))
    assert all(s["properties"] == {} for s in again["sites"]) and not again["properties"]
    assert [s["label"] for s in again["sites"]] == ["O", "Li", "Fe"]
    assert all(
        s["species"] == [{"element": e, "occu": 1}] for s, e in zip(again["sites"], ["O", "Li", "Fe"], strict=True)
    )


def test_the_lattice_the_species_and_the_places_alone():
    is_bare(structure_from_dict(CRYSTAL.as_dict()))
    is_bare(structure_from_dict(json.loads(json.dumps(RICH.as_dict()))))
    is_bare(structure_from_dict(RICH.as_dict(verbosity=0)))
    is_bare(without_extras(parse_dict(RICH.as_dict())).structure)


@pytest.mark.parametrize("drop", ["abc", "xyz", "matrix", "parameters"])
def test_one_of_two_ways_to_say_it_is_enough(drop):
    values = CRYSTAL.as_dict()
    for site in values["sites"]:
        site.pop(drop, None)
    values["lattice"] = {
        k: v
        for k, v in values["lattice"].items()
        if k not in ({"matrix"} if drop == "matrix" else {"a", "b", "c", "alpha"} if drop == "parameters" else ())
    }
    if drop == "matrix":  # another orientation: Cartesian coordinates would mean other places
        values["sites"] = [s | {"xyz": None} for s in values["sites"]]
        for site in values["sites"]:
            del site["xyz"]
    found = structure_from_dict(values)
    assert np.allclose(found.lattice.parameters, CELL.parameters) and np.allclose(found.frac_coords, PLACES)


EVIL = {"@module": "evil_module_of_a_test", "@class": "Evil", "@version": None}


@pytest.mark.parametrize("where", ["site", "crystal", "species", "lattice", "top", "record"])
@pytest.mark.parametrize("ending", [".json", ".jsonl", ".csv"])
def test_reading_a_file_imports_nothing_that_it_names(tmp_path, monkeypatch, where, ending):
    (tmp_path / "evil_module_of_a_test.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Evil:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    values = CRYSTAL.as_dict()
    if where == "site":
        values["sites"][0]["properties"] = {"magmom": EVIL}
    elif where == "crystal":
        values["properties"] = {"x": EVIL}
    elif where == "species":
        values["sites"][0]["species"][0] |= EVIL
    elif where == "lattice":
        values["lattice"] |= EVIL
    else:
        values |= EVIL
    if where == "record":
        values = {"structure": CRYSTAL.as_dict(), "gap": 1.0, "x": EVIL, **EVIL}
    text = json.dumps(values)
    if ending == ".csv":
        text = 'structure\n"' + text.replace('"', '""') + '"'
    (tmp_path / f"a{ending}").write_text(text)
    try:
        read_structures([tmp_path / f"a{ending}"])
    except NucleateError:
        assert (where, ending) == ("record", ".csv")  # a cell of a table holds a structure, not a record
    assert not (tmp_path / "ran").exists() and "evil_module_of_a_test" not in sys.modules


def changed(change) -> dict:
    values = copy.deepcopy(CRYSTAL.as_dict())
    change(values)
    return values


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: v.pop("lattice"), "not a structure"),
        (lambda v: v.update(sites=[]), "no atoms"),
        (lambda v: v.update(sites="abc"), "no atoms"),
        (lambda v: v["sites"].__setitem__(1, 3), "site 2 is not a dictionary"),
        (lambda v: v["sites"][1].pop("species"), "site 2 has no species"),
        (lambda v: v["sites"][1].update(species=[]), "site 2 has no species"),
        (lambda v: v["sites"][1]["species"][0].update(element="Xx"), "site 2: 'Xx' is not an element"),
        (lambda v: v["sites"][1]["species"][0].update(element="li"), "did you mean Li"),
        (lambda v: v["sites"][1]["species"][0].update(occu=0.5), "partial occupancy at site 2"),
        (lambda v: v["sites"][1]["species"][0].update(occu=None), "partial occupancy at site 2"),
        (lambda v: v["sites"][1].update(abc=[0.1, 0.2]), "site 2: 'abc' must be 3 numbers"),
        (lambda v: v["sites"][1].update(abc=[0.1, 0.2, "x"]), "site 2: 'abc' must be 3 numbers"),
        (lambda v: v["sites"][1].update(abc=[0.1, 0.2, 10**400]), "not a finite number"),
        (lambda v: v["sites"][1].update(abc=[0.1, 0.2, float("nan")]), "not a finite number"),
        (lambda v: v["sites"][1].update(abc=[0.1, 0.2, 0.3]), "site 2: 'abc' and 'xyz' are two different places"),
        (lambda v: [v["sites"][1].pop("abc"), v["sites"][1].pop("xyz")], "site 2 has no coordinates"),
        (lambda v: v["lattice"].update(matrix=[[1, 0, 0], [0, 1, 0]]), "three rows"),
        (lambda v: v["lattice"].update(a=9.9), "a, b, c are"),
        (lambda v: v["lattice"].update(pbc=[True, True, False]), "periodic in 2 of 3"),
        (lambda v: v.update(lattice=3), "'lattice' is not a dictionary"),
    ],
)
def test_what_is_no_structure_is_refused_in_words(change, words):
    with pytest.raises(NucleateError, match=words):
        structure_from_dict(changed(change))


def test_another_cell_s_image_is_the_same_place_and_deuterium_is_hydrogen():
    values = CRYSTAL.as_dict()
    values["sites"][1]["abc"] = [v + 1 for v in values["sites"][1]["abc"]]
    assert structure_from_dict(values)[1].specie.symbol == "Li"
    values["sites"][1]["species"] = [{"element": "Na", "occu": 1}]
    assert parse_dict(values).remarks == ("site 2 is Na, though its label is Li",)
    values["sites"][1]["label"] = "Na7"
    values["sites"][0] |= {"species": [{"element": "D", "occu": 1}], "label": "D1"}
    found = parse_dict(values)
    assert found.structure[0].specie.Z == 1 and found.remarks == ("1 deuterium atoms (D) are read as hydrogen",)
