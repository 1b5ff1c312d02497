"""Build a reference set: pick known crystals from a table, give each an energy, keep every result as it comes.

Elements are relaxed in full, so that formation energies refer to true minima of the potential; compounds get one
energy at the geometry of the data base. The work is ordered so that a partial result is already useful: elements, then
stable binaries, ternary oxides, other ternaries, the rest, and last what lies slightly above the hull.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.hull.known_crystals import KnownCrystal, primitive
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.corrections import known_correction
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from pymatgen.core import Structure

BATCH = 32

EnergyOf = Callable[[Sequence["Structure"]], Sequence[float]]  # eV/atom
Relaxer = Callable[["Structure"], tuple["Structure", float]]  # relaxed crystal, eV/atom
Progress = Callable[[int, int], None]


def _entry(known: KnownCrystal, energy: float, structure: Structure | None) -> Entry:
    if structure is None:
        volume, number = abs(np.linalg.det(known.lattice)) / len(known.atomic_numbers), known.space_group
    else:
        volume = structure.volume / len(structure)
        number = primitive(structure.lattice.matrix, structure.frac_coords, known.atomic_numbers)[0]
    atoms = len(known.atomic_numbers)
    return Entry(formula_text(dict(known.key)), float(energy), number, known.source, round(float(volume), 3), atoms)


def compute(
    crystals: Sequence[KnownCrystal],
    part: str | Path,
    method: str,
    energy_of: EnergyOf,
    relaxer: Relaxer,
    progress: Progress | None = None,
) -> None:
    """Give every crystal an energy and append it to the file `part` (JSON lines), which also lets a killed run go on.

    A crystal that the potential refuses is recorded with the reason. Raises NucleateError if `part` holds
    energies of another method.
    """
    path = Path(part)
    done = {row["source"] for row in read_part(path, method)} if path.exists() else set()
    todo = [k for k in crystals if k.source not in done]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        if path.stat().st_size == 0:
            file.write(json.dumps({"method": method}) + "\n")
        finished = len(crystals) - len(todo)
        for batch in _batches(todo):
            for row in _evaluate(batch, energy_of, relaxer):
                file.write(json.dumps(row) + "\n")
            file.flush()
            os.fsync(file.fileno())
            finished += len(batch)
            if progress is not None:
                progress(finished, len(crystals))


def _batches(crystals: Sequence[KnownCrystal]) -> Iterator[Sequence[KnownCrystal]]:
    """Elements alone, since each is relaxed; compounds together."""
    elements = [k for k in crystals if len(k.key) == 1]
    others = [k for k in crystals if len(k.key) > 1]
    yield from ([k] for k in elements)
    yield from (others[i : i + BATCH] for i in range(0, len(others), BATCH))


def _evaluate(batch: Sequence[KnownCrystal], energy_of: EnergyOf, relaxer: Relaxer) -> Iterator[dict[str, Any]]:
    structures = [k.structure() for k in batch]
    energies: Sequence[float] | None = None
    if len(batch[0].key) > 1:
        try:
            energies = energy_of(structures)
        except Exception:  # one bad crystal spoils the batch: find it one by one below
            energies = None
    for i, (known, structure) in enumerate(zip(batch, structures, strict=True)):
        try:
            if len(known.key) == 1:
                relaxed, energy = relaxer(structure)
            else:
                relaxed, energy = None, (energies[i] if energies is not None else energy_of([structure])[0])
            if not np.isfinite(energy):
                raise NucleateError("the energy is not a number")
            yield _entry(known, energy, relaxed)._asdict()
        except Exception as error:  # whatever a potential raises is this crystal's failure, not the run's
            yield {"source": known.source, "failed": f"{type(error).__name__}: {error}".splitlines()[0]}


def read_part(part: str | Path, method: str) -> list[dict[str, Any]]:
    """The rows of a part file; a last line cut off by a kill is ignored (and removed, so that appending is safe)."""
    path = Path(part)
    text = path.read_text()
    if not text.endswith("\n") and text:
        text = text[: text.rfind("\n") + 1]
        with replacing(path) as temporary:
            temporary.write_text(text)
    lines = [json.loads(line) for line in text.splitlines()]
    if lines and lines[0].get("method") != method:
        raise NucleateError(f"{path} holds energies by {lines[0].get('method')}, not {method}: give another part file")
    return lines[1:]


def finalise(
    part: str | Path,
    out: str | Path,
    name: str,
    method: str,
    planned: int,
    metadata: Mapping[str, str],
    corrections: Mapping[str, float] | None = None,
) -> ReferenceSet:
    """Turn what a part file holds, complete or not, into the reference set `out`, whose metadata say what is in it.

    corrections: of `corrections_of`, by source; they are added to the energies and change the name of their method.
    What has none stays out of the set.
    """
    if not Path(part).exists():
        raise NucleateError(f"no part file {part}: nothing has been computed yet")
    rows = read_part(part, method)
    entries = [Entry(**row) for row in rows if "failed" not in row]
    if not entries:
        raise NucleateError(f"{part} holds no energies yet")
    failed, uncorrected = [row for row in rows if "failed" in row], 0
    if corrections is not None:
        known = [(e, corrections[e.source]) for e in entries if e.source in corrections]
        uncorrected = len(entries) - len(known)
        entries = [e._replace(energy=e.energy + added, correction=added) for e, added in known]
        method = str(EnergyMethod.parse(method).with_corrections())
    contents = describe(entries, planned, len(failed), uncorrected)
    reference = ReferenceSet.from_entries(name, method, entries, {**metadata, "contents": contents})
    reference.save(out)
    return reference


def describe(entries: Iterable[Entry], planned: int, failed: int, uncorrected: int = 0) -> str:
    """What a set contains, by number of elements, and whether it is all that was planned.

    failed: crystals that the potential refused. uncorrected: those left out because their correction is not known.
    """
    entries = list(entries)
    sizes = Counter(sum(c.isupper() for c in e.formula) for e in entries)
    kinds = {1: "elemental", 2: "binary", 3: "ternary", 4: "quaternary"}
    counts = ", ".join(f"{n} {kinds.get(size, f'{size}-element')}" for size, n in sorted(sizes.items()))
    done = len(entries) + failed + uncorrected
    state = "complete" if done >= planned else f"partial: {len(entries)} of {planned} planned crystals"
    left_out = f"; {uncorrected} left out, whose MP2020 correction is not known" if uncorrected else ""
    return f"{counts}; {state}; {failed} refused by the potential{left_out}"


def build_reference(
    crystals: Sequence[KnownCrystal],
    out: str | Path,
    *,
    name: str,
    part: str | Path | None = None,
    potential: str = "chgnet",
    correct: bool | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ReferenceSet:
    """Compute the energies of `crystals` (of `known.select`) with `potential` and save the set to `out`.

    correct: add MP2020 corrections; None: if the potential's method says that its energies are uncorrected. Goes on
    where an earlier call stopped if the same `part` file is given (default: beside `out`).
    """
    if not crystals:
        raise NucleateError("no crystal of the table qualifies; allow a larger e_above_hull or more atoms")
    part = part or Path(out).with_suffix(".jsonl")
    method, energy_of, relaxer = methods(potential)
    compute(crystals, part, method, energy_of, relaxer, progress)
    if correct is None:
        correct = EnergyMethod.parse(method).corrected is False
    added = corrections_of(crystals) if correct else None
    return finalise(part, out, name, method, len(crystals), {**ENERGIES, **(metadata or {})}, added)


def corrections_of(crystals: Iterable[KnownCrystal]) -> dict[str, float]:
    """The MP2020 correction of each crystal whose correction is known, eV/atom, by its source; about 6 ms each."""
    found = {known.source: known_correction(known.structure()) for known in crystals}
    return {source: value for source, value in found.items() if value is not None}


def selection_rule(max_e_hull: float | None, max_atoms: int) -> str:
    """What `select` keeps, for the metadata."""
    hull = f"e_above_hull <= {max_e_hull} eV/atom in the source, " if max_e_hull is not None else ""
    return f"{hull}<= {max_atoms} atoms in the primitive cell, the lowest of each formula and space group with its ties"


ENERGIES = {"energies": "elements relaxed with this method; compounds: single points at the geometry of the source"}


def methods(potential: str) -> tuple[str, EnergyOf, Relaxer]:
    """Method string, single-point energies and full relaxation of a potential."""
    from nucleate.pipeline.candidate import Candidate
    from nucleate.potentials.registry import get_potential
    from nucleate.relaxation.pool import RelaxSettings, relax_candidate, single_point

    settings = RelaxSettings(fmax=0.03, max_steps=500, potential=potential)

    def energy_of(structures: Sequence[Structure]) -> list[float]:
        # one by one: batches of crystals of different sizes took twice as long on a CPU
        return single_point(structures, batch_size=1, potential=potential)

    def relaxer(structure: Structure) -> tuple[Structure, float]:
        result = relax_candidate(Candidate("element", structure=structure), settings)
        if result.failure is not None or result.structure is None:
            raise NucleateError(str(result.failure or "no structure"))
        return result.structure, result.energies["energy"].value

    return get_potential(potential).method, energy_of, relaxer
