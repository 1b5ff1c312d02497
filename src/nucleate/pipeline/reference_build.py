"""Build a reference set: pick known crystals from a table, give each an energy, keep every result as it comes.

Elements are relaxed in full, so that formation energies refer to true minima of the potential; compounds get one
energy at the geometry of the data base. The work is ordered so that a partial result is already useful: elements, then
stable binaries, ternary oxides, other ternaries, the rest, and last what lies slightly above the hull.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.elements import atomic_number, symbol
from nucleate.errors import NucleateError
from nucleate.pipeline.reference import Entry, FormulaKey, ReferenceSet, formula_key

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pymatgen.core import Structure

SYMPREC = 0.1  # angstrom, for the space group, as in `NoveltyStage`
PRIMITIVE_SYMPREC = 0.01  # angstrom, for the primitive cell: only true copies are merged
ELEMENTS_EACH = 4  # allotropes relaxed for each element
ELEMENT_ATOMS = 12  # atoms in the primitive cell of an allotrope, except the lowest one
BATCH = 32
CRYSTAL_COLUMNS = ("material_id", "atomic_numbers", "frac_coords", "lengths", "angles")

EnergyOf = Callable[[Sequence["Structure"]], Sequence[float]]  # eV/atom
Relaxer = Callable[["Structure"], tuple["Structure", float]]  # relaxed crystal, eV/atom
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Known:
    """A known crystal in its primitive cell. lattice: (3, 3) angstrom, rows. e_above_hull: of its source, eV/atom."""

    source: str
    key: FormulaKey
    space_group: int
    e_above_hull: float
    lattice: NDArray[np.float64]
    frac_coords: NDArray[np.float64]
    atomic_numbers: tuple[int, ...]

    def structure(self) -> Structure:
        from pymatgen.core import Structure

        return Structure(self.lattice, [symbol(z) for z in self.atomic_numbers], self.frac_coords)


def known_table(dataset: str, needs_hull: bool = False) -> pa.Table:
    """All splits of a data set, or a parquet file of crystals, with the columns that comparing structures needs.

    needs_hull: e_above_hull as well (NucleateError where there is none).
    """
    import pyarrow as pa

    columns = [*CRYSTAL_COLUMNS, "e_above_hull"] if needs_hull else list(CRYSTAL_COLUMNS)
    tables = _splits(dataset)
    for table in tables:
        if missing := [c for c in columns if c not in table.column_names]:
            raise NucleateError(f"{dataset} lacks column '{missing[0]}'; needed are {', '.join(columns)}")
    return pa.concat_tables([t.select(columns) for t in tables], promote_options="permissive")


def _splits(dataset: str) -> list[pa.Table]:
    from nucleate.data import CATALOG, load_table
    from nucleate.data.catalog import SPLITS

    if dataset.endswith(".parquet") or ":" in dataset:
        return [load_table(dataset)]
    if dataset in CATALOG:
        return [load_table(dataset, split) for split in SPLITS]
    first = load_table(dataset, "train")  # a data set of the user's own need not have the others
    tables = [first]
    for split in ("val", "test"):
        with contextlib.suppress(NucleateError):
            tables.append(load_table(dataset, split))
    return tables


def select(
    table: pa.Table,
    max_e_hull: float | None = 0.02,
    max_atoms: int = 40,
    elements: Sequence[str] | None = None,
) -> list[Known]:
    """The crystals worth an energy, most useful first.

    table: columns material_id, atomic_numbers, frac_coords (flat), lengths, angles, and e_above_hull unless
    `max_e_hull` is None. Kept: up to `max_atoms` atoms in the primitive cell, e_above_hull known and at most
    `max_e_hull`, the lowest one of each formula and space group; of each element its `ELEMENTS_EACH` lowest allotropes,
    whatever they lie above the hull. elements: only crystals of these.
    """
    needed = [*CRYSTAL_COLUMNS, "e_above_hull"] if max_e_hull is not None else list(CRYSTAL_COLUMNS)
    wanted = {atomic_number(e) for e in elements} if elements else None
    missing = [c for c in needed if c not in table.column_names]
    if missing:
        raise NucleateError(f"the table lacks column '{missing[0]}'; a reference needs {', '.join(needed)}")
    compounds: dict[tuple[FormulaKey, int], Known] = {}
    pure: dict[str, list[Known]] = {}
    for known in _read(table.select(needed), max_e_hull, max_atoms, wanted):
        if len(known.key) == 1:
            pure.setdefault(known.key[0][0], []).append(known)
            continue
        place = (known.key, known.space_group)
        if place not in compounds or known.e_above_hull < compounds[place].e_above_hull:
            compounds[place] = known
    return [k for e in sorted(pure) for k in _allotropes(pure[e])] + sorted(compounds.values(), key=_usefulness)


def _read(table: pa.Table, max_e_hull: float | None, max_atoms: int, wanted: set[int] | None) -> Iterator[Known]:
    from pymatgen.core import Lattice

    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            numbers = row["atomic_numbers"]
            if not numbers or any(row[c] is None for c in ("frac_coords", "lengths", "angles")):
                continue  # a known crystal whose coordinates are missing
            above = row.get("e_above_hull")
            above = float("inf") if above is None or np.isnan(above) else float(above)
            kinds = set(numbers)
            if not kinds or (wanted is not None and not kinds <= wanted):
                continue
            if len(kinds) > 1 and max_e_hull is not None and above > max_e_hull:
                continue
            lattice = Lattice.from_parameters(*row["lengths"], *row["angles"]).matrix
            number, cell = _primitive(lattice, np.reshape(row["frac_coords"], (-1, 3)), numbers)
            if len(cell[2]) <= max_atoms:
                key = formula_key({symbol(z): n for z, n in Counter(numbers).items()})
                yield Known(row["material_id"], key, number, above, *cell)


def _primitive(lattice: Any, frac: Any, numbers: Sequence[int]) -> tuple[int, tuple[Any, Any, tuple[int, ...]]]:
    """Space group number, and the primitive cell if it is smaller than the given one."""
    import logging

    import moyopy

    logging.getLogger("moyo").setLevel(logging.ERROR)  # it warns about every supercell, which is what we look for
    cell = moyopy.Cell(np.asarray(lattice).tolist(), np.asarray(frac).tolist(), list(numbers))
    number, primitive = 1, None
    try:
        number = moyopy.MoyoDataset(cell, symprec=SYMPREC).number
        primitive = moyopy.MoyoDataset(cell, symprec=PRIMITIVE_SYMPREC).prim_std_cell
    except (ValueError, RuntimeError):  # moyopy finds no consistent symmetry: the cell stays as it is
        pass
    if primitive is None or len(primitive.numbers) >= len(numbers):
        return number, (np.asarray(lattice), np.asarray(frac), tuple(numbers))
    return number, (np.asarray(primitive.basis), np.asarray(primitive.positions), tuple(primitive.numbers))


def _allotropes(crystals: list[Known]) -> list[Known]:
    ordered = sorted(crystals, key=lambda k: (k.e_above_hull, len(k.atomic_numbers), k.source))
    groups: set[int] = set()
    small = []
    for known in ordered:  # one of each space group
        if len(known.atomic_numbers) <= ELEMENT_ATOMS and known.space_group not in groups:
            groups.add(known.space_group)
            small.append(known)
    kept = small[:ELEMENTS_EACH]
    return kept if ordered[0] in kept else [ordered[0], *kept[: ELEMENTS_EACH - 1]]


def _usefulness(known: Known) -> tuple[bool, int, float, str]:
    size = len(known.key)
    kind = size if size != 3 or any(s == "O" for s, _ in known.key) else 3.5
    return known.e_above_hull > 5e-4, int(2 * min(kind, 4)), len(known.atomic_numbers), known.source


def formula_of(key: FormulaKey) -> str:
    """A plain formula in the usual order of elements, e.g. "LiFePO4"."""
    from pymatgen.core import Composition

    ordered = sorted(Composition(dict(key)).get_el_amt_dict().items(), key=lambda item: _electronegativity(item[0]))
    return "".join(s + (str(round(n)) if n > 1 else "") for s, n in ordered)


def _electronegativity(element: str) -> tuple[float, str]:
    import warnings

    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # none for noble gases
        x = Element(element).X
    return (x if x == x else 9.0), element


def _entry(known: Known, energy: float, structure: Structure | None) -> Entry:
    if structure is None:
        volume, number = abs(np.linalg.det(known.lattice)) / len(known.atomic_numbers), known.space_group
    else:
        volume = structure.volume / len(structure)
        number = _primitive(structure.lattice.matrix, structure.frac_coords, known.atomic_numbers)[0]
    atoms = len(known.atomic_numbers)
    return Entry(formula_of(known.key), float(energy), number, known.source, round(float(volume), 3), atoms)


def compute(
    crystals: Sequence[Known],
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


def _batches(crystals: Sequence[Known]) -> Iterator[Sequence[Known]]:
    """Elements alone, since each is relaxed; compounds together."""
    elements = [k for k in crystals if len(k.key) == 1]
    others = [k for k in crystals if len(k.key) > 1]
    yield from ([k] for k in elements)
    yield from (others[i : i + BATCH] for i in range(0, len(others), BATCH))


def _evaluate(batch: Sequence[Known], energy_of: EnergyOf, relaxer: Relaxer) -> Iterator[dict[str, Any]]:
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
        temporary = path.with_name(path.name + ".part")
        temporary.write_text(text)
        os.replace(temporary, path)
    lines = [json.loads(line) for line in text.splitlines()]
    if lines and lines[0].get("method") != method:
        raise NucleateError(f"{path} holds energies by {lines[0].get('method')}, not {method}: give another part file")
    return lines[1:]


def finalise(
    part: str | Path, out: str | Path, name: str, method: str, planned: int, metadata: Mapping[str, str]
) -> ReferenceSet:
    """Turn what a part file holds, complete or not, into the reference set `out`, whose metadata say what is in it."""
    if not Path(part).exists():
        raise NucleateError(f"no part file {part}: nothing has been computed yet")
    rows = read_part(part, method)
    entries = [Entry(**row) for row in rows if "failed" not in row]
    if not entries:
        raise NucleateError(f"{part} holds no energies yet")
    failed = [row for row in rows if "failed" in row]
    contents = describe(entries, planned, len(failed))
    reference = ReferenceSet.from_entries(name, method, entries, {**metadata, "contents": contents})
    reference.save(out)
    return reference


def describe(entries: Iterable[Entry], planned: int, failed: int) -> str:
    """What a set contains, by number of elements, and whether it is all that was planned."""
    entries = list(entries)
    sizes = Counter(sum(c.isupper() for c in e.formula) for e in entries)
    kinds = {1: "elemental", 2: "binary", 3: "ternary", 4: "quaternary"}
    counts = ", ".join(f"{n} {kinds.get(size, f'{size}-element')}" for size, n in sorted(sizes.items()))
    state = "complete" if len(entries) + failed >= planned else f"partial: {len(entries)} of {planned} planned crystals"
    return f"{counts}; {state}; {failed} refused by the potential"


def build_reference(
    table: pa.Table,
    out: str | Path,
    *,
    name: str,
    part: str | Path | None = None,
    max_e_hull: float | None = 0.02,
    max_atoms: int = 40,
    potential: str = "chgnet",
    elements: Sequence[str] | None = None,
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> ReferenceSet:
    """Select crystals of `table`, compute their energies with `potential` and save the set to `out`.

    Goes on where an earlier call stopped if the same `part` file is given (default: beside `out`).
    """
    part = part or Path(out).with_suffix(".jsonl")
    method, energy_of, relaxer = methods(potential)
    crystals = select(table, max_e_hull, max_atoms, elements)
    if not crystals:
        raise NucleateError("no crystal of the table qualifies; allow a larger e_above_hull or more atoms")
    compute(crystals, part, method, energy_of, relaxer, progress)
    rule = (
        f"e_above_hull <= {max_e_hull} eV/atom in the source, " if max_e_hull is not None else ""
    ) + f"<= {max_atoms} atoms in the primitive cell, the lowest of each formula and space group"
    return finalise(part, out, name, method, len(crystals), {"selection": rule, **ENERGIES, **(metadata or {})})


ENERGIES = {"energies": "elements relaxed with this method; compounds: single points at the geometry of the source"}


def methods(potential: str) -> tuple[str, EnergyOf, Relaxer]:
    """Method string, single-point energies and full relaxation of a potential."""
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.potential import get_potential
    from nucleate.pipeline.relax import RelaxSettings, relax, single_point

    settings = RelaxSettings(fmax=0.03, max_steps=500, potential=potential)

    def energy_of(structures: Sequence[Structure]) -> list[float]:
        # one by one: batches of crystals of different sizes took twice as long on a CPU
        return single_point(structures, batch_size=1, potential=potential)

    def relaxer(structure: Structure) -> tuple[Structure, float]:
        result = relax(Candidate("element", structure=structure), settings)
        if result.failure is not None or result.structure is None:
            raise NucleateError(result.failure or "no structure")
        return result.structure, result.energies["energy"].value

    return get_potential(potential).method, energy_of, relaxer
