"""Candidates in files: what one command of the pipeline writes, the next one reads."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError
from nucleate.io import Named, Problem, find_files, nothing_read, remarks_of, replacing, write_structures
from nucleate.pipeline.candidate import Candidate

RECORD_KEYS = {"id", "structure", "energies", "checks", "provenance"}


def read_candidates(paths: Sequence[str | Path]) -> tuple[list[Candidate], list[Problem]]:
    """Candidate records (.jsonl) as they are, with or without a structure; any other crystal as a new candidate.

    What to look at in crystals that were read (`Remark`) is among the problems. A new candidate's id is its name; its
    file, its scalar properties and, as `fixed`, the sites (from 0) that its file keeps in place are in `provenance`.
    An id that came before gets a number ("MgO-2") and keeps the old one as `provenance["id_in_file"]`. Raises
    NucleateError as `nucleate.io.read_structures` does.
    """
    found: list[Candidate] = []
    files, problems = find_files(paths)
    for path in files:
        for item in _candidates_of(path):
            if isinstance(item, Problem):
                problems.append(item)
            else:
                found.append(item)
    if not found:
        raise nothing_read(paths, problems)
    return with_own_ids(found), problems


def with_own_ids(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates, each with an id of its own: one that came before gets a number (see `read_candidates`)."""
    out: list[Candidate] = []
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for item in candidates:
        name = item.id
        while name in taken:
            counts[item.id] = counts.get(item.id, 1) + 1
            name = f"{item.id}-{counts[item.id]}"
        taken.add(name)
        if name != item.id:
            item = dataclasses.replace(item, id=name, provenance={**item.provenance, "id_in_file": item.id})
        out.append(item)
    return out


def _candidates_of(path: Path) -> Iterator[Candidate | Problem]:
    from nucleate.io.formats import read_file

    records = _records(path) if path.suffix.lower() == ".jsonl" else {}
    yield from records.values()
    for item in read_file(path):
        if item.row in records and item.row is not None:
            continue
        if isinstance(item, Problem):
            yield item
            continue
        yield from remarks_of(item)
        yield _wrap(item)


def _records(path: Path) -> dict[int, Candidate | Problem]:
    """The lines (from 1) that are candidate records."""
    out: dict[int, Candidate | Problem] = {}
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for row, line in enumerate(file, start=1):
            try:
                values = json.loads(line)
            except json.JSONDecodeError:
                continue  # the reader of structures reports it
            if isinstance(values, Mapping) and set(values) >= RECORD_KEYS:
                try:
                    out[row] = Candidate.from_dict(values)
                except Exception as error:  # pymatgen raises anything for a broken structure
                    out[row] = Problem(str(path), row, " ".join(str(error).split())[:300] or repr(error))
    return out


def _wrap(named: Named) -> Candidate:
    provenance: dict[str, Any] = {"generator": "file", "file": named.file}
    if named.row is not None:
        provenance["row"] = named.row
    if named.info:
        provenance["properties"] = named.info
    if named.fixed:
        provenance["fixed"] = list(named.fixed)
    return Candidate(id=named.name, structure=named.structure, provenance=provenance)


def write_candidates(path: str | Path, candidates: Iterable[Candidate]) -> list[Candidate]:
    """Write candidates, the format by the ending; returns those left out because they have no structure.

    .jsonl holds whole records and leaves nothing out. A folder of CIF, .extxyz, .xyz and .db (ASE) hold structures with
    energies, checks and failure as scalars (see `scalar_info`).
    """
    candidates = list(candidates)
    if Path(path).suffix.lower() == ".jsonl":
        if not candidates:
            raise NucleateError(f"no candidates to write to {path}")
        with replacing(path) as temporary:
            temporary.write_text("".join(c.to_json() + "\n" for c in candidates), encoding="utf-8")
        return []
    whole = [c for c in candidates if c.structure is not None]
    if candidates and not whole:
        raise NucleateError(
            f"none of the {len(candidates):,} candidates has a structure; only .jsonl holds such records"
        )
    write_structures(path, [Named(c.id, c.structure, scalar_info(c)) for c in whole if c.structure is not None])
    return [c for c in candidates if c.structure is None]


def scalar_info(candidate: Candidate) -> dict[str, Any]:
    """Energies (eV/atom) each with "_method" and "_reference", "check_<name>" verdicts and reasons, seed, failure.

    Predictions of a property network are "predicted_<column>", with "predicted_by".
    "energy" becomes "energy_per_atom": in ASE's formats `energy` means the total energy of the cell.
    """
    info: dict[str, Any] = {"seed": candidate.seed}
    for name, energy in candidate.energies.items():
        key = "energy_per_atom" if name == "energy" else name
        info[key] = energy.value
        info[f"{key}_method"] = energy.method
        if energy.reference:
            info[f"{key}_reference"] = energy.reference
    predicted = candidate.provenance.get("predicted", {})
    info |= {f"predicted_{column}": value for column, value in predicted.items()}
    if predicted:
        info["predicted_by"] = candidate.provenance["predicted_by"]
    for name, check in candidate.checks.items():
        info[f"check_{name}"] = check.verdict
        if check.reason:
            info[f"check_{name}_reason"] = check.reason
    if candidate.failure:
        info["failure"] = candidate.failure
    return info
