"""Everything that a design run is, before it begins: one function that decides, refuses, and gives the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generators.methods import PROTOTYPE, RETRIEVAL, TEMPLATE
from nucleate.settings import DesignSettings
from nucleate.settings.sampling import AUTO, LEXICON, SPOKEN, TemplateSettings
from nucleate.settings.search import BUDGETED

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.search.route import Route
    from nucleate.search.tree import TreePlan
    from nucleate.stages.properties import PredictStage


@dataclass(frozen=True)
class Blueprint:
    """A request and settings with everything that follows from them.

    settings: with all that was left open decided. blanks: the candidates to begin with. proposals: what gives them
    formulas and judges these, empty where formulas do not come first; stages: what gives them structures and, unless
    the crystals are wanted as generated, judges these; both in order. reviews: what is done with the best alone, and
    with how many of them. predict: what predicts the wanted properties (among the stages of a whole run), None where
    nothing does; unjudged: the wanted properties that it does not know. tree: how a tree search goes, None where all
    candidates are worked on alike. record: what the report says of the models, plain JSON values.
    """

    request: Request
    settings: DesignSettings
    blanks: Sequence[Candidate]
    proposals: Sequence[Stage]
    stages: Sequence[Stage]
    reviews: Sequence[tuple[Stage, int]]
    predict: PredictStage | None
    unjudged: Sequence[str]
    tree: TreePlan | None
    record: Mapping[str, Any]


def blueprint(request: Request, settings: DesignSettings, *, as_generated: bool = False) -> Blueprint:
    """What a run of this request with these settings is; nothing is written.

    as_generated: crystals are neither checked nor relaxed. Raises NucleateError for everything that cannot be met: in a
    moment for what `decided` sees, after models were loaded for what they alone can say.
    """
    from nucleate.search.property_network import property_network_for
    from nucleate.stages.properties import PredictStage

    settings = decided(request, settings, as_generated=as_generated)
    route = _route(request, settings)
    proposals, tree = _tree(route, request, settings)
    model, wanted, unjudged = property_network_for(request.properties, route.facts, settings.judging.judge)
    predict = PredictStage(model, wanted) if model is not None else None
    stages = list(route.stages) if as_generated else _stages(request, settings, route, predict)
    reviews = [] if as_generated else _reviews(request, settings)
    return Blueprint(request, settings, route.blanks, proposals, stages, reviews, predict, unjudged, tree, route.record)


def decided(request: Request, settings: DesignSettings, *, as_generated: bool = False) -> DesignSettings:
    """The settings with what they leave open decided: who draws formulas, who their structures, how a tree is searched.

    Raises NucleateError for names that there are not, properties that no model can be asked for, elements that the
    potential does not know, and options that contradict each other, before anything heavy is imported.
    """
    from nucleate.language.chat import read_price
    from nucleate.search.heuristics import read_objective

    read_price(settings.language.price)
    settings = _with_open_ones(request, settings)
    if settings.search.strategy and not settings.generation.generator:
        raise NucleateError(
            "a tree search (one of the settings search, formulas, width, structures_each, seconds and evaluations is "
            "given) works on formulas that are drawn first; ask in plain words, such as 'a spinel', or set 'generator' "
            "to diffusion-bert-all"
        )
    read_objective(settings.judging.objective)
    _require_names(request, settings, relaxed=not as_generated)
    return settings


def _with_open_ones(request: Request, settings: DesignSettings) -> DesignSettings:
    """Plain words go to the lexicon of crystal families where they name a family or a ratio, else to a model of
    formulas; a setting of a tree search asks for one."""
    from nucleate.search.tree import BEST

    generator, structures = settings.generation.generator, settings.generation.structures
    strategy: str = settings.search.strategy
    if not strategy and any(getattr(settings.search, name) for name in BUDGETED):
        strategy = BEST
    if settings.language.address and (generator not in ("", LEXICON) or not request.families):
        raise NucleateError("a language model fills the sites of a crystal family; name one, such as: a spinel")
    if (request.spoken and not generator and request.composition is None) or (request.families and not generator):
        generator = LEXICON if request.families or request.ratio else SPOKEN[0]
        if structures == AUTO:
            structures = PROTOTYPE if generator == LEXICON else SPOKEN[1]
    if structures == AUTO:
        known = TEMPLATE if settings.templates != TemplateSettings() else RETRIEVAL
        structures = PROTOTYPE if generator == LEXICON else known
    return settings.replaced(generator=generator, structures=structures, search=strategy)


def _require_names(request: Request, settings: DesignSettings, relaxed: bool) -> None:
    """Raise NucleateError for names that there are not, and for what nothing by these names can do."""
    from nucleate.search.names import require_elements, require_named, require_properties

    generation = settings.generation
    unused = () if relaxed else ("potential", "second", "reference", "second_reference")
    require_named(settings, unused)
    asked = [name for name in (generation.weights, generation.generator) if name not in ("", AUTO, LEXICON)]
    require_properties(request.properties, asked[:1])
    if relaxed:
        require_elements(request.named, settings.relaxation.potential)


def cautions(request: Request, settings: DesignSettings) -> list[str]:
    """What can be asked of the model but should not be trusted, or cannot be judged, one line each."""
    if not request.properties:
        return []
    from nucleate.generators import read_info
    from nucleate.generators.model_checks import facts_of, is_out_of_range
    from nucleate.generators.properties import resolve_property
    from nucleate.generators.registry import is_weights
    from nucleate.search.choose_weights import weights_for
    from nucleate.search.property_network import dataset_of, judges_hint, property_network_for

    settings = _with_open_ones(request, settings)
    generation = settings.generation
    formulas = generation.generator not in ("", LEXICON)
    name = generation.weights if generation.weights != AUTO else ""
    name = generation.generator if formulas else name or weights_for(request)
    if not is_weights(name):
        return []  # its properties are its own matter
    info = read_info(name, "formula") if formulas else read_info(name)
    out = []
    for name, limits in request.properties.items():
        stats = info.conditions.get(resolve_property(name, info.conditions) or "")
        if stats is None or any(is_out_of_range(stats, value) for value in limits):
            continue  # the error says it
        if not stats.low <= limits[0] <= limits[1] <= stats.high:
            seen = f"{stats.low:.4g} to {stats.high:.4g}"
            out.append(f"{name} is asked for outside of what {info.recipe.name} saw in training ({seen})")
    facts = facts_of(info)
    model, _, unknown = property_network_for(request.properties, facts, settings.judging.judge)
    if unknown:
        who = f"{model.name} does not predict" if model else f"no shipped network for {dataset_of(facts)} predicts"
        out.append(
            f"{who} {', '.join(unknown)}: crystals are not ranked by it; the setting 'judge' can name a network that "
            f"predicts it{judges_hint(unknown, facts)}"
        )
    return out


def _route(request: Request, settings: DesignSettings) -> Route:
    """Formulas first where a generator of formulas is named."""
    generator = settings.generation.generator
    if generator == LEXICON:
        from nucleate.search.families_first import families_first

        return families_first(request, settings)
    if generator:
        from nucleate.search.formulas_first import formulas_first

        return formulas_first(request, settings)
    from nucleate.search.at_once import at_once

    return at_once(request, settings)


def _tree(route: Route, request: Request, settings: DesignSettings) -> tuple[Sequence[Stage], TreePlan | None]:
    """What formulas go through, and how a tree is searched: by R_hi, to which a language model adds its word where
    there is one."""
    if not settings.search.strategy:
        return route.proposals, None
    from nucleate.language.chat import Chat
    from nucleate.library.library import load_library
    from nucleate.search.heuristics import HeuristicStage
    from nucleate.search.tree import Budget, TreePlan, extent_of

    chat = Chat(settings.language.address, settings.language.model) if settings.language.address else None
    budget = Budget(settings.search.seconds, settings.search.evaluations)
    plan = TreePlan(settings.search.strategy, extent_of(request, settings), route.kind, budget)
    library = load_library(hide=settings.known.hide)
    return [*route.proposals, HeuristicStage(request, chat, settings.seed, library)], plan


def _stages(request: Request, settings: DesignSettings, route: Route, predict: PredictStage | None) -> list[Stage]:
    """What crystals go through, from their structures to their places, in order."""
    from nucleate.library.library import load_library
    from nucleate.search.heuristics import ObjectiveStage, read_objective
    from nucleate.stages.check import CheckStage
    from nucleate.stages.hull import HullStage
    from nucleate.stages.novelty import NoveltyStage, UniqueStage
    from nucleate.stages.relax import RelaxStage
    from nucleate.stages.request_check import RequestCheckStage

    library = load_library(hide=settings.known.hide)
    return [
        *route.stages,
        CheckStage(),
        RelaxStage(settings.relaxation),
        HullStage(settings.judging.reference),
        *([predict] if predict is not None else []),
        UniqueStage(),
        NoveltyStage(settings.judging.known or None, library),
        *([RequestCheckStage(request, library)] if request.spoken else []),
        *([ObjectiveStage(weights)] if (weights := read_objective(settings.judging.objective)) else []),
    ]


def _reviews(request: Request, settings: DesignSettings) -> list[tuple[Stage, int]]:
    """What is done with the best candidates alone, once their order is known, and with how many of them."""
    from nucleate.stages.phonons import PhononSettings, PhononStage
    from nucleate.stages.second_judge import second_judge_stage

    judging, relaxation = settings.judging, settings.relaxation
    second = second_judge_stage(relaxation, judging.second, judging.second_reference)
    reviews: list[tuple[Stage, int]] = [(second, request.candidates)] if second is not None else []
    if judging.phonons:
        reviews.append((PhononStage(PhononSettings(potential=relaxation.potential)), judging.phonons))
    return reviews
