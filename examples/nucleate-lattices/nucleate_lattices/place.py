"""The external program: python place.py FORMULA SEED FOLDER writes FOLDER/structure.cif, and knows no nucleate."""

import random
import re
import sys
from collections.abc import Mapping
from math import gcd
from pathlib import Path

CORNER, BODY = (0.0, 0.0, 0.0), (0.5, 0.5, 0.5)
FACES = [(0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)]
LATTICES = {  # ratio -> the sites of each element, in a cubic cell
    (1,): [[CORNER]],
    (1, 1): [[CORNER], [BODY]],
    (1, 3): [[CORNER], FACES],
    (1, 1, 3): [[CORNER], [BODY], FACES],
}


def ratio(counts: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of atoms of the elements, divided by what they have in common, sorted."""
    return tuple(sorted(n // gcd(*counts.values()) for n in counts.values()))


def cif(counts: Mapping[str, int], seed: int) -> str:
    """The text of a CIF: cells of one formula unit in a row."""
    rng = random.Random(seed)
    units = gcd(*counts.values())
    elements = sorted(counts, key=lambda e: (counts[e], rng.random()))
    sites = LATTICES[ratio(counts)]
    a = 2.6 * len([s for group in sites for s in group]) ** (1 / 3) * rng.uniform(0.9, 1.15)
    lines = ["data_structure", f"_cell_length_a {a:.5f}", f"_cell_length_b {a:.5f}", f"_cell_length_c {units * a:.5f}"]
    lines += [f"_cell_angle_{name} 90" for name in ("alpha", "beta", "gamma")]
    lines += ["_symmetry_space_group_name_H-M 'P 1'", "loop_", "_atom_site_type_symbol"]
    lines += [f"_atom_site_fract_{axis}" for axis in "xyz"]
    for k in range(units):
        for element, group in zip(elements, sites, strict=True):
            lines += [f"{element} {x:.6f} {y:.6f} {(z + k) / units:.6f}" for x, y, z in group]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    formula, number, folder = sys.argv[1:]
    found = {element: int(n) for element, n in re.findall(r"([A-Z][a-z]?)(\d+)", formula)}
    Path(folder, "structure.cif").write_text(cif(found, int(number)), encoding="utf-8")
