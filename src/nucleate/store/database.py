"""`RunStore`: a run folder with a database that ASE reads, safe against kill -9, written by one process at a time."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.files import PART, remove, replacing, sweep
from nucleate.io import Problem
from nucleate.io.database import is_unborn, stored_data
from nucleate.locks import Lock
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.candidate_files import read_record
from nucleate.pipeline.convert import scalar_info
from nucleate.redact import redacted

if TYPE_CHECKING:
    from ase import Atoms

DATABASE, REQUEST, LOCK = "candidates.db", "request.json", ".lock"


class RunStore:
    """The candidates of one run in `folder`/candidates.db, one row each, updated in place.

    Rows are ASE's: energies and checks are key-value pairs (`ase db candidates.db 'e_above_hull<0.05'`), the whole
    record is in `data["candidate"]`. A candidate without a structure is a row without atoms. Every `save` is on disk
    before it returns. The lock of a process that died is free again. Use as a context manager, or `close()`.

    read_only: for reading a run, also while another process writes it; creates no file.
    prepare: called with the store after the folder is locked and before the database is opened. It writes the request,
    so that a process killed at any moment leaves a request without a database, never a database without a request.
    Raises NucleateError for a folder that cannot be written or that another process writes, and for a damaged database.
    """

    def __init__(
        self, folder: str | Path, read_only: bool = False, prepare: Callable[[RunStore], None] | None = None
    ) -> None:
        import ase.db

        self.folder = Path(folder)
        self.read_only = read_only
        self._lock = None if read_only else _lock(self.folder)
        self._rows: dict[str, int] = {}  # candidate id -> row of the database
        self._open = False
        if not read_only:
            try:
                if prepare is not None:
                    prepare(self)
                _remove_unborn(self.folder / DATABASE)
            except BaseException:
                self.close()
                raise
        self._db: Any = ase.db.connect(str(self.folder / DATABASE), type="db", use_lock_file=False)
        try:
            if not read_only:
                with self._errors("write"):
                    self._db.__enter__()  # one connection for all saves: opening one costs more than a save
                    self._open = True
                    self._index()
            self._rows = {name: row for row, name, _ in self._records() if name}
        except BaseException:
            self.close()
            raise

    def save(self, candidate: Candidate) -> None:
        """Insert or update one candidate; committed before it returns."""
        self.save_many([candidate])

    def save_many(self, candidates: Iterable[Candidate]) -> None:
        """Insert or update several in one transaction: all of them are stored, or none."""
        if self.read_only or not self._open:
            raise NucleateError(f"{self.folder} is open for reading only")
        new: dict[str, int] = {}
        connection = self._db.connection
        with self._errors("write"):
            try:
                for c in candidates:
                    row = new.get(c.id, self._rows.get(c.id))
                    record = {"candidate": json.loads(c.to_json())}  # ASE takes no numbers of numpy
                    new[c.id] = self._db.write(_atoms(c), key_value_pairs=_columns(c), data=record, id=row)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
        self._rows.update(new)

    def load(self) -> list[Candidate]:
        """All candidates whose records can be read, in the order in which they were first saved."""
        return self.read()[0]

    def resumed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The given candidates in their order, each replaced by the stored one if work on that has begun; those that
        are not stored yet are saved now.

        Raises NucleateError where a stored one comes from another set of crystals or from other coordinates.
        """
        have = {c.id: c for c in self.load()}
        for new in candidates:
            old = have.get(new.id)
            if old is not None and _content(old) != _content(new):
                theirs = old.origin.member.set if old.origin.member else "another set"
                raise NucleateError(f"{self.folder} holds crystals of '{theirs}', not these; give another --out")
        self.save_many([c for c in candidates if c.id not in have])
        begun = {c.id: c for c in have.values() if c.stages or c.failure is not None}
        return [begun.get(c.id, c) for c in candidates]

    def read(self) -> tuple[list[Candidate], list[Problem]]:
        """The candidates that `load` gives, and the problems of damaged records. A damaged record is repaired by saving
        a candidate of its id."""
        found: list[Candidate] = []
        problems: list[Problem] = []
        for row, _, record in self._records():
            path = self.folder / DATABASE
            damaged = isinstance(record, NucleateError)
            item = Problem(str(path), row, str(record)) if damaged else read_record(record, path, row)
            if isinstance(item, Problem):
                problems.append(item)
            else:
                found.append(item)
        return found, problems

    def write_request(self, record: Mapping[str, Any]) -> None:
        """Write plain JSON values to request.json, without secrets; replaces the old file in one step."""
        with replacing(self.folder / REQUEST) as temporary:
            temporary.write_text(redacted(json.dumps(record, indent=1)) + "\n", encoding="utf-8")

    def read_request(self) -> dict[str, Any]:
        """What `write_request` wrote; raises NucleateError if it is missing or damaged."""
        path = self.folder / REQUEST
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise NucleateError(f"{self.folder} is not a run folder (no {REQUEST})") from None
        except (OSError, ValueError) as error:
            raise NucleateError(f"{path} cannot be read: {error}") from None
        if not isinstance(record, dict):
            raise NucleateError(f"{path} is not a request")
        return record

    def clear(self) -> None:
        """Delete the files of a run in the folder, all but the lock and the request. The request stays until the next
        one replaces it, so that the folder is still recognised as a run if this process is killed."""
        for path in self.folder.iterdir():
            if path.name not in (LOCK, f"{LOCK}.pid", REQUEST):
                remove(path)

    def close(self) -> None:
        """Free the lock; may be called twice."""
        if self._open:
            self._open = False
            self._db.__exit__(None, None, None)
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self) -> None:
        """Add indices to the database. Without them, ASE scans whole tables for the old keys of a row it updates."""
        with self._db.managed_connection() as connection:  # makes the tables of a new database
            for table in ("species", "keys", "text_key_values", "number_key_values"):
                connection.execute(f"CREATE INDEX IF NOT EXISTS {table}_row_index ON {table}(id)")
            connection.commit()

    def _records(self) -> list[tuple[int, str, Any]]:
        """(row, id, candidate record) in order of rows. The id is "" where it is not known; the record of damaged data
        is the NucleateError that says what is wrong."""
        path = self.folder / DATABASE
        if not path.is_file():
            return []
        out: list[tuple[int, str, Any]] = []
        with self._errors("read"):
            for row, name, data in stored_data(path):
                record = data["candidate"] if isinstance(data, Mapping) else data
                own = record.get("id") if isinstance(record, Mapping) else None
                out.append((row, name or (own if isinstance(own, str) else ""), record))
        return out

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        path = self.folder / DATABASE
        try:
            yield
        except sqlite3.OperationalError as error:
            text = str(error)
            if "full" in text:
                text = "the disk is full; free some space and resume the run"
            elif "unable to open" in text or "readonly" in text:
                text = "no permission, or not a folder; choose another one"
            raise NucleateError(f"cannot {doing} {path}: {text}") from None
        except (sqlite3.DatabaseError, KeyError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise NucleateError(
                f"{path} is damaged or is no database of a run ({error}); move it away and start the run again"
            ) from None
        except OSError as error:
            raise NucleateError(f"cannot {doing} {path}: {error.strerror or error}") from None


def _content(candidate: Candidate) -> str:
    """The digest of the crystal as its set has it, for a candidate from a set; "" for others."""
    return candidate.origin.member.content if candidate.origin.member else ""


def _remove_unborn(path: Path) -> None:
    """Delete a database whose process was killed before all tables were made; ASE would take it for complete."""
    with suppress(sqlite3.DatabaseError):  # a damaged database is kept, and refused where it is opened
        if path.is_file() and is_unborn(path):
            remove(path)
            remove(path.with_name(f"{path.name}-journal"))


def was_killed_before_request(folder: Path) -> bool:
    """Whether a folder holds nothing but what a run leaves that was killed before its request was written."""
    own = {DATABASE, f"{DATABASE}-journal", LOCK, f"{LOCK}.pid"}
    names = {p.name for p in folder.iterdir()}
    if not all(name in own or PART.fullmatch(name) for name in names):
        return False
    try:
        return DATABASE not in names or not any(True for _ in stored_data(folder / DATABASE))
    except sqlite3.DatabaseError:
        return False  # the database is damaged, but somebody may still want what is in it


def _lock(folder: Path) -> Lock:
    """Lock the folder, and delete the temporary files that a killed process left there."""
    if folder.is_symlink() and not folder.exists():
        raise NucleateError(f"{folder} is a link to {os.readlink(folder)}, which is not there; make that folder first")
    lock = Lock(folder / LOCK, f"is writing the run in {folder}", "choose another folder")
    for place in (folder, folder / "cif"):
        sweep(place)
    return lock


def _atoms(candidate: Candidate) -> Atoms:
    from ase import Atoms
    from ase.calculators.singlepoint import SinglePointCalculator

    structure = candidate.structure
    if structure is None or not structure.is_ordered:  # ASE has no partial occupancies; the record has them
        return Atoms()
    numbers = [site.specie.Z for site in structure]
    atoms = Atoms(numbers=numbers, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)
    energy = candidate.energies.get("energy")
    if energy is not None and math.isfinite(energy.value):
        atoms.calc = SinglePointCalculator(atoms, energy=energy.value * len(atoms))  # ASE wants eV for the whole cell
    return atoms


def _columns(candidate: Candidate) -> dict[str, Any]:
    """Key-value pairs for searching. What ASE refuses (e.g. a text that reads as a number) is in the record only."""
    from ase.db.core import check

    info = {**scalar_info(candidate), "candidate_id": candidate.id, "reduced_formula": candidate.formula}
    info["stage"] = candidate.stages[-1] if candidate.stages else "new"
    columns = {}
    for key, value in info.items():
        if value == "" or (isinstance(value, float) and not math.isfinite(value)):
            continue
        try:
            check({key: value})
        except ValueError:
            continue
        columns[key] = value
    return columns
