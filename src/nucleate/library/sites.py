"""The sites of a crystal as a text: its Wyckoff letters by element, "a_b_c" of SrTiO3, "4a_2ab" of a larger one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from nucleate.crystal.prototype_label import prototype_label
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError

_PART = re.compile(r"(\d*)([a-zA-Z])")


def written_sites(space_group: int, elements: Sequence[int], places: Sequence[int]) -> str:
    """The text of sites in canonical order; elements, places: of each site its atomic number and the place of its
    Wyckoff position among those of the group."""
    positions = get_space_group(space_group).positions
    parts = []
    for _, run in groupby(zip(elements, places, strict=True), key=lambda site: site[0]):
        letters = [positions[place].letter for _, place in run]
        parts.append("".join(_counted(letter, len(list(same))) for letter, same in groupby(letters)))
    return "_".join(parts)


@lru_cache(maxsize=4096)
def read_sites(space_group: int, text: str) -> tuple[tuple[int, ...], ...]:
    """The places of the Wyckoff positions of each element, in the order of the text; NucleateError for a letter that
    the group does not have."""
    table = get_space_group(space_group)
    out = []
    for part in text.split("_"):
        found = _PART.findall(part)
        if not found or "".join(n + letter for n, letter in found) != part:
            raise NucleateError(f"'{part}' is no list of Wyckoff letters such as 4a2b")
        out.append(tuple(table.index(letter) for n, letter in found for _ in range(int(n or 1))))
    return tuple(out)


@lru_cache(maxsize=4096)
def label_of_sites(space_group: int, text: str) -> str:
    """The label of the structure type with these letters. `CanonicalCrystal.anonymous_prototype` has the first letters
    of all settings instead, which in most crystals are the same."""
    return prototype_label(space_group, read_sites(space_group, text))


def _counted(letter: str, n: int) -> str:
    return f"{n if n > 1 else ''}{letter}"
