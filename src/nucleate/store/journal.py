"""What is done of a piece of work that may be interrupted: one contract, kept in a file or in a database.

`store.part.PartFile` is the journal of a command that writes one file of crystals, `store.database.RunStore` that of
a run folder. Predictions to be judged (`evaluate.csp`) are lines of the same kind, in the format that others write as
well.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

from nucleate.errors import NucleateError
from nucleate.files import hint
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.events import Watch
from nucleate.pipeline.run import Executor, Store, run
from nucleate.pipeline.stage import Stage


class Journal(Store, Protocol):
    """Results by candidate, for work that a later call goes on with.

    - A result is on disk before `save` or `save_many` returns.
    - It counts for the candidate that it was made of, under the settings that it was made with: a journal of other
      settings is refused with NucleateError, which says which differ.
    - One process writes at a time; the lock of a process that died is free.
    - What a kill left unfinished, or what is damaged, is done again.
    """

    def resumed(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The candidates in their order, each as far as an earlier call brought it. Their ids must differ."""
        ...


def carry_on(
    journal: Journal,
    candidates: Sequence[Candidate],
    stages: Sequence[Stage],
    executor: Executor,
    watch: Watch | None = None,
) -> list[Candidate]:
    """The candidates after the stages. What the journal holds is not done again; it gets each new result at once."""
    return run(journal.resumed(candidates), stages, executor, journal, watch)


class JournalLines:
    """A file to which lines are added; those of one `add` are on disk before it returns. Use as a context manager.

    `before`: the whole lines that the file held. One that a kill left unfinished is cut off, so that the next one
    begins on a line of its own. Raises NucleateError where the file cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None
        try:
            self.before = whole_lines(path)
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise self._error(error) from None

    def add(self, lines: Sequence[str]) -> None:
        """Append lines, without their ends."""
        assert self._file is not None, "the file is closed"
        try:
            self._file.write("".join(line + "\n" for line in lines))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(error) from None

    def close(self) -> None:
        """May be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> JournalLines:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _error(self, error: OSError) -> NucleateError:
        return NucleateError(f"cannot write {self.path}: {hint(error)}")


def whole_lines(path: Path) -> list[str]:
    """The lines of a file, which loses what a kill left of its last one; none where there is no file."""
    if not path.exists():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return whole.decode("utf-8", errors="replace").splitlines()


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the settings that are not what they were, those of before first."""
    return [k for k in {**before, **now} if before.get(k) != now.get(k)]


def difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """How settings differ, for a message: "fmax 0.05, now 0.01"."""
    return ", ".join(f"{k} {before.get(k)}, now {now.get(k)}" for k in differing(before, now))
