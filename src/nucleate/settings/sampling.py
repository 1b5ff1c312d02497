"""Which models make formulas and structures, how they draw, and which known crystals are templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from nucleate.settings.base import About, Settings

AUTO = "auto"  # in place of a name: what fits the request
LEXICON = "lexicon"  # in place of a model of formulas: the crystal families
SPOKEN = "diffusion-bert-all", "mp20-csp"  # what draws formulas, structures for plain words beyond families
Ranking = Literal["emd", "metric", "random"]
Volume = Literal["scaled", "copy"]
Seed = Annotated[int, About("Same seed, same crystals.")]


@dataclass(frozen=True)
class SamplingSettings(Settings):
    """How a model draws; what is not given is taken from the model's recipe."""

    PANEL: ClassVar[str] = "Sampling"

    steps: Annotated[int, Ge(0), About("Sampling steps, of samplers that have them (0: the recipe's).")] = 0
    sampler: Annotated[
        str,
        About(
            "Of crystals ancestral, ddim, second-order or langevin, of formulas one-by-one, ancestral or ddim.",
            unset="the recipe's",
        ),
    ] = ""
    guidance: Annotated[
        float | None, About("Classifier-free guidance scale of the conditions.", unset="the recipe's")
    ] = None
    temperature: Annotated[
        float | None,
        About("Of the drawn elements: below 1 likely ones, above 1 more variety.", unset="the recipe's"),
    ] = None


@dataclass(frozen=True)
class TemplateSettings(Settings):
    """Known crystals as templates of formulas (`generators.template`)."""

    PANEL: ClassVar[str] = "Templates"

    library: Annotated[
        str,
        About("Known structures: a dataset, mp-20:train, a parquet file, several as a+b.", name="templates"),
    ] = "mp-20"
    rank_by: Annotated[
        Ranking, About("Templates by emd (element mover's distance), metric (a network's similarity) or random.")
    ] = "emd"
    volume: Annotated[Volume, About("scaled by atomic volumes, or copy of the template's.")] = "scaled"
    distinct: Annotated[
        bool, About("Give a structure type once, or (--repeats) for each of its templates.", off="repeats")
    ] = True


@dataclass(frozen=True)
class GenerationSettings(Settings):
    """Who draws formulas and who their structures.

    Where a generator of formulas is named, or plain words ask for one, formulas come first, and `sampling.guidance` and
    `sampling.temperature` are theirs, `sampling.steps` and `sampling.sampler` those of their structures.
    """

    PANEL: ClassVar[str] = "Models"

    weights: Annotated[str, About("Shipped model of crystals, or a file; auto: the model for the request.")] = AUTO
    generator: Annotated[
        str,
        About(
            "Draw formulas first: diffusion-bert-all, other weights or a file; lexicon (of crystal families).",
            unset="for plain words alone",
        ),
    ] = ""
    structures: Annotated[
        str,
        About(
            "Of these formulas: template, prototype (of their family), or weights such as mp20-csp; auto: for the "
            "request."
        ),
    ] = AUTO
