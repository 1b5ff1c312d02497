"""Crystals from POSCAR and CONTCAR files, read as VASP reads them. A file that is not certainly one crystal is refused.

The format: https://www.vasp.at/wiki/index.php/POSCAR. Some things that VASP accepts (a missing mode, more lines of
coordinates than the number of atoms) are refused, because they are mostly mistakes.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.crystal.convert import SMALLEST_VOLUME
from nucleate.errors import NucleateError
from nucleate.io.numerals import leading_numbers, whole_number
from nucleate.io.parse import ParsedCrystal, bare_structure
from nucleate.io.remarks import far_outside
from nucleate.io.species import counted_elements, element_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLAG = re.compile(r"\.?(T|F)(RUE|ALSE)?\.?", re.IGNORECASE)
NAME = re.compile(r"([A-Za-z]{1,2})([0-9]{0,2})(_[A-Za-z0-9_.]*)?(/[0-9A-Za-z]*)?")  # Ti, Ti_sv, Ti_sv/65efe7a7, Fe1
NAMES_WANTED = "write the elements on the line before the numbers of atoms (VASP 5)"


@dataclass(frozen=True)
class _Sites:
    """The lines of coordinates: numbers (n, 3), for each line three flags or None, and the words after them."""

    numbers: NDArray[np.float64]
    flags: list[tuple[bool, bool, bool] | None]
    words: list[list[str]]
    first: int  # the number of the first of these lines, counted from 1


class _Lines:
    """The lines of a text, which are taken one after another, without comments after ! and #."""

    def __init__(self, text: str) -> None:
        self.lines = re.split(r"\r\n|\n|\r", text)
        self.at = 0  # the index of the next line, which is the number (from 1) of the line that was taken last

    def take(self, what: str) -> str:
        if self.at >= len(self.lines):
            raise NucleateError(f"cut short: the file ends before {what}")
        self.at += 1
        return self.peek(-1)

    def peek(self, ahead: int = 0) -> str:
        at = self.at + ahead
        line = self.lines[at] if at < len(self.lines) else ""
        if "!" in line or "#" in line:
            line = re.split(r"[!#]", line)[0]
        return (re.sub(r",(?=\s|$)", " ", line) if "," in line else line).strip()  # Fortran reads a comma as a space

    def wrong(self, what: str) -> NucleateError:
        return NucleateError(f"line {self.at}: {what} should stand here, not {self.lines[self.at - 1].strip()[:60]!r}")


def structure_from_poscar(text: str) -> ParsedCrystal:
    """The crystal of a POSCAR, with the atoms that selective dynamics fixes in all directions.

    Raises NucleateError, mostly with the line, for anything that can be read in two ways.
    """
    lines = _Lines(text)
    comment = lines.lines[0].strip()
    lines.take("the comment")
    scale = _scale(lines)
    cell = np.array([_three(lines, f"vector {i} of the cell") for i in (1, 2, 3)])
    factor = _factor(scale, cell)
    names, remarks = _names(lines)
    counts = _counts(lines, names)
    mode = lines.take("Direct or Cartesian")
    selective = mode[:1].lower() == "s"
    if selective:
        mode = lines.take("Direct or Cartesian")
    cartesian = _is_cartesian(lines, mode)
    sites = _sites(lines, sum(counts), selective)
    remarks += _what_follows(lines, len(sites.numbers))
    blocks = [i for i, count in enumerate(counts) for _ in range(count)]
    if not names:
        names, found = _names_elsewhere(comment, counts, blocks, sites)
        remarks += found
    symbols = [names[i] for i in blocks]
    _require_same_names(symbols, sites)
    places = sites.numbers @ np.linalg.inv(cell) if cartesian else sites.numbers  # both are scaled by one factor
    if len(scale) == 3 and cartesian:
        places = (sites.numbers * factor) @ np.linalg.inv(cell * factor)
    made = bare_structure(cell * factor, symbols, places)
    fixed, found = _fixed(sites, selective)
    said = [*_comment_says(comment, symbols), *([] if cartesian else far_outside(sites.numbers))]
    return dataclasses.replace(made, remarks=(*remarks, *found, *said, *made.remarks), fixed=fixed)


def _scale(lines: _Lines) -> list[float]:
    words = lines.take("the scale").split()
    scale = leading_numbers(words)
    if len(scale) not in (1, 3) or not all(scale) or (len(scale) == 3 and min(scale) < 0):
        raise lines.wrong("the scale (a factor, minus a volume, or three factors)")
    _require_no_comma(lines, words, len(scale))
    return scale


def _factor(scale: list[float], cell: NDArray[np.float64]) -> float | NDArray[np.float64]:
    """The factor for cell vectors and Cartesian coordinates, or three factors for x, y and z."""
    volume = abs(float(np.linalg.det(cell)))
    if not volume > 1e-12 * math.prod(float(np.linalg.norm(v)) for v in cell):
        raise NucleateError("the cell has no volume (its three vectors lie in one plane)")
    factor = np.array(scale) if len(scale) == 3 else scale[0] if scale[0] > 0 else (-scale[0] / volume) ** (1 / 3)
    made = volume * (math.prod(scale) if len(scale) == 3 else float(factor) ** 3)
    if not made >= SMALLEST_VOLUME:
        raise NucleateError(f"the cell has no volume ({made:.3g} cubic angstrom)")
    return factor


def _three(lines: _Lines, what: str) -> list[float]:
    words = lines.take(what).split()
    numbers = leading_numbers(words)
    _require_no_comma(lines, words, len(numbers))
    if len(numbers) != 3:
        raise lines.wrong(f"{what}, three numbers,")
    return numbers


def _require_no_comma(lines: _Lines, words: Sequence[str], count: int) -> None:
    if any(re.match(r"[+-]?[0-9]*,[0-9]", w) for w in words[count : count + 1]):
        raise lines.wrong("numbers with a decimal point, and no comma,")


def _names(lines: _Lines) -> tuple[list[str], list[str]]:
    """The elements of the blocks, which may be on several lines, and remarks. There are none if the line has numbers of
    atoms instead (VASP 4)."""
    names: list[str] = []
    remarks: list[str] = []
    while True:
        words = lines.peek().split()
        if words and whole_number(words[0]) is not None:
            return names, remarks
        lines.take("the elements and the numbers of atoms")
        if not words:
            raise lines.wrong("the elements or the numbers of atoms")
        for word in words:
            match = NAME.fullmatch(word)
            name = element_name(match[1]) if match else None
            if name is None:
                raise lines.wrong(f"elements or the numbers of atoms ({word[:20]!r} is neither)")
            if match and name != match[1] + match[2]:
                remarks.append(f"{word!r} is read as {name}")
            names.append(name)


def _counts(lines: _Lines, names: list[str]) -> list[int]:
    counts: list[int] = []
    while not counts or (
        names and len(counts) < len(names) and whole_number((lines.peek().split() or [""])[0]) is not None
    ):
        words = lines.take("the numbers of atoms").split()
        numbers = [whole_number(w) for w in words[: len(leading_numbers(words))]]
        found = [n for n in numbers if n is not None and n >= 0]
        if not found or len(found) < len(numbers):
            raise lines.wrong("the numbers of atoms, whole numbers,")
        rest = words[len(found) :]
        if rest and rest[0][0] in "0123456789+-.*":
            raise lines.wrong("the numbers of atoms, whole numbers,")
        counts += found
    if names and len(names) != len(counts):
        raise NucleateError(
            f"line {lines.at}: {len(counts)} numbers of atoms for the {len(names)} names {' '.join(names)}"
        )
    if not 0 < sum(counts) <= len(lines.lines):
        raise NucleateError(
            f"line {lines.at}: {sum(counts):,} atoms are counted, the file has {len(lines.lines):,} lines"
        )
    return counts


def _is_cartesian(lines: _Lines, mode: str) -> bool:
    first = mode[:1].lower()
    if first not in ("c", "k", "d", "f") or len(leading_numbers(mode.split())) > 0:
        raise lines.wrong("Direct or Cartesian")
    return first in "ck"


def _sites(lines: _Lines, count: int, selective: bool) -> _Sites:
    first = lines.at + 1
    numbers, flags, rests = [], [], []
    for i in range(count):
        words = lines.take(f"the coordinates of atom {i + 1} of {count}").split()
        if not words:
            raise NucleateError(f"line {lines.at}: {count} atoms are counted, but {i} lines of coordinates stand here")
        found = leading_numbers(words)
        _require_no_comma(lines, words, len(found))
        if len(found) != 3:
            raise lines.wrong(f"the coordinates of atom {i + 1} of {count}, three numbers,")
        marks = [FLAG.fullmatch(w) for w in words[3:6]]
        whole_mark = len(marks) == 3 and all(marks)
        if selective and not whole_mark:
            raise lines.wrong("three flags (T or F) behind the coordinates, after 'Selective dynamics',")
        numbers.append(found)
        x, y, z = (bool(m and m[1].upper() == "T") for m in (marks if whole_mark else (None,) * 3))
        flags.append((x, y, z) if whole_mark else None)
        rests.append(words[6:] if whole_mark else words[3:])
    return _Sites(np.array(numbers), flags, rests, first)


def _what_follows(lines: _Lines, count: int) -> list[str]:
    """Remarks on what follows the atoms. Velocities and other things that VASP writes there are ignored. Raises
    NucleateError if more coordinates follow."""
    following = lines.peek()
    if lines.at < len(lines.lines) and len(leading_numbers(following.split())) >= 3:
        more = 0
        while len(leading_numbers(lines.peek(more).split())) >= 3:
            more += 1
        raise NucleateError(
            f"line {lines.at + 1}: {count} atoms are counted, but {count + more} lines of coordinates follow"
        )
    rest = [line.strip() for line in lines.lines[lines.at :]]
    if not any(rest):
        return []
    if any(re.match(r"direct\s+configuration", line, re.IGNORECASE) for line in rest):
        raise NucleateError("several frames (an XDATCAR); give one POSCAR each")
    block = []
    for line in rest[1:] if rest and not following else []:
        if len(leading_numbers(line.split())) < 3:
            break
        block.append(line)
    if block and len(block) != count:
        raise NucleateError(
            f"line {lines.at + 2}: {len(block)} lines of three numbers stand behind an empty line; "
            f"they would be velocities of {count} atoms, or further atoms"
        )
    if following and not re.match(r"(lattice velocities|direct|cartesian)", following, re.IGNORECASE):
        return [f"line {lines.at + 1} and what follows is not read ({following[:40]!r})"]
    return []


def _names_elsewhere(comment: str, counts: list[int], blocks: list[int], sites: _Sites) -> tuple[list[str], list[str]]:
    """The elements of the blocks of a VASP 4 file, and remarks. They are taken from the ends of the lines of
    coordinates or from the comment line."""
    ends = [element_name(re.sub(r"[0-9]+$", "", w[0])) if w and w[0][0].isupper() else None for w in sites.words]
    if all(ends) and not set(ends) <= {"T", "F"}:  # a single T or F may be a flag, tritium or fluorine
        of_block: dict[int, set[str | None]] = {}
        for block, end in zip(blocks, ends, strict=True):
            of_block.setdefault(block, set()).add(end)
        mixed = next((sorted(map(str, found)) for found in of_block.values() if len(found) > 1), None)
        if mixed:
            raise NucleateError(
                f"the lines of one block end in different elements ({', '.join(mixed)}); {NAMES_WANTED}"
            )
        names = [str(next(iter(of_block.get(i, {"H"})))) for i in range(len(counts))]
        return names, [f"the elements {' '.join(names)} are taken from the ends of the lines"]
    words = comment.split()
    if len(words) == len(counts) and all(w[:1].isupper() and element_name(w) == w for w in words):
        return words, [f"no element names (VASP 4); {' '.join(words)} of the comment line is taken, one for each block"]
    said = counted_elements(comment)
    if [n for _, n in said] == counts:
        names = [symbol for symbol, _ in said]
        return names, [f"no element names (VASP 4); {comment} of the comment line is taken, one for each block"]
    raise NucleateError(f"no element names (VASP 4); {NAMES_WANTED}")


def _require_same_names(symbols: Sequence[str], sites: _Sites) -> None:
    for i, (symbol, words) in enumerate(zip(symbols, sites.words, strict=True)):
        end = re.sub(r"[0-9]*[+-]?[0-9]*$", "", words[0]) if words else ""
        if end[:1].isupper() and element_name(end) == end and end != symbol:
            raise NucleateError(
                f"line {sites.first + i}: an atom of the block of {symbol} ends in {end}; which of the two is it?"
            )


def _fixed(sites: _Sites, selective: bool) -> tuple[tuple[int, ...], list[str]]:
    """The sites (from 0) that may not move at all, and remarks on flags that are not used."""
    if not selective:
        some = any(f is not None for f in sites.flags)
        return (), ["flags (T, F) without 'Selective dynamics' are not used"] if some else []
    fixed = tuple(i for i, f in enumerate(sites.flags) if f is not None and not any(f))
    partly = [i + 1 for i, f in enumerate(sites.flags) if f is not None and any(f) and not all(f)]
    if not partly:
        return fixed, []
    shown = ", ".join(map(str, partly[:10])) + (", ..." if len(partly) > 10 else "")
    return fixed, [f"atoms fixed in some directions only are free to move: {shown}"]


def _comment_says(comment: str, symbols: Sequence[str]) -> list[str]:
    """A remark if the comment line lists elements with numbers that are not those of the atoms."""
    said = counted_elements(comment)
    if not said:
        return []
    wanted = {s: sum(n for t, n in said if t == s) for s, _ in said}
    have = {s: symbols.count(s) for s in dict.fromkeys(symbols)}
    if wanted == have:
        return []
    return [f"the comment says {comment}, the atoms are {' '.join(f'{s}{n}' for s, n in have.items())}"]
