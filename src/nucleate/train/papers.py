"""The models of the package nucleate-papers: their names, what they are for, and how the package is installed.

The package holds the models that reproduce tables of papers and that no command chooses by itself. Messages can name it
and its models without having it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nucleate.systems.base import FORMULA, PROPERTY

PACKAGE = "nucleate-papers"
SERIES = "0.1"  # the versions of both packages that belong together begin with this and a dot


@dataclass(frozen=True)
class PaperModel:
    """A model of nucleate-papers, as its weights file says.

    dataset: of its recipe, without the part of it. kind: as `ModelInfo.kind`; None for a generator of crystals.
    properties: columns that a value can be asked for of a generator, or that a property network predicts.
    """

    dataset: str
    kind: str | None = None
    properties: tuple[str, ...] = ()


OF_MP20 = "band_gap", "e_above_hull", "formation_energy_per_atom"
OF_FORMULAS = ("e_above_hull",)
# The files in packages/papers/src/nucleate_papers/weights; a test compares them. `scripts/ship.py` packs a model into
# that folder where it has a line here.
PAPERS: Mapping[str, PaperModel] = {
    "carbon24-cdi": PaperModel("carbon-24", properties=("energy_per_atom",)),
    "carbon24-cds": PaperModel("carbon-24", properties=("energy_per_atom",)),
    "carbon24-compact": PaperModel("carbon-24"),
    "carbon24-unimat": PaperModel("carbon-24"),
    "compact-csp": PaperModel("mp_2025.parquet"),
    "diffusion-bert": PaperModel("mp_2025.parquet", FORMULA, OF_FORMULAS),
    "diffusion-lm": PaperModel("mp_2025.parquet", FORMULA, OF_FORMULAS),
    "mp20-cdi": PaperModel("mp-20", properties=OF_MP20),
    "mp20-compact": PaperModel("mp-20"),
    "mp20-unimat": PaperModel("mp-20"),
    "mp20-unimat-csp": PaperModel("mp-20"),
    "perov5-cdi": PaperModel("perov-5", properties=("heat_ref",)),
    "perov5-cds": PaperModel("perov-5", properties=("heat_ref",)),
    "perov5-compact": PaperModel("perov-5"),
    "perov5-unimat": PaperModel("perov-5"),
    "property-carbon24": PaperModel("carbon-24", PROPERTY, ("energy_per_atom",)),
    "property-perov5": PaperModel("perov-5", PROPERTY, ("heat_ref", "heat_all")),
}


def how_to_install() -> str:
    """The command that installs nucleate-papers: from the checkout where nucleate runs from one, else from the package
    index."""
    source = Path(__file__).parents[3] / "packages" / "papers"
    checkout = (source / "pyproject.toml").is_file()
    return f"pip install -e {shlex.quote(str(source))}" if checkout else f"pip install {PACKAGE}"


def fits(version: str) -> bool:
    """Whether this version of nucleate-papers belongs to this version of nucleate."""
    return version.startswith(f"{SERIES}.")
