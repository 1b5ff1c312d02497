"""Rates of stable, unique and novel crystals. A crystal without an energy counts as unstable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import mean, rate
from nucleate.evaluate.metric import Metric, ReportSection, metric
from nucleate.evaluate.protocols import NEAR_HULL, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.evaluate.inputs import Item


@dataclass(frozen=True, eq=False)
class HullDistances:
    """Energies of n crystals, all by one method and against one reference set.

    values (n,): e_above_hull in eV/atom, nan if there is none. e_form (n,): the formation energy, likewise.
    """

    values: NDArray[np.float64]
    e_form: NDArray[np.float64]
    method: str
    reference: str

    def below(self, threshold: float, strict: bool = False) -> NDArray[np.bool_]:
        """Whether e_above_hull is at most (strict: less than) the threshold in eV/atom, (n,); false if unknown."""
        with np.errstate(invalid="ignore"):
            return self.values < threshold if strict else self.values <= threshold


def hull_distances(items: Sequence[Item]) -> HullDistances | None:
    """The energies of the items; None if no item has e_above_hull.

    Raises NucleateError if they are by different methods or against different references.
    """
    found = [item.energies["e_above_hull"] for item in items if "e_above_hull" in item.energies]
    if not found:
        return None
    kinds = sorted({(e.method, e.reference) for e in found})
    if len(kinds) > 1:
        both = " and ".join(f"'{m or 'unnamed'}' against '{r or 'unnamed'}'" for m, r in kinds[:2])
        raise NucleateError(f"the energies above the hull are by different methods ({both}); judge them apart")

    def column(name: str) -> NDArray[np.float64]:
        energies = (item.energies.get(name) for item in items)
        return np.array([e.value if e is not None and np.isfinite(e.value) else np.nan for e in energies])

    return HullDistances(column("e_above_hull"), column("e_form"), *kinds[0])


def stability_section(
    found: HullDistances, unique: NDArray[np.bool_], novel: NDArray[np.bool_], protocol: Protocol, known: str
) -> ReportSection:
    """The rates over all n crystals, as a section of the report.

    unique, novel (n,): false also for crystals that could not be compared. known: the name of the known crystals.
    """
    n = len(found.values)
    known_values = found.values[np.isfinite(found.values)]
    sign = "<" if protocol.strict else "<="

    def share(name: str, label: str, which: NDArray[np.bool_], definition: str) -> Metric:
        return metric(name, label, rate(int(which.sum()), n), definition)

    stable = found.below(protocol.stable, protocol.strict)
    loose = found.below(protocol.metastable, protocol.strict)
    new = unique & novel
    over = f"of all {n:,} crystals"
    limit, wide = f"{sign} {protocol.stable:g}", f"{sign} {protocol.metastable:g}"
    rows = [
        share("with_energy", "relaxed, with e_above_hull", np.isfinite(found.values), f"an energy was found, {over}"),
        share("on_hull", "# stable (< 0)", found.below(0.0, True), f"below the hull of known crystals, {over}"),
        share("near_hull", "# metastable (< 0.025)", found.below(NEAR_HULL, True), f"within 25 meV/atom, {over}"),
        share("stable", f"stable ({limit})", stable, f"e_above_hull {limit} eV/atom, {over}"),
        share("unique", "unique", unique, f"matches no crystal before it, {over}"),
        share("novel", "novel", novel, f"matches none of {known}, {over}"),
        share("sun", f"S.U.N. ({limit})", stable & new, f"stable, unique and novel, {over}"),
    ]
    if protocol.metastable != protocol.stable:
        rows.append(share("msun", f"M.S.U.N. ({wide})", loose & new, f"metastable, unique and novel, {over}"))
    rows.append(share("sun_on_hull", "S.U.N. (< 0)", found.below(0.0, True) & new, f"below the hull, {over}"))
    rows.append(
        metric("e_above_hull", "e_above_hull, mean", mean(known_values.tolist()), "where known", unit="eV/atom")
    )
    e_form = found.e_form[np.isfinite(found.e_form)]
    if len(e_form):
        rows.append(metric("e_form", "e_form, mean", mean(e_form.tolist()), "where known", unit="eV/atom"))
    method, reference = found.method or "a method that the file does not name", found.reference or "an unnamed hull"
    note = f"Energies: {method}; hull: {reference}. Known crystals: {known}. Failures count as unstable."
    return ReportSection(f"{protocol.name}: stability, S.U.N.", tuple(rows), note)
