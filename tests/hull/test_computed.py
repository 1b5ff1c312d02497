"""Entries from files equal those of pymatgen's own reader, and no class that a file names is constructed."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Composition, Lattice, Structure
from pymatgen.entries.compatibility import MaterialsProject2020Compatibility
from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

from nucleate.errors import NucleateError
from nucleate.evaluate import csp
from nucleate.hull.computed import entry_from_dict
from nucleate.hull.load import load_reference

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
RUN = {"run_type": "GGA", "hubbards": {}, "software": "other"}
EVIL = {"@module": "not_to_be_imported", "@class": "Evil"}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The values of which the class that the files name was constructed."""
    module, out = types.ModuleType("not_to_be_imported"), []
    module.Evil = type("Evil", (), {"from_dict": classmethod(lambda cls, d: out.append(d))})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "not_to_be_imported", module)
    return out


def entries() -> list[Any]:
    made = [
        ComputedStructureEntry(SALT, -25.6, parameters=RUN, entry_id="mp-1"),
        ComputedStructureEntry(SALT, -6.4, composition=Composition("NaCl"), parameters=RUN, entry_id="mp-2"),
        ComputedEntry("Na2O2", -12.0, parameters=RUN, data={"oxide_type": "peroxide"}),
        ComputedEntry("Cl4", -7.4, parameters=RUN, correction=-0.5),
    ]
    MaterialsProject2020Compatibility(check_potcar=False).process_entries(made[:3], inplace=True)
    return made


def test_entries_are_what_pymatgen_makes_of_them() -> None:
    for entry in entries():
        found = entry_from_dict(json.loads(json.dumps(entry.as_dict())))
        assert found.energy_per_atom == pytest.approx(entry.energy_per_atom)
        assert found.correction_per_atom == pytest.approx(entry.correction_per_atom)
        assert len(found.energy_adjustments) == len(entry.energy_adjustments)
        if entry.composition.reduced_formula != "Cl2":  # its correction has no name
            names = [a.name for a in entry.energy_adjustments]
            assert [a.name for a in found.energy_adjustments] == names
        assert (found.composition, found.parameters, found.data) == (entry.composition, entry.parameters, entry.data)


@pytest.mark.parametrize("where", ["energy_adjustments", "parameters", "data", "properties", "sites"])
def test_a_file_of_entries_constructs_no_class_that_it_names(tmp_path: Path, made: list[Any], where: str) -> None:
    values = entries()[0].as_dict()
    if where == "energy_adjustments":
        values[where] = [EVIL]
    elif where == "properties":
        values["structure"][where] = {"x": EVIL}
    elif where == "sites":
        for site in values["structure"]["sites"]:
            site["properties"] = {"x": EVIL}
    else:
        values[where] = {**values[where], "x": EVIL}
    (tmp_path / "e.json").write_text(json.dumps([values]))
    if where == "energy_adjustments":
        with pytest.raises(NucleateError, match="entry 1: 'Evil' is no energy adjustment"):
            load_reference(tmp_path / "e.json")
    else:
        assert len(load_reference(tmp_path / "e.json")) == 1
    assert made == []


def test_a_file_of_predictions_constructs_no_class_that_it_names(tmp_path: Path, made: list[Any]) -> None:
    values = SALT.as_dict()
    values["sites"][0]["properties"] = values["properties"] = {"x": EVIL}
    (tmp_path / "p.jsonl").write_text(json.dumps({"material_id": "a", "structure": values}) + "\n")
    assert csp.read_predictions(tmp_path / "p.jsonl")["a"][0].composition == SALT.composition
    assert made == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"energy": None}, "'energy' is not a finite number"),
        ({"energy": float("nan")}, "'energy' is not a finite number"),
        ({"correction": "-0.3"}, "'correction' is not a finite number"),
        ({"composition": {"Qq": 1}}, "no element"),
        ({"composition": 5}, "composition cannot be read"),
        ({"composition": {"K": 1, "Cl": 1}}, "its composition is of KCl, and its structure of NaCl"),
        ({"structure": "NaCl"}, "not a structure"),
        ({"energy_adjustments": {"a": 1}}, "not a list"),
        ({"parameters": [1]}, "not a dictionary"),
    ],
)
def test_the_fault_of_an_entry_is_named(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(NucleateError, match=reason):
        entry_from_dict({**entries()[0].as_dict(), **change})
