"""The two ways from a request to crystals: all at once, or formulas first and structures of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.families.likelihood import MODEL
from nucleate.generators.base import ASKED
from nucleate.generators.methods import PROTOTYPE, TEMPLATE
from nucleate.generators.offered import without
from nucleate.language.chat import read_price
from nucleate.request.words import bounds_text, within
from nucleate.search.heuristics import read_objective
from nucleate.search.model import chunk_of, generator_for, load_as, load_templates
from nucleate.search.tree import BEST, SAMPLES, TEMPLATES, Budget, Plan, extent_of
from nucleate.settings.sampling import AUTO, LEXICON
from nucleate.stages.realise import units_within

if TYPE_CHECKING:
    from nucleate.generators import Condition, DiffusionGenerator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.request.words import Bounds
    from nucleate.settings import DesignSettings
    from nucleate.train.checkpoint import ModelInfo


TREE = "formulas", "width", "structures_each", "seconds", "evaluations"  # settings of a tree search
TRIES = 400  # draws of a number of atoms for one within bounds
SPOKEN = MODEL, "mp20-csp"  # what draws formulas and structures for wishes in plain words beyond families


@dataclass(frozen=True)
class Route:
    """blank: the candidates to begin with. proposals: what gives them formulas and judges these, in order; stages: what
    gives them structures. kind: what tells several structures of a formula apart (`search.tree`), "" where formulas do
    not come first. plan: of a tree search, None where all candidates are worked on alike. info: of the model that is
    asked for the wanted properties. record: what the report says of the models, plain JSON values.
    """

    blank: Sequence[Candidate]
    stages: Sequence[Stage]
    info: ModelInfo
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

    if wishes := [name for name in request.wishes if name != "exclude"]:
        raise NucleateError(
            f"{ASKED[wishes[0]]} can be asked for where formulas are drawn first: nucleate design with "
            "--generator diffusion-bert-all, or nucleate compose for the formulas alone"
        )
    generator = generator_for(request, settings)
    blank = _blank(request, settings, lambda seed: condition_of(request, generator, seed), generator.check)
    record = {"model": generator.name, "model training": generator.info.training}
    stage = GenerateStage(without(generator, request.unasked), chunk_of(generator))
    return Route(blank, [stage], generator.info, record)


def _formulas_first(request: Request, settings: DesignSettings) -> Route:
    from nucleate.generators import load_formula_generator
    from nucleate.stages.chemistry import ChemistryStage
    from nucleate.stages.comply import FormulaStage, spoken_condition
    from nucleate.stages.realise import ComposeStage

    _refuse(request, settings)
    generator = load_formula_generator(
        settings.generation.generator,
        guidance_scale=settings.sampling.guidance,
        species_temperature=settings.sampling.temperature,
    )

    def wanted(seed: int) -> Condition:
        plain = dataclasses.replace(request, num_atoms=None, num_elements=_exact(request.num_elements))
        condition = dataclasses.replace(plain.of_formulas(), properties=_targets(request, seed))
        return spoken_condition(request, condition, seed) if request.spoken else condition

    blank = _blank(request, settings, wanted, generator.check)
    realise, record = _structures(settings, request.num_atoms)
    record = {"model": generator.name, "model training": generator.info.training, **record}
    filters: list[Stage] = [FormulaStage(request)] if request.spoken else []
    proposals = [ComposeStage(without(generator, request.unasked)), *filters, ChemistryStage()]
    kind = TEMPLATES if settings.generation.structures == TEMPLATE else SAMPLES
    return Route(blank, [realise], generator.info, record, proposals, kind)


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


def _exact(number: int | Bounds | None) -> int | None:
    return number if isinstance(number, int) else None


def _structures(settings: DesignSettings, atoms: int | Bounds | None) -> tuple[Stage, dict[str, Any]]:
    """What gives the formulas structures, and what the report says of it."""
    if settings.generation.structures == TEMPLATE:
        from nucleate.stages.template import TemplateStage

        templates = load_templates(settings.templates, settings.seed)
        library = templates.library
        return TemplateStage(templates), {"structures": f"{len(library):,} templates of {library.name}"}
    from nucleate.stages.realise import RealiseStage

    plain = dataclasses.replace(settings.sampling, guidance=None, temperature=None)  # these are the formulas'
    generator = load_as(settings.generation.structures, plain)
    if generator.info.recipe.task != "csp":
        raise NucleateError(
            f"{generator.name} takes no formula; --structures is template, or weights for formulas such as mp20-csp"
        )
    record = {"structures": generator.name, "structures training": generator.info.training}
    bounds = atoms if isinstance(atoms, tuple) else (None, None)
    return RealiseStage(generator, chunk_of(generator), bounds), record


def count_of(request: Request, settings: DesignSettings) -> int:
    """Candidates to begin with: of a tree search its formulas."""
    if settings.search.strategy:
        return extent_of(request, settings).formulas
    return request.candidates * settings.search.oversample


def _blank(
    request: Request,
    settings: DesignSettings,
    wanted: Callable[[int], Condition],
    check: Callable[[Condition], None],
) -> list[Candidate]:
    """One blank candidate for each crystal to try; candidate i is determined by (seed, i) alone."""
    from nucleate.diffusion.rng import derive_seeds
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Wanted

    out = []
    for i in range(count_of(request, settings)):
        seed = int(derive_seeds(settings.seed, i))
        condition = wanted(seed)
        check(condition)
        out.append(Candidate(f"c{i + 1:05d}", seed, wanted=Wanted(condition)))
    return out


def condition_of(request: Request, generator: DiffusionGenerator, seed: int) -> Condition:
    """The condition of one crystal.

    A formula's number of units per cell is drawn by the training crystals' sizes, a property's target from its range,
    one of several space groups as known crystals have them.
    """
    from nucleate.generators import Condition

    parts: dict[str, Any] = {
        "properties": _targets(request, seed),
        "fixed": request.fixed,
        "lattice_shape": request.lattice_shape,
        "sites": request.sites or None,
    }
    given = request.composition or request.chemical_system or request.sites
    if given and (both := [e for e in given if e in request.exclude]):
        raise NucleateError(f"{both[0]} is wanted and excluded; choose one")
    if not given:
        parts["exclude"] = request.exclude
    wanted = Condition(request.composition, request.chemical_system, _exact(request.num_atoms), **parts)
    if request.space_groups:
        group = generator.draw_space_group(wanted, request.space_groups, seed)
        wanted = dataclasses.replace(wanted, space_group=group)
    if request.composition is None:
        if isinstance(request.num_atoms, tuple):
            return dataclasses.replace(wanted, num_atoms=_size_within(request.num_atoms, generator, wanted, seed))
        return wanted
    if isinstance(request.num_atoms, int):
        units = request.num_atoms // sum(request.composition.values())
    else:
        units = generator.draw_formula_units(request.composition, seed, wanted.space_group)
        if request.num_atoms is not None:
            units = units_within(units, request.composition, request.num_atoms)
    composition = {e: n * units for e, n in request.composition.items()}
    return dataclasses.replace(wanted, composition=composition, num_atoms=None)


def _size_within(bounds: Bounds, generator: DiffusionGenerator, wanted: Condition, seed: int) -> int:
    """Atoms of a cell within bounds, as the generator draws them; NucleateError where it draws none in many tries."""
    from nucleate.diffusion.rng import derive_seeds

    for i in range(TRIES):
        n = generator.draw_num_atoms(wanted, int(derive_seeds(seed, 7, i)))
        if within(n, bounds):
            return n
    raise NucleateError(f"{generator.name} makes hardly any cells of {bounds_text(bounds, 'atoms')}; ask for a formula")


def _targets(request: Request, seed: int) -> dict[str, float]:
    """A value of each wanted property, drawn from its range."""
    from nucleate.diffusion.rng import Streams, derive_seeds

    out: dict[str, float] = {}
    for i, (name, (low, high)) in enumerate(request.properties.items()):
        share = float(Streams(derive_seeds(seed, 3, i)).uniform((1,))[0])
        out[name] = low + (high - low) * share
    return out
