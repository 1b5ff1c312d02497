"""Corrects the meaning of terms by the words around them: compounds with hyphens, chemical systems, and symbols of
elements that are English words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import END, Term
from nucleate.request.words.tokens import KNOWN

WORDLIKE = frozenset(("I", "In", "As", "At", "No", "He", "Be", "Am"))  # symbols that are English words too


def in_context(terms: list[Term]) -> list[Term]:
    """The terms with meanings that fit to their neighbours. Raises NucleateError for a chemical system that names an
    element twice."""
    terms = _systems(_hyphenated(terms))
    critical = _superconducts(terms)
    return [_checked(terms, i, critical) for i in range(len(terms))]


def _hyphenated(terms: list[Term]) -> list[Term]:
    """Turns compounds such as "Mn-doped" and "B-site", which do not name a wanted element, into one word each."""
    out: list[Term] = []
    i = 0
    while i < len(terms):
        last = i
        while last + 1 < len(terms) and terms[last + 1].hyphen and terms[last + 1].kind != lex.MARK:
            last += 1
        run = terms[i : last + 1]
        if last > i and all(t.text in KNOWN for t in run):  # In is an element in Cu-In-Se
            run = [replace(t, kind=lex.ELEMENT, value=t.text) for t in run]
        if run[0].text == "-":
            out.append(run[0])
            i += 1
            continue
        of_site = any(t.lower in ("site", "sites") for t in run)  # A-site
        other = any(t.kind in (lex.ELEMENT, lex.GROUP) for t in run) and not all(map(_stays, run))
        if last > i and (of_site or other):
            text = "-".join(t.text for t in run)
            kind = lex.REPLACE if any(t.kind == lex.REPLACE for t in run) else lex.WORD
            run = [Term(kind, text, text, run[0].start, run[-1].end, run[0].glued)]
        out += run
        i = last + 1
    return out


def _stays(t: Term) -> bool:
    """Whether the elements in a compound with this part still mean elements."""
    kinds = (lex.ELEMENT, lex.GROUP, lex.CLASS, lex.MIXED, lex.FAMILY, lex.NEGATION, lex.JOIN, lex.FREE, lex.COUNTED)
    return t.kind in kinds or t.lower in lex.KEPT_AFTER_HYPHEN


def _systems(terms: list[Term]) -> list[Term]:
    """Joins chemical systems such as Li-Fe-O, "Ti/Al/N system" and li-fe-o into one term each."""
    out: list[Term] = []
    i = 0
    while i < len(terms):
        last = i
        while last + 1 < len(terms) and terms[last + 1].hyphen and terms[last + 1].kind == lex.ELEMENT:
            last += 1
        run = terms[i : last + 1]
        if last > i and all(t.text in KNOWN for t in run) and not (last + 1 < len(terms) and terms[last + 1].hyphen
                                                                 and terms[last + 1].kind == lex.FREE):  # fmt: skip
            out.append(_joined(run, lex.SYSTEM, tuple(t.text for t in run), "-"))
            i = last + 1
            continue
        chain = _chain(terms, i)
        if chain:
            run = terms[i : i + chain]
            out.append(_joined(run, lex.SYSTEM, tuple(t.text for t in run if t.kind == lex.ELEMENT), ""))
            i += chain
            continue
        out.append(terms[i])
        i += 1
    return out


def _chain(terms: Sequence[Term], i: int) -> int:
    """The number of terms of a chain such as Ti/Al/N before the word "system"; 0 if there is none."""
    n = 0
    while i + n < len(terms) and n < 24:
        t = terms[i + n]
        if n % 2 == 0 and not (t.kind == lex.ELEMENT and t.text in KNOWN):
            return 0
        if n % 2 and not (t.text == "/" and t.glued):
            break
        n += 1
    ends = (
        n > 2 and n % 2 == 1 and i + n < len(terms) and terms[i + n].lower in ("system", "phase diagram", "phase space")
    )
    return n if ends else 0


def _joined(run: Sequence[Term], kind: str, value: Any, between: str) -> Term:
    named = [e for e, n in Counter(value).items() if n > 1]
    text = between.join(t.text for t in run)
    if named:
        raise NucleateError(f"{named[0]} is named twice in '{text[:60]}'")
    return Term(kind, value, text, run[0].start, run[-1].end, run[0].glued)


def _superconducts(terms: Sequence[Term]) -> bool:
    """Whether "Tc" in the text means a critical temperature."""
    pattern = r"superconduct|critical|\bT_?c (?:[<>=~]|above|over|of|at|below|near|about|high)|\d ?m?K\b|kelvin"
    said = " ".join(t.text for t in terms)
    return "Tc" in said and re.search(pattern, said) is not None


def _checked(terms: Sequence[Term], i: int, critical: bool) -> Term:
    """Term i with the meaning that its neighbours give it: the words "In" and "As", Tc of superconductors, V in "group
    V", or "lead" in "lead to" are no elements."""
    t = terms[i]
    before = terms[i - 1] if i else None
    after = terms[i + 1] if i + 1 < len(terms) else None
    if t.text in WORDLIKE:
        return _wordlike(terms, i)
    if after is not None and after.kind == lex.FREE and after.hyphen and t.kind in (lex.WORD, lex.EMPTY, lex.OPEN):
        symbol = t.text.capitalize()
        return replace(t, kind=lex.ELEMENT, value=symbol) if symbol in KNOWN else t
    if t.kind != lex.ELEMENT:
        return t
    word = replace(t, kind=lex.WORD, value=t.text)
    if t.lower == "lead" and before is not None and before.lower in lex.words_of("asked", "leads"):
        return word  # we lead the field
    if t.text == "Tc" and critical:
        return word
    if after is not None and (after.lower in ("site", "sites") or (after.kind == lex.TYPE and len(t.text) == 1)):
        return word
    beyond = terms[i + 2].text if i + 2 < len(terms) else ""
    if after is not None and after.text == "=" and len(t.text) <= 2 and beyond != "0":
        return word
    if before is not None and before.text == "=":
        return word
    if after is not None and after.lower in lex.words_of("asked", "spectral lines"):
        return word  # Cu K alpha
    if before is not None and before.lower in ("group", "type", "form", "class", "phase", "form") and len(t.text) == 1:
        return word if t.text in "IVX" else t
    if after is not None and after.text in ("and", ",", "/") and len(t.text) == 1 and _site_list(terms, i):
        return word
    if after is not None and t.text in lex.words_of("unit") and after.text == "/" and after.glued:
        return word
    return t


def _site_list(terms: Sequence[Term], i: int) -> bool:
    """Whether a list of single letters at term i ends with "sites", as in "B and C sites"."""
    for t in terms[i : i + 8]:
        if t.lower in ("site", "sites"):
            return True
        if not (t.kind == lex.JOIN or len(t.text) == 1):
            return False
    return False


def _wordlike(terms: Sequence[Term], i: int) -> Term:
    """The meaning of I, In, As, At, No, He, Be and Am: they are elements in lists of elements, after "of" or "with",
    and before "-free", and English words otherwise."""
    t = terms[i]
    before = terms[i - 1] if i else None
    after = terms[i + 1] if i + 1 < len(terms) else None
    element = replace(t, kind=lex.ELEMENT, value=t.text)
    lone = before is None or before.text in END
    sure = lambda x: x is not None and x.kind == lex.ELEMENT and x.text not in WORDLIKE  # noqa: E731
    if after is not None and after.kind == lex.FREE and (after.hyphen or (t.text != "No" and after.lower == "free")):
        return element
    beyond = terms[i + 2] if i + 2 < len(terms) else None
    listed = after is not None and after.lower in (",", "and", "or", "/", "nor", "&") and sure(beyond)
    if t.text == "No":
        return element if listed and not lone else _word(t)
    if lone:
        return element if listed else _word(t)
    if t.text == "I" and after is not None and after.lower in lex.words_of("pronoun verb"):
        return _word(t)
    near = (
        listed
        or sure(before)
        or (before is not None and before.kind in (lex.JOIN, lex.OPEN, lex.NEGATION, lex.ARTICLE))
    )
    if t.text == "I" and not near and not (after is not None and after.kind in (lex.CLASS, lex.FAMILY)):
        return _word(t)
    return element


def _word(t: Term) -> Term:
    kind, value = lex.meaning((t.lower,)) or (lex.WORD, t.text)
    return replace(t, kind=kind, value=value)
