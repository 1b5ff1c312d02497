"""What the user asks for, and the parser that understands it. What is not understood is said, never dropped."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from math import gcd
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from nucleate.chem.classes import GROUPS, element_group
from nucleate.chem.elements import RADIOACTIVE, SYMBOLS, atomic_number
from nucleate.chem.formula import formula_text, parse_formula
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Fixed
from nucleate.generators.pattern import parse_pattern
from nucleate.generators.properties import NUMBER, parse_properties
from nucleate.search.symmetry import SYSTEMS, groups_text, read_site_counts, read_space_groups
from nucleate.search.words import few, read_words

EXAMPLES = (
    'a formula ("SrTiO3"), one with gaps ("Li ? O4"), a chemical system ("Li-Fe-O"), words such as "a cobalt spinel" '
    '(nucleate families lists what they may name) or "anything", '
    'each with ", e_form=-3.2", ", space group Pnma", ", cubic" or ", 5 candidates" if you like'
)
MAX_CANDIDATES = 1_000_000
WISHES = ("contains", "exclude", "num_elements", "pattern")  # of a request, about the elements that are made
EVERY_ELEMENT = "all"  # in place of a list of elements: radioactive ones are offered too
_ANYTHING = {"", "anything", "any", "any crystal", "unconditional"}
_COUNT = re.compile(r"(-?\d+(?:\.\d+)?)\s*(candidates?|crystals?|structures?|samples?|formulas?)", re.IGNORECASE)
_PROPERTY = re.compile(rf"[A-Za-z_]\w*\s*=\s*{NUMBER}(?:\s*\.\.\s*{NUMBER})?(?![\w.])")
_SPACE_GROUP = re.compile(rf"\bspace[\s-]?groups?\s+([^\s,;]+)|\b({'|'.join(SYSTEMS)})\b(?!\s+lattice)", re.IGNORECASE)
_ATOMS = re.compile(r"(-?[\d,]*\d)\s*atoms?(?:\s+(?:per|in the)\s+cell)?", re.IGNORECASE)


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Request:
    """A design request; values of other types are refused (pydantic), plain JSON values are read by `read_request`.

    composition: reduced formula as element -> count, or None. chemical_system: elements that must all be there, and
    no others, or None. num_atoms: atoms in the cell, or None. candidates: how many to return. properties: name ->
    (lowest, highest) wanted value; each candidate aims at a value drawn from the range. fixed: parts of a cell that
    every candidate keeps. lattice_shape: one of `crystal.shape.SHAPES`.
    space_groups: 1-230, of which each candidate has one, or one that contains it; none: any. sites: element -> sets of
    equivalent atoms. Where formulas come first also: contains,
    exclude: elements that must, that must not be there. radioactive: whether radioactive elements that the request does
    not name may be there. num_elements: how many different ones. pattern: a formula with
    gaps (`generators.pattern`). spoken: asked for in plain words (`search.words`), which may also name: families
    (`search.families`), of which each candidate is to be one; classes of compounds, all of which hold; any_of: groups
    of elements, of each of which one is there; ratio: atoms of the elements, sorted; novel: no known formula; stable:
    eV/atom above the hull at most. notes: what was taken for what, unread: words that were not understood.
    """

    text: str
    candidates: int
    composition: Mapping[str, int] | None = None
    chemical_system: tuple[str, ...] | None = None
    num_atoms: int | None = None
    properties: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    fixed: Fixed | None = None
    lattice_shape: str | None = None
    contains: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    radioactive: bool = False
    num_elements: int | None = None
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
        """Those about elements that are made, by their names in `WISHES`."""
        return {name: value for name in WISHES if (value := getattr(self, name)) not in (None, ())}

    @property
    def unasked(self) -> frozenset[str]:
        """Radioactive elements that are not offered: those that the request does not name, unless it takes them all."""
        if self.radioactive or self.composition is not None or self.chemical_system is not None:
            return frozenset()
        named = {*self.contains, *self.sites, *(self.fixed.species if self.fixed is not None else ())}
        named |= set(parse_pattern(self.pattern).named) if self.pattern is not None else set()
        named |= {e for group in self.any_of if RADIOACTIVE.issuperset(group) for e in group}
        return RADIOACTIVE - named - set(self.exclude)

    @property
    def left_out(self) -> str:
        """What is not offered though the request does not forbid it, in words; "" where there is nothing."""
        if not self.unasked:
            return ""
        return "radioactive elements are left out unless they are asked for; --elements all offers them"

    def of_formulas(self) -> Condition:
        """What a generator of formulas is asked for, less the properties."""
        return Condition(chemical_system=self.chemical_system, num_atoms=self.num_atoms, **self.wishes)

    def describe(self) -> str:
        """The request in one line, as it was understood."""
        if self.composition is not None:
            what = f"crystal structures of {formula_text(self.composition)}"
        elif self.pattern is not None:
            what = f"crystals of formulas such as {self.pattern}"
        elif self.chemical_system is not None:
            what = f"crystals in the chemical system {'-'.join(self.chemical_system)}"
        else:
            what = "crystals of any composition"
        clauses = [f"{self.num_atoms} atoms in the cell"] if self.num_atoms is not None else []
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
            clauses.append(f"{self.num_elements} different elements")
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
        out = f"the {self.candidates} best {what}" + (f" with {' and '.join(clauses)}" if clauses else "")
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


def parse_elements(text: str) -> tuple[str, ...]:
    """Distinct elements from "Li,Fe,O" or "Li-Fe-O", in the order given."""
    parts = [p for p in re.split(r"[\s,\-]+", text.strip()) if p]
    if not parts:
        raise NucleateError('no elements given; write for example "Li,Fe,O"')
    for part in parts:
        atomic_number(part)
    repeated = sorted({p for p in parts if parts.count(p) > 1})
    if repeated:
        raise NucleateError(f"{repeated[0]} is named twice in '{text}'")
    return tuple(parts)


def parse_excluded(text: str) -> tuple[str, ...]:
    """Elements that must not be there, from their symbols and names of groups: "Pb,Cd", "radioactive, rare earths".

    Raises NucleateError for what is neither.
    """
    out: list[str] = []
    for part in filter(None, (p.strip() for p in re.split(r"[,;]", text))):
        words = re.split(r"[\s\-]+", part)
        if all(word in SYMBOLS for word in words):
            out += words
            continue
        try:
            out += sorted(element_group(part), key=atomic_number)
        except NucleateError:
            near = [s for s in SYMBOLS if s.lower() == part.lower()]
            hint = f"; did you mean {near[0]}?" if near else ""
            raise NucleateError(
                f"'{part[:40]}' is neither an element nor a group of elements{hint} (groups: {', '.join(GROUPS)})"
            ) from None
    if not out:
        raise NucleateError('no elements given to exclude; write for example "Pb,Cd" or "radioactive,toxic"')
    return tuple(dict.fromkeys(out))


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
    rest, said, atoms = text, None, None
    match = _COUNT.search(rest)
    if match:
        if "." in match[1]:
            raise NucleateError(f"'{match[0]}': the number of candidates must be a whole number")
        said, rest = int(match[1]), rest[: match.start()] + rest[match.end() :]
    wishes = [m[0] for m in _PROPERTY.finditer(rest)]
    rest = _PROPERTY.sub("", rest)
    targets = parse_properties([*wishes, *properties])
    match = _ATOMS.search(rest)
    if match:
        atoms, rest = int(match[1].replace(",", "")), rest[: match.start()] + rest[match.end() :]
    groups = read_space_groups(space_group)
    for match in reversed([m for m in _SPACE_GROUP.finditer(rest) if not _names_a_family(rest[m.start() :])]):
        rest = rest[: match.start()] + rest[match.end() :]
        said_groups = read_space_groups(match[1] or match[2])
        if groups and set(groups) != set(said_groups):
            raise NucleateError(
                f"'{match[0].strip()}' and {groups_text(groups)} contradict each other; give one of them"
            )
        groups = said_groups
    if said is not None and candidates is not None and said != candidates:
        raise NucleateError(f"the request says {said} candidates, the option {candidates}; give one of them")
    if atoms is not None and num_atoms is not None and atoms != num_atoms:
        raise NucleateError(f"the request says {atoms} atoms, the option {num_atoms}; give one of them")
    wanted = next((n for n in (said, candidates) if n is not None), default)
    size = atoms if atoms is not None else num_atoms
    if not 1 <= wanted <= MAX_CANDIDATES:
        raise NucleateError(f"cannot make {wanted} candidates; ask for 1 to {MAX_CANDIDATES:,}")
    if size is not None and size < 1:
        raise NucleateError(f"a crystal cannot have {size} atoms; ask for at least 1")
    words = re.sub(r"( ,)+", " ,", " ".join(rest.replace(",", " , ").split())).strip(" ,;.")
    every = elements is not None and elements.strip().lower() == EVERY_ELEMENT
    system = parse_elements(elements) if elements is not None and not every else None
    plain = Request(
        text,
        wanted,
        None,
        system,
        size,
        targets,
        contains=parse_elements(contains) if contains is not None else (),
        exclude=parse_excluded(exclude) if exclude is not None else (),
        radioactive=every,
        num_elements=num_elements,
        space_groups=groups,
        sites=read_site_counts(sites),
    )
    if words.lower() in _ANYTHING:
        return plain
    if "?" in words or "*" in words:
        parse_pattern(words)
        return dataclasses.replace(plain, pattern=words)
    if " " in words or not re.fullmatch(r"[A-Za-z0-9.()\[\]\-]+", words) or not any(c.isalpha() for c in words):
        return _spoken(plain, words, NucleateError(f"'{words}' was not understood; give {EXAMPLES}"))
    if re.fullmatch(r"[A-Z][a-z]*(-[A-Z][a-z]*)+", words):
        named = parse_elements(words)
        if system is not None and set(named) != set(system):
            raise NucleateError(
                f"'{words}' and the elements {', '.join(system)} contradict each other; give one of them"
            )
        return dataclasses.replace(plain, chemical_system=named)
    try:
        composition = parse_formula(words)
    except NucleateError as error:
        return _spoken(plain, words, error)
    if system is not None and set(system) != set(composition):
        raise NucleateError(f"'{words}' and the elements {', '.join(system)} contradict each other; give one of them")
    unit = sum(composition.values())
    if size is not None and size % unit:
        raise NucleateError(f"{size} atoms cannot hold whole formula units of {words} ({unit} atoms each)")
    return dataclasses.replace(plain, composition=composition, chemical_system=None)


def _names_a_family(words: str) -> bool:
    """Whether they begin with the name of a crystal family, such as hexagonal perovskites."""
    from nucleate.search.families import names, plain

    text = f"{plain(words)} "
    return any(re.match(rf"{re.escape(name)}s?\W", text) for name in names())


def _spoken(plain: Request, words: str, fault: NucleateError) -> Request:
    """The request that plain words make of one without them; raises `fault` where they say nothing."""
    system, composition, rest = plain.chemical_system, None, words
    for token in words.split():
        named = token.strip(",.;")
        if re.fullmatch(r"[A-Z][a-z]?(-[A-Z][a-z]?)+", named):
            system, rest = parse_elements(named), rest.replace(token, " ", 1)
        elif re.fullmatch(r"(?:[A-Z][a-z]?\d*|[()]\d*){2,}", named) and re.search(r"\d|[A-Z].*[A-Z]", named):
            try:
                composition = parse_formula(named, strict=True)
            except NucleateError:
                continue
            if len(composition) > 1:
                rest = rest.replace(token, " ", 1)
            else:
                composition = None
    wish = read_words(rest)
    unread = tuple(map(_hinted, wish.left))
    if wish.empty or (" " not in words and not (wish.families or wish.classes)):  # a single word is no sentence
        hints = [hint for word, hint in zip(wish.left, unread, strict=True) if hint != word]
        raise NucleateError(f"{fault}; {', '.join(hints)}") if hints else fault
    return dataclasses.replace(
        plain,
        spoken=True,
        composition=composition,
        chemical_system=system if composition is None else None,
        families=wish.families,
        classes=wish.classes,
        any_of=wish.any_of,
        ratio=wish.ratio,
        novel=wish.novel,
        stable=wish.stable,
        contains=tuple(dict.fromkeys((*plain.contains, *wish.contains))),
        exclude=tuple(dict.fromkeys((*plain.exclude, *wish.exclude))),
        num_elements=plain.num_elements if wish.num_elements is None else wish.num_elements,
        properties={**wish.properties, **plain.properties},
        notes=wish.notes,
        unread=unread,
    )


def stable_text(limit: float) -> str:
    """The wish for stability in words; limit: eV/atom above the hull."""
    return f"at most {limit:g} eV/atom above the hull"


def _hinted(word: str) -> str:
    """A word that was not understood, with its formula where it is a mineral's name."""
    from nucleate.search.retrieve import mineral

    formula = mineral(word) if len(word) > 5 else ""
    return f"{word} (a mineral; ask for {formula})" if formula else word


def _family_text(name: str) -> str:
    from nucleate.search.families import lexicon

    return f"{name} ({lexicon()[name].pattern})"


def keep(request: Request, fixed: Fixed) -> Request:
    """The request with parts of a cell kept; where every element of it is kept, its composition is asked for too.

    Cells have as many atoms as the given one where the request does not say. Raises NucleateError for a formula that
    does not fit into them.
    """
    n, composition = len(fixed.species), request.composition
    size = request.num_atoms if request.num_atoms is not None else n
    if composition is None and request.chemical_system is None and len(fixed.species_at) == n == size:
        counts = {e: fixed.species.count(e) for e in dict.fromkeys(fixed.species)}
        divisor = gcd(*counts.values())
        composition = {e: k // divisor for e, k in counts.items()}
    if composition is not None and size % sum(composition.values()):
        raise NucleateError(
            f"{size} atoms cannot hold whole formula units of {formula_text(composition)}; give --num-atoms"
        )
    return dataclasses.replace(request, composition=composition, num_atoms=size, fixed=fixed)
