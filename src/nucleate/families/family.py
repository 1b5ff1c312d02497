"""Families of crystal structures by name: which elements go where in which structure types, and who is known to.

`reference/families/lexicon.tsv` says what they are; `prototypes.parquet` holds a crystal of each structure type and
`members.parquet` the known crystals that have it (`scripts/build_families.py`, from the Materials Project).
"""

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
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from pymatgen.core import Structure

FOLDER = Path(__file__).parent.parent / "reference" / "families"
LITERAL = frozenset({"O", "P", "Si"})  # sites named so are of that element; others are letters for any
STATES = "icsd24-3"
RAREST = math.log(4.5e-3)  # share of an element's reports with a charge: Ni 4+ and Fe 4+ are above, Bi 1+ below
NEAR = 0.25  # angstrom; atoms that lie so near to a higher symmetry move to it in a relaxation
OCTET = {
    **dict.fromkeys(("C", "Si", "Ge", "Sn", "Pb"), -4),
    **dict.fromkeys(("N", "P", "As", "Sb", "Bi"), -3),
    **dict.fromkeys(("O", "S", "Se", "Te", "Po"), -2),
    **dict.fromkeys(("H", "F", "Cl", "Br", "I", "At"), -1),
}  # charges of anions that have no bond to each other


Charges = tuple[float, ...]  # whole numbers but for means


@dataclass(frozen=True)
class StructureType:
    """Space group 1-230, atoms in the primitive cell, and a crystal that has it, whose elements are in the order of the
    family's sites."""

    space_group: int
    num_atoms: int
    example: str

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(symbol for symbol, _ in _counted(self.example))


@dataclass(frozen=True)
class Family:
    """sites: (letter, atoms in the formula) in order. charges: of the ions on them, each possible way, 3.5 for a mean
    of 3 and 4; empty for metals and where there are no simple ones. metallic: whether crystals without such charges
    belong to it too."""

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
        """Each possible way to charge the sites, () for metals and others without simple charges."""
        return [*self.charges, *([()] if self.metallic else [])]

    @property
    def charge_texts(self) -> list[str]:
        """Each possible way to charge the sites in words, "A +2, B +3, X -2"."""
        letters = [letter for letter, _ in self.sites]
        return [", ".join(f"{a} {q:+g}" for a, q in zip(letters, way, strict=True)) for way in self.charges]

    def composition(self, elements: Sequence[str]) -> dict[str, int]:
        """Element -> atoms in a formula unit; an element may be on several sites."""
        out: dict[str, int] = {}
        for element, (_, n) in zip(elements, self.sites, strict=True):
            out[element] = out.get(element, 0) + n
        return out

    def placements(self, counts: Mapping[str, int]) -> Iterator[tuple[str, ...]]:
        """Every way to put the elements of a reduced formula on the sites, all of them, so that it has this formula; an
        element may be on several sites, as aluminium in Y3Al5O12."""
        for elements in product(counts, repeat=len(self.sites)):
            found = self.composition(elements)
            divisor = gcd(*found.values())
            if len(found) == len(counts) and all(counts[e] * divisor == n for e, n in found.items()):
                yield elements

    def ions(self, elements: Sequence[str]) -> Charges | None:
        """Charges that these elements are known to have and the family allows, the most frequent ones; None: none."""
        able = [ways for ways in self.charges if all(self.may_be(e, q) for e, q in zip(elements, ways, strict=True))]
        return max(able, key=lambda w: sum(share(e, q) for e, q in zip(elements, w, strict=True)), default=None)

    def may_be(self, element: str, charge: float) -> bool:
        """Whether an element may have a charge in this family: only where anions are bound to each other (a note says
        so) other ones than of their octet."""
        return is_ion(element, charge) and (charge > 0 or bool(self.note) or OCTET.get(element) == charge)

    def admits(self, elements: Sequence[str]) -> bool:
        """Whether the chemistry of the sites is the family's: a literal element in its place, and possible charges."""
        literal = all(letter not in LITERAL or letter == e for e, (letter, _) in zip(elements, self.sites, strict=True))
        return literal and (self.metallic or self.ions(elements) is not None)


def keeps_type(name: str, structure_type: int, elements: Sequence[str]) -> bool:
    """Whether the prototype keeps its space group with these elements on its sites: with one element on two of them a
    garnet does, and a double perovskite becomes a perovskite."""
    if len(set(elements)) == len(elements):
        return True
    from nucleate.crystal.symmetry import space_group

    crystal = substituted_prototype(name, structure_type, elements)
    return space_group(crystal, NEAR)[0] == lexicon()[name].types[structure_type].space_group


@lru_cache(maxsize=4000)
def is_ion(element: str, charge: float) -> bool:
    """Whether an element is known to have a charge, or those that it lies between, by more than stray reports."""
    from nucleate.chem.states import states_of

    return all(q in states_of(element, STATES) for q in whole(charge)) and share(element, charge) > RAREST


def whole(charge: float) -> tuple[int, ...]:
    """The charges that a mean lies between: 3.5 -> (3, 4), 2 -> (2,)."""
    return tuple(dict.fromkeys((math.floor(charge), math.ceil(charge))))


def share(element: str, charge: float) -> float:
    """Logarithm of the share of this charge among the element's reports, the least of those it lies between."""
    from nucleate.chem.states import log_share

    return min(log_share(element, q) for q in whole(charge))


@dataclass(frozen=True)
class Member:
    """A known crystal of a family: the place of its structure type, its elements site by site, eV/atom above the hull
    of its data base (nan where that is not known), and cubic angstrom per atom."""

    structure_type: int
    material_id: str
    elements: tuple[str, ...]
    e_above_hull: float
    volume: float


@cache
def lexicon() -> dict[str, Family]:
    """Every crystal family, by its name."""
    with (FOLDER / "lexicon.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["name"]: _family(row) for row in rows}


def family(name: str) -> Family:
    """The family of a name or synonym in any case, singular or plural; NucleateError, with names near to it, for an
    unknown one."""
    found = names().get(plain(name)) or names().get(plain(name).removesuffix("s"))
    if found is not None:
        return lexicon()[found]
    from difflib import get_close_matches

    near = list(dict.fromkeys(names()[n] for n in get_close_matches(plain(name), names(), 4, 0.6)))
    hint = f"near it: {', '.join(near)}" if near else "nucleate families lists them"
    raise NucleateError(f"no crystal family is called '{name[:40]}'; {hint}")


def families_of(counts: Mapping[str, int]) -> list[Family]:
    """Families that a reduced formula may be of: it fits their sites, with possible charges, and the prototype keeps
    its space group."""
    return [
        f
        for f in lexicon().values()
        if any(
            f.admits(order) and any(keeps_type(f.name, k, order) for k in range(len(f.types)))
            for order in f.placements(counts)
        )
    ]


@cache
def names() -> dict[str, str]:
    """Every name and synonym, as `plain` writes it -> the family's name. A name wins over a synonym of another."""
    every = {plain(s): f.name for f in lexicon().values() for s in f.synonyms}
    return {**every, **{plain(name): name for name in lexicon()}}


def plain(text: str) -> str:
    """Lower case, with single blanks for blanks, hyphens and underscores."""
    return re.sub(r"[\s_\-\u2010-\u2013]+", " ", text.strip().lower())


def members(name: str) -> tuple[Member, ...]:
    """Known crystals of a family, the most stable first."""
    return _members()[name]


@cache
def _members() -> dict[str, tuple[Member, ...]]:
    import pyarrow.parquet as pq

    table = pq.read_table(FOLDER / "members.parquet")
    columns = "family", "structure_type", "material_id", "elements", "e_above_hull", "volume"
    out: dict[str, list[Member]] = {f: [] for f in lexicon()}
    for f, t, i, e, h, v in zip(*(table.column(c).to_pylist() for c in columns), strict=True):
        out[f].append(Member(t, i, tuple(e.split()), math.nan if h is None else h, v))
    return {f: tuple(sorted(found, key=_height)) for f, found in out.items()}


def _height(member: Member) -> tuple[float, str]:
    return math.inf if math.isnan(member.e_above_hull) else member.e_above_hull, member.material_id


@cache
def prototype(name: str, structure_type: int = 0) -> Structure:
    """A known crystal with a structure type of the family, as a primitive cell; treat it as read-only."""
    import pyarrow.parquet as pq

    from nucleate.crystal.columns import structure_of_row

    chosen = [("family", "=", name), ("structure_type", "=", structure_type)]
    (row,) = pq.read_table(FOLDER / "prototypes.parquet", filters=chosen).to_pylist()
    return structure_of_row(row)


def substituted_prototype(name: str, structure_type: int, elements: Sequence[str]) -> Structure:
    """The crystal of `prototype` in its own cell, with these elements on the family's sites."""
    from nucleate.generators.substitute import with_elements_replaced

    theirs = lexicon()[name].types[structure_type].elements
    return with_elements_replaced(prototype(name, structure_type), dict(zip(theirs, elements, strict=True)))


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
