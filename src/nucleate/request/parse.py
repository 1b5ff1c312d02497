"""Reads a request from a text and options. What is not understood is named in the request, never dropped silently."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from nucleate.chem.formula import formula_text, parse_formula
from nucleate.chem.written import with_joined_adducts
from nucleate.errors import NucleateError
from nucleate.generators.bounds import Bounds, bounds_text, within
from nucleate.generators.pattern import parse_pattern
from nucleate.generators.properties import NUMBER, parse_properties
from nucleate.request.elements import parse_elements, parse_excluded
from nucleate.request.request import Request
from nucleate.request.symmetry import groups_text, read_site_counts, read_space_groups
from nucleate.request.words import MOST_CHARACTERS, Wish, read_words
from nucleate.request.words.tokens import LONGEST_FORMULA

EXAMPLES = (
    'a formula ("SrTiO3"), one with gaps ("Li ? O4"), a chemical system ("Li-Fe-O"), words such as "a cobalt spinel" '
    '(nucleate families lists what they may name) or "anything", '
    'each with ", e_form=-3.2", ", space group Pnma", ", cubic" or ", 5 candidates" if you like'
)
MAX_CANDIDATES = 1_000_000
EVERY_ELEMENT = "all"  # in place of a list of elements; it allows radioactive ones too
_ANYTHING = {"", "anything", "any", "any crystal", "unconditional"}
_PROPERTY = re.compile(rf"(?<![\w.])[A-Za-z_]\w{{2,60}}\s*=\s*{NUMBER}(?:\s*\.\.\s*{NUMBER})?(?![\w.])")
_ALONE = re.compile(r"(?=.*[^\W\d_])[^\s,;!?]+")


def parse_request(
    text: str = "",
    *,
    elements: str | None = None,
    candidates: int | None = None,
    num_atoms: int | None = None,
    properties: Sequence[str] = (),
    contains: str | None = None,
    exclude: str | None = None,
    num_elements: int | None = None,
    space_group: str = "",
    sites: str = "",
    default: int = 5,
) -> Request:
    """The request that a text and options ask for. Options add to the text; a contradiction between them is an error.

    text: a formula, a chemical system, or plain words, with properties such as "e_form=-3.2". elements: a chemical
    system, or "all". properties: texts such as "e_form=-3.2". contains, exclude: elements, and for exclude also groups
    of them. space_group, sites: as for `request.symmetry.read_space_groups` and `read_site_counts`. default: number of
    candidates if the text names none. Raises NucleateError, in one line, for texts and options that are not understood
    or contradict each other.
    """
    wish, targets, body = _read(with_joined_adducts(text), properties)
    groups = read_space_groups(space_group)
    if groups and wish.space_groups and set(groups) != set(wish.space_groups):
        raise NucleateError(
            f"{groups_text(wish.space_groups)} and {groups_text(groups)} contradict each other; give one of them"
        )
    if wish.count is not None and candidates is not None and wish.count != candidates:
        raise NucleateError(f"the request says {wish.count} candidates, the option {candidates}; give one of them")
    wanted = next((n for n in (wish.count, candidates) if n is not None), default)
    if not 1 <= wanted <= MAX_CANDIDATES:
        raise NucleateError(f"cannot make {wanted} candidates; ask for 1 to {MAX_CANDIDATES:,}")
    size = _one_bound("atoms", wish.num_atoms, num_atoms)
    if isinstance(size, int) and size < 1:
        raise NucleateError(f"a crystal cannot have {size} atoms; ask for at least 1")
    every = elements is not None and elements.strip().lower() == EVERY_ELEMENT
    system = parse_elements(elements) if elements is not None and not every else wish.system
    if wish.system is not None and system is not None and set(system) != set(wish.system):
        raise NucleateError(
            f"'{'-'.join(wish.system)}' and the elements {', '.join(system)} contradict each other; give one of them"
        )
    composition = wish.composition
    if composition is not None:
        said = formula_text(composition)
        if elements is not None and not every and set(system or ()) != set(composition):
            raise NucleateError(
                f"'{said}' and the elements {', '.join(system or ())} contradict each other; give one of them"
            )
        unit = sum(composition.values())
        if isinstance(size, int) and size % unit:
            raise NucleateError(f"{size} atoms cannot hold whole formula units of {said} ({unit} atoms each)")
    wish = _without_what_follows(wish)
    unread = tuple(map(_hinted, wish.left))
    return Request(
        text,
        wanted,
        composition,
        system if composition is None else None,
        size,
        {**wish.properties, **targets},
        pattern=body,
        spoken=wish.spoken,
        families=wish.families,
        classes=wish.classes,
        any_of=wish.any_of,
        ratio=wish.ratio,
        novel=wish.novel,
        stable=wish.stable,
        contains=tuple(dict.fromkeys((*(parse_elements(contains) if contains is not None else ()), *wish.contains))),
        radioactive=every,
        exclude=tuple(dict.fromkeys((*(parse_excluded(exclude) if exclude is not None else ()), *wish.exclude))),
        num_elements=_one_bound("elements", wish.num_elements, num_elements),
        space_groups=groups or wish.space_groups,
        sites=read_site_counts(sites),
        notes=wish.notes,
        unread=unread,
    )


def _read(text: str, properties: Sequence[str]) -> tuple[Wish, dict[str, tuple[float, float]], str | None]:
    """What the words say, the wanted properties that are written as name=value, and a formula with gaps or None."""
    wishes = [m[0] for m in _PROPERTY.finditer(text)] if len(text) <= MOST_CHARACTERS else []
    targets = parse_properties([*wishes, *properties])
    rest = _PROPERTY.sub(" , ", text) if wishes else text
    body = _pattern(rest)
    if body is not None:
        wish = read_words(rest.replace(body, " , ", 1))
        return wish, targets, body
    whole = rest.strip(" \t\n,;.")
    alone = len(whole) <= LONGEST_FORMULA and _ALONE.fullmatch(whole) is not None and whole.lower() not in _ANYTHING
    if alone:
        wish = Wish()
        try:
            if re.fullmatch(r"[A-Z][a-z]*(-[A-Z][a-z]*)+", whole):
                wish.system = parse_elements(whole)
            else:
                wish.composition = parse_formula(whole)
            return wish, targets, None
        except NucleateError as error:
            fault = error
    else:
        fault = NucleateError(f"'{_short(whole)}' was not understood; give {EXAMPLES}")
    wish = read_words(rest)
    single = " " not in whole and not (
        wish.families or wish.classes or wish.exclude or (not alone and (wish.composition or wish.system))
    )
    nothing = wish.empty and not (targets and not wish.left) and not (wish.count is not None and not wish.left)
    if (nothing or single) and whole and whole.lower() not in _ANYTHING:
        hints = [hint for word in wish.left if (hint := _hinted(word)) != word]
        raise NucleateError(f"{fault}; {', '.join(hints)}") if hints else fault
    return wish, targets, None


def _pattern(text: str) -> str | None:
    """The part of a text that is a formula with gaps, None if there is none. Raises NucleateError for a wrong one."""
    for part in re.split(r"[,;]", text):
        part = part.strip(" .")
        if ("?" in part or "*" in part) and re.fullmatch(r"(?:[A-Z][a-z]?|[?*\d\s])+", part) and len(part) <= 200:
            parse_pattern(part)
            return part
    return None


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def _one_bound(name: str, said: Bounds | None, given: int | None) -> int | Bounds | None:
    """The number, or lowest and highest number, that the words (`said`) and the option (`given`) ask for together.
    Raises NucleateError if they contradict each other. name: of what is counted."""
    if said is None:
        return given
    if given is not None:
        if not within(given, said):
            raise NucleateError(f"the request says {bounds_text(said, name)}, the option {given}; give one of them")
        return given
    return said[0] if said[0] == said[1] else said


def _without_what_follows(wish: Wish) -> Wish:
    """The wish without what its formula or chemical system already implies: the oxide SrTiO3 is SrTiO3."""
    if wish.composition is not None:
        return dataclasses.replace(
            wish, contains=(), any_of=(), exclude=(), classes=(), ratio=(), num_elements=None, novel=False,
            left=(*wish.left, *(("new, beside a formula",) if wish.novel else ())),
        )  # fmt: skip
    if wish.system is not None:
        return dataclasses.replace(wish, contains=(), any_of=(), exclude=(), num_elements=None)
    return wish


def _hinted(word: str) -> str:
    """A word that was not understood; for the name of a mineral, with its formula."""
    from nucleate.families.minerals import mineral_formula

    formula = mineral_formula(word) if len(word) > 5 else ""
    return f"{word} (a mineral; ask for {formula})" if formula else word
