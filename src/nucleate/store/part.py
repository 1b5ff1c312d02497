"""`PartFile`: the results so far of a command that writes one file, so that a killed command can be continued."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.files import reason_and_remedy, remove, replacing, sweep
from nucleate.io.write import json_default
from nucleate.locks import Lock
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.old_records import version_1
from nucleate.store.journal import JournalLines, changed_settings_text, complete_lines


class PartFile:
    """The journal of a command (`store.journal`), beside its output `out`: "OUT.part.jsonl".

    It has one line for each result. `finish` removes it, and so does `close` if there is no result.

    The first line holds `settings`, plain JSON values: everything that decides the results except the candidates. A
    result is used only for a candidate that is equal to the one it was made of, so input files may be added and changed
    between two calls. Raises NucleateError if the file is of other settings (unless `overwrite`, which starts again),
    and while another process writes it. Use as a context manager.

    former: the same settings as the first version of nucleate wrote them, if that differs; its files are continued too.
    """

    def __init__(
        self,
        out: str | Path,
        settings: Mapping[str, Any],
        overwrite: bool = False,
        former: Mapping[str, Any] | None = None,
    ) -> None:
        self.out = out = Path(out)
        self.path, lock = _beside(out)
        self._keys: dict[str, str] = {}  # id of a candidate -> fingerprint of what it was
        self._lines: JournalLines | None = None
        self._is_empty = False
        self._lock = Lock(lock, f"is writing {out}", "choose another --out")
        try:
            sweep(out.parent, (out.name, self.path.name))
            self._former = json.loads(json.dumps(former)) if former is not None else None
            self._done = self._open(json.loads(json.dumps(settings)), overwrite)
        except BaseException:
            self.close()
            raise

    def resumed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates, each replaced by its result if there is one. Their ids must differ."""
        self._keys = {c.id: _fingerprint(c.to_dict()) for c in candidates}
        found = [self._done.get(self._keys[c.id]) or self._of_version_1(c) for c in candidates]
        return [result or c for result, c in zip(found, candidates, strict=True)]

    def _of_version_1(self, candidate: Candidate) -> Candidate | None:
        """The result that the first version of nucleate wrote of a candidate: its fingerprints differ from today's."""
        if not self._done:
            return None
        key = _fingerprint(version_1(candidate.to_dict()))
        if key in self._done:
            self._keys[candidate.id] = key
        return self._done.get(key)

    def save(self, candidate: Candidate) -> None:
        """Append a result of one of the `resumed` candidates."""
        self.save_many([candidate])

    def save_many(self, candidates: Sequence[Candidate]) -> None:
        """Append results of `resumed` candidates."""
        assert self._lines is not None
        self._is_empty = False
        records = [{"of": self._keys[c.id], "result": c.to_dict()} for c in candidates]
        self._lines.add([json.dumps(record, default=json_default) for record in records])

    def finish(self) -> None:
        """Remove this file and the lock, because the output is complete."""
        self._close_file()
        remove(self.path)  # while the lock is held: afterwards the file could be that of another process
        self._lock.discard()

    def close(self) -> None:
        """Free the lock; the results stay for the next call."""
        if self._is_empty:
            self.finish()
        self._close_file()
        self._lock.release()

    def _close_file(self) -> None:
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def __enter__(self) -> PartFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, settings: dict[str, Any], overwrite: bool) -> dict[str, Candidate]:
        try:
            lines = complete_lines(self.path)
        except OSError as error:
            raise NucleateError(f"cannot read {self.path}: {reason_and_remedy(error)}") from None
        before = _settings(lines[0]) if lines else None
        if lines and before not in (settings, self._former or settings):
            if not overwrite and (before is None or len(lines) > 1):  # without results there is nothing to lose
                raise NucleateError(f"{self.path} holds results {_difference(before, settings)}")
            lines = []
        if not lines:
            with replacing(self.path) as temporary:
                temporary.write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
        self._lines = JournalLines(self.path)
        self._is_empty = len(lines) < 2
        results = map(_result, lines[1:])
        return dict(r for r in results if r is not None)


def remove_leftovers(out: str | Path) -> None:
    """Delete the part file and the lock of a call that was killed after `out` was complete. A part file newer than
    `out` stays, because its results are to replace `out`."""
    out = Path(out)
    part, lock = _beside(out)
    if not (part.exists() or lock.exists()):
        return
    with suppress(NucleateError, OSError), Lock(lock, f"is writing {out}", "choose another --out") as held:
        sweep(out.parent, (out.name, part.name))
        if not (part.exists() and part.stat().st_mtime_ns > out.stat().st_mtime_ns):
            remove(part)
            held.discard()


def _beside(out: Path) -> tuple[Path, Path]:
    """The paths of the part file and of the lock, both beside `out`."""
    return out.with_name(f"{out.name}.part.jsonl"), out.with_name(f".{out.name}.lock")


def _fingerprint(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, default=json_default).encode()).hexdigest()[:32]


def _settings(line: str) -> Any:
    try:
        return json.loads(line)["settings"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _result(line: str) -> tuple[str, Candidate] | None:
    """The fingerprint of a candidate and its result; None for a damaged line, whose candidate is computed again."""
    try:
        row = json.loads(line)
        return row["of"], Candidate.from_dict(row["result"])
    except (ValueError, KeyError, TypeError, RecursionError, NucleateError):
        return None


def _difference(before: Any, now: Mapping[str, Any]) -> str:
    if not isinstance(before, Mapping):
        return "of another command; move it away, use --overwrite to begin again, or another --out"
    words = changed_settings_text(before, now)
    return f"of an interrupted run with other settings ({words}); give the same ones, or --overwrite to begin again"
