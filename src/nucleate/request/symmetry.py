"""Reads space groups and numbers of sites as users write them in requests."""

from __future__ import annotations

from collections.abc import Sequence

from nucleate.crystal.symmetry import space_group_number, space_group_symbol
from nucleate.errors import NucleateError
from nucleate.request.elements import parse_elements

SYSTEMS = {
    "triclinic": (1, 2),
    "monoclinic": (3, 15),
    "orthorhombic": (16, 74),
    "tetragonal": (75, 142),
    "trigonal": (143, 167),
    "hexagonal": (168, 194),
    "cubic": (195, 230),
}  # first and last space group
ALL_COMMON = "common"


def read_space_groups(text: str) -> tuple[int, ...]:
    """The numbers of the space groups that a text names, each once.

    Possible are "Pnma", "62,225", "cubic", "common" (the 32 most frequent groups of the training crystals) and
    "common:8"; () for "". Raises NucleateError for any other text.
    """
    out: list[int] = []
    for part in filter(None, (p.strip() for p in text.split(","))):
        if part.lower() in SYSTEMS:
            first, last = SYSTEMS[part.lower()]
            out += range(first, last + 1)
        elif part.split(":")[0].strip().lower() == ALL_COMMON:
            out += _common(part.partition(":")[2].strip())
        else:
            out.append(space_group_number(part))
    return tuple(dict.fromkeys(out))


def read_site_counts(text: str) -> dict[str, int]:
    """Element -> number of sets of equivalent atoms, from a text such as "K:1,Cu:2"; {} for "". Raises NucleateError
    for any other text."""
    out: dict[str, int] = {}
    for part in filter(None, (p.strip() for p in text.split(","))):
        name, _, count = part.partition(":")
        if not count.strip().isdecimal():
            raise NucleateError(f"sites are written as in K:1,Cu:2,Si:1, element and number of sites; '{part}' is not")
        (element,) = parse_elements(name)
        if element in out:
            raise NucleateError(f"the sites of {element} are given twice")
        out[element] = int(count)
    return out


def groups_text(numbers: Sequence[int]) -> str:
    """Space groups as words after "a request for": "space group Pnma (62)", "a cubic space group"."""
    for name, (first, last) in SYSTEMS.items():
        if tuple(numbers) == tuple(range(first, last + 1)):
            return f"a{'n' if name == 'orthorhombic' else ''} {name} space group"
    if len(numbers) > 4:
        return f"one of {len(numbers)} space groups"
    return f"space group {' or '.join(f'{space_group_symbol(n)} ({n})' for n in numbers)}"


def _common(count: str) -> list[int]:
    from nucleate.generators import read_info
    from nucleate.generators.methods import ADAPTIVE_WEIGHTS
    from nucleate.generators.symmetry_chooser import COMMON, SymmetryChooser

    count = count or str(COMMON)
    if not (count.isdecimal() and 1 <= int(count) <= 230):
        raise NucleateError(f"how many of the commonest space groups is a number from 1 to 230, not '{count}'")
    info = read_info(ADAPTIVE_WEIGHTS)
    return SymmetryChooser(info.codec, info.max_atoms).common(int(count))
