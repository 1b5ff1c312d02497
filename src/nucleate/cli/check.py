"""`nucleate check`: verdicts with reasons for formulas, lists of formulas and crystal files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.io import Problem
    from nucleate.pipeline.candidate import Candidate

LONG = 20  # with more inputs the verdicts are counted instead of listed
TABLES = (".csv", ".json", ".jsonl", ".parquet")  # endings of files with crystals, or with formulas alone


def check(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Formulas, lists of them (text, one a line; CSV, JSON lines, parquet), files or folders of crystals.",
            metavar="INPUTS...",
        ),
    ],
    states: Annotated[
        str,
        typer.Option(
            help="Oxidation states: icsd24 (with mixed valence), smact14 (of 2014, one state for each element) or "
            "icsd24-3 (SMACT's default)."
        ),
    ] = "icsd24",
    column: Annotated[
        str | None, typer.Option(help="Take the formulas in this column of the files, even where they hold crystals.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help=f"List every formula or crystal, also where there are more than {LONG}.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File for all verdicts: .csv, or .jsonl, which later commands read."),
    ] = None,
) -> None:
    """Check charge neutrality, electronegativity balance and oxidation states; of crystals also volume, density and
    the shortest distance."""
    from nucleate.chem.states import require_state_set
    from nucleate.cli.resumable import check_place
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.errors import NucleateError
    from nucleate.pipeline.candidate_files import with_own_ids
    from nucleate.stages.check import check_candidate
    from nucleate.stages.chemistry import with_oxidation

    require_state_set(states)
    if out is not None:
        check_place(out, ".csv")
    notes = output_console(stderr=True)
    found, problems = _read(inputs, column, notes)
    print_problems(problems, notes)
    if found[0].failure is not None and all(_no_formula(c) for c in found):
        raise NucleateError(f"'{found[0].id}' is not a formula: {found[0].failure.reason}")
    checked = with_oxidation([c if c.failure else check_candidate(c, states) for c in with_own_ids(found)])
    print_verdicts(checked, output_console(), everything)
    if out is not None:
        write_verdicts(out, checked, notes)


def print_verdicts(checked: Sequence[Candidate], console: Console, everything: bool = False) -> None:
    """Print the verdicts on each input. For more than `LONG` inputs, unless `everything`, print counts for each
    check."""
    if everything or len(checked) <= LONG:
        _list(checked, console)
        return
    _summary(checked, console)
    for line in _reasons(checked):
        console.print(line)
    console.print(f"--out FILE.csv writes the verdicts on all {len(checked):,}")


def write_verdicts(out: Path, checked: Sequence[Candidate], notes: Console) -> None:
    """A table (.csv), or the candidates with their checks, as `write_candidates` writes them."""
    from nucleate.io.cells import write_csv
    from nucleate.pipeline.candidate_files import write_candidates

    if out.suffix.lower() == ".csv":
        write_csv(out, _rows(checked))
        return
    for left in write_candidates(out, checked):
        notes.print(f"left out: {left.id} has no structure; only .jsonl holds such records")


def _read(inputs: Sequence[str], column: str | None, notes: Console) -> tuple[list[Candidate], list[Problem]]:
    """All candidates to check, in the order of the inputs. A text that is no formula becomes a rejected candidate."""
    from nucleate.errors import Code, NucleateError
    from nucleate.evaluate.formulas import read_formulas
    from nucleate.io.formats import reader_of
    from nucleate.pipeline.candidate import READING, Candidate, candidate_of_formula
    from nucleate.pipeline.candidate_files import read_candidates

    found: list[Candidate] = []
    problems: list[Problem] = []
    for text in inputs:
        path = Path(text)
        if not _is_path(text):
            found.append(candidate_of_formula(text))
            continue
        if column is None and (not path.is_file() or reader_of(path) is not None):
            try:
                some, more = read_candidates([path])
                found, problems = found + some, problems + more
                continue
            except NucleateError:
                if path.suffix.lower() not in TABLES or not path.is_file():
                    raise
        formulas = read_formulas(path, column)
        for note in formulas.notes:
            notes.print(note, style="yellow")
        for i, text in enumerate(formulas.texts):
            why = formulas.reasons.get(i)
            found.append(
                Candidate("(empty)").failed(READING, Code.NO_FORMULA, why) if why else candidate_of_formula(text)
            )
    return found, problems


def _no_formula(candidate: Candidate) -> bool:
    from nucleate.errors import Code

    return candidate.failure is not None and candidate.failure.code == Code.NO_FORMULA


def _is_path(text: str) -> bool:
    """Whether a text names a file or folder, which need not exist, rather than a formula.

    A formula has a slash only in a fraction, and no ending that is a word, such as that of "a.cif".
    """
    from nucleate.chem.written import looks_like_formula

    if not text.strip():
        return False
    path = Path(text)
    suffix = path.suffix[1:]
    try:
        there = path.exists()
    except (OSError, ValueError):  # a text that no file could be named
        there = False
    wordy = len(suffix) > 1 and suffix.isalnum() and not suffix[0].isdigit()
    return there or (("/" in text or "\\" in text or wordy) and not looks_like_formula(text))


def _list(checked: Sequence[Candidate], console: Console) -> None:
    """Every check of every candidate in a line of its own."""
    from nucleate.cli.candidates import elements_of, marked, radioactive, state_sets
    from nucleate.cli.tables import TerminalColumn, coloured, show_table

    rows: list[tuple[str, str, str, str]] = []
    starts = []
    for c in checked:
        label = f"{c.id} ({c.formula})" if c.structure is not None and c.formula != c.id else c.id
        label = marked(label, elements_of(c))
        lines = [(name, verdict.verdict, verdict.reason) for name, verdict in c.checks.items()]
        lines += [("", "rejected", str(c.failure))] if c.failure else []
        starts.append(len(rows))
        rows += [(label if i == 0 else "", *line) for i, line in enumerate(lines)]
    columns = [
        TerminalColumn("what", [row[0] for row in rows]),
        TerminalColumn("check", [row[1] for row in rows]),
        TerminalColumn("verdict", [coloured(row[2]) for row in rows]),
        TerminalColumn("reason", [row[3] for row in rows], gives_way=1, folds=24),
    ]
    said = [_outcome(checked), *state_sets(checked), *radioactive(map(elements_of, checked))]
    show_table(console, columns, said, sections=starts, whole="--out FILE.csv writes them")


def _outcome(checked: Sequence[Candidate]) -> str:
    """A sentence on how many pass, fail a check, could not be judged and were rejected."""
    verdicts = [{v.verdict for v in c.checks.values()} for c in checked if not c.failure]
    failed = sum("fail" in v for v in verdicts)
    unknown = sum("unknown" in v and "fail" not in v for v in verdicts)
    rejected = len(checked) - len(verdicts)
    if len(checked) == 1:
        how = "fails a check" if failed else "could not be judged by all checks" if unknown else "passes all checks"
        return f"{checked[0].id} {'was rejected' if rejected else how}"
    counts = [f"{len(verdicts) - failed - unknown} of {len(checked)} pass all checks"]
    counts += [f"{failed} {'fails' if failed == 1 else 'fail'} a check"] if failed else []
    counts += [f"{unknown} could not be judged by all checks"] if unknown else []
    counts += [f"{rejected} rejected"] if rejected else []
    return ", ".join(counts)


def _summary(checked: Sequence[Candidate], console: Console) -> None:
    """Counts and shares of the verdicts, of all inputs."""
    from nucleate.cli.tables import COLOURS, TerminalColumn, show_table

    names = list(dict.fromkeys(name for c in checked for name in c.checks))
    counts = {name: Counter(c.checks[name].verdict if name in c.checks else "" for c in checked) for name in names}

    def share(n: int) -> str:
        return f"{n:,} ({n / len(checked):.1%})" if n else "0"

    columns = [TerminalColumn("check", names)]
    for verdict, head in (*((v, v) for v in COLOURS), ("", "not judged")):
        columns.append(TerminalColumn(head, [share(counts[name][verdict]) for name in names], right=True))
    show_table(console, columns, [f"of {len(checked):,}"])


def _reasons(checked: Sequence[Candidate], most: int = 8) -> list[str]:
    """A line for each reason of rejections, with the number of them."""
    reasons = Counter(str(c.failure) for c in checked if c.failure)
    lines = [f"{n:,} rejected: {reason}" for reason, n in reasons.most_common(most)]
    rest = reasons.total() - sum(n for _, n in reasons.most_common(most))
    return [*lines, f"{rest:,} rejected for other reasons"] if rest else lines


def _rows(checked: Sequence[Candidate]) -> list[dict[str, str]]:
    """One row for each candidate: verdict and reason of every check, empty where the check was not made."""
    names = list(dict.fromkeys(name for c in checked for name in c.checks))
    rows = []
    for c in checked:
        row = {"id": c.id, "formula": c.formula}
        for name in names:
            verdict = c.checks.get(name)
            row[name] = verdict.verdict if verdict else ""
            row[f"{name}_reason"] = verdict.reason if verdict else ""
        rows.append({**row, "failure": str(c.failure or "")})
    return rows
