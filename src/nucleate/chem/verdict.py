"""`Verdict`: the answer of every check, which is pass, fail or unknown."""

from __future__ import annotations

from dataclasses import dataclass

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"


@dataclass(frozen=True)
class Verdict:
    """`verdict` is "pass", "fail" or "unknown"; `reason` says why in a few words."""

    verdict: str
    reason: str = ""

    def __post_init__(self) -> None:
        if self.verdict not in (PASS, FAIL, UNKNOWN):
            raise ValueError(f"a verdict is {PASS!r}, {FAIL!r} or {UNKNOWN!r}, not {self.verdict!r}")
