"""Which models make formulas and structures, how they draw, and which known crystals are templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from nucleate.settings.base import About, Settings

AUTO = "auto"  # in place of a name: what fits the request
LEXICON = "lexicon"  # in place of a model of formulas: the crystal families
FORMULA_MODEL = "diffusion-bert-all"  # what draws formulas where no other model is named
KNOWN = "known"  # the crystals that come with nucleate
SPOKEN = FORMULA_MODEL, "mp20-csp"  # what draws formulas, structures for plain words beyond families
Ranking = Literal["emd", "metric", "random"]
Volume = Literal["scaled", "copy"]
Seed = Annotated[int, About("Seed of all random numbers: the same seed gives the same results.")]
CrystalModel = Annotated[
    str,
    About(
        "Model that draws crystals: a shipped one, a file, or one of another package (nucleate plugins); auto: what "
        "fits the request.",
        names="weights",
        words=(AUTO,),
    ),
]


@dataclass(frozen=True)
class SamplingSettings(Settings):
    """How a model draws; what is not given is taken from the model's recipe."""

    PANEL: ClassVar[str] = "Sampling"

    steps: Annotated[
        int, Ge(0), About("Sampling steps, for samplers that have them; 0: as many as the model's recipe says.")
    ] = 0
    sampler: Annotated[
        str,
        About(
            "Sampler: for crystals ancestral, ddim, second-order or langevin; for formulas one-by-one, ancestral or "
            "ddim.",
            unset="the one of the model's recipe",
            names="samplers",
        ),
    ] = ""
    guidance: Annotated[
        float | None,
        About(
            "Scale of classifier-free guidance: the larger it is, the more closely the wishes are followed.",
            unset="the one of the model's recipe",
        ),
    ] = None
    temperature: Annotated[
        float | None,
        About(
            "Temperature at which elements are drawn: below 1 likelier ones, above 1 more variety.",
            unset="the one of the model's recipe",
        ),
    ] = None


@dataclass(frozen=True)
class TemplateSettings(Settings):
    """Known crystals as templates of formulas (`generators.template`)."""

    PANEL: ClassVar[str] = "Templates"

    library: Annotated[
        str,
        About(
            "Crystals that serve as templates: known (all that come with nucleate), a dataset (mp-20), a part of one "
            "(mp-20:train), a parquet file, or several joined by +.",
            name="templates",
            names="templates",
        ),
    ] = KNOWN
    rank_by: Annotated[
        Ranking,
        About(
            "Which templates come first: those at the least emd (element mover's distance of the formulas), at the "
            "highest metric (similarity of the structures, as a network judges by the formulas), or random ones."
        ),
    ] = "emd"
    volume: Annotated[
        Volume, About("Volume of the cell: scaled by the volumes of the atoms, or copy of the template's.")
    ] = "scaled"
    distinct: Annotated[
        bool,
        About("Use each structure type once, and not once for each of its templates.", off="repeats"),
    ] = True


@dataclass(frozen=True)
class GenerationSettings(Settings):
    """Who draws formulas and who their structures.

    Where a generator of formulas is named, or plain words ask for one, formulas come first, and `sampling.guidance` and
    `sampling.temperature` are theirs, `sampling.steps` and `sampling.sampler` those of their structures.
    """

    PANEL: ClassVar[str] = "Models"

    weights: CrystalModel = AUTO
    generator: Annotated[
        str,
        About(
            "Draw formulas first, by a model (diffusion-bert-all, other weights or a file) or from the lexicon of "
            "crystal families (lexicon).",
            unset="formulas come first only where plain words ask for it",
            names="formula_weights",
            words=(LEXICON,),
        ),
    ] = ""
    structures: Annotated[
        str,
        About(
            "What gives drawn formulas their structures: retrieval (known crystals, the most probable first), "
            "template, prototype (of their crystal family), or weights such as mp20-csp; auto: what fits the request.",
            names="weights",
            words=(AUTO, "retrieval", "template", "prototype"),
        ),
    ] = AUTO
