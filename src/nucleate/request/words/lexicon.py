"""The lexicon: phrases of one or more words -> kind and value. The readers know no other words.

`phrases.tsv` has a row for each kind and value; later rows replace earlier ones. Names of crystal families come from
`families.family`, those of classes, groups and elements from `chem.classes`. Phrases are looked up in lower case and
without hyphens. At each position the longest phrase counts, and its last word may be a plural.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from nucleate.chem.classes import GROUP_SYNONYMS, GROUPS, SYNONYMS, classes, element_names
from nucleate.request.symmetry import SYSTEMS
from nucleate.request.words.tokens import normalised_characters, tokenize

FILE = Path(__file__).parent / "phrases.tsv"
Meaning = tuple[str, Any]  # kind and value

# Kinds of what can be wanted
ELEMENT, GROUP, CLASS, MIXED, COUNTED, FAMILY = "element", "group", "class", "mixed", "counted class", "family"
FORMULA, SYSTEM, RATIO, SYMMETRY, STABLE, NEW = "formula", "system", "ratio", "symmetry", "stable", "new"
# Numbers and what they belong to. OP is a comparison before a number, AFTER one behind it
NUMBER, MANY, UNIT, OP, AFTER, NOUN, PROPERTY, HULL = (
    "number", "many", "unit", "op", "after", "noun", "property", "hull"
)  # fmt: skip
# A request is refused if no reader takes one of these
NEGATION, FREE, THAN, LIKE, REPLACE, OUTSIDE = "negation", "free", "than", "like", "replace", "outside"
# Words that join or introduce others, or have no meaning of their own
JOIN, OPEN, ARTICLE, EMPTY, ONLY, TYPE, ANYTHING = "join", "open", "article", "empty", "only", "type", "anything"
DATABASE, MADE, GROUP_WORD, ADJECTIVE, MARK, WORD = "database", "made", "group word", "adjective", "mark", "word"

_PHRASES = frozenset((
    NEGATION, FREE, THAN, LIKE, REPLACE, OUTSIDE, JOIN, OPEN, ARTICLE, EMPTY, ONLY, TYPE, ANYTHING, DATABASE, MADE,
    GROUP_WORD, WORD, HULL, OP, AFTER, NOUN, PROPERTY, STABLE, NEW,
))  # fmt: skip
_WEAK = frozenset((EMPTY, ARTICLE, OPEN, JOIN, NOUN))  # any other meaning of a phrase replaces these
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
           "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")  # fmt: skip
_MANIES = ("unary", "binary", "ternary", "quaternary", "quinary", "senary")
# After an element and a hyphen, as in "cobalt-based", these words still mean that the element is there
KEPT_AFTER_HYPHEN = frozenset(("based", "containing", "bearing", "rich", "only", "free", "less"))


@cache
def _rows() -> tuple[tuple[str, str, tuple[str, ...]], ...]:
    """Kind, value and phrases of each row of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return tuple((r["kind"], r["value"], tuple(p.strip() for p in r["phrases"].split(";"))) for r in rows)


@cache
def words_of(kind: str, value: str = "") -> frozenset[str]:
    """The words of the row with this kind and value, as they are written, such as those of the kind "unit"."""
    return frozenset(p for k, v, some in _rows() if (k, v) == (kind, value) for p in some)


@cache
def implied_elements() -> dict[str, tuple[str, ...]]:
    """Name of a family -> the elements that it implies: an orthoferrite has iron and oxygen."""
    return {lookup_key(p): tuple(value.split()) for kind, value, some in _rows() if kind == "implied" for p in some}


@cache
def phrases() -> dict[str, Meaning]:
    """Every phrase, as `lookup_key` writes it -> its meaning."""
    out: dict[str, Meaning] = {}
    _from_file(out, _WEAK)
    for n, word in enumerate(_DIGITS):
        _add(out, [word], NUMBER, n)
    _add(out, ["dozen", "a dozen"], NUMBER, 12)
    for n, word in enumerate(_MANIES, 1):
        _add(out, [word], MANY, n)
    for word, name in {**{name: name for name in classes()}, **SYNONYMS}.items():
        _add(out, [word], CLASS, name)
    _mixed(out)
    for name, members in {**GROUPS, **{word: GROUPS[name] for word, name in GROUP_SYNONYMS.items()}}.items():
        _add(out, [name], GROUP, members)
        if name.endswith(" element"):
            _add(out, [f"{name.removesuffix('element')}metal"], GROUP, members)
    for word, name in (("toxic", "toxic"), ("poisonous", "toxic"), ("radioactive", "radioactive")):
        _add(out, [word], ADJECTIVE, GROUPS[f"{name} element"])
    for word, symbol in element_names().items():
        _add(out, [word], ELEMENT, symbol)
    for word, limits in SYSTEMS.items():
        _add(out, [word], SYMMETRY, frozenset(range(limits[0], limits[1] + 1)))
    _from_file(out, _PHRASES - _WEAK)
    for kind, value, some in _rows():
        if kind == SYMMETRY:
            _add(out, some, SYMMETRY, _groups(value))
    _families(out)
    return out


def _from_file(out: dict[str, Meaning], kinds: frozenset[str]) -> None:
    for kind, value, some in _rows():
        if kind in kinds:
            # "at most" is a comparison before a number too
            new = [p for p in some if kind != AFTER or lookup_key(p) not in out]
            _add(out, new, kind, value or None)


def _groups(text: str) -> frozenset[int]:
    """The space groups of a text such as "1 3-9"."""
    ends = [part.split("-") for part in text.split()]
    return frozenset(n for part in ends for n in range(int(part[0]), int(part[-1]) + 1))


@cache
def after_number() -> dict[str, str]:
    """Comparison after a number -> sign, such as "or fewer" -> "<="."""
    return {p: value for kind, value, some in _rows() if kind == AFTER for p in some}


def _add(out: dict[str, Meaning], every: Iterable[str], kind: str, value: Any = None) -> None:
    for phrase in every:
        out[lookup_key(phrase)] = (kind, phrase if value is None else value)


def lookup_key(phrase: str) -> str:
    """A phrase as it is looked up: its tokens in lower case without hyphens, with spaces between."""
    return " ".join(t.lower for t in tokenize(normalised_characters(phrase)) if t.text != "-")


def _mixed(out: dict[str, Meaning]) -> None:
    """Adds compounds of two anions, with the anion that must be there and those of which one must be there."""
    for prefix, anion in (("oxy", "O"), ("carbo", "C"), ("sulfo", "S"), ("nitro", "N"), ("hydroxy", "O")):
        for name, kind in classes().items():
            if not kind.anions or kind.needs or anion in kind.anions:
                continue
            _add(out, [prefix + name], MIXED, (anion, tuple(sorted(kind.anions))))
    _add(out, ["oxysulphide"], MIXED, ("O", ("S",)))
    for name, kind in classes().items():
        if kind.anions and not kind.needs and name != "pnictide":
            _add(out, [f"di{name}"], COUNTED, (name, (1, 2)))
            _add(out, [f"tri{name}"], COUNTED, (name, (1, 3)))


def _families(out: dict[str, Meaning]) -> None:
    from nucleate.families.family import family_names

    for name, family in family_names().items():
        key = lookup_key(name)
        if key.isdigit():  # "122" alone is a number
            for suffix in ("type", "phase", "structure", "family"):
                _add(out, [f"{key} {suffix}"], FAMILY, family)
            continue
        if key == "max":  # it is a comparison too; `terms` reads MAX in capitals as the family
            continue
        for phrase in _spellings(key):
            out[phrase] = (FAMILY, family)
    for kind, value, some in _rows():
        if kind == FAMILY:
            _add(out, some, FAMILY, value)


def _spellings(key: str) -> Iterator[str]:
    yield key
    joined = key.replace(" ", "")
    if len(joined) > 7 and joined.isalpha():
        yield joined  # halfheusler


@cache
def longest_phrases() -> dict[str, int]:
    """First word -> number of words in the longest phrase that begins with it."""
    out: dict[str, int] = {}
    for phrase in phrases():
        first, *more = phrase.split()
        out[first] = max(out.get(first, 0), 1 + len(more))
    return out


def meaning(words: tuple[str, ...]) -> Meaning | None:
    """The meaning of a phrase, whose last word may be a plural; None if it is not known."""
    head, last = " ".join(words[:-1]), words[-1]
    for one in singulars(last):
        found = phrases().get(f"{head} {one}" if head else one)
        if found is not None:
            return found
    return None


def singulars(word: str) -> list[str]:
    """The word, and the words of which it may be the plural."""
    out = [word]
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        out.append(word[:-1])
        if word.endswith("es"):
            out.append(word[:-2])
        if word.endswith("ies"):
            out.append(f"{word[:-3]}y")
    return out
