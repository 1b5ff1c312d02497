"""What stages find out about a candidate, as typed values: each a small frozen dataclass of plain numbers and texts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """Where and why a candidate was rejected.

    stage: the name of the stage. code: one of `nucleate.errors.Code`, or that of another package's stage; what a
    program can rely on. reason: one line for people. As a text it is "stage: reason", as tables and reports show it.
    """

    stage: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"
