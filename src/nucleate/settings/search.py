"""How many candidates are tried and in which order, who judges them, and whether a language model has a say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from nucleate.settings.base import About, Settings

TREE = "Tree search"
BUDGETED = "formulas", "width", "structures_each", "seconds", "evaluations"  # settings that ask for a tree search
NONE = "none"  # in place of a name: without it
Reference = Annotated[str, About("Reference energies of known crystals: a shipped set or a file.")]
Judge = Annotated[
    str,
    About("Property network that predicts what is wanted: shipped name or file; auto: for the data of the model."),
]


@dataclass(frozen=True)
class SearchSettings(Settings):
    """How many candidates are tried; with a strategy, a tree search within a budget (`search.tree`)."""

    oversample: Annotated[int, Ge(1), About("Crystals tried for each one asked for; the best are kept.")] = 4
    strategy: Annotated[
        Literal["", "best-first", "breadth-first", "beam"],
        About(
            "best-first (taken where another option of this panel is given), breadth-first or beam.",
            name="search",
            panel=TREE,
            unset="all candidates alike",
        ),
    ] = ""
    formulas: Annotated[int, Ge(0), About("H: formulas proposed (0: 5 W).", panel=TREE)] = 0
    width: Annotated[int, Ge(0), About("W: formulas opened (0: as --oversample has it).", panel=TREE)] = 0
    structures_each: Annotated[
        int, Ge(0), About("L: structures of each (0: 4, or all types of a family).", panel=TREE)
    ] = 0
    seconds: Annotated[
        float, Ge(0), About("Stop after so much work (0: at the end); --resume goes on.", "seconds", panel=TREE)
    ] = 0.0
    evaluations: Annotated[
        int, Ge(0), About("Stop after so many structures (0: at the end); --resume goes on.", panel=TREE)
    ] = 0


@dataclass(frozen=True)
class JudgingSettings(Settings):
    """What relaxed crystals are compared with, who else judges them, and by what they are ranked."""

    PANEL: ClassVar[str] = "Judging"

    reference: Reference = "chgnet-mp"
    known: Annotated[
        str,
        About("Dataset to whose structures new ones are compared, e.g. mp-20.", unset="the embedded index alone"),
    ] = ""
    judge: Judge = "auto"
    second: Annotated[
        str,
        About("Second potential, which judges the best again: auto (SevenNet beside CHGNet), none, or as --potential."),
    ] = "auto"
    second_reference: Annotated[str, About("Its reference energies (auto: the shipped set).")] = "auto"
    phonons: Annotated[int, Ge(0), About("Test so many of the best for imaginary modes.")] = 0
    objective: Annotated[
        str,
        About(
            "Rank by a weighted sum, least first: e_above_hull=1,symmetry=0.5; also e_form, properties, request, known."
        ),
    ] = ""


@dataclass(frozen=True)
class LanguageSettings(Settings):
    """A language model that chooses the formulas of a crystal family (`language.stage`)."""

    PANEL: ClassVar[str] = "Language model"

    address: Annotated[
        str,
        About(
            "Language model that chooses the formulas of a crystal family: an OpenAI-compatible address, such as "
            "http://localhost:8080/v1 (key: NUCLEATE_LLM_KEY).",
            name="llm",
        ),
    ] = ""
    model: Annotated[str, About("Its name at that address.", name="llm_model")] = ""
    price: Annotated[
        str,
        About("US dollars per million tokens of questions and of answers, 0.15,0.6: for the record.", name="llm_price"),
    ] = ""
    retrieval: Annotated[bool, About("Give it what the install and Wikipedia know of what is wanted.")] = True
