"""CIF files in which elements share sites, or sites are partly empty, for `tasks.substitute`, which orders them.

Every other reader refuses such files, since no potential can take them. These are read by pymatgen, without the search
for the meaning of doubtful files that `io.cif` makes.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.io.read import Named, Problem, Remark, find_files, nothing_read, read_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

ENDINGS = (".cif", ".mcif")
OVER = 1.001  # occupancies of a site that add up to so much are rounded


def read_with_shared_sites(paths: Sequence[str | Path]) -> tuple[list[Named], list[Problem]]:
    """What `io.read_structures` reads, and of CIF files that it refuses those whose sites are shared or partly empty.

    Raises NucleateError as `io.read_structures` does.
    """
    found: list[Named] = []
    problems: list[Problem] = []
    files, skipped = find_files(paths)
    problems += skipped
    for path in files:
        items = list(read_items([path]))
        refused = [i for i in items if isinstance(i, Problem) and not isinstance(i, Remark)]
        shared = _shared(path) if refused and path.suffix.lower() in ENDINGS and len(items) == len(refused) else None
        if shared is not None:
            found.append(Named(path.stem, shared, file=str(path)))
            problems.append(Remark(str(path), None, "its sites are shared; read by pymatgen, occupancies and all"))
            continue
        found += [item for item in items if isinstance(item, Named)]
        problems += [item for item in items if isinstance(item, Problem)]
    if not found:
        raise nothing_read(paths, problems)
    return found, problems


def _shared(path: Path) -> Structure | None:
    """The crystal of a CIF with shared or partly empty sites; None for any other, and where pymatgen finds none."""
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (structure,) = CifParser(str(path), occupancy_tolerance=OVER).parse_structures(primitive=False)
    except Exception:  # a parser meets anything in a broken file, and may raise anything
        return None
    if structure.is_ordered or not math.isfinite(structure.volume) or not len(structure):
        return None
    structure.remove_oxidation_states()
    return structure
