"""Crystals from CASTEP's .cell files and from the .res files of AIRSS (SHELX's format without symmetry)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nucleate.errors import NucleateError
from nucleate.io.numerals import leading_numbers, real_number, whole_number
from nucleate.io.parse import ParsedCrystal, bare_structure, cell_from_parameters
from nucleate.io.remarks import far_outside
from nucleate.io.rows import Rows, read_text, take_name
from nucleate.io.species import element_name

UNITS = {"ang": 1.0, "angstrom": 1.0, "bohr": 0.529177210903, "a0": 0.529177210903, "nm": 10.0}
Line = tuple[int, list[str]]  # the number of a line in the file, counted from 1, and its words
# Instructions of SHELX that do not matter for the atoms of a crystal without symmetry
PASSED = {"titl", "rem", "zerr", "fvar", "temp", "size", "l.s.", "bond", "conf", "fmap", "plan", "wght", "acta"}
PASSED |= {
    "anis",
    "merg",
    "exti",
    "list",
    "shel",
    "omit",
    "conn",
    "free",
    "isor",
    "eqiv",
    "htab",
    "disp",
    "cgls",
    "more",
}


def read_res(path: Path) -> Rows:
    """The crystals of a .res file, one for each line TITL."""
    blocks: list[list[Line]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if words and words[0].upper() == "TITL":
            blocks.append([])
        if words and blocks:
            blocks[-1].append((number, words))
    if not blocks:
        raise NucleateError("no line TITL; is this a .res file?")
    for i, block in enumerate(blocks, start=1):
        single = len(blocks) == 1
        info = _title(block[0][1])
        name = take_name(info, path.stem if single else f"{path.stem}-{i}")
        yield None if single else i, name, info, partial(_from_res, block)


def _title(words: Sequence[str]) -> dict[str, Any]:
    """The name, pressure and enthalpy in a title of AIRSS: TITL name pressure volume enthalpy spin |spin| atoms (group)
    n - found. Empty for another title."""
    numbers = leading_numbers(list(words[2:8]))
    if len(numbers) < 6:
        return {}
    return {"name": words[1], "pressure": numbers[0], "enthalpy": numbers[2]}


def _from_res(block: Sequence[Line]) -> ParsedCrystal:
    cell: list[float] | None = None
    elements: list[str] = []
    symbols: list[str] = []
    places: list[list[float]] = []
    in_cell: list[float] = []
    says_latt = False
    for number, words in _joined(block):
        key = words[0].lower()
        says_latt |= key == "latt"
        if key == "cell":
            cell = leading_numbers(list(words[1:]))[1:]
        elif (key == "latt" and words[1:] != ["-1"]) or key == "symm":
            raise NucleateError(f"line {number}: a .res with symmetry ({' '.join(words)}); give its CIF")
        elif key == "sfac":
            found = [element_name(w) for w in words[1:]]
            if None in found:
                raise NucleateError(f"line {number}: SFAC names {' '.join(words[1:])}, which are not all elements")
            elements += [str(e) for e in found]
        elif key == "unit":
            in_cell = leading_numbers(list(words[1:]))
        elif key in ("end", "hklf"):
            break
        elif key in PASSED or key == "latt":
            continue
        elif (
            len(words) >= 5
            and len(leading_numbers(list(words[2:5]))) == 3
            and (index := whole_number(words[1])) is not None
        ):
            if not 1 <= index <= len(elements):
                raise NucleateError(f"line {number}: element {index} of the {len(elements)} that SFAC names")
            if not words[0].upper().startswith(elements[index - 1].upper()):
                raise NucleateError(
                    f"line {number}: the label is {words[0]}, element {index} of SFAC is {elements[index - 1]}"
                )
            if len(words) > 5 and real_number(words[5]) not in (1.0, 11.0):
                raise NucleateError(f"line {number}: partial occupancy ({words[5]}); order the structure")
            symbols.append(elements[index - 1])
            places.append(leading_numbers(list(words[2:5])))
        else:
            raise NucleateError(f"line {number}: an atom should stand here (label, element, x, y, z), not {words[0]!r}")
    if cell is None or len(cell) != 6:
        raise NucleateError("no line CELL with a wavelength, three lengths and three angles")
    if not says_latt and not _title(block[0][1]):
        raise NucleateError("no line LATT; 'LATT -1' says that all atoms of the cell are listed, no LATT that half are")
    have = [float(symbols.count(e)) for e in elements]
    if len(in_cell) == len(have) and in_cell != have and set(in_cell) != {1.0}:
        wanted, listed = (" ".join(f"{e}{n:g}" for e, n in zip(elements, c, strict=True)) for c in (in_cell, have))
        raise NucleateError(f"UNIT says {wanted} in the cell, the atoms that follow are {listed}")
    said = whole_number(block[0][1][7]) if len(block[0][1]) > 7 and _title(block[0][1]) else None
    if said is not None and said != len(symbols):
        raise NucleateError(f"TITL says {said} atoms, {len(symbols)} follow")
    frac = np.array(places).reshape(-1, 3)
    return _made(cell_from_parameters(cell), symbols, frac, far_outside(frac))


def _joined(block: Sequence[Line]) -> list[Line]:
    """The lines, where a line that ends in "=" is joined with the next one (as in SHELX)."""
    out: list[Line] = []
    goes_on = False
    for number, words in block:
        if goes_on:
            out[-1] = (out[-1][0], [*out[-1][1], *words])
        else:
            out.append((number, list(words)))
        goes_on = out[-1][1][-1] == "=" and words[0].upper() != "REM"
        if goes_on:
            out[-1][1].pop()
    return [line for line in out if line[1]]


def _made(cell: Any, symbols: list[str], frac: Any, remarks: list[str]) -> ParsedCrystal:
    if not symbols:
        raise NucleateError("no atoms")
    made = bare_structure(cell, symbols, frac)
    return dataclasses.replace(made, remarks=(*remarks, *made.remarks))


def read_cell(path: Path) -> Rows:
    """The crystal of a CASTEP .cell file."""
    yield None, path.stem, {}, partial(structure_from_cell, read_text(path))


def structure_from_cell(text: str) -> ParsedCrystal:
    """The crystal of a .cell file, from the blocks LATTICE_CART or LATTICE_ABC and POSITIONS_FRAC or POSITIONS_ABS.
    Spins and labels are ignored. Raises NucleateError, with the line, if it cannot be read."""
    blocks = _blocks(text)
    lattices = [b for b in ("lattice_cart", "lattice_abc") if b in blocks]
    positions = [b for b in ("positions_frac", "positions_abs") if b in blocks]
    for kind, found in (("LATTICE_CART or LATTICE_ABC", lattices), ("POSITIONS_FRAC or POSITIONS_ABS", positions)):
        if len(found) != 1:
            raise NucleateError(f"{'no' if not found else 'more than one'} block {kind}")
    unit, lines = _unit(blocks[lattices[0]])
    rows = [_three(line) for line in lines]
    if len(rows) != (3 if lattices[0] == "lattice_cart" else 2):
        raise NucleateError(f"the block {lattices[0].upper()} has {len(rows)} lines of three numbers")
    cell = np.array(rows) * unit if len(rows) == 3 else cell_from_parameters([*(v * unit for v in rows[0]), *rows[1]])
    unit, lines = _unit(blocks[positions[0]])
    symbols, places = [], []
    for number, words in lines:
        name = element_name(words[0].split(":")[0])
        if name is None:
            raise NucleateError(f"line {number}: {words[0]!r} is not an element")
        if any(w.upper().startswith("MIXTURE") for w in words):
            raise NucleateError(f"line {number}: partial occupancy (MIXTURE); order the structure")
        symbols.append(name)
        places.append(_three((number, words[1:4])))
    frac = np.array(places).reshape(-1, 3)
    if positions[0] == "positions_abs":
        if not abs(np.linalg.det(cell)) > 0:
            raise NucleateError("the cell has no volume")
        frac = frac * unit @ np.linalg.inv(cell)
    return _made(cell, symbols, frac, far_outside(frac) if positions[0] == "positions_frac" else [])


def _blocks(text: str) -> dict[str, list[Line]]:
    """Name of each block in small letters -> its lines, without comments (after #, ! or ;)."""
    blocks: dict[str, list[Line]] = {}
    name: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.split(r"[#!;]|\bCOMMENT\b", line)[0].split()
        if len(words) == 2 and words[0].lower() in ("%block", "%endblock"):
            begins, key = words[0].lower() == "%block", words[1].lower()
            if (begins and (name is not None or key in blocks)) or (not begins and name != key):
                raise NucleateError(f"line {number}: {' '.join(words)} does not fit what stands before")
            name = key if begins else None
            if begins:
                blocks[key] = []
        elif words and name is not None:
            blocks[name].append((number, words))
    if name is not None:
        raise NucleateError(f"cut short: the block {name.upper()} does not end")
    return blocks


def _unit(lines: list[Line]) -> tuple[float, list[Line]]:
    """The unit of a block in angstrom, which its first line may give, and the other lines."""
    if lines and len(lines[0][1]) == 1:
        unit = UNITS.get(lines[0][1][0].lower())
        if unit is None:
            raise NucleateError(
                f"line {lines[0][0]}: {lines[0][1][0]!r} is not a unit that is known ({', '.join(UNITS)})"
            )
        return unit, lines[1:]
    return 1.0, lines


def _three(line: Line) -> list[float]:
    numbers = leading_numbers(line[1])
    if len(numbers) != 3:
        raise NucleateError(f"line {line[0]}: three numbers should stand here, not {' '.join(line[1])[:60]!r}")
    return numbers
