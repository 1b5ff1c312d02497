"""CIF files, and structures of pymatgen in JSON, in which elements share sites or sites are partly empty. They are read
for `nucleate substitute` and `nucleate order`, which make ordered cells of them.

All other readers refuse such files, because no potential can compute them. CIFs are read by pymatgen, without the
checks of doubtful files in `io.cif`.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.chem.elements import atomic_number
from nucleate.io.read import Named, Problem, Remark, find_files, nothing_read, read_items

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pymatgen.core import Structure

ENDINGS = (".cif", ".mcif", ".json")
PARTIAL = "partial occupancy"  # in the refusals of the strict readers
MERGED = "species_merged"  # in the record of a crystal whose sites were shared by species of one element alone
SAME_ELEMENT = (
    "charges or isotopes of one element share sites (Fe2+ and Fe3+, H and D); each counts as its element, so every "
    "site holds one element"
)
_ISOTOPE = re.compile(r"(?m)(?<=\s)[DT](?=[\s\d])|^[DT](?=\d)")  # a symbol or the begin of a label in a row of atoms
OVER = 1.001  # occupancies of a site may add up to this much because of rounding
ANY = 1e3  # whatever they add up to


def read_with_shared_sites(paths: Sequence[str | Path]) -> tuple[list[Named], list[Problem]]:
    """The crystals and problems of `io.read_structures`, and in addition the crystals of CIF files, and of
    JSON files with one structure of pymatgen, with shared or partly empty sites.

    Raises NucleateError as `io.read_structures` does.
    """
    found: list[Named] = []
    problems: list[Problem] = []
    files, skipped = find_files(paths)
    problems += skipped
    for path in files:
        items = list(read_items([path]))
        refused = [i for i in items if isinstance(i, Problem) and not isinstance(i, Remark)]
        shared = (
            _shared(path, refused)
            if refused and path.suffix.lower() in ENDINGS and len(items) == len(refused)
            else None
        )
        if shared is not None:
            how = "" if path.suffix.lower() == ".json" else "by pymatgen, "
            reason = f"its sites are shared or partly empty; read {how}occupancies and all"
            found.append(Named(path.stem, shared, {MERGED: True} if shared.is_ordered else {}, str(path)))
            problems.append(Remark(str(path), None, SAME_ELEMENT if shared.is_ordered else reason))
            continue
        if refused and path.suffix.lower() in (".cif", ".mcif") and _parsed(path, ANY) is not None:
            items = [
                Problem(str(path), None, "the occupancies of one of its sites add up to more than 1; correct them")
            ]
        found += [item for item in items if isinstance(item, Named)]
        problems += [item for item in items if isinstance(item, Problem)]
    if not found:
        raise nothing_read(paths, problems)
    return found, problems


def _shared(path: Path, refused: Sequence[Problem]) -> Structure | None:
    """The crystal of a file with shared or partly empty sites, species of one element merged; None if it has no such
    sites or cannot be read. refused: what the strict readers say of the file."""
    structure = _parsed(path, OVER)
    if structure is not None:
        structure.remove_oxidation_states()
        # isotopes and charges alone make a site shared that holds one element; any other refusal stands
        if structure.is_ordered and not all(PARTIAL in problem.reason for problem in refused):
            return None
    return structure


def _parsed(path: Path, most: float) -> Structure | None:
    """As `_shared`, with charges. most: what the occupancies of a site of a CIF may add up to."""
    from pymatgen.io.cif import CifParser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix.lower() == ".json":
                structure = _of_dictionary(json.loads(path.read_text(encoding="utf-8")))
            else:
                # of hydrogen and deuterium on one site pymatgen adds the occupancies twice
                text = _ISOTOPE.sub("H", path.read_text(encoding="utf-8", errors="replace"))
                (structure,) = CifParser.from_str(text, occupancy_tolerance=most).parse_structures(primitive=False)
    except Exception:  # a broken file can cause any exception in a parser
        return None
    if not math.isfinite(structure.volume) or not len(structure):
        return None
    return structure


def _of_dictionary(values: Any) -> Structure:
    """The crystal of a dictionary of pymatgen; of its species only elements, charges and shares are taken, and nothing
    that the dictionary names is constructed."""
    from pymatgen.core import Lattice, Structure

    sites = values["sites"]
    mixes: list[dict[str, float]] = []
    for site in sites:
        mix: dict[str, float] = {}
        for one in site["species"]:
            share = float(one["occu"])
            if atomic_number(one["element"]) and not 0 < share <= OVER:
                raise ValueError(f"a share of {share}")
            mix[one["element"]] = mix.get(one["element"], 0.0) + share
        mixes.append(mix)
    return Structure(Lattice(values["lattice"]["matrix"]), mixes, [site["abc"] for site in sites])
