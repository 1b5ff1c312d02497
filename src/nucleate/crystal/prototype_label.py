"""Names of structure types in the way of AFLOW's labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from nucleate.crystal.symmetry import pearson_symbol
from nucleate.crystal.wyckoff import get_space_group

_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def prototype_label(space_group: int, places: Sequence[Sequence[int]]) -> str:
    """Anonymous formula, Pearson symbol, space group and Wyckoff letters: "ABC3_cP5_221_a_b_c".

    places: of each element the places of its Wyckoff positions among those of the group. Elements come by their number
    of atoms, then by their places; the letters are taken as they are given.
    """
    positions = get_space_group(space_group).positions
    ordered = sorted((sum(positions[i].size for i in own), tuple(sorted(own))) for own in places)
    unit = math.gcd(*(n for n, _ in ordered))
    formula = "".join(_NAMES[i % 26] + (str(n // unit) if n > unit else "") for i, (n, _) in enumerate(ordered))
    written = "_".join(
        "".join(f"{n if n > 1 else ''}{positions[i].letter}" for i, n in Counter(own).items()) for _, own in ordered
    )
    return f"{formula}_{pearson_symbol(space_group, sum(n for n, _ in ordered))}_{space_group}_{written}"
