"""The two ways from a request to crystals: all at once, or formulas first and structures of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.families.likelihood import MODEL
from nucleate.generators.base import ASKED
from nucleate.generators.contract import require_accepted
from nucleate.generators.methods import PROTOTYPE, TEMPLATE
from nucleate.generators.offered import without
from nucleate.generators.planning import exact
from nucleate.generators.registry import GENERATORS
from nucleate.language.chat import read_price
from nucleate.search.heuristics import read_objective
from nucleate.search.model import generator_for, load_as, record_of, templates_of
from nucleate.search.tree import BEST, SAMPLES, TEMPLATES, Budget, Plan, extent_of
from nucleate.settings.sampling import AUTO, LEXICON

if TYPE_CHECKING:
    from nucleate.generators import Condition, Generator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.request.words import Bounds
    from nucleate.settings import DesignSettings


TREE = "formulas", "width", "structures_each", "seconds", "evaluations"  # settings of a tree search
SPOKEN = MODEL, "mp20-csp"  # what draws formulas and structures for wishes in plain words beyond families


@dataclass(frozen=True)
class Route:
    """blank: the candidates to begin with. proposals: what gives them formulas and judges these, in order; stages: what
    gives them structures. kind: what tells several structures of a formula apart (`search.tree`), "" where formulas do
    not come first. plan: of a tree search, None where all candidates are worked on alike. facts: of the generator
    that is asked for the wanted properties. record: what the report says of the models, plain JSON values.
    """

    blank: Sequence[Candidate]
    stages: Sequence[Stage]
    facts: Mapping[str, Any]
    record: Mapping[str, Any]
    proposals: Sequence[Stage] = ()
    kind: str = ""
    plan: Plan | None = None


def settled(request: Request, settings: DesignSettings) -> DesignSettings:
    """The settings with what they leave open decided: who draws formulas, and who their structures.

    Plain words go to the lexicon of crystal families where they name a family or a ratio, else to a model of formulas.
    """
    generator, structures = settings.generation.generator, settings.generation.structures
    strategy: str = settings.search.strategy
    if not strategy and any(getattr(settings.search, name) for name in TREE):
        strategy = BEST
    read_price(settings.language.price)
    if settings.language.address and (generator not in ("", LEXICON) or not request.families):
        raise NucleateError("a language model fills the sites of a crystal family; name one, such as: a spinel")
    if (request.spoken and not generator and request.composition is None) or (request.families and not generator):
        generator = LEXICON if request.families or request.ratio else SPOKEN[0]
        if structures == AUTO:
            structures = PROTOTYPE if generator == LEXICON else SPOKEN[1]
    if structures == AUTO:
        structures = PROTOTYPE if generator == LEXICON else TEMPLATE
    return settings.replaced(generator=generator, structures=structures, search=strategy)


def require_options(settings: DesignSettings) -> None:
    """Raise NucleateError for options, of settings that are `settled`, that no request can be met with."""
    if settings.search.strategy and not settings.generation.generator:
        raise NucleateError(
            "a tree search (--search, --formulas, --width, --structures-each, --seconds, --evaluations) works on "
            "formulas that are drawn first; ask in plain words, such as 'a spinel', or add --generator "
            "diffusion-bert-all"
        )
    read_objective(settings.judging.objective)


def route_of(request: Request, settings: DesignSettings) -> Route:
    """Formulas first where the settings (`settled`) name a generator of formulas. Raises NucleateError for what cannot
    be met."""
    require_options(settings)
    if settings.generation.generator == LEXICON:
        from nucleate.search.families_first import families_first

        route = families_first(request, settings)
    else:
        first = settings.generation.generator
        route = _formulas_first(request, settings) if first else _at_once(request, settings)
    return _searched(route, request, settings) if settings.search.strategy else route


def _searched(route: Route, request: Request, settings: DesignSettings) -> Route:
    """The route as a tree: R_hi of its formulas, to which a language model adds its word where there is one."""
    from nucleate.language.chat import Chat
    from nucleate.search.heuristics import HeuristicStage

    chat = Chat(settings.language.address, settings.language.model) if settings.language.address else None
    proposals = [*route.proposals, HeuristicStage(request, chat, settings.seed)]
    budget = Budget(settings.search.seconds, settings.search.evaluations)
    plan = Plan(settings.search.strategy, extent_of(request, settings), route.kind, budget)
    return dataclasses.replace(route, proposals=proposals, plan=plan)


def _at_once(request: Request, settings: DesignSettings) -> Route:
    from nucleate.stages.generate import GenerateStage

    wishes = [name for name in request.wishes if name != "exclude"]
    if wishes and settings.generation.weights not in GENERATORS:
        raise NucleateError(
            f"{ASKED[wishes[0]]} can be asked for where formulas are drawn first: nucleate design with "
            "--generator diffusion-bert-all, or nucleate compose for the formulas alone"
        )
    generator = generator_for(request, settings)
    blank = _blank(request, settings, generator, lambda seed: generator.plan(request, seed))
    stage = GenerateStage(without(generator, request.unasked))
    return Route(blank, [stage], generator.facts(), record_of(generator, "model"))


def _formulas_first(request: Request, settings: DesignSettings) -> Route:
    from nucleate.generators.registry import get_formula_generator
    from nucleate.stages.chemistry import ChemistryStage
    from nucleate.stages.comply import FormulaStage, spoken_condition
    from nucleate.stages.realise import ComposeStage

    _refuse(request, settings)
    generator = get_formula_generator(
        settings.generation.generator,
        guidance_scale=settings.sampling.guidance,
        species_temperature=settings.sampling.temperature,
    )

    def wanted(seed: int) -> Condition:
        plain = dataclasses.replace(request, num_atoms=None, num_elements=exact(request.num_elements))
        condition = generator.plan(plain, seed)
        return spoken_condition(request, condition, seed) if request.spoken else condition

    blank = _blank(request, settings, generator, wanted)
    realise, record = _structures(settings, request.num_atoms)
    record = {**record_of(generator, "model"), **record}
    filters: list[Stage] = [FormulaStage(request)] if request.spoken else []
    proposals = [ComposeStage(without(generator, request.unasked)), *filters, ChemistryStage()]
    kind = TEMPLATES if settings.generation.structures == TEMPLATE else SAMPLES
    return Route(blank, [realise], generator.facts(), record, proposals, kind)


def _refuse(request: Request, settings: DesignSettings) -> None:
    """What formulas first cannot honour."""
    if request.composition is not None:
        from nucleate.request.request import formula_text

        raise NucleateError(
            f"{formula_text(request.composition)} is a formula, and {_drawn_by(request, settings)}, which gives "
            "others; ask for the formula alone, or for words without it"
        )
    bounded = isinstance(request.num_atoms, tuple) and settings.generation.structures != TEMPLATE
    for name in ("num_atoms", "fixed", "lattice_shape", "space_groups", "sites"):
        if getattr(request, name) and not (name == "num_atoms" and bounded):
            raise NucleateError(
                f"{ASKED[name]} cannot be asked for here: {_drawn_by(request, settings)}, and the cell follows from "
                "each of them; leave it out, or ask for a formula or a chemical system such as Li-Fe-O"
            )
    if settings.generation.weights != AUTO:
        raise NucleateError(
            f"--weights {settings.generation.weights} finds no use: {_drawn_by(request, settings)}, and their "
            "structures come from --structures; leave --weights out"
        )
    sampled = settings.sampling.steps or settings.sampling.sampler
    if settings.generation.structures == TEMPLATE and sampled:
        raise NucleateError(
            "--steps and --sampler find no use: structures are taken from known crystals; leave them out, or add "
            "--structures mp20-csp"
        )


def _drawn_by(request: Request, settings: DesignSettings) -> str:
    """Why formulas come first, as the user said it."""
    if request.spoken and settings.generation.generator == SPOKEN[0]:
        return "for a request in words formulas are drawn first"
    return f"with --generator {settings.generation.generator} formulas are drawn first"


def _structures(settings: DesignSettings, atoms: int | Bounds | None) -> tuple[Stage, dict[str, Any]]:
    """What gives the formulas structures, and what the report says of it."""
    if settings.generation.structures == TEMPLATE:
        from nucleate.stages.template import TemplateStage

        templates = templates_of(settings.templates, settings.seed)
        library = templates.library
        return TemplateStage(templates), {"structures": f"{len(library):,} templates of {library.name}"}
    from nucleate.stages.realise import RealiseStage

    plain = dataclasses.replace(settings.sampling, guidance=None, temperature=None)  # these are the formulas'
    generator = load_as(settings.generation.structures, plain)
    if "composition" not in generator.accepts:
        raise NucleateError(
            f"{generator.name} takes no formula; --structures is template, or weights for formulas such as mp20-csp"
        )
    bounds = atoms if isinstance(atoms, tuple) else (None, None)
    return RealiseStage(generator, bounds), record_of(generator, "structures")


def count_of(request: Request, settings: DesignSettings) -> int:
    """Candidates to begin with: of a tree search its formulas."""
    if settings.search.strategy:
        return extent_of(request, settings).formulas
    return request.candidates * settings.search.oversample


def _blank(
    request: Request,
    settings: DesignSettings,
    generator: Generator[Any],
    wanted: Callable[[int], Condition],
) -> list[Candidate]:
    """One blank candidate for each crystal to try; candidate i is determined by (seed, i) alone."""
    from nucleate.diffusion.rng import derive_seeds
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Wanted

    out = []
    for i in range(count_of(request, settings)):
        seed = int(derive_seeds(settings.seed, i))
        condition = wanted(seed)
        require_accepted(generator, [condition])
        out.append(Candidate(f"c{i + 1:05d}", seed, wanted=Wanted(condition)))
    return out
