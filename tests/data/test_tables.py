from __future__ import annotations

import json
import os
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from nucleate.cli.data import app
from nucleate.config import DataConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import structures_from_batch
from nucleate.data import add_files, home, load_table, parse_name, prepare, prepare_crystals
from nucleate.data.prepared import cache_folder
from nucleate.errors import NucleateError
from nucleate.io import Named, write_structures

HELD = "mapped_from_duplicate_cdvae_test"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "home"))
    monkeypatch.setattr("nucleate.data.prepared.user_cache", lambda: tmp_path / "cache")
    home().mkdir()


def crystals(n: int, seed: int = 0) -> list[Named]:
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        size = int(rng.integers(1, 7))
        cell = Lattice(5 * np.eye(3) + rng.normal(size=(3, 3)))
        out.append(Named(f"c-{i}", Structure(cell, rng.integers(1, 90, size), rng.random((size, 3))), {"gap": i / 4}))
    return out


def rows(**changes) -> list[dict]:
    good = {
        "material_id": "good",
        "atomic_numbers": [11, 17],
        "frac_coords": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
        "lengths": [4.0, 5.0, 6.0],
        "angles": [90.0, 80.0, 70.0],
        "coords_source": "exact",
        "gap": 1.0,
    }
    return [good, good | {"material_id": "bad"} | changes, good | {"material_id": "last", "gap": None}]


def put(table_rows: list[dict], name: str = "mine_train") -> None:
    pq.write_table(pa.Table.from_pylist(table_rows), home() / f"{name}.parquet")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"frac_coords": None}, "without coordinates"),
        ({"atomic_numbers": None}, "without coordinates"),
        ({"atomic_numbers": []}, "without coordinates"),
        ({"lengths": [4.0, 5.0]}, "with lists of the wrong length"),
        ({"frac_coords": [0.0, 0.0, 0.0]}, "with lists of the wrong length"),
        ({"frac_coords": [0.0, 0.0, float("nan"), 0.5, 0.5, 0.5]}, "with an impossible cell, coordinate or element"),
        ({"angles": [90.0, 90.0, 180.0]}, "with an impossible cell, coordinate or element"),
        ({"lengths": [4.0, 5.0, float("inf")]}, "with an impossible cell, coordinate or element"),
        ({"atomic_numbers": [11, 119]}, "with an impossible cell, coordinate or element"),
        ({"coords_source": HELD}, "known from a val or test split"),
        ({"atomic_numbers": [1] * 3, "frac_coords": [0.1] * 9}, "with more than 2 atoms"),
        ({"angles": [10.0, 10.0, 170.0]}, "with a cell that has no volume or cannot be reduced"),
    ],
)
def test_a_bad_row_is_counted_and_the_others_go_on(changes, reason):
    put(rows(**changes))
    batch, summary = prepare("mine", max_atoms=2)
    assert len(batch) == 2 and (summary.rows, summary.usable) == (3, 2)
    assert summary.left_out == {reason: 1}
    assert str(summary).startswith("mine:train: 2 of 3 crystals, 2 to 2 atoms; left out: 1 " + reason)
    gap = prepare("mine", max_atoms=2, properties=["gap"])[0].properties["gap"]
    assert gap[0] == 1.0 and np.isnan(gap[1]) and len(gap) == 2


def test_prepared_crystals_are_the_same_crystals(tmp_path):
    named = crystals(30)
    write_structures(tmp_path / "all.extxyz", named)
    add_files("mine", [tmp_path / "all.extxyz"], (1.0, 0.0, 0.0))
    batch, _ = prepare("mine", properties=["gap"])
    gaps = batch.properties["gap"]
    lattice = batch.lattice.double()
    assert (lattice - lattice.transpose(1, 2)).abs().max() < 1e-6 and (lattice.det() > 0).all()
    assert batch.frac_coords.min() >= 0 and batch.frac_coords.max() < 1
    for before, after, gap in zip(named, structures_from_batch(batch), gaps, strict=True):
        assert gap == before.info["gap"]
        reduced = before.structure.lattice.get_niggli_reduced_lattice()
        assert np.allclose(sorted(after.lattice.abc), sorted(reduced.abc), atol=1e-4)
        assert [s.specie.Z for s in after] == [s.specie.Z for s in before.structure]
        assert np.allclose(after.distance_matrix, before.structure.distance_matrix, atol=1e-4)


def test_the_cache(tmp_path):
    put(rows())
    first, summary = prepare("mine")
    (cache,) = cache_folder().glob("*.safetensors")
    written = cache.stat().st_mtime_ns
    again, summary2 = prepare("mine")
    assert summary2 == summary and (again.lattice == first.lattice).all() and cache.stat().st_mtime_ns == written
    cache.write_bytes(b"damaged")
    assert len(prepare("mine")[0]) == 3
    assert len(prepare("mine", max_atoms=1)[0]) == 0  # other arguments have an entry of their own in the cache
    time.sleep(0.01)
    put(rows(frac_coords=None))
    assert len(prepare("mine")[0]) == 2  # the table has changed


def test_a_read_only_home_is_left_alone(tmp_path):
    put(rows())
    os.chmod(home(), 0o555)
    try:
        prepare("mine")
        assert [p.name for p in home().iterdir()] == ["mine_train.parquet"]
        assert len(list((tmp_path / "cache" / "cache").glob("*.safetensors"))) == 1
        with pytest.raises(NucleateError, match="read-only"):
            add_files("other", [home() / "mine_train.parquet"])
    finally:
        os.chmod(home(), 0o755)


def test_names_of_datasets_and_their_splits_are_read():
    assert parse_name("mp-20") == ("mp-20", "train")
    assert (
        parse_name("mp-20:test") == parse_name("mp-20", "test") == parse_name("mp-20:test", "test") == ("mp-20", "test")
    )
    for wrong in [("mp-20:all", None), ("mp-20", "x"), ("mp-20:test", "val"), ("../x", None), ("", None)]:
        with pytest.raises(NucleateError):
            parse_name(*wrong)


def test_missing_datasets_are_refused_with_the_way_to_get_them():
    with pytest.raises(NucleateError, match="mp-20 is not here; run: nucleate data get mp-20"):
        load_table("mp-20:test")
    with pytest.raises(NucleateError, match=r"no dataset 'mp-21'; known are carbon-24, mp-20, perov-5"):
        load_table("mp-21")
    with pytest.raises(NucleateError, match="no file nothing"):
        load_table("nothing.parquet")
    put(rows(), "mine_train")
    with pytest.raises(NucleateError, match="the dataset 'mine' has no split 'val': there is no .*mine_val.parquet"):
        load_table("mine:val")
    (home() / "mp_20_train.parquet").write_bytes(b"PAR1 garbage")
    with pytest.raises(NucleateError, match="damaged"):
        load_table("mp-20")
    put([{"material_id": "a"}], "mp_20_val")
    with pytest.raises(NucleateError, match="no column 'atomic_numbers'"):
        prepare("mp-20:val")
    put(rows(frac_coords=None)[1:2], "mp_20_test")
    with pytest.raises(NucleateError, match="column 'frac_coords' is of type null; it must hold lists of numbers"):
        prepare("mp-20:test")


def test_a_stand_in_says_so():
    put(rows(), "perov_5_train_dev1024")
    _, summary = prepare("perov-5", "train")
    assert "perov_5_train_dev1024" in str(summary)
    put(rows(), "perov_5_train")
    assert "dev1024" not in str(prepare("perov-5", "train")[1])


def test_add_files(tmp_path):
    write_structures(tmp_path / "all.extxyz", crystals(25))
    (tmp_path / "bad.cif").write_text("data_x\n")
    files = [tmp_path / "all.extxyz", tmp_path / "bad.cif"]
    summaries = add_files("my-oxides", files, seed=3)
    assert [s.usable for s in summaries] == [21, 2, 2]
    assert summaries[0].left_out == {"not readable": 1} and "bad.cif" in str(summaries[0].problems[0])
    assert (home() / "my_oxides_train_problems.txt").read_text() == f"{summaries[0].problems[0]}\n"
    tables = [load_table("my-oxides", s) for s in ("train", "val", "test")]
    ids = [t.column("material_id").to_pylist() for t in tables]
    assert sorted(i for part in ids for i in part) == sorted(f"c-{i}" for i in range(25))
    assert tables[1].column("gap").to_pylist() == [int(i[2:]) / 4 for i in ids[1]]
    with pytest.raises(NucleateError, match="--overwrite"):
        add_files("my-oxides", files)
    add_files("my-oxides", files, seed=3, overwrite=True)
    assert load_table("my-oxides", "test").column("material_id").to_pylist() == ids[2]
    add_files("my-oxides", files, seed=4, overwrite=True)
    assert load_table("my-oxides", "test").column("material_id").to_pylist() != ids[2]


def test_add_refuses(tmp_path):
    write_structures(tmp_path / "a.extxyz", crystals(2))
    (tmp_path / "bad.cif").write_text("data_x\n")
    for name, files, fractions, reason in [
        ("mp_20", ["a.extxyz"], (0.8, 0.1, 0.1), "public dataset"),
        ("x/y", ["a.extxyz"], (0.8, 0.1, 0.1), "cannot be the name"),
        ("mine", ["a.extxyz"], (0.8, 0.1, 0.2), "add up to 1"),
        ("mine", ["bad.cif"], (0.8, 0.1, 0.1), "no usable crystal"),
        ("mine", ["nothing"], (0.8, 0.1, 0.1), "no file or folder"),
    ]:
        with pytest.raises(NucleateError, match=reason):
            add_files(name, [tmp_path / f for f in files], fractions)
    assert not [p for p in home().iterdir() if not p.name.startswith(".")]


def test_command_line(tmp_path):
    def run(*args: object) -> str:
        result = CliRunner().invoke(app, [str(a) for a in args], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "run: nucleate data get mp-20" in run("list")
    (tmp_path / "in").mkdir()
    write_structures(tmp_path / "in" / "a.extxyz", crystals(20))
    (tmp_path / "in" / "b.json").write_text(json.dumps({"a": 1}))
    text = run("add", "mine", tmp_path / "in")
    assert "mine:train: 16 of 17 crystals" in text and "not a structure" in text
    assert "mine:val" in run("list")
    assert "wrote" in run("prepare", "mine:val", "--out", tmp_path / "new" / "val.safetensors", "--max-atoms", 10)
    assert len(CrystalBatch.load(tmp_path / "new" / "val.safetensors")) == 2
    (tmp_path / "r.toml").write_text('name = "r"\n[data]\ndataset = "mine"\nexclude = ["mine:train[:4]"]')
    assert "held out by composition" in run("prepare", tmp_path / "r.toml", "--out", tmp_path / "r.safetensors")
    assert len(CrystalBatch.load(tmp_path / "r.safetensors")) == 12
    with pytest.raises(NucleateError, match="leave out --max-atoms"):
        run("prepare", tmp_path / "r.toml", "--out", tmp_path / "r2.safetensors", "--max-atoms", 10)
    with pytest.raises(NucleateError, match="nothing to write"):
        put(rows(lengths=[4.0])[1:2], "none_train")
        run("prepare", "none", "--out", tmp_path / "x")
    with pytest.raises(NucleateError, match="three numbers"):
        run("add", "more", tmp_path / "in", "--fractions", "a,b")


def test_held_out_compositions_are_left_out_of_a_recipe():
    four = {"atomic_numbers": [11, 17, 11, 17], "frac_coords": [0.0] * 3 + [0.5] * 3 + [0.2] * 3 + [0.7] * 3}
    put(rows(**four), "mine_train")
    put([rows()[0] | {"atomic_numbers": [17, 11]}], "mine_test")
    put([rows()[0] | {"atomic_numbers": [11, 11]}], "other_train")
    data = DataConfig(dataset="mine+other", exclude=("mine:test",))
    batch, summary = prepare_crystals(data, ("gap",))
    assert batch.atomic_numbers.tolist() == [[11, 11]] and batch.properties["gap"].tolist() == [1.0]
    assert summary.usable == 1 and summary.left_out["held out by composition"] == 3
    assert "3 held out by composition" in str(summary)
    assert len(prepare_crystals(DataConfig(dataset="mine"))[0]) == 3


def test_real_data(monkeypatch, tmp_path):
    monkeypatch.undo()
    if "NUCLEATE_DATA" not in os.environ:
        pytest.skip("NUCLEATE_DATA is not set")
    from nucleate.data.tables import overview

    found = {f"{s.name}:{s.split}": s for s in overview() if not isinstance(s, str)}
    if "mp-20:train" not in found:
        pytest.skip("mp-20 is not in NUCLEATE_DATA")
    assert found["mp-20:train"].rows == 27_136 and found["mp-20:train"].usable >= 26_313
    assert (found["mp-20:val"].usable, found["mp-20:test"].usable) == (9_047, 9_046)
    assert found["mp-20:test"].atoms == (1, 20)
    if "carbon-24:train" in found:
        held = found["carbon-24:train"].left_out.get("known from a val or test split", 0)
        assert (
            found["carbon-24:train"].usable + held + found["carbon-24:train"].left_out.get("without coordinates", 0)
            == 6_091
        )


@pytest.mark.parametrize("column", ["formation_energy_per_atom", "e_form", "Formation Energy [eV/atom]"])
def test_total_energies_called_formation_energies_are_questioned(tmp_path, column):
    values = (-1.5, -8.3, -4.6, -9.1)
    named = [
        Named(f"c-{i}", x.structure, {column: e}) for i, (x, e) in enumerate(zip(crystals(4), values, strict=True))
    ]
    write_structures(tmp_path / "all.jsonl", named)
    with pytest.raises(
        NucleateError, match=r"formation energies below -6 .* in row 2 \(c-1: -8.3\), 4 .*total energies"
    ):
        add_files("mine", [tmp_path / "all.jsonl"], (1.0, 0.0, 0.0))
    assert not list(home().iterdir())


def test_other_columns_may_be_as_low_as_they_like(tmp_path):
    info = {"energy_per_atom": -8.3, "formation_energy_mev": -900, "formation_energy_per_atom": -4.5}
    write_structures(tmp_path / "all.jsonl", [Named("c", crystals(1)[0].structure, info)])
    assert add_files("mine", [tmp_path / "all.jsonl"], (1.0, 0.0, 0.0))[0].rows == 1
