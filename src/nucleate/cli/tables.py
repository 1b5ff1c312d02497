"""The one way in which commands print tables and sentences: nothing is cut, and what finds no room is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nucleate.io import Problem

PIPED = 100_000  # characters in a line where the output is no terminal: nothing is broken or left out there
COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}  # of verdicts


@dataclass(frozen=True)
class TerminalColumn:
    """A column of a table.

    name: its heading, whose lines "\\n" parts. cells: one for each row, plain text or a coloured `rich.text.Text`; what
    stands in them is printed as it is. right: of numbers. gives_way: 0 stays whatever the width; of the others the one
    with the largest number is left out first. folds: 0: a cell is never broken; else its words may be broken over
    lines down to so many characters.
    """

    name: str
    cells: Sequence[str | Text]
    right: bool = False
    gives_way: int = 0
    folds: int = 0

    @property
    def natural(self) -> int:
        """Characters that it takes in one line."""
        from rich.cells import cell_len

        return max(
            (cell_len(line) for cell in (self.name, *self.cells) for line in _plain(cell).split("\n")), default=0
        )

    @property
    def least(self) -> int:
        """Characters that it needs at least; a word is never broken."""
        from rich.cells import cell_len

        if not self.folds:
            return self.natural
        words = (cell_len(word) for cell in (self.name, *self.cells) for word in _plain(cell).split())
        return min(self.natural, max(self.folds, *words, 0))


def output_console(stderr: bool = False) -> Console:
    """Standard output (or error) for tables and sentences: text is taken as it is, without markup, emoji or
    highlighting. Where it is no terminal, lines are as long as they are."""
    from rich.console import Console

    from nucleate.redact import printable

    class Screen(Console):
        """Shows what has no sign (codes that move the cursor, say) as a mark."""

        def render_str(self, text: str, **options: Any) -> Text:
            return super().render_str(printable(text), **options)

    console = Screen(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = PIPED
    return console


def show_table(
    console: Console,
    columns: Sequence[TerminalColumn],
    sentences: Iterable[str] = (),
    *,
    dim: Sequence[bool] = (),
    sections: Sequence[int] = (),
    whole: str = "",
) -> None:
    """Print a table as wide as it needs, at most as wide as the console, and what it means in sentences below.

    Columns that find no room are left out, least important first, and named with the place where they can be seen.
    dim: the rows in grey. sections: rows before which there is a gap. whole: where else all columns are.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    gap = 1 if fitting(columns, console.width, 2)[1] else 2  # characters between columns
    kept, left_out = fitting(columns, console.width, gap)
    widths = _widths(kept, console.width, gap)
    total = sum(widths) + gap * len(widths) - 1
    out = Table(box=SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), width=total, show_edge=False)
    for column, width in zip(kept, widths, strict=True):
        out.add_column(
            _text(column.name),
            justify="right" if column.right else "left",
            width=width,
            no_wrap=not column.folds,
            overflow="fold" if column.folds else "crop",
        )
    for i, cells in enumerate(zip(*(c.cells for c in kept), strict=True)):
        if i in sections and i:
            out.add_section()
        out.add_row(*(_text(cell) for cell in cells), style="dim" if i < len(dim) and dim[i] else None)
    console.print(out, crop=False)
    if left_out:
        names = ", ".join(" ".join(c.name.split()) for c in left_out)
        more = f", and {whole}" if whole else ""
        console.print(f'Not shown for want of room: {names}. A wider window or "| cat" shows them{more}.', style="dim")
    for sentence in sentences:
        console.print(sentence)


def fitting(
    columns: Sequence[TerminalColumn], width: int, gap: int
) -> tuple[list[TerminalColumn], list[TerminalColumn]]:
    """The columns that find room in so many characters, and those that do not, in their order."""
    kept = list(columns)
    while sum(c.least + gap for c in kept) - 1 > width and (able := [c for c in kept if c.gives_way]):
        kept.remove(max(able, key=lambda c: c.gives_way))
    return kept, [c for c in columns if c not in kept]


def _widths(columns: Sequence[TerminalColumn], width: int, gap: int) -> list[int]:
    """Of each column: what is left beyond the least that all need goes to the most important ones first."""
    out = [c.least for c in columns]
    spare = width - sum(out) - gap * len(out) + 1
    for i in sorted(range(len(columns)), key=lambda i: columns[i].gives_way):
        more = min(columns[i].natural - out[i], max(spare, 0))
        out[i], spare = out[i] + more, spare - more
    return out


def coloured(verdict: str, text: str = "") -> Text:
    """A verdict in its colour, and what is said of it."""
    from rich.text import Text

    return Text.assemble((verdict, COLOURS.get(verdict, "")), f" {text}" if text else "")


def _plain(cell: str | Text) -> str:
    from nucleate.redact import printable

    return printable(cell) if isinstance(cell, str) else cell.plain


def _text(cell: str | Text) -> Text:
    from rich.text import Text

    return Text(_plain(cell)) if isinstance(cell, str) else cell


def energy_text(value: float | None) -> str:
    """Three decimals, an explicit sign (a negative distance to the hull is the finding), "-" for none."""
    return "-" if value is None else f"{value:+.3f}"


def counted_noun(n: int, what: str, many: str = "") -> str:
    """ "1 crystal", "2 crystals"; many: where it is not `what` with an s."""
    return f"{n:,} {what if n == 1 else many or what + 's'}"


def print_problems(problems: Iterable[Problem], console: Console) -> None:
    """What could not be read, and what to look at in what was read: file, row and reason, counted."""
    from nucleate.io import Remark

    problems = list(problems)
    for word, kind in (("left out", False), ("note", True)):
        some = [p for p in problems if isinstance(p, Remark) is kind]
        for p in some[:20]:
            console.print(f"{word}: {p}", style="yellow", highlight=False, soft_wrap=True)
        if len(some) > 20:
            console.print(f"{word}: {len(some) - 20:,} more", style="yellow", highlight=False)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows as a CSV file, complete or not at all."""
    from nucleate.io import replacing
    from nucleate.io.cells import write_table

    with replacing(path) as temporary:
        write_table(temporary, rows)
