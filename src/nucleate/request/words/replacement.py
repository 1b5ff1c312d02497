"""Reads replacements of elements, "CaTiO3 with Ge instead of Ti" or "replace Ti by Zr in SrTiO3", and structure types
that are named by a formula, "NaCl-type"."""

from __future__ import annotations

from dataclasses import replace

from nucleate.chem.composition import reduced
from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import Sentence
from nucleate.request.words.wish import Wish

_FILLERS = (lex.ARTICLE, lex.EMPTY)


def read_replacements(s: Sentence, wish: Wish) -> None:
    """Replaces elements in the formula of the request. Without a formula, the new element is wanted and the old one is
    excluded. Raises NucleateError for a replacement that the formula does not allow."""
    places = [i for i, t in enumerate(s.terms) if t.kind == lex.REPLACE]
    for i in places + [i for i, t in enumerate(s.terms) if t.lower == "for"]:
        if not s.kind(i):
            continue
        found = (_instead(s, i) or _by(s, i)) if s.kind(i) == lex.REPLACE else _for(s, i)
        if found is None:
            continue
        new, old, first, last, sure = found
        place = next((k for k, t in enumerate(s.terms) if t.kind == lex.FORMULA and not s.used[k]), None)
        if place is None:
            wish.contains = (*wish.contains, new)
            wish.exclude = (*wish.exclude, old)
            s.take(first, last)
            continue
        counts = dict(s.terms[place].value)
        if not sure and old not in counts and new in counts:
            new, old = old, new  # the element that the formula has is the one that is replaced
        replaced = _replaced(counts, old, new)
        s.notes.append(f"{formula_text(counts)} with {old} replaced by {new}")
        s.terms[place] = replace(s.terms[place], value=replaced)
        s.take(first, last)
        s.used[place] = False  # the formula may be between both elements: replace the tin in SnO2 by silicon
        _take_lead(s, place)


def _take_lead(s: Sentence, place: int) -> None:
    """Takes "like" and "analogue" beside a formula whose replacement is known: "like CaTiO3 but ..", "a CaTiO3 analogue
    where .."."""
    for k in (place - 1, place - 2, place + 1):
        if s.kind(k) == lex.LIKE and s.terms[k].lower not in ("doped", "doped with", "site", "sites", "unlike"):
            s.take(k, k)


def _replaced(counts: dict[str, int], old: str, new: str) -> dict[str, int]:
    said = formula_text(counts)
    if old not in counts:
        raise NucleateError(f"{old} is to be replaced, and {said} has none of it")
    if new in counts:
        raise NucleateError(f"{new} is to replace {old}, and {said} has it already; write the formula that is meant")
    out = {new if e == old else e: n for e, n in counts.items()}
    return reduced(out)


def _element(s: Sentence, i: int, step: int) -> int | None:
    """The term of the single element next to term i, in the direction of step; None for none or a list of elements."""
    k = s.skip(i, (*_FILLERS, lex.OPEN), 3, step)
    if s.kind(k) != lex.ELEMENT:
        return None
    for j in (k + step, k + 2 * step):
        if s.kind(j) == lex.ELEMENT and (j == k + step or s.kind(k + step) == lex.JOIN):
            return None
    return k


def _instead(s: Sentence, i: int) -> tuple[str, str, int, int, bool] | None:
    """Reads "Ge instead of Ti" and "Mn takes the place of Fe": new element, old element, first and last term, and
    whether it is certain which one is new; None for other texts."""
    if s.terms[i].lower not in lex.words_of("replacing", "instead"):
        return None
    new = _element(s, i - 1, -1)
    old = _element(s, i + 1, 1)
    if new is None or old is None:
        return None
    first = new
    while s.kind(first - 1) in (lex.OPEN, lex.JOIN, lex.ARTICLE, lex.EMPTY) and s.terms[first - 1].lower in (
        "with", "but", "where", "using", "having", "the", "a", "use", "containing", ","):  # fmt: skip
        first -= 1
    return s.terms[new].value, s.terms[old].value, first, old, True


def _for(s: Sentence, i: int) -> tuple[str, str, int, int, bool] | None:
    """As `_instead`, for "tin for lead"; not for a purpose, as in "a manganese oxide for lithium batteries"."""
    new, old = i - 1, s.skip(i + 1, (lex.ARTICLE,), 1)
    ends = s.kind(old + 1) in ("", lex.MARK, lex.JOIN) or s.terms[old + 1].lower == "in"
    if s.kind(new) != lex.ELEMENT or s.kind(old) != lex.ELEMENT or not ends or s.kind(new - 1) == lex.REPLACE:
        return None
    if s.kind(new - 1) == lex.JOIN and s.kind(new - 2) == lex.ELEMENT and s.terms[new - 1].lower != ",":
        return None
    return s.terms[new].value, s.terms[old].value, new, old, True


def _by(s: Sentence, i: int) -> tuple[str, str, int, int, bool] | None:
    """As `_instead`, for "replace Ti by Zr", "substitute Se for S", "Fe is replaced by Mn" and "gallium substituted for
    aluminium"."""
    verb = s.terms[i].lower
    if verb in lex.words_of("replacing", "verbs"):
        one = _element(s, i + 1, 1)
        word = None if one is None else one + 1
    elif verb in lex.words_of("replacing", "passive"):
        k = i - 1
        while s.kind(k) and s.terms[k].lower in lex.words_of("replacing", "auxiliary"):
            k -= 1
        one = _element(s, k, -1)
        word = i + 1
    else:
        return None
    if one is None or word is None or not s.kind(word):
        return None
    if s.kind(one - 1) == lex.OPEN and s.terms[one - 1].lower == "of" and s.kind(one - 2) in (lex.WORD, lex.NUMBER, ""):
        return None  # half of the Mg
    if s.kind(word) == lex.OPEN and s.terms[word].lower in ("in", "of", "from") and s.kind(word + 1) == lex.FORMULA:
        word += 2  # replace the iron in LiFePO4 by manganese
        if not s.kind(word):
            return None
    other = _element(s, word + 1, 1)
    link = s.terms[word].lower
    if other is None or link not in ("by", "with", "for", "to", "into"):
        return None
    a, b = s.terms[one].value, s.terms[other].value
    first, last = min(i, one), other
    while s.kind(first - 1) in (lex.OPEN, lex.EMPTY, lex.JOIN) and s.terms[first - 1].lower in (
        "with",
        "where",
        "but",
        "and",
        "take",
    ):
        first -= 1
    if link == "for" and verb.startswith(("substitut",)):
        return a, b, first, last, False
    return b, a, first, last, link != "for"


def read_types(s: Sentence, wish: Wish) -> None:
    """Adds the family that a formula names, as in "MgAl2O4-type", "with the CaF2 structure" and "isostructural with
    K2NiF4". Raises NucleateError for an unknown one."""
    from nucleate.families.family import family_names

    for i, t in enumerate(s.terms):
        if s.kind(i) != lex.FORMULA:
            continue
        first, last = i, i
        if s.kind(i + 1) == lex.TYPE or (s.kind(i + 1) == lex.NOUN and s.terms[i + 1].lower == "structure"):
            last = i + 1
            if s.kind(i - 1) == lex.ARTICLE and s.kind(i - 2) == lex.OPEN:
                first = i - 1
        elif s.kind(i - 1) == lex.TYPE and s.terms[i - 1].lower.startswith("iso"):
            first = i - 1
        else:
            continue
        if s.kind(i + 1) == lex.NOUN and first == i:
            continue  # "the SrTiO3 structure": that of SrTiO3 itself
        said = s.quote(first, last)
        name = family_names().get(f"{t.text.lower()} type")
        if name is None:
            raise NucleateError(
                f"'{said}': no family of crystals is known by {t.text}; nucleate families lists those there are"
            )
        wish.families = (*wish.families, name)
        s.take(first, last)
