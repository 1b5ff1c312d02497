"""The terms of a request, and which of them were understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

END = frozenset(".!?;:")  # marks that end a phrase


@dataclass(frozen=True)
class Term:
    """kind and value: as in `lexicon`; start, end: its place in the text. glued: nothing lies between it and the one
    before; hyphen: but a hyphen."""

    kind: str
    value: Any
    text: str
    start: int
    end: int
    glued: bool = False
    hyphen: bool = False

    @property
    def lower(self) -> str:
        return self.text.lower()


@dataclass
class Sentence:
    """The terms of a request and which of them were understood. notes: what was taken for what."""

    text: str
    terms: list[Term]
    used: list[bool] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.used = self.used or [False] * len(self.terms)

    def kind(self, i: int) -> str:
        """The kind of the term at a place; "" beyond the ends, and where another reader has taken the term."""
        return self.terms[i].kind if 0 <= i < len(self.terms) and not self.used[i] else ""

    def take(self, first: int, last: int) -> None:
        """The terms from first to last are understood."""
        for i in range(first, last + 1):
            self.used[i] = True

    def skip(self, i: int, kinds: Sequence[str], most: int = 8, step: int = 1) -> int:
        """The next place from i on, at most so many further, whose term is none of the kinds."""
        for _ in range(most):
            if self.kind(i) not in kinds:
                break
            i += step
        return i

    def quote(self, first: int, last: int) -> str:
        """The words of the text from one term to another, at most 60 characters."""
        said = " ".join(self.text[self.terms[first].start : self.terms[last].end].split())
        return said if len(said) <= 60 else f"{said[:57]}..."

    def around(self, i: int, after: int = 4) -> str:
        """The words from a term on, to the end of the phrase."""
        last = i
        while last + 1 < len(self.terms) and last < i + after and self.terms[last + 1].text not in END:
            last += 1
        return self.quote(i, last).rstrip(" ,")
