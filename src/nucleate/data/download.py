"""Downloads of datasets: they are resumed, tried again, checked, and converted to parquet files."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nucleate.data.catalog import CATALOG, Dataset, Source, dataset_lock, home, stem, writable
from nucleate.data.tables import Summary, read_table, table_summary
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.errors import NucleateError
from nucleate.io import Named, Problem, Remark, read_items, replacing

Progress = Callable[[str, int, int], None]  # (name of the work, amount done, total amount or 0 if it is not known)

ATTEMPTS = 5
TIMEOUT = (10, 30)  # seconds to wait for the connection, and between two pieces of data
PIECE = 1 << 14  # bytes; if a connection breaks, no more than this is lost
BUSY = (429, 500, 502, 503, 504)  # HTTP status codes after which it is worth trying again


class ResumingDownloader:
    """A downloader for pooch that resumes: received data stays in the file `partial`, and the next attempt requests
    only the rest.

    The addresses of the catalogue contain a commit, so all parts come from the same file. In the end the checksum or
    the number of rows is checked.
    """

    def __init__(self, partial: Path, progress: Progress | None = None, wait: Callable[[float], None] = time.sleep):
        self.partial = partial
        self.progress = progress
        self.wait = wait

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download a file. Raises NucleateError if the server does not have it, or after five failed attempts."""
        import requests

        reason = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.wait(min(2.0 ** (attempt - 1), 10.0))
            try:
                if self._attempt(url):
                    os.replace(self.partial, output_file)
                    return
                reason = "the connection ended early"
            except requests.RequestException as error:
                reason = _why(error)
        raise NucleateError(
            f"cannot download {url} ({reason}; {ATTEMPTS} attempts); check the connection and run the same command "
            "again; it continues where it stopped"
        )

    def _attempt(self, url: str) -> bool:
        """Make one request. Returns whether the file is complete."""
        import requests

        have = self.partial.stat().st_size if self.partial.exists() else 0
        # "identity", because parts of a compressed answer could not be joined
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # there is nothing after `have`: the file is complete, or it is another one
                total = answer.headers.get("Content-Range", "").rpartition("/")[2]
                if total == str(have):
                    return True
                self.partial.unlink()
                return False
            if answer.status_code in BUSY:
                raise requests.HTTPError(f"the server answers {answer.status_code}")
            if answer.status_code >= 400:
                raise NucleateError(f"cannot download {url}: the server answers {answer.status_code} {answer.reason}")
            resumed = answer.status_code == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            done = have if resumed else 0
            length = answer.headers.get("Content-Length")
            total_bytes = done + int(length) if length else 0
            with self.partial.open("ab" if resumed else "wb") as file:
                for piece in answer.iter_content(PIECE):
                    file.write(piece)
                    done += len(piece)
                    if self.progress is not None:
                        self.progress(url.rsplit("/", 1)[-1], done, total_bytes)
            return not total_bytes or done == total_bytes


def download(name: str, progress: Progress | None = None, force: bool = False) -> list[Summary]:
    """Download a dataset of the catalogue and convert each split to a parquet file. Returns a summary of each split.

    Splits that are already there are kept, unless `force`. Rows that are no crystals are listed in `Summary.problems`.
    Raises NucleateError for an unknown name, a failed download, a wrong checksum, a missing column or missing rows, and
    if another process is making the same dataset.
    """
    if name not in CATALOG:
        raise NucleateError(f"no dataset '{name}'; known are {', '.join(CATALOG)}")
    return download_dataset(CATALOG[name], progress, force)


def download_dataset(
    dataset: Dataset, progress: Progress | None = None, force: bool = False, wait: Callable[[float], None] = time.sleep
) -> list[Summary]:
    """As `download`, for any dataset. `wait(seconds)` is called between attempts."""
    folder = home()
    files = {split: folder / f"{stem(dataset.name, split)}.parquet" for split in dataset.files}
    missing = [file for file in files.values() if force or not file.exists()]
    if missing and not writable(folder):
        raise NucleateError(
            f"{folder} is read-only, so {missing[0].name} cannot be written; set NUCLEATE_DATA to another folder"
        )
    out = []
    with dataset_lock(dataset.name) if missing else contextlib.nullcontext():
        for split, source in dataset.files.items():
            file = files[split]
            if file.exists() and not force:
                out.append(table_summary(dataset.name, split, file, read_table(file), ("was here already",)))
                continue
            csv_file = fetch(source, folder / "downloads", f"{stem(dataset.name, split)}.csv", progress, wait)
            out.append(_convert(dataset, split, source, csv_file, file, progress))
            csv_file.unlink()
    return out


def fetch(
    source: Source,
    folder: Path,
    file_name: str,
    progress: Progress | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> Path:
    """Download one file with pooch and return its path. If no checksum is published, that of the first download is
    stored, and later downloads must have the same. Raises NucleateError if the download fails or has another
    checksum."""
    import pooch
    import requests

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NucleateError(f"cannot make {folder}: {error.strerror}") from None
    known = source.sha256 or _seen(folder, file_name).get(source.url)
    quiet = pooch.get_logger()
    level = quiet.level
    quiet.setLevel("WARNING")
    try:
        downloader = ResumingDownloader(folder / f"{file_name}.part", progress, wait)
        digest = f"sha256:{known}" if known else None
        path = Path(pooch.retrieve(source.url, digest, file_name, folder, downloader=downloader))
    except ValueError:
        whose = "published" if source.sha256 else "first downloaded"
        or_accept = "" if source.sha256 else f", or remove {folder / file_name}.sha256.json to accept the new file"
        raise NucleateError(
            f"{source.url} does not have the {whose} checksum (sha256 {known}): it was damaged in the download or has "
            f"changed; run the same command again{or_accept}"
        ) from None
    except (OSError, requests.RequestException) as error:
        raise NucleateError(f"cannot download {source.url}: {error}") from None
    finally:
        quiet.setLevel(level)
    if known is None:
        with replacing(_beside(folder, file_name)) as temporary:
            temporary.write_text(json.dumps({source.url: pooch.file_hash(str(path))}) + "\n")
    return path


def _why(error: Exception) -> str:
    """Why there was no answer, in words of our own instead of those of the library."""
    import requests

    if isinstance(error, requests.HTTPError):  # `_attempt` raised it, with words of our own
        return str(error)
    if isinstance(error, requests.Timeout):
        return "the server does not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "no secure connection to the server: its certificate is not accepted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy gives no connection"
    return "there was no connection to the server, or it broke"


def _beside(folder: Path, file_name: str) -> Path:
    """The file with the checksum of a download. Each download has its own, so that two downloads do not interfere."""
    return folder / f"{file_name}.sha256.json"


def _seen(folder: Path, file_name: str) -> dict[str, str]:
    """Address -> sha256 of the file that was downloaded from it before; empty if there is none."""
    try:
        seen = json.loads(_beside(folder, file_name).read_text())
    except (OSError, ValueError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _convert(
    dataset: Dataset, split: str, source: Source, csv_file: Path, file: Path, progress: Progress | None
) -> Summary:
    with csv_file.open(encoding="utf-8", errors="replace") as text:
        header = text.readline().strip().split(",")
    missing = [c for c in ("cif", "material_id", *dataset.properties) if c not in header]
    if missing:
        _refuse(
            csv_file, f"{source.url} has no column '{missing[0]}'; it has {', '.join(h for h in header if h)[:200]}"
        )
    label = f"reading {csv_file.name}"
    items = _counted(csv_file, label, source, progress)
    if len(items) != source.rows:
        _refuse(csv_file, f"{source.url} has {len(items):,} rows instead of {source.rows:,}: damaged or changed")
    table, problems = table_from_items(items, dataset.rename, dataset.drop)
    write_crystal_table(table, file, problems)
    note = "checksum agrees" if source.sha256 else "checksum unknown, number of rows agrees"
    return table_summary(dataset.name, split, file, table, (note,), problems)


def _counted(csv_file: Path, label: str, source: Source, progress: Progress | None) -> list[Named | Problem]:
    items = []
    for item in read_items([csv_file]):
        if isinstance(item, Remark):
            continue
        items.append(item)
        if progress is not None and (len(items) % 50 == 0 or len(items) == source.rows):
            progress(label, len(items), source.rows)
    return items


def _refuse(csv_file: Path, reason: str) -> None:
    """Delete a downloaded file that cannot be used and its stored checksum, and raise NucleateError."""
    csv_file.unlink()
    _beside(csv_file.parent, csv_file.name).unlink(missing_ok=True)
    raise NucleateError(reason)
