"""Formulas with small letters in place of capitals, or the other way round: "naCl", and "SIO2", which means SiO2 and
not a compound of iodine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nucleate.chem.elements import RADIOACTIVE, SYMBOLS
from nucleate.errors import NucleateError

MOST = 64  # the number of spellings that are considered
# Pairs of capitals that mean one element (SI is Si): the two elements that they name hardly ever follow each other
_PAIRS = frozenset({"SI", "SN", "IN", "CU", "NI", "PB", "NB", "SB", "SC", "CS"})
_PAIR = re.compile(r"[A-Z]{2}(?![a-z])")
_STABLE = {s.lower(): s for s in SYMBOLS if s not in RADIOACTIVE}
_STATES = "icsd24-3"
_RARE = math.log(0.02)  # a charge is rare if less than this share of the ICSD's reports of the element have it


def other_spellings(text: str) -> str:
    """The end of an error message, "; did you mean NaCl?", if the text is a formula with other capitals; else ""."""
    if not re.fullmatch(r"[A-Za-z0-9./()\s]{2,40}", text):
        return ""
    readable = sorted(filter(_elements, _spellings(text)), key=_elements)
    neutral = list(filter(_is_salt, readable))
    compounds = [s for s in readable if _elements(s) > 1]
    return f"; did you mean {' or '.join((neutral or compounds)[:2])}?" if neutral or compounds else ""


def refuse_capitals(text: str, counts: Mapping[str, Any]) -> None:
    """Raise NucleateError for a formula whose capitals probably mean other elements than those that it names.

    counts: the atoms of the text, read as it is. "SIO2", "COO" and "NIO" are refused; KHCO3, YBO3 and everything with
    hydrogen beside carbon or nitrogen are accepted. Blanks between the symbols ("S I O2") show that they are meant.
    """
    if len(counts) < 2:
        return
    if text in _PAIRS:
        raise NucleateError(
            f"in capitals it can be {text.capitalize()} or {with_spaces(text)}; write the one that is meant"
        )
    if re.search("[a-z]", text):
        _refuse_mixed(text, counts)
        return
    if not re.search("[A-Z]{2}", text):
        return
    if "H" in counts and counts.keys() & {"C", "N"}:
        return
    others = [s for s in _spellings(text) if re.search("[a-z]", s) and _elements(s) > 1 and _likely(s)]
    if not others:
        return
    unlikely_pair = any(pair.upper() in text for pair in re.findall("[A-Z][a-z]", others[0]) if pair.upper() in _PAIRS)
    repeated = len(re.findall("[A-Z]", text)) > len(counts) and text[:2].capitalize() in others[0]  # COCO3, not VOSO4
    if unlikely_pair or repeated or not re.search(r"\d", text) or not has_usual_charges(counts):
        raise NucleateError(f"in capitals it can be {others[0]} or {with_spaces(text)}; write the one that is meant")


def _refuse_mixed(text: str, counts: Mapping[str, Any]) -> None:
    """As `refuse_capitals`, for a text that has small letters as well: LiNBO3, PBTiO3, LiCOO2 and LiFePo4 are
    refused."""
    others = (
        (_PAIR.sub(lambda m: m[0].capitalize() if m[0] in _PAIRS else m[0], text), True),
        (_PAIR.sub(lambda m: m[0].capitalize() if m[0] == "CO" else m[0], text), False),
        (re.sub("[A-Z][a-z]", lambda m: m[0].upper() if m[0] in RADIOACTIVE else m[0], text), False),
    )
    for other, always in others:
        if other == text or not _elements(other) or not has_usual_charges(_counts(other)):
            continue
        if always or not has_usual_charges(counts):
            raise NucleateError(f"it can be {other} or {with_spaces(text)}; write the one that is meant")


def with_spaces(text: str) -> str:
    """The formula with blanks between the symbols of its elements."""
    return re.sub(r"(?<=[A-Za-z0-9)])(?=[A-Z(])", " ", text)


def _spellings(text: str) -> Iterator[str]:
    """Other ways to write the letters of a text as symbols of stable elements, out of the first `MOST` ways."""
    done = 0
    stack = [("", text)]
    while stack and done < MOST:
        head, rest = stack.pop()
        if not rest:
            done += 1
            if head != text:
                yield head
            continue
        if not rest[0].isalpha():
            stack.append((head + rest[0], rest[1:]))
            continue
        for n in (1, 2):
            symbol = _STABLE.get(rest[:n].lower()) if len(rest) >= n and rest[:n].isalpha() else None
            if symbol is not None:
                stack.append((head + symbol, rest[n:]))


def _counts(text: str) -> dict[str, Any]:
    from nucleate.chem.grammar import parse_with_fractions

    return parse_with_fractions(text)


def _elements(text: str) -> int:
    """The number of different elements of a text, 0 if it is no formula."""
    try:
        return len(_counts(text))
    except NucleateError:
        return 0


def _is_salt(text: str) -> bool:
    """Whether the charges of a compound of at least one nonmetal balance (`chem.checks.charge_neutrality`)."""
    from nucleate.chem.checks import charge_neutrality, kind_without_ions
    from nucleate.chem.verdict import PASS

    counts = _counts(text)
    return not kind_without_ions(counts) and charge_neutrality(counts, "icsd24").verdict == PASS


def _likely(text: str) -> bool:
    """Whether the charges balance, and for more than two elements do so without rare charges."""
    return _is_salt(text) and (_elements(text) == 2 or has_usual_charges(_counts(text)))


def has_usual_charges(counts: Mapping[str, Any]) -> bool:
    """Whether the charges of a composition (element -> amount) balance if every element has one charge that is not rare
    for it."""
    from nucleate.chem.checks import neutral_ions
    from nucleate.chem.composition import Formula
    from nucleate.chem.states import log_share, states_of

    formula = Formula.of_amounts(counts)
    usual = [[q for q in states_of(e, _STATES) if log_share(e, q) > _RARE] for e, _ in formula]
    return neutral_ions(formula, usual) is not None
