"""The sections of a report on de novo generation; each metric is defined in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nucleate.evaluate.measurements import (
    DngSettings,
    MeasuredSet,
    composition_valid,
    valid_crystals,
    valid_sample,
)
from nucleate.evaluate.measures.statistics import Rate, rate
from nucleate.evaluate.metric import Metric, ReportSection, Series, metric
from nucleate.evaluate.protocols import COVERAGE, DISTRIBUTIONS, FRECHET, SYMMETRY, VALIDITY, Protocol
from nucleate.evaluate.published import published

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.evaluate.matching.unique import Twins

AGAINST_REFERENCE = (VALIDITY, COVERAGE, DISTRIBUTIONS, FRECHET, SYMMETRY)  # sections with values of real data beside


def validity(judged: MeasuredSet, other: MeasuredSet, p: Protocol, settings: DngSettings) -> list[ReportSection]:
    """Structural and compositional validity, published and corrected side by side."""
    f, n, known = judged.features, len(judged), other.crystals.dataset

    def share(name: str, label: str, which: NDArray[np.bool_], definition: str) -> Metric:
        counted = rate(int(which.sum()), n)
        return metric(name, label, counted, definition, published=published(p.name, name, known))

    near = "no two atoms nearer than 0.5 angstrom, volume >= 0.1 cubic angstrom"
    smact = "charge neutral with a cation-anion order of electronegativities; elements and alloys pass"
    if p.name == "lemat-2025":
        balanced = composition_valid(judged, "icsd24")
        apart = "no pair nearer than half of 0.7 angstrom + the sum of Slater's radii; own images are ignored"
        cell = "density, lengths and angles of the cell in range; a CIF and a space group can be written"
        rows = [
            share("valid_structure", "distances", f.lemat_distances, f"published: {apart}"),
            share("plausible", "plausible cell", f.lemat_plausible, f"published: {cell}"),
            share("valid_composition", "charge neutral (SMACT icsd24)", balanced, smact),
            share("valid", "all three", f.lemat_distances & f.lemat_plausible & balanced, "all of the above"),
            share("valid_structure_corrected", "structure, corrected", f.valid_corrected, f"{near}, self-images too"),
        ]
        note = "Published charge neutrality asks for bond valences or known states as well; here it is SMACT's rule."
        return [ReportSection(f"{p.name}: validity", tuple(rows), note)]
    original = composition_valid(judged, "original")
    rows = [
        share("valid_structure", "structure", f.valid, f"published: {near}; an atom's own images are ignored"),
        share("valid_structure_corrected", "structure, corrected", f.valid_corrected, f"{near}, self-images, density"),
        share("valid_composition", "composition", original, f"published, with SMACT's states of 2014: {smact}"),
        share(
            "valid_composition_smact",
            "composition, SMACT today (icsd24)",
            composition_valid(judged, "icsd24"),
            f"SMACT's default rule: {smact}",
        ),
        share(
            "valid",
            "both",
            valid_crystals(judged),
            "structure and composition as published, with a CrystalNN fingerprint",
        ),
        share("fingerprint", "CrystalNN fingerprint", f.has_fingerprint, "the fingerprint can be computed"),
    ]
    note = "Over all crystals: what cannot be read, judged or finished in time counts as invalid."
    return [ReportSection(f"{p.name}: validity", tuple(rows), note)]


def coverage_of(judged: MeasuredSet, other: MeasuredSet, p: Protocol, settings: DngSettings) -> list[ReportSection]:
    """COV-R and COV-P: independent minima as published, and joint."""
    from nucleate.evaluate.measures.coverage import Fingerprints, coverage

    dataset = other.crystals.dataset
    structure_cutoff, composition_cutoff = p.cov_cutoffs.get(dataset, p.cov_cutoffs["mp-20"])

    def prints(j: MeasuredSet) -> Fingerprints:
        good = j.features.has_fingerprint & np.isfinite(j.composition).all(1)
        return Fingerprints(j.features.fingerprint[good], j.composition[good])

    mine, theirs = prints(judged), prints(other)
    if not len(mine.structure) or not len(theirs.structure):
        return [ReportSection(f"{p.name}: coverage", (), "No crystal has both fingerprints: nothing to compare.")]
    found = coverage(mine, theirs, structure_cutoff, composition_cutoff, len(judged))

    def share(name: str, label: str, counted: Rate, definition: str) -> Metric:
        return metric(name, label, counted, definition, published=published(p.name, name, dataset))

    apart = "nearest structure and nearest composition sought apart, both within the cut-offs"
    joint = "one and the same crystal within both cut-offs"
    rows = (
        share("cov_recall", "COV-R", found.recall, f"share of the reference covered: {apart}"),
        share("cov_recall_joint", "COV-R, joint", found.recall_joint, f"share of the reference covered: {joint}"),
        share("cov_precision", "COV-P", found.precision, f"share of all generated near the reference: {apart}"),
        share("cov_precision_joint", "COV-P, joint", found.precision_joint, f"share near the reference: {joint}"),
    )
    note = f"Cut-offs: CrystalNN {structure_cutoff:g}, Magpie (normalised) {composition_cutoff:g}"
    note += "." if dataset in p.cov_cutoffs else f"; none are published for {other.crystals.name}: those of MP-20."
    note += f" {len(mine.structure):,} of {len(judged):,} crystals have both fingerprints; the others count as misses."
    return [ReportSection(f"{p.name}: coverage", rows, note)]


def distributions(judged: MeasuredSet, other: MeasuredSet, p: Protocol, settings: DngSettings) -> list[ReportSection]:
    """Wasserstein distances of density, number of elements and formation energy."""
    from nucleate.evaluate.measures.distributions import distance_interval, wasserstein

    dataset, f, g = other.crystals.dataset, judged.features, other.features
    reference = np.flatnonzero(g.has)
    size = p.wasserstein_samples or len(judged)
    sample = valid_sample(judged, size, settings.seed)
    everything = np.flatnonzero(f.has)
    if not len(sample) or not len(reference):
        return [ReportSection(f"{p.name}: property distributions", (), "There is no valid crystal to compare.")]

    def distance(name: str, label: str, mine: NDArray, theirs: NDArray, definition: str, unit: str = "") -> Metric:
        counted = distance_interval(wasserstein, mine, theirs, seed=settings.seed)
        known = published(p.name, name, dataset)
        return metric(name, label, counted, f"Wasserstein distance: {definition}", unit=unit, published=known)

    what = f"{len(sample):,} valid crystals"
    cubic = "g/cm3"
    rows = [
        distance("w_density", "density", f.density[sample], g.density[reference], what, cubic),
        distance("w_elements", "number of elements", f.num_elements[sample], g.num_elements[reference], what),
    ]
    if judged.energies is not None and other.energies is not None and judged.energies.known.any():
        mine, theirs = (e.e_form[e.known] for e in (judged.energies, other.energies))
        text = f"{len(mine):,} valid crystals as they stand, {judged.energies.method}"
        rows.insert(2, distance("w_e_form", judged.energies.quantity, mine, theirs, text, "eV/atom"))
    if p.wasserstein_samples is not None:
        text = "all crystals, valid or not"
        rows += [
            distance("w_density_all", "density, all", f.density[everything], g.density[reference], text, cubic),
            distance(
                "w_elements_all", "number of elements, all", f.num_elements[everything], g.num_elements[reference], text
            ),
        ]
    note = f"Samples drawn with seed {settings.seed}, against all {len(reference):,} crystals of the reference."
    if judged.energies is not None:
        zero = f", elements of {judged.energies.reference}" if judged.energies.reference else ""
        note += f" Energies: {judged.energies.method}{zero}, both sides unrelaxed. {judged.energies.caution}".rstrip()
    return [ReportSection(f"{p.name}: property distributions (Wasserstein)", tuple(rows), note)]


def frechet_of(judged: MeasuredSet, other: MeasuredSet, p: Protocol, settings: DngSettings) -> list[ReportSection]:
    """Frechet distances on CrystalNN fingerprints and on the features of a trained network."""
    from nucleate.evaluate.measures.distributions import distance_interval, frechet

    rows = []
    mine, theirs = (j.features.fingerprint[j.features.has_fingerprint] for j in (judged, other))
    if min(len(mine), len(theirs)) > 1:
        counted = distance_interval(frechet, mine, theirs, resamples=50, seed=settings.seed)
        rows.append(metric("frechet_crystalnn", "FD CrystalNN", counted, "Frechet distance of CrystalNN fingerprints"))
    a, b = judged.energies, other.energies
    if a is not None and b is not None and min(a.known.sum(), b.known.sum()) > 1:
        counted = distance_interval(frechet, a.features[a.known], b.features[b.known], resamples=50, seed=settings.seed)
        text = f"Frechet distance of the crystal features of {a.method}"
        rows.append(metric("frechet_network", "FD network", counted, text))
    note = "Squared Frechet distances of normal distributions (FID); they shrink with the size of the sample."
    if a is not None:
        note += f" Network: {a.method}, features {a.layer}; {len(a.known):,} valid crystals."
    return [ReportSection(f"{p.name}: Frechet distances", tuple(rows), note if rows else "Too few crystals.")]


def symmetry(judged: MeasuredSet, other: MeasuredSet, p: Protocol, settings: DngSettings) -> list[ReportSection]:
    """Space groups and crystal systems against the reference."""
    from nucleate.evaluate.measures.distributions import (
        crystal_system_counts,
        distance_interval,
        jensen_shannon,
        space_group_counts,
    )

    mine, theirs = (j.features.space_group[j.features.has] for j in (judged, other))
    if not len(mine) or not len(theirs):
        return [ReportSection(f"{p.name}: symmetry", (), "No crystal.")]

    def groups(x: NDArray, y: NDArray) -> float:
        return jensen_shannon(space_group_counts(x), space_group_counts(y))

    def systems(x: NDArray, y: NDArray) -> float:
        return jensen_shannon(crystal_system_counts(x), crystal_system_counts(y))

    n = len(judged)
    rows = (
        metric(
            "js_space_groups",
            "space groups, JS distance",
            distance_interval(groups, mine, theirs, seed=settings.seed),
            "Jensen-Shannon distance (base 2, 0 to 1) of the shares of the 230 space groups",
        ),
        metric(
            "js_crystal_systems",
            "crystal systems, JS distance",
            distance_interval(systems, mine, theirs, seed=settings.seed),
            "Jensen-Shannon distance (base 2, 0 to 1) of the shares of the seven crystal systems",
        ),
        metric("p1", "P1", rate(int((mine == 1).sum()), n), "space group P1, of all crystals"),
        metric("no_group", "no space group found", rate(int((mine == 0).sum()), n), "the symmetry search fails"),
    )
    return [
        ReportSection(f"{p.name}: symmetry", rows, "Space groups by moyopy, symprec 0.1 angstrom, crystals unrelaxed.")
    ]


def passed(twins: Twins, structures: Sequence[Structure | None]) -> NDArray[np.bool_]:
    """Which crystals (n,) were compared and match none of the others."""
    return np.array(
        [t is None and i not in twins.reasons and structures[i] is not None for i, t in enumerate(twins.twin)]
    )


def novelty(unique: NDArray[np.bool_], novel: NDArray[np.bool_], p: Protocol, known: str) -> ReportSection:
    """Uniqueness and novelty of the crystals as given."""
    n = len(unique)
    rows = (
        metric("unique", "unique", rate(int(unique.sum()), n), "matches no crystal before it, of all crystals"),
        metric("novel", "novel", rate(int(novel.sum()), n), f"matches no crystal of {known}, of all crystals"),
        metric("unique_novel", "unique and novel", rate(int((unique & novel).sum()), n), "both, of all crystals"),
    )
    matcher = f"StructureMatcher ltol {p.ltol:g}, stol {p.stol:g}, angle_tol {p.angle_tol:g}, volumes scaled away"
    return ReportSection(f"{p.name}: uniqueness, novelty (as given)", rows, f"{matcher}. Known crystals: {known}.")


def no_stability(p: Protocol) -> ReportSection:
    """The section that takes the place of stability where no crystal has an energy."""
    note = (
        "Not judged: no crystal has an e_above_hull. Relax them here (--relax N), or give a file that has the column "
        "(--e-above-hull COLUMN)."
    )
    return ReportSection(f"{p.name}: stability, S.U.N.", (), note)


def failures(judged: MeasuredSet) -> list[tuple[str, str, str]]:
    """(name, stage, reason) of every crystal that could not be judged in full."""
    out = [(item.name, "read", item.reason) for item in judged.crystals.items if item.structure is None]
    for i, reasons in judged.features.reasons.items():
        out += [(judged.crystals.items[i].name, stage, reason) for stage, reason in reasons]
    if judged.energies is not None:
        names = [judged.crystals.items[i].name for i in judged.sample]
        out += [(names[i], "energy", reason) for i, reason in judged.energies.reasons.items()]
    return out


def series(judged: MeasuredSet, other: MeasuredSet) -> list[Series]:
    """The values that the charts of the page show, of the crystals and of the reference."""
    f, g = judged.features, other.features
    label, base = judged.crystals.name, other.crystals.name
    out = [Series("Density", "g/cm3", {label: f.density[f.has].tolist(), base: g.density[g.has].tolist()})]
    if judged.energies is not None and other.energies is not None:
        values = {label: judged.energies.e_form[judged.energies.known].tolist()}
        values[base] = other.energies.e_form[other.energies.known].tolist()
        title = f"{judged.energies.quantity.capitalize()} ({judged.energies.method})"
        out.append(Series(title, "eV/atom", values))
    counts: Callable[[NDArray[np.int64]], Mapping[str, float]] = _shares
    out.append(
        Series(
            "Elements in the formula",
            "elements",
            bars={label: counts(f.num_elements[f.has]), base: counts(g.num_elements[g.has])},
        )
    )
    out.append(
        Series("Atoms in the cell", "atoms", bars={label: counts(f.num_atoms[f.has]), base: counts(g.num_atoms[g.has])})
    )
    systems = {key: _systems(x.space_group[x.has]) for key, x in ((label, f), (base, g))}
    out.append(Series("Crystal systems", "share", bars=systems))
    return out


def _shares(values: NDArray[np.int64]) -> dict[str, float]:
    found, counts = np.unique(values, return_counts=True)
    return {str(v): float(c / len(values)) for v, c in zip(found, counts, strict=True)}


def _systems(space_groups: NDArray[np.int64]) -> dict[str, float]:
    from nucleate.evaluate.measures.distributions import CRYSTAL_SYSTEMS, crystal_system_counts

    counts = crystal_system_counts(space_groups)
    return dict(zip(CRYSTAL_SYSTEMS, (counts / max(counts.sum(), 1)).tolist(), strict=True))
