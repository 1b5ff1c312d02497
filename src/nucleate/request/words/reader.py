"""Reads the text of a request with all readers, and finds the words that none of them understood."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.amounts import Amount
from nucleate.request.words.contents import read_classes, read_families, read_layers, read_wanted_formulas
from nucleate.request.words.elements import read_elements
from nucleate.request.words.negation import read_negations, read_zeros
from nucleate.request.words.numbers import is_comparison, read_numbers
from nucleate.request.words.qualities import read_novelty, read_symmetry
from nucleate.request.words.replacement import read_replacements, read_types
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.terms import read_terms
from nucleate.request.words.tokens import KNOWN
from nucleate.request.words.wish import Wish, require_consistent, use_related_families

MOST_CHARACTERS = 20_000
_STOPS = (lex.NEGATION, lex.FREE, lex.THAN, lex.LIKE, lex.REPLACE)
_SILENT = (lex.EMPTY, lex.ARTICLE, lex.OPEN, lex.JOIN, lex.ANYTHING, lex.AFTER)
_SILENT_NOUNS = ("candidates", "elements")
_QUIET_OPS = ("~", "between", ":")


def read_words(text: str) -> Wish:
    """What a text in plain words asks for.

    Raises NucleateError, in one line, for a text that contradicts itself, for a negation, comparison or replacement
    that was not understood, and for a text that is too long.
    """
    if len(text) > MOST_CHARACTERS:
        raise NucleateError(
            f"a request has at most {MOST_CHARACTERS:,} characters, not {len(text):,}; say it in a few sentences"
        )
    s, wish = read_terms(text), Wish()
    read_symmetry(s, wish)
    read_layers(s, wish)
    left = read_zeros(s, wish, read_numbers(s, wish))
    for a in left:
        s.take(a.first, a.last)  # so that a unit such as K is not read as an element
    read_replacements(s, wish)
    read_types(s, wish)
    read_novelty(s, wish)
    read_negations(s, wish)
    read_families(s, wish)
    read_wanted_formulas(s, wish)
    read_classes(s, wish)
    read_elements(s, wish)
    _stop(s, left)
    wish.anything = any(t.kind == lex.ANYTHING for t in s.terms)
    s.notes += use_related_families(wish)
    wish.notes = tuple(s.notes)
    wish.left = tuple(_left(s, left))
    require_consistent(wish)
    return wish


def _stop(s: Sentence, left: Sequence[Amount]) -> None:
    """Raises NucleateError for words that no reader took and that would change the meaning of the rest."""
    for a in left:
        if a.op:
            raise _comparison(s, a.first, a.last)
    for i, t in enumerate(s.terms):
        if s.used[i]:
            continue
        if t.kind == lex.OUTSIDE:
            raise NucleateError(f"'{t.text}' is out of scope: nucleate designs inorganic crystals")
        if t.lower in lex.words_of("foreign", "always") and t.kind in (lex.WORD, lex.EMPTY) and t.text not in KNOWN:
            raise _foreign(t.text)
        if t.kind == lex.WORD and (t.lower in lex.words_of("foreign", "unread") or _other_script(t.text)):
            raise _foreign(t.text)
        if t.text == "*" or (t.text == "?" and not t.glued and i):
            raise NucleateError(
                f"'{s.around(max(i - 2, 0))}': a formula with gaps stands between commas, as in: Li ? O4, no Fe"
            )
        if is_comparison(s, i):
            raise _comparison(s, i, i)
        if t.kind in _STOPS:
            first = i if t.kind != lex.FREE else max(i - 2, 0)
            kind = (
                "comparison"
                if t.kind in (lex.THAN, lex.LIKE)
                else "replacement"
                if t.kind == lex.REPLACE
                else "negation"
            )
            raise NucleateError(
                f"'{s.around(first)}': this {kind} was not understood, and without it the rest misleads; leave it "
                "out, or say it as in: without Pb, no rare earths, BaTiO3 with Zr instead of Ti, at most 10 atoms"
            )


def _comparison(s: Sentence, first: int, last: int) -> NucleateError:
    return NucleateError(
        f"'{s.quote(max(first - 3, 0), min(last + 1, len(s.terms) - 1))}': this comparison was not understood; "
        "band gap, formation energy, energy above the hull, atoms and elements can have bounds"
    )


def _foreign(word: str) -> NucleateError:
    return NucleateError(
        f"requests are understood in English alone, and '{word[:40]}' is not; formulas work in any language"
    )


def _other_script(word: str) -> bool:
    """Whether a word is written in letters other than Latin and Greek ones."""
    return any(
        c.isalpha() and ord(c) > 0x2AF and not 0x370 <= ord(c) < 0x400 and not 0x1D00 <= ord(c) < 0x2200 for c in word
    )


def _left(s: Sentence, left: Sequence[Amount]) -> list[str]:
    """The words that have a meaning and were not understood, as they are written; numbers with their units."""
    by_first_term = {a.first: a for a in left}
    out: list[str] = []
    i = 0
    end = -1
    while i < len(s.terms):
        t = s.terms[i]
        if i in by_first_term:
            a = by_first_term[i]
            out.append(s.quote(a.first, a.last))
            end = s.terms[a.last].end
            i = a.last + 1
            continue
        if not s.used[i] and _says_something(t.kind, t.value, t.text):
            if (t.glued or t.hyphen) and end == t.start and out:
                out[-1] += t.text
            elif t.hyphen and end + 1 == t.start and out:
                out[-1] += f"-{t.text}"
            else:
                out.append(s.text[t.start : t.end])
            end = t.end
        i += 1
    return out


def _says_something(kind: str, value: object, text: str) -> bool:
    if kind in _SILENT or (kind == lex.NOUN and value in _SILENT_NOUNS) or (kind == lex.OP and value in _QUIET_OPS):
        return False
    return re.search(r"\w", text) is not None
