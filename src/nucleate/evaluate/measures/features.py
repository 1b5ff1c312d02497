"""Measurements on single crystals, made in parallel with a time limit and kept on disk.

The file of a set is named after its content. So a reference set is measured only once, and an interrupted run continues
where it ended.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.io import replacing
from nucleate.parallel import map_again

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

VERSION = 1  # version of the measurements; with another number all crystals are measured again
TIME_LIMIT = 20.0  # seconds for one crystal
SAVE_EVERY = 60.0  # seconds
N_STRUCTURE = 61  # length of the CrystalNN fingerprint

Progress = Callable[[int, int], None]
Arrays = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.int64]"]  # lattice, frac_coords, numbers


@dataclass(frozen=True, eq=False)
class Features:
    """Measurements of n crystals. If there is no crystal or a measurement failed, its value is nan, 0 or False.

    has (n,): whether there is a crystal. num_atoms, num_elements, space_group (0: unknown): (n,). density (n,): in
    g/cm3. valid, valid_corrected (n,): structural validity as published, and with images of the same atom and density.
    lemat_distances, lemat_plausible (n,): the two rules of LeMat-GenBench, False if they were not requested.
    fingerprint (n, 61): the mean CrystalNN site fingerprint, nan if it failed. reasons: index -> (stage, reason) of
    failed measurements.
    """

    has: NDArray[np.bool_]
    num_atoms: NDArray[np.int64]
    num_elements: NDArray[np.int64]
    space_group: NDArray[np.int64]
    density: NDArray[np.float64]
    valid: NDArray[np.bool_]
    valid_corrected: NDArray[np.bool_]
    lemat_distances: NDArray[np.bool_]
    lemat_plausible: NDArray[np.bool_]
    fingerprint: NDArray[np.float64]
    reasons: dict[int, list[tuple[str, str]]]

    def __len__(self) -> int:
        return len(self.has)

    @property
    def has_fingerprint(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.fingerprint).all(1))

    def take(self, indices: Sequence[int] | NDArray[np.int64]) -> Features:
        """The measurements of the crystals at the given positions, in that order."""
        index = np.asarray(indices, dtype=np.int64)
        arrays = {k: getattr(self, k)[index] for k in _COLUMNS}
        reasons = {k: self.reasons[int(i)] for k, i in enumerate(index) if int(i) in self.reasons}
        return Features(reasons=reasons, **arrays)


_COLUMNS: dict[str, tuple[type, tuple[int, ...]]] = {
    "has": (bool, ()),
    "num_atoms": (int, ()),
    "num_elements": (int, ()),
    "space_group": (int, ()),
    "density": (float, ()),
    "valid": (bool, ()),
    "valid_corrected": (bool, ()),
    "lemat_distances": (bool, ()),
    "lemat_plausible": (bool, ()),
    "fingerprint": (float, (N_STRUCTURE,)),
}


def measure(
    structures: Sequence[Structure | None],
    *,
    lemat: bool = False,
    time_limit: float = TIME_LIMIT,
    workers: int | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Features:
    """Measure crystals. If a measurement of a crystal fails or takes too long, the others are kept, and the reason.

    lemat: also apply the rules of LeMat-GenBench. time_limit: seconds for one crystal. workers: number of processes,
    all cores by default. progress: called with (crystals done, all crystals). cache: a folder that keeps the
    measurements of just this set. The processes are spawned, so a script needs `if __name__ == "__main__":`.
    """
    crystals = [arrays_of(s) if s is not None else None for s in structures]
    salt = f"{VERSION}/{time_limit:g}/{lemat}"
    file = cache / f"features-{digest(crystals, salt)}.npz" if cache is not None else None
    table, reasons, done = _load_table(file, len(crystals))
    todo = [i for i, c in enumerate(crystals) if c is not None and not done[i]]
    saved = time.monotonic()
    finished = len(crystals) - len(todo)
    if progress is not None:
        progress(finished, len(crystals))
    for i, values, why, final in _measure_all(crystals, todo, lemat, time_limit, workers):
        for key, value in values.items():
            table[key][i] = value
        if why:
            reasons[i] = why
        done[i] = final
        finished += 1
        if progress is not None:
            progress(finished, len(crystals))
        if file is not None and time.monotonic() - saved > SAVE_EVERY:
            _save_table(file, table, reasons, done)
            saved = time.monotonic()
    if file is not None and todo:
        _save_table(file, table, reasons, done)
    return Features(reasons=reasons, **table)


def arrays_of(structure: Structure) -> Arrays:
    """(lattice (3, 3), fractional coordinates (n, 3), atomic numbers (n,)) of a structure, for worker processes.

    They need much less memory than a structure.
    """
    from nucleate.crystal.convert import species_numbers

    return np.asarray(structure.lattice.matrix), np.asarray(structure.frac_coords), species_numbers(structure)


def structure_from_arrays(lattice: NDArray, frac_coords: NDArray, numbers: NDArray) -> Structure:
    """The inverse of `arrays_of`."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(lattice), numbers.tolist(), frac_coords)


def digest(crystals: Sequence[Arrays | None], salt: str) -> str:
    """A hash of these crystals in this order. salt: what else the hash depends on."""
    h = hashlib.blake2b(salt.encode(), digest_size=12)
    for crystal in crystals:
        if crystal is None:
            h.update(b"-")
            continue
        for array in crystal:
            h.update(str(array.shape).encode())
            h.update(np.ascontiguousarray(array).tobytes())
    return h.hexdigest()


Row = tuple[int, dict[str, Any], list[tuple[str, str]], bool]  # index, values, reasons, whether they are final


def _measure_all(
    crystals: Sequence[Arrays | None], todo: list[int], lemat: bool, limit: float, workers: int | None
) -> Iterator[Row]:
    """Measure the crystals. One whose fingerprint crashes the worker or takes too long is measured again without it."""
    failed: dict[int, str] = {}

    def of(i: int, fingerprint: bool) -> tuple:
        return i, *(crystals[i] or ()), lemat, fingerprint

    def again(job: tuple, reason: str) -> list[tuple]:
        if job[0] in failed:
            return []
        failed[job[0]] = reason
        return [of(job[0], False)]

    jobs = [of(i, True) for i in todo]
    for (i, *_), outcome in map_again(_measure_job, jobs, again, limit=limit, workers=workers, prepare=_prepare):
        values, why = outcome.value if outcome.reason is None else ({"has": True}, [("crystal", outcome.reason)])
        if i in failed:  # perhaps because the machine was busy: measured again in the next run
            yield i, values, [*why, ("CrystalNN", failed[i])], False
        else:
            yield i, values, why, True


def _measure_job(index: int, *crystal: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    return measure_crystal(*crystal)


def _prepare() -> None:
    import moyopy  # noqa: F401
    import pymatgen.core  # noqa: F401
    import scipy.spatial  # noqa: F401

    import nucleate.evaluate.measures.crystalnn
    import nucleate.evaluate.measures.validity  # noqa: F401


def measure_crystal(
    lattice: NDArray, frac_coords: NDArray, numbers: NDArray, lemat: bool = False, fingerprint: bool = True
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """All measurements of one crystal (column -> value), and (stage, reason) of those that failed."""
    from nucleate.crystal.symmetry import find_symmetry
    from nucleate.evaluate.measures import validity
    from nucleate.evaluate.measures.crystalnn import structure_fingerprint

    structure = structure_from_arrays(lattice, frac_coords, numbers)
    reasons: list[tuple[str, str]] = []
    corrected = validity.structural_validity_corrected(structure)
    if corrected.verdict != "pass":
        reasons.append(("structure", corrected.reason))
    values: dict[str, Any] = {
        "has": True,
        "num_atoms": len(numbers),
        "num_elements": len(set(numbers.tolist())),
        "density": float(structure.density),
        "valid": validity.structural_validity(structure),
        "valid_corrected": corrected.verdict == "pass",
    }
    if lemat:
        values["lemat_distances"] = validity.lemat_distances(structure).verdict == "pass"
        values["lemat_plausible"] = validity.lemat_plausible(structure).verdict == "pass"
    try:
        values["space_group"] = find_symmetry(lattice, frac_coords, numbers, SYMPREC).number
    except ValueError as error:
        reasons.append(("space group", _first_line(error)))
    if fingerprint:
        try:
            values["fingerprint"] = structure_fingerprint(structure)
        except Exception as error:  # Qhull and degenerate cells raise errors of many kinds
            reasons.append(("CrystalNN", _first_line(error)))
    return values, reasons


SYMPREC = 0.1  # angstrom; the usual value in nucleate


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0][:120] if text else type(error).__name__


def _load_table(file: Path | None, n: int) -> tuple[dict[str, NDArray], dict[int, list[tuple[str, str]]], NDArray]:
    if file is not None and file.is_file():
        try:
            with np.load(file) as data:
                table = {k: data[k] for k in _COLUMNS}
                reasons = {int(k): [(a, b) for a, b in v] for k, v in json.loads(str(data["reasons"])).items()}
                return table, reasons, data["done"]
        except (OSError, ValueError, KeyError):
            pass  # the file is damaged: measure everything again
    table = {}
    for name, (kind, shape) in _COLUMNS.items():
        table[name] = np.full((n, *shape), np.nan if kind is float else 0, dtype=kind)
    return table, {}, np.zeros(n, dtype=bool)


def _save_table(
    file: Path, table: dict[str, NDArray], reasons: dict[int, list[tuple[str, str]]], done: NDArray
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as temporary, temporary.open("wb") as out:
        arrays: dict[str, Any] = {**table, "done": done, "reasons": np.array(json.dumps(reasons))}
        np.savez_compressed(out, **arrays)
