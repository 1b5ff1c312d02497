"""Which crystals of the OQMD's ICSD part the library takes beside those of the Materials Project, and why not others.

Taken is a crystal that matches none of the Materials Project (`hiding.matching_rows`), has at most as many atoms as
those, passes nucleate's checks of volume, density and distances, and lies at most MOST_HEIGHT above the OQMD's own
hull. Of crystals that match each other the one that is lowest by the OQMD's energies is taken, of equal ones that with
the smallest number. Neither these energies nor the numbers of the ICSD come into the library.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.chem.verdict import FAIL
from nucleate.crystal.columns import GEOMETRY, structure_of_row
from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.files import replacing
from nucleate.library.hiding import matching_rows
from nucleate.library.library import load_library

SOURCE = "oqmd_icsd_all.parquet"
ATTRIBUTION = (
    "crystals of the Open Quantum Materials Database (oqmd.org), CC-BY 4.0; S. Kirklin et al., "
    "npj Computational Materials 1, 15010 (2015), J. E. Saal et al., JOM 65, 1501 (2013)"
)
MOST_HEIGHT = 1.0  # eV/atom above the hull of the OQMD; beyond it are failed calculations and impossible structures
MATCHED = pa.schema(
    [
        ("material_id", pa.string()),
        ("known", pa.bool_()),  # matches a crystal of the Materials Project
        ("fault", pa.string()),  # the check that it fails, "" for none
    ]
)


def write_matches(source: Path, library: Path, start: int, count: int, target: Path) -> None:
    """Write of the rows from `start` whether a crystal of the library matches them: `MATCHED`."""
    table = load_library(library).table
    rows = []
    for row in pq.read_table(source, columns=["material_id", *GEOMETRY]).slice(start, count).to_pylist():
        structure = structure_of_row(row)
        known = bool(matching_rows(table, structure))
        checks = {} if known else geometry_verdicts(structure)[0]
        failed = [name for name, verdict in checks.items() if verdict.verdict == FAIL]
        rows.append({"material_id": row["material_id"], "known": known, "fault": ", ".join(failed)})
    with replacing(target) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=MATCHED), temporary)


def chosen(source: Path, readable: Collection[str], matches: list[Path]) -> set[str]:
    """The ids of the crystals that are taken; prints how many are not, and why.

    readable: the ids of all crystals that could be read and are not too large. matches: files of `write_matches`.
    """
    left_out: Counter[str] = Counter()
    found = {row["material_id"]: row for path in matches for row in pq.read_table(path).to_pylist()}
    by_formula: dict[str, list[dict[str, Any]]] = defaultdict(list)
    seen: set[str] = set()
    for row in pq.read_table(source).to_pylist():
        id = row["material_id"]
        if id in seen:
            left_out["repeated rows"] += 1
            continue
        seen.add(id)
        if id not in readable:
            left_out["unreadable or too large"] += 1
        elif found[id]["known"]:
            left_out["match a crystal of the Materials Project"] += 1
        elif found[id]["fault"]:
            left_out[f"fail the check of {found[id]['fault']}"] += 1
        elif not row["stability"] <= MOST_HEIGHT:
            left_out[f"more than {MOST_HEIGHT:g} eV/atom above the hull of the OQMD"] += 1
        else:
            by_formula[row["formula"]].append(row)
    out: set[str] = set()
    for rows in by_formula.values():
        taken = _different(rows)
        out.update(taken)
        left_out["match another one of the OQMD"] += len(rows) - len(taken)
    print(f"{len(out):,} crystals of the OQMD are taken; left out: {dict(left_out)}", flush=True)
    return out


def _different(rows: list[dict[str, Any]]) -> list[str]:
    """The ids of crystals of one formula of which no two match, the lowest in energy first."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    fit = StructureMatcher(primitive_cell=False).fit
    kept: list[tuple[str, Any]] = []
    for row in sorted(rows, key=lambda row: (row["stability"], int(row["material_id"].partition("-")[2]))):
        own = structure_of_row(row).get_primitive_structure()
        if not any(len(own) == len(other) and fit(own, other) for _, other in kept):
            kept.append((row["material_id"], own))
    return [id for id, _ in kept]
