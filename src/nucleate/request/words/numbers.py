"""Decides what the numbers of a request are about: atoms, elements, candidates, properties or stability."""

from __future__ import annotations

import math

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.amounts import Amount, comparison_after, read_amounts, with_comparison
from nucleate.request.words.ratios import ORDER, read_element_numbers, read_ratios
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.wish import LIMITS, METASTABLE, STABLE, Wish, intersect_bounds

_FILL = (lex.EMPTY, lex.ARTICLE, lex.OPEN)
_POSSIBLE = dict.fromkeys(("g/cm3", "g/cm^3", "g/cc"), (0.0, 40.0))  # possible densities, also at high pressure
_SYMBOLS_OF_ORDER = frozenset("<>≤≥⩽⩾")


def read_numbers(s: Sentence, wish: Wish) -> list[Amount]:
    """Adds what the numbers of a text mean to the wish. Returns numbers that could not be assigned to anything."""
    read_ratios(s, wish)
    read_element_numbers(s, wish)
    left: list[Amount] = []
    amounts = read_amounts(s)
    for k, a in enumerate(amounts):
        _refuse_impossible(s, a)
        if not _attach(s, wish, a, amounts[k + 1] if k + 1 < len(amounts) else None):
            left.append(a)
    _stability(s, wish)
    return left


def _refuse_impossible(s: Sentence, a: Amount) -> None:
    low, high = _POSSIBLE.get(a.unit, (-math.inf, math.inf))
    if any(n is not None and not low <= n <= high for n in (a.low, a.high)):
        raise NucleateError(f"'{s.quote(a.first, a.last)}': no crystal lies beyond {low:g} to {high:g} {a.unit}")


def _attach(s: Sentence, wish: Wish, a: Amount, follower: Amount | None) -> bool:
    if a.unit:
        return _energy(s, wish, a)
    return _counted(s, wish, a, follower) or _energy(s, wish, a)


def _counted(s: Sentence, wish: Wish, a: Amount, follower: Amount | None) -> bool:
    """Reads a number of atoms, elements or candidates; False for another number."""
    found = _noun_after(s, a) or _noun_before(s, a)
    if found is None and a.op and follower is not None and _joined_bounds(s, a, follower):
        shared = _noun_after(s, follower)
        found = (shared[0], a.last, "") if shared else None
    if found is None:
        return _of_things(s, wish, a)
    noun, last, op = found
    if op and not a.op:
        a = with_comparison(a, op)
    first = min(a.first, last)
    last = max(a.last, last)
    said = s.quote(first, last)
    if noun == "candidates":
        return _candidates(s, wish, a, first, last, said)
    if any(n is not None and n != int(n) for n in (a.low, a.high)) and not a.op:
        raise NucleateError(f"'{said}': a crystal has a whole number of {noun}")
    low, high = a.whole
    if (high is not None and high < 1) or (low is not None and low < 0):
        raise NucleateError(f"a crystal cannot have {high if high is not None else low} {noun}; ask for at least 1")
    if noun == "atoms":
        wish.num_atoms = intersect_bounds(noun, wish.num_atoms, (low, high))
    else:
        wish.num_elements = intersect_bounds(noun, wish.num_elements, (low, high))
    s.take(first, last)
    return True


def _joined_bounds(s: Sentence, a: Amount, follower: Amount) -> bool:
    """Whether two bounds belong to one noun: at least 5 but at most 10 atoms."""
    return bool(follower.op) and all(s.kind(i) == lex.JOIN for i in range(a.last + 1, follower.first))


def _noun_after(s: Sentence, a: Amount) -> tuple[str, int, str] | None:
    """The noun after a number, its last term, and a comparison after it, as in "10 atoms or fewer"; None for none."""
    i = a.last + 1
    while s.kind(i) == lex.EMPTY and s.terms[i].lower in ("different", "distinct", "chemical", "other", "various"):
        i += 1
    if s.kind(i) == lex.NOUN:
        noun = str(s.terms[i].value)
    elif s.kind(i) == lex.FORMULA or s.kind(i) == "":
        return None
    else:
        return None
    last = _cell(s, i) if noun == "atoms" else i
    op = comparison_after(s, last + 1)
    return noun, last + bool(op), op


def _cell(s: Sentence, i: int) -> int:
    """The last term of "atoms in the unit cell"."""
    k = i
    while k + 1 < len(s.terms) and not s.used[k + 1] and s.terms[k + 1].lower in (
        "per", "in", "the", "a", "each", "its", "unit", "primitive", "conventional"):  # fmt: skip
        k += 1
    ends = k + 1 < len(s.terms) and s.terms[k + 1].lower in ("cell", "unit cell", "primitive cell", "conventional cell")
    return k + 1 if ends else i


def _noun_before(s: Sentence, a: Amount) -> tuple[str, int, str] | None:
    """The noun before a number, as in "atoms <= 12" and "number of atoms below 20", and its term; None for none."""
    i = a.first - 1
    while a.first - i < 6 and s.kind(i) and s.terms[i].lower in lex.words_of("counted", "before number"):
        i -= 1
    if s.kind(i) != lex.NOUN or s.terms[i].value == "candidates":
        return None
    if not (a.op or s.terms[i].lower.startswith("number") or s.terms[a.first - 1].text in ":="):
        return None
    return str(s.terms[i].value), i, ""


def _candidates(s: Sentence, wish: Wish, a: Amount, first: int, last: int, said: str) -> bool:
    if a.op not in ("", "<="):
        return False
    n = a.high
    if n is None:
        return False
    if n != int(n):
        raise NucleateError(f"'{said}': the number of candidates must be a whole number")
    if wish.count is not None and wish.count != int(n):
        raise NucleateError(f"the request asks for {wish.count} candidates and for {int(n)}; give one of them")
    wish.count = int(n)
    s.take(first, last)
    return True


def _of_things(s: Sentence, wish: Wish, a: Amount) -> bool:
    """Reads a number of candidates from "five spinels" or "30 hypothetical perovskites"; False for another number."""
    if (
        s.kind(a.first - 1) == lex.OPEN
        or a.op
        or a.low != a.high
        or a.low is None
        or a.low != int(a.low)
        or not 2 <= a.low <= 1000
        or wish.count is not None
    ):
        return False
    i = a.last + 1
    if s.kind(i) == lex.WORD and s.terms[i].text == "x" and s.terms[i].glued:  # 20x
        wish.count = int(a.low)
        s.take(a.first, i)
        return True
    while s.kind(i) and s.terms[i].lower in lex.words_of("counted", "adjectives"):
        i += 1
    n = 0
    kinds = (lex.ELEMENT, lex.GROUP, lex.CLASS, lex.FAMILY, lex.SYMMETRY)
    while n < 6 and i < len(s.terms) and (s.kind(i) in kinds or s.terms[i].kind == lex.MANY):
        last = s.terms[i]
        if last.kind in (lex.CLASS, lex.FAMILY) and last.lower.endswith("s") and last.lower not in ("laves",):
            wish.count = int(a.low)
            s.take(a.first, a.last)
            return True
        i, n = i + 1, n + 1
    return False


def _energy(s: Sentence, wish: Wish, a: Amount) -> bool:
    """Reads band gaps, formation energies and energies above the hull, in eV or meV; False for another number."""
    unit = a.unit.removesuffix("/atom").removesuffix("/at")
    if unit not in ("", "eV", "meV", "ev", "mev"):
        return False
    found = _property(s, a)
    if found is not None:
        place, a = _bound_before(s, found[1], a)
        found = found[0], place
    scale = 0.001 if unit.lower() == "mev" else 1.0
    low = None if a.low is None else a.low * scale
    high = None if a.high is None else a.high * scale
    hull = _hull_after(s, a.last) if unit else None
    if hull is not None:
        if high is None or not a.op or a.op not in ("<", "<=", "range"):
            return False
        wish.stable = high if wish.stable is None else min(wish.stable, high)
        s.take(a.first, hull)
        return True
    if found is None:
        if unit and a.op == "<=" and s.terms[a.first].lower == "within" and any(t.kind == lex.STABLE for t in s.terms):
            wish.stable = high
            s.take(a.first, a.last)
            return True
        return False
    name, place = found
    if name == "e_above_hull":
        if high is None:
            return False
        wish.stable = high if wish.stable is None else min(wish.stable, high)
    else:
        _set(wish, name, low, high, s.quote(min(place, a.first), max(place, a.last)))
    s.take(min(place, a.first), max(place, a.last))
    return True


def _set(wish: Wish, name: str, low: float | None, high: float | None, said: str) -> None:
    least, most = LIMITS[name]
    if name == "band_gap" and min(n for n in (low, high, 0.0) if n is not None) < 0:
        raise NucleateError(f"'{said}': a band gap cannot be negative")
    new_low = low if low is not None else least if high is None else min(least, high)
    new_high = high if high is not None else max(most, new_low)
    old_low, old_high = wish.properties.get(name, (new_low, new_high))
    new_low, new_high = max(old_low, new_low), min(old_high, new_high)
    if new_low > new_high:
        raise NucleateError(f"'{said}' contradicts what else is said of the {name.replace('_', ' ')}")
    wish.properties[name] = (new_low, new_high)


def _hull_after(s: Sentence, last: int) -> int | None:
    """The term "hull" after a number, as in "0.1 eV/atom above the convex hull"; None for none."""
    for k in range(last + 1, min(last + 5, len(s.terms))):
        if s.kind(k) == lex.HULL:
            return k
        if not s.kind(k) or s.terms[k].lower not in ("of", "above", "from", "the", "over", "off", "to", "a"):
            return None
    return None


def _property(s: Sentence, a: Amount) -> tuple[str, int] | None:
    """Name and term of the property that a number belongs to: before it, after it, or that of the number before; None
    for none."""
    i = a.first - 1
    for _ in range(8):
        if s.kind(i) == lex.PROPERTY:
            return str(s.terms[i].value), i
        if s.kind(i) == lex.WORD and s.terms[i].lower.endswith("gap"):
            return "band_gap", a.first if "direct" in s.terms[i].lower else i
        if i < 0 or not (s.used[i] or s.kind(i) in (*_FILL, lex.JOIN) or s.terms[i].text in "(:=" or _plain_op(s, i)):
            break
        if s.used[i] and s.terms[i].kind == lex.PROPERTY:
            return str(s.terms[i].value), a.first
        i -= 1
    if a.unit:
        k = s.skip(a.last + 1, (lex.ARTICLE, lex.EMPTY), 2)
        if s.kind(k) == lex.PROPERTY:
            return str(s.terms[k].value), k
        if s.kind(k) == lex.WORD and s.terms[k].lower.endswith("gap"):
            return "band_gap", a.last
    elif s.kind(a.first - 1) == lex.WORD:
        return None
    return None


def _plain_op(s: Sentence, i: int) -> bool:
    """Whether term i says "equal", "about" or "between", and not "less" or "more"."""
    return s.kind(i) == lex.OP and s.terms[i].value not in ORDER


def _bound_before(s: Sentence, place: int, a: Amount) -> tuple[int, Amount]:
    """The term with which the name of a property begins, and its number; with the comparison before the name in
    "maximum gap of 2 eV"."""
    k = place - 1 if s.kind(place - 1) != lex.MARK or s.terms[place - 1].text != "." else place - 2
    if place < a.first and not a.op and s.kind(k) == lex.OP and s.terms[k].value in ORDER:
        return k, with_comparison(a, str(s.terms[k].value))
    return place, a


def _stability(s: Sentence, wish: Wish) -> None:
    """Reads the words "stable" and "metastable"; a number counts more than they do."""
    named = []
    for i, t in enumerate(s.terms):
        if s.kind(i) == lex.STABLE and s.kind(i - 1) != lex.NEGATION:
            named.append(METASTABLE if t.value == "metastable" else STABLE)
            s.take(i, i)
    if wish.stable is None:
        wish.stable = min(named, default=None)


def is_comparison(s: Sentence, i: int) -> bool:
    """Whether a term that no reader took is a comparison: a sign such as <, or words before a number."""
    t = s.terms[i]
    k = i + 1
    while s.kind(k) in (lex.JOIN, lex.OP, lex.EMPTY, lex.OPEN) and k < i + 4:
        k += 1
    number = k < len(s.terms) and s.terms[k].kind in (lex.NUMBER, lex.OP) and s.used[k]
    compares = t.kind == lex.OP and t.value in ORDER and number
    return compares or t.text in _SYMBOLS_OF_ORDER or t.text in ("<=", ">=")
