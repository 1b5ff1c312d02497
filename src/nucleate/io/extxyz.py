"""Crystals from extended XYZ files. Each frame has the number of atoms, a line of key=value pairs, and a line for each
atom.

The format: https://github.com/libAtoms/extxyz. Frames are read one by one, so that the others can be read if one is
broken.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.crystal.convert import require_volume
from nucleate.errors import NucleateError
from nucleate.io.numerals import real_number, whole_number
from nucleate.io.parse import ParsedCrystal, bare_structure
from nucleate.io.remarks import far_outside
from nucleate.io.results import Problem
from nucleate.io.rows import Rows, read_text, take_name
from nucleate.io.species import label_element
from nucleate.io.values import NAME_KEYS, holds_names, is_nothing, number_of

COUNT = re.compile(r"[ \t]*[0-9]{1,9}[ \t]*")
PAIR = re.compile(
    r"""(?P<key>[^\s=,"'{}\[\]]+)
    (?:[ \t]*=(?:[ \t]*"(?P<double>(?:\\.|[^"\\])*)"|[ \t]*'(?P<single>[^']*)'|[ \t]*\{(?P<braces>[^}]*)\}
    |[ \t]*(?P<list>\[[^=]*\](?=\s|$))|(?P<bare>[^\s"'{\[=]\S*)|[ \t]+(?P<far>[^\s"'{\[=][^\s=]*(?=\s|$))
    |(?P<empty>)))?""",
    re.VERBOSE,
)
TRUE, FALSE = {"t", "true"}, {"f", "false"}
UNIT = re.compile(r"(length|pos|positions?|coords?|lattice|cell)?[-_ ]?units?", re.IGNORECASE)
OTHER_UNITS = {"bohr", "bohrs", "au", "a.u", "a0", "atomic", "nm", "nanometer", "nanometers", "pm", "picometer", "m"}
NAMES = ("species", "symbols", "symbol", "elements", "element")  # columns that should have symbols, not numbers
OCCUPANCY = ("occupancy", "occupancies", "occ")
SPECIES = ("species", "symbols", "symbol", "elements", "element", "z", "numbers", "atomic_numbers", "atomic_number")
POSITIONS = ("pos", "positions", "position", "coords", "xyz")
FRACTIONS = ("scaled_positions", "scaled_pos", "frac_coords", "frac_pos", "fractional", "frac", "pos_frac", "abc")


@dataclass
class _Comment:
    """The content of the second line of a frame. own: lattice, pbc and properties. info: scalar properties. faults: why
    the frame cannot be used."""

    own: dict[str, str] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def read_extxyz(path: Path) -> Rows:
    """The crystals of all frames of a file; the number of a row is that of the frame, from 1."""
    text = read_text(path).rstrip()
    lines = re.split(r"\r?\n" if "\n" in text else "\r", text)
    row = 0
    for start, end, count in _frames(lines):
        row += 1
        where = f"line {start + 1}"
        if count is None:
            found = lines[start].strip()[:40]
            yield Problem(str(path), row, f"{where}: a number of atoms should stand here, not {found!r}")
            continue
        have = end - start - 2
        if have != count:
            less = f"cut short: {max(have, 0)} of {count} atoms ({where})"
            yield Problem(
                str(path), row, less if have < count else f"{where}: {count} atoms are counted, {have} follow"
            )
            continue
        comment = _comment(lines[start + 1])
        info = dict(comment.info)
        yield (
            row,
            take_name(info, f"{path.stem}-{row}"),
            info,
            partial(_structure, comment, lines[start + 2 : end], start + 3),
        )


def _frames(lines: Sequence[str]) -> Iterator[tuple[int, int, int | None]]:
    """For each frame the index of its first line, the index after its last line, and the number of atoms, which is None
    for lines that belong to no frame."""
    at = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if not COUNT.fullmatch(lines[at]):
            end = _next_start(lines, at + 1)
            yield at, end, None
            at = end
            continue
        count = int(lines[at])
        end = min(at + 2 + count, len(lines))
        early = next((i for i in range(at + 1, end) if _starts(lines, i)), end)
        while early == end < len(lines) and lines[end].strip() and not COUNT.fullmatch(lines[end]):
            early = end = end + 1  # more lines than the number of atoms says
        while early > at + 1 and not lines[early - 1].strip() and early - at - 2 != count:
            early -= 1  # empty lines at the end of an incomplete frame
        yield at, early, count
        at = max(early, at + 1)


def _starts(lines: Sequence[str], at: int) -> bool:
    """Whether a frame certainly starts at a line: it is a number, and the next line has a lattice or properties."""
    following = lines[at + 1] if at + 1 < len(lines) else ""
    return bool(COUNT.fullmatch(lines[at]) and re.search(r"\b(lattice|properties)\s*=", following, re.IGNORECASE))


def _next_start(lines: Sequence[str], at: int) -> int:
    return next((i for i in range(at, len(lines)) if _starts(lines, i)), len(lines))


def _comment(line: str) -> _Comment:
    out = _Comment()
    seen: dict[str, str] = {}
    for match in PAIR.finditer(line):
        key, found = match["key"], match.groupdict()
        text = next(
            (found[k] for k in ("double", "single", "braces", "list", "bare", "far", "empty") if found[k] is not None),
            None,
        )
        if found["double"] is not None:
            text = re.sub(r"\\(.)", r"\1", found["double"])
        own = key.lower() if key.lower() in ("lattice", "cell", "pbc", "properties") else None
        if own is not None:
            known = "lattice" if own == "cell" and "lattice" in out.own else own
            if out.own.setdefault(known, text or "") != (text or ""):
                out.faults.append(f"{key} occurs twice in the second line, with different values")
            continue
        if UNIT.fullmatch(key) and (text or "").lower().strip(" .") in OTHER_UNITS:
            out.faults.append(f"the second line says {key}={text}; lengths must be in angstrom")
        if key in seen and seen[key] != str(text):
            out.info.pop(key, None)
            out.remarks.append(f"{key} occurs twice ({seen[key]} and {text}) and is left out")
            continue
        seen[key] = str(text)
        value = True if text is None else _value(key, text, found["braces"] is not None or found["list"] is not None)
        if value is not None:
            out.info[key] = value
        elif text and is_nothing(text) and text.lower().strip("+-") in ("inf", "nan"):
            out.remarks.append(f"{key}={text} is not a finite number and is left out")
    return out


def _value(key: str, text: str, vector: bool) -> Any:
    """The value of a scalar as bool, int, float or str; None for missing values and vectors."""
    words = text.replace(",", " ").split()
    if vector or text.startswith("_JSON") or (len(words) > 1 and all(real_number(w) is not None for w in text.split())):
        return None
    if key.lower() in NAME_KEYS:
        return text or None
    if is_nothing(text):
        return None
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    value = None if holds_names(key) else number_of(text)
    return text if value is None else value


def _structure(comment: _Comment, lines: Sequence[str], first: int) -> ParsedCrystal:
    """The crystal of a frame. lines: of its atoms. first: the number of the first of these lines in the file."""
    if comment.faults:
        raise NucleateError(comment.faults[0])
    cell = _cell(comment)
    columns = _columns(comment.own.get("properties"), lines)
    width = max(c.stop for c in columns.values())
    rows = [line.split() for line in lines]
    for i, row in enumerate(rows):
        if len(row) != width and ("properties" in comment.own or len(row) < width):
            raise NucleateError(f"line {first + i}: {width} values should stand here, not {' '.join(row)[:60]!r}")
    symbols, remarks = _symbols(columns, rows, first)
    _require_whole(columns, rows, first)
    pos = next((_reals(columns[c], rows, first) for c in POSITIONS if c in columns), None)
    frac = next((_reals(columns[c], rows, first) for c in FRACTIONS if c in columns), None)
    if pos is None and frac is None:
        raise NucleateError(f"no column pos; the columns are: {', '.join(columns)}")
    found = far_outside(frac) if frac is not None else []
    if pos is not None:
        of_pos = pos @ np.linalg.inv(cell)
        apart = of_pos - frac if frac is not None else np.zeros((1, 3))
        if np.abs((apart - apart.round()) @ cell).max(initial=0) > 0.05:
            raise NucleateError("positions and fractional coordinates are different places")
        frac = of_pos
    fixed, partly = _fixed(columns, rows)
    made = bare_structure(cell, symbols, frac)
    return dataclasses.replace(made, remarks=(*comment.remarks, *remarks, *found, *partly, *made.remarks), fixed=fixed)


def _cell(comment: _Comment) -> np.ndarray:
    text = comment.own.get("lattice", comment.own.get("cell"))
    if text is None:
        raise NucleateError('no cell (Lattice="..." in the second line)')
    words = re.sub(r"[\[\],]", " ", text).split()
    numbers = [real_number(w) for w in words]
    if len(numbers) != 9 or None in numbers:
        raise NucleateError(f"Lattice must hold 9 numbers, not {text[:60]!r}")
    cell = np.array(numbers, dtype=float).reshape(3, 3)
    require_volume(cell)
    flags = re.sub(r"[\[\],]", " ", comment.own.get("pbc", "T T T")).lower().split()
    flags = flags * 3 if len(flags) == 1 else flags
    if len(flags) != 3 or not set(flags) <= TRUE | FALSE | {"0", "1"}:
        raise NucleateError(f"pbc must be three of T and F, not {comment.own['pbc'][:40]!r}")
    periodic = sum(f in TRUE | {"1"} for f in flags)
    if periodic != 3:
        raise NucleateError(f"periodic in {periodic} of 3 directions")
    return cell


def _columns(properties: str | None, lines: Sequence[str]) -> dict[str, slice]:
    """Name of each property in small letters -> its columns."""
    words = (properties or "species:S:1:pos:R:3").split(":")
    counts = [whole_number(w) for w in words[2::3]]
    good = len(words) % 3 == 0 and all(w in ("S", "R", "I", "L") for w in words[1::3])
    if not good or not all(c is not None and 0 < c < 10_000 for c in counts):
        raise NucleateError(
            f"Properties must be name:type:columns, as species:S:1:pos:R:3, not {str(properties)[:60]!r}"
        )
    columns: dict[str, slice] = {}
    at = 0
    for name, count in zip(words[::3], counts, strict=True):
        columns.setdefault(name.lower(), slice(at, at + (count or 0)))
        at += count or 0
    twice = [n for n in (*SPECIES, *POSITIONS, *FRACTIONS) if [w.lower() for w in words[::3]].count(n) > 1]
    if twice:
        raise NucleateError(f"Properties name the column {twice[0]} twice")
    for name in (*POSITIONS, *FRACTIONS):
        if name in columns and columns[name].stop - columns[name].start != 3:
            raise NucleateError(f"the column {name} must hold three numbers")
    return columns


def _symbols(columns: dict[str, slice], rows: Sequence[Sequence[str]], first: int) -> tuple[list[str], list[str]]:
    """The elements of the atoms, and remarks. If several columns name elements, they must agree."""
    given = [c for c in SPECIES if c in columns]
    if not given:
        raise NucleateError(f"no column species; the columns are: {', '.join(columns)}")
    labels: dict[str, str] = {}
    as_numbers: dict[str, str] = {}
    symbols: list[str] = []
    for i, row in enumerate(rows):
        found = []
        for column in given:
            text = row[columns[column].start]
            symbol = label_element(text)
            if symbol is None:
                raise NucleateError(f"line {first + i}: {text[:20]!r} is not an element")
            if symbol != text and whole_number(text) is None:
                labels[text] = symbol
            elif whole_number(text) is not None and column in NAMES:
                as_numbers[text] = symbol
            found.append(symbol)
        if len(set(found)) > 1:
            raise NucleateError(f"line {first + i}: one column says {found[0]}, another one {found[1]}")
        symbols.append(found[0])
    if {int(n) for n in as_numbers} != set(range(1, len(as_numbers) + 1)):
        as_numbers = {}  # only numbers 1, 2, ... without a gap are remarked on, because they may be types of LAMMPS
    remarks = []
    for found_there, what in ((labels, "labels are read as elements"), (as_numbers, "numbers are atomic numbers")):
        if found_there:
            shown = ", ".join(f"{a} as {b}" for a, b in list(found_there.items())[:5])
            remarks.append(f"{what}: {shown}" + (", ..." if len(found_there) > 5 else ""))
    return symbols, remarks


def _reals(column: slice, rows: Sequence[Sequence[str]], first: int) -> np.ndarray:
    out = [[real_number(w) for w in row[column]] for row in rows]
    bad = next((i for i, row in enumerate(out) if None in row), None)
    if bad is not None:
        raise NucleateError(
            f"line {first + bad}: {' '.join(rows[bad][column])[:60]!r} should be three coordinates (a number that is "
            "not a finite number is none)"
        )
    return np.array(out, dtype=float).reshape(-1, 3)


def _require_whole(columns: dict[str, slice], rows: Sequence[Sequence[str]], first: int) -> None:
    for column in (c for c in OCCUPANCY if c in columns):
        for i, row in enumerate(rows):
            shares = [real_number(word) for word in row[columns[column]]]
            if any(share is not None and abs(share - 1) > 1e-3 for share in shares):
                said = " ".join(row[columns[column]])
                raise NucleateError(f"line {first + i}: partial occupancy ({said}); order the structure")


def _fixed(columns: dict[str, slice], rows: Sequence[Sequence[str]]) -> tuple[tuple[int, ...], list[str]]:
    """The atoms that may not move at all according to the column move_mask, and remarks."""
    if "move_mask" not in columns:
        return (), []
    free = [[w.lower() in TRUE | {"1"} for w in row[columns["move_mask"]]] for row in rows]
    partly = [str(i + 1) for i, flags in enumerate(free) if any(flags) and not all(flags)]
    remark = f"atoms fixed in some directions only are free to move: {', '.join(partly[:10])}"
    return tuple(i for i, flags in enumerate(free) if not any(flags)), [remark] if partly else []
