"""Crystal structure prediction from templates, as in Dong et al. 2023 (arXiv 2310.00475, sections 2.3 and 3.3).

Known structures with the same ratio of atoms, the templates, get other elements. They are ranked by the element mover's
distance of the formulas (section 3.3 of that paper), by the similarity that a network predicts from descriptors of the
formulas (CSPML; Kusaba et al., Comput. Mater. Sci. 211, 111496 (2022)), or at random.
"""

from __future__ import annotations

import copy
import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.chem.distance import cumulative_profiles, on_scale, profile_distances
from nucleate.chem.elements import atomic_number
from nucleate.chem.formula import formula_text
from nucleate.crystal.prototype import Prototype, same_prototype
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.rankings import require_ranking
from nucleate.generators.substitute import (
    assign_elements,
    supercell_of,
    volume_ratio,
    with_elements_replaced,
    with_volume_scaled,
)
from nucleate.generators.template_library import Counts, TemplateLibrary, Templates, count_ratio, load_template_library
from nucleate.settings.sampling import KNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.library.library import Library
    from nucleate.train.similarity import SimilarityModel

DRAWN = 5  # number of best templates of which a seed of `generate` chooses one


@dataclass(frozen=True, eq=False)
class TemplatePrediction:
    """A structure for a formula, and the template that it comes from.

    template: id of the template. distance: element mover's distance of the formulas, in steps on the modified Pettifor
    scale (nan for elements that are not on it). similarity: by the network, 0 to 1, None without one; 1 for templates
    of the formula itself. substitution: element of the template -> new element. volume: ratio of the cell's volume to
    the template's, 1 if it is copied. space_group: number of that of the template. note: any other remark.
    """

    structure: Structure
    template: str
    template_formula: str
    distance: float
    similarity: float | None
    substitution: Mapping[str, str]
    volume: float
    space_group: int
    note: str = ""


@dataclass(frozen=True, eq=False)
class FormulaPredictions:
    """The predictions for one formula, best first. reason: why there are none or too few, "" otherwise."""

    formula: str
    predictions: tuple[TemplatePrediction, ...]
    reason: str = ""


class TemplateGenerator(BaseGenerator["Structure"]):
    """Predicts structures from templates.

    ranking, volume: one of those in `rankings`; the ranking "metric" needs a `model`. distinct: whether templates of
    the same structure type count as one, so that only the best of them is used. exclude: ids of templates that are not
    used. own: whether known crystals of the wanted formula itself are used. seed: of the ranking "random".
    """

    def __init__(
        self,
        templates: Templates,
        ranking: str = "emd",
        *,
        model: SimilarityModel | None = None,
        volume: str = "scaled",
        distinct: bool = True,
        exclude: Collection[str] = (),
        own: bool = True,
        seed: int = 0,
    ) -> None:
        require_ranking(ranking, volume)
        if ranking == "metric" and model is None:
            raise NucleateError("the ranking 'metric' needs a similarity network; give one, or rank by emd")
        self.templates, self.ranking, self.model, self.volume = templates, ranking, model, volume
        self.distinct, self.own, self.seed = distinct, own, seed
        self.name = f"template-{ranking}"
        self._excluded = frozenset(exclude)

    needs = ("composition",)

    @property
    def uses_library(self) -> bool:
        """Whether its templates are known crystals, and not those of data sets alone."""
        return not isinstance(self.templates, TemplateLibrary)

    def with_library(self, library: Library) -> TemplateGenerator:
        out = copy.copy(self)
        out.templates = self.templates.with_library(library)
        return out

    def facts(self) -> dict[str, Any]:
        """What the templates are, and how many."""
        return {"dataset": self.templates.name, "templates": len(self.templates)}

    def predict(self, composition: Mapping[str, float], k: int = 5) -> tuple[TemplatePrediction, ...]:
        """Up to k predictions for a formula (element -> atoms, of any multiple), best first. Raises NucleateError if
        there is no template."""
        found = self.predict_many([composition], k)[0]
        if not found.predictions:
            raise NucleateError(found.reason)
        return found.predictions

    def predict_many(
        self, compositions: Sequence[Mapping[str, float]], k: int = 5, progress: Progress | None = None
    ) -> list[FormulaPredictions]:
        """Up to k predictions for each formula, in their order. A formula's predictions do not depend on the others. If
        it has none, `reason` says why. Raises NucleateError for compositions that are no formulas."""
        if k < 1:
            raise NucleateError(f"the number of templates must be at least 1, not {k}")
        queries = [_query(c) for c in compositions]
        out: dict[Counts, FormulaPredictions] = {}
        groups: dict[tuple[int, ...], list[Counts]] = {}
        for query in dict.fromkeys(queries):
            groups.setdefault(count_ratio(query), []).append(query)
        done = 0
        for key, same_ratio in groups.items():
            rows = self._candidates(key)
            for query, order in zip(same_ratio, self._ranked(same_ratio, rows), strict=True):
                out[query] = self._choose(query, order, k)
                done += 1
                if progress is not None:
                    progress(done, len(set(queries)))
        return [out[q] for q in queries]

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed. The seed chooses one of the DRAWN best templates from whose cells
        a cell of the composition can be made. Raises NucleateError if there is none."""
        out = []
        for i, (condition, seed) in enumerate(zip(conditions, seeds, strict=True)):
            out.append(self._generate(condition, seed))
            if progress is not None:
                progress(i + 1, len(conditions))
        return out

    def _generate(self, condition: Condition, seed: int) -> Structure:
        composition = condition.composition or {}
        query = _query(composition)
        units = sum(composition.values()) // sum(n for _, n in query)
        order = self._ranked([query], self._candidates(count_ratio(query)))[0]
        fits = np.array([units % self.templates.units(int(row)) == 0 for row in order.rows], dtype=bool)
        found = self._choose(query, order.only(fits), DRAWN)
        if not found.predictions:
            why = order.reason or f"no template of the ratio {_ratio_text(query)} fits into {units} formula units"
            raise NucleateError(why if len(order.rows) else found.reason)
        chosen = found.predictions[int(np.random.default_rng(seed).integers(len(found.predictions)))].structure
        return supercell_of(chosen, sum(composition.values()) // len(chosen))

    def _candidates(self, key: tuple[int, ...]) -> NDArray[np.int64]:
        rows = self.templates.of_ratio(key)
        if not self._excluded:
            return rows
        return rows[np.array([self.templates.id(row) not in self._excluded for row in rows.tolist()], dtype=bool)]

    def _ranked(self, queries: Sequence[Counts], rows: NDArray[np.int64]) -> list[_Order]:
        """The templates in order, best first, for each query of one ratio; of equal ones the more stable is first."""
        wanted = self.model is not None or not self.own
        formulas = [self.templates.formula(row) for row in rows.tolist()] if wanted else []
        emd = profile_distances(cumulative_profiles([dict(q) for q in queries]), self.templates.profiles(rows))
        similarity = None
        if self.model is not None and len(rows):
            kinds = {f: i for i, f in enumerate(dict.fromkeys(formulas))}
            each = self.model.similarities([dict(q) for q in queries], [dict(f) for f in kinds])
            similarity = each[:, [kinds[f] for f in formulas]]
            for i, query in enumerate(queries):  # a known crystal of the formula itself has the similarity 1
                similarity[i, [f == query for f in formulas]] = 1.0
        out = []
        for i, query in enumerate(queries):
            reason = self._unrankable(query)
            if self.ranking == "random":
                order = np.random.default_rng([self.seed, zlib.crc32(repr(query).encode())]).permutation(len(rows))
            elif self.ranking == "metric" and similarity is not None:
                order = np.argsort(-similarity[i], kind="stable")
            else:
                order = np.argsort(emd[i], kind="stable")
            if reason:
                order = order[:0]
            elif not self.own:
                order = order[np.array([formulas[j] != query for j in order.tolist()], dtype=bool)]
            chosen = similarity[i][order] if similarity is not None else None
            out.append(_Order(rows[order], emd[i][order], chosen, reason))
        return out

    def _unrankable(self, query: Counts) -> str:
        """Why templates cannot be ranked for a formula, or ""."""
        if self.ranking == "emd" and not on_scale(dict(query)):
            return f"{formula_text(dict(query))} has an element without a place on the modified Pettifor scale"
        if self.ranking == "metric" and self.model is not None and (unknown := self.model.unknown(dict(query))):
            return f"the similarity network has no features of {', '.join(unknown)}; rank by emd"
        return ""

    def _choose(self, query: Counts, order: _Order, k: int) -> FormulaPredictions:
        """The first k templates of the order, of different structure types if `distinct`."""
        kinds: list[tuple[Prototype, dict[int, int]]] = []
        out: list[TemplatePrediction] = []
        for index, row in enumerate(order.rows.tolist()):
            substitution = assign_elements(self.templates.formula(row), query)
            if self.distinct:
                kind = self.templates.prototype(row)
                roles = {atomic_number(a): atomic_number(b) for a, b in substitution.items()}
                if any(same_prototype(kind, other, _composed(roles, theirs)) for other, theirs in kinds):
                    continue
                kinds.append((kind, {b: a for a, b in roles.items()}))
            out.append(self._predict(row, substitution, order, index))
            if len(out) == k:
                break
        return FormulaPredictions(formula_text(dict(query)), tuple(out), self._why(query, order, len(out), k))

    def _predict(self, row: int, substitution: Mapping[str, str], order: _Order, index: int) -> TemplatePrediction:
        templates, formula = self.templates, self.templates.formula(row)
        structure, volume, note = with_elements_replaced(templates.structure(row), substitution), 1.0, ""
        if self.volume == "scaled":
            found = volume_ratio(formula, substitution, templates.atomic_volumes)
            if found is None:
                note = "volume copied: an element has no atomic volume in the templates"
            else:
                structure, volume = with_volume_scaled(structure, found), found
        return TemplatePrediction(
            structure,
            templates.id(row),
            formula_text(dict(formula)),
            float(order.distances[index]),
            float(order.similarities[index]) if order.similarities is not None else None,
            dict(substitution),
            volume,
            templates.prototype(row).space_group,
            note,
        )

    def _why(self, query: Counts, order: _Order, found: int, k: int) -> str:
        if order.reason or found == k:
            return order.reason
        if not found:
            other = "" if self.own else " and another formula"
            return f"the {self.templates.name} have no structure of the ratio {_ratio_text(query)}{other}"
        kinds = "structure types" if self.distinct else "structures"
        return f"the {self.templates.name} have {found} {kinds} of the ratio {_ratio_text(query)}"


def load_templates(
    library: str = KNOWN, ranking: str = "emd", *, known: Library | None = None, **options: Any
) -> TemplateGenerator:
    """A generator with templates (`template_library.load_template_library`), and the shipped network for "metric".

    options: of `TemplateGenerator`. Raises NucleateError for templates or a ranking that do not exist.
    """
    model = None
    if ranking == "metric":
        from nucleate.train.similarity import load_similarity

        model = load_similarity()
    return TemplateGenerator(load_template_library(library, known), ranking, model=model, **options)


@dataclass(frozen=True, eq=False)
class _Order:
    """Rows of templates, best first, with their distances and similarities. reason: why they cannot be ranked, or
    ""."""

    rows: NDArray[np.int64]
    distances: NDArray[np.float64]
    similarities: NDArray[np.float64] | None
    reason: str

    def only(self, mask: NDArray[np.bool_]) -> _Order:
        similarities = self.similarities[mask] if self.similarities is not None else None
        return _Order(self.rows[mask], self.distances[mask], similarities, self.reason)


@lru_cache(maxsize=65_536)
def _cached(items: tuple[tuple[str, float], ...]) -> Counts:
    return Formula.of_amounts(dict(items))


def _query(composition: Mapping[str, float]) -> Counts:
    """The reduced formula of a composition; raises NucleateError for one that is no formula."""
    for name, amount in composition.items():
        atomic_number(name)
        if not 0 < amount < np.inf:
            raise NucleateError(f"the amount of {name} is {amount}; it must be a positive number")
    if not composition:
        raise NucleateError("the formula is empty")
    counts = _cached(tuple(composition.items()))
    if len(counts) < len(composition):
        raise NucleateError(f"the amounts of {dict(composition)} have no common measure; give whole numbers")
    return counts


def _composed(roles: Mapping[int, int], back: Mapping[int, int]) -> dict[int, int]:
    """Element of one template -> the element of another one that the same element of the query replaces."""
    return {a: back[b] for a, b in roles.items()}


def _ratio_text(query: Counts) -> str:
    """The ratio as messages name it: "1:1:3 of SrTiO3"."""
    return f"{':'.join(str(n) for n in count_ratio(query))} of {formula_text(dict(query))}"
