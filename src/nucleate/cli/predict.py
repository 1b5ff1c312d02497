"""`nucleate predict`: structures for formulas, by known structures, a generative model or random search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.from_settings import Config, ShowConfig, settings_from, with_settings
from nucleate.cli.options import Overwrite, Sites, SpaceGroup, Workers
from nucleate.generators.methods import RETRIEVAL, TEMPLATE
from nucleate.settings import PredictSettings
from nucleate.tasks.predict import METHODS, decided_method
from nucleate.tasks.predict_targets import Target, read_target
from nucleate.train.papers import PACKAGE, PAPERS

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.pipeline.candidate import Candidate

COMMAND = "nucleate predict"
TASK = "formulas", "file", "top"  # keys of a file with settings: what is predicted, and how much of it is kept
TEMPLATE_OPTIONS = "templates", "rank_by", "volume", "distinct"  # that only templates have


def _weights_text(weights: str) -> str:
    """The model of a method, as the help names it."""
    return f", weights {weights}{f' of {PACKAGE}' if weights in PAPERS else ''}" if weights else ""


METHOD = "; ".join(f"{name}: {m.what}{_weights_text(m.weights)}" for name, m in METHODS.items())
TEXTS = {
    "method": f"How structures are found. {METHOD}; or a generator of another package (nucleate plugins). "
    "auto: adaptive for a chemical system, --space-group or --sites, template with an option of templates, else "
    "retrieval."
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
            help="Structures that are kept of each formula: with --relax the lowest in energy, else, and of retrieval, "
            "the first; 0: all. As many are drawn where --samples is not given.",
        ),
    ] = None,
    polymorphs: Annotated[
        float | None,
        typer.Option(
            metavar="[ENERGY]",
            help="List the known crystals of each formula up to this energy above the lowest, eV/atom (0.1 where none "
            "is given), and predict nothing; --out takes .csv and .json, too.",
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
    from nucleate.cli.predictions import show_predictions
    from nucleate.cli.resumable import check_out
    from nucleate.cli.tables import counted_noun, output_console
    from nucleate.errors import NucleateError
    from nucleate.request.symmetry import read_site_counts, read_space_groups
    from nucleate.settings.files import settings_text

    chosen = dict(given)
    if top and "samples" not in chosen:
        chosen["samples"] = top
    if space_group:
        chosen["space_groups"] = read_space_groups(space_group)
    if sites:
        chosen["sites"] = read_site_counts(sites)
    if any(name in chosen for name in TEMPLATE_OPTIONS) and not (space_group or sites):
        chosen.setdefault("method", TEMPLATE)
    settings, task = settings_from(config, PredictSettings, COMMAND, chosen, TASK)
    texts, file, top = _task(formulas or [], file, top, config, task)
    wanted = _wanted(texts, file)
    if show_config:
        task = {"formulas": texts, **({"file": str(file)} if file is not None else {}), "top": top}
        typer.echo(settings_text(decided_method(wanted, settings), COMMAND, task), nl=False)
        return
    if polymorphs is not None:
        from nucleate.cli.known import POLYMORPH_ENDINGS, list_polymorphs

        if out is not None:
            check_out(out, overwrite, *POLYMORPH_ENDINGS)
        list_polymorphs(wanted, settings.known.hide, polymorphs, out)
        return
    if out is not None:
        check_out(out, overwrite)
    notes = output_console(stderr=True)
    if top > settings.samples:
        notes.print(f"--top {top} is more than --samples {settings.samples}, so up to {settings.samples} are kept")
    done = _run(wanted, settings, workers, out, overwrite, top, notes)
    missing, shown = _formulas_without(done), _kept(done, top)
    if not shown:
        raise NucleateError(next(iter(missing.values())) + _more(len(missing) - 1))
    show_predictions(shown, decided_method(wanted, settings))
    for line in _readings(texts):
        notes.print(line, style="dim")
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
    from nucleate.cli.progress import SearchLines, progress_shown
    from nucleate.cli.resumable import run_part
    from nucleate.engine.registry import get_executor
    from nucleate.evaluate.csp import weights_digest
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.pipeline.run import NoStore
    from nucleate.store.part import PartFile
    from nucleate.tasks.predict import ordered, prediction
    from nucleate.tasks.predict_limit import run_within, was_stopped

    plan = prediction(wanted, settings)
    settings, blanks, stages = plan.settings, plan.blanks, plan.stages
    listeners = [SearchLines(notes)] if settings.until or settings.seconds else []
    if out is None:
        with progress_shown(*listeners) as watch:
            executor = get_executor(workers or None)
            return ordered(run_within(settings.seconds, blanks, stages, executor, NoStore(), watch))
    known = METHODS.get(settings.method)
    digest = weights_digest(settings.weights or (known.weights if known else settings.method))
    if settings.method == RETRIEVAL:
        from nucleate.generators.retrieval import ranking_digest

        digest = ranking_digest()
    before = settings.former()
    former = {**before, "digest": digest} if before is not None else None
    # what was done within a time is used by a call with another one
    plain = {name: value for name, value in settings.plain().items() if name != "seconds"}
    with PartFile(out, {**plain, "digest": digest}, overwrite, former) as part:
        seconds = settings.seconds
        done = ordered(run_part(part, blanks, stages, workers, notes, "structures", seconds, listeners))
        if kept := _kept(done, top):
            write_candidates(out, done if _whole(out) else kept)
        if was_stopped(done):
            notes.print(f"the same command with --overwrite and more --seconds goes on from {part.path}")
        else:
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


def _readings(texts: Sequence[str]) -> list[str]:
    """A line for each text that is a formula in other numbers than those of its reduced formula."""
    from nucleate.chem.formula import formula_text, parse_formula, parse_strict
    from nucleate.errors import NucleateError

    out = []
    for text in texts:
        try:
            reduced = parse_formula(text)
        except NucleateError:  # a chemical system, or what is refused elsewhere
            continue
        try:
            same = sum(parse_strict(text).values()) == sum(reduced.values())
        except NucleateError:
            same = not any(sign in text for sign in "./½¼¾⅓⅔")
        if not same:
            out.append(f"{text} is {formula_text(reduced)} in the smallest whole numbers")
    return out


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
