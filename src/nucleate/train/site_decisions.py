"""The decisions by which crystals of a library come about (`crystal.feasible`), as arrays for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS, WRITING_ORDER
from nucleate.crystal.decorated import canonical_places
from nucleate.crystal.feasible import PartialSites, groups_that_hold
from nucleate.crystal.orbits import site_sizes
from nucleate.files import replacing
from nucleate.library.sites import read_sites

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.crystal.wyckoff_patterns import Places
    from nucleate.library.table import LibraryTable

    Whole = NDArray[np.int64]
    Kind = tuple[tuple[int, ...], int, Places]  # atoms of each element in a formula unit, space group, places
    Chosen = tuple[int, tuple[int, ...], int, int]

NEAR_HULL = 0.05  # eV/atom; crystals up to it, and those that were made, are stable ones
ANY, STABLE, OTHER = range(3)  # what is said of the crystal that is looked for
TOKEN = 5  # numbers of a token: formula units, space group, last place + 1, element + 1, its atoms to be placed
_ORDER = np.array([0, *(WRITING_ORDER[s] for s in SYMBOLS)])


@dataclass(frozen=True, eq=False)
class SiteDecisions:
    """N crystals, each decorated prototype of a formula once, of K kinds; a kind is a ratio with a space group and
    positions, and has D decisions: formula units, space group, and positions where there is a choice.

    row: (N,) of the library's table. elements: (N, E) atomic numbers in writing order, 0 beyond. kind: (N,). stable:
    (N,), STABLE or OTHER. Of the kinds: reduced (K, E), atoms in a formula unit; starts (K + 1,) where the decisions
    begin in tokens (D, TOKEN), targets (D,) and masks (D,), bits of the positions that are open; groups (K,) row of
    group_masks (G, 230), the space groups that can hold the cell.
    """

    row: Whole
    elements: NDArray[np.uint8]
    kind: NDArray[np.int32]
    stable: NDArray[np.uint8]
    reduced: NDArray[np.uint8]
    starts: NDArray[np.int32]
    tokens: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    masks: NDArray[np.uint32]
    groups: NDArray[np.int32]
    group_masks: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)

    @property
    def lengths(self) -> NDArray[np.int32]:
        """(N,) decisions of each crystal."""
        return np.diff(self.starts)[self.kind]

    def save(self, path: Path) -> None:
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: Path) -> SiteDecisions:
        with np.load(path, allow_pickle=False) as file:
            return cls(**{f.name: file[f.name] for f in fields(cls)})


def decisions_of(table: LibraryTable, rows: Whole, most_atoms: int) -> SiteDecisions:
    """The decisions of some crystals of a library, those of more than `most_atoms` atoms left out."""
    rows = rows[table.num_atoms[rows] <= most_atoms]
    texts, places = table.sites_of(rows)
    width = int(table.num_elements[rows].max(initial=1))
    height, made = table.e_above_hull[rows], table.experimental[rows]
    stable = np.where((height <= NEAR_HULL) | (made == 1), STABLE, OTHER)
    elements, reduced = table.elements[rows, :width], table.reduced[rows, :width]
    by_order = np.argsort(np.where(elements > 0, _ORDER[elements], len(_ORDER)), axis=1, kind="stable")
    kinds: dict[Kind, int] = {}
    known: dict[tuple, int] = {}
    kept: dict[tuple, int] = {}  # (elements, kind) -> place in `chosen`
    chosen: list[Chosen] = []
    for i, (group, text) in enumerate(zip(table.space_group[rows].tolist(), places.tolist(), strict=True)):
        n = int(table.num_elements[rows[i]])
        order = tuple(by_order[i, :n].tolist())
        counts = tuple(reduced[i, list(order)].tolist())
        key = (group, text, order, counts)
        if key not in known:
            own = read_sites(group, texts[text])
            canonical = canonical_places(group, tuple(own[k] for k in order))
            known[key] = kinds.setdefault((counts, group, canonical), len(kinds))
        names = tuple(elements[i, list(order)].tolist())
        same = (names, known[key])
        if same not in kept:
            kept[same] = len(chosen)
            chosen.append((int(rows[i]), names, known[key], int(stable[i])))
        elif stable[i] == STABLE:
            chosen[kept[same]] = (*chosen[kept[same]][:3], STABLE)
    return arrays_of(chosen, list(kinds), width, most_atoms)


def arrays_of(chosen: Sequence[Chosen], kinds: Sequence[Kind], width: int, most_atoms: int) -> SiteDecisions:
    """The arrays of crystals: of each the row in the library, its elements in writing order, its kind and whether it is
    stable; of at most `width` elements."""
    tokens, targets, masks, starts = [], [], [], [0]
    of_counts: dict[tuple[int, ...], int] = {}
    groups = []
    for reduced, group, places in kinds:
        own, right, open_ = sequence(reduced, group, places, most_atoms)
        tokens += own
        targets += right
        masks += [0, 0, *(sum(1 << i for i in choices) for choices in open_[2:])]
        starts.append(len(targets))
        counts = tuple(sorted(n * right[0] for n in reduced))
        groups.append(of_counts.setdefault(counts, len(of_counts)))
    group_masks = np.zeros((len(of_counts), 230), dtype=bool)
    for counts, i in of_counts.items():
        group_masks[i, np.array(groups_that_hold(counts)) - 1] = True
    return SiteDecisions(
        row=np.array([c[0] for c in chosen], dtype=np.int64),
        elements=_padded([c[1] for c in chosen], width),
        kind=np.array([c[2] for c in chosen], dtype=np.int32),
        stable=np.array([c[3] for c in chosen], dtype=np.uint8),
        reduced=_padded([k[0] for k in kinds], width),
        starts=np.array(starts, dtype=np.int32),
        tokens=np.array(tokens, dtype=np.uint8).reshape(-1, TOKEN),
        targets=np.array(targets, dtype=np.uint8),
        masks=np.array(masks, dtype=np.uint32),
        groups=np.array(groups, dtype=np.int32),
        group_masks=group_masks,
    )


def sequence(
    reduced: tuple[int, ...], space_group: int, places: Places, most_atoms: int
) -> tuple[list[tuple[int, ...]], list[int], list[tuple[int, ...]]]:
    """The decisions of a crystal: of each the token, what was chosen, and (from the second on) what was open. Positions
    without a choice are no decisions."""
    state = PartialSites(reduced)
    counts = [sum(site_sizes(space_group)[i] for i in own) for own in places]
    tokens, targets = [token_of(state)], [counts[0] // reduced[0]]
    open_: list[tuple[int, ...]] = [()]
    state = state.decided(targets[0])
    tokens.append(token_of(state))
    targets.append(space_group)
    open_.append(())
    state = state.decided(space_group)
    while not (state := state.after_forced(most_atoms)).done:
        choice = places[len(state.places) - 1][len(state.places[-1])]
        tokens.append(token_of(state))
        targets.append(choice)
        open_.append(state.choices(most_atoms))
        state = state.decided(choice)
    return tokens, targets, open_


def token_of(state: PartialSites) -> tuple[int, ...]:
    """What a network is told of a crystal before a decision (TOKEN numbers)."""
    if not state.space_group:
        return (state.units, 0, 0, 0, 0)
    last = next((own[-1] + 1 for own in reversed(state.places) if own), 0)
    return (state.units, state.space_group, last, len(state.places), state.left)


def _padded(rows: list[tuple[int, ...]], width: int) -> NDArray[np.uint8]:
    out = np.zeros((len(rows), width), dtype=np.uint8)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out
