"""The symmetries that a CIF can mean: its operations, Hall symbol, name and number compared with each other and
with the cell."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.io.cif.settings import (
    STANDARD_CHOICES,
    Setting,
    fits_metric,
    group_number,
    hall_setting,
    named_settings,
    numbered_settings,
    operations_key,
)
from nucleate.io.cif.sites import cif_number
from nucleate.io.cif.text import DataBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz", "_space_group_symop_xyz")
MAGNETIC = ("_space_group_symop_magn_operation_xyz", "_space_group_symop_magn_centering_xyz")
HALL = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
NAMES = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_ref",
    "_space_group_name_h-m_full",
)
NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
CHOICE = "_space_group_it_coordinate_system_code"
MAGNETIC_NAMES = ("_space_group_magn_name_bns", "_space_group_magn_number_bns", "_space_group_magn_name_og")
MODULATED = (
    *("_space_group_ssg", "_space_group_symop_ssg", "_space_group_symop_magn_ssg", "_superspace", "_cell_subsystem"),
    *("_cell_modulation", "_cell_wave_vector", "_atom_site_displace_", "_atom_site_occ_fourier"),
    *("_atom_site_occ_special", "_atom_site_moment_fourier", "_atom_site_fourier_wave"),
)
PARENT = "_parent_space_group"  # the parent of a magnetic or distorted structure has another cell and symmetry
UNIT = 24  # translations of space groups are multiples of 1/24 of the cell


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read the symmetry of a file.

    rotations (n, 3, 3) and translations (n, 3) act on columns of fractional coordinates. rank: readings of a lower rank
    come first; those of a higher rank are used only if the first ones contradict the file. remark: what to tell the
    user if this reading is taken.
    """

    name: str
    rotations: NDArray[np.int64]
    translations: NDArray[np.float64]
    rank: int = 0
    remark: str = ""

    @property
    def key(self) -> frozenset[tuple[int, ...]]:
        return operations_key(self.rotations, self.translations)


@dataclass(frozen=True)
class StatedSymmetry:
    """What a file states about its symmetry beside its operations, as it is written there."""

    hall: tuple[str, ...]
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    choice: str

    def __bool__(self) -> bool:
        return bool(self.hall or self.names or self.numbers)


def readings_of(block: DataBlock, lattice: NDArray) -> list[Reading]:
    """All readings of the symmetry of a block, in order of rank.

    lattice: (3, 3), vectors in rows, in angstrom. Raises NucleateError if no reading fits the cell.
    """
    stated = _stated_symmetry(block)
    listed = _listed_operations(block)
    named = _named_readings(stated, lattice, alone=listed is None)
    if any(tag.startswith(MODULATED) for tag in block.columns):
        raise NucleateError("the file has a modulated structure, whose atoms do not repeat from cell to cell")
    if listed is None and block.known(*MAGNETIC_NAMES):
        raise NucleateError("the file names a magnetic space group without its operations, which are needed")
    if listed is None and not stated and any(tag.startswith(PARENT) for tag in block.columns):
        raise NucleateError(
            "the file names only the space group of a parent structure; its own symmetry operations are needed"
        )
    if listed is None and not stated:
        one = Reading("P 1", np.eye(3, dtype=np.int64)[None], np.zeros((1, 3)))
        return [replace(one, remark="the file gives no symmetry; it is read as P 1, as if it listed every atom")]
    if listed is None:
        return named
    if not fits_metric(listed.rotations, lattice):
        raise NucleateError("the symmetry operations of the file do not fit its cell (they change lengths or angles)")
    listed_number = group_number(listed.rotations, listed.translations, lattice)
    if listed_number is None:
        raise NucleateError("the symmetry operations of the file do not form a space group; one is missing or wrong")
    text = _as_text(stated)
    if listed.key in {reading.key for reading in named} or (not named and not stated):
        remark = f"the file contradicts itself ({text}); its operations are used" if _contradicts_itself(stated) else ""
        return [replace(listed, remark=remark)]
    if not named:
        return [replace(listed, remark=f"the space group '{text}' is not understood; the operations are used")]
    named_numbers = {n for n in (group_number(r.rotations, r.translations) for r in named) if n is not None}
    if named_numbers == {listed_number}:
        return [replace(listed, remark=f"'{text}' is another setting than that of the operations, which are used")]
    remark = f"the file names {text}, but its operations belong to group {listed_number}"
    return [replace(r, remark=f"{remark}; {r.name} is taken, since the atoms agree with it") for r in (listed, *named)]


def _contradicts_itself(stated: StatedSymmetry) -> bool:
    """Whether there is no space group to which all understood symbols and numbers can belong."""
    meant = [{s.number for s in named_settings(name)} for name in stated.names]
    meant += [{setting.number} for symbol in stated.hall if (setting := hall_setting(symbol)) is not None]
    meant += [{n} for n in stated.numbers]
    understood = [numbers for numbers in meant if numbers]
    return bool(understood) and not set.intersection(*understood)


def _as_text(stated: StatedSymmetry) -> str:
    return ", ".join(dict.fromkeys((*stated.names, *stated.hall, *(f"number {n}" for n in stated.numbers))))


def _stated_symmetry(block: DataBlock) -> StatedSymmetry:
    numbers = []
    for text in block.known(*NUMBERS):
        try:
            value = cif_number(text)
        except ValueError:
            value = -1.0
        if value == 0:  # some programs write 0 for an unknown group
            continue
        if value not in range(1, 231):
            raise NucleateError(f"'{text}' is not the number of a space group (1 to 230)")
        numbers.append(int(value))
    names = tuple(n for n in dict.fromkeys(" ".join(v.split()) for v in block.known(*NAMES)) if n)
    bare = [n for n in names if re.fullmatch(r"\d{1,3}", n)]  # a number in place of a name
    numbers += [int(n) for n in bare if 1 <= int(n) <= 230]
    names = tuple(n for n in names if n not in bare)
    hall = tuple(dict.fromkeys(block.known(*HALL)))
    return StatedSymmetry(hall, names, tuple(dict.fromkeys(numbers)), block.only(CHOICE) or "")


def _named_readings(stated: StatedSymmetry, lattice: NDArray, *, alone: bool) -> list[Reading]:
    """The readings of Hall symbol, name and number. alone: whether the file has no operations beside them, so that it
    cannot be read without them."""
    groups: list[tuple[str, list[Setting]]] = []
    for symbol in stated.hall:
        setting = hall_setting(symbol)
        groups.append((f"Hall symbol '{symbol}'", [] if setting is None else [setting]))
    for name in stated.names:
        groups.append((f"space group '{name}'", _with_choice(named_settings(name), stated.choice)))
    understood = [(words, settings) for words, settings in groups if settings]
    if not understood and stated.numbers:
        settings = [s for n in stated.numbers for s in numbered_settings(n)]
        understood = [(f"space group number {stated.numbers[0]}", _with_choice(settings, stated.choice))]
    if not understood:
        if alone and stated:
            text = _as_text(stated)
            raise NucleateError(f"the space group '{text}' is not understood, and the file has no operations")
        return []
    unread = [words for words, settings in groups if not settings]
    remark = f"the {unread[0]} is not understood; {understood[0][0]} is used" if unread else ""
    return _agreeing_readings(understood, stated, lattice, remark, alone)


def _with_choice(settings: list[Setting], choice: str) -> list[Setting]:
    return [s for s in settings if s.choice.lower() == choice.lower()] or settings if choice else settings


def _agreeing_readings(
    understood: list[tuple[str, list[Setting]]], stated: StatedSymmetry, lattice: NDArray, remark: str, alone: bool
) -> list[Reading]:
    """The settings on which everything that was understood agrees. If there are none, every setting is a reading."""
    first_words, first = understood[0]
    common = first
    for _, others in understood[1:]:
        keys = {operations_key(s.rotations, s.translations) for s in others}
        common = [s for s in common if operations_key(s.rotations, s.translations) in keys]
    numbered = [s for s in common if not stated.numbers or s.number in stated.numbers]
    if numbered:
        return _fitting_readings(first_words, numbered, lattice, remark, alone)
    contradiction = f"the file contradicts itself ({_as_text(stated)})"
    readings: list[Reading] = []
    by_number = [s for n in stated.numbers for s in numbered_settings(n)]
    for words, settings in (*understood, ("space group number", by_number)):
        fitting = [s for s in settings if fits_metric(s.rotations, lattice)]
        remark = f"({words}) is taken, since the atoms agree with it"
        readings += [_reading(s, f"{contradiction}; {s} {remark}") for s in fitting]
    if not readings and alone:
        raise NucleateError(f"{contradiction}, and none of these settings fits the cell")
    return readings


def _fitting_readings(words: str, settings: list[Setting], lattice: NDArray, remark: str, alone: bool) -> list[Reading]:
    """The settings that fit the cell, standard ones first. If none of them fits, settings of the same group with other
    axes that do."""
    fitting = [s for s in settings if fits_metric(s.rotations, lattice)]
    if not fitting:
        numbers = {s.number for s in settings}
        settings = [s for n in sorted(numbers) for s in numbered_settings(n)]
        fitting = [s for s in settings if fits_metric(s.rotations, lattice)]
        remark = f"{words} does not fit the cell with its axes; another setting of the group does and is used"
        if not fitting and alone:
            raise NucleateError(f"{words} does not fit the cell; its axes need other lengths or angles")
    out = []
    # if the cell fits several unique axes, b is the usual one
    usual = [s.choice in STANDARD_CHOICES and s.choice[:1] not in ("a", "c") for s in fitting]
    for s, is_usual in zip(fitting, usual, strict=True):
        rank = int(any(usual) and not is_usual)
        why = f"read as {s}, since the atoms do not agree with the standard setting" if rank else ""
        out.append(_reading(s, remark or why, rank))
    return sorted(out, key=lambda r: r.rank)


def _reading(setting: Setting, remark: str, rank: int = 0) -> Reading:
    return Reading(str(setting), setting.rotations, setting.translations, rank, remark)


def _listed_operations(block: DataBlock) -> Reading | None:
    """The operations that the file lists, or None."""
    lists = {tag: [_operation(text) for text in block.known(tag)] for tag in OPERATIONS if block.known(tag)}
    if block.known(MAGNETIC[0]):
        lists[MAGNETIC[0]] = [_operation(text) for text in block.known(MAGNETIC[0])]
        if centring := block.known(MAGNETIC[1]):
            lists[MAGNETIC[0]] = [_product(a, b) for b in map(_operation, centring) for a in lists[MAGNETIC[0]]]
    if not lists:
        return None
    _require_equal_lists(lists)
    operations = next(iter(lists.values()))
    unique = {(*r.ravel().tolist(), *np.round(t * UNIT).astype(int).tolist()): (r, t) for r, t in operations}
    ordered = sorted(unique.values(), key=lambda o: not (np.array_equal(o[0], np.eye(3)) and not o[1].any()))
    rotations, translations = (np.array(part) for part in zip(*ordered, strict=True))
    if not (np.array_equal(rotations[0], np.eye(3)) and not translations[0].any()):
        raise NucleateError("the identity x,y,z is missing among the symmetry operations of the file")
    return Reading("its list of operations", rotations, translations)


def _require_equal_lists(lists: dict[str, list[tuple[NDArray, NDArray]]]) -> None:
    """Raises NucleateError if the lists of operations in a file differ from each other."""
    keys = {tag: operations_key(*(np.array(part) for part in zip(*ops, strict=True))) for tag, ops in lists.items()}
    first, *others = keys
    for other in others:
        if keys[first] != keys[other]:
            raise NucleateError(
                f"the file lists its symmetry operations twice, and the lists differ: {len(keys[first])} as {first}, "
                f"{len(keys[other])} as {other}; keep only the right list"
            )


def _product(a: tuple[NDArray, NDArray], b: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    return b[0] @ a[0], (b[0] @ a[1] + b[1]) % 1.0


def _operation(text: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rotation (3, 3) and translation (3,) of "1/2+X, -y, z-x" or "x, y+.5, -z"; time reversal is ignored."""
    parts = re.sub(r"\s", "", text).lower().split(",")
    if len(parts) == 4 and parts[3] in ("+1", "-1", "1"):
        parts = parts[:3]
    rotation, translation = np.zeros((3, 3), dtype=np.int64), np.zeros(3)
    terms = r"[+-]?(?:[xyz]|\d*\.\d+|\d+\.?(?:/\d+)?)"
    if len(parts) != 3 or not all(re.fullmatch(f"(?:{terms})+", part) for part in parts):
        raise NucleateError(
            f"'{text}' is not a symmetry operation such as x,-y,z+1/2 (one with spaces needs quotation marks around it)"
        )
    for i, part in enumerate(parts):
        for term in re.findall(terms, part):
            sign = -1 if term[0] == "-" else 1
            body = term.lstrip("+-")
            if body in "xyz":
                rotation[i, "xyz".index(body)] += sign
            else:
                top, _, bottom = body.partition("/")
                if bottom and int(bottom) == 0:
                    raise NucleateError(f"'{text}' is not a symmetry operation such as x,-y,z+1/2")
                translation[i] += sign * float(top) / float(bottom or 1)
    exact = np.round(translation * UNIT) / UNIT  # 0.333 means 1/3
    if np.abs(translation - exact).max() > 0.005 or abs(round(float(np.linalg.det(rotation)))) != 1:
        raise NucleateError(f"'{text}' is not a symmetry operation of a crystal")
    return rotation, exact % 1.0
