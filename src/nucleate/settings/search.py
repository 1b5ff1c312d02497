"""How many candidates are tried and in which order, who judges them, and whether a language model has a say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge

from nucleate.settings.base import About, Settings
from nucleate.settings.sampling import AUTO

TREE = "Tree search"
BUDGETED = "formulas", "width", "structures_each", "seconds", "evaluations"  # settings that ask for a tree search
NONE = "none"  # in place of a name: without it
Reference = Annotated[
    str,
    About("Reference energies of known crystals, for the hull: a shipped set or a file.", names="references"),
]
Judge = Annotated[
    str,
    About(
        "Property network that predicts the wanted properties of the crystals: a shipped one or a file; auto: the one "
        "for the data that the model learned from.",
        names="property_weights",
        words=(AUTO,),
    ),
]
Known = Annotated[
    str,
    About(
        "Dataset whose crystals count as known, too, such as mp-20 or a file of your own.",
        unset="the known crystals in the package alone",
        names="datasets",
    ),
]
SecondJudge = Annotated[
    str,
    About(
        "Second potential, which judges the best crystals again: auto (SevenNet beside CHGNet, CHGNet beside any "
        "other), none, or a name as for --potential.",
        names="potentials",
        words=(AUTO, NONE),
    ),
]
SecondReference = Annotated[
    str,
    About(
        "Reference energies for the second potential; auto: the set that is shipped for it.",
        names="references",
        words=(AUTO,),
    ),
]
Phonons = Annotated[int, Ge(0), About("How many of the best crystals are tested for imaginary phonon modes.")]


@dataclass(frozen=True)
class SearchSettings(Settings):
    """How many candidates are tried; with a strategy, a tree search within a budget (`search.tree`)."""

    oversample: Annotated[
        int, Ge(1), About("Crystals that are tried for each one that is asked for; the best are kept.")
    ] = 4
    strategy: Annotated[
        Literal["", "best-first", "breadth-first", "beam"],
        About(
            "Order in which formulas are tried: best-first (also where only other settings of a tree search are "
            "given), breadth-first or beam.",
            name="search",
            panel=TREE,
            unset="no tree search, all candidates alike",
        ),
    ] = ""
    formulas: Annotated[
        int, Ge(0), About("Formulas that are proposed (H); 0: five times as many as are tried.", panel=TREE)
    ] = 0
    width: Annotated[
        int,
        Ge(0),
        About(
            "Formulas of which structures are tried (W); 0: enough for the crystals that --oversample asks for.",
            panel=TREE,
        ),
    ] = 0
    structures_each: Annotated[
        int,
        Ge(0),
        About(
            "Structures of each of these formulas (L); 0: 4, or all structure types of a crystal family.", panel=TREE
        ),
    ] = 0
    seconds: Annotated[
        float,
        Ge(0),
        About("Time of work after which the search stops; --resume goes on; 0: no limit.", "seconds", panel=TREE),
    ] = 0.0
    evaluations: Annotated[
        int,
        Ge(0),
        About("Number of structures after which the search stops; --resume goes on; 0: no limit.", panel=TREE),
    ] = 0


@dataclass(frozen=True)
class JudgingSettings(Settings):
    """What relaxed crystals are compared with, who else judges them, and by what they are ranked."""

    PANEL: ClassVar[str] = "Judging"

    reference: Reference = "chgnet-mp"
    known: Known = ""
    judge: Judge = AUTO
    second: SecondJudge = AUTO
    second_reference: SecondReference = AUTO
    phonons: Phonons = 0
    objective: Annotated[
        str,
        About(
            "Weighted sum by which crystals are ranked, the lowest first: e_above_hull=1,symmetry=0.5; the terms are "
            "e_above_hull, e_form, symmetry, properties, request and known.",
            unset="by energy above the hull",
        ),
    ] = ""


@dataclass(frozen=True)
class LanguageSettings(Settings):
    """A language model that chooses the formulas of a crystal family (`language.stage`)."""

    PANEL: ClassVar[str] = "Language model"

    address: Annotated[
        str,
        About(
            "Address of a language model that chooses the formulas of a crystal family, with the interface of OpenAI, "
            "such as http://localhost:8080/v1; its key is taken from the environment variable NUCLEATE_LLM_KEY.",
            name="llm",
            unset="no language model",
        ),
    ] = ""
    model: Annotated[
        str,
        About("Name of the language model at that address.", name="llm_model", unset="the one that the server takes"),
    ] = ""
    price: Annotated[
        str,
        About(
            "Price in US dollars for a million tokens of questions and of answers, such as 0.15,0.6; the report then "
            "says what the run cost.",
            name="llm_price",
        ),
    ] = ""
    retrieval: Annotated[
        bool, About("Give the language model what this package and Wikipedia know about what is wanted.")
    ] = True
