"""Crystal families by name: their sites, possible charges and structure types, as `reference/families/lexicon.tsv`
defines them. `families.members` has their known crystals."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import product
from math import gcd
from pathlib import Path

from nucleate.errors import NucleateError

FOLDER = Path(__file__).parent.parent / "reference" / "families"
LITERAL = frozenset({"O", "P", "Si"})  # sites with these names hold that element; other names stand for any element
STATES = "icsd24-3"
RAREST = math.log(4.5e-3)  # smallest share of an element's reports with a charge: Ni 4+ and Fe 4+ have more, Bi 1+ less
OCTET = {
    **dict.fromkeys(("C", "Si", "Ge", "Sn", "Pb"), -4),
    **dict.fromkeys(("N", "P", "As", "Sb", "Bi"), -3),
    **dict.fromkeys(("O", "S", "Se", "Te", "Po"), -2),
    **dict.fromkeys(("H", "F", "Cl", "Br", "I", "At"), -1),
}  # charges of anions without bonds to each other


Charges = tuple[float, ...]  # of the ions on the sites; 3.5 is a mean of 3 and 4, () stands for a metal


@dataclass(frozen=True)
class StructureType:
    """A structure type of a family. num_atoms: in the primitive cell. example: formula of a crystal of this type, with
    the elements in the order of the family's sites."""

    space_group: int
    num_atoms: int
    example: str

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements of the example, site by site."""
        return tuple(symbol for symbol, _ in _counted(self.example))


@dataclass(frozen=True)
class Family:
    """A crystal family.

    sites: (letter, atoms in a formula unit) of each. charges: all possible charges of the ions on the sites; empty for
    metals and for families without simple charges. metallic: whether crystals without such charges belong to it too.
    types: its structure types. note: a remark for people.
    """

    name: str
    synonyms: tuple[str, ...]
    sites: tuple[tuple[str, int], ...]
    charges: tuple[Charges, ...]
    metallic: bool
    types: tuple[StructureType, ...]
    note: str = ""

    @property
    def pattern(self) -> str:
        """The formula with letters for the elements, "A2B2X7"."""
        return "".join(f"{letter}{n if n > 1 else ''}" for letter, n in self.sites)

    @property
    def ways(self) -> list[Charges]:
        """All possible charges of the sites, with () for metals and others without simple charges."""
        return [*self.charges, *([()] if self.metallic else [])]

    @property
    def charge_texts(self) -> list[str]:
        """All possible charges of the sites as texts, "A +2, B +3, X -2"."""
        letters = [letter for letter, _ in self.sites]
        return [", ".join(f"{a} {q:+g}" for a, q in zip(letters, way, strict=True)) for way in self.charges]

    def composition(self, elements: Sequence[str]) -> dict[str, int]:
        """Element -> atoms in a formula unit; an element may be on several sites."""
        out: dict[str, int] = {}
        for element, (_, n) in zip(elements, self.sites, strict=True):
            out[element] = out.get(element, 0) + n
        return out

    def placements(self, counts: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
        """Every way to put all elements of a reduced formula on the sites so that the formula results. An element may
        be on several sites, as aluminium in Y3Al5O12."""
        for elements in product(counts, repeat=len(self.sites)):
            found = self.composition(elements)
            divisor = gcd(*found.values())
            if len(found) == len(counts) and all(counts[e] * divisor == n for e, n in found.items()):
                yield elements

    def ions(self, elements: Sequence[str]) -> Charges | None:
        """The most frequent charges that the family allows and the elements are known to have; None if there are none.
        elements: site by site."""
        able = [ways for ways in self.charges if all(self.may_be(e, q) for e, q in zip(elements, ways, strict=True))]
        return max(
            able, key=lambda w: sum(log_charge_share(e, q) for e, q in zip(elements, w, strict=True)), default=None
        )

    def may_be(self, element: str, charge: float) -> bool:
        """Whether an element may have a charge in this family. Anions may have other charges than those of the octet
        rule only in families where they are bonded to each other, which have a note."""
        return is_ion(element, charge) and (charge > 0 or bool(self.note) or OCTET.get(element) == charge)

    def admits(self, elements: Sequence[str]) -> bool:
        """Whether elements, site by site, are possible in the family: named sites hold their element, and there are
        possible charges."""
        literal = all(letter not in LITERAL or letter == e for e, (letter, _) in zip(elements, self.sites, strict=True))
        return literal and (self.metallic or self.ions(elements) is not None)


@lru_cache(maxsize=4000)
def is_ion(element: str, charge: float) -> bool:
    """Whether an element is known to have a charge, by more than single reports. A mean charge must have both of the
    charges it lies between."""
    from nucleate.chem.states import states_of

    return (
        all(q in states_of(element, STATES) for q in neighbouring_charges(charge))
        and log_charge_share(element, charge) > RAREST
    )


def neighbouring_charges(charge: float) -> tuple[int, ...]:
    """The whole charges between which a mean charge lies: 3.5 -> (3, 4), 2 -> (2,)."""
    return tuple(dict.fromkeys((math.floor(charge), math.ceil(charge))))


def log_charge_share(element: str, charge: float) -> float:
    """Natural logarithm of the share that a charge has in the reports of an element; of a mean charge, the smaller one
    of the two charges it lies between."""
    from nucleate.chem.states import log_share

    return min(log_share(element, q) for q in neighbouring_charges(charge))


@cache
def lexicon() -> dict[str, Family]:
    """All crystal families by name."""
    with (FOLDER / "lexicon.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["name"]: _family(row) for row in rows}


def get_family(name: str) -> Family:
    """The family of a name or synonym, in upper or lower case, singular or plural. Raises NucleateError for an unknown
    name, with similar names."""
    found = family_names().get(normalised_name(name)) or family_names().get(normalised_name(name).removesuffix("s"))
    if found is not None:
        return lexicon()[found]
    from difflib import get_close_matches

    near = list(
        dict.fromkeys(family_names()[n] for n in get_close_matches(normalised_name(name), family_names(), 4, 0.6))
    )
    hint = f"near it: {', '.join(near)}" if near else "nucleate families lists them"
    raise NucleateError(f"no crystal family is called '{name[:40]}'; {hint}")


@cache
def family_names() -> dict[str, str]:
    """Every name and synonym, as `normalised_name` writes it -> name of the family. Where a synonym is also the name of
    another family, it means that family."""
    every = {normalised_name(s): f.name for f in lexicon().values() for s in f.synonyms}
    return {**every, **{normalised_name(name): name for name in lexicon()}}


def normalised_name(text: str) -> str:
    """The text in lower case, with single spaces in place of spaces, hyphens and underscores."""
    return re.sub(r"[\s_\-\u2010-\u2013]+", " ", text.strip().lower())


def _family(row: dict[str, str]) -> Family:
    sites = _counted(row["pattern"])
    ways = row["charges"].split("; ")
    types = []
    for text in row["types"].split("; "):
        place, example = text.split()
        number, _, atoms = place.partition("/")
        types.append(StructureType(int(number), int(atoms), example))
    return Family(
        row["name"],
        tuple(s for s in row["synonyms"].split("; ") if s),
        sites,
        tuple(tuple(_number(q) for q in way.split()) for way in ways if way != "-"),
        "-" in ways,
        tuple(types),
        row["note"] or "",
    )


def _counted(formula: str) -> tuple[tuple[str, int], ...]:
    """ "A2B1X4" -> (("A", 2), ("B", 1), ("X", 4))."""
    return tuple((symbol, int(n or 1)) for symbol, n in re.findall(r"([A-Z][a-z]?)(\d*)", formula))


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
