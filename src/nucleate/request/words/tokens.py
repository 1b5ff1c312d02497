"""Cuts a request into tokens: words, numbers, formulas, symbols of space groups, and punctuation marks.

Patterns never go back over text that they have matched, so that the time grows linearly with the length of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

WORD, NUMBER, FORMULA, MARK = "word", "number", "formula", "mark"
LONGEST_FORMULA = 200  # characters
_ELEMENTS = frozenset(SYMBOLS)
KNOWN = frozenset(SYMBOLS[:103])  # elements that may be asked for in words
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **dict.fromkeys("\u2018\u2019\u02bc\u2032`", "'"),
        **dict.fromkeys("\u201c\u201d\u00ab\u00bb", '"'),
        **{chr(0x2080 + n): str(n) for n in range(10)},
        "\u00b5": "u",
        "\u03bc": "u",
        "\u2009": " ",
        "\u00a0": " ",
        "\u202f": " ",
        "\uff0c": ",",
    }
)  # each character becomes one character, so that positions in the text stay the same
_CHUNK = re.compile(r"\S+")
_REPEATED = re.compile(r"([^\w\s.])\1{2,}")
_PIECE = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+-]?\d+(?![\w]))?)"
    r"|(?P<word>[^\W\d_](?:\w|'(?=[^\W\d_]))*)|(?P<mark>>=|<=|\.\.|->|.)",
    re.DOTALL,
)
_OPENING, _CLOSING = "([{\"'", ".,;:!?)]}\"'"
_SHAPE = re.compile(r"[A-Za-z0-9./()\[\]{}\u00b7\u2022\u22c5*_]+")
_LETTERS = re.compile(r"[A-Z][a-z]?|[a-z]+")
_CHARGE = re.compile(r"[\^]?\{?\d*[+-]\}?|[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]*[\u207a\u207b]")
_ROMAN = re.compile(r"^[IVX]+\d?$|\([IVX]+\)")  # group VI, Sn(II)
_ION = re.compile(r"[A-Z][a-z]?(?:\d{1,2}[+-]|\^?[+-]\d{1,2}|\(?[IV]{1,4}\)|[+-])")
_SYMBOLS_ADDED = re.compile(r"[A-Z][a-z]?(?:\+[A-Z][a-z]?)+")
_SPACE_GROUP = re.compile(r"(?=.*[-_/a-z])[PIFCRABH](?:-?[1-6](?:_?[1-5])?|[abcdemn]|/|_)+")
_MIXED_SITE = re.compile(r"\([A-Z][a-z]?(?:,[A-Z][a-z]?)+\)\S+")


@dataclass(frozen=True)
class Token:
    """A token. start, end: its position in the text. glued: whether it follows the token before without a space."""

    kind: str
    text: str
    start: int
    end: int
    glued: bool

    @property
    def lower(self) -> str:
        """The text in lower case."""
        return self.text.lower()


def normalised_characters(text: str) -> str:
    """The text with the same length, in which all kinds of dashes, quotes and subscripts are written in one way."""
    return text.translate(_SAME)


def tokenize(text: str) -> list[Token]:
    """The tokens of a text that `normalised_characters` gave, in order."""
    out: list[Token] = []
    text = _REPEATED.sub(lambda m: m[1] + " " * (len(m[0]) - 1), text)  # a row of equal marks counts as one
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        first = len(out)
        while start < end and text[start] in _OPENING and not _closed_inside(text, start, end):
            out.append(Token(MARK, text[start], start, start + 1, len(out) > first))
            start += 1
        tail: list[Token] = []
        while start < end and text[end - 1] in _CLOSING and not _opened_inside(text, start, end):
            tail.append(Token(MARK, text[end - 1], end - 1, end, end - 1 > chunk.start()))
            end -= 1
        if start < end:
            _core(text, start, end, len(out) > first, out)
        out += reversed(tail)
    return out


def _closed_inside(text: str, start: int, end: int) -> bool:
    """Whether a bracket at the beginning belongs to a formula: true for (NH4)2SO4, false for (SrTiO3)."""
    close = {"(": ")", "[": "]"}.get(text[start])
    if close is None or end - start > LONGEST_FORMULA:
        return False
    place = text.find(close, start, end)
    return place >= 0 and place + 1 < end and (text[place + 1].isalnum() or text[place + 1] in "([")


def _opened_inside(text: str, start: int, end: int) -> bool:
    """Whether a bracket at the end belongs to a formula: true for Mg(OH), false for (SrTiO3)."""
    opening = {")": "(", "]": "["}.get(text[end - 1])
    return opening is not None and end - start <= LONGEST_FORMULA and opening in text[start : end - 1]


def _core(text: str, start: int, end: int, glued: bool, out: list[Token]) -> None:
    """Adds the tokens of a piece of text without spaces and without the marks around it to `out`."""
    core = text[start:end]
    if is_formula(core) or (end - start <= LONGEST_FORMULA and _MIXED_SITE.fullmatch(core)):
        out.append(Token(FORMULA, core, start, end, glued))
        return
    if 3 <= end - start <= 12 and _SPACE_GROUP.fullmatch(core):
        out.append(Token(WORD, core, start, end, glued))  # Fm-3m, P6_3/mmc
        return
    if _ION.fullmatch(core) or ("+" in core[1:-1] and core.isascii() and not _SYMBOLS_ADDED.fullmatch(core)):
        out.append(Token(WORD, core, start, end, glued))  # Fe3+, PBE+U
        return
    head, colon, dopant = core.partition(":")
    if colon and dopant and is_formula(head) and dopant[0].isupper():
        out.append(Token(FORMULA, core[:LONGEST_FORMULA], start, end, glued))  # ZnO:Al, which formula_counts refuses
        return
    head, dash, _ = core.partition("-")
    if dash and head and is_formula(head):  # K2NiF4-type
        out.append(Token(FORMULA, head, start, start + len(head), glued))
        start, glued = start + len(head), True
    for part in re.finditer(r"[^-]+|-", text[start:end]):
        a, b = start + part.start(), start + part.end()
        if b - a > 1 and is_formula(text[a:b]):
            out.append(Token(FORMULA, text[a:b], a, b, glued))
            glued = True
            continue
        for piece in _PIECE.finditer(text, a, b):
            out.append(Token(piece.lastgroup or MARK, piece[0], piece.start(), piece.end(), glued))
            glued = True


def is_formula(core: str) -> bool:
    """Whether a piece of text without spaces looks like a formula of at least two elements. `nucleate.chem.formula`
    decides whether it is a correct one."""
    if not (2 <= len(core) <= LONGEST_FORMULA) or not (core[0].isupper() or core[0] in "(["):
        return False
    if _ROMAN.search(core):
        return False
    charge = _CHARGE.search(core)
    body = core[: charge.start()] if charge and charge.end() == len(core) else core
    if not _SHAPE.fullmatch(body) or body.endswith(("/", ".")):
        return False
    if re.search(r"(?<!\d)[/.]|[/.](?!\d)", body):
        return False
    symbols = _LETTERS.findall(body)
    return len(set(symbols)) > 1 and all(s in _ELEMENTS for s in symbols)


def formula_counts(text: str) -> dict[str, int]:
    """Element -> atoms of a formula. Raises NucleateError for one that is wrong or can be read in two ways."""
    from nucleate.chem.formula import parse_formula

    if _MIXED_SITE.fullmatch(text):
        raise NucleateError(f"'{text[:60]}' leaves open how much there is of each; write shares such as (Ba0.5Sr0.5)")
    return parse_formula(text)
