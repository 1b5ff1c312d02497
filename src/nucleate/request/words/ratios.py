"""Reads ratios such as 1:1:3, and words for numbers of elements such as "binary" and "at least ternary"."""

from __future__ import annotations

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.wish import Bounds, Wish, intersect_bounds

ORDER = ("<", "<=", ">", ">=")


def read_ratios(s: Sentence, wish: Wish) -> None:
    """Reads "1:1:3" and "two to one". Raises NucleateError for a ratio of other than positive whole numbers."""
    i = 0
    while i < len(s.terms):
        k, parts = i, []
        while s.kind(k) == lex.NUMBER:
            parts.append(float(s.terms[k].value))
            t = s.terms[k + 1] if k + 1 < len(s.terms) else None
            numeral = s.terms[k].text[0].isdigit()
            joined = t is not None and ((t.text == ":" and numeral) or (t.lower == "to" and not numeral))
            if not (joined and s.kind(k + 2) == lex.NUMBER):
                break
            k += 2
        if len(parts) > 1 and not wish.ratio:
            said = s.quote(i, k)
            if any(n < 1 or n != int(n) for n in parts):
                raise NucleateError(f"a ratio is of positive whole numbers, as in 1:1:2, not {said}")
            wish.ratio = tuple(sorted(int(n) for n in parts))
            s.take(i, k)
            while (
                i > 0
                and s.kind(i - 1)
                and s.terms[i - 1].lower in ("ratio", "ratios", "of", "atom", "atomic", "stoichiometric")
            ):
                i -= 1
                s.take(i, i)
        i = max(k, i) + 1


def read_element_numbers(s: Sentence, wish: Wish) -> None:
    """Reads "binary", "at least ternary" and "ternary or quaternary"."""
    i = 0
    while i < len(s.terms):
        if s.kind(i) != lex.MANY:
            i += 1
            continue
        first = last = i
        low = high = int(s.terms[i].value)
        while s.kind(last + 1) == lex.JOIN and s.kind(last + 2) == lex.MANY:
            last += 2
            n = int(s.terms[last].value)
            low, high = min(low, n), max(high, n)
        bounds: Bounds = (low, high)
        if s.kind(first - 1) == lex.OP and s.terms[first - 1].value in ORDER:
            first -= 1
            op = s.terms[first].value
            bounds = {"<": (None, low - 1), "<=": (None, high), ">": (high + 1, None), ">=": (low, None)}[op]
        wish.num_elements = intersect_bounds("elements", wish.num_elements, bounds)
        s.take(first, last)
        i = last + 1
