"""Reads wishes about symmetry and novelty."""

from __future__ import annotations

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.wish import Wish

_ALL_GROUPS = frozenset(range(1, 231))


def read_novelty(s: Sentence, wish: Wish) -> None:
    """Reads "new", "not known", "that nobody has reported" and "not in the ICSD"."""
    for i, t in enumerate(s.terms):
        if s.kind(i) == lex.NEW and s.kind(i - 1) != lex.NEGATION:
            wish.novel = True
            s.take(i, i)
        elif s.kind(i) == lex.NEGATION and t.lower not in ("without", "unlike", "less"):
            k = i + 1
            while s.kind(k) and s.kind(k) in (lex.EMPTY, lex.ARTICLE, lex.OPEN, lex.MADE) and k - i < 8:
                k += 1
            between = range(i + 1, k)
            if s.kind(k) == lex.DATABASE:
                s.take(i, k)
            elif made := [
                j for j in between if s.kind(j) == lex.MADE and s.terms[j].lower not in ("contained in", "included in")
            ]:
                s.take(i, made[-1])
            else:
                continue
            wish.novel = True
            while s.kind(k + 1) in (lex.JOIN, lex.OPEN, lex.ARTICLE) and s.kind(k + 2) == lex.DATABASE:
                s.take(k + 1, k + 2)
                k += 2


def read_symmetry(s: Sentence, wish: Wish) -> None:
    """Reads "space group Pnma", "no. 225", "cubic" and "not cubic". Raises NucleateError for a contradiction."""
    from nucleate.crystal.symmetry import space_group_number

    wanted: set[int] | None = None
    said = ""
    i = 0
    while i < len(s.terms):
        groups: frozenset[int] | None = None
        first = last = i
        t = s.terms[i]
        sign = (
            t.lower in ("no", "sg", "s.g", "nr", "number")
            and i + 2 < len(s.terms)
            and s.terms[i + 1].text in (".", "#")
        )
        if s.kind(i) == lex.GROUP_WORD:
            k = i + 1
            while k < len(s.terms) and s.terms[k].text.lower() in (
                ".",
                "no",
                "number",
                ":",
                "=",
                "of",
                "is",
                "nr",
                "#",
            ):
                k += 1
            last, name = _symbol(s, k)
            if not name:
                i += 1
                continue
            groups = frozenset((space_group_number(name),))
        elif sign and s.kind(i) and s.kind(i + 2) == lex.NUMBER and s.terms[i + 2].value in _ALL_GROUPS:
            last = i + 2
            groups = frozenset((int(s.terms[last].value),))
        elif s.kind(i) == lex.SYMMETRY and not (s.kind(i + 1) == lex.NOUN and s.terms[i + 1].lower == "lattice"):
            if i + 1 < len(s.terms) and s.terms[i + 1].lower == "lattice":
                i += 1
                continue
            groups = t.value
            while (
                s.kind(last + 1) == lex.JOIN
                and s.terms[last + 1].lower in ("or", ",")
                and s.kind(last + 2) == lex.SYMMETRY
            ):
                last += 2
                groups = groups | s.terms[last].value
            if s.kind(i - 1) == lex.NEGATION and s.terms[i - 1].lower in ("not", "non", "but not", "no", "without"):
                if s.kind(last + 1) in (lex.FAMILY, lex.CLASS) and not (s.terms[i - 1].lower == "non" and t.hyphen):
                    i = last + 1
                    continue
                first, groups = i - 1, _ALL_GROUPS - groups
            if s.kind(last + 1) == lex.EMPTY and s.terms[last + 1].lower == "system":
                last += 1
        if groups is None:
            i += 1
            continue
        words = s.quote(first, last)
        if wanted is not None and not wanted & groups:
            raise NucleateError(f"'{said}' and '{words}' contradict each other; give one of them")
        wanted = set(groups) if wanted is None else wanted & groups
        said = words
        s.take(first, last)
        i = last + 1
    if wanted:
        wish.space_groups = tuple(sorted(wanted))


def _symbol(s: Sentence, k: int) -> tuple[int, str]:
    """The last term of the symbol or number of a space group at term k, and the symbol; "" if there is none."""
    if not s.kind(k):
        return k, ""
    last = k
    while last + 1 < len(s.terms) and s.kind(last + 1) and (s.terms[last + 1].glued or s.terms[last + 1].hyphen) and (
        s.terms[last + 1].text not in (",", ";", ".", ")", "?", "!")):  # fmt: skip
        last += 1
    text = s.text[s.terms[k].start : s.terms[last].end].strip(" ,;.")
    return last, text
