"""Downloads from a real local server that cuts connections, refuses ranges and loses files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from nucleate.data import download as get_named
from nucleate.data import home, load_table
from nucleate.data.catalog import CATALOG, Dataset, Source, dataset_lock
from nucleate.data.download import PIECE, download_dataset, fetch
from nucleate.errors import NucleateError

ROWS = 8
BYTES = random.Random(0).randbytes(500_000)


def make_csv(broken: int | None = None, header: str = ",material_id,gap,pretty_formula,cif,spacegroup.number") -> bytes:
    lines = [header]
    for i in range(ROWS):
        text = str(CifWriter(Structure(Lattice.cubic(4 + i / 10), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])))
        lines.append(f'{i},mp-{i},{i / 2},NaCl,"{"garbage" if i == broken else text}",221')
    return ("\n".join(lines) + "\n").encode()


class Server:
    """Serves `files`; the first `cuts` answers end half-way, the first `busy` ones are 503."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.cuts = self.busy = 0
        self.ranges = True
        self.requests: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args) -> None: ...

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                server.requests.append(wanted)
                body = server.files.get(self.path)
                self.close_connection = True
                if body is None:
                    return self.send_error(404)
                if server.busy:
                    server.busy -= 1
                    return self.send_error(503)
                start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
                self.send_header("Content-Length", str(len(body) - start))
                self.end_headers()
                rest = body[start:]
                if server.cuts:
                    server.cuts -= 1
                    rest = rest[: len(rest) // 2]
                self.wfile.write(rest)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "home"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    s = Server()
    yield s
    s.http.shutdown()
    s.http.server_close()


def dataset(server: Server, rows: int = ROWS, sha256: str | None = None) -> Dataset:
    source = Source(f"{server.url}/train.csv", rows, sha256)
    return Dataset("tiny-1", "", {"train": source}, ("gap",), {"spacegroup.number": "spacegroup"}, ("pretty_formula",))


def no_wait(_seconds: float) -> None: ...


def test_get_converts_once(server):
    server.files["/train.csv"] = make_csv()
    (summary,) = download_dataset(dataset(server), wait=no_wait)
    assert (summary.rows, summary.usable, summary.atoms) == (ROWS, ROWS, (2, 2))
    assert "checksum unknown, number of rows agrees" in str(summary)
    table = load_table("tiny-1")
    assert table.column_names == [
        *["material_id", "formula", "nsites", "atomic_numbers", "frac_coords", "lengths", "angles"],
        *["gap", "spacegroup"],
    ]
    row = table.slice(3, 1).to_pylist()[0]
    assert row["material_id"] == "mp-3" and row["gap"] == 1.5 and row["spacegroup"] == 221 and row["formula"] == "NaCl"
    assert row["lengths"] == pytest.approx([4.3] * 3) and sorted(row["atomic_numbers"]) == [11, 17]
    shown = sorted(p.name for p in home().iterdir() if not p.name.startswith("."))
    assert shown == ["downloads", "tiny_1_train.parquet", "tiny_1_train.parquet.sha256"]
    assert [p.name for p in (home() / "downloads").iterdir()] == ["tiny_1_train.csv.sha256.json"]
    asked = len(server.requests)
    assert "was here already" in str(download_dataset(dataset(server))[0]) and len(server.requests) == asked


def test_a_cut_connection_is_resumed_where_it_stopped(server):
    body = server.files["/train.csv"] = BYTES
    server.cuts = 2
    seen = []
    path = fetch(Source(f"{server.url}/train.csv", ROWS), home(), "a.csv", lambda *a: seen.append(a), no_wait)
    assert path.read_bytes() == body
    assert server.requests[0] is None
    starts = [int(r.removeprefix("bytes=").rstrip("-")) for r in server.requests[1:]]
    assert len(starts) == 2
    for start, part in zip(starts, (1 / 2, 3 / 4), strict=True):
        assert part * len(body) - 2 * PIECE < start <= part * len(body)
    assert seen[-1] == ("train.csv", len(body), len(body))


def test_a_killed_download_is_resumed_by_the_next_run(server):
    body = server.files["/train.csv"] = BYTES
    source = Source(f"{server.url}/train.csv", ROWS, hashlib.sha256(body).hexdigest())
    server.cuts = 100
    with pytest.raises(NucleateError, match=r"cannot download .*run the same command again"):
        fetch(source, home(), "a.csv", wait=no_wait)
    have = (home() / "a.csv.part").stat().st_size
    assert 0 < have < len(body) and not (home() / "a.csv").exists()
    server.cuts = 0
    assert fetch(source, home(), "a.csv", wait=no_wait).read_bytes() == body
    assert server.requests[-1] == f"bytes={have}-"


def test_a_server_without_ranges_starts_again_and_a_complete_part_is_taken(server):
    body = server.files["/train.csv"] = make_csv()
    server.cuts, server.ranges = 1, False
    source = Source(f"{server.url}/train.csv", ROWS)
    assert fetch(source, home(), "a.csv", wait=no_wait).read_bytes() == body
    server.ranges = True
    (home() / "b.csv.part").write_bytes(body)
    assert fetch(source, home(), "b.csv", wait=no_wait).read_bytes() == body
    (home() / "c.csv.part").write_bytes(body + b"too long")
    assert fetch(source, home(), "c.csv", wait=no_wait).read_bytes() == body


def test_a_busy_server_is_asked_again_a_missing_file_is_not(server):
    server.files["/train.csv"] = make_csv()
    server.busy = 2
    waits: list[float] = []
    fetch(Source(f"{server.url}/train.csv", ROWS), home(), "a.csv", wait=waits.append)
    assert waits == [1.0, 2.0]
    asked = len(server.requests)
    with pytest.raises(NucleateError, match="answers 404"):
        fetch(Source(f"{server.url}/nothing.csv", 1), home(), "b.csv", wait=no_wait)
    assert len(server.requests) == asked + 1
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(NucleateError, match=r"\(there was no connection to the server, or it broke; 5 attempts\)"):
        fetch(Source(f"{server.url}/train.csv", ROWS), home(), "c.csv", wait=no_wait)


def test_a_wrong_checksum_leaves_nothing(server):
    server.files["/train.csv"] = make_csv()
    with pytest.raises(NucleateError, match="not have the published checksum"):
        download_dataset(dataset(server, sha256="0" * 64), wait=no_wait)
    assert not list(home().rglob("*.csv*")) and not list(home().rglob("*.parquet"))


def test_what_was_downloaded_first_is_remembered(server):
    body = server.files["/train.csv"] = make_csv()
    download_dataset(dataset(server), wait=no_wait)
    seen = json.loads((home() / "downloads" / "tiny_1_train.csv.sha256.json").read_text())
    assert list(seen.values()) == [hashlib.sha256(body).hexdigest()]
    server.files["/train.csv"] = body.replace(b"4.5", b"4.6")
    with pytest.raises(NucleateError, match="not have the first downloaded checksum"):
        download_dataset(dataset(server), force=True, wait=no_wait)
    assert load_table("tiny-1").num_rows == ROWS  # the old one is still here


def test_a_dataset_has_one_writer_and_others_go_on(server):
    server.files["/train.csv"] = make_csv()
    with dataset_lock("tiny-1"):
        with pytest.raises(NucleateError, match=rf"another process \(pid {os.getpid()}\) is making .*NUCLEATE_DATA"):
            download_dataset(dataset(server), wait=no_wait)
        other = dataclasses.replace(dataset(server), name="tiny-2")
        assert download_dataset(other, wait=no_wait)[0].usable == ROWS
        assert not server.requests[1:]
    assert download_dataset(dataset(server), wait=no_wait)[0].usable == ROWS
    with dataset_lock("tiny-1"):  # a dataset can be read while another process writes
        assert download_dataset(dataset(server))[0].usable == ROWS


def test_many_at_once_end_with_one_whole_table(server):
    body = server.files["/train.csv"] = make_csv()
    server.cuts = 3
    outcomes = []

    def get_it():
        try:
            outcomes.append(download_dataset(dataset(server), wait=no_wait)[0].usable)
        except NucleateError as error:
            outcomes.append(str(error))

    threads = [threading.Thread(target=get_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ROWS in outcomes and all(o == ROWS or "another process" in o for o in outcomes), outcomes
    assert load_table("tiny-1").num_rows == ROWS
    seen = json.loads((home() / "downloads" / "tiny_1_train.csv.sha256.json").read_text())
    assert list(seen.values()) == [hashlib.sha256(body).hexdigest()]


def test_a_table_that_is_not_what_was_written_is_noticed(server):
    server.files["/train.csv"] = make_csv()
    download_dataset(dataset(server), wait=no_wait)
    file = home() / "tiny_1_train.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 1
    file.write_bytes(data)
    with pytest.raises(NucleateError, match=r"tiny_1_train.parquet is not the table that was written here"):
        load_table("tiny-1")
    assert download_dataset(dataset(server), force=True, wait=no_wait)[0].usable == ROWS
    assert load_table("tiny-1").num_rows == ROWS


def test_a_bad_row_is_listed_and_the_others_go_on(server):
    server.files["/train.csv"] = make_csv(broken=2)
    (summary,) = download_dataset(dataset(server), wait=no_wait)
    assert (summary.rows, summary.usable, summary.left_out) == (ROWS, ROWS - 1, {"not readable": 1})
    assert [p.row for p in summary.problems] == [3] and "tiny_1_train.csv" in summary.problems[0].file
    assert load_table("tiny-1").column("material_id").to_pylist() == [f"mp-{i}" for i in range(ROWS) if i != 2]


def test_missing_columns_and_rows(server):
    server.files["/train.csv"] = make_csv(header=",material_id,other,pretty_formula,cif,spacegroup.number")
    with pytest.raises(NucleateError, match="no column 'gap'; it has material_id, other"):
        download_dataset(dataset(server), wait=no_wait)
    server.files["/train.csv"] = b"<html>not found</html>"
    with pytest.raises(NucleateError, match="no column 'cif'"):
        download_dataset(dataset(server), wait=no_wait)
    server.files["/train.csv"] = make_csv()
    with pytest.raises(NucleateError, match="8 rows instead of 9"):
        download_dataset(dataset(server, rows=9), wait=no_wait)
    assert not list(home().rglob("*.parquet")) and not list(home().rglob("*.csv"))
    assert (
        download_dataset(dataset(server), wait=no_wait)[0].usable == ROWS
    )  # the failures before leave nothing that prevents it


def test_names_and_places(server, tmp_path, monkeypatch):
    with pytest.raises(NucleateError, match="no dataset 'mp-21'; known are mp-20, perov-5, carbon-24"):
        get_named("mp-21")
    folder = tmp_path / "fixed"
    folder.mkdir(mode=0o555)
    monkeypatch.setenv("NUCLEATE_DATA", str(folder))
    with pytest.raises(NucleateError, match="read-only"):
        download_dataset(dataset(server), wait=no_wait)
    assert not server.requests


def test_the_catalogue_is_pinned():
    for data in CATALOG.values():
        assert set(data.files) == {"train", "val", "test"}
        for split, source in data.files.items():
            commit = source.url.split("/")[5]
            assert len(commit) == 40 and source.url.endswith(f"{data.name.replace('-', '_')}/{split}.csv")
