"""Tables of the known phases of a chemical system, of any number of elements, together with candidates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nucleate.files import replacing
from nucleate.hull.phase_diagram import Phase, known_phases
from nucleate.hull.reference import ReferenceSet
from nucleate.io.cells import write_csv

FORMATS = (".csv", ".json")


def write_phases(
    path: str | Path, elements: Sequence[str], reference: ReferenceSet, candidates: Sequence[Phase] = ()
) -> list[Phase]:
    """Write the lowest known crystal of each composition of a system, and below them the candidates, each lowest
    e_above_hull first, as .csv or .json. Returns the known phases.

    Each row has formula, kind ("known" or "candidate"), stable, e_form and e_above_hull (eV/atom), the atomic fraction
    of each element, method and reference. Raises NucleateError for an element that has no energy in the reference.
    """
    known = sorted(known_phases(elements, reference), key=_order)
    rows = [
        {
            "formula": p.name,
            "kind": kind,
            "stable": p.stable,
            "e_form": round(p.e_form, 6),
            "e_above_hull": round(p.above, 6),
            **{f"fraction_{e}": round(x, 6) for e, x in zip(elements, p.fractions, strict=True)},
            "method": reference.method,
            "reference": reference.name,
        }
        for kind, phases in (("known", known), ("candidate", sorted(candidates, key=_order)))
        for p in phases
    ]
    if Path(path).suffix.lower() == ".csv":
        write_csv(Path(path), rows)
    else:
        with replacing(path) as temporary:
            _json(temporary, elements, rows)
    return known


def _order(phase: Phase) -> tuple[float, str]:
    return round(phase.above, 6), phase.name


def _json(path: Path, elements: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    path.write_text(json.dumps({"system": "-".join(elements), "phases": rows}, indent=1) + "\n", encoding="utf-8")
