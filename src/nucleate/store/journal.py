"""Journals: they keep the results of work that may be interrupted, so that a later call continues it.

`store.part.PartFile` is the journal of a command that writes one file of crystals, and `store.database.RunStore` is
that of a run folder. `evaluate.csp` writes its predictions as `JournalLines` too, in a format that other programs also
write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from nucleate.errors import NucleateError
from nucleate.files import reason_and_remedy
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Watch
from nucleate.pipeline.run import Executor, Store, run_stages
from nucleate.pipeline.stage import Stage


class Journal(Store, Protocol):
    """The results of candidates, for work that a later call continues.

    - A result is on disk before `save_many` returns.
    - A result is used only for the candidate it was made of and with the settings it was made with. A journal of other
      settings is refused with a NucleateError that names the settings that differ.
    - One process writes at a time; the lock of a process that died is free.
    - A result that a killed process did not finish writing, or that is damaged, is computed again.
    """

    def resumed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates in their order, each replaced by its stored result if there is one. Ids must differ."""
        ...


def run_with_journal(
    journal: Journal,
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    executor: Executor,
    watch: Watch | None = None,
) -> list[Candidate]:
    """The candidates after the stages. Results that the journal holds are not computed again, and each new result is
    added to it at once."""
    return run_stages(journal.resumed(candidates), stages, executor, journal, watch)


class JournalLines:
    """A file to which lines are added; they are on disk before `add` returns. Use as a context manager.

    `before`: the complete lines that the file already held. A last line that a killed process left unfinished is cut
    off, so that the next one begins on a line of its own. Raises NucleateError where the file cannot be read or
    written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        try:
            self.before = complete_lines(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._error(error) from None

    def add(self, lines: Sequence[str]) -> None:
        """Append lines; each is given without its newline."""
        assert self._file is not None, "the file is closed"
        try:
            self._file.write("".join(line + "\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> JournalLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _error(self, error: OSError) -> NucleateError:
        return NucleateError(f"cannot write {self.path}: {reason_and_remedy(error)}")


def complete_lines(path: Path) -> list[str]:
    """The complete lines of a file, which is cut after the last of them; none where there is no file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return whole.decode("utf-8", errors="replace").splitlines()


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the settings whose values differ between two calls."""
    return [k for k in {**before, **now} if before.get(k) != now.get(k)]


def changed_settings_text(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The settings that differ, for a message: "fmax 0.05, now 0.01"."""
    return ", ".join(f"{k} {before.get(k)}, now {now.get(k)}" for k in changed_settings(before, now))
