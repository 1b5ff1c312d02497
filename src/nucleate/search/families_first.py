"""From a crystal family, or a ratio of elements that families have, to crystals.

Formulas come from the lexicon of families or from a language model, structures from the prototypes of the family or
from a model.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.families.family import Family, StructureType, lexicon
from nucleate.families.likelihood import MODEL
from nucleate.families.members import keeps_space_group, known_types
from nucleate.families.propose import Proposal, propose, with_likelihoods
from nucleate.generators.base import ASKED
from nucleate.generators.methods import PROTOTYPE
from nucleate.language.stage import LanguageStage
from nucleate.library.library import load_library
from nucleate.redact import safe_address
from nucleate.request.words import bounds_text, within
from nucleate.search.choose_weights import generator_record, load_with_sampling, without_hidden
from nucleate.search.route import Route, count_of
from nucleate.search.tree import SAMPLES, TYPES
from nucleate.stages.request_check import as_bounds, composition_requirements

if TYPE_CHECKING:
    from nucleate.library.library import Library
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings

POOL = 3000  # formulas nearest to known members, which a model of compositions then puts in order


def families_first(request: Request, settings: DesignSettings) -> Route:
    """The route on which formulas of crystal families come first, the likeliest ones before others.

    Each formula is tried in all structure types of its family. Raises NucleateError where the request names no family
    and no ratio, or where nothing in the families fits it.
    """
    from nucleate.diffusion.philox import derived_seed
    from nucleate.generators import read_info
    from nucleate.generators.model_checks import facts_of
    from nucleate.pipeline.candidate import Candidate
    from nucleate.search.choose_weights import weights_for

    if not (request.families or request.ratio):
        raise NucleateError(
            "generator lexicon makes formulas of crystal families, and the request names no family; ask for example "
            "for a spinel, or for an oxide of ratio 1:1:3"
        )
    for name in ("fixed", "lattice_shape", "sites"):
        if getattr(request, name):
            what = ", ".join(request.families) or f"the ratio {':'.join(map(str, request.ratio))}"
            raise NucleateError(f"{ASKED[name]} cannot be asked for together with {what}: its structure types fix it")
    realise, record = _structures(settings)
    count = count_of(request, settings)
    proposing: list[Stage] = []
    if settings.language.address:
        proposing = [_language(request, settings)]
        blank = [Candidate(f"c{i + 1:05d}", derived_seed(settings.seed, i)) for i in range(count)]
        record["language model"] = (
            f"{settings.language.model or 'the only one'} at {safe_address(settings.language.address)}"
        )
    else:
        every = _candidates(request, settings, count)
        blank = list(every if settings.search.strategy else islice(every, count))
    facts = facts_of(read_info(weights_for(request) if request.properties else "mp20-dng"))
    judge = "" if settings.language.address else f", judged by {MODEL}"
    record = {"formulas": f"lexicon of {len(lexicon())} crystal families{judge}", **record}
    return Route(
        blank, [realise], facts, record, proposing, TYPES if settings.generation.structures == PROTOTYPE else SAMPLES
    )


def _language(request: Request, settings: DesignSettings) -> LanguageStage:
    """The stage in which a language model fills the sites of the first structure type that the request allows."""
    from nucleate.language.chat import Chat
    from nucleate.language.retrieve import PassageSource, Wikipedia

    if len(request.families) != 1:
        raise NucleateError("a language model fills the sites of one crystal family; name one, such as: a spinel")
    (family,) = _families(request)
    able = [i for i, t in enumerate(family.types) if type_is_allowed(request, t)]
    if not able:
        raise _no_such_type(request)
    library = load_library(hide=settings.known.hide)
    texts = None
    if settings.language.retrieval:
        texts = PassageSource(request.text or family.name, family.name, Wikipedia(), library)
    chat = Chat(settings.language.address, settings.language.model)
    return LanguageStage(chat, request, family, able[0], settings.seed, texts, library)


def _no_such_type(request: Request) -> NucleateError:
    from nucleate.request.symmetry import groups_text

    wishes = [groups_text(request.space_groups)] if request.space_groups else []
    if request.num_atoms is not None:
        wishes.append(f"{bounds_text(as_bounds(request.num_atoms), 'atoms')} in the primitive cell")
    said = ", ".join(request.families) or f"the ratio {':'.join(map(str, request.ratio))}"
    return NucleateError(f"no structure type of {said} has {' and '.join(wishes)}")


def type_is_allowed(request: Request, kind: StructureType) -> bool:
    """Whether a structure type has the space group and the number of atoms that the request asks for."""
    right_size = request.num_atoms is None or within(kind.num_atoms, as_bounds(request.num_atoms))
    return right_size and (not request.space_groups or kind.space_group in request.space_groups)


def proposed_formulas(request: Request, limit: int, library: Library | None = None) -> list[Proposal]:
    """At most `limit` formulas for the request, of all its families together, the likeliest first.

    They are chosen among the POOL formulas that are nearest to known members, by this distance and by the likelihood
    that a model of compositions gives them. library: the known crystals, None for all. Raises NucleateError where there
    is none, with the reason for the first family.
    """
    pool = max(limit, POOL)
    found: list[list[Proposal]] = []
    refused: list[NucleateError] = []
    for family in _families(request):
        try:
            found.append(
                propose(
                    family,
                    lambda c: _accepts(request, library, c),
                    contains=_needed(request),
                    exclude={*request.exclude, *request.unasked},
                    repeated=_repeats_elements(request, family),
                    limit=pool,
                    library=library,
                )
            )
        except NucleateError as error:
            refused.append(error)
    if not found:
        raise _misfit(request, _families(request)[0]) or refused[0]
    nearest = islice(_distinct(heapq.merge(*found, key=lambda p: p.score)), pool)
    return with_likelihoods(list(nearest))[:limit]


def _families(request: Request) -> list[Family]:
    if request.families:
        return [lexicon()[name] for name in request.families]
    alike = [f for f in lexicon().values() if tuple(sorted(n for _, n in f.sites)) == request.ratio]
    if not alike:
        raise NucleateError(
            f"no crystal family in the lexicon has the ratio {':'.join(map(str, request.ratio))}; "
            "nucleate families lists those there are"
        )
    return alike


def _misfit(request: Request, family: Family) -> NucleateError | None:
    """The error for a formula that does not fit the sites of the family, whatever the charges; None where it fits."""
    if not request.composition:
        return None
    formula = formula_text(request.composition)
    placements = list(family.placements(request.composition))
    if not placements:
        return NucleateError(
            f"{formula} does not fit the sites of a {family.name} ({family.pattern}); nucleate predict {formula} looks "
            "for other structures"
        )
    if not any(keeps_space_group(family.name, k, e) for e in placements for k in range(len(family.types))):
        return NucleateError(
            f"with {formula} two sites of a {family.name} ({family.pattern}) are of one element, and so it is a "
            f"{family.name} no longer; ask for the structure type that this is"
        )
    return None


def _repeats_elements(request: Request, family: Family) -> bool:
    """Whether the request asks for fewer elements than the family has sites, so that an element is on several sites."""
    sizes = [len(some) for some in (request.composition, request.chemical_system) if some]
    sizes += [request.num_elements] if isinstance(request.num_elements, int) else []
    return min(sizes, default=len(family.sites)) < len(family.sites)


def _accepts(request: Request, library: Library | None, composition: Any) -> bool:
    return all(holds for _, holds in composition_requirements(request, composition, library))


def _needed(request: Request) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*request.contains, *(request.chemical_system or ()), *(request.composition or ()))))


def _distinct(ordered: Iterator[Proposal]) -> Iterator[Proposal]:
    """The proposals without those whose family and formula came before."""
    seen = set()
    for one in ordered:
        key = one.family, frozenset(one.composition.items())
        if key not in seen:
            seen.add(key)
            yield one


def _candidates(request: Request, settings: DesignSettings, formulas: int) -> Iterator[Candidate]:
    from nucleate.diffusion.philox import derived_seed
    from nucleate.generators import Condition
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import FamilyMember, Origin, Wanted

    library = load_library(hide=settings.known.hide)
    count = 0
    for one in proposed_formulas(request, formulas, library):
        for index, kind in enumerate(lexicon()[one.family].types):
            if not type_is_allowed(request, kind) or index not in known_types(one.family, library):
                continue
            if not keeps_space_group(one.family, index, one.elements, library):
                continue
            count += 1
            units = kind.num_atoms // sum(one.composition.values())
            member = FamilyMember(
                name=one.family,
                structure_type=index,
                elements=tuple(one.elements),
                charges=tuple(map(float, one.charges)),
                nearest=one.nearest.material_id,
                distance=round(one.distance, 3),
                score=round(one.score, 4),
                likelihood=round(one.likelihood, 4),
            )
            yield Candidate(
                f"c{count:05d}",
                derived_seed(settings.seed, count - 1),
                wanted=Wanted(Condition({e: n * units for e, n in one.composition.items()})),
                origin=Origin(family=member),
                composition=dict(one.composition),
            )
    if not count:
        raise _no_such_type(request)


def _structures(settings: DesignSettings) -> tuple[Stage, dict[str, Any]]:
    """What gives the formulas structures, and what the report says of it."""
    if settings.generation.structures == PROTOTYPE:
        from nucleate.families.decorate import DecorateStage

        known = load_library(hide=settings.known.hide)
        return DecorateStage(known), {"structures": "prototypes of the families"}
    from nucleate.stages.generate import GenerateStage

    drawn = load_with_sampling(settings.generation.structures, settings.sampling)
    generator = without_hidden(drawn, settings.known)
    if "composition" not in generator.accepts:
        raise NucleateError(
            f"{generator.name} takes no formula; set 'structures' to prototype, or to weights for "
            "formulas such as mp20-csp"
        )
    return GenerateStage(generator), generator_record(generator, "structures")
