"""How commands print tables and sentences: no cell is cut off, and columns without room are left out and named."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from nucleate.io import Problem

PIPED = 100_000  # characters in a line where the output is no terminal, so that nothing is broken or left out
COLOURS = {"pass": "green", "fail": "red", "unknown": "yellow"}  # of verdicts


@dataclass(frozen=True)
class TerminalColumn:
    """A column of a table.

    name: its heading, which may have several lines. cells: one for each row, plain text or a coloured `rich.text.Text`,
    printed as it is. right: whether cells are aligned to the right, as numbers are. gives_way: 0 for a column that is
    never left out; of the others the one with the largest number is left out first. folds: 0 for cells in one line;
    else cells may be broken over several lines between words, down to this width.
    """

    name: str
    cells: Sequence[str | Text]
    right: bool = False
    gives_way: int = 0
    folds: int = 0

    @property
    def natural(self) -> int:
        """Its width in characters where no cell is broken."""
        from rich.cells import cell_len

        return max(
            (cell_len(line) for cell in (self.name, *self.cells) for line in _plain(cell).split("\n")), default=0
        )

    @property
    def least(self) -> int:
        """Its smallest width in characters, with cells broken between words."""
        from rich.cells import cell_len

        if not self.folds:
            return self.natural
        words = (cell_len(word) for cell in (self.name, *self.cells) for word in _plain(cell).split())
        return min(self.natural, max(self.folds, *words, 0))


def output_console(stderr: bool = False) -> Console:
    """Standard output (or error) for tables and sentences, which are printed as they are, without markup or colours of
    its own. Where it is no terminal, lines are not broken."""
    from rich.console import Console

    from nucleate.redact import printable

    class Screen(Console):
        """Shows control characters, such as codes that move the cursor, as visible marks."""

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
    """Print a table, at most as wide as the console, and sentences below it.

    Columns without room are left out, the least important first, and a line names them. dim: for each row whether it is
    grey. sections: rows with a gap before them. whole: words on where all columns can be seen.
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
    """(the columns that fit into so many characters, those that do not), in the order given. gap: between columns."""
    kept = list(columns)
    while sum(c.least + gap for c in kept) - 1 > width and (able := [c for c in kept if c.gives_way]):
        kept.remove(max(able, key=lambda c: c.gives_way))
    return kept, [c for c in columns if c not in kept]


def _widths(columns: Sequence[TerminalColumn], width: int, gap: int) -> list[int]:
    """The width of each column. Room beyond the smallest widths goes to the most important columns first."""
    out = [c.least for c in columns]
    spare = width - sum(out) - gap * len(out) + 1
    for i in sorted(range(len(columns)), key=lambda i: columns[i].gives_way):
        more = min(columns[i].natural - out[i], max(spare, 0))
        out[i], spare = out[i] + more, spare - more
    return out


def coloured(verdict: str, text: str = "") -> Text:
    """A verdict in its colour, followed by a text."""
    from rich.text import Text

    return Text.assemble((verdict, COLOURS.get(verdict, "")), f" {text}" if text else "")


def _plain(cell: str | Text) -> str:
    from nucleate.redact import printable

    return printable(cell) if isinstance(cell, str) else cell.plain


def _text(cell: str | Text) -> Text:
    from rich.text import Text

    return Text(_plain(cell)) if isinstance(cell, str) else cell


def energy_text(value: float | None) -> str:
    """An energy with three decimals and its sign, also where it is positive; "-" for None."""
    return "-" if value is None else f"{value:+.3f}"


def counted_noun(n: int, what: str, many: str = "") -> str:
    """A number with its noun: "1 crystal", "2 crystals". many: the plural, where it is not `what` with an s."""
    return f"{n:,} {what if n == 1 else many or what + 's'}"


def print_problems(problems: Iterable[Problem], console: Console) -> None:
    """Print problems and remarks of files that were read, the first 20 of each kind, and how many more there are."""
    from nucleate.io import Remark

    problems = list(problems)
    for word, kind in (("left out", False), ("note", True)):
        some = [p for p in problems if isinstance(p, Remark) is kind]
        for p in some[:20]:
            console.print(f"{word}: {p}", style="yellow", highlight=False, soft_wrap=True)
        if len(some) > 20:
            console.print(f"{word}: {len(some) - 20:,} more", style="yellow", highlight=False)
