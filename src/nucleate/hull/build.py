"""Build a reference set: choose known crystals from a table, compute the energy of each, and keep every result at once.

Elements are relaxed in full, so that formation energies refer to minima of the potential. Compounds get the energy at
the geometry of the source. The order of the crystals makes a partial result useful: elements come first, then stable
binaries, stable ternary oxides, other stable ternaries, all other stable crystals, and last the crystals slightly above
the hull.
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
from nucleate.hull.known_crystals import KnownCrystal, primitive_cell
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
        number = primitive_cell(structure.lattice.matrix, structure.frac_coords, known.atomic_numbers)[0]
    atoms = len(known.atomic_numbers)
    return Entry(formula_text(dict(known.key)), float(energy), number, known.source, round(float(volume), 3), atoms)


def compute_energies(
    crystals: Sequence[KnownCrystal],
    part: str | Path,
    method: str,
    energy_of: EnergyOf,
    relaxer: Relaxer,
    progress: Progress | None = None,
) -> None:
    """Compute the energy of every crystal and append it to the file `part` (JSON lines). Crystals that the file already
    has are skipped, so that a killed run can be continued.

    method: of the energies. energy_of: energies of structures as they stand, eV/atom. relaxer: relaxes one structure.
    A crystal that the potential refuses is recorded with the reason. Raises NucleateError if `part` holds energies of
    another method.
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
    """Elements one by one, because each is relaxed; compounds in batches."""
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
        except Exception:  # one bad crystal fails the whole batch; below, each is computed by itself
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
        except Exception as error:  # any error of a potential concerns this crystal only
            yield {"source": known.source, "failed": f"{type(error).__name__}: {error}".splitlines()[0]}


def read_part(part: str | Path, method: str) -> list[dict[str, Any]]:
    """The rows of a part file. A last line that a killed process did not finish is removed from the file.

    Raises NucleateError if the file holds energies of another method.
    """
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


def assemble_reference(
    part: str | Path,
    out: str | Path,
    name: str,
    method: str,
    planned: int,
    metadata: Mapping[str, str],
    corrections: Mapping[str, float] | None = None,
) -> ReferenceSet:
    """Make the reference set `out` of the energies in a part file, whether or not all are there; the metadata of the
    set say what it contains.

    planned: number of crystals that were to be computed. corrections: from `corrections_of`, eV/atom by source; they
    are added to the energies, and the method says so. Crystals without one are left out of the set. Raises
    NucleateError where there are no energies.
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
        method = EnergyMethod(method).with_corrections()
    contents = contents_text(entries, planned, len(failed), uncorrected)
    reference = ReferenceSet.from_entries(name, method, entries, {**metadata, "contents": contents})
    reference.save(out)
    return reference


def contents_text(entries: Iterable[Entry], planned: int, failed: int, uncorrected: int = 0) -> str:
    """A line that says how many crystals a set contains, by number of elements, and whether those are all `planned`.

    failed: number of crystals that the potential refused. uncorrected: number of those left out because their
    correction is not known.
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
    """Compute the energies of `crystals` (from `known_crystals.select_crystals`) with `potential` and save the set to
    `out`.

    correct: whether MP2020 corrections are added; None adds them if the potential's method says that its energies are
    uncorrected. A call with the `part` file of an earlier one (default: beside `out`) continues it. Raises
    NucleateError where there are no crystals or no energies.
    """
    if not crystals:
        raise NucleateError("no crystal of the table qualifies; allow a larger e_above_hull or more atoms")
    part = part or Path(out).with_suffix(".jsonl")
    method, energy_of, relaxer = potential_functions(potential)
    compute_energies(crystals, part, method, energy_of, relaxer, progress)
    if correct is None:
        correct = EnergyMethod(method).corrected is False
    added = corrections_of(crystals) if correct else None
    return assemble_reference(part, out, name, method, len(crystals), {**ENERGIES, **(metadata or {})}, added)


def corrections_of(crystals: Iterable[KnownCrystal]) -> dict[str, float]:
    """The MP2020 correction of each crystal whose correction is known, eV/atom, by source. It takes about 6 ms each."""
    found = {known.source: known_correction(known.structure()) for known in crystals}
    return {source: value for source, value in found.items() if value is not None}


def selection_rule(max_e_hull: float | None, max_atoms: int) -> str:
    """A line for the metadata of a set that says which crystals `known_crystals.select_crystals` kept."""
    hull = f"e_above_hull <= {max_e_hull} eV/atom in the source, " if max_e_hull is not None else ""
    return f"{hull}<= {max_atoms} atoms in the primitive cell, the lowest of each formula and space group with its ties"


ENERGIES = {"energies": "elements relaxed with this method; compounds: single points at the geometry of the source"}


def potential_functions(potential: str) -> tuple[str, EnergyOf, Relaxer]:
    """The method of a potential, a function for its energies of structures as they stand, and one that relaxes."""
    from nucleate.pipeline.candidate import Candidate
    from nucleate.potentials.registry import get_potential
    from nucleate.relaxation.pool import RelaxSettings, relax_candidate, single_point

    settings = RelaxSettings(fmax=0.03, max_steps=500, potential=potential)

    def energy_of(structures: Sequence[Structure]) -> list[float]:
        # one by one, because batches of crystals of different sizes took twice as long on a CPU
        return single_point(structures, batch_size=1, potential=potential)

    def relaxer(structure: Structure) -> tuple[Structure, float]:
        result = relax_candidate(Candidate("element", structure=structure), settings)
        if result.failure is not None or result.structure is None:
            raise NucleateError(str(result.failure or "no structure"))
        return result.structure, result.energies["energy"].value

    return get_potential(potential).method, energy_of, relaxer
