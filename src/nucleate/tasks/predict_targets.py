"""What structures are asked for, formulas or chemical systems with numbers of sites, and the candidates for them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.errors import Code, NucleateError, code_or

if TYPE_CHECKING:
    from nucleate.generators import Condition, StructureGenerator
    from nucleate.pipeline.candidate import Candidate
    from nucleate.settings import PredictSettings


@dataclass(frozen=True)
class Target:
    """A formula asked for: its place in the list, of which its seeds are made, and reduced counts; or a chemical
    system, whose composition is open; or what is wrong with it."""

    place: int
    counts: Mapping[str, int]
    problem: str = ""
    system: tuple[str, ...] = ()


def read_target(place: int, text: str) -> Target:
    """ "SrTiO3" or "K-Cu-Si"; NucleateError for what is neither."""
    from nucleate.chem.formula import parse_formula
    from nucleate.request.elements import parse_elements

    if re.fullmatch(r"\s*[A-Za-z]+(-[A-Za-z]+)+\s*", text):
        return Target(place, {}, system=tuple(parse_elements(text)))
    return Target(place, parse_formula(text))


def blank_candidates(
    wanted: Sequence[Target], settings: PredictSettings, generator: StructureGenerator | None
) -> list[Candidate]:
    """Blank candidates SrTiO3-1, SrTiO3-2 ...; one that cannot be had is failed, with its reason.

    generator: plans cells and refuses them; None where known crystals bring their own. Each formula has
    `settings.samples` of them for each space group asked for; a group that cannot hold it has a failed one. A refusal
    of all there is to do is an error.
    """
    from nucleate.diffusion.philox import derived_seed
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Wanted

    out: list[Candidate] = []
    refused: list[NucleateError] = []
    for target in wanted:
        if target.problem:
            out.append(Candidate(f"formula-{target.place}").failed("predict", Code.NO_FORMULA, target.problem))
            continue
        name = _name(target)
        rank = 0
        for group in settings.space_groups or (0,):
            for _ in range(settings.samples):
                rank += 1
                stream = derived_seed(settings.seed, target.place, rank)
                wished = Wanted(label=name, rank=rank)
                blank = Candidate(f"{name}-{rank}", stream, wanted=wished, composition=target.counts or None)
                try:
                    condition = _condition(target, settings, group, stream, generator)
                except NucleateError as error:
                    refused.append(error)
                    out.append(blank.failed("predict", code_or(error, Code.NOT_GENERATED), str(error)))
                    if len(settings.space_groups) > 1:
                        rank += settings.samples - 1
                        break
                    continue
                wished = Wanted(condition, name, rank)
                out.append(blank.with_(composition=condition.composition, wanted=wished))
    if refused and len(wanted) == 1 and all(c.failure for c in out):
        raise refused[0]
    return out


def _name(target: Target) -> str:
    from nucleate.chem.formula import formula_text

    return "-".join(target.system) or formula_text(target.counts)


def require_target(target: Target, settings: PredictSettings) -> None:
    """Raise NucleateError for what cannot be had with these settings, as far as no model need be loaded to see it."""
    from nucleate.generators.methods import PROTOTYPE, RETRIEVAL, TEMPLATE
    from nucleate.search.names import require_elements

    named = target.system or tuple(target.counts)
    if settings.sites and set(settings.sites) != set(named):
        raise NucleateError(f"the sites are of {', '.join(settings.sites)}, and {_name(target)} has {', '.join(named)}")
    if settings.relax:
        require_elements(named, settings.relaxation.potential)
    if target.system and settings.method in (RETRIEVAL, TEMPLATE, PROTOTYPE):
        what = "known crystals" if settings.method == RETRIEVAL else "templates"
        raise NucleateError(f"{_name(target)} is a chemical system, and {what} are of a formula; give one")


def _condition(
    target: Target, settings: PredictSettings, space_group: int, stream: int, generator: StructureGenerator | None
) -> Condition:
    """What a generator is asked for: formula units by the sizes of known crystals, with a space group among those that
    it can hold."""
    from nucleate.generators import Condition
    from nucleate.generators.contract import require_accepted
    from nucleate.request.request import Request

    require_target(target, settings)
    if generator is None:
        return Condition(composition=dict(target.counts))
    wishes = Request(
        _name(target),
        1,
        composition=target.counts or None,
        chemical_system=target.system or None,
        space_groups=(space_group,) if space_group else (),
        sites=dict(settings.sites),
    )
    condition = generator.plan(wishes, stream)
    require_accepted(generator, [condition])
    return condition
