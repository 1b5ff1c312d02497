"""Structures for formulas, by any method: what there is to choose from, and the stages that do it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.generators.methods import ADAPTIVE, ADAPTIVE_WEIGHTS, PROTOTYPE, RANDOM, RETRIEVAL, TEMPLATE
from nucleate.search.choose_weights import templates_of, without_hidden
from nucleate.settings import PredictSettings
from nucleate.settings.base import WrongValueError
from nucleate.settings.sampling import AUTO, TemplateSettings
from nucleate.tasks.predict_targets import Target, blank_candidates, read_target, require_target
from nucleate.train.shipped import require_weights

if TYPE_CHECKING:
    from nucleate.generators import StructureGenerator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor, Store
    from nucleate.pipeline.stage import Stage

SYMPREC = 0.25  # angstrom; relaxed random structures come this close to their symmetry
# eV/atom; what lies so far above the lowest of its formula comes behind the others, however probable it was
GATE = 0.1
WITHOUT_GENERATOR = RETRIEVAL, TEMPLATE, PROTOTYPE  # methods whose structures bring their own cells


@dataclass(frozen=True)
class PredictionMethod:
    """A way to predict structures of a formula.

    what: a description. weights: the shipped model that it uses, "" if it needs none. symmetry: whether it accepts a
    space group. sites: whether it accepts numbers of sites.
    """

    what: str
    weights: str = ""
    symmetry: bool = False
    sites: bool = False


METHODS = {
    RETRIEVAL: PredictionMethod("known crystals of the formula, then the structure types of others by their votes"),
    TEMPLATE: PredictionMethod("known crystals of the same ratio, with other elements"),
    PROTOTYPE: PredictionMethod("prototypes of the crystal families that the formula fits, of any size"),
    "transformer": PredictionMethod("diffusion of all atoms at once by a transformer", "mp20-csp"),
    "unimat": PredictionMethod("diffusion over the periodic table (UniMat)", "mp20-unimat-csp"),
    "compact": PredictionMethod("diffusion of the compact representation", "compact-csp"),
    ADAPTIVE: PredictionMethod(
        "diffusion of sites and cell within a space group", ADAPTIVE_WEIGHTS, symmetry=True, sites=True
    ),
    RANDOM: PredictionMethod("random structure search", symmetry=True),
}
# The plug-in itself declares what it accepts.
PLUGIN = PredictionMethod("a generator of another package", symmetry=True, sites=True)


def predict(
    formulas: Sequence[str],
    settings: PredictSettings | None = None,
    *,
    executor: Executor | None = None,
    store: Store | None = None,
    watch: Watch | None = None,
) -> list[Candidate]:
    """Candidates with structures for formulas such as "SrTiO3", or chemical systems with `settings.sites`, in their
    order; of each the best first if they are relaxed, else as drawn. Retrieved ones stay in the order of their votes
    when they are relaxed, see `ordered`.

    Each formula has `settings.samples` candidates; what failed is among them, last, and keeps its reason. Relaxed, what
    equals a lower one comes with a failed check "unique", and `frequency` of the lower one says how often it was
    found. executor: default one process for each core. Raises NucleateError for a formula that is none, or that the
    method cannot take where it is the only one.
    """
    from nucleate.engine.registry import get_executor
    from nucleate.pipeline.run import NoStore
    from nucleate.tasks.predict_limit import run_within

    wanted = [read_target(i + 1, text) for i, text in enumerate(formulas)]
    plan = prediction(wanted, settings or PredictSettings())
    executor, store = executor or get_executor(), store or NoStore()
    return ordered(run_within(plan.settings.seconds, plan.blanks, plan.stages, executor, store, watch))


@dataclass(frozen=True)
class Prediction:
    """What a prediction is, before it begins. settings: with the method decided; blanks: the candidates to begin with;
    stages: what gives them structures and, where this is wanted, relaxes and compares these, in order."""

    settings: PredictSettings
    blanks: list[Candidate]
    stages: list[Stage]


def prediction(wanted: Sequence[Target], settings: PredictSettings) -> Prediction:
    """Plans the prediction of these formulas with these settings. Nothing is written.

    Raises NucleateError for everything that is not possible: at once for what `decided_method` checks, and after models
    were loaded for what only they can check. If there are several formulas, each impossible one becomes a failed
    candidate instead.
    """
    from nucleate.stages.generate import GenerateStage
    from nucleate.stages.search import EnoughStage

    settings = decided_method(wanted, settings)
    generator = None if settings.method in WITHOUT_GENERATOR else structure_generator(settings)
    realise = structure_stage(settings) if generator is None else GenerateStage(generator)
    blanks = blank_candidates(wanted, settings, generator)
    if settings.seconds:  # the first answers of all formulas before the second ones
        blanks.sort(key=lambda blank: blank.wanted.rank)
    enough = [EnoughStage(settings.until)] if settings.until else []
    return Prediction(settings, blanks, [realise, *enough, *(_relaxation(settings) if settings.relax else [])])


def decided_method(wanted: Sequence[Target], settings: PredictSettings) -> PredictSettings:
    """The settings, with a method chosen if they leave it open.

    Raises NucleateError for names that do not exist, for settings that the method does not accept, and for a single
    formula that cannot be predicted. This is done before large packages are imported.
    """
    from nucleate.search.names import require_named

    if settings.method == AUTO:
        within = settings.space_groups or settings.sites or any(target.system for target in wanted)
        other = TEMPLATE if settings.templates != TemplateSettings() else RETRIEVAL
        settings = settings.replaced(method=ADAPTIVE if within else other)
    _require_method(settings)
    unused = () if settings.relax else ("potential", "reference")
    require_named(settings, (*unused, *(() if settings.method == TEMPLATE else ("templates",))))
    if len(wanted) == 1 and not wanted[0].problem:
        require_target(wanted[0], settings)
    return settings


def _require_method(settings: PredictSettings) -> None:
    """Raise NucleateError for a method that does not exist, and for settings that it does not accept."""
    if settings.method not in METHODS:
        _require_plugin(settings.method)
    method = METHODS.get(settings.method, PLUGIN)
    if settings.weights and not method.weights:
        raise NucleateError(f"the method {settings.method} has no weights; leave them out")
    if method.weights and not settings.weights:
        require_weights(method.weights)
    if settings.until and settings.method != RETRIEVAL:
        raise NucleateError(
            f"the method {settings.method} gives no probabilities, which --until needs; only retrieval does"
        )
    if settings.method == RETRIEVAL and settings.templates != TemplateSettings():
        raise NucleateError(
            "the method retrieval takes no templates and ranks in its own way; leave out what is said of templates, or "
            "take the method template"
        )
    for asked, what, name in ((settings.space_groups, "a space group", "symmetry"), (settings.sites, "sites", "sites")):
        if asked and not getattr(method, name):
            able = ", ".join(key for key, m in METHODS.items() if getattr(m, name))
            raise NucleateError(f"the method {settings.method} cannot use {what}; {able} can")


def structure_stage(settings: PredictSettings) -> Stage:
    """The stage that gives candidates with a composition their structures.

    Candidates need a wanted condition with the composition of the cell; those of templates and of retrieval the
    composition, and the wanted rank, which of the answers it is to be.
    """
    if settings.method == RETRIEVAL:
        from nucleate.library.library import load_library
        from nucleate.stages.retrieval import RetrievalStage
        from nucleate.stages.search import RetrievalOrRandomStage

        searched = settings.relax and (settings.until or settings.seconds)
        stage = RetrievalOrRandomStage if searched else RetrievalStage
        return stage(load_library(hide=settings.known.hide))
    if settings.method == TEMPLATE:
        from nucleate.stages.template import TemplateStage

        return TemplateStage(templates_of(settings.templates, settings.known, settings.seed))
    if settings.method == PROTOTYPE:
        from nucleate.families.prototypes import PrototypeStage
        from nucleate.library.library import load_library

        return PrototypeStage(load_library(hide=settings.known.hide))
    from nucleate.stages.generate import GenerateStage

    return GenerateStage(structure_generator(settings))


def structure_generator(settings: PredictSettings) -> StructureGenerator:
    """The generator of a method that has one. Raises NucleateError where it takes no formula."""
    from nucleate.generators.registry import get_generator

    known = METHODS.get(settings.method, PLUGIN)
    generator = get_generator(settings.weights or known.weights or settings.method)
    if "composition" not in generator.accepts:
        raise NucleateError(f"{generator.name} takes no formula; take weights that do, such as mp20-csp")
    return without_hidden(generator, settings.known)


def _require_plugin(method: str) -> None:
    from nucleate.generators.registry import GENERATORS

    if GENERATORS.plugin(method) is None:
        brought = [n for n in GENERATORS.names() if GENERATORS.plugin(n) is not None]
        choices = ", ".join([AUTO, *METHODS, *brought])
        raise WrongValueError(("method",), f"must be one of {choices}, not '{method}'", "method", "method")


def _relaxation(settings: PredictSettings) -> list[Stage]:
    from nucleate.stages.check import CheckStage
    from nucleate.stages.hull import HullStage
    from nucleate.stages.novelty import UniqueStage
    from nucleate.stages.relax import RelaxStage

    unique = UniqueStage(SYMPREC, by_rank=settings.method == RETRIEVAL)
    return [CheckStage(), RelaxStage(settings.relaxation), HullStage(settings.reference), unique]


def ordered(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The formulas as they came; of each what lives first, by energy where it was relaxed, else as drawn.

    What was retrieved keeps the order of the votes, because these choose better than energies (docs/predict.md);
    behind come what equals an earlier one, whose probability this gets in addition, and what lies more than GATE above
    the lowest of the formula.

    Where equal structures were looked for, the `frequency` of each says how often it came up among all that were drawn
    for the formula, failures included.
    """
    from nucleate.pipeline.rank import verdict
    from nucleate.pipeline.state import Frequency

    groups: dict[str, list[Candidate]] = {}
    for c in candidates:
        groups.setdefault(c.wanted.label or c.id, []).append(c)
    out = []
    for group in groups.values():
        if not any("unique" in c.checks for c in group):
            out += sorted(group, key=lambda c: c.structure is None)
            continue
        twins = [c.twin_of for c in group]
        voted = any(c.vote for c in group)
        for c in sorted(group, key=_by_votes(group) if voted else _lowest_first):
            found = Frequency(1 + twins.count(c.id), len(group))
            counted = c.failure is None and verdict(c, "unique") == "pass"
            if counted and not voted:
                c = c.with_(frequency=found)
            out.append(_with_twins(c, group) if counted and voted else c)
    return out


def is_gated(c: Candidate, lowest: float) -> bool:
    """Whether a relaxed crystal lies more than GATE above the lowest energy of its formula (eV/atom)."""
    return c.energy_per_atom is not None and c.energy_per_atom > lowest + GATE


def lowest_energy(group: Sequence[Candidate]) -> float:
    """The lowest energy of the converged crystals of a formula that can be believed, eV/atom; inf without one."""
    from nucleate.pipeline.rank import too_deep

    energies = (c.energy_per_atom for c in group if c.failure is None and c.converged and not too_deep(c))
    return min((e for e in energies if e is not None), default=math.inf)


def _by_votes(group: Sequence[Candidate]) -> Callable[[Candidate], tuple[bool, bool, bool, int, str]]:
    from nucleate.pipeline.rank import verdict

    lowest = lowest_energy(group)

    def key(c: Candidate) -> tuple[bool, bool, bool, int, str]:
        worse = c.failure is not None, verdict(c, "unique") == "fail", is_gated(c, lowest)
        return *worse, c.wanted.rank, c.id

    return key


def _with_twins(c: Candidate, group: Sequence[Candidate]) -> Candidate:
    """The candidate with the probabilities of those that became the same crystal."""
    votes = [other.vote for other in group if other.twin_of == c.id]
    more = math.fsum(vote.probability for vote in votes if vote and vote.probability is not None)
    if c.vote is None or c.vote.probability is None or not more:
        return c
    return c.with_(vote=replace(c.vote, probability=round(c.vote.probability + more, 6)))


def _lowest_first(c: Candidate) -> tuple[bool, bool, bool, bool, float, str]:
    """As `pipeline.rank` has it, but by the energies of one formula, which need no hull; where the composition was left
    open, and formulas may differ, above it.

    What lies impossibly deep below the known ones comes behind what does not.
    """
    from nucleate.pipeline.rank import verdict

    condition = c.wanted.condition
    kind = "energy" if condition is None or condition.composition else "e_above_hull"
    energy = c.energies[kind].value if kind in c.energies else math.inf
    worse = c.failure is not None, verdict(c, "unique") == "fail", verdict(c, "relaxed") != "pass"
    return *worse, "hull" in c.checks, energy, c.id
