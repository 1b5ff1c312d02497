"""`nucleate dft`: density-functional theory for the best candidates of a run, or for crystals in files."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.groups import default_group
from nucleate.cli.options import CRYSTAL_FILES

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.dft.job import CalculationOutcome, Progress
    from nucleate.dft.stage import ComputedCandidate
    from nucleate.pipeline.candidate import Candidate

app = typer.Typer(cls=default_group("run"), no_args_is_help=True)

Paths = Annotated[list[Path], typer.Argument(help=f"A run folder, or crystals: {CRYSTAL_FILES}.")]
COLUMNS = (  # headings of the table; where there is no room, the column with the largest number is left out first
    ("id", 0),
    ("formula", 0),
    ("atoms", 5),
    ("a, b, c\nÅ", 4),
    ("volume\nchange, %", 3),
    ("e_form\neV/atom", 0),
    ("e_form\n+ MP2020", 0),
    ("e_above\n_hull", 0),
    ("DFT -\npotential", 2),
    ("time", 1),
)
Top = Annotated[int | None, typer.Option(min=1, help="How many crystals, from the first; default: all, of a run 5.")]


@app.command("run")
def run(
    paths: Paths,
    top: Top = None,
    preset: Annotated[str, typer.Option(help="fast, standard or tight.")] = "standard",
    engine: Annotated[
        str, typer.Option(help="gpaw, abinit, one of a plug-in, or auto: the first that is installed.")
    ] = "auto",
    wall_time: Annotated[
        str, typer.Option(help="Time limit for one crystal in this call: 2h, 90m, 1h30m, 600s.")
    ] = "2h",
    max_atoms: Annotated[int, typer.Option(min=0, help="Competing phases with more atoms are not computed.")] = 12,
    known: Annotated[
        str,
        typer.Option(
            help="Crystals that compete: known (those that come with nucleate), a dataset or parquet file with them. "
            "An empty text computes elements alone."
        ),
    ] = "known",
    reference: Annotated[str, typer.Option(help="Reference set whose hull names the competing phases.")] = "chgnet-mp",
    workers: Annotated[int, typer.Option(min=1, help="Calculations at the same time.")] = 1,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for results (default: the run's).")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for elements and phases (default: the user's).")] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat calculations that failed.")] = False,
) -> None:
    """Relax with DFT, and compute formation energy and energy above the hull with the same settings. The same command
    continues an interrupted run."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.tables import output_console
    from nucleate.data.catalog import user_cache
    from nucleate.dft.job import Runner
    from nucleate.dft.programs import find_program
    from nucleate.dft.references import References
    from nucleate.dft.settings import preset_settings as settings_of
    from nucleate.dft.stage import compute_candidates

    settings = settings_of(preset, parse_duration(wall_time))
    candidates, folder = chosen_candidates(paths, top, out)
    notes = output_console(stderr=True)
    found = find_program(engine)
    with _progress_lines(notes) as progress:
        runner = Runner(found, settings, progress=progress, finished=partial(_tell, notes), again=again)
        notes.print(f"crystals: {len(candidates)}, {runner.method}")
        references = References(runner, cache or user_cache(), known, reference, max_atoms)

        def report(results: Sequence[ComputedCandidate]) -> None:
            _write(folder, results, runner.method)

        with going_on("the same command goes on from the last steps"):
            results = compute_candidates(candidates, folder / "dft" / preset, runner, references, workers, report)
    _print(results, runner.method, output_console())
    output_console().print(f"files: {folder}/dft.csv, dft.jsonl, dft/{preset}/", soft_wrap=True)


def parse_duration(text: str) -> float:
    """Seconds of a text such as "1h30m" (5400.0). Raises NucleateError for anything else."""
    from nucleate.errors import NucleateError

    match = re.fullmatch(r"(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s?)?", text.strip().lower())
    try:
        values = [float(x) if x else 0.0 for x in match.groups()] if match else []
    except ValueError:
        values = []
    if not values or not sum(values) > 0:
        raise NucleateError(f"'{text}' is no duration; write 2h, 90m, 1h30m or 600s")
    return values[0] * 3600 + values[1] * 60 + values[2]


def chosen_candidates(paths: Sequence[Path], top: int | None, out: Path | None) -> tuple[list[Candidate], Path]:
    """(the candidates, the folder for results: `out`, else the run folder, else "dft").

    Raises NucleateError where all candidates were rejected.
    """
    from nucleate.cli.tables import output_console, print_problems
    from nucleate.errors import NucleateError
    from nucleate.pipeline.candidate_files import read_candidates

    if len(paths) == 1 and (paths[0] / "request.json").is_file():
        from nucleate.tasks.runs import load_run

        living = [c for c in load_run(paths[0]).all if c.failure is None]
        candidates, folder = living[: top or 5], out or paths[0]
    else:
        candidates, problems = read_candidates(paths)
        print_problems(problems, output_console(stderr=True))
        candidates, folder = [c for c in candidates if c.failure is None][:top], out or Path("dft")
    if not candidates:
        raise NucleateError("there is no candidate left for DFT: all were rejected")
    return candidates, folder


def _tell(notes: Console, name: str, outcome: CalculationOutcome) -> None:
    said = (
        f"{outcome.status}: {outcome.reason}" if outcome.reason else f"{outcome.steps} steps, {outcome.seconds:.0f} s"
    )
    notes.print(f"{name}: {said}")


@contextlib.contextmanager
def _progress_lines(console: Console) -> Iterator[Progress]:
    """A context with a function that shows a line for each running calculation."""
    from rich.progress import Progress as Lines
    from rich.progress import SpinnerColumn, TextColumn

    with Lines(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as lines:
        tasks: dict[str, tuple] = {}

        def progress(name: str, steps: int, seconds: float) -> None:
            for old in [n for n, (_, beat) in tasks.items() if lines.get_time() - beat > 5]:
                lines.remove_task(tasks.pop(old)[0])
            text = f"{name}: step {steps}, {seconds:.0f} s"
            task = tasks[name][0] if name in tasks else lines.add_task(text)
            lines.update(task, description=text)
            tasks[name] = (task, lines.get_time())

        yield progress


def _write(folder: Path, results: Sequence[ComputedCandidate], method: str) -> None:
    from nucleate.dft.stage import to_candidate, to_row
    from nucleate.io.cells import write_csv
    from nucleate.pipeline.candidate_files import write_candidates

    write_csv(folder / "dft.csv", [to_row(r, method) for r in results])
    write_candidates(folder / "dft.jsonl", [to_candidate(r, method) for r in results])


def _print(results: Sequence[ComputedCandidate], method: str, console: Console) -> None:
    from nucleate.dft.stage import to_row

    rows = [to_row(r, method) for r in results]
    print_rows(rows, console)


def print_rows(rows: Sequence[dict], console: Console) -> None:
    """Print the table, and below it the methods, failures, and missing energies."""
    from nucleate.cli.tables import TerminalColumn, show_table

    methods = dict.fromkeys(r["method"] for r in rows if r["method"])
    lines = ["energies in eV/atom" + "".join(f"; {m}" for m in methods), "+ MP2020: with the anions' corrections"]
    if potentials := dict.fromkeys(r["potential"] for r in rows if r.get("potential")):
        lines.append(f"potential: {', '.join(potentials)}; DFT - potential on the same scale")
    if any(r["lower_bound"] and r["e_above_hull"] is not None for r in rows):
        lines.append(">= : a lower bound, for not all competing phases are computed")
    said = [(r["id"], f"{r['status']}{': ' if r['reason'] else ''}{r['reason']}") for r in rows if _failed(r)]
    said += [(r["id"], f"without {r['missing']}") for r in rows if r.get("missing")]
    said += [(r["id"], remark) for r in rows for remark in r.get("remarks", "").split(" | ") if remark]
    lines += _together(said)
    cells = [_cells(r) for r in rows]
    columns = [
        TerminalColumn(name, [c[i] for c in cells], right=i > 1, gives_way=gives_way)
        for i, (name, gives_way) in enumerate(COLUMNS)
    ]
    show_table(console, columns, lines, dim=[_failed(r) for r in rows], whole="--out FILE.csv or dft.csv holds them")


def _cells(row: dict) -> tuple[str, ...]:
    """The cells of a row, one for each of `COLUMNS`."""
    from nucleate.cli.tables import energy_text

    lattice = " ".join(dict.fromkeys(f"{row[k]:.3f}" for k in "abc")) if row.get("a") else "-"
    bound = ">= " if row["lower_bound"] else ""
    above = "-" if row.get("e_above_hull") is None else f"{bound}{row['e_above_hull']:+.3f}"
    change = "-" if row.get("volume_change") is None else f"{row['volume_change']:+.1f}"
    energies = energy_text(row["e_form"]), energy_text(row["e_form_mp2020"]), above, energy_text(row.get("difference"))
    return row["id"], row["formula"], str(row["atoms"]), lattice, change, *energies, _time_text(row.get("seconds"))


def _together(said: Sequence[tuple[str, str]]) -> list[str]:
    """A line for each text of the pairs (id, text), with the ids that it belongs to."""
    out = []
    for text in dict.fromkeys(text for _, text in said):
        ids = [id for id, t in said if t == text]
        more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
        out.append(f"{', '.join(ids[:3])}{more}: {text}")
    return out


def _failed(row: dict) -> bool:
    return row["status"] != "done"


def _time_text(seconds: float | None) -> str:
    if not seconds:
        return "-"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


@app.command("inputs")
def inputs(
    paths: Paths,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; each calculation gets a folder inside.")],
    code: Annotated[str, typer.Option(help="vasp (MPRelaxSet, POTCARs by name) or qe (pw.x).")] = "vasp",
    top: Top = None,
    preset: Annotated[str, typer.Option(help="For qe: fast, standard or tight.")] = "standard",
    pseudos: Annotated[
        Path | None, typer.Option(help="For qe: your folder of UPF files, one for each element.")
    ] = None,
    elements: Annotated[
        bool, typer.Option("--elements/--no-elements", help="Write inputs for the elements as well.")
    ] = True,
    flow: Annotated[bool, typer.Option("--flow", help="Also write an atomate2 flow, flow.json.")] = False,
) -> None:
    """Write inputs for a program that runs elsewhere; read its outputs back with `nucleate dft parse`."""
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.dft import inputs as writer
    from nucleate.dft.settings import preset_settings as settings_of
    from nucleate.errors import NucleateError

    settings = settings_of(preset)
    writer.check_options(out, code, pseudos, flow)
    candidates, _ = chosen_candidates(paths, top, out)
    works, refused = writer.plan_calculations(candidates, elements)
    todo, without = writer.with_known_potcars(works, code)
    notes = output_console(stderr=True)
    for line in (*refused, *without):
        notes.print(f"left out: {line}", style="yellow", soft_wrap=True)
    if not any(w.candidate for w in todo):
        raise NucleateError("none of the crystals can be set up")
    n = len(writer.write_inputs(todo, out, code, preset, settings, pseudos, flow))
    output_console().print(f"{counted_noun(n, 'calculation')} in {out}; then: nucleate dft parse {out}", soft_wrap=True)
    if flow:
        n = sum(w.kind == "crystal" for w in todo)
        output_console().print(
            f"{counted_noun(n, 'crystal')} in {out / 'flow.json'}, a flow for jobflow", soft_wrap=True
        )


@app.command("parse")
def parse_outputs(
    paths: Annotated[
        list[Path], typer.Argument(help="Folders or files: vasprun.xml, OUTCAR (.gz, .bz2, .xz), pw.out, result.json.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write a table (.csv) or records (.jsonl).")
    ] = None,
) -> None:
    """Read outputs of VASP, Quantum ESPRESSO and our own jobs into one table; elements among them give e_form."""
    from nucleate.cli.tables import output_console
    from nucleate.dft import find
    from nucleate.dft import parse as reader
    from nucleate.dft.compare import judge_outputs
    from nucleate.dft.stage import to_candidate, to_row
    from nucleate.errors import NucleateError
    from nucleate.io.cells import write_csv
    from nucleate.pipeline.candidate_files import write_candidates

    if out is not None and out.suffix not in (".csv", ".jsonl"):
        raise NucleateError(f"--out ends in .csv or .jsonl, not '{out.suffix}'")
    outputs, left_out = find.find_outputs(paths)
    for line in left_out:
        output_console(stderr=True).print(line, style="yellow", soft_wrap=True)
    results = [reader.parse_output(output) for output in outputs]
    names = reader.candidates_of_outputs(outputs, results)
    judged = list(zip(judge_outputs(results, names), (r.method_name for r in results), strict=True))
    rows = [to_row(computed, method) for computed, method in judged]
    print_rows(rows, output_console())
    if out is not None and out.suffix == ".csv":
        write_csv(out, rows)
    elif out is not None:
        write_candidates(out, [to_candidate(computed, method) for computed, method in judged])
