"""The settings of the 230 space groups, found by the names that people and programs give them.

Operations and full symbols of the 530 settings are spglib's (Hall's list); gemmi adds further cells (C -1, F 4/m m m),
the symbols from before 1992 (C m c a for C m c e) and reads any Hall symbol. A symbol often belongs to several settings
(two origins, three unique axes), so every search returns all of them. Other modules decide between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import gemmi
    from numpy.typing import NDArray

ORIGIN_LETTERS = {"S": "1", "Z": "2"}  # the ICSD's letters for the first and second origin
STANDARD_CHOICES = frozenset({"", "1", "2", "H", "R", "a", "b", "c", "a1", "b1", "c1"})
CENTRIC_CUBIC = frozenset({*range(200, 207), *range(221, 231)})  # e.g. F m 3 m before 1983, F m -3 m since then
_CENTRED_GLIDES = {"a": "bc", "b": "ac", "c": "ab"}  # centring of the cell -> the two directions of an e glide
_FURTHER_CELL = "beyond"  # `choice` of gemmi's cells that are not among the 530 settings


@dataclass(frozen=True, eq=False)
class Setting:
    """A space group with its axes and origin.

    rotations (n, 3, 3) and translations (n, 3) act on columns of fractional coordinates.
    """

    number: int
    choice: str  # as in spglib: origin "1" or "2", axes "H" or "R", "b1", "cab" ...; "" if there is only one
    name: str
    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]

    def __str__(self) -> str:
        return f"{self.name}{f' :{self.choice}' if self.choice in ('1', '2', 'H', 'R') else ''} (group {self.number})"


def operations_key(rotations: NDArray, translations: NDArray) -> frozenset[tuple[int, ...]]:
    """A key that is the same for the same set of operations in any order; translations count modulo 1, to 1/24."""
    shifts = np.round(np.asarray(translations) * 24).astype(int) % 24
    rows = np.concatenate([np.asarray(rotations).reshape(-1, 9).round().astype(int), shifts], axis=1)
    return frozenset(map(tuple, rows.tolist()))


def fits_metric(rotations: NDArray, lattice: NDArray, tolerance: float = 0.005) -> bool:
    """Whether all rotations (n, 3, 3) keep the lengths and angles of the cell.

    lattice: (3, 3), vectors in rows, in angstrom. tolerance: of the entries of the metric tensor, relative to the
    product of the two lengths that each belongs to.
    """
    metric = lattice @ lattice.T
    scale = np.sqrt(np.outer(np.diag(metric), np.diag(metric)))
    turned = np.einsum("nji,jk,nkl->nil", rotations, metric, rotations)
    return bool((np.abs(turned - metric) <= tolerance * scale).all())


def named_settings(name: str) -> list[Setting]:
    """All settings that a Hermann-Mauguin symbol can mean, in any of its spellings; [] if it is not known.

    Short and full symbols are understood, with spaces, underscores or neither; screw axes as 2_1 and 2(1); origins and
    axes as :1, :2, :H, :R or as the letters S, Z, H, R of the ICSD; a number after the symbol; and the symbols from
    before 1983 and 1992.
    """
    text = re.sub(r"\\(?:bar|overline)\s*\{?\s*(\d)\s*\}?", r"-\1", name.strip().strip("'\"").strip())
    numbered = re.fullmatch(r"(.*?)\s*(?:\(\s*#?|#|,|\(?\s*[Nn]o\.?)\s*(\d{1,3})\s*\)?", text)
    if numbered:  # "P2 (3)" is group 3, not P 2 3, but "P2(1)" is a screw axis. The number decides.
        found = [s for s in _unnumbered(numbered[1]) if s.number == int(numbered[2])]
        if found:
            return found
    return _unnumbered(text)


def _unnumbered(text: str) -> list[Setting]:
    text, _, choice = text.partition(":")
    found = _by_name().get(_spelling_key(text), [])
    letter = re.fullmatch(r"(.*?)(?:[\s_]*([SZHR])|[\s_]+([hr]))", text.rstrip())
    if not found and letter and not choice:
        found, choice = _by_name().get(_spelling_key(letter[1]), []), (letter[2] or letter[3]).upper()
        if choice == "S" and not any(s.choice for s in found):
            choice = ""  # the group has only one origin
    if choice:
        choice = ORIGIN_LETTERS.get(choice.strip().upper(), choice.strip(" _()").lower())
        found = [s for s in found if s.choice.lower() == choice or (choice in ("1", "2") and s.choice[:1] == choice)]
    return found


def numbered_settings(number: int) -> list[Setting]:
    """The settings of a group by its number; only those among the 530 of Hall's list."""
    return [s for s in _settings() if s.number == number and s.choice != _FURTHER_CELL]


def hall_setting(symbol: str) -> Setting | None:
    """The operations of a Hall symbol (S. R. Hall, Acta Cryst. A37, 517 (1981)), or None if it cannot be read."""
    import gemmi

    text = " ".join(symbol.replace("_", " ").split())
    for spelled in (text, text[:2].upper() + text[2:].lower()):
        try:
            operations = gemmi.symops_from_hall(spelled)
        except (RuntimeError, ValueError):
            continue
        rotations, translations = _arrays(operations)
        known = _by_operations().get(operations_key(rotations, translations))
        return known or Setting(group_number(rotations, translations) or 0, "", text, rotations, translations)
    return None


def is_group(rotations: NDArray, translations: NDArray) -> bool:
    """Whether every product of two operations is one of them; translations count modulo 1, to 1/24."""
    shifts = np.round(np.asarray(translations) * 24).astype(np.int64)
    products = np.einsum("aij,bjk->abik", rotations, rotations).reshape(-1, 9)
    moved = (np.einsum("aij,bj->abi", rotations, shifts) + shifts[:, None]).reshape(-1, 3)

    def codes(turns: NDArray, moves: NDArray) -> NDArray:
        digits = np.concatenate([turns + 12, moves % 24], axis=1)  # from 0 to 23 in any cell of a crystal
        return digits @ 24 ** np.arange(12, dtype=np.int64)

    return bool(np.isin(codes(products, moved), codes(np.asarray(rotations).reshape(-1, 9), shifts)).all())


def group_number(rotations: NDArray, translations: NDArray, lattice: NDArray | None = None) -> int | None:
    """The number of the space group of operations in any setting, or None if they do not form a group.

    lattice: (3, 3) in angstrom, which helps spglib with unusual settings.
    """
    import spglib

    if (known := _by_operations().get(operations_key(rotations, translations))) is not None:
        return known.number
    if not is_group(rotations, translations):
        return None
    try:
        found = spglib.get_spacegroup_type_from_symmetry(rotations, translations, lattice=lattice)
    except spglib.SpglibError:  # after phonopy was imported, spglib raises instead of returning None
        return None
    return None if found is None else int(found.number)


def _spelling_key(name: str) -> str:
    """A symbol in lower case without spaces, underscores and brackets.

    Settings that share such a key can be told apart by the cell, the origin and the numbers of atoms.
    """
    text = re.sub(r"[\u2010-\u2015\u2212\u00af]", "-", name)
    return re.sub(r"[\s_(){}$,]", "", text).lower()


@cache
def _settings() -> tuple[Setting, ...]:
    import gemmi
    import spglib

    out, keys = [], set()
    for hall in range(1, 531):
        kind: Any = spglib.get_spacegroup_type(hall)
        table: Any = spglib.get_symmetry_from_database(hall)
        name = kind.international_full.replace("_", "")
        rotations = np.array(table["rotations"], dtype=np.int64)
        translations = np.array(table["translations"], dtype=np.float64)
        out.append(Setting(kind.number, kind.choice, name, rotations, translations))
        keys.add(operations_key(rotations, translations))
    for group in gemmi.spacegroup_table():
        rotations, translations = _arrays(group.operations())
        if operations_key(rotations, translations) not in keys:
            out.append(Setting(group.number, _FURTHER_CELL, group.hm, rotations, translations))
    return tuple(out)


@cache
def _by_operations() -> dict[frozenset[tuple[int, ...]], Setting]:
    return {operations_key(s.rotations, s.translations): s for s in _settings()}


@cache
def _by_name() -> dict[str, list[Setting]]:
    import gemmi
    import spglib

    out: dict[str, list[Setting]] = {}

    def add(name: str, setting: Setting) -> None:
        names = [name]
        if setting.number in CENTRIC_CUBIC:
            names.append(name.replace("-3", "3"))
        for key in map(_spelling_key, names):
            if setting not in out.setdefault(key, []):
                out[key].append(setting)

    for hall, setting in enumerate(_settings()[:530], start=1):
        kind: Any = spglib.get_spacegroup_type(hall)
        add(setting.name, setting)
        if 3 <= setting.number <= 15:  # the short symbol: the full one without its entries "1"
            add(re.sub(r" 1(?= |$)", "", setting.name), setting)
        else:
            add(kind.international_short, setting)
            add(kind.international.split("=")[-1], setting)
    known = _by_operations()
    for group in gemmi.spacegroup_table():
        add(group.hm, known[operations_key(*_arrays(group.operations()))])
    # An e glide was formerly written with either of its two directions. Symbols that belong to another setting already
    # are not added.
    for key in [k for k in out if "e" in k]:
        for letter in _CENTRED_GLIDES.get(key[0], ""):
            out.setdefault(key.replace("e", letter), out[key])
    return out


def _arrays(operations: gemmi.GroupOps) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rotations (n, 3, 3) and translations (n, 3) in [0, 1) of gemmi's operations, which are in units of 1/24."""
    unit = 24
    rotations = np.array([op.rot for op in operations], dtype=np.int64) // unit
    return rotations, np.array([op.tran for op in operations], dtype=np.float64) / unit % 1.0
