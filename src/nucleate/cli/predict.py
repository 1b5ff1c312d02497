"""`nucleate predict`: structures for formulas, from known structures as templates or by the diffusion transformer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nucleate.cli.options import Seed, Workers

if TYPE_CHECKING:
    from rich.table import Table

    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.run import Stage

METHODS = ("template", "diffusion")
NUMBERS = {  # of a template, and what they mean
    "distance": "distance: element mover's, of the formulas, in steps on the modified Pettifor scale",
    "similarity": "similarity: of the structures, as a network judges by the formulas, 0 to 1",
    "volume": "volume: of the cell over the template's",
}


def predict(
    formulas: Annotated[
        list[str] | None, typer.Argument(metavar="[FORMULA...]", help="SrTiO3, 'Li0.5CoO2' ...")
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="Formulas: a text file, one a line, or a table with a column formula.")
    ] = None,
    method: Annotated[
        str, typer.Option(help="template: known structures; diffusion: the model mp20-csp.")
    ] = "template",
    top: Annotated[int, typer.Option(min=1, help="Structures for each formula.")] = 5,
    rank_by: Annotated[
        str, typer.Option(help="Templates by emd (element mover's distance), metric (network) or random.")
    ] = "emd",
    volume: Annotated[str, typer.Option(help="scaled by atomic volumes, or copy of the template's.")] = "scaled",
    templates: Annotated[
        str, typer.Option(help="Known structures: a dataset, mp-20:train, a parquet file, several as a+b.")
    ] = "mp-20",
    repeats: Annotated[
        bool, typer.Option("--repeats/--distinct", help="Give a structure type again for each of its templates.")
    ] = False,
    relax: Annotated[bool, typer.Option("--relax/--no-relax", help="Relax, and order by energy.")] = False,
    potential: Annotated[str, typer.Option(help="For --relax: chgnet, sevennet ...")] = "chgnet",
    reference: Annotated[str, typer.Option(help="For --relax: known crystals of the hull.")] = "chgnet-mp",
    weights: Annotated[str, typer.Option(help="Of --method diffusion: model that takes a composition.")] = "mp20-csp",
    seed: Seed = 0,
    workers: Workers = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder (CIFs), .extxyz, .jsonl or .db.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Predict the crystal structures of formulas, best first, and say what each one comes from."""
    from rich.console import Console

    from nucleate.cli.progress import StageBars
    from nucleate.cli.resumable import check_out
    from nucleate.engine.local import executor
    from nucleate.errors import NucleateError
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.files import write_candidates
    from nucleate.pipeline.run import Nowhere, run

    if method not in METHODS:
        raise NucleateError(f"--method is {' or '.join(METHODS)}, not '{method}'")
    if out is not None:
        check_out(out, overwrite)
    wanted = _wanted(formulas or [], file)
    notes = Console(stderr=True)
    if method == "template":
        stages, blank = _by_template(wanted, top, rank_by, volume, templates, not repeats, seed)
    else:
        stages, blank = _by_diffusion(wanted, top, weights, seed)
    if relax:
        stages += _relaxation(potential, reference)
    unreadable = [Candidate(f"formula-{i}", failure=f"predict: {why}") for i, _, why in wanted if why]
    with StageBars() as bars:
        done = run(blank, stages, executor(workers or None), Nowhere(), bars) + unreadable
    missing = _formulas_without(done)
    made = [c for c in done if c.structure is not None]
    if not made:
        raise NucleateError(next(iter(missing.values())) + _more(len(missing) - 1))
    made = _ordered(made) if relax else made
    Console().print(_table(made, relax))
    for formula, reason in missing.items():
        notes.print(f"no structure of {formula}: {reason}", style="yellow", highlight=False, markup=False)
    short = _short(done, top)
    for reason in short[:20]:
        notes.print(reason, style="dim", highlight=False, markup=False)
    if out is not None:
        write_candidates(out, done if out.suffix.lower() == ".jsonl" else made)
        Console().print(f"{len(made)} structures in {out}", highlight=False)


Wanted = tuple[int, dict[str, int], str]  # place, reduced composition, why there is none


def _wanted(formulas: Sequence[str], file: Path | None) -> list[Wanted]:
    """The formulas asked for, each once; what is wrong on the command line is an error, in a file a rejected row."""
    from nucleate.chem.formula import parse_formula
    from nucleate.errors import NucleateError

    out: list[Wanted] = [(i + 1, parse_formula(text), "") for i, text in enumerate(formulas)]
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
                out.append((place, parse_formula(text), ""))
            except NucleateError as error:
                out.append((place, {}, f"{file.name}, row {i + 1}: {error}"))
    if not out:
        raise NucleateError("no formula was given; write for example: nucleate predict SrTiO3")
    kept: dict[Any, Wanted] = {}
    for place, counts, why in out:
        kept.setdefault(why or frozenset(counts.items()), (place, counts, why))
    return list(kept.values())


def _by_template(
    wanted: Sequence[Wanted], top: int, rank_by: str, volume: str, templates: str, distinct: bool, seed: int
) -> tuple[list[Stage], list[Candidate]]:
    from nucleate.generators.template import RANKINGS, TemplateGenerator
    from nucleate.generators.template_library import load_library
    from nucleate.pipeline.template import TemplateStage

    model = None
    if rank_by == "metric":
        from nucleate.train.similarity import load_similarity

        model = load_similarity()
    elif rank_by not in RANKINGS:
        from nucleate.errors import NucleateError

        raise NucleateError(f"--rank-by is {', '.join(RANKINGS)}, not '{rank_by}'")
    library = load_library(templates)
    generator = TemplateGenerator(library, rank_by, model=model, volume=volume, distinct=distinct, seed=seed)
    return [TemplateStage(generator)], _blank(wanted, top, lambda counts, _: counts, seed)


def _by_diffusion(wanted: Sequence[Wanted], top: int, weights: str, seed: int) -> tuple[list[Stage], list[Candidate]]:
    from nucleate.errors import NucleateError
    from nucleate.generators import Condition, load_generator
    from nucleate.pipeline.generate import GenerateStage

    generator = load_generator(weights)

    def cell(counts: dict[str, int], stream: int) -> dict[str, int]:
        units = generator.draw_formula_units(sum(counts.values()), stream)
        composition = {s: n * units for s, n in counts.items()}
        generator.check(Condition(composition=composition))
        return composition

    fitting: list[Wanted] = []
    for place, counts, why in wanted:
        try:
            if counts:
                cell(counts, 0)
            fitting.append((place, counts, why))
        except NucleateError as error:
            if len(wanted) == 1:
                raise
            fitting.append((place, counts, str(error)))
    return [GenerateStage(generator)], _blank(fitting, top, cell, seed)


def _blank(wanted: Sequence[Wanted], top: int, cell: Any, seed: int) -> list[Candidate]:
    """Blank candidates SrTiO3-1, SrTiO3-2 ...; one whose formula cannot be used is failed, with its reason."""
    from nucleate.diffusion.rng import derive_seeds
    from nucleate.generators.template_library import formula_name
    from nucleate.pipeline.candidate import Candidate

    out = []
    for place, counts, why in wanted:
        if not counts:
            continue
        name = formula_name(tuple(sorted(counts.items())))
        for rank in range(1, top + 1):
            stream = int(derive_seeds(seed, place, rank))
            record: dict[str, Any] = {"formula": name, "rank": rank}
            if why:
                blank = Candidate(f"{name}-{rank}", stream, provenance=record, composition=counts)
                out.append(blank.failed("predict", why))
                continue
            composition = cell(counts, stream)
            record["condition"] = {"composition": composition}  # what `GenerateStage` asks the model for
            out.append(Candidate(f"{name}-{rank}", stream, provenance=record, composition=composition))
    return out


def _relaxation(potential: str, reference: str) -> list[Stage]:
    from nucleate.pipeline.check import CheckStage
    from nucleate.pipeline.hull import HullStage
    from nucleate.pipeline.relax import RelaxSettings, RelaxStage

    return [CheckStage(), RelaxStage(RelaxSettings(potential=potential)), HullStage(reference)]


def _ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The formulas as they came, the structures of each by energy above the hull."""
    from nucleate.pipeline.rank import rank

    groups: dict[str, list[Candidate]] = {}
    for c in candidates:
        groups.setdefault(c.provenance["formula"], []).append(c)
    return [c for group in groups.values() for c in rank(group)]


def _formulas_without(candidates: Sequence[Candidate]) -> dict[str, str]:
    """Formula (or the id of what is none) -> why it has no structure at all."""
    named = [(str(c.provenance.get("formula", c.id)), c) for c in candidates]
    having = {name for name, c in named if c.structure is not None}
    out: dict[str, str] = {}
    for name, c in named:
        if name not in having and c.failure:
            out.setdefault(name, c.failure.partition(": ")[2])
    return out


def _short(candidates: Sequence[Candidate], top: int) -> list[str]:
    """What is said of formulas with fewer structures than were asked for."""
    having = {c.provenance["formula"] for c in candidates if c.structure is not None}
    lost = [c for c in candidates if c.structure is None and c.provenance.get("formula") in having and c.failure]
    return list(dict.fromkeys(f"fewer than {top}: {c.failure.partition(': ')[2]}" for c in lost if c.failure))


def _more(n: int) -> str:
    return f" (and {n} more formulas without a structure)" if n > 0 else ""


def _table(candidates: Sequence[Candidate], relaxed: bool) -> Table:
    """A row for each structure; its caption says what the numbers are."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    from nucleate.cli.tables import caption, energy
    from nucleate.pipeline.rank import to_rows

    rows = to_rows(candidates)
    records = [c.provenance.get("template") for c in candidates]
    columns = [] if relaxed else [name for name in NUMBERS if any(r and r[name] is not None for r in records)]
    lines = [NUMBERS[name] for name in columns]
    numeric = [*columns, *(["e_form\neV/atom", "e_above\n_hull\neV/atom"] if relaxed else [])]
    if relaxed:
        lines.append(caption(rows))
    out = Table(
        caption=escape("\n".join(lines)), caption_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    out.add_column("id", no_wrap=True)
    for name in ["space\ngroup", "atoms", *(["template", "elements"] if any(records) else []), *numeric]:
        number = name in numeric
        out.add_column(name, justify="right" if number or name == "atoms" else "left", min_width=6 if number else None)
    if relaxed:
        out.add_column("checks", overflow="fold")
    before = None
    for c, row, record in zip(candidates, rows, records, strict=True):
        cells = [c.id, row["space_group"], str(row["num_atoms"])]
        if any(records):
            cells += _origin(record)
        cells += ["-" if not record or record[name] is None else f"{record[name]:.2f}" for name in columns]
        if relaxed:
            cells += [energy(row["e_form"]), energy(row["e_above_hull"]), row["failure"] or row["checks"]]
        if before not in (None, c.provenance["formula"]):
            out.add_section()
        before = c.provenance["formula"]
        out.add_row(*(escape(cell) for cell in cells), style="dim" if c.failure else None)
    return out


def _origin(record: dict[str, Any] | None) -> tuple[str, str]:
    """The template, and who takes whose place in it."""
    if not record:
        return "-", "-"
    changed = ", ".join(f"{new} for {old}" for old, new in record["substitution"].items() if new != old)
    return f"{record['formula']} {record['id']}", changed or "none"
