"""Turns tokens into terms: finds what each word or phrase of a request means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.context import WORDLIKE, in_context
from nucleate.request.words.sentence import Sentence, Term
from nucleate.request.words.spelling import with_corrected_spelling
from nucleate.request.words.tokens import (
    FORMULA,
    KNOWN,
    MARK,
    NUMBER,
    Token,
    formula_counts,
    normalised_characters,
    tokenize,
)

_LARGEST = 1e9
_PLACEHOLDERS = frozenset("ABCDMRXYZ")
_ANONYMOUS = re.compile(r"(?:[A-Z][a-z]?'{0,2}\d*){2,8}")


def read_terms(text: str) -> Sentence:
    """The terms of a request. Raises NucleateError for a wrong formula, or one that can be read in two ways."""
    text = normalised_characters(text)
    notes: list[str] = []
    terms = in_context(list(_terms(with_corrected_spelling(tokenize(text), notes))))
    return Sentence(text, terms, notes=notes)


def _terms(tokens: Sequence[Token]) -> Iterator[Term]:
    """At each position the longest phrase that has a meaning, or the token by itself."""
    i = 0
    while i < len(tokens):
        t = tokens[i]
        hyphen = i > 0 and tokens[i - 1].text == "-" and t.glued
        if not t.glued and _negating_mark(tokens, i):
            yield Term(lex.NEGATION, "opens", t.text, t.start, t.end)  # perovskite -Pb +Sn, !Pb
            i += 1
            continue
        if _joins_words(tokens, i):
            i += 1
            continue
        found, last = _phrase(tokens, i)
        end = tokens[last].end
        glued = t.glued and not hyphen
        if found is not None:
            kind, value = found
            text = t.text if last == i else " ".join(x.text for x in tokens[i : last + 1] if x.text != "-")
            yield Term(kind, value, text, t.start, end, glued, hyphen)
        else:
            kind, value = _single(t)
            yield Term(kind, value, t.text, t.start, end, glued, hyphen)
        i = last + 1


def _negating_mark(tokens: Sequence[Token], i: int) -> bool:
    """Whether token i is a mark before an element that says that it is not wanted: -Pb, !Pb, ~lead."""
    if i + 1 >= len(tokens) or not tokens[i + 1].glued:
        return False
    after = tokens[i + 1]
    if tokens[i].text == "-":
        return after.text in KNOWN
    known = after.text in KNOWN or (lex.meaning((after.lower,)) or ("",))[0] in (lex.ELEMENT, lex.GROUP)
    return tokens[i].text in lex.words_of("mark", "negates") and known


def _joins_words(tokens: Sequence[Token], i: int) -> bool:
    """Whether token i is a hyphen between two words, not a minus sign, a dash or a range of numbers."""
    t = tokens[i]
    if t.text != "-" or not 0 < i < len(tokens) - 1 or not (t.glued and tokens[i + 1].glued):
        return False
    before, after = tokens[i - 1], tokens[i + 1]
    return before.kind != MARK and not (before.kind == NUMBER and after.kind == NUMBER)


def _phrase(tokens: Sequence[Token], i: int) -> tuple[lex.Meaning | None, int]:
    """The meaning of the longest phrase that begins at token i, None for none, and its last token."""
    first = tokens[i]
    most = max((lex.longest_phrases().get(w, 0) for w in lex.singulars(first.lower)), default=0)
    words, places = [first.lower], [i]
    j = i + 1
    while len(words) < most and j < len(tokens):
        if tokens[j].text == "-" and tokens[j].glued and j + 1 < len(tokens) and tokens[j + 1].glued:
            j += 1
            continue
        words.append(tokens[j].lower)
        places.append(j)
        j += 1
    for n in range(len(words), 0, -1):
        if n == 1 and ((first.text in KNOWN and first.text not in WORDLIKE) or first.kind in (NUMBER, FORMULA)):
            break  # a symbol of an element, not the word
        if n == 2 and first.kind == NUMBER and len(words[1]) == 1 and not tokens[i + 1].glued:
            continue  # "2 H" does not mean "2H"
        found = lex.meaning(tuple(words[:n]))
        if found is not None and _means_less(found, words[:n], tokens[places[n - 1] + 1 : places[n - 1] + 2]):
            continue
        if n == 1 and first.text == "MAX":
            found = lex.meaning(("max", "phase"))
        if found is not None:
            return found, places[n - 1]
    return None, i


def _means_less(found: lex.Meaning, words: Sequence[str], after: Sequence[Token]) -> bool:
    """Whether a phrase has not the meaning that was found: "and above" before a number, or "sodium chloride" without
    "type" or "structure" after it, which is a compound."""
    if found[0] == lex.AFTER:
        return any(t.kind == NUMBER for t in after)
    if found[0] != lex.FAMILY or len(words) != 2:
        return False
    first, last = (lex.meaning((w,)) or ("",) for w in words)
    chemical = first[0] == lex.ELEMENT and last[0] in (lex.CLASS, lex.COUNTED)
    typed = ("-", "type", "structure", "structured", "prototype", "structures")
    return chemical and not any(t.lower in typed for t in after)


def _single(t: Token) -> lex.Meaning:
    """The meaning of a token that is no phrase of the lexicon."""
    if t.kind == NUMBER:
        value = float(t.text.replace(",", ""))
        if value > _LARGEST:
            raise NucleateError(f"'{t.text[:30]}' is too large a number")
        return lex.NUMBER, value
    if t.kind == FORMULA:
        if t.text in lex.words_of("molecule"):
            return lex.WORD, t.text
        return lex.FORMULA, formula_counts(t.text)
    if t.kind == MARK:
        return {
            "&": (lex.JOIN, "and"),
            "+": (lex.JOIN, "and"),
            "/": (lex.JOIN, "/"),
            "|": (lex.JOIN, "or"),
            ",": (lex.JOIN, ","),
        }.get(t.text, (lex.MARK, t.text))
    if t.text in KNOWN:
        return lex.ELEMENT, t.text
    if (group := _space_group(t.text)) is not None:
        return lex.SYMMETRY, group
    ratio = _anonymous(t.text)
    return (lex.RATIO, ratio) if ratio else (lex.WORD, t.text)


def _space_group(text: str) -> frozenset[int] | None:
    """The space group of a symbol such as Pnma or P2_1/c; None for other texts."""
    if not (3 <= len(text) <= 12 and text[0] in "PIFCRAB" and re.fullmatch(r"[A-Z][-_/0-9abcdemn]+", text)):
        return None
    from nucleate.crystal.symmetry import is_space_group, space_group_number

    return frozenset((space_group_number(text),)) if is_space_group(text) else None


def _anonymous(text: str) -> tuple[tuple[int, ...], tuple[str, ...]] | None:
    """The counts and the named elements of a formula with letters for elements, such as ABO3 and A2BX4; None for other
    texts."""
    if not _ANONYMOUS.fullmatch(text):
        return None
    parts = re.findall(r"([A-Z][a-z]?'{0,2})(\d*)", text)
    letters = [name.rstrip("'") for name, _ in parts]
    if "A" not in letters or any(len(n) > 4 or n == "0" for _, n in parts) or not any(n for _, n in parts):
        return None
    named = tuple(x for x in letters if x not in _PLACEHOLDERS)
    if any(x not in KNOWN for x in named) or (set(letters) <= {"M", "A", "X"} and "M" in letters):
        return None
    return tuple(sorted(int(n or 1) for _, n in parts)), named
