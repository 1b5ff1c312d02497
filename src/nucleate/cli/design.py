"""`nucleate design`: a request in, ranked crystals out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nucleate.cli.options import (
    Contains,
    Elements,
    Engine,
    Evaluations,
    Exclude,
    Fix,
    Formulas,
    Guidance,
    Judge,
    LatticeShape,
    Mask,
    NumAtoms,
    NumElements,
    Properties,
    Sampler,
    Search,
    Seconds,
    Seed,
    Sites,
    SpaceGroup,
    Steps,
    StructuresEach,
    Temperature,
    Weights,
    Width,
    Workers,
)

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.request.request import Request


def design(
    request: Annotated[
        str,
        typer.Argument(help='"SrTiO3", "Li-Fe-O", "a cobalt spinel", "anything"; ", 5 candidates", ", cubic".'),
    ] = "",
    elements: Elements = None,
    contains: Contains = None,
    exclude: Exclude = None,
    num_elements: NumElements = None,
    candidates: Annotated[
        int | None, typer.Option("--candidates", "-n", help="Crystals to return (default 5).")
    ] = None,
    num_atoms: NumAtoms = None,
    properties: Properties = None,
    space_group: SpaceGroup = "",
    sites: Sites = "",
    fix: Fix = None,
    mask: Mask = "lattice",
    lattice_shape: LatticeShape = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Run folder (default: runs/<request>).")] = None,
    resume: Annotated[Path | None, typer.Option(help="Finish the interrupted run in this folder.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the run in the folder.")] = False,
    seed: Seed = 0,
    oversample: Annotated[int, typer.Option(help="Crystals generated for each one asked for.")] = 4,
    weights: Weights = "auto",
    steps: Steps = 0,
    sampler: Sampler = "",
    guidance: Guidance = None,
    temperature: Temperature = None,
    generator: Annotated[
        str, typer.Option(help="Formulas first: diffusion-bert-all, other weights or a file; lexicon (of families).")
    ] = "",
    structures: Annotated[
        str, typer.Option(help="Of these formulas: template, or weights such as mp20-csp; auto: for the request.")
    ] = "auto",
    rank_by: Annotated[
        str, typer.Option(help="Templates by emd (element mover's distance), metric or random.")
    ] = "emd",
    templates: Annotated[
        str, typer.Option(help="Known structures as templates: a dataset or a parquet file.")
    ] = "mp-20",
    llm: Annotated[
        str,
        typer.Option(
            help="Language model that chooses the formulas of a crystal family: an OpenAI-compatible address, such as "
            "http://localhost:8080/v1 (key: NUCLEATE_LLM_KEY)."
        ),
    ] = "",
    llm_model: Annotated[str, typer.Option(help="Its name at that address.")] = "",
    llm_price: Annotated[
        str, typer.Option(help="US dollars per million tokens of questions and of answers, 0.15,0.6: for the record.")
    ] = "",
    retrieval: Annotated[
        bool, typer.Option(help="Give it what the install and Wikipedia know of what is wanted.")
    ] = True,
    potential: Annotated[str, typer.Option(help="Universal potential for relaxation.")] = "chgnet",
    fmax: Annotated[float, typer.Option(help="Force threshold, eV/angstrom.")] = 0.05,
    relax_steps: Annotated[int, typer.Option(help="Relaxation steps at most.")] = 250,
    reference: Annotated[str, typer.Option(help="Reference energies: shipped set or file.")] = "chgnet-mp",
    judge: Judge = "auto",
    second: Annotated[
        str, typer.Option(help="Second potential, which judges the best again: auto, none, or as --potential.")
    ] = "auto",
    second_reference: Annotated[str, typer.Option(help="Its reference energies (auto: the shipped set).")] = "auto",
    phonons: Annotated[int, typer.Option(min=0, help="Test so many of the best for imaginary modes.")] = 0,
    known: Annotated[str, typer.Option(help="Dataset to test novelty against, e.g. mp-20.")] = "",
    objective: Annotated[
        str,
        typer.Option(
            help="Rank by a weighted sum, least first: e_above_hull=1,symmetry=0.5; also e_form, properties, request, "
            "known."
        ),
    ] = "",
    search: Search = "",
    formulas: Formulas = 0,
    width: Width = 0,
    structures_each: StructuresEach = 0,
    seconds: Seconds = None,
    evaluations: Evaluations = None,
    workers: Workers = 0,
    engine: Engine = "",
) -> None:
    """Design crystals: generate, check, relax, place on the hull, test novelty, rank, report.

    Where --generator names a model of formulas, or the request a family, formulas are made and checked first and then
    get structures. A tree search (--search) keeps to a budget."""
    from nucleate.cli.interrupts import going_on
    from nucleate.cli.parts import with_parts
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import screen
    from nucleate.engine.registry import executor
    from nucleate.errors import NucleateError
    from nucleate.request.request import parse_request
    from nucleate.search.model import cautions
    from nucleate.search.route import settled
    from nucleate.settings import DesignSettings
    from nucleate.tasks.design import design as run
    from nucleate.tasks.design import folder_for, require_settings
    from nucleate.tasks.design import resume as finish

    console = screen()
    notes = screen(stderr=True)
    folder = resume or out or folder_for(request or elements or "anything")
    with going_on(f"finish it with: nucleate design --resume {folder}"):
        if resume is not None:
            given = (elements, contains, exclude, num_elements, candidates, num_atoms, properties, fix, lattice_shape)
            if request or space_group or sites or any(value not in (None, []) for value in given):
                raise NucleateError("--resume takes the request from the run; give no other")
            with progress_shown() as watch:
                result = finish(
                    resume,
                    executor=executor(workers or None, engine),
                    watch=watch,
                    seconds=seconds,
                    evaluations=evaluations,
                    llm=llm,
                )
        else:
            wanted = parse_request(
                request,
                elements=elements,
                candidates=candidates,
                num_atoms=num_atoms,
                properties=properties or (),
                contains=contains,
                exclude=exclude,
                num_elements=num_elements,
                space_group=space_group,
                sites=sites,
            )
            wanted = with_parts(wanted, fix, mask, lattice_shape)
            settings = DesignSettings.of(
                seed=seed,
                oversample=oversample,
                weights=weights,
                steps=steps,
                sampler=sampler,
                guidance=guidance,
                temperature=temperature,
                generator=generator,
                structures=structures,
                rank_by=rank_by,
                templates=templates,
                potential=potential,
                fmax=fmax,
                relax_steps=relax_steps,
                reference=reference,
                known=known,
                judge=judge,
                second=second,
                second_reference=second_reference,
                phonons=phonons,
                llm=llm,
                llm_model=llm_model,
                llm_price=llm_price,
                retrieval=retrieval,
                search=search,
                formulas=formulas,
                width=width,
                structures_each=structures_each,
                seconds=seconds or 0.0,
                evaluations=evaluations or 0,
                objective=objective,
            )
            require_settings(wanted, settled(wanted, settings))
            notes.print(f"Understood as: {wanted.describe()}", style="bold")
            _warn_if_unbalanced(wanted, notes)
            for line in cautions(wanted, settings):
                notes.print(f"warning: {line}", style="yellow")
            with progress_shown() as watch:
                result = run(
                    dataclasses.replace(wanted, text=request or elements or ""),
                    folder,
                    settings,
                    executor=executor(workers or None, engine),
                    watch=watch,
                    overwrite=overwrite,
                )
    from nucleate.cli.show import print_run

    print_run(result, console)


def _warn_if_unbalanced(request: Request, notes: Console) -> None:
    if request.composition is None:
        return
    from nucleate.chem.valence import charge_verdict
    from nucleate.request.request import formula_text

    verdict = charge_verdict(request.composition)
    if verdict.verdict == "fail":
        notes.print(f"warning: {formula_text(request.composition)}: {verdict.reason}", style="yellow")
