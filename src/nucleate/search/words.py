"""A wish in plain words: crystal families, kinds of compounds, elements in and out, ratios, properties, novelty.

A small grammar that takes out of a sentence what it knows, phrase by phrase; what is left and means anything is
returned as not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from nucleate.chem.classes import GROUP_SYNONYMS, GROUPS, SYNONYMS, classes, element_names
from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

SHOWN = 4  # elements of a long list
LIMITS = {"band_gap": (0.0, 10.0), "formation_energy_per_atom": (-6.0, 1.0)}  # where a wish is open to one side
_NAMES = {"band gap": "band_gap", "bandgap": "band_gap", "formation energy": "formation_energy_per_atom"}
_MANY = {"unary": 1, "binary": 2, "ternary": 3, "quaternary": 4, "quinary": 5}
_DIGITS = {w: i for i, w in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight"))}
_N = r"(-?\d+(?:\.\d+)?)"
_UNIT = r"(?:\s*(?:ev(?:\s*/\s*atom|\s+per\s+atom)?))?"
_PROPERTY = rf"({'|'.join(_NAMES)})s?\s*(?:of|is|that is)?\s*"
_ABOVE = re.compile(_PROPERTY + r"(?:above|over|greater than|more than|larger than|at least|>=?)\s*" + _N + _UNIT)
_BELOW = re.compile(_PROPERTY + r"(?:below|under|less than|smaller than|at most|<=?)\s*" + _N + _UNIT)
_BETWEEN = re.compile(_PROPERTY + r"(?:between|from)?\s*" + _N + _UNIT + r"\s*(?:and|to|-|\.\.)\s*" + _N + _UNIT)
_NEAR = re.compile(_PROPERTY + r"(?:of|near|around|about|close to|=|~)?\s*" + _N + _UNIT)
_RATIO = re.compile(r"(?:(?:atom(?:ic)?|stoichiometric)?\s*ratios?\s*(?:of)?\s*)?\b(\d+(?:\s*:\s*\d+)+)\b")
_RATIO_WORDS = re.compile(
    rf"(?:(?:atom(?:ic)?\s+)?ratios?\s+(?:of\s+)?)?\b((?:{'|'.join(_DIGITS)})(?:\s+to\s+(?:{'|'.join(_DIGITS)}))+)\b"
)
_NOVEL = re.compile(
    r"\b(?:(?:that|which)\s+(?:is|are)\s+)?(?:not\s+(?:yet\s+)?(?:known|reported|in\s+(?:the\s+)?(?:icsd|materials "
    r"project|databases?)|on\s+(?:the\s+)?icsd)|unknown|unreported|undiscovered|novel|new|unique)\b"
)
STABLE, METASTABLE = 0.025, 0.1  # eV/atom above the hull at most, where no number is given
_STABLE = re.compile(r"\b(?:thermodynamically\s+)?(meta)?stable\b|\bon the (?:convex )?hull\b")
_HULL = r"(?:the\s+)?(?:convex\s+)?hull"
_PER_ATOM = r"(?:\s*/\s*atom|\s+per\s+atom)?"
_HEIGHT = re.compile(
    rf"within\s+{_N}\s*(m?)ev{_PER_ATOM}\s+(?:of|above)\s+{_HULL}|(?:energy\s+above\s+{_HULL}|e[_ ]above[_ ]hull)\s*"
    rf"(?:of|is)?\s*(?:below|under|less than|at most|up to|<=?)\s*{_N}\s*(m?)(?:ev)?{_PER_ATOM}"
)
_COUNTED = re.compile(rf"\b(\d|{'|'.join(_DIGITS)})\s+(?:different\s+)?elements?\b")
_OUT = r"(?:without(?:\s+any)?|excluding|except(?:\s+for)?|free\s+of|but\s+no|and\s+no|no|not\s+containing|avoiding)"
_IN = r"(?:containing|that\s+contains?|which\s+contains?|contains?|including|made\s+of|based\s+on|with|of|from|in)"
_EMPTY = (
    "a an the some any crystal crystals material materials compound compounds structure structures phase phases type "
    "candidate candidates please design make find generate give show me us i we want need of with that which is are be "
    "has have having and or in on for to from by as its it atoms atom elements element based like whose where also "
    "inorganic solid solids possible good ordinary simple system space group cell"
)
_STOP = frozenset(_EMPTY.split())


@dataclass
class Wish:
    """What a sentence says. contains: elements that must be there; any_of: groups of which one must; exclude: that must
    not. ratio: atoms of the elements in a formula unit, sorted. stable: eV/atom above the hull at most. notes: what was
    taken for what. left: the words that were not understood."""

    families: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    ratio: tuple[int, ...] = ()
    num_elements: int | None = None
    properties: dict[str, tuple[float, float]] = field(default_factory=dict)
    novel: bool = False
    stable: float | None = None
    notes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing of it says what is wanted."""
        return not (self.families or self.classes or self.contains or self.any_of or self.exclude or self.ratio
                    or self.num_elements or self.properties or self.novel or self.stable is not None)  # fmt: skip


def read_words(text: str) -> Wish:
    """Understand a sentence; raises NucleateError for what contradicts itself."""
    wish, rest = Wish(), _Rest(text)
    _stability(rest, wish)
    _properties(rest, wish)
    _numbers(rest, wish)
    wish.novel = rest.take(_NOVEL) is not None
    _families(rest, wish)
    _elements(rest, wish)
    _classes(rest, wish)
    _misspelt(rest, wish)
    both = sorted(set(wish.contains) & set(wish.exclude))
    if both:
        raise NucleateError(f"'{text.strip()}' asks for {both[0]} and against it")
    wish.left = tuple(rest.words())
    return wish


class _Rest:
    """What of a sentence is still to be understood; what was taken out leaves a bar."""

    def __init__(self, text: str) -> None:
        plain = " ".join(text.replace("\u2010", "-").replace("\u2013", "-").split())
        plain = re.sub(r"\bI (?=want|need|would|am|look)", "", plain)  # no iodine
        self.text = re.sub(r"^(?:As|At|Be|He|In|No)(?= [a-z])", lambda m: m[0].lower(), plain)

    @property
    def lower(self) -> str:
        return self.text.lower()

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """The first match, taken out."""
        found = pattern.search(self.lower)
        if found is not None:
            self.cut(found.start(), found.end())
        return found

    def cut(self, start: int, end: int) -> None:
        self.text = f"{self.text[:start]} | {self.text[end:]}"

    def words(self) -> list[str]:
        """Those that mean something."""
        every = re.findall(r"[A-Za-z0-9][\w.+:/-]*", self.text)
        return [w for w in every if w.lower() not in _STOP]


def _properties(rest: _Rest, wish: Wish) -> None:
    while (found := rest.take(_ABOVE)) is not None:
        name = _NAMES[found[1]]
        wish.properties[name] = (float(found[2]), max(LIMITS[name][1], float(found[2])))
    while (found := rest.take(_BELOW)) is not None:
        name = _NAMES[found[1]]
        wish.properties[name] = (min(LIMITS[name][0], float(found[2])), float(found[2]))
    while (found := rest.take(_BETWEEN)) is not None:
        low, high = sorted((float(found[2]), float(found[3])))
        wish.properties[_NAMES[found[1]]] = (low, high)
    while (found := rest.take(_NEAR)) is not None:
        wish.properties[_NAMES[found[1]]] = (float(found[2]),) * 2


def _stability(rest: _Rest, wish: Wish) -> None:
    """A number wins over the words "stable" and "metastable"."""
    numbers, named = [], []
    while (found := rest.take(_HEIGHT)) is not None:
        numbers.append(float(found[1] or found[3]) / (1000 if found[2] or found[4] else 1))
    while (found := rest.take(_STABLE)) is not None:
        named.append(METASTABLE if found[1] else STABLE)
    wish.stable = min(numbers or named, default=None)


def _numbers(rest: _Rest, wish: Wish) -> None:
    if (found := rest.take(_RATIO)) is not None:
        wish.ratio = tuple(sorted(int(n) for n in found[1].split(":")))
    elif (found := rest.take(_RATIO_WORDS)) is not None:
        wish.ratio = tuple(sorted(_DIGITS[w] for w in found[1].split() if w != "to"))
    if wish.ratio and (min(wish.ratio) < 1):
        raise NucleateError(f"a ratio is of positive numbers, as in 1:1:2, not {':'.join(map(str, wish.ratio))}")
    if (found := rest.take(_COUNTED)) is not None:
        wish.num_elements = _DIGITS.get(found[1]) if found[1] in _DIGITS else int(found[1])
    if (found := rest.take(re.compile(rf"\b({'|'.join(_MANY)})s?\b"))) is not None:
        wish.num_elements = _MANY[found[1]]
    if wish.ratio and wish.num_elements not in (None, len(wish.ratio)):
        raise NucleateError(f"{wish.num_elements} elements and a ratio of {len(wish.ratio)} contradict each other")


def _families(rest: _Rest, wish: Wish) -> None:
    from nucleate.search.families import names

    found: list[str] = []
    for name in sorted(names(), key=len, reverse=True):
        loose = re.escape(name).replace(r"\ ", r"[\s_-]+")
        while rest.take(re.compile(rf"(?<![\w.-]){loose}(?:s|es)?(?:[\s-]+(?:type|structured?|phase))?(?![\w-])")):
            found.append(names()[name])
    wish.families = tuple(dict.fromkeys(found))


def _elements(rest: _Rest, wish: Wish) -> None:
    """Lists of elements and groups after "without" and "containing", "lead-free", and names of elements as such."""
    kinds = _kinds()
    word = "|".join(sorted((re.escape(k).replace(r"\ ", r"[\s-]+") + "s?" for k in kinds), key=len, reverse=True))
    symbols = "|".join(sorted(SYMBOLS[:103], key=len, reverse=True))
    bare = rf"(?:(?i:{word})|(?:{symbols}))"
    item = rf"{bare}(?![\w-])"
    listed = rf"((?:{item})(?:(?:\s*,\s*|\s+)(?:and\s+|or\s+|nor\s+)?(?:an?\s+|the\s+|any\s+)?(?:{item}))*)"
    patterns = (
        (rf"\b(?i:{_OUT})\s+(?:an?\s+|the\s+)?{listed}", True),
        (rf"\b({bare})-free\b", True),
        (rf"\b(?i:{_IN})\s+(?:an?\s+|the\s+)?{listed}", False),
        (rf"\b{listed}", False),
    )
    exclude: list[str] = []
    contains: list[str] = []
    any_of: list[tuple[str, ...]] = []
    for pattern, out in patterns:
        for found in _every(rest, re.compile(pattern)):
            either, before = bool(re.search(r"\bor\b", found)) and not out, len(any_of)
            for name in re.findall(rf"(?<![\w-]){item}", found):
                members = _members(name, kinds)
                if out:
                    exclude += members
                elif len(members) == 1 and not either:
                    contains += members
                else:
                    any_of.append(members)
            if either:
                any_of = [*any_of[:before], tuple(dict.fromkeys(e for some in any_of[before:] for e in some))]
    wish.exclude = tuple(dict.fromkeys(exclude))
    wish.contains = tuple(dict.fromkeys(contains))
    wish.any_of = tuple(dict.fromkeys(any_of))


def _every(rest: _Rest, pattern: re.Pattern[str]) -> list[str]:
    out = []
    while (found := pattern.search(rest.text)) is not None:
        out.append(found[1])
        rest.cut(found.start(), found.end())
    return out


def _kinds() -> dict[str, tuple[str, ...]]:
    """Names of elements and of groups of them, in lower case."""
    named = {name: (symbol,) for name, symbol in element_names().items()}
    return named | dict(GROUPS) | {name: GROUPS[group] for name, group in GROUP_SYNONYMS.items()}


def _members(name: str, kinds: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    if name in SYMBOLS:
        return (name,)
    plain = re.sub(r"[\s-]+", " ", name.lower())
    return kinds.get(plain) or kinds[plain.removesuffix("s")]


def _classes(rest: _Rest, wish: Wish) -> None:
    every = {**{name: name for name in classes()}, **SYNONYMS}
    found = []
    for name in sorted(every, key=len, reverse=True):
        while rest.take(re.compile(rf"\b{re.escape(name)}s?\b")):
            found.append(every[name])
    wish.classes = tuple(dict.fromkeys(found))


def _misspelt(rest: _Rest, wish: Wish) -> None:
    """Words that are nearly one that is known."""
    from nucleate.search.families import names

    single = {n: ("family", names()[n]) for n in names() if " " not in n and len(n) > 4}
    known = {**single, **{n: ("class", n) for n in classes()}, **{n: ("element", n) for n in element_names()}}
    notes: list[str] = []
    for word in rest.words():
        near = get_close_matches(word.lower().removesuffix("s"), known, 1, 0.85) if len(word) > 4 else []
        if not near:
            continue
        kind, name = known[near[0]]
        notes.append(f"'{word}' taken for {near[0]}")
        if kind == "family":
            wish.families = (*wish.families, name)
        elif kind == "class":
            wish.classes = (*wish.classes, name)
        else:
            wish.contains = (*wish.contains, element_names()[name])
        place = rest.text.index(word)
        rest.cut(place, place + len(word))
    wish.notes = tuple(notes)


def few(elements: Sequence[str], last: str) -> str:
    """ "Sc, Y, La, Ce or 13 others"; all where there are at most five. last: what stands before the last, " or "."""
    if len(elements) > SHOWN + 1:
        elements = [*elements[:SHOWN], f"{len(elements) - SHOWN} others"]
    return last.join([", ".join(elements[:-1]), elements[-1]]) if len(elements) > 1 else "".join(elements)
