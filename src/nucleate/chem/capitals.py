"""Small and capital letters that were mixed up in a formula: "naCl", and "SIO2", which is no compound of iodine."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nucleate.chem.elements import RADIOACTIVE, SYMBOLS
from nucleate.errors import NucleateError

MOST = 64  # spellings that are looked at
# Pairs of capitals that stand beside each other in hardly any formula, and together are one element
_PAIRS = frozenset({"SI", "SN", "IN", "CU", "NI", "PB", "NB", "SB", "SC", "CS"})
_PAIR = re.compile(r"[A-Z]{2}(?![a-z])")
_STABLE = {s.lower(): s for s in SYMBOLS if s not in RADIOACTIVE}
_STATES = "icsd24-3"
_RARE = math.log(0.02)  # share of an element's reports with a charge


def hint(text: str) -> str:
    """ "; did you mean NaCl?" after what is wrong with a text, where other capitals make it a formula, or ""."""
    if not re.fullmatch(r"[A-Za-z0-9./()\s]{2,40}", text):
        return ""
    readable = sorted(filter(_elements, _spellings(text)), key=_elements)
    sound = list(filter(_is_salt, readable))
    several = [s for s in readable if _elements(s) > 1]
    return f"; did you mean {' or '.join((sound or several)[:2])}?" if sound or several else ""


def refuse_capitals(text: str, counts: Mapping[str, Any]) -> None:
    """Raises NucleateError for a text in capitals that rather names other elements than those that stand there.

    text: with `counts` as its atoms. "SIO2", "COO" and "NIO" are refused; KHCO3, YBO3 and what has hydrogen beside
    carbon or nitrogen are as they stand. Blanks between the elements say that they are meant.
    """
    if len(counts) < 2:
        return
    if text in _PAIRS:
        raise NucleateError(f"in capitals it can be {text.capitalize()} or {spaced(text)}; write the one that is meant")
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
    strange = any(pair.upper() in text for pair in re.findall("[A-Z][a-z]", others[0]) if pair.upper() in _PAIRS)
    twice = len(re.findall("[A-Z]", text)) > len(counts) and text[:2].capitalize() in others[0]  # COCO3, not VOSO4
    if strange or twice or not re.search(r"\d", text) or not usual(counts):
        raise NucleateError(f"in capitals it can be {others[0]} or {spaced(text)}; write the one that is meant")


def _refuse_mixed(text: str, counts: Mapping[str, Any]) -> None:
    """Raises NucleateError for a text with small letters that has a pair of capitals for one element, or the other way
    round: LiNBO3, PBTiO3, LiCOO2, LiFePo4."""
    others = (
        (_PAIR.sub(lambda m: m[0].capitalize() if m[0] in _PAIRS else m[0], text), True),
        (_PAIR.sub(lambda m: m[0].capitalize() if m[0] == "CO" else m[0], text), False),
        (re.sub("[A-Z][a-z]", lambda m: m[0].upper() if m[0] in RADIOACTIVE else m[0], text), False),
    )
    for other, always in others:
        if other != text and _elements(other) and usual(_counts(other)) and (always or not usual(counts)):
            raise NucleateError(f"it can be {other} or {spaced(text)}; write the one that is meant")


def spaced(text: str) -> str:
    """The text with blanks between the symbols of elements."""
    return re.sub(r"(?<=[A-Za-z0-9)])(?=[A-Z(])", " ", text)


def _spellings(text: str) -> Iterator[str]:
    """Ways to write the letters of a text as symbols of stable elements, at most `MOST`."""
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
    from nucleate.chem.grammar import counts_of

    return counts_of(text)


def _elements(text: str) -> int:
    """Different elements of a text, 0 where it is no formula."""
    try:
        return len(_counts(text))
    except NucleateError:
        return 0


def _is_salt(text: str) -> bool:
    """Whether ions of the usual charges balance."""
    from nucleate.chem.checks import charge_neutrality, kind_without_ions
    from nucleate.chem.verdict import PASS

    counts = _counts(text)
    return not kind_without_ions(counts) and charge_neutrality(counts, "icsd24").verdict == PASS


def _likely(text: str) -> bool:
    """Whether it is a salt, of several elements one without rare charges."""
    return _is_salt(text) and (_elements(text) == 2 or usual(_counts(text)))


def usual(counts: Mapping[str, Any]) -> bool:
    """Whether ions of charges that are no rarity balance."""
    from nucleate.chem.checks import neutral_ions
    from nucleate.chem.composition import Formula
    from nucleate.chem.states import log_share, states_of

    whole = Formula.of_amounts(counts)
    usual = [[q for q in states_of(e, _STATES) if log_share(e, q) > _RARE] for e, _ in whole]
    return neutral_ions(whole, usual) is not None
