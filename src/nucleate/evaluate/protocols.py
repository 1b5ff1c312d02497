"""Named, versioned protocols: frozen sets of definitions and thresholds, printed with every result.

A protocol never changes once it is released; one with another threshold gets another name. What its source does not fix
(the potential, the hull, the data) is described in its notes and in the settings of the report.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from nucleate.errors import NucleateError

VALIDITY, COVERAGE, DISTRIBUTIONS, FRECHET = "validity", "coverage", "distributions", "frechet"
NOVELTY, STABILITY, SYMMETRY = "novelty", "stability", "symmetry"


@dataclass(frozen=True)
class Protocol:
    """A named set of definitions and thresholds.

    sections: what `evaluate dng` computes under it. composition_rule: the test of compositions. ltol, stol, angle_tol:
    tolerances of StructureMatcher for uniqueness and novelty. stable, metastable: the largest e_above_hull that counts
    as such, eV/atom. strict: whether that comparison is < instead of <=. cov_cutoffs: distances of structures and of
    compositions that count as near, by data set. wasserstein_samples: how many valid crystals are drawn for the
    distances of properties; None takes all. csp: StructureMatcher's (ltol, stol, angle_tol) for structure prediction.
    csp_rows: the counts of structure prediction that the protocol reports. notes: where our counts differ.
    """

    name: str
    title: str
    source: str
    sections: tuple[str, ...] = ()
    composition_rule: str = "original"  # of `validity.composition_passes`; the original is SMACT 2.2.1's
    ltol: float = 0.2
    stol: float = 0.3
    angle_tol: float = 5.0
    stable: float = 0.0
    metastable: float = 0.1
    strict: bool = False
    cov_cutoffs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    wasserstein_samples: int | None = None
    csp: tuple[float, float, float] = (0.3, 0.5, 10.0)
    csp_rows: tuple[str, ...] = ("unfiltered",)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {k: dict(v) if isinstance(v, Mapping) else v for k, v in fields.items()}


_CDVAE_CUTOFFS = MappingProxyType(
    {"mp-20": (0.4, 10.0), "mpts-52": (0.4, 10.0), "perov-5": (0.2, 4.0), "carbon-24": (0.2, 4.0)}
)

_ALL = (
    Protocol(
        name="cdvae-2022",
        title="validity, coverage and property statistics",
        source="Xie et al., ICLR 2022 (CDVAE); as used by UniMat, DiffCSP, FlowMM; Frechet distances of adaptive cells",
        sections=(VALIDITY, COVERAGE, DISTRIBUTIONS, FRECHET, SYMMETRY),
        cov_cutoffs=_CDVAE_CUTOFFS,
        wasserstein_samples=1000,
        csp_rows=("filtered", "unfiltered"),
        notes=(
            "published figures use 10,000 generated crystals against the whole test split",
            "structural validity: the published rule does not see an atom's own periodic images; 'corrected' does, and "
            "asks for a density of 0.01 to 25 g/cm3",
            "COV: the published rule seeks the nearest structure and the nearest composition apart; 'joint' asks for "
            "one reference crystal that is near in both",
            "formation energies: the published ones are by CDVAE's own network, ours by the network named in the table",
        ),
    ),
    Protocol(
        name="mattergen-2025",
        title="stable, unique and novel crystals",
        source="Zeni et al., Nature 639, 624 (2025)",
        sections=(NOVELTY, STABILITY),
        stable=0.1,
        metastable=0.1,
        notes=(
            "published: energies by density functional theory over a hull of Materials Project and Alexandria, and a "
            "matcher that also orders disordered sites; ours: potential, hull and known crystals named in the table",
        ),
    ),
    Protocol(
        name="lemat-2025",
        title="validity, uniqueness, novelty, stability",
        source="Betala et al., LeMat-GenBench, arXiv 2512.04562 (2025)",
        sections=(VALIDITY, NOVELTY, STABILITY, SYMMETRY),
        composition_rule="icsd24",
        ltol=0.1,
        stable=0.0,
        metastable=0.1,
        notes=(
            "published: three potentials averaged, a hull of LeMat-Bulk; ours: potential and hull named in the table",
        ),
    ),
    Protocol(
        name="crystalite-2026",
        title="CDVAE statistics and stability of 10,000 crystals",
        source="as in the unconditional benchmarks of 2025 and 2026 (ADiT, CrystalDiT, Crystalite)",
        sections=(VALIDITY, COVERAGE, DISTRIBUTIONS, NOVELTY, STABILITY),
        cov_cutoffs=_CDVAE_CUTOFFS,
        stable=0.1,
        metastable=0.1,
        csp_rows=("unfiltered",),
        notes=(
            "published: 10,000 crystals, a strong potential, stable is e_above_hull <= 0.1 eV/atom",
            "property distances over all valid crystals",
        ),
    ),
    Protocol(
        name="polymorph-2026",
        title="structure prediction that keeps polymorphs apart",
        source="Martirossyan et al., arXiv 2509.12178 (2025): METRe, cRMSE; volumes and one-to-one matching are ours",
        csp_rows=("METRe", "METRe one-to-one", "with volume", "unfiltered"),
        notes=(
            "published figures are for splits in which the polymorphs of a composition stay together",
            "StructureMatcher scales volumes away; 'with volume' asks for volumes per atom within 20 % as well",
        ),
    ),
)
PROTOCOLS: Mapping[str, Protocol] = MappingProxyType({p.name: p for p in _ALL})
NEAR_HULL = 0.025  # eV/atom: "metastable" of the per-composition comparison, and of every stability table


def get_protocol(name: str) -> Protocol:
    """The protocol of that name; raises NucleateError listing the known ones."""
    if name not in PROTOCOLS:
        raise NucleateError(f"no protocol '{name}'; known are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
