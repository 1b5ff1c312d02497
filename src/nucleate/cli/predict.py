"""`nucleate predict`: structures for formulas, by known structures, a generative model or random search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, settings_from, with_settings
from nucleate.cli.options import Overwrite, Sites, SpaceGroup, Workers
from nucleate.settings import PredictSettings
from nucleate.tasks.predict import METHODS, decided_method
from nucleate.tasks.predict_targets import Target, read_target
from nucleate.train.papers import PACKAGE, PAPERS

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import TemplateMatch

COMMAND = "nucleate predict"
TASK = "formulas", "file", "top"  # keys of a file with settings: what is predicted, and how much of it is kept
FEW = 4  # formulas of which families are told


def _weights_text(weights: str) -> str:
    """The model of a method, as the help names it."""
    return f", weights {weights}{f' of {PACKAGE}' if weights in PAPERS else ''}" if weights else ""


NUMBERS = {  # of a template, and what they mean
    "distance": "distance: element mover's, of the formulas, in steps on the modified Pettifor scale",
    "similarity": "similarity: of the structures, as a network judges by the formulas, 0 to 1",
    "volume": "volume: of the cell over the template's",
}
METHOD = "; ".join(f"{name}: {m.what}{_weights_text(m.weights)}" for name, m in METHODS.items())
TEXTS = {
    "method": f"How structures are found. {METHOD}; or a generator of another package (nucleate plugins). "
    "auto: adaptive for a chemical system, --space-group or --sites, else template."
}


@with_settings(PredictSettings, without=["space_groups", "sites"], texts=TEXTS)
def predict(
    formulas: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FORMULA...]", help="Formulas (SrTiO3, 'Li0.5CoO2') or chemical systems (K-Cu-Si)."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="File with formulas: a text with one in each line, or a table with a column 'formula'."),
    ] = None,
    *,
    given: Mapping[str, Any],
    top: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Structures that are kept of each formula: with --relax the lowest in energy, else the first; 0: all. "
            "As many are drawn where --samples is not given.",
        ),
    ] = None,
    space_group: SpaceGroup = "",
    sites: Sites = "",
    config: Config = None,
    show_config: ShowConfig = False,
    workers: Workers = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Where structures are written: a folder (CIFs), or a file .extxyz, .jsonl or .db."
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Predict the crystal structures of formulas, best first, and say what each one comes from. With --out, the same
    command goes on after a kill."""
    from nucleate.cli.resumable import check_out
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.errors import NucleateError
    from nucleate.request.symmetry import read_site_counts, read_space_groups
    from nucleate.settings.files import settings_text

    chosen = dict(given)
    if not chosen.get("samples", 1):  # --samples 0: as many as --top says
        chosen.pop("samples")
    if top and "samples" not in chosen:
        chosen["samples"] = top
    if space_group:
        chosen["space_groups"] = read_space_groups(space_group)
    if sites:
        chosen["sites"] = read_site_counts(sites)
    settings, task = settings_from(config, PredictSettings, COMMAND, chosen, TASK)
    texts, file, top = _task(formulas or [], file, top, config, task)
    wanted = _wanted(texts, file)
    if show_config:
        task = {"formulas": texts, **({"file": str(file)} if file is not None else {}), "top": top}
        typer.echo(settings_text(decided_method(wanted, settings), COMMAND, task), nl=False)
        return
    if out is not None:
        check_out(out, overwrite)
    notes = output_console(stderr=True)
    done = _run(wanted, settings, workers, out, overwrite, top, notes)
    missing, shown = _formulas_without(done), _kept(done, top)
    if not shown:
        raise NucleateError(next(iter(missing.values())) + _more(len(missing) - 1))
    _show(shown, settings.relax)
    for formula, reason in missing.items():
        notes.print(f"no structure of {formula}: {reason}", style="yellow")
    for line in _short(done, settings.samples)[:20]:
        notes.print(line, style="dim")
    if out is not None:
        whole = (
            f"{counted_noun(len(done), 'record')}, of all that was drawn,"
            if _whole(out)
            else counted_noun(len(shown), "structure")
        )
        output_console().print(f"{whole} in {out}")


def _run(
    wanted: Sequence[Target],
    settings: PredictSettings,
    workers: int,
    out: Path | None,
    overwrite: bool,
    top: int,
    notes: Console,
) -> list[Candidate]:
    """What came of the formulas, in order; written to `out`, and what is done kept beside it for the next call."""
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.resumable import run_part
    from nucleate.engine.registry import get_executor
    from nucleate.evaluate.csp import weights_digest
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.pipeline.run import NoStore, run_stages
    from nucleate.store.part import PartFile
    from nucleate.tasks.predict import ordered, prediction

    plan = prediction(wanted, settings)
    settings, blanks, stages = plan.settings, plan.blanks, plan.stages
    if out is None:
        with progress_shown() as watch:
            return ordered(run_stages(blanks, stages, get_executor(workers or None), NoStore(), watch))
    known = METHODS.get(settings.method)
    digest = weights_digest(settings.weights or (known.weights if known else settings.method))
    before = settings.former()
    former = {**before, "digest": digest} if before is not None else None
    with PartFile(out, {**settings.plain(), "digest": digest}, overwrite, former) as part:
        done = ordered(run_part(part, blanks, stages, workers, notes, "structures"))
        if kept := _kept(done, top):
            write_candidates(out, done if _whole(out) else kept)
        part.finish()
    return done


def _whole(out: Path) -> bool:
    """Whether `out` holds records of all that was drawn: failed, merged and beyond --top as well."""
    return out.suffix.lower() == ".jsonl"


def _kept(done: Sequence[Candidate], top: int) -> list[Candidate]:
    """The first `top` structures of each formula (all for 0), without those that equal a better one."""
    from nucleate.pipeline.rank import verdict

    having = [c for c in done if c.structure is not None and verdict(c, "unique") != "fail"]
    groups: dict[str, list[Candidate]] = {}
    for c in having:
        groups.setdefault(c.wanted.label, []).append(c)
    return [c for group in groups.values() for c in (group[:top] if top else group)]


def _task(
    formulas: list[str], file: Path | None, top: int | None, config: Path | None, task: Mapping[str, Any]
) -> tuple[list[str], Path | None, int]:
    """Formulas, their file, and how many structures of each are kept, from the command line or from `config`."""
    from nucleate.errors import NucleateError

    texts, name, kept = task.get("formulas", []), task.get("file", ""), task.get("top", 0)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise NucleateError(f"{config}: 'formulas' is a list of formulas, not {texts!r}")
    if not isinstance(name, str):
        raise NucleateError(f"{config}: 'file' is the name of a file with formulas, not {name!r}")
    if type(kept) is not int or kept < 0:
        raise NucleateError(f"{config}: 'top' is a number of structures, 0 for all, not {kept!r}")
    if (formulas or file is not None) and (texts or name):
        raise NucleateError(f"{config} has formulas; leave FORMULA and --file out, or take formulas and file out of it")
    return formulas or texts, file or (Path(name) if name else None), kept if top is None else top


def _wanted(formulas: Sequence[str], file: Path | None) -> list[Target]:
    """The formulas asked for, each once; what is wrong on the command line is an error, in a file a rejected row."""
    from nucleate.errors import NucleateError

    out = [read_target(i + 1, text) for i, text in enumerate(formulas)]
    if file is not None:
        from nucleate.evaluate.formulas import read_formulas

        found = read_formulas(file)
        for i, text in enumerate(found.texts):
            place = len(formulas) + i + 1
            if not text.strip() and i not in found.reasons:
                continue
            try:
                if i in found.reasons:
                    raise NucleateError(found.reasons[i])
                out.append(read_target(place, text))
            except NucleateError as error:
                out.append(Target(place, {}, f"{file.name}, row {i + 1}: {error}"))
    if not out:
        raise NucleateError("no formula was given; write for example: nucleate predict SrTiO3")
    kept: dict[Any, Target] = {}
    for formula in out:
        kept.setdefault(formula.problem or formula.system or frozenset(formula.counts.items()), formula)
    return list(kept.values())


def _formulas_without(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Formula (or the id of what is none) -> why it has no structure at all."""
    named = [(c.wanted.label or c.id, c) for c in candidates]
    having = {name for name, c in named if c.structure is not None}
    out: dict[str, str] = {}
    for name, c in named:
        if name not in having and c.failure:
            out.setdefault(name, c.failure.reason)
    return out


def _short(candidates: Sequence[Candidate], samples: int) -> list[str]:
    """What is said of formulas with fewer structures than were asked for."""
    having = {c.wanted.label for c in candidates if c.structure is not None}
    lost = [c for c in candidates if c.structure is None and c.wanted.label in having and c.failure]
    return list(dict.fromkeys(f"fewer than {samples}: {c.failure.reason}" for c in lost if c.failure))


def _more(n: int) -> str:
    return f" (and {n} more formulas without a structure)" if n > 0 else ""


def _show(candidates: Sequence[Candidate], relaxed: bool) -> None:
    """A row for each structure, and below what the numbers are and how far they can be trusted."""
    from nucleate.cli.candidates import caption, doubts, elements_of, marked, radioactive, stability
    from nucleate.cli.tables import TerminalColumn, energy_text, output_console, show_table
    from nucleate.generators.reach import far_warnings
    from nucleate.pipeline.rank import to_rows

    rows = to_rows(candidates)
    records = [c.origin.template for c in candidates]
    formulas = [c.wanted.label for c in candidates]
    columns = [TerminalColumn("id", [c.id for c in candidates])]
    if any("-" in text for text in formulas) or radioactive(map(elements_of, candidates)):  # of a chemical system
        columns.append(TerminalColumn("formula", [marked(c.formula, elements_of(c)) for c in candidates]))
    columns += [
        TerminalColumn("space\ngroup", [row["space_group"] for row in rows]),
        TerminalColumn("atoms", [str(row["num_atoms"]) for row in rows], right=True, gives_way=4),
    ]
    said = []
    if any(records):
        columns.append(TerminalColumn("template", [f"{r.formula} {r.id}" if r else "-" for r in records], gives_way=2))
        columns.append(TerminalColumn("elements", [_changed(r) if r else "-" for r in records], gives_way=3, folds=9))
    for name in NUMBERS if not relaxed else ():
        values = [getattr(r, name) if r else None for r in records]
        if any(value is not None for value in values):
            cells = ["-" if value is None else f"{value:.2f}" for value in values]
            columns.append(TerminalColumn(name, cells, right=True, gives_way=1 if name == "distance" else 5))
            said.append(NUMBERS[name])
    if relaxed:
        columns.append(
            TerminalColumn("e_form\neV/atom", [energy_text(row["e_form"]) for row in rows], right=True, gives_way=6)
        )
        above = [energy_text(row["e_above_hull"]) for row in rows]
        columns.append(TerminalColumn("e_above\n_hull\neV/atom", above, right=True, gives_way=1))
        said += [*stability(candidates), *caption(rows), *doubts(candidates)]
    if any(c.frequency for c in candidates):
        found = [f"{c.frequency.found} of {c.frequency.drawn}" if c.frequency else "-" for c in candidates]
        columns.append(TerminalColumn("found", found, right=True, gives_way=5))
        said.append("found: as how many of the samples drawn of the formula")
    if relaxed:
        columns.append(
            TerminalColumn("checks", [row["failure"] or row["checks"] for row in rows], gives_way=7, folds=18)
        )
    warned = far_warnings([(c.id, f, r) for c, f, r in zip(candidates, formulas, records, strict=True) if r])
    far = dict.fromkeys(f for f, r in zip(formulas, records, strict=True) if r and r.far)
    show_table(
        output_console(),
        columns,
        [*warned, *_families(far), *said, *radioactive(map(elements_of, candidates))],
        dim=[c.failure is not None or bool(r and r.far) for c, r in zip(candidates, records, strict=True)],
        sections=[i for i in range(1, len(formulas)) if formulas[i] != formulas[i - 1]],
        whole="--out FILE.jsonl writes all that is known",
    )


def _families(far: Iterable[str]) -> list[str]:
    """Which of these formulas fit a crystal family, whose prototype is nearer than a template that is far."""
    from nucleate.chem.formula import parse_formula
    from nucleate.families.members import families_of

    fitting = {formula: [f.name for f in families_of(parse_formula(formula))] for formula in islice(far, FEW)}
    return [
        f"{formula} fits {', '.join(some)}: nucleate design '{formula}, {some[0]} type' begins with that structure type"
        for formula, some in fitting.items()
        if some
    ]


def _changed(match: TemplateMatch) -> str:
    """Who takes whose place in the template."""
    return ", ".join(f"{new} for {old}" for old, new in match.substitution.items() if new != old) or "none"
