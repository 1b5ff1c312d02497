"""Reads numbers with their signs, units, comparisons and ranges."""

from __future__ import annotations

import math
from dataclasses import dataclass

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.tokens import KNOWN
from nucleate.request.words.wish import Bounds


@dataclass(frozen=True)
class Amount:
    """A number or a range of numbers in a text.

    low, high: None if there is no such bound. open_low, open_high: whether the bound itself is excluded. unit: as
    written, "" without. first, last: indices of its terms. op: the comparison before or after it, "" without.
    """

    low: float | None
    high: float | None
    open_low: bool
    open_high: bool
    unit: str
    first: int
    last: int
    op: str

    @property
    def whole(self) -> Bounds:
        """The bounds as whole numbers, both included."""
        low = None if self.low is None else math.floor(self.low) + 1 if self.open_low else math.ceil(self.low)
        high = None if self.high is None else math.ceil(self.high) - 1 if self.open_high else math.floor(self.high)
        return low, high


def read_amounts(s: Sentence) -> list[Amount]:
    """All numbers of a text, in order. Raises NucleateError for a list of numbers that is no range."""
    out: list[Amount] = []
    i = 0
    while i < len(s.terms):
        if s.kind(i) == lex.NUMBER:
            out.append(_amount(s, i))
            i = out[-1].last + 1
        else:
            i += 1
    return out


def _amount(s: Sentence, i: int) -> Amount:
    """The number at term i with its sign and unit, the second number of a range, and the comparison."""
    first, value = i, float(s.terms[i].value)
    if _is_minus(s, i - 1):
        first, value = i - 1, -value
    last, unit = _unit(s, i)
    low: float | None = value
    high: float | None = value
    op, before = _operator(s, first)
    spread = _spread(s, last + 1)
    if spread is not None and not op:
        around = float(s.terms[spread].value)
        last, second = _unit(s, spread)
        return Amount(value - around, value + around, False, False, second or unit, before, last, "range")
    ranged = _range_end(s, last + 1, op)
    if ranged is not None:
        sign, place = ranged
        high = sign * float(s.terms[place].value)
        last, second = _unit(s, place)
        unit = second or unit
        return Amount(min(value, high), max(value, high), False, False, unit, before, last, "range")
    if (after := comparison_after(s, last + 1)) and not op:
        op, last = after, last + 1
    open_low, open_high = op == ">", op == "<"
    if op in ("<", "<="):
        low = None
    elif op in (">", ">="):
        high = None
    return Amount(low, high, open_low, open_high, unit, before, last, op if op != "between" else "")


def _spread(s: Sentence, i: int) -> int | None:
    """The index of the number after a plus-minus sign at term i, as in 1.5 ± 0.2; None without such a sign."""
    said = ""
    while i < len(s.terms) and s.kind(i) and s.terms[i].text in ("±", "+", "/", "-") and len(said) < 3:
        said += s.terms[i].text
        i += 1
    return i if said in ("±", "+/-", "+-") and s.kind(i) == lex.NUMBER else None


def _is_minus(s: Sentence, i: int) -> bool:
    if not 0 <= i < len(s.terms) - 1 or s.terms[i].text != "-" or s.terms[i].glued:
        return False
    return s.terms[i + 1].glued or s.terms[i + 1].hyphen


def _operator(s: Sentence, first: int) -> tuple[str, int]:
    """The comparison before the number that begins at term `first`, "" for none, and the term with which both begin."""
    i = first - 1
    while i >= 0 and first - i < 4 and not s.used[i]:
        t = s.terms[i]
        if t.kind == lex.OP:
            if t.value == ":":
                return "", first
            if t.value == "~" and s.kind(i - 1) == lex.OP:
                i -= 1
                continue
            return ("" if t.value in ("=", "~") else str(t.value)), i
        if t.text == "." and s.terms[i - 1].lower in ("max", "min"):
            i -= 1
            continue
        if t.lower not in ("of", "only", "is", "the", "a", "about", "only", "just", "some"):
            break
        i -= 1
    return "", first


def _range_end(s: Sentence, i: int, op: str) -> tuple[int, int] | None:
    """Sign and index of the second number of a range; None if there is none. i: the term after the first number."""
    if not 0 <= i < len(s.terms) or s.used[i]:
        return None
    t = s.terms[i]
    joins = (
        ("-", "..", "to", "until", "till", "...")
        if op != "between"
        else ("-", "..", "to", "until", "till", "and", "up to")
    )
    if t.lower == "or" and s.kind(i + 1) == lex.NUMBER and not op:
        if abs(s.terms[i + 1].value - s.terms[i - 1].value) == 1:
            return 1, i + 1
        raise NucleateError(f"'{s.quote(i - 1, i + 1)}': one number or one range at a time, as in 2 to 4")
    if t.text == "-" or t.lower in joins:
        k = i + 1
        sign = 1
        if _is_minus(s, k):
            k, sign = k + 1, -1
        if s.kind(k) == lex.NUMBER:
            return sign, k
    return None


def comparison_after(s: Sentence, i: int) -> str:
    """The comparison at term i, after a number, such as "or fewer" or "at most"; "" for none."""
    if s.kind(i) in (lex.OP, lex.AFTER) and s.terms[i].lower in lex.after_number() and s.kind(i + 1) != lex.NUMBER:
        return lex.after_number()[s.terms[i].lower]
    return ""


def _unit(s: Sentence, i: int) -> tuple[int, str]:
    """The last term of the unit after the number at term i, and the unit as it is written, "" for none."""
    k = i + 1
    if k >= len(s.terms) or s.used[k] or s.terms[k].text not in lex.words_of("unit"):
        return i, ""
    if len(s.terms[k].text) == 1 and s.terms[k].text in KNOWN and not s.terms[k].glued and s.kind(k + 1) == lex.NOUN:
        return i, ""
    while (
        k + 1 < len(s.terms) and s.terms[k + 1].glued and s.terms[k + 1].text not in (",", ".", ";", ")", ":", "!", "?")
    ):
        k += 1
    unit = "".join(s.terms[j].text for j in range(i + 1, k + 1))
    if s.kind(k + 1) and s.terms[k + 1].lower == "per" and k + 2 < len(s.terms) and s.terms[k + 2].lower == "atom":
        return k + 2, f"{unit}/atom"
    if s.kind(k + 1) == lex.NOUN and s.terms[k + 1].lower == "per atom":
        return k + 1, f"{unit}/atom"
    return k, unit


def with_comparison(a: Amount, op: str) -> Amount:
    """The number with a comparison (<, <=, > or >=) that was found elsewhere."""
    low = None if op in ("<", "<=") else a.low
    high = None if op in (">", ">=") else a.high
    return Amount(low, high, op == ">", op == "<", a.unit, a.first, a.last, op)
