"""CIF files in which elements share sites or sites are partly empty. They are read for `tasks.substitute`, which makes
ordered cells of them.

All other readers refuse such files, because no potential can compute them. They are read by pymatgen, without the
checks of doubtful files in `io.cif`.
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
OVER = 1.001  # occupancies of a site may add up to this much because of rounding


def read_with_shared_sites(paths: Sequence[str | Path]) -> tuple[list[Named], list[Problem]]:
    """The crystals and problems of `io.read_structures`, and in addition the crystals of CIF files with shared or
    partly empty sites.

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
    """The crystal of a CIF with shared or partly empty sites; None if it has no such sites or pymatgen cannot read
    it."""
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (structure,) = CifParser(str(path), occupancy_tolerance=OVER).parse_structures(primitive=False)
    except Exception:  # a broken file can cause any exception in a parser
        return None
    if structure.is_ordered or not math.isfinite(structure.volume) or not len(structure):
        return None
    structure.remove_oxidation_states()
    return structure
