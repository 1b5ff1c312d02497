"""Stages that find duplicates within a run, and crystals that are already known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.chem.composition import Formula
from nucleate.chem.plausible import why_impossible
from nucleate.errors import NucleateError
from nucleate.hull.known_crystals import CRYSTAL_COLUMNS, known_table
from nucleate.hull.load import load_reference
from nucleate.hull.reference import ReferenceSet
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.crystal.same_crystal import ComparableCrystal, all_symmetrised, is_same_crystal, prepare_for_comparison

if TYPE_CHECKING:
    import pyarrow as pa
    from pymatgen.core import Structure

ENERGY = 0.1  # eV/atom; relaxations of the same crystal agree to a few meV/atom, so with more they are different
INDEX_VOLUME = 0.10  # relative difference of volumes per atom, up to which the index takes two crystals for the same
# Relaxations may change the volume more (TiMn2Al, whose moments CHGNet does not find, by 9 %). Two crystals of the same
# formula, space group and number of atoms in the primitive cell are not taken for different ones up to this difference.
RELAXED_VOLUME = 0.30


class UniqueStage(Stage):
    """Finds candidates that are the same crystal. The one of lowest energy (then id) passes the check "unique"; for the
    others it fails with the reason "same as <id>", and `twin_of` has that id.

    A duplicate is not rejected, but ranked after unique crystals. symprec: angstrom, for `same_crystal.symmetrised`; 0
    compares the crystals as they are.
    """

    name = "unique"
    grain: Grain = "all"  # the crystal of lowest energy among all candidates passes
    cost: Cost = "slow"
    resource: Resource = "process"

    def __init__(self, symprec: float = 0.0) -> None:
        self.symprec = symprec

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        groups: dict[Formula, list[Candidate]] = {}
        for candidate in candidates:
            key = _key(candidate.structure)
            if key is None:
                unknown = Check(UNKNOWN, "no ordered structure to compare")
                yield candidate.with_(checks={"unique": unknown}, twin_of="")
            else:
                groups.setdefault(key, []).append(candidate)
        comparable = [c for group in groups.values() for c in group]
        structures = [c.structure for c in comparable if c.structure is not None]
        if self.symprec:
            structures = all_symmetrised(structures, self.symprec)
        structure_by_id = {c.id: structure for c, structure in zip(comparable, structures, strict=True)}
        for group in groups.values():
            yield from _mark_duplicates(group, structure_by_id)


def _mark_duplicates(group: list[Candidate], structure_by_id: Mapping[str, Structure]) -> Iterable[Candidate]:
    """The candidates of one formula with the check "unique", lowest energy first."""
    kept: list[tuple[Candidate, ComparableCrystal]] = []
    for candidate in sorted(group, key=_lowest_first):
        try:
            reduced = prepare_for_comparison(structure_by_id[candidate.id])
            twin = next(
                (c for c, r in reversed(kept) if _may_be_same(c, candidate) and is_same_crystal(r, reduced)), None
            )
        except Exception as error:  # pymatgen raises errors of many kinds for impossible cells
            reason = f"cannot be compared ({type(error).__name__}: {error})".splitlines()[0][:200]
            yield candidate.with_(checks={"unique": Check(UNKNOWN, reason)}, twin_of="")
            continue
        if twin is None:
            kept.append((candidate, reduced))
            yield candidate.with_(checks={"unique": Check(PASS)}, twin_of="")
        else:
            same_as = Check(FAIL, f"same as {twin.id}")
            yield candidate.with_(checks={"unique": same_as}, twin_of=twin.id)


def _lowest_first(candidate: Candidate) -> tuple[float, str]:
    energy = candidate.energies.get("energy")
    believed = energy is not None and not why_impossible("energy", energy.value)
    return (energy.value if energy is not None and believed else math.inf), candidate.id


def _may_be_same(a: Candidate, b: Candidate) -> bool:
    """False for two converged relaxations with different energies, whose structures need not be compared."""
    ea, eb = a.energies.get("energy"), b.energies.get("energy")
    if ea is None or eb is None or ea.method != eb.method:
        return True
    converged = all("relaxed" in c.checks and c.checks["relaxed"].verdict == PASS for c in (a, b))
    return not converged or abs(ea.value - eb.value) <= ENERGY


class NoveltyStage(Stage):
    """Gives each candidate the check "novel" by comparison with known crystals; the reason names these.

    A new structure of a known formula counts as novel, and the reason says that the formula is known.

    reference: a set that is used as an index of formulas, space groups and volumes per atom, since it has no
    structures. A crystal passes if its formula is not in the index, or if no known crystal of the formula has its
    volume. It fails if formula, space group and volume agree, and is unknown in other cases. known: optionally a data
    set (name or file) whose structures are compared with StructureMatcher; crystals that it has are left out of the
    index.
    """

    name = "novelty"
    grain: Grain = "chunk"  # all candidates use one index in memory, and sending them to processes takes longer
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, reference: str | ReferenceSet | None = "chgnet-mp", known: str | None = None) -> None:
        if reference is None and known is None:
            raise NucleateError("novelty needs a reference set or a data set of known crystals to compare with")
        self.reference = load_reference(reference) if isinstance(reference, str) else reference
        self.known = known_crystals(known) if known is not None else None

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield candidate.with_(checks={"novel": self.check(candidate.structure)})

    def check(self, structure: Structure | None) -> Check:
        """The verdict on one crystal, "unknown" if it cannot be compared."""
        key = _key(structure)
        if key is None or structure is None:
            return Check(UNKNOWN, "no ordered structure to compare")
        answers = []
        compared: set[str] = set()
        if self.known is not None:
            try:
                answer, compared = self.known.check(structure, key)
            except Exception as error:  # pymatgen raises errors of many kinds for impossible cells
                reason = f"cannot be compared ({type(error).__name__}: {error})".splitlines()[0][:200]
                return Check(UNKNOWN, reason)
            answers.append(answer)
        if self.reference is not None:
            answers.append(_check_index(structure, key, self.reference, compared))
        order = (FAIL, UNKNOWN, PASS)
        verdict = min((a.verdict for a in answers), key=order.index)
        return Check(verdict, "; ".join(a.reason for a in answers if a.verdict == verdict))


def _check_index(structure: Structure, key: Formula, reference: ReferenceSet, compared: set[str]) -> Check:
    """The verdict by formula, space group and volume. compared: ids of crystals whose structures were compared, which
    are left out."""
    rows = reference.of_formula(dict(key))
    if not rows:
        return Check(PASS, f"formula not among the {len(reference):,} crystals of {reference.name}")
    rows = [i for i in rows if reference.sources[i] not in compared]
    if not rows:
        return Check(PASS, f"no other crystal of this formula in {reference.name}")
    from nucleate.crystal.symmetry import space_group, without_hand

    volume, number = structure.volume / len(structure), without_hand(space_group(structure)[0])
    near = [i for i in rows if abs(volume / float(reference.volumes[i]) - 1) <= INDEX_VOLUME]
    alike = [i for i in near if without_hand(int(reference.space_groups[i])) == number]
    index = f"index of {reference.name}, structures not compared"
    if alike:
        return Check(FAIL, f"known: {_names(alike, reference)} has this formula, space group and volume ({index})")
    if near:
        what = f"known formula; {_names(near, reference)} has this volume in another space group"
        return Check(UNKNOWN, f"{what} ({index})")
    mine = _primitive_atoms(structure)
    for i in rows:
        ratio = volume / float(reference.volumes[i])
        like = without_hand(int(reference.space_groups[i])) == number and int(reference.num_atoms[i]) == mine
        if like and abs(ratio - 1) <= RELAXED_VOLUME:
            what = f"known formula; {reference.sources[i]} has this space group and as many atoms, and the volume is"
            return Check(UNKNOWN, f"{what} {ratio:.2f} of its own ({index})")
    return Check(
        PASS, f"a new structure of a known formula: none of its {len(rows)} crystals has this volume ({index})"
    )


def _primitive_atoms(structure: Structure) -> int:
    """Number of atoms in the primitive cell, with the tolerance of the space group; of the cell if none is found."""
    from nucleate.crystal.symmetry import find_symmetry
    from nucleate.hull.known_crystals import SYMPREC

    try:
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers, SYMPREC)
    except ValueError:
        return len(structure)
    return len(found.prim_std_cell.numbers)


def _names(rows: list[int], reference: ReferenceSet) -> str:
    names = [reference.sources[i] for i in rows]
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


class KnownCrystals:
    """A data set of structures. Only those of formulas that are asked for are built."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        self._table = table
        self._reduced: dict[int, ComparableCrystal | None] = {}
        self._rows: dict[Formula, list[int]] = {}
        from nucleate.chem.elements import element_symbol

        column = table.column("atomic_numbers").combine_chunks()
        offsets, values = column.offsets.to_numpy(), column.values.to_numpy()
        for i in range(len(column)):
            counts = Counter(values[offsets[i] : offsets[i + 1]].tolist())
            if counts:
                self._rows.setdefault(Formula.of({element_symbol(z): n for z, n in counts.items()}), []).append(i)

    def __len__(self) -> int:
        return len(self._table)

    def check(self, structure: Structure, key: Formula) -> tuple[Check, set[str]]:
        """The verdict on a crystal of the formula `key`, and the ids of the crystals it was compared with."""
        rows = self._rows.get(key, [])
        if not rows:
            return Check(PASS, f"formula not among the {len(self):,} crystals of {self.name}"), set()
        mine = prepare_for_comparison(structure)
        compared: set[str] = set()
        for row in rows:
            theirs = self._prepare(row)
            if theirs is None:
                continue
            name = str(self._table.column("material_id")[row].as_py())
            if is_same_crystal(mine, theirs):
                return Check(FAIL, f"known: {name} ({self.name}, structures compared)"), compared
            compared.add(name)
        if left := len(rows) - len(compared):
            reason = (
                f"{left} of {len(rows)} crystals of this formula in {self.name} cannot be compared, no other matches"
            )
            return Check(UNKNOWN, reason), compared
        return Check(PASS, f"none of {len(rows)} crystals of this formula in {self.name} matches"), compared

    def _prepare(self, row: int) -> ComparableCrystal | None:
        """The crystal of a row, prepared for comparisons; None if pymatgen cannot reduce it."""
        from nucleate.crystal.columns import structure_of_row

        if row not in self._reduced:
            values = {c: self._table.column(c)[row].as_py() for c in CRYSTAL_COLUMNS}
            try:
                self._reduced[row] = prepare_for_comparison(structure_of_row(values))
            except Exception:  # pymatgen raises errors of many kinds for impossible cells
                self._reduced[row] = None
        return self._reduced[row]


@lru_cache(maxsize=2)
def known_crystals(name: str) -> KnownCrystals:
    """The crystals of all splits of a data set, or of a parquet file."""
    return KnownCrystals(name, known_table(name))


def _key(structure: Structure | None) -> Formula | None:
    if structure is None or not structure.is_ordered or len(structure) == 0:
        return None
    counts: Mapping[str, float] = structure.composition.element_composition.get_el_amt_dict()
    return Formula.of({s: round(n) for s, n in counts.items()})
