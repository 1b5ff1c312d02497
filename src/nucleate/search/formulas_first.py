"""From a request to crystals in two steps: a model draws formulas, then the good ones get structures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generators.base import ASKED
from nucleate.generators.methods import RETRIEVAL, TEMPLATE
from nucleate.generators.planning import exact_number
from nucleate.generators.without_elements import without_elements
from nucleate.library.library import load_library
from nucleate.search.choose_weights import generator_record, load_with_sampling, templates_of, without_hidden
from nucleate.search.route import Route, blanks_of
from nucleate.search.tree import SAMPLES, TEMPLATES
from nucleate.settings.sampling import AUTO, SPOKEN

if TYPE_CHECKING:
    from nucleate.generators import Condition
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.request.words import Bounds
    from nucleate.settings import DesignSettings


FROM_KNOWN = RETRIEVAL, TEMPLATE  # what takes structures from known crystals, in cells of their own


def formulas_first(request: Request, settings: DesignSettings) -> Route:
    """The route on which a model draws formulas first, which have to pass chemical checks before they get structures.

    Raises NucleateError for a request and settings that this cannot honour.
    """
    from nucleate.generators.registry import get_formula_generator
    from nucleate.stages.chemistry import ChemistryStage
    from nucleate.stages.realise import ComposeStage
    from nucleate.stages.request_check import FormulaStage, condition_of_words

    _refuse(request, settings)
    generator = get_formula_generator(
        settings.generation.generator,
        guidance_scale=settings.sampling.guidance,
        species_temperature=settings.sampling.temperature,
    )

    def wanted(seed: int) -> Condition:
        plain = dataclasses.replace(request, num_atoms=None, num_elements=exact_number(request.num_elements))
        condition = generator.plan(plain, seed)
        return condition_of_words(request, condition, seed) if request.spoken else condition

    blanks = blanks_of(request, settings, generator, wanted)
    realise, record = _structures(settings, request.num_atoms)
    record = {**generator_record(generator, "model"), **record}
    filters: list[Stage] = [FormulaStage(request, load_library(hide=settings.known.hide))] if request.spoken else []
    proposals = [ComposeStage(without_elements(generator, request.unasked)), *filters, ChemistryStage()]
    kind = TEMPLATES if settings.generation.structures in FROM_KNOWN else SAMPLES
    return Route(blanks, [realise], generator.facts(), record, proposals, kind)


def _refuse(request: Request, settings: DesignSettings) -> None:
    """Raise NucleateError for wishes and settings that have no effect where formulas are drawn first."""
    if request.composition is not None:
        from nucleate.chem.formula import formula_text

        raise NucleateError(
            f"{formula_text(request.composition)} is a formula, and {_drawn_by(request, settings)}, which gives "
            "others; ask for the formula alone, or for words without it"
        )
    bounded = isinstance(request.num_atoms, tuple) and settings.generation.structures not in FROM_KNOWN
    for name in ("num_atoms", "fixed", "lattice_shape", "space_groups", "sites"):
        if getattr(request, name) and not (name == "num_atoms" and bounded):
            raise NucleateError(
                f"{ASKED[name]} cannot be asked for here: {_drawn_by(request, settings)}, and the cell follows from "
                "each of them; leave it out, or ask for a formula or a chemical system such as Li-Fe-O"
            )
    if settings.generation.weights != AUTO:
        raise NucleateError(
            f"weights {settings.generation.weights} would have no effect: {_drawn_by(request, settings)}, and their "
            "structures come from what the setting 'structures' names; leave 'weights' out"
        )
    sampled = settings.sampling.steps or settings.sampling.sampler
    if settings.generation.structures in FROM_KNOWN and sampled:
        raise NucleateError(
            "'steps' and 'sampler' would have no effect: structures are taken from known crystals; leave them out, or "
            "set 'structures' to mp20-csp"
        )


def _drawn_by(request: Request, settings: DesignSettings) -> str:
    """Why formulas are drawn first, in terms of what the user wrote."""
    if request.spoken and settings.generation.generator == SPOKEN[0]:
        return "for a request in words formulas are drawn first"
    return f"with generator {settings.generation.generator} formulas are drawn first"


def _structures(settings: DesignSettings, atoms: int | Bounds | None) -> tuple[Stage, dict[str, Any]]:
    """The stage that gives structures to formulas, and what the report says of it."""
    if settings.generation.structures == RETRIEVAL:
        from nucleate.stages.retrieval import RetrievalStage

        stage = RetrievalStage(load_library(hide=settings.known.hide))
        return stage, {"structures": f"retrieval: {stage.generator.facts()['dataset']}"}
    if settings.generation.structures == TEMPLATE:
        from nucleate.stages.template import TemplateStage

        generator = templates_of(settings.templates, settings.known, settings.seed)
        templates = generator.templates
        return TemplateStage(generator), {"structures": f"templates: {len(templates):,} {templates.name}"}
    from nucleate.stages.realise import RealiseStage

    # these two are meant for the formulas
    plain = dataclasses.replace(settings.sampling, guidance=None, temperature=None)
    model = without_hidden(load_with_sampling(settings.generation.structures, plain), settings.known)
    if "composition" not in model.accepts:
        raise NucleateError(
            f"{model.name} takes no formula; set 'structures' to retrieval, or to weights for formulas such as mp20-csp"
        )
    bounds = atoms if isinstance(atoms, tuple) else (None, None)
    return RealiseStage(model, bounds), generator_record(model, "structures")
