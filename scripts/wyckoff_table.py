"""Write src/nucleate/crystal/wyckoff.txt: operations and Wyckoff positions of the 230 space groups in the standard
setting of the International Tables, from PyXtal's tables (MIT licence). Run it again only if the format changes:

    python scripts/wyckoff_table.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nucleate.crystal.symmetry import space_group_symbol

OUT = Path(__file__).parent.parent / "src" / "nucleate" / "crystal" / "wyckoff.txt"


def block(number: int) -> str:
    """A group: a line of number and symbol, a line of operations, and a line for each position, a first."""
    from pyxtal.symmetry import Group

    group = Group(number)
    first: dict[bytes, str] = {}  # one operation for each rotation, since centring makes the others
    for op in group[0].ops:
        first.setdefault(op.rotation_matrix.round().astype(int).tobytes(), text(op))
    lines = [f"{number}\t{space_group_symbol(number)}", "; ".join(first.values())]
    for position in reversed(group.Wyckoff_positions):
        position.get_site_symmetry()
        row = (position.letter, position.multiplicity, position.site_symm, text(position.ops[0]))
        lines.append("\t".join(map(str, row)))
    return "\n".join(lines)


def text(op: Any) -> str:
    return op.as_xyz_str().replace(" ", "")


if __name__ == "__main__":
    OUT.write_text("\n\n".join(block(n) for n in range(1, 231)) + "\n")
    print(f"{OUT}: {OUT.stat().st_size} bytes")
