"""From a request to crystals in one step, by a model that draws elements, atoms and cell together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.generators.base import ASKED
from nucleate.generators.registry import GENERATORS
from nucleate.generators.without_elements import without_elements
from nucleate.search.choose_weights import generator_for, generator_record
from nucleate.search.route import Route, blanks_of

if TYPE_CHECKING:
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings


def at_once(request: Request, settings: DesignSettings) -> Route:
    """The route on which one model draws elements, atoms and cell together.

    Raises NucleateError for wishes that the model cannot honour.
    """
    from nucleate.stages.generate import GenerateStage

    wishes = [name for name in request.wishes if name != "exclude"]
    if wishes and settings.generation.weights not in GENERATORS:
        raise NucleateError(
            f"{ASKED[wishes[0]]} can be asked for only where formulas are drawn first: use design with generator "
            "diffusion-bert-all, or compose for formulas without structures"
        )
    generator = generator_for(request, settings)
    blanks = blanks_of(request, settings, generator, lambda seed: generator.plan(request, seed))
    stage = GenerateStage(without_elements(generator, request.unasked))
    return Route(blanks, [stage], generator.facts(), generator_record(generator, "model"))
