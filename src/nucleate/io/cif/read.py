"""Reads the crystal of a data block: tries all readings of its symmetry and takes the one that the file agrees with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.io.cif.evidence import Evidence, density_of_atoms, elements_of_rows, evidence_of, multiplicities_agree
from nucleate.io.cif.orbits import Atoms, expand
from nucleate.io.cif.sites import SiteRow, cif_number, not_a_number, rows_of
from nucleate.io.cif.symmetry import Reading, readings_of
from nucleate.io.cif.text import DataBlock, parse_block, split_blocks
from nucleate.io.parse import ParsedCrystal
from nucleate.io.rows import Rows, read_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTHS = tuple(f"_cell_length_{axis}" for axis in "abc")
ANGLES = tuple(f"_cell_angle_{angle}" for angle in ("alpha", "beta", "gamma"))
THINNEST = 0.5  # angstrom between opposite faces of a cell
# Bounds on the shortest distance of two atoms, in units of the sum of their covalent radii. Distances decide between
# two readings only if one of them has at least REAL and the other less than IMPOSSIBLE.
REAL, IMPOSSIBLE = 0.75, 0.65
APART = 0.5  # angstrom: the smallest distance of two atoms; those of a hydrogen molecule are 0.74 apart
_HAS_CRYSTAL = re.compile(r"^\s*_(cell[_.]length|atom_site)[_.]", re.MULTILINE | re.IGNORECASE)


def read_cif(path: Path) -> Rows:
    """One crystal for each data block with a cell or sites; other blocks are skipped.

    Raises NucleateError for a file that is not a CIF.
    """
    blocks = split_blocks(read_text(path))
    if not blocks:
        raise NucleateError("not a CIF file (no data_ block)")
    crystals = [b for b in blocks if _HAS_CRYSTAL.search(b[2])] or blocks[:1]
    names = [name for name, _, _ in crystals]
    distinct = len(set(names)) == len(names)
    for i, (header, line, text) in enumerate(crystals):
        single = len(crystals) == 1
        name = path.stem if single else f"{path.stem}-{header if distinct else i + 1}"
        yield None if single else i + 1, name, {}, partial(_crystal_of_block, text, line)


def structure_from_cif(text: str) -> ParsedCrystal:
    """The one crystal of a CIF text, its sites in the order of the file; raises NucleateError with the reason."""
    blocks = split_blocks(text)
    if not blocks:
        raise NucleateError(f"not a CIF (no data_ block): {' '.join(text.split())[:40]!r}")
    crystals = [b for b in blocks if _HAS_CRYSTAL.search(b[2])] or blocks[:1]
    if len(crystals) > 1:
        raise NucleateError(f"the CIF text has {len(crystals)} crystals; give one with a single crystal")
    _, line, block = crystals[0]
    return _crystal_of_block(block, line)


@dataclass(frozen=True)
class Trial:
    """The result of one reading of the symmetry: the atoms and an element for each row, or an objection."""

    reading: Reading
    atoms: Atoms | None = None
    elements: tuple[str, ...] = ()
    objection: str = ""

    def symbols(self) -> list[str]:
        """The element of every atom."""
        assert self.atoms is not None
        return [self.elements[row] for row in self.atoms.rows]

    def counts(self) -> dict[str, int]:
        symbols = self.symbols()
        return {e: symbols.count(e) for e in dict.fromkeys(symbols)}


def _crystal_of_block(text: str, line: int) -> ParsedCrystal:
    from pymatgen.core import Lattice, Structure

    block = parse_block(text, line)
    lattice, cell_remarks = _cell(block)
    rows, site_remarks = rows_of(block)
    evidence, evidence_remarks = evidence_of(block)
    trials = [_trial_of(reading, rows, lattice, evidence) for reading in readings_of(block, lattice)]
    trial, others = _decide(trials, rows, lattice, evidence)
    assert trial.atoms is not None
    if trial.reading.remark and trial.reading.name != "P 1" and _closest(trial, lattice) < IMPOSSIBLE:
        raise NucleateError(f"{trial.reading.remark}, but then atoms come closer than any bond between them")
    remarks = [*cell_remarks, *site_remarks, *trial.atoms.remarks, trial.reading.remark, *evidence_remarks]
    remarks += [f"read as {trial.reading.name}, as its atoms are impossible in {o.reading.name}" for o in others[:1]]
    remarks += [
        f"{row.name} is taken as {element}, by the formula"
        for row, element in zip(rows, trial.elements, strict=True)
        if not row.certain
    ]
    remarks += evidence.remarks(trial.counts(), lattice)
    remarks += _other_multiplicity(trial, rows)
    _require_apart(trial, rows, lattice)
    structure = Structure(Lattice(lattice), trial.symbols(), trial.atoms.positions)
    return ParsedCrystal(structure, tuple(dict.fromkeys(r for r in remarks if r)))


def _other_multiplicity(trial: Trial, rows: list[SiteRow]) -> list[str]:
    """A remark on the first row whose orbit has another size than the file says, if there is one."""
    assert trial.atoms is not None
    if multiplicities_agree(rows, trial.atoms, len(trial.reading.rotations)):
        return []
    sizes = trial.atoms.sizes(len(rows)).tolist()
    pairs = ((row, n) for row, n in zip(rows, sizes, strict=True) if row.multiplicity and n != row.multiplicity)
    row, size = next(pairs, (None, 0))
    return [f"{row.name} gives {size} atoms, but the file says {row.multiplicity}"] if row else []


def _require_apart(trial: Trial, rows: list[SiteRow], lattice: NDArray) -> None:
    """Raises NucleateError, which names the rows, if two atoms are nearer to each other than in any molecule."""
    from pymatgen.core import Lattice, Structure

    assert trial.atoms is not None
    structure = Structure(Lattice(lattice), trial.symbols(), trial.atoms.positions % 1.0)
    i, j, _, distances = structure.get_neighbor_list(APART)
    if not len(distances):
        return
    nearest = int(distances.argmin())
    a, b = (rows[trial.atoms.rows[k[nearest]]] for k in (i, j))
    who = f"{a.name} comes" if a is b else f"{a.name} and {b.name} come"
    whom = "one of its own images" if a is b else "each other"
    raise NucleateError(
        f"{who} within {distances[nearest]:.2f} angstrom of {whom}, nearer than any two atoms can be: the site is "
        f"disordered, or a coordinate or the symmetry ({trial.reading.name}) is wrong"
    )


def _cell(block: DataBlock) -> tuple[NDArray[np.float64], list[str]]:
    """The cell (3, 3), vectors in rows, in angstrom, and remarks. Missing angles are 90 degrees, as CIF defines."""
    from pymatgen.core import Lattice

    values = []
    absent = [tag for tag in ANGLES if tag not in block.columns]
    for tag in (*LENGTHS, *ANGLES):
        if tag in LENGTHS and tag not in block.columns:
            raise NucleateError(f"no {tag}; all three lengths of the cell are needed")
        text = block.only(tag) or ("90" if tag in absent else "")
        try:
            values.append(cif_number(text))
        except ValueError:
            raise not_a_number(tag, text) from None
    if min(values) <= 0 or max(values[3:]) >= 180:
        raise NucleateError(f"the cell is impossible: its lengths and angles are {', '.join(f'{v:g}' for v in values)}")
    alpha, beta, gamma = np.cos(np.radians(values[3:]))
    if 1 - alpha**2 - beta**2 - gamma**2 + 2 * alpha * beta * gamma <= 0:
        raise NucleateError(f"no cell can have the angles {', '.join(f'{v:g}' for v in values[3:])}")
    lattice = np.array(Lattice.from_parameters(*values).matrix)
    thickness = float((1 / np.linalg.norm(np.linalg.inv(lattice), axis=0)).min())
    if thickness < THINNEST:
        raise NucleateError(f"the cell is {thickness:.2g} angstrom thick, less than any atom; are its units angstrom?")
    remarks = [f"no {absent[0]}; missing angles are 90 degrees"] if absent else []
    return lattice, remarks


def _trial_of(reading: Reading, rows: list[SiteRow], lattice: NDArray, evidence: Evidence) -> Trial:
    try:
        atoms = expand(rows, reading.rotations, reading.translations, lattice)
    except NucleateError as error:
        return Trial(reading, objection=str(error))
    elements, objection = elements_of_rows(rows, atoms, evidence)
    return Trial(reading, atoms, tuple(elements or ()), objection)


def _decide(
    trials: list[Trial], rows: list[SiteRow], lattice: NDArray, evidence: Evidence
) -> tuple[Trial, list[Trial]]:
    """The only reading to which there is no objection, and the other readings, which distances ruled out.

    Raises NucleateError if there is no such reading, or more than one that give different crystals.
    """
    ranks = sorted({t.reading.rank for t in trials})
    for rank in ranks:
        sound = _distinct([t for t in trials if t.reading.rank == rank and not t.objection], lattice)
        if sound and rank != ranks[-1] and all(_closest(t, lattice) < IMPOSSIBLE for t in sound):
            further = _distinct([t for t in trials if t.reading.rank > rank and not t.objection], lattice)
            real = [t for t in further if _closest(t, lattice) >= REAL]
            sound = real or sound
        if len(sound) > 1:
            sound = _by_further_evidence(sound, rows, lattice, evidence)
        if len(sound) > 1:
            kept = _by_distances(sound, lattice)
            if kept is None:
                raise NucleateError(_ambiguity(sound, lattice))
            return kept, [t for t in sound if t is not kept]
        if sound:
            return sound[0], []
    first = trials[0]
    apart = [t for t in trials[1:] if t.objection != first.objection and t.reading.rank == first.reading.rank]
    if not apart:
        raise NucleateError(first.objection)
    raise NucleateError(f"as {first.reading.name} {first.objection}; as {apart[0].reading.name} {apart[0].objection}")


def _by_further_evidence(trials: list[Trial], rows: list[SiteRow], lattice: NDArray, evidence: Evidence) -> list[Trial]:
    """The readings that agree with the multiplicities and the density of the file. A criterion with which no reading
    agrees is ignored."""
    for agrees in (
        lambda t: multiplicities_agree(rows, t.atoms, len(t.reading.rotations)),
        lambda t: evidence.density_ratio(t.counts(), abs(np.linalg.det(lattice))) < 1.1,
    ):
        trials = [t for t in trials if agrees(t)] or trials
    return trials


def _distinct(trials: list[Trial], lattice: NDArray) -> list[Trial]:
    """One trial for each different crystal. Between readings that give the same crystal nothing has to be decided."""
    out: list[Trial] = []
    for trial in trials:
        if not any(_same_crystal(trial, other, lattice) for other in out):
            out.append(trial)
    return out


def _same_crystal(a: Trial, b: Trial, lattice: NDArray) -> bool:
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Lattice, Structure

    assert a.atoms is not None and b.atoms is not None
    if a.counts() != b.counts():
        return False
    first, second = (Structure(Lattice(lattice), t.symbols(), t.atoms.positions) for t in (a, b) if t.atoms is not None)
    matcher = StructureMatcher(ltol=0.001, stol=0.01, angle_tol=0.1, primitive_cell=False, scale=False)
    return bool(matcher.fit(first, second))


def _by_distances(trials: list[Trial], lattice: NDArray) -> Trial | None:
    """The only reading with realistic distances between atoms, if the distances of all others are impossible."""
    closest = [_closest(t, lattice) for t in trials]
    real = [t for t, c in zip(trials, closest, strict=True) if c >= REAL]
    impossible = sum(c < IMPOSSIBLE for c in closest)
    return real[0] if len(real) == 1 and impossible == len(trials) - 1 else None


def _closest(trial: Trial, lattice: NDArray) -> float:
    """The shortest distance of two atoms in units of the sum of their covalent radii."""
    from ase.data import atomic_numbers, covalent_radii
    from pymatgen.core import Lattice, Structure

    assert trial.atoms is not None
    radii = np.array([covalent_radii[atomic_numbers[s]] for s in trial.symbols()])
    structure = Structure(Lattice(lattice), trial.symbols(), trial.atoms.positions % 1.0)
    i, j, _, distances = structure.get_neighbor_list(2 * radii.max())
    return float((distances / (radii[i] + radii[j])).min()) if len(distances) else 1.0


def _ambiguity(trials: list[Trial], lattice: NDArray) -> str:
    volume = abs(np.linalg.det(lattice))
    ways = "; ".join(
        f"{t.reading.name}: {' '.join(f'{e}{n}' for e, n in t.counts().items())} in the cell "
        f"({density_of_atoms(t.counts(), volume):.2f} g/cm3)"
        for t in trials[:3]
    )
    return (
        f"the symmetry can be read in more than one way: {ways}. Add the name of the setting, its origin (':1', "
        "':2') or the operations"
    )
