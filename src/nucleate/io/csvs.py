"""Crystals from tables (.csv, .tsv) with a column of CIFs or of pymatgen's JSON, and columns of properties."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.io.cells import unescaped
from nucleate.io.cif import structure_from_cif
from nucleate.io.parse import ParsedCrystal, parse_dict
from nucleate.io.results import Problem, Remark
from nucleate.io.rows import Rows, open_text, read_json_text, take_name
from nucleate.io.values import holds_names, is_nothing, number_of

if TYPE_CHECKING:
    from pymatgen.core import Structure

SEPARATORS = ",;\t|"
WANTED = ("cif", "structure")  # names of columns with structures; the first that exists is used
# texts that were probably meant as numbers, though they are none: 7,8 and 3.2 eV and 1_000 and 1.23(4) and <0.1
MEANT = re.compile(
    r"[<>=~\u2248\u2264\u2265$\u20ac]*\s*[+\-\u2212\u2013]?[0-9]*[.,_']?[0-9]+([.,_'][0-9]+)*([eEdD][+-]?[0-9]+)?\s*"
    r"([^\W\d_]{1,3}\S*|\([0-9]+\)|[%*]|(\u00b1|\+/?-|\u00d7|\s-\s).*)?"
)
SHOWN = 5  # the number of cells that a remark quotes


@dataclass
class _Column:
    """What the cells of a column contain.

    numbers, words: the number of cells with a number or with another text. shown: the first other texts, with their
    rows. meant: whether all of these were probably meant as numbers. nothing: marks of missing values -> how often.
    """

    numbers: int = 0
    words: int = 0
    shown: list[str] = field(default_factory=list)
    meant: bool = True
    nothing: Counter[str] = field(default_factory=Counter)

    def add(self, row: int, text: str) -> None:
        if is_nothing(text):
            self.nothing[text.strip()] += 1
        elif number_of(text) is not None:
            self.numbers += 1
        else:
            self.words += 1
            if len(self.shown) < SHOWN:
                self.shown.append(f"row {row} {text.strip()[:30]!r}")
                self.meant &= MEANT.fullmatch(text.strip()[:60]) is not None


def read_csv(path: Path) -> Rows:
    """The crystals of a table. They are in the column `cif` or `structure` (pymatgen's JSON), or in the only column
    that has CIFs; all other columns are properties.

    A column has numbers if every cell is a number or a mark of a missing value (empty, None, N/A, -, nan, ...). If
    there are other texts among the numbers, the whole column is text, and a remark quotes them.
    """
    limit = csv.field_size_limit(2**31 - 1)  # a CIF may be longer than the default 128 kB
    try:
        header, column = _header(path)
        kinds = {name: _Column() for name in header if name and name != column}
        for row, fields in _rows(path, len(header)):
            for name, text in zip(header, fields, strict=True) if not isinstance(fields, str) else ():
                if name in kinds:
                    kinds[name].add(row, text)
        yield from _remarks(path, kinds)
        for other in (c for c in _structures(header) if c != column):
            yield Remark(str(path), None, f"crystals are read from the column '{column}', not from '{other}'")
        for row, fields in _rows(path, len(header)):
            if isinstance(fields, str):
                yield Problem(str(path), row, fields)
                continue
            cells = {k: v for k, v in zip(header, fields, strict=True) if k}
            text = cells.pop(column)
            name = take_name(cells, f"{path.stem}-{row}")
            info = {k: _cell(kinds[k], k, v) for k, v in cells.items()}
            yield row, name, {k: v for k, v in info.items() if v is not None}, partial(_structure, column, text)
    finally:
        csv.field_size_limit(limit)


def _cell(kind: _Column, key: str, text: str) -> Any:
    """The value of a cell: a number if the column has numbers, else the text; None if it is missing."""
    if kind.words or holds_names(key):
        return text if text.strip() else None
    return None if is_nothing(text) else number_of(text)


def _remarks(path: Path, kinds: dict[str, _Column]) -> Iterator[Remark]:
    for name, kind in kinds.items():
        if holds_names(name):
            continue
        if kind.words and (kind.numbers >= kind.words or kind.meant):
            more = f" and {kind.words - len(kind.shown):,} more" if kind.words > len(kind.shown) else ""
            comma = "; write decimal points" if any("," in text for text in kind.shown) else ""
            yield Remark(
                str(path),
                None,
                f"column '{name}' is text, since not all of it are numbers: {', '.join(kind.shown)}{more}{comma}",
            )
        elif kind.numbers and (said := {k: n for k, n in kind.nothing.items() if k}):
            shown = ", ".join(f"{n:,} x {k}" for k, n in said.items())
            yield Remark(str(path), None, f"column '{name}': no number in some rows ({shown})")


def _open(path: Path) -> tuple[IO[str], str]:
    """The open table, and the character that separates its cells. A first line "sep=;" (of Excel) is skipped; otherwise
    the header decides."""
    file = open_text(path)
    start = file.tell()
    first = file.readline()
    if first.lower().startswith("sep=") and len(first.strip("\r\n")) == 5:
        return file, first[4]
    file.seek(start)
    return file, separator_of(first, WANTED)


def separator_of(header: str, wanted: Sequence[str]) -> str:
    """The character that separates the names in a header: one with which a wanted name (in small or capital letters) is
    a cell of its own, or else the one that gives the most cells."""
    cells = {s: _clean(next(csv.reader([header], delimiter=s), [])) for s in SEPARATORS}
    named = [s for s in SEPARATORS if len(cells[s]) > 1 and {c.lower() for c in cells[s]} & set(wanted)]
    return named[0] if named else max(SEPARATORS, key=lambda s: len(cells[s]))  # the comma if all give equally many


def _clean(cells: Sequence[str]) -> list[str]:
    return [unescaped(c.strip()) for c in cells]


def _structures(header: Sequence[str]) -> list[str]:
    return [c for wanted in WANTED for c in header if c.lower() == wanted]


def _header(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and the one with the structures."""
    file, separator = _open(path)
    with file:
        rows = csv.reader(file, strict=True, delimiter=separator)
        try:
            header = _clean(next(rows, []))
            first = next(rows, [])
        except csv.Error as error:
            raise NucleateError(f"not CSV ({error})") from None
    if any("\0" in c for c in header):
        raise NucleateError("it holds zero bytes: UTF-16 without its mark, or no text; save it as UTF-8")
    twice = [c for c, n in Counter(c for c in header if c).items() if n > 1]
    if twice:
        raise NucleateError(f"two columns are called '{twice[0]}'; which one is meant? rename or remove one")
    found = _structures(header)
    if len(found) > 1 and found[0].lower() == found[1].lower():
        raise NucleateError(f"two columns of crystals, '{found[0]}' and '{found[1]}'; which one is meant? remove one")
    if not found:
        cifs = [c for c, text in zip(header, first, strict=False) if "_cell_length_a" in text]
        found = cifs if len(cifs) == 1 else []
    if not found:
        raise NucleateError(
            f"no column 'cif' or 'structure'; the columns are: {', '.join(c for c in header if c)[:200]}"
        )
    return header, found[0]


def _rows(path: Path, width: int) -> Iterator[tuple[int, list[str] | str]]:
    """For each row after the header, its number from 1, and its cells or what is wrong with it."""
    file, separator = _open(path)
    with file:
        rows = csv.reader(file, strict=True, delimiter=separator)
        next(rows, None)
        row, lost = 0, False
        while True:
            try:
                fields = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                row += 1
                yield row, f"not CSV ({error})"
                lost = True  # lines are then skipped up to the next one with the right number of cells
                continue
            if not fields or (lost and len(fields) != width):
                continue
            lost = False
            row += 1
            cells = [unescaped(c) for c in fields]
            yield row, cells if len(cells) == width else f"{len(fields)} columns instead of {width}"


def _structure(column: str, text: str) -> Structure | ParsedCrystal:
    if not text.strip():
        raise NucleateError("no structure")
    return parse_dict(read_json_text(text)) if column.lower() == "structure" else structure_from_cif(text)
