"""The text of a CIF as blocks of columns. gemmi parses the grammar (International Tables G, chapter 2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from nucleate.errors import NucleateError

ONCE = ("_atom_site_", "_space_group_symop_", "_symmetry_equiv_")  # tags that may be in only one loop of a block
ASCII = {0x2212: "-", 0xA0: " "}  # the minus sign and the non-breaking space, which come from copying out of documents
UNKNOWN = ("", ".", "?")  # "." is "not applicable" or the default, "?" is unknown


@dataclass(frozen=True)
class DataBlock:
    """One data block: columns maps tags to values.

    Tags are in lower case, with "_" in place of the "." of CIF 2 and magCIF. A tag that occurs twice has both values,
    if they differ; `only` gives the one value of a tag. loops: the tags of each loop. Their columns are equally long,
    and value i of each belongs to row i + 1 of the loop.
    """

    name: str
    columns: dict[str, list[str]]
    loops: tuple[tuple[str, ...], ...]

    def only(self, tag: str) -> str | None:
        """The only known value of a tag, or None. Raises NucleateError if the file gives two."""
        values = list(dict.fromkeys(self.known(tag)))
        if len(values) > 1:
            raise NucleateError(f"{tag} occurs twice, as {values[0]} and as {values[1]}")
        return values[0] if values else None

    def known(self, *tags: str) -> list[str]:
        """All known values of the tags, in the order of the tags."""
        return [v for tag in tags for v in self.columns.get(tag, []) if v.strip() not in UNKNOWN]


def split_blocks(text: str) -> list[tuple[str, int, str]]:
    """Name, first line (from 1) and text of each data block. Lines of text fields do not count as headers."""
    starts: list[tuple[str, int]] = []
    lines = re.split(r"\r\n|\r|\n", text.rstrip("\x1a\0\x0c"))  # a text of DOS ends with Ctrl-Z
    in_field = False
    for i, line in enumerate(lines):
        if line.startswith(";"):
            in_field = not in_field
        elif not in_field and (header := re.match(r"\s*data_(\S*)", line, re.IGNORECASE)):
            starts.append((header[1], i))
    ends = [*(i for _, i in starts[1:]), len(lines)]
    return [(name, i + 1, "\n".join(lines[i:end]) + "\n") for (name, i), end in zip(starts, ends, strict=False)]


def parse_block(text: str, first_line: int = 1) -> DataBlock:
    """The single block of a text; raises NucleateError with the line of an error in the grammar."""
    import gemmi

    try:
        document = gemmi.cif.read_string(text.translate(ASCII), 0)
    except (ValueError, RuntimeError) as error:
        raise NucleateError(_readable_error(str(error), text, first_line)) from None
    columns: dict[str, list[str]] = {}
    loops: list[tuple[str, ...]] = []

    block: Any = document[0]
    for item in block:
        if item.pair is not None:
            tag, value = _normal_tag(item.pair[0]), gemmi.cif.as_string(item.pair[1])
            if value not in columns.get(tag, []):
                columns.setdefault(tag, []).append(value)
        elif item.loop is not None:
            tags = tuple(map(_normal_tag, item.loop.tags))
            values = list(item.loop.values)
            for i, tag in enumerate(tags):
                column = [gemmi.cif.as_string(v) for v in values[i :: len(tags)]]
                if columns.setdefault(tag, column) != column and tag.startswith(ONCE):
                    raise NucleateError(
                        f"the column {tag} occurs twice, with different values; keep only the right one"
                    )
            loops.append(tags)
    return DataBlock(block.name, columns, tuple(loops))


def _normal_tag(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _readable_error(message: str, text: str, first_line: int) -> str:
    """gemmi's message, "string:7:0(128): reason", as a readable message with the line of the file."""
    place = re.match(r"\S*?:(\d+):\d+\(\d+\): (.*)", message, re.DOTALL)
    line = first_line + int(place[1]) - 1 if place else first_line
    reason = place[2] if place else message
    where = f"line {line} of the file"
    if "number of values" in reason.lower():
        return _uneven_loop(text, int(place[1]) if place else 1, first_line)
    if "unterminated" in reason.lower():
        return f"{where}: a quotation or a text field is not closed"
    if "parse error" in reason.lower():
        return f"{where} is not CIF: a tag and its value are expected; a value with spaces needs quotation marks"
    return f"{where} is not CIF ({' '.join(reason.split())})"


def _uneven_loop(text: str, loop: int, first_line: int) -> str:
    """What is wrong with the loop that begins in line `loop` of `text`; usually a row of another length."""
    lines = text.split("\n")[loop - 1 :]
    tags = [i for i, line in enumerate(lines) if line.strip().startswith("_")]
    width = next((k for k, i in enumerate(tags) if i != tags[0] + k), len(tags))
    for i in range(tags[0] + width, len(lines)) if tags else ():
        count = len(re.findall(r"'[^']*'|\"[^\"]*\"|\S+", lines[i].split(" #")[0]))
        if count and count != width:
            return f"line {first_line + loop - 1 + i} of the file has {count} values, but the loop has {width} columns"
    return f"the values of the loop at line {first_line + loop - 1} of the file do not fill a whole number of rows"
