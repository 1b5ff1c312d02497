"""Candidates in files, which one command writes and the next one reads."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.io import Named, Problem, find_files, nothing_read, remarks_of, replacing, write_structures
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.convert import scalar_info
from nucleate.pipeline.origin import FileEntry, Origin

RECORD_KEYS = {f.name for f in dataclasses.fields(Candidate)}
ENOUGH_KEYS = 6  # a table with so many of these keys is taken for a candidate record, perhaps a broken one


def read_candidates(paths: str | Path | Sequence[str | Path]) -> tuple[list[Candidate], list[Problem]]:
    """Candidates from files or folders, and the problems and remarks (`Remark`) about what was read.

    Candidate records (.jsonl, .db of a run) are read as they are, with or without a structure. Any other crystal
    becomes a new candidate: its id is the crystal's name, `origin.file` holds the file and its scalar properties, and
    `fixed` the sites (from 0) that the file keeps in place. If an id occurs twice, the later one gets a number
    ("MgO-2"), and `origin.file.id` holds the id in the file. Raises NucleateError as `nucleate.io.read_structures`
    does.
    """
    found: list[Candidate] = []
    files, problems = find_files(paths)
    for path in files:
        for item in _candidates_of(path):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                found.append(item)
    if not found:
        raise nothing_read(paths, problems)
    return with_own_ids(found), problems


def with_own_ids(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates, each with an id of its own: an id that occurred before gets a number (see `read_candidates`)."""
    out: list[Candidate] = []
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for item in candidates:
        name = item.id
        while name in taken:
            counts[item.id] = counts.get(item.id, 1) + 1
            name = f"{item.id}-{counts[item.id]}"
        taken.add(name)
        if name != item.id:
            entry = dataclasses.replace(item.origin.file or FileEntry(), id=item.id)
            item = dataclasses.replace(item.with_origin(file=entry), id=name)
        out.append(item)
    return out


def _candidates_of(path: Path) -> Iterator[Candidate | Problem]:
    """Candidates and problems in the order of the file. Rows that are candidate records are read only as such.

    A packed file is read like the file in it, an archive like the files in it one after the other.
    """
    from nucleate.io.archive import ARCHIVE
    from nucleate.io.formats import plain_files, read_file

    crystals = 0
    for part in plain_files(path):
        if isinstance(part, Problem):
            yield part
            continue
        where, file = part
        records = READERS.get(file.suffix.lower(), lambda _: {})(file)
        rows: list[tuple[int, Candidate | Problem]] = []
        for item in read_file(file, records):
            place = item.row if item.row is not None else sys.maxsize
            item = dataclasses.replace(item, file=where)
            if isinstance(item, Named) and path.suffix.lower() == ARCHIVE:
                crystals += 1
                item = dataclasses.replace(item, row=crystals)
            found: list[Candidate | Problem] = [item] if isinstance(item, Problem) else [*remarks_of(item), _wrap(item)]
            if not records:
                yield from found
            else:
                rows += [(place, one) for one in found]
        for row, record in records.items():
            rows.append((row, dataclasses.replace(record, file=where) if isinstance(record, Problem) else record))
        yield from (one for _, one in sorted(rows, key=lambda r: r[0]))


def read_record(values: Any, file: str | Path, row: int | None) -> Candidate | Problem:
    """The candidate of a record, or the problem of a broken one. row: where it stands in the file."""
    try:
        return Candidate.from_dict(values)
    except NucleateError as error:
        return Problem(str(file), row, str(error))


def _records_of_lines(path: Path) -> dict[int, Candidate | Problem]:
    """The lines (from 1) of a .jsonl that are candidate records; other lines are left to the reader of structures."""
    out: dict[int, Candidate | Problem] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for row, line in enumerate(file, start=1):
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue  # the reader of structures reports it
            if isinstance(values, Mapping) and len(RECORD_KEYS & set(values)) >= ENOUGH_KEYS:
                out[row] = read_record(values, path, row)
    return out


def _records_of_database(path: Path) -> dict[int, Candidate | Problem]:
    """The rows of an ASE database that hold whole candidate records, such as those of a run."""
    import sqlite3

    from nucleate.io.database import stored_data

    out: dict[int, Candidate | Problem] = {}
    try:
        for row, _, data in stored_data(path):
            if isinstance(data, NucleateError):
                out[row] = Problem(str(path), row, str(data))
            elif isinstance(data, Mapping) and "candidate" in data:
                out[row] = read_record(data["candidate"], path, row)
    except sqlite3.DatabaseError:
        return {}  # the reader of structures says why
    return out


READERS = {".jsonl": _records_of_lines, ".db": _records_of_database}


def _wrap(named: Named) -> Candidate:
    entry = FileEntry(str(named.file), named.row, properties=named.info or {})
    return Candidate(
        id=named.name, structure=named.structure, origin=Origin(file=entry), fixed=tuple(named.fixed or ())
    )


def write_candidates(path: str | Path, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Write candidates in the format of the ending. Returns those left out because they have no structure.

    .jsonl holds the full records of all candidates. A folder of CIF files, .extxyz, .xyz and .db (ASE) hold structures
    with energies, checks and failure as scalars (see `scalar_info`). Raises NucleateError where nothing can be written.
    """
    candidates = list(candidates)
    if Path(path).suffix.lower() == ".jsonl":
        if not candidates:
            raise NucleateError(f"no candidates to write to {path}")
        with replacing(path) as temporary:
            temporary.write_text("".join(c.to_json() + "\n" for c in candidates), encoding="utf-8")
        return []
    crystals = [Named(c.id, c.structure, scalar_info(c)) for c in candidates if c.structure is not None]
    if candidates and not crystals:
        raise NucleateError(
            f"none of the {len(candidates):,} candidates has a structure; only .jsonl holds such records"
        )
    write_structures(path, crystals)
    return [c for c in candidates if c.structure is None]
