"""What papers print for their models, by protocol and data set, under the names of our metrics; rates as fractions.

Rows: CDVAE (Xie 2022), DiffCSP (Jiao 2023), FlowMM (Miller 2024), UniMat (Yang 2024), Uni-3DAR (Lu 2025), MatterGen
(Zeni 2025), Crystalite (2026). Their energies are by other networks or potentials than ours.
"""

from __future__ import annotations

from collections.abc import Mapping

_NAMES = ("valid_structure", "valid_composition", "cov_recall", "cov_precision", "w_density", "w_e_form", "w_elements")


def _row(*values: float | None) -> dict[str, float]:
    named = dict(zip(_NAMES, values, strict=True))
    rates = _NAMES[:4]
    return {k: (round(v / 100, 6) if k in rates else v) for k, v in named.items() if v is not None}


PUBLISHED: Mapping[tuple[str, str], Mapping[str, Mapping[str, float]]] = {
    ("cdvae-2022", "mp-20"): {
        "CDVAE": _row(100, 86.70, 99.15, 99.49, 0.6875, 0.2778, 1.432),
        "DiffCSP": _row(100, 83.25, 99.71, 99.76, 0.3502, 0.1247, 0.3398),
        "FlowMM": _row(96.85, 83.19, 99.49, 99.58, 0.239, None, 0.083),
        "UniMat": _row(97.2, 89.4, 99.8, 99.7, 0.088, 0.034, 0.056),
        "Uni-3DAR": _row(99.89, 90.31, 99.62, 99.83, 0.477, 0.1237, 0.0694),
    },
    ("cdvae-2022", "perov-5"): {
        "CDVAE": _row(100, 98.5, 99.4, 98.4, 0.125, 0.026, 0.062),
        "UniMat": _row(100, 98.8, 99.2, 98.2, 0.076, 0.022, 0.025),
    },
    ("cdvae-2022", "carbon-24"): {
        "CDVAE": _row(100, None, 99.8, 83.0, 0.140, 0.285, None),
        "UniMat": _row(100, None, 100, 96.5, 0.013, 0.207, None),
    },
    ("crystalite-2026", "mp-20"): {
        "FlowMM": {"stable": 0.461, "sun": 0.316},
        "DiffCSP": {"stable": 0.503, "sun": 0.386},
        "MatterGen": {"stable": 0.517, "sun": 0.423},
        "Crystalite": {"stable": 0.710, "sun": 0.486},
    },
}


def published(protocol: str, dataset: str, metric: str, models: tuple[str, ...] = ()) -> dict[str, float]:
    """model -> value, of all models or of those named."""
    rows = PUBLISHED.get((protocol, dataset), {})
    return {name: row[metric] for name, row in rows.items() if metric in row and (not models or name in models)}
