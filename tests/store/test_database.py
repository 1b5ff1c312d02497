from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import ase.db
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.state import Relaxation
from nucleate.store.database import RunStore

SALT = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def relaxed(name: str) -> Candidate:
    return Candidate(
        name,
        seed=2**62,
        structure=SALT,
        energies={"energy": Energy(-3.4, "m"), "e_above_hull": Energy(0.02, "m", "r")},
        checks={"novel": Check("fail", "known: mp-1")},
        stages=("generate", "relax"),
        relaxation=Relaxation("m", 3, 0.5),
        provenance={"list": [1, None, "x"], "empty": {}},
    )


def test_records_come_back_exactly_and_in_order(tmp_path: Path) -> None:
    saved = [Candidate("b", 1), relaxed("a"), relaxed("7").failed("relax", "error", "exploded"), relaxed("1e5")]
    with RunStore(tmp_path / "run") as store:
        store.save_many(saved)
        assert [c.to_json() for c in store.load()] == [c.to_json() for c in saved]
        store.save(relaxed("b"))  # in place: neither a second row nor another position
        saved[0] = relaxed("b")
    with RunStore(tmp_path / "run") as store:
        assert [c.to_json() for c in store.load()] == [c.to_json() for c in saved]
        store.save(relaxed("c"))
        assert [c.id for c in store.load()] == ["b", "a", "7", "1e5", "c"]


def test_ase_reads_the_rows(tmp_path: Path) -> None:
    indium = Candidate("i", structure=Structure(Lattice.cubic(3.0), ["In", "F"], SALT.frac_coords))
    with RunStore(tmp_path) as store:
        store.save_many([Candidate("blank"), relaxed("a"), relaxed("f").failed("relax", "error", "exploded"), indium])
    db = ase.db.connect(str(tmp_path / "candidates.db"))
    assert [len(row.numbers) for row in db.select()] == [0, 2, 2, 2]
    row = db.get(candidate_id="a")
    assert row.energy == pytest.approx(-6.8) and row.formula == "NaCl"  # ASE's energy is that of the cell
    assert (row.e_above_hull, row.stage, row.check_novel) == (0.02, "relax", "fail")
    assert row.toatoms().get_volume() == pytest.approx(3.4**3)
    assert [r.candidate_id for r in db.select("e_above_hull<0.05,failure")] == ["f"]
    shown = subprocess.run(
        [sys.executable, "-m", "ase", "db", str(tmp_path / "candidates.db"), "-c", "formula,e_above_hull,stage"],
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0 and "NaCl" in shown.stdout and "0.020" in shown.stdout


def test_energies_that_are_no_numbers_can_be_saved(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save_many([relaxed("b"), Candidate("a", structure=SALT, energies={"energy": Energy(math.nan, "m")})])
        assert [c.id for c in store.load()] == ["b"]
        found, (problem,) = store.read()
        assert [c.id for c in found] == ["b"] and problem.row == 2
        assert "energies.energy.value must be a finite number, not nan" in problem.reason
        store.save(relaxed("a"))  # the damaged record is replaced, and no second one is added
        assert [c.id for c in store.load()] == ["b", "a"] and not store.read()[1]


def test_a_damaged_row_is_reported_and_saving_replaces_it(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save_many([relaxed("a"), relaxed("b"), relaxed("c")])
    with sqlite3.connect(tmp_path / "candidates.db") as connection:
        connection.execute("UPDATE systems SET data = ? WHERE id = 2", (b"\x10\x00\x00garbage",))
    with RunStore(tmp_path) as store:
        found, (problem,) = store.read()
        assert [c.id for c in found] == ["a", "c"]
        assert problem.row == 2 and "damaged" in problem.reason
        store.save(relaxed("b"))
        assert [c.id for c in store.load()] == ["a", "b", "c"] and not store.read()[1]


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save(relaxed("a"))
        with pytest.raises((TypeError, AttributeError)):
            store.save_many([relaxed("b"), Candidate("c", provenance={"x": object()})])
        assert [c.id for c in store.load()] == ["a"]
        store.save(relaxed("b"))
        assert [c.id for c in store.load()] == ["a", "b"]


WRITER = """
import sys
from nucleate.pipeline.candidate import Candidate
from nucleate.store.database import RunStore
store = RunStore(sys.argv[1])
for i in range(100_000):
    store.save(Candidate(f"c{i % 50}", seed=i))
    print(i, flush=True)
"""


def start_writer(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True)


def test_kill_9_while_writing_loses_nothing_and_frees_the_lock(tmp_path: Path) -> None:
    for kill in (3, 60):
        writer = start_writer(tmp_path)
        assert writer.stdout is not None
        for _ in range(kill):
            writer.stdout.readline()
        with pytest.raises(NucleateError, match=r"another process \(pid \d+\) is writing"):
            RunStore(tmp_path)
        with RunStore(tmp_path, read_only=True) as looking:
            assert looking.load()
        writer.kill()
        told = [int(line) for line in writer.stdout.read().split()]
        last = told[-1] if told else kill - 1
        writer.wait()
        with RunStore(tmp_path) as store:
            seeds = {c.id: c.seed for c in store.load()}
            for i in range(max(0, last - 49), last + 1):
                assert seeds[f"c{i % 50}"] in (i, i + 50)  # what the writer printed is there; one more may be
            store.save(Candidate("after"))


def test_the_lock_ends_with_close(tmp_path: Path) -> None:
    first = RunStore(tmp_path)
    with pytest.raises(NucleateError, match="another process"):
        RunStore(tmp_path)
    first.close()
    first.close()
    RunStore(tmp_path).close()
    with pytest.raises(NucleateError, match="reading only"):
        first.save(Candidate("a"))


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with RunStore(tmp_path, read_only=True) as store:
        assert store.load() == []
        with pytest.raises(NucleateError, match="reading only"):
            store.save(Candidate("a"))
    assert list(tmp_path.iterdir()) == []


def test_a_request_is_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunStore(tmp_path) as store:
        with pytest.raises(NucleateError, match="not a run folder"):
            store.read_request()
        store.write_request({"request": {"text": "Li-Fe-O"}, "n": 5})
        assert store.read_request() == {"request": {"text": "Li-Fe-O"}, "n": 5}

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "replace", full)
        with pytest.raises(NucleateError, match="No space left"):
            store.write_request({"n": 6})
        assert store.read_request()["n"] == 5
    assert {p.name for p in tmp_path.iterdir()} <= {"request.json", "candidates.db", ".lock"}
    (tmp_path / "request.json").write_text('{"request": ')
    with (
        RunStore(tmp_path, read_only=True) as store,
        pytest.raises(NucleateError, match=r"request\.json cannot be read"),
    ):
        store.read_request()


def test_a_full_disk_gives_one_line_and_keeps_what_was_saved(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save(relaxed("a"))
        pages = store._db.connection.execute("PRAGMA page_count").fetchone()[0]
        store._db.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(NucleateError, match="disk is full") as caught:
            store.save_many([relaxed(f"b{i}") for i in range(200)])
        assert "\n" not in str(caught.value)
        assert [c.id for c in store.load()] == ["a"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match="cannot write into"):
        RunStore(tmp_path / "file" / "run")
    with pytest.raises(NucleateError, match="cannot write into"):
        RunStore(tmp_path / "file")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(NucleateError, match="cannot write into"):
            RunStore(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save_many([relaxed(f"c{i}") for i in range(50)])
    file = tmp_path / "candidates.db"
    whole = file.read_bytes()
    file.write_bytes(b"not a database, just text that somebody put here" * 50)
    for read_only in (False, True):
        with pytest.raises(NucleateError, match="damaged"):
            RunStore(tmp_path, read_only=read_only).load()
    file.write_bytes(whole[:4096] + bytes(len(whole) - 4096))
    with pytest.raises(NucleateError, match="damaged"):
        RunStore(tmp_path).load()
    file.unlink()
    sqlite3.connect(file).close()
    RunStore(tmp_path).close()  # an error above left no lock behind


def test_a_database_that_is_of_no_run_is_refused(tmp_path: Path) -> None:
    ase.db.connect(str(tmp_path / "candidates.db")).write(ase.Atoms("H"))
    with pytest.raises(NucleateError, match="no database of a run"):
        RunStore(tmp_path)


def test_the_record_is_json_in_the_data_of_a_row(tmp_path: Path) -> None:
    with RunStore(tmp_path) as store:
        store.save(relaxed("a"))
    record = ase.db.connect(str(tmp_path / "candidates.db")).get(1).data["candidate"]
    assert json.loads(json.dumps(record)) == json.loads(relaxed("a").to_json())
