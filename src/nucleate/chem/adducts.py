"""Adducts and hydrates: "CuSO4·5H2O", and "CuSO4.5H2O", whose full stop could be a decimal point.

Every way to read the full stops is tried; charges, and groups of atoms that never come in fractions, decide. Where they
do not, both readings are named.
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

Counts = Mapping[str, Any]  # whole numbers and `Fraction`
Read = Callable[[str], Counts]  # atoms of a text without adducts; raises NucleateError

MOST = 6  # full stops whose meaning is tried; a text with more has decimal points alone
STATES = "icsd24-3"
MOLECULES = frozenset(
    ("H2O", "H2O2", "NH3", "N2H4", "HF", "HCl", "HBr", "HI", "HNO3", "H2SO4", "H3PO4", "H3BO3", "CO2", "SO2", "SO3")
)  # often bound in crystals as they are
_NUMBER = re.compile(r"\s*(?P<n>\d+/[1-9]\d*|\d*\.?\d*)\s*(?P<rest>.*)", re.DOTALL)
# a fraction of an oxygen atom on one of these, or of a group in brackets, is no compound
_GROUP = re.compile(r"(?:(?:S|N|C|P|Cl|Br|I|Se|As|B|Te)\d*O|\))$")


@dataclass(frozen=True)
class _Reading:
    """parts: of the adduct, with how often each is there. stops: places of full stops that are decimal points."""

    parts: tuple[tuple[Fraction, str], ...]
    stops: tuple[int, ...]

    @property
    def text(self) -> str:
        """The adduct as a text with a raised dot between its parts."""
        return ADDUCT.join(f"{n if n != 1 else ''}{part}" for n, part in self.parts)


def parts_of(text: str, read: Read) -> tuple[tuple[Fraction, str], ...]:
    """The parts of a formula in plain signs (`chem.written.plain`) and how often each is there; one part of most.

    read: atoms of a part. Raises NucleateError for a text that can be read in two ways, and what `read` raises.
    """
    if ADDUCT not in text and "." not in text:
        return ((Fraction(1), text),)
    sure = "".join(ADDUCT if c == "." and _separates(text, i) else c for i, c in enumerate(text))
    stops = [i for i, c in enumerate(sure) if c == "."]
    if len(stops) > MOST:
        return _reading(sure, ()).parts
    readings, faults = [], []
    for choice in product((False, True), repeat=len(stops)):  # decimal points alone come first
        cuts = [i for i, cut in zip(stops, choice, strict=True) if cut]
        try:
            reading = _reading("".join(ADDUCT if i in cuts else c for i, c in enumerate(sure)), tuple(cuts))
            counts = [read(part) for _, part in reading.parts]
        except NucleateError as error:
            faults.append(error)
            continue
        if not cuts or all(len(c) > 1 for c in counts):  # a full stop before a bare element is a decimal point
            readings.append(reading)
    if not readings:
        raise faults[0]
    return _judged(sure, _natural(readings), read).parts


def _separates(text: str, place: int) -> bool:
    """Whether a full stop can be no decimal point: there is a blank beside it, or no digit after it."""
    return not text[place + 1 : place + 2].isdigit() or text[place - 1 : place].isspace()


def _reading(text: str, cuts: tuple[int, ...]) -> _Reading:
    parts = []
    pieces = text.split(ADDUCT)
    for piece in pieces:
        found = _NUMBER.match(piece)
        n, rest = (found["n"], found["rest"]) if found and len(pieces) > 1 else ("", piece)
        if len(pieces) > 1 and (variable := re.match(r"[nmxyz](?=[A-Z(])", rest)):
            raise NucleateError(f"{variable[0]} is a variable; put a number in its place")
        if not rest.strip():
            raise NucleateError("a dot without a compound on each side of it")
        if n and not Fraction(n):
            raise NucleateError("a count of zero")
        parts.append((Fraction(n or 1), rest.strip()))
    return _Reading(tuple(parts), cuts)


def _natural(readings: Sequence[_Reading]) -> Sequence[_Reading]:
    """Without those that have numbers such as 7.10 and 4.0, where there are others."""
    natural = [r for r in readings if not re.search(r"\.\d*0(?!\d)", r.text)]
    return natural or readings


def _judged(text: str, readings: Sequence[_Reading], read: Read) -> _Reading:
    if len(readings) == 1:
        return readings[0]
    bound = [r for r in readings if r.stops and all(_is_molecule(read(part)) for _, part in r.parts[1:])]
    if bound:
        stops = {i for r in readings for i in r.stops}
        whole = [r for r in readings if not any(_GROUP.search(_before(text, i)) for i in stops - set(r.stops))]
        readings = whole or readings
        if len(readings) == 1:
            return readings[0]
    sound = [r for r in readings if all(_is_salt(read(part)) for _, part in r.parts)]
    if len(sound) == 1 and sound[0].stops:
        return sound[0]
    if not (bound or len(sound) > 1):
        return readings[0]
    first, second = (sound if len(sound) > 1 else [*bound, *(r for r in readings if r not in bound)])[:2]
    raise NucleateError(
        f"it can be read as {first.text} and as {second.text}; write '{ADDUCT}' between the parts of an adduct, or a "
        "fraction such as 13/2 for a number"
    )


def _before(text: str, stop: int) -> str:
    """What stands before the number that a full stop is in."""
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
    """Whether ions of one charge for each element balance."""
    from nucleate.chem.checks import charge_neutrality, kind_without_ions
    from nucleate.chem.verdict import PASS

    return not kind_without_ions(counts) and charge_neutrality(counts, STATES).verdict == PASS
