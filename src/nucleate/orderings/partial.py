"""Ordered cells of a crystal whose sites are shared by several elements or partly empty, ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.alike import mean_charges
from nucleate.chem.composition import Formula
from nucleate.chem.formula import formula_text
from nucleate.crystal.orderings import Parent
from nucleate.crystal.shared_sites import SYMPREC, VACANCY, mix_of, operations_of, primitive_cell, without_vacancies
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError
from nucleate.orderings.engine import MOST, Arrangements, arrangements
from nucleate.orderings.ewald import energies_of_charges, ewald_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Array = NDArray[np.float64]
    Counts = list[list[int]]

EXACT = 0.005  # shares of a site that differ by less are the same: a file writes 0.33 for a third
TOLERANCE = 0.02  # how far the share of a species may be from that of the file, with a word of warning
MAX_ATOMS = 60  # in an ordered cell
TOO_CLOSE = 1.0  # angstrom; atoms of shared sites may not be nearer
EVEN = 1e-6  # shares that agree
NEUTRAL = 0.05  # e in a cell; a larger charge has no electrostatic energy


@dataclass(frozen=True, eq=False)
class PartialCrystal:
    """The primitive cell of a crystal with shared sites. parent: with a group for each set of equivalent shared sites.
    mixes: of each group, element or "vacancy" -> share. whole: of each site its element, "" for a shared one."""

    parent: Parent
    mixes: list[dict[str, float]]
    whole: list[str]

    def counts(self, index: int) -> Counts:
        """The sites of each species of each group in `index` cells, as near to the shares as whole numbers can be."""
        out = []
        for mix, size in zip(self.mixes, self.parent.sizes, strict=True):
            wanted = np.array(list(mix.values())) * size * index
            own = np.floor(wanted + EVEN).astype(int)
            for place in np.argsort(own - wanted, kind="stable")[: size * index - int(own.sum())]:
                own[place] += 1
            out.append(own.tolist())
        return out

    def deviation(self, counts: Counts, index: int) -> float:
        """The largest difference of a share from that of the crystal."""
        return max(
            abs(n / (size * index) - share)
            for own, mix, size in zip(counts, self.mixes, self.parent.sizes, strict=True)
            for n, share in zip(own, mix.values(), strict=True)
        )

    def composition(self, counts: Counts, index: int) -> dict[str, int]:
        """Element -> atoms in the cell."""
        out: dict[str, int] = {}
        pairs = [(s, n) for mix, own in zip(self.mixes, counts, strict=True) for s, n in zip(mix, own, strict=True)]
        for symbol, n in [*((s, index) for s in self.whole if s), *pairs]:
            if symbol != VACANCY and n:
                out[symbol] = out.get(symbol, 0) + n
        return out

    def shares(self, counts: Counts | None = None, index: int = 1) -> str:
        """The shares of each group in words: "La 0.5, Sr 0.5; O 0.9"."""
        said = []
        for group, (mix, size) in enumerate(zip(self.mixes, self.parent.sizes, strict=True)):
            own = list(mix.values()) if counts is None else [n / (size * index) for n in counts[group]]
            said.append(", ".join(f"{s} {share:.4g}" for s, share in zip(mix, own, strict=True)))
        return "; ".join(said)


@dataclass(frozen=True, eq=False)
class OrderedCrystal:
    """One ordered cell. index: of its space group in that of the disordered crystal, before atoms move. space_group:
    its number. energy: electrostatic, of the ions on these sites, eV/atom; None where charges are not known."""

    structure: Structure
    index: int
    space_group: int
    energy: float | None


@dataclass(frozen=True, eq=False)
class OrderedCrystals:
    """The ordered cells of a crystal, best first. found: how many there are. total: arrangements before symmetry.
    deviation: the largest difference of a share of a site from the given one. charges: by which energies were computed.
    notes: what a user must know, in sentences."""

    crystals: tuple[OrderedCrystal, ...]
    found: int
    total: int
    deviation: float
    charges: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def order_partial(
    structure: Structure,
    *,
    count: int = 20,
    max_atoms: int = MAX_ATOMS,
    tolerance: float = TOLERANCE,
    multiples: int = 1,
    charges: Mapping[str, float] | None = None,
    most: int = MOST,
    seed: int = 0,
) -> OrderedCrystals:
    """The ordered cells of a crystal with shared or partly empty sites: the first `count`, by electrostatic energy
    where charges are known, else the most symmetric first.

    max_atoms: in a cell. tolerance: the largest difference of a share from that of the crystal, if no cell holds the
    shares within EXACT. multiples: cells of up to so many times the smallest size are tried. charges: element -> charge
    in e; by default those of the likeliest neutral ions. most, seed: as in `engine.arrangements`. Raises NucleateError,
    with the nearest composition, where no cell is near enough or an element would vanish, and for a crystal without
    shared sites.
    """
    if count < 1 or multiples < 1 or max_atoms < 1:
        raise NucleateError(f"count, multiples and max_atoms are at least 1, not {count}, {multiples} and {max_atoms}")
    crystal = partial_crystal(structure)
    first, deviation, notes = _smallest(crystal, max_atoms, tolerance)
    composition = crystal.composition(crystal.counts(first), first)
    if lost := sorted({e.symbol for e in structure.composition.elements} - {s for s, n in composition.items() if n}):
        raise NucleateError(
            f"the nearest composition in cells of up to {max_atoms} atoms, {formula_text(composition)}, has no "
            f"{' and no '.join(lost)} any more; allow larger cells (--max-atoms)"
        )
    ions, said = _charges(composition, crystal, charges)
    notes += said
    every: list[_Ranked] = []
    total = 0
    for times in range(1, multiples + 1):
        index = first * times
        counts = [[n * times for n in own] for own in crystal.counts(first)]
        if times > 1 and sum(crystal.composition(counts, index).values()) > max_atoms:
            notes.append(f"cells of {times} times the smallest size have more than {max_atoms} atoms and are not tried")
            break
        made = arrangements(crystal.parent, index, counts, most=most, seed=seed)
        total += made.total
        notes += [made.note] if made.note else []
        ranked = [one for part in made.parts for one in _ranked(crystal, part, ions)]
        if overlapping := len(made) - len(ranked):
            notes.append(
                f"{overlapping:,} distinct arrangements with atoms nearer than {TOO_CLOSE} angstrom are left out"
            )
        every += ranked
    if not every:
        raise NucleateError(
            f"each of {total:,} arrangements has atoms nearer than {TOO_CLOSE} angstrom on the shared sites"
            if not any("random sample" in note for note in notes)
            else f"none of the arrangements that were looked at keeps atoms {TOO_CLOSE} angstrom apart; {notes[-1]}"
        )
    every.sort(key=lambda one: (round(one.energy or 0.0, 6), one.index))
    crystals = tuple(_built(crystal, one) for one in every[:count])
    return OrderedCrystals(crystals, len(every), total, deviation, ions or {}, tuple(dict.fromkeys(notes)))


def partial_crystal(structure: Structure) -> PartialCrystal:
    """The primitive cell of a crystal with shared sites. Raises NucleateError for a crystal without any."""
    mixes = [mix_of(site) for site in structure]
    keys = [tuple(sorted((s, round(share, 4)) for s, share in mix.items())) for mix in mixes]
    kinds = {key: i + 1 for i, key in enumerate(dict.fromkeys(keys))}
    first = {number: mixes[keys.index(key)] for key, number in kinds.items()}
    if all(len(mix) == 1 for mix in mixes):
        raise NucleateError("every site holds one element, so there is nothing to order")
    lattice, positions, numbers = primitive_cell(structure, [kinds[key] for key in keys])
    rotations, translations = operations_of(lattice, positions, numbers)
    try:
        orbits = list(find_symmetry(lattice, positions, numbers, SYMPREC).orbits)
    except ValueError:
        orbits = list(range(len(numbers)))
    shared = [o for o, n in zip(orbits, numbers, strict=True) if len(first[n]) > 1]
    places = {orbit: i for i, orbit in enumerate(dict.fromkeys(shared))}
    groups = np.array([places.get(o, -1) for o in orbits])
    whole = ["" if len(first[n]) > 1 else next(iter(first[n])) for n in numbers]
    parent = Parent(lattice, positions, groups, rotations, translations)
    return PartialCrystal(parent, [dict(first[numbers[orbit]]) for orbit in places], whole)


def _smallest(crystal: PartialCrystal, max_atoms: int, tolerance: float) -> tuple[int, float, list[str]]:
    """The smallest number of cells that holds the shares within EXACT, else the one that is nearest to them, within
    the tolerance; how far that is, and what must be said of it."""
    tried = []
    for index in range(1, max(max_atoms, 1) + 1):
        counts = crystal.counts(index)
        atoms = sum(crystal.composition(counts, index).values())
        if atoms > max_atoms:
            break
        if atoms:
            tried.append((crystal.deviation(counts, index), index))
        if tried and tried[-1][0] <= EXACT + EVEN:
            break
    if not tried:
        atoms = sum(crystal.composition(crystal.counts(1), 1).values())
        raise NucleateError(f"the primitive cell has {atoms} atoms, and at most {max_atoms} are allowed (--max-atoms)")
    away, index = min(tried, key=lambda one: (max(one[0], EXACT + EVEN), one[1]))
    counts = crystal.counts(index)
    made = crystal.composition(counts, index)
    if away <= EVEN:
        return index, away, []
    said = (
        f"{Formula.of(made).text} in a cell of {sum(made.values())} atoms, with the shares "
        f"{crystal.shares(counts, index)} where the crystal has {crystal.shares()}; "
        f"the largest difference is {away:.4f}"
    )
    if away > max(tolerance, EXACT + EVEN):
        raise NucleateError(
            f"no cell of up to {max_atoms} atoms holds these shares; the nearest is {said}; allow more atoms, or a "
            f"tolerance of {math.ceil(away * 1000) / 1000:g}"
        )
    return index, away, [f"ordered as {said}"]


def _charges(
    composition: Mapping[str, int], crystal: PartialCrystal, given: Mapping[str, float] | None
) -> tuple[dict[str, float] | None, list[str]]:
    """The charge of each element, None where no energies can be computed; and what must be said of it."""
    if given is not None:
        if missing := sorted(set(composition) - set(given)):
            raise NucleateError(f"no charge is given for {', '.join(missing)}; give those of all elements")
        total = sum(n * given[s] for s, n in composition.items())
        if abs(total) > NEUTRAL:
            return None, [f"the charges add up to {total:+.3g} e in a cell, so there are no electrostatic energies"]
        ions = {s: float(given[s]) for s in composition}
    else:
        found = mean_charges(composition)
        if found is None:
            return None, [
                "no usual charges balance, so there are no electrostatic energies; the most symmetric come first"
            ]
        ions = {s: float(q) for s, q in found.items()}
    if not any(_differ(mix, ions) for mix in crystal.mixes):
        return ions, [
            "the charges of what shares a site are equal, so all arrangements have the same electrostatic energy"
        ]
    return ions, []


def _differ(mix: Mapping[str, float], ions: Mapping[str, float]) -> bool:
    own = [
        ions.get(s, 0.0) for s in mix
    ]  # a vacancy has no charge; an element of which no atom is placed does not count
    return max(own) - min(own) > EVEN


@dataclass(frozen=True, eq=False)
class _Ranked:
    part: Arrangements
    at: int
    index: int
    energy: float | None


def _ranked(crystal: PartialCrystal, part: Arrangements, ions: Mapping[str, float] | None) -> list[_Ranked]:
    """The arrangements of a supercell without those with atoms too near each other."""
    kept = np.flatnonzero(_apart(crystal, part))
    energies: list[float | None] = [None] * len(kept)
    if ions is not None and len(kept):
        table = _table(crystal, {**ions, VACANCY: 0.0})
        groups = crystal.parent.groups[part.cell.sites]
        alone = np.array([ions.get(s, 0.0) for s in crystal.whole])[part.cell.sites]
        charges = np.where(groups >= 0, table[groups, part.labels[kept]], alone)
        lattice = part.cell.matrix @ crystal.parent.lattice
        matrix = ewald_matrix(lattice, part.cell.positions(crystal.parent))
        atoms = (~_empty(crystal, part)[kept]).sum(1)
        energies = (energies_of_charges(matrix, charges) / atoms).tolist()
    indices = part.indices[kept].tolist()
    return [_Ranked(part, int(at), index, e) for at, index, e in zip(kept, indices, energies, strict=True)]


def _table(crystal: PartialCrystal, values: Mapping[str, float]) -> Array:
    """A value for each group and label; the last row is for sites that are not shared."""
    out = np.zeros((len(crystal.mixes) + 1, max(map(len, crystal.mixes))))
    for group, mix in enumerate(crystal.mixes):
        out[group, : len(mix)] = [values.get(s, 0.0) for s in mix]
    return out


def _empty(crystal: PartialCrystal, part: Arrangements) -> NDArray[np.bool_]:
    """Which sites (K, N) hold no atom."""
    table = _table(crystal, {VACANCY: 1.0})
    groups = crystal.parent.groups[part.cell.sites]
    return np.asarray((groups >= 0) & (table[groups, part.labels] > 0))


def _apart(crystal: PartialCrystal, part: Arrangements) -> NDArray[np.bool_]:
    """Which arrangements (K,) have no two atoms nearer than TOO_CLOSE of which one is on a shared site."""
    lattice = part.cell.matrix @ crystal.parent.lattice
    shared = crystal.parent.groups[part.cell.sites] >= 0
    out = np.ones(len(part.labels), dtype=bool)
    if not len(out):
        return out
    pairs = _near(lattice, part.cell.positions(crystal.parent))
    empty = _empty(crystal, part)
    for i, j in pairs:
        if shared[i] or shared[j]:
            out &= empty[:, i] | empty[:, j]
    return out


def _near(lattice: Array, positions: Array) -> list[tuple[int, int]]:
    """Pairs of different sites nearer than TOO_CLOSE, each once."""
    from pymatgen.core import Lattice

    cell = Lattice(lattice)
    reduced = cell.get_lll_reduced_lattice()
    away = reduced.get_all_distances(*[reduced.get_fractional_coords(cell.get_cartesian_coords(positions))] * 2)
    return [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(away < TOO_CLOSE, 1)), strict=True)]


def _built(crystal: PartialCrystal, one: _Ranked) -> OrderedCrystal:
    cell = one.part.cell
    groups, labels = crystal.parent.groups[cell.sites], one.part.labels[one.at]
    symbols = [
        list(crystal.mixes[group])[label] if group >= 0 else crystal.whole[site]
        for group, label, site in zip(groups.tolist(), labels.tolist(), cell.sites.tolist(), strict=True)
    ]
    lattice = cell.matrix @ crystal.parent.lattice
    made = without_vacancies(lattice, cell.positions(crystal.parent), symbols)
    if abs(round(float(np.linalg.det(cell.matrix)))) > 1:
        made = made.get_reduced_structure("LLL")
    try:
        number = int(find_symmetry(made.lattice.matrix, made.frac_coords, made.atomic_numbers, SYMPREC).number)
    except ValueError:
        number = 1
    return OrderedCrystal(made, one.index, number, one.energy)
