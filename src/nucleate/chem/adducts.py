"""Formulas of adducts and hydrates: "CuSO4·5H2O", and also "CuSO4.5H2O", whose full stop could be a decimal point.

Every reading of the full stops is tried. Charge balance decides between them, and groups of atoms such as SO4, of which
a compound never has a fraction. If these do not decide, an error names both readings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import product
from typing import Any

from nucleate.chem.written import ADDUCT
from nucleate.errors import NucleateError

Counts = Mapping[str, Any]  # element -> atoms, as int or `Fraction`
CountAtoms = Callable[[str], Counts]  # gives the atoms of a formula without adducts; raises NucleateError

MOST = 6  # a text with more full stops than this is not tried as an adduct: all of them are decimal points
STATES = "icsd24-3"  # the set of oxidation states (`chem.states.STATE_SETS`) that decides whether charges balance
MOLECULES = frozenset(
    ("H2O", "H2O2", "NH3", "N2H4", "HF", "HCl", "HBr", "HI", "HNO3", "H2SO4", "H3PO4", "H3BO3", "CO2", "SO2", "SO3")
)  # molecules that crystals often contain as adducts
_NUMBER = re.compile(r"\s*(?P<n>\d+/[1-9]\d*|\d*\.?\d*)\s*(?P<rest>.*)", re.DOTALL)
# The end of a text after which a decimal number makes no sense: a compound has no fraction of the oxygen atoms of an
# oxo-anion such as SO4, and no fraction of a group in brackets.
_GROUP = re.compile(r"(?:(?:S|N|C|P|Cl|Br|I|Se|As|B|Te)\d*O|\))$")


@dataclass(frozen=True)
class _Reading:
    """One way to read a formula. parts: (number, formula) of each part of the adduct. stops: the indices of the full
    stops that are read as dots between two parts, and not as decimal points."""

    parts: tuple[tuple[Fraction, str], ...]
    stops: tuple[int, ...]

    @property
    def text(self) -> str:
        """The formula with a raised dot between its parts."""
        return ADDUCT.join(f"{n if n != 1 else ''}{part}" for n, part in self.parts)


def adduct_parts(text: str, count_atoms: CountAtoms) -> tuple[tuple[Fraction, str], ...]:
    """The parts (number, formula) of an adduct in plain signs (`chem.written.in_plain_signs`). A formula that is no
    adduct has one part.

    Raises NucleateError for a text that can be read in two ways, and what `count_atoms` raises.
    """
    if ADDUCT not in text and "." not in text:
        return ((Fraction(1), text),)
    text = "".join(ADDUCT if c == "." and _separates(text, i) else c for i, c in enumerate(text))
    stops = [i for i, c in enumerate(text) if c == "."]
    if len(stops) > MOST:
        return _reading(text, ()).parts
    readings, faults = [], []
    for choice in product((False, True), repeat=len(stops)):  # the first reading has decimal points only
        cuts = [i for i, cut in zip(stops, choice, strict=True) if cut]
        try:
            reading = _reading("".join(ADDUCT if i in cuts else c for i, c in enumerate(text)), tuple(cuts))
            counts = [count_atoms(part) for _, part in reading.parts]
        except NucleateError as error:
            faults.append(error)
            continue
        if not cuts or all(len(c) > 1 for c in counts):  # a part is a compound, never a single element
            readings.append(reading)
    if not readings:
        raise faults[0]
    return _most_plausible(text, _without_odd_decimals(readings), count_atoms).parts


def _separates(text: str, index: int) -> bool:
    """Whether the full stop at an index cannot be a decimal point: there is a blank before it, or no digit after it."""
    return not text[index + 1 : index + 2].isdigit() or text[index - 1 : index].isspace()


def _reading(text: str, cuts: tuple[int, ...]) -> _Reading:
    parts = []
    pieces = text.split(ADDUCT)
    for piece in pieces:
        found = _NUMBER.match(piece)
        n, rest = (found["n"], found["rest"]) if found and len(pieces) > 1 else ("", piece)
        if len(pieces) > 1 and (variable := re.match(r"[nmxyz](?=[A-Z(])", rest)):
            raise NucleateError(f"{variable[0]} is a variable; put a number in its place")
        if not rest.strip():
            raise NucleateError("there is no compound on one side of a dot")
        if n and not Fraction(n):
            raise NucleateError("a number of atoms is zero")
        parts.append((Fraction(n or 1), rest.strip()))
    return _Reading(tuple(parts), cuts)


def _without_odd_decimals(readings: Sequence[_Reading]) -> Sequence[_Reading]:
    """The readings without numbers such as 7.10 and 4.0, which nobody writes; all readings if none is left."""
    usual = [r for r in readings if not re.search(r"\.\d*0(?!\d)", r.text)]
    return usual or readings


def _most_plausible(text: str, readings: Sequence[_Reading], count_atoms: CountAtoms) -> _Reading:
    """The reading that molecules, oxo-anions and charges suggest. Raises NucleateError if two are equally plausible."""
    if len(readings) == 1:
        return readings[0]
    with_molecules = [
        r for r in readings if r.stops and all(_is_molecule(count_atoms(part)) for _, part in r.parts[1:])
    ]
    if with_molecules:
        stops = {i for r in readings for i in r.stops}
        whole_groups = [r for r in readings if not any(_GROUP.search(_before(text, i)) for i in stops - set(r.stops))]
        readings = whole_groups or readings
        if len(readings) == 1:
            return readings[0]
    neutral = [r for r in readings if all(_is_salt(count_atoms(part)) for _, part in r.parts)]
    if len(neutral) == 1 and neutral[0].stops:
        return neutral[0]
    if not (with_molecules or len(neutral) > 1):
        return readings[0]
    others = [r for r in readings if r not in with_molecules]
    first, second = (neutral if len(neutral) > 1 else [*with_molecules, *others])[:2]
    raise NucleateError(
        f"it can be read as {first.text} and as {second.text}; write '{ADDUCT}' between the parts of an adduct, or a "
        "fraction such as 13/2 for a number"
    )


def _before(text: str, stop: int) -> str:
    """The text before the number that contains the full stop at index `stop`."""
    return text[:stop].rstrip("0123456789")


def _is_molecule(counts: Counts) -> bool:
    from nucleate.chem.composition import Formula

    return Formula.of_amounts(counts) in _molecules()


@cache
def _molecules() -> frozenset[tuple[tuple[str, int], ...]]:
    from nucleate.chem.composition import Formula

    found = (re.findall(r"([A-Z][a-z]?)(\d*)", m) for m in MOLECULES)
    return frozenset(Formula.of_amounts({e: int(n or 1) for e, n in m}) for m in found)


def _is_salt(counts: Counts) -> bool:
    """Whether the charges balance if all atoms of an element have the same oxidation state."""
    from nucleate.chem.checks import charge_neutrality, kind_without_ions
    from nucleate.chem.verdict import PASS

    return not kind_without_ions(counts) and charge_neutrality(counts, STATES).verdict == PASS
