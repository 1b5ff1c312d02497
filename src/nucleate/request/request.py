"""What the user asks for, and the parser that understands it. What is not understood is said, never dropped."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from nucleate.chem.elements import RADIOACTIVE
from nucleate.chem.formula import formula_text, parse_formula, reduced
from nucleate.chem.written import with_joined_adducts
from nucleate.errors import NucleateError
from nucleate.generators.base import Fixed
from nucleate.generators.pattern import parse_pattern
from nucleate.generators.properties import NUMBER, parse_properties
from nucleate.request.elements import parse_elements, parse_excluded
from nucleate.request.symmetry import groups_text, read_site_counts, read_space_groups
from nucleate.request.words import MOST_CHARACTERS, Bounds, Wish, bounds_text, few, read_words, within
from nucleate.request.words.tokens import LONGEST_FORMULA

EXAMPLES = (
    'a formula ("SrTiO3"), one with gaps ("Li ? O4"), a chemical system ("Li-Fe-O"), words such as "a cobalt spinel" '
    '(nucleate families lists what they may name) or "anything", '
    'each with ", e_form=-3.2", ", space group Pnma", ", cubic" or ", 5 candidates" if you like'
)
MAX_CANDIDATES = 1_000_000
WISHES = ("contains", "exclude", "num_elements", "pattern")  # of a request, about the elements that are made
EVERY_ELEMENT = "all"  # in place of a list of elements: radioactive ones are offered too
_ANYTHING = {"", "anything", "any", "any crystal", "unconditional"}
_PROPERTY = re.compile(rf"(?<![\w.])[A-Za-z_]\w{{2,60}}\s*=\s*{NUMBER}(?:\s*\.\.\s*{NUMBER})?(?![\w.])")
_ALONE = re.compile(r"(?=.*[^\W\d_])[^\s,;!?]+")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Request:
    """A design request; values of other types are refused (pydantic), plain JSON values are read by `read_request`.

    composition: reduced formula as element -> count, or None. chemical_system: elements that must all be there, and
    no others, or None. num_atoms: atoms in the cell, or
    lowest and highest of which None is open, or None. candidates: how many to return. properties: name ->
    (lowest, highest) wanted value; each candidate aims at a value drawn from the range. fixed: parts of a cell that
    every candidate keeps. lattice_shape: one of `crystal.shape.SHAPES`.
    space_groups: 1-230, of which each candidate has one, or one that contains it; none: any. sites: element -> sets of
    equivalent atoms. Where formulas come first also: contains,
    exclude: elements that must, that must not be there. radioactive: whether radioactive elements that the request does
    not name may be there. num_elements: how many different ones. pattern: a formula with
    gaps (`generators.pattern`). spoken: asked for in plain words (`request.words`), which may also name: families
    (`families.family`), of which each candidate is to be one; classes of compounds, all of which hold; any_of: groups
    of elements, of each of which one is there; ratio: atoms of the elements, sorted; novel: no known formula; stable:
    eV/atom above the hull at most. notes: what was taken for what, unread: words that were not understood.
    """

    text: str
    candidates: int
    composition: Mapping[str, int] | None = None
    chemical_system: tuple[str, ...] | None = None
    num_atoms: int | Bounds | None = None
    properties: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: Fixed | None = None
    lattice_shape: str | None = None
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    radioactive: bool = False
    num_elements: int | Bounds | None = None
    pattern: str | None = None
    space_groups: tuple[int, ...] = ()
    sites: Mapping[str, int] = field(default_factory=dict)
    spoken: bool = False
    families: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    ratio: tuple[int, ...] = ()
    novel: bool = False
    stable: float | None = None
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def wishes(self) -> dict[str, Any]:
        """The wishes about elements that were made, by their names in `WISHES`."""
        return {name: value for name in WISHES if (value := getattr(self, name)) not in (None, ())}

    @property
    def unasked(self) -> frozenset[str]:
        """Radioactive elements that are not offered: those that the request does not name, unless it takes them all."""
        if self.radioactive or self.composition is not None or self.chemical_system is not None:
            return frozenset()
        named = self.named | set(self.fixed.species if self.fixed is not None else ())
        named |= {e for group in self.any_of if RADIOACTIVE.issuperset(group) for e in group}
        return RADIOACTIVE - named - set(self.exclude)

    @property
    def named(self) -> frozenset[str]:
        """Elements that all of the crystals asked for have."""
        named = {*(self.composition or ()), *(self.chemical_system or ()), *self.contains, *self.sites}
        named |= {self.fixed.species[i] for i in self.fixed.species_at} if self.fixed is not None else set()
        named |= set(parse_pattern(self.pattern).named) if self.pattern is not None else set()
        return frozenset(named)

    @property
    def left_out(self) -> str:
        """What is not offered though the request does not forbid it, in words; "" where there is nothing."""
        if not self.unasked:
            return ""
        others = "other radioactive" if RADIOACTIVE & self.named else "radioactive"
        return f"{others} elements are left out unless they are asked for; --elements all offers them"

    def describe(self) -> str:
        """The request in one line, as it was understood."""
        s = "" if self.candidates == 1 else "s"
        if self.composition is not None:
            what = f"crystal structure{s} of {formula_text(self.composition)}"
        elif self.pattern is not None:
            what = f"crystal{s} of formulas such as {self.pattern}"
        elif self.chemical_system is not None:
            what = f"crystal{s} in the chemical system {'-'.join(self.chemical_system)}"
        else:
            what = f"crystal{s} of any composition"
        clauses = [f"{_number_text(self.num_atoms, 'atoms')} in the cell"] if self.num_atoms is not None else []
        if self.families:
            clauses.append(f"the structure of {' or '.join(map(_family_text, self.families))}")
        if self.classes:
            clauses.append(f"the class {' and '.join(self.classes)}")
        if self.ratio:
            clauses.append(f"the ratio {':'.join(map(str, self.ratio))}")
        if self.pattern is not None and self.chemical_system is not None:
            clauses.append(f"the elements {', '.join(self.chemical_system)} alone")
        if self.contains:
            clauses.append(f"{', '.join(self.contains)} in it")
        for some in self.any_of:
            clauses.append(f"{few(some, ' or ')} in it")
        if self.exclude:
            clauses.append(f"no {few(self.exclude, ', ')}")
        if self.num_elements is not None:
            clauses.append(_number_text(self.num_elements, "different elements"))
        for name, (low, high) in self.properties.items():
            clauses.append(f"{name} = {low:g}" if low == high else f"{name} from {low:g} to {high:g}")
        if self.space_groups:
            clauses.append(groups_text(self.space_groups))
        if self.sites:
            clauses.append("sites " + ", ".join(f"{e}:{n}" for e, n in self.sites.items()))
        if self.lattice_shape is not None:
            clauses.append(f"a {self.lattice_shape} lattice")
        if self.fixed is not None:
            clauses.append(f"parts of a given cell of {len(self.fixed.species)} atoms kept")
        if self.novel:
            clauses.append("a formula that is not known")
        if self.stable is not None:
            clauses.append(stable_text(self.stable))
        best = "the best" if self.candidates == 1 else f"the {self.candidates} best"
        out = f"{best} {what}" + (f" with {' and '.join(clauses)}" if clauses else "")
        out += f"; {', '.join(self.notes)}" if self.notes else ""
        return out + (f"; not understood: {', '.join(self.unread)}" if self.unread else "")


def read_request(values: Mapping[str, Any]) -> Request:
    """A request from plain JSON values, such as `dataclasses.asdict` makes; raises NucleateError for what is none."""
    try:
        return TypeAdapter(Request).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise NucleateError(f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}") from None


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
    """Understand a request; options win over words only where the words are silent, a contradiction is an error.

    elements: a chemical system, or "all". exclude: elements and groups of them. default: candidates where none are
    asked for.
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
    """What the words say, the properties asked for as name=value, and a formula with gaps where there is one."""
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
        plain = Wish()
        try:
            if re.fullmatch(r"[A-Z][a-z]*(-[A-Z][a-z]*)+", whole):
                plain.system = parse_elements(whole)
            else:
                plain.composition = parse_formula(whole)
            return plain, targets, None
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
    """The part of a text that is a formula with gaps, checked; None where there is none."""
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
    """What words and option say together: a number, or the lowest and highest one; NucleateError where they
    disagree."""
    if said is None:
        return given
    if given is not None:
        if not within(given, said):
            raise NucleateError(f"the request says {bounds_text(said, name)}, the option {given}; give one of them")
        return given
    return said[0] if said[0] == said[1] else said


def _without_what_follows(wish: Wish) -> Wish:
    """The wish less what holds of its formula or chemical system in any case: the oxide SrTiO3 is SrTiO3."""
    if wish.composition is not None:
        return dataclasses.replace(
            wish, contains=(), any_of=(), exclude=(), classes=(), ratio=(), num_elements=None, novel=False,
            left=(*wish.left, *(("new, beside a formula",) if wish.novel else ())),
        )  # fmt: skip
    if wish.system is not None:
        return dataclasses.replace(wish, contains=(), any_of=(), exclude=(), num_elements=None)
    return wish


def stable_text(limit: float) -> str:
    """The wish for stability in words; limit: eV/atom above the hull."""
    return f"at most {limit:g} eV/atom above the hull"


def _number_text(number: int | Bounds, name: str) -> str:
    return f"{number} {name}" if isinstance(number, int) else bounds_text(number, name)


def _hinted(word: str) -> str:
    """A word that was not understood, with its formula where it is a mineral's name."""
    from nucleate.families.minerals import mineral_formula

    formula = mineral_formula(word) if len(word) > 5 else ""
    return f"{word} (a mineral; ask for {formula})" if formula else word


def _family_text(name: str) -> str:
    from nucleate.families.family import lexicon

    return f"{name} ({lexicon()[name].pattern})"


def keep(request: Request, fixed: Fixed) -> Request:
    """The request with parts of a cell kept; where every element of it is kept, its composition is asked for too.

    Cells have as many atoms as the given one where the request does not say. Raises NucleateError for a formula that
    does not fit into them.
    """
    n, composition = len(fixed.species), request.composition
    if isinstance(request.num_atoms, tuple) and not within(n, request.num_atoms):
        raise NucleateError(
            f"the given cell has {n} atoms, and {bounds_text(request.num_atoms, 'atoms')} are asked for"
        )
    size = request.num_atoms if isinstance(request.num_atoms, int) else n
    if composition is None and request.chemical_system is None and len(fixed.species_at) == n == size:
        counts = {e: fixed.species.count(e) for e in dict.fromkeys(fixed.species)}
        composition = reduced(counts)
    if composition is not None and size % sum(composition.values()):
        raise NucleateError(
            f"{size} atoms cannot hold whole formula units of {formula_text(composition)}; give --num-atoms"
        )
    return dataclasses.replace(request, composition=composition, num_atoms=size, fixed=fixed)
