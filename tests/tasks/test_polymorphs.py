"""Polymorphs of a formula: each structure once, within an energy above the lowest."""

from __future__ import annotations

import csv
import json

import pytest

from nucleate.cli.known import with_energy
from nucleate.errors import NucleateError
from nucleate.library.library import load_library
from nucleate.tasks.polymorphs import polymorphs, write_polymorphs

TITANATE = {"Sr": 1, "Ti": 1, "O": 3}


def test_equal_crystals_are_listed_once():
    found = polymorphs(load_library(), TITANATE)
    first, second, *_ = found.listed
    assert (first.entry.id, first.height, first.also) == ("mp-4651", 0.0, ("mp-551830",))
    assert (second.entry.id, second.also) == ("mp-5229", ())  # untilted, so another one
    heights = [one.height for one in found.listed]
    assert heights == sorted(heights) and heights[-1] <= 0.1005


def test_the_limit_and_files(tmp_path):
    found = polymorphs(load_library(), TITANATE, 0.0).listed
    assert [one.entry.id for one in found] == ["mp-4651", "mp-5229"]
    write_polymorphs(tmp_path / "p.csv", found)
    write_polymorphs(tmp_path / "p.json", found)
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    records = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert [r["id"] for r in rows] == [r["id"] for r in records] == ["mp-4651", "mp-5229"]


@pytest.mark.parametrize("counts, within", [({"Na": 17, "Cl": 13}, 0.1), (TITANATE, -1.0), (TITANATE, float("nan"))])
def test_what_cannot_be_listed(counts, within):
    with pytest.raises(NucleateError):
        polymorphs(load_library(), counts, within)


def test_the_energy_may_be_left_out():
    assert with_energy(["predict", "TiO2", "--polymorphs"]) == ["predict", "TiO2", "--polymorphs", "0.1"]
    assert with_energy(["predict", "--polymorphs", "TiO2"]) == ["predict", "--polymorphs", "0.1", "TiO2"]
    assert with_energy(["predict", "TiO2", "--polymorphs", "0.02"]) == ["predict", "TiO2", "--polymorphs", "0.02"]
