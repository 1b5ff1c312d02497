"""Stages that find duplicates within a run, and crystals that are already known."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.chem.composition import Formula
from nucleate.chem.plausible import why_impossible
from nucleate.crystal.same_crystal import ComparableCrystal, all_symmetrised, is_same_crystal, prepare_for_comparison
from nucleate.hull.known_crystals import CRYSTAL_COLUMNS, known_table
from nucleate.library.library import Library, load_library
from nucleate.library.matching import atoms_by_element
from nucleate.library.novelty import ORDERING, STRUCTURE_KNOWN, NoveltyJudgement, judge
from nucleate.library.novelty import UNKNOWN as WORD_UNKNOWN
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import NearestKnown, Novelty

if TYPE_CHECKING:
    import pyarrow as pa
    from pymatgen.core import Structure

ENERGY = 0.1  # eV/atom; relaxations of the same crystal agree to a few meV/atom, so with more they are different


class UniqueStage(Stage):
    """Finds candidates that are the same crystal. The one of lowest energy (then id) passes the check "unique"; for the
    others it fails with the reason "same as <id>", and `twin_of` has that id.

    A duplicate is not rejected, but ranked after unique crystals. symprec: angstrom, for `same_crystal.symmetrised`; 0
    compares the crystals as they are. by_rank: of converged ones that of the first wanted rank passes, and not that of
    the lowest energy.
    """

    name = "unique"
    grain: Grain = "all"  # the crystal of lowest energy among all candidates passes
    cost: Cost = "slow"
    resource: Resource = "process"

    def __init__(self, symprec: float = 0.0, by_rank: bool = False) -> None:
        self.symprec, self.by_rank = symprec, by_rank

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
            group.sort(key=_first_ranked if self.by_rank else _lowest_first)
            yield from _mark_duplicates(group, structure_by_id)


def _mark_duplicates(group: list[Candidate], structure_by_id: Mapping[str, Structure]) -> Iterable[Candidate]:
    """The candidates of one formula with the check "unique"; of equal ones the first in the given order passes."""
    kept: list[tuple[Candidate, ComparableCrystal]] = []
    for candidate in group:
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


def _first_ranked(candidate: Candidate) -> tuple[bool, int, str]:
    return not candidate.converged, candidate.wanted.rank, candidate.id


def _may_be_same(a: Candidate, b: Candidate) -> bool:
    """False for two converged relaxations with different energies, whose structures need not be compared."""
    ea, eb = a.energies.get("energy"), b.energies.get("energy")
    if ea is None or eb is None or ea.method != eb.method:
        return True
    converged = all("relaxed" in c.checks and c.checks["relaxed"].verdict == PASS for c in (a, b))
    return not converged or abs(ea.value - eb.value) <= ENERGY


class NoveltyStage(Stage):
    """Gives each candidate the check "novel" and its `novelty`: what the known crystals say of it, and the nearest one.

    The words are those of `library.novelty`. A crystal whose structure is known fails. One that is an ordering of a
    known disordered phase is neither known nor new: the check is unknown, and its reason says of which. Other crystals
    pass; the reason says where the formula is known.

    library: the known crystals, by default all that come with nucleate. known: optionally a data set (name or file)
    whose structures are compared, too; crystals that match one of these are known.
    """

    name = "novelty"
    grain: Grain = "chunk"  # all candidates use one library in memory, and sending them to processes takes longer
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, known: str | None = None, library: Library | None = None) -> None:
        self.library = library  # the default is opened when it is needed
        self.known = known_crystals(known) if known is not None else None

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            check, novelty = self.judge(candidate.structure)
            yield candidate.with_(checks={"novel": check}, novelty=novelty)

    def judge(self, structure: Structure | None) -> tuple[Check, Novelty]:
        """The check and what is known of one crystal."""
        judged = judge(self.library if self.library is not None else load_library(), structure)
        relative = judged.relative
        nearest = None
        if relative is not None:
            entry = relative.entry
            nearest = NearestKnown(entry.id, entry.formula, relative.relation, relative.differs)
        check = _check(judged)
        if self.known is None or structure is None or not structure.is_ordered:
            return check, Novelty(judged.word, judged.ids, nearest)
        try:
            own = self.known.check(structure)
        except Exception as error:  # pymatgen raises errors of many kinds for impossible cells
            own = Check(UNKNOWN, f"cannot be compared ({type(error).__name__}: {error})".splitlines()[0][:200])
        if own.verdict == FAIL and check.verdict != FAIL:
            return own, Novelty(STRUCTURE_KNOWN, nearest=nearest)
        order = (FAIL, UNKNOWN, PASS)
        verdict = min((check.verdict, own.verdict), key=order.index)
        reasons = "; ".join(c.reason for c in (check, own) if c.verdict == verdict)
        return Check(verdict, reasons), Novelty(judged.word, judged.ids, nearest)


def _check(judged: NoveltyJudgement) -> Check:
    if judged.word == WORD_UNKNOWN:
        return Check(UNKNOWN, judged.reason)
    verdict = {STRUCTURE_KNOWN: FAIL, ORDERING: UNKNOWN}.get(judged.word, PASS)
    joint = " " if judged.word == ORDERING else ": "
    return Check(verdict, f"{judged.word}{joint}{judged.reason}")


class KnownCrystals:
    """A data set of structures. Only those of formulas that are asked for are built."""

    def __init__(self, name: str, table: pa.Table) -> None:
        self.name = name
        self._table = table
        self._prepared: dict[int, ComparableCrystal | None] = {}
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

    def check(self, structure: Structure) -> Check:
        """The verdict on an ordered crystal. Crystals are compared as those of the library, whatever their volumes."""
        rows = self._rows.get(Formula.of(atoms_by_element(structure)), [])
        if not rows:
            return Check(PASS, f"formula not among the {len(self):,} crystals of {self.name}")
        mine = prepare_for_comparison(structure)
        lacking = 0
        for row in rows:
            theirs = self._prepare(row)
            if theirs is None:
                lacking += 1
            elif is_same_crystal(mine, theirs, volume=None):
                name = self._table.column("material_id")[row].as_py()
                return Check(FAIL, f"structure known: {name} of {self.name}")
        if lacking:
            what = f"{lacking} of {len(rows)} crystals of this formula in {self.name} cannot be compared"
            return Check(UNKNOWN, f"{what}, no other matches")
        return Check(PASS, f"none of {len(rows)} crystals of this formula in {self.name} matches")

    def _prepare(self, row: int) -> ComparableCrystal | None:
        """The crystal of a row, prepared for comparisons; None if pymatgen cannot reduce it."""
        from nucleate.crystal.columns import structure_of_row

        if row not in self._prepared:
            values = {c: self._table.column(c)[row].as_py() for c in CRYSTAL_COLUMNS}
            try:
                self._prepared[row] = prepare_for_comparison(structure_of_row(values))
            except Exception:  # pymatgen raises errors of many kinds for impossible cells
                self._prepared[row] = None
        return self._prepared[row]


@lru_cache(maxsize=2)
def known_crystals(name: str) -> KnownCrystals:
    """The crystals of all splits of a data set, or of a parquet file."""
    return KnownCrystals(name, known_table(name))


def _key(structure: Structure | None) -> Formula | None:
    if structure is None or not structure.is_ordered or len(structure) == 0:
        return None
    return Formula.of(atoms_by_element(structure))
