"""Uniqueness inside a run, and novelty against known crystals."""

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
from nucleate.stages.same_crystal import Reduced, all_symmetric, reduce, same

if TYPE_CHECKING:
    import pyarrow as pa
    from pymatgen.core import Structure

ENERGY = 0.1  # eV/atom; converged relaxations of one crystal agree to a few meV/atom, so beyond this they are two
INDEX_VOLUME = 0.10  # relative difference of volumes per atom below which the index takes two crystals for one
# A relaxation may change the volume by more (TiMn2Al, whose moments CHGNet does not find, by 9 %): up to here the index
# does not take two crystals of one formula, space group and number of atoms in the primitive cell for two.
RELAXED_VOLUME = 0.30


class UniqueStage(Stage):
    """Check "unique" fails, "same as <id>", for a crystal that a lower one (by energy, then id) already is: `twin_of`.

    A duplicate is no failure of the candidate: it goes on, and is ranked behind. symprec: of `same.symmetric`, 0
    for crystals as they are.
    """

    name = "unique"
    grain: Grain = "all"  # of twins the lower one counts, so all must be seen
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
        shapes = [c.structure for c in comparable if c.structure is not None]
        if self.symprec:
            shapes = all_symmetric(shapes, self.symprec)
        shape_of = {c.id: shape for c, shape in zip(comparable, shapes, strict=True)}
        for group in groups.values():
            yield from _mark_duplicates(group, shape_of)


def _mark_duplicates(group: list[Candidate], shape_of: Mapping[str, Structure]) -> Iterable[Candidate]:
    kept: list[tuple[Candidate, Reduced]] = []
    for candidate in sorted(group, key=_lowest_first):
        try:
            reduced = reduce(shape_of[candidate.id])
            twin = next((c for c, r in reversed(kept) if _may_be_same(c, candidate) and same(r, reduced)), None)
        except Exception as error:  # pymatgen on a freak cell raises many kinds: about this crystal alone
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
    """Two converged relaxations with very different energies need no look at the structures."""
    ea, eb = a.energies.get("energy"), b.energies.get("energy")
    if ea is None or eb is None or ea.method != eb.method:
        return True
    converged = all("relaxed" in c.checks and c.checks["relaxed"].verdict == PASS for c in (a, b))
    return not converged or abs(ea.value - eb.value) <= ENERGY


class NoveltyStage(Stage):
    """Check "novel": pass, fail or unknown against known crystals; the reason names what it was compared with.

    Novel means the structure: a new structure of a known formula passes, and the reason says that the formula is known.
    reference: a set used as an index of formula, space group and volume per atom. It holds no structures, so it passes
    an unknown formula or a volume that no known crystal of that formula has, fails where formula, space group and
    volume agree, and is unknown between. known: optionally a data set (name or file) whose structures are compared with
    StructureMatcher; where it speaks, it replaces the index.
    """

    name = "novelty"
    grain: Grain = "chunk"  # one index in memory serves all; sending a crystal to another process costs more
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
        """The verdict on one crystal."""
        key = _key(structure)
        if key is None or structure is None:
            return Check(UNKNOWN, "no ordered structure to compare")
        answers = []
        compared: set[str] = set()
        if self.known is not None:
            try:
                answer, compared = self.known.check(structure, key)
            except Exception as error:  # pymatgen on a freak cell, as in `_mark_duplicates`
                reason = f"cannot be compared ({type(error).__name__}: {error})".splitlines()[0][:200]
                return Check(UNKNOWN, reason)
            answers.append(answer)
        if self.reference is not None:
            answers.append(_check_index(structure, key, self.reference, compared))
        order = (FAIL, UNKNOWN, PASS)
        verdict = min((a.verdict for a in answers), key=order.index)
        return Check(verdict, "; ".join(a.reason for a in answers if a.verdict == verdict))


def _check_index(structure: Structure, key: Formula, reference: ReferenceSet, compared: set[str]) -> Check:
    """Formula, space group and volume against the reference, without the crystals whose structures were compared."""
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
    """Atoms in the primitive cell at the tolerance of the space group; those of the cell where none is found."""
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
    """A data set of structures, of which only those with a formula asked for are ever built."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        self._table = table
        self._reduced: dict[int, Reduced | None] = {}
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
        """The verdict, and the ids of all crystals that were really compared."""
        rows = self._rows.get(key, [])
        if not rows:
            return Check(PASS, f"formula not among the {len(self):,} crystals of {self.name}"), set()
        mine = reduce(structure)
        compared: set[str] = set()
        for row in rows:
            theirs = self._prepare(row)
            if theirs is None:
                continue
            name = str(self._table.column("material_id")[row].as_py())
            if same(mine, theirs):
                return Check(FAIL, f"known: {name} ({self.name}, structures compared)"), compared
            compared.add(name)
        if left := len(rows) - len(compared):
            reason = (
                f"{left} of {len(rows)} crystals of this formula in {self.name} cannot be compared, no other matches"
            )
            return Check(UNKNOWN, reason), compared
        return Check(PASS, f"none of {len(rows)} crystals of this formula in {self.name} matches"), compared

    def _prepare(self, row: int) -> Reduced | None:
        """None for a known crystal that pymatgen cannot reduce; it is not counted as compared."""
        from nucleate.crystal.columns import structure_of_row

        if row not in self._reduced:
            values = {c: self._table.column(c)[row].as_py() for c in CRYSTAL_COLUMNS}
            try:
                self._reduced[row] = reduce(structure_of_row(values))
            except Exception:  # freak cells, as above
                self._reduced[row] = None
        return self._reduced[row]


@lru_cache(maxsize=2)
def known_crystals(name: str) -> KnownCrystals:
    """All splits of a data set by name, or a parquet file of crystals."""
    return KnownCrystals(name, known_table(name))


def _key(structure: Structure | None) -> Formula | None:
    if structure is None or not structure.is_ordered or len(structure) == 0:
        return None
    counts: Mapping[str, float] = structure.composition.element_composition.get_el_amt_dict()
    return Formula.of({s: round(n) for s, n in counts.items()})
