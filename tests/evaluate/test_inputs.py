"""Input of an evaluation: every row counts, readable or not."""

import json

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.evaluate.inputs import is_dataset, read_crystals
from nucleate.io import Named, write_structures


@pytest.fixture
def salt():
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize("name", ["crystals", "all.extxyz", "all.jsonl", "all.db"])
def test_every_kind_of_file_gives_the_same_crystals(tmp_path, salt, name):
    info = {"e_above_hull": 0.01, "e_above_hull_method": "CHGNet", "e_above_hull_reference": "mp"}
    crystals = [Named("a", salt, {} if name == "crystals" else info), Named("b", salt)]
    write_structures(tmp_path / name, crystals)
    found = read_crystals([tmp_path / name])
    assert [item.name[0] for item in found.items] == ["a", "b"]
    assert all(item.structure.matches(salt) for item in found.items)
    if name != "crystals":  # a CIF holds the crystal alone
        energy = found.items[0].energies["e_above_hull"]
        assert (energy.value, energy.method, energy.reference) == (0.01, "CHGNet", "mp")
    assert not found.items[1].energies


def test_csv_with_a_column_of_cifs_under_another_name(tmp_path, salt):
    import csv

    file = tmp_path / "flow.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["formula", "relaxed_structure", "ehull"])
        writer.writerow(["NaCl", salt.to(fmt="cif"), 0.25])
        writer.writerow(["NaCl", "nonsense", 0.5])
    found = read_crystals([file], {"e_above_hull": "ehull"})
    assert len(found) == 2
    assert found.items[0].energies["e_above_hull"].value == 0.25
    assert found.items[1].structure is None and found.items[1].reason


def test_bad_crystals_count_and_other_files_do_not(tmp_path, salt):
    good = salt.to(fmt="cif")
    (tmp_path / "good.cif").write_text(good)
    (tmp_path / "broken.cif").write_text(good[:150])
    (tmp_path / "half.cif").write_text(good.replace("  1\n", "  0.5\n").replace(" 1.0\n", " 0.5\n"))
    (tmp_path / "notes.txt").write_text("not a crystal")
    found = read_crystals([tmp_path])
    assert len(found) == 3
    reasons = {item.name: item.reason for item in found.items if item.structure is None}
    assert set(reasons) == {"broken.cif", "half.cif"} and all(reasons.values())
    assert "1 files that hold no structures" in found.notes[0]


def test_nan_and_flat_cells_are_counted_with_their_reason(tmp_path, salt):
    flat = salt.as_dict()
    flat["lattice"]["matrix"] = [[5, 0, 0], [5, 0, 0], [0, 0, 5]]
    nan = json.loads(json.dumps(salt.as_dict()))
    nan["sites"][0]["abc"] = [float("nan"), 0, 0]
    nan["sites"][0]["xyz"] = [float("nan"), 0, 0]
    lines = [json.dumps({"structure": s}) for s in (salt.as_dict(), flat, nan)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    found = read_crystals([tmp_path / "x.jsonl"])
    assert len(found) == 3
    assert sum(item.structure is None for item in found.items) == 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "missing.cif", "no file or folder"),
        (lambda p: [(p / "empty.cif").touch(), p / "empty.cif"][1], "empty"),
        (lambda p: (p / "sub").mkdir() or p / "sub", "empty"),
        (lambda p: (p / "x.pdf").write_text("1") and p / "x.pdf", "cannot be read"),
    ],
)
def test_errors_in_one_line(tmp_path, make, message):
    with pytest.raises(NucleateError, match=message) as caught:
        read_crystals([make(tmp_path)])
    assert "\n" not in str(caught.value)


def test_a_column_that_is_not_there(tmp_path, salt):
    write_structures(tmp_path / "a.extxyz", [Named("a", salt)])
    with pytest.raises(NucleateError, match="no crystal in a.extxyz has a number in the column 'hull'"):
        read_crystals([tmp_path / "a.extxyz"], {"e_above_hull": "hull"})


def test_names_of_data_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert is_dataset("mp-20:val") and is_dataset("mine")
    assert not is_dataset("a.cif") and not is_dataset("folder/mp-20")
    (tmp_path / "mine").mkdir()
    assert not is_dataset("mine")
