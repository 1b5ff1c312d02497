"""How structures of formulas are predicted."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Le

from nucleate.errors import NucleateError
from nucleate.settings.base import About, Settings, section
from nucleate.settings.known import KnownSettings
from nucleate.settings.relaxation import RelaxSettings
from nucleate.settings.sampling import AUTO, Seed, TemplateSettings
from nucleate.settings.search import Reference

FORMER = {
    "templates": "templates.library",
    "rank_by": "templates.rank_by",
    "volume": "templates.volume",
    "distinct": "templates.distinct",
    "potential": "relaxation.potential",
}


@dataclass(frozen=True)
class PredictSettings(Settings):
    """Settings of `nucleate.predict`; `PredictSettings.of(method="random", potential="sevennet")` takes the names of
    the command line's options. The method "adaptive" also takes a chemical system in place of a formula ("K-Cu-Si"),
    whose composition is open. `tasks.predict.METHODS` says more of the methods.

    Example:
        >>> import nucleate
        >>> nucleate.PredictSettings.of(samples=3, potential="sevennet").relaxation.potential
        'sevennet'
    """

    FORMER: ClassVar[Mapping[str, str]] = FORMER

    method: Annotated[
        str,
        About(
            "How structures are found: retrieval, template, prototype, transformer, adaptive, random, unimat or "
            "compact (these two with the package nucleate-papers), or a generator of another package (nucleate "
            "plugins); auto: adaptive for a chemical system, space groups or numbers of sites, template where "
            "something is said of templates, else retrieval."
        ),
    ] = AUTO
    samples: Annotated[int, Ge(1), About("Structures that are drawn for each formula (and each space group).")] = 5
    weights: Annotated[
        str,
        About(
            "Another model that takes a composition, in place of the one of the method.",
            unset="the one of the method",
            names="weights",
        ),
    ] = ""
    relax: Annotated[
        bool,
        About(
            "Relax the structures, keep one of those that become equal, and order them by energy; those of "
            "retrieval by their votes."
        ),
    ] = False
    until: Annotated[
        float,
        Ge(0),
        Le(1),
        About(
            "Stop with a formula as soon as its answers have together this probability; a known crystal counts as 1. "
            "Of retrieval alone; 0: as many answers as samples."
        ),
    ] = 0.0
    seconds: Annotated[
        float,
        Ge(0),
        About(
            "Stop after so many seconds, when the crystal is done that is worked on; what was not relaxed then says "
            "so. The most probable answers of all formulas are relaxed first; 0: no limit."
        ),
    ] = 0.0
    reference: Reference = "chgnet-mp"
    seed: Seed = 0
    space_groups: Annotated[
        tuple[int, ...],
        About("Numbers, 1 to 230, of the space groups that structures have at least; none given: any."),
    ] = ()
    sites: Annotated[
        Mapping[str, int], About("Element -> how many sets of symmetry-equivalent atoms it has; none given: any.")
    ] = field(default_factory=dict)
    templates: TemplateSettings = section(TemplateSettings)
    known: KnownSettings = section(KnownSettings)
    relaxation: RelaxSettings = section(RelaxSettings)

    def former(self) -> dict[str, Any] | None:
        """As the first version wrote them, None for settings that it did not have: it relaxed in one way."""
        if self.relaxation != RelaxSettings(potential=self.relaxation.potential) or self.known != KnownSettings():
            return None
        if self.until:
            return None
        inner = {"templates", "known", "relaxation", "until", "seconds"}
        own = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in inner}
        templates = {"templates" if k == "library" else k: v for k, v in dataclasses.asdict(self.templates).items()}
        return {**own, **templates, "potential": self.relaxation.potential}

    def __post_init__(self) -> None:
        super().__post_init__()
        if wrong := [n for n in self.space_groups if not 1 <= n <= 230]:
            raise NucleateError(f"space groups have numbers 1 to 230, not {wrong[0]}")
        if none := [e for e, n in self.sites.items() if n < 1]:
            raise NucleateError(f"an element has at least one site; {none[0]} was given {self.sites[none[0]]}")
