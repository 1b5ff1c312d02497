"""Space groups of crystals, found by moyopy, and their symbols. On 400 crystals moyopy found the same space groups as
spglib, four times faster."""

from __future__ import annotations

import logging
import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.convert import require_crystal, species_numbers
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pymatgen.core import Structure

UNKNOWN = (0, "?")
MOST_ATOMS = 5000  # in a cell whose symmetry is searched; for 8,000 atoms the search takes 20 s

# The second space group of each enantiomorphic pair -> the first (International Tables A, 2016, table 1.4.2.1 and
# section 3.2.2)
FIRST_OF_PAIR = {78: 76, 95: 91, 96: 92, 145: 144, 153: 151, 154: 152, 170: 169, 172: 171, 179: 178, 181: 180, 213: 212}


def space_group(structure: Structure, symprec: float = 0.1) -> tuple[int, str]:
    """Number (1-230) and short Hermann-Mauguin symbol, e.g. (225, "Fm-3m"); symprec in angstrom.

    The result is (0, "?") if no symmetry is found, which may happen with overlapping atoms, and for cells of more than
    5,000 atoms. Raises NucleateError if the structure is no ordered crystal or symprec is not positive.
    """
    require_crystal(structure)
    if not symprec > 0:
        raise NucleateError(f"symprec must be a positive length in angstrom, not {symprec}")
    try:
        number = find_symmetry(
            structure.lattice.matrix, structure.frac_coords, species_numbers(structure), symprec
        ).number
    except ValueError:
        return UNKNOWN
    return number, space_group_symbol(number)


def without_hand(number: int) -> int:
    """The same number for a space group and its mirror image: 92 for P4_12_12 (92) and for P4_32_12 (96).

    A crystal and its mirror image are the same compound with the same energy, but in 11 pairs of space groups they have
    different numbers. Use this function to compare the space groups of two crystals.
    """
    return FIRST_OF_PAIR.get(number, number)


def find_symmetry(lattice: ArrayLike, frac_coords: ArrayLike, numbers: ArrayLike, symprec: float) -> Any:
    """The symmetry of a crystal as a `moyopy.MoyoDataset`.

    lattice: (3, 3), rows in angstrom. frac_coords: (n, 3). numbers: (n,), different integers for different species.
    symprec: in angstrom. Raises ValueError if no consistent symmetry is found, and for more than MOST_ATOMS atoms.
    """
    import moyopy

    if len(np.asarray(numbers)) > MOST_ATOMS:
        raise ValueError(f"more than {MOST_ATOMS:,} atoms in the cell")

    logging.getLogger("moyo").setLevel(logging.ERROR)  # moyo warns whenever the cell is not primitive
    cell = moyopy.Cell(*(np.asarray(v).tolist() for v in (lattice, frac_coords, numbers)))  # moyopy needs lists
    try:
        return moyopy.MoyoDataset(cell, symprec=symprec)
    except RuntimeError as error:
        raise ValueError(str(error)) from None


@lru_cache(maxsize=230)
def space_group_symbol(number: int) -> str:
    """The short Hermann-Mauguin symbol of a space group 1-230, without blanks: 14 -> "P2_1/c". Raises NucleateError for
    another number."""
    import moyopy

    if not 1 <= number <= 230:
        raise NucleateError(f"space groups have numbers 1 to 230, not {number}")
    return moyopy.SpaceGroupType(number).hm_short.replace(" ", "")


_OLD = {"abm2": 39, "aba2": 41, "cmca": 64, "cmma": 67, "ccca": 68}  # symbols from before 1992, without the letter e
_PLAIN = str.maketrans("\u2010\u2011\u2012\u2013\u2212₀₁₂₃₄₅₆₇₈₉", "-----0123456789")


def space_group_number(text: str | int) -> int:
    """The number 1-230 of a space group that is given by its number or by a Hermann-Mauguin symbol in any usual
    spelling: 62, "62", "Pnma", "P n m a", "P21/c", "P2_1/c", "Fm-3m", "fm3m", "P 2_1/n 2_1/m 2_1/a", "R-3m:H".

    Symbols of other settings (Pbnm, P2_1/n) are understood, too. Raises NucleateError, with similar symbols, for one
    that does not exist.
    """
    given = str(text).strip()
    if given.lstrip("+-").isdigit():
        if not 1 <= int(given) <= 230:
            raise NucleateError(f"space groups have numbers 1 to 230, not {given}")
        return int(given)
    numbers, spelling = _symbols(), _normalised(given)
    if spelling in numbers:
        return numbers[spelling]
    from difflib import get_close_matches

    standard = {_normalised(space_group_symbol(n)): n for n in range(1, 231)}
    near = [standard[s] for s in get_close_matches(spelling, standard, 4, 0.6)]
    similar = ", ".join(f"{space_group_symbol(n)} ({n})" for n in near)
    advice = f"similar ones: {similar}" if near else "write 225 or Fm-3m, for example"
    raise NucleateError(f"no space group is called '{given[:40]}'; {advice}")


def is_space_group(text: str) -> bool:
    """Whether a text is a symbol that `space_group_number` understands."""
    return _normalised(text) in _symbols()


@cache
def _symbols() -> dict[str, int]:
    """Symbol, as `_normalised` writes it -> number of the space group: the short and full symbols of all 530 settings,
    and older symbols."""
    import moyopy

    entries = [moyopy.HallSymbolEntry(i) for i in range(1, 531)]
    found = {_normalised(name): e.number for e in entries for name in (e.hm_short, e.hm_full)}
    for e in entries[2:107]:  # the monoclinic ones are also written without the ones: P 1 2_1/n 1 is P2_1/n
        found[_normalised("".join(part for part in e.hm_full.split() if part != "1"))] = e.number
    cubic = {name.replace("-3", "3"): n for name, n in found.items() if n >= 200}  # as Fm3m was written before 1983
    return {**cubic, **_OLD, **found}


def _normalised(text: str) -> str:
    """A symbol in lower case, without blanks, underscores, TeX commands and the setting after a colon. A bar over a
    digit becomes a minus sign before it."""
    text = re.sub(r"\\(?:bar|overline)\s*\{?\s*(\d)\s*\}?", r"-\1", text.split(":")[0].translate(_PLAIN))
    text = re.sub("(\\d)[\u0304\u0305]", r"-\1", text)
    return re.sub(r"[\s_{}$*]", "", text).lower()


_FAMILIES = ((2, "a"), (15, "m"), (74, "o"), (142, "t"), (194, "h"), (230, "c"))  # last space group of each
_LATTICE_POINTS = {"P": 1, "A": 2, "C": 2, "I": 2, "F": 4, "R": 3}


def pearson_symbol(number: int, num_atoms: int) -> str:
    """The Pearson symbol of a space group with num_atoms in the primitive cell: (225, 2) -> "cF8".

    Atoms of rhombohedral crystals are counted in the hexagonal cell, and all cells centred on one face are called "C".
    """
    centring = space_group_symbol(number)[0]
    family = next(letter for last, letter in _FAMILIES if number <= last)
    return f"{family}{'C' if centring == 'A' else centring}{num_atoms * _LATTICE_POINTS[centring]}"
