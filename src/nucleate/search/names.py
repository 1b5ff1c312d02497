"""Names in settings that must exist: refused here, before anything that takes seconds to load is imported."""

from __future__ import annotations

from collections.abc import Iterable

from nucleate.config import CHOICES
from nucleate.errors import NucleateError


def require_names(
    *,
    weights: Iterable[str] = (),
    formula_weights: Iterable[str] = (),
    property_weights: Iterable[str] = (),
    potentials: Iterable[str] = (),
    references: Iterable[str] = (),
    datasets: Iterable[str] = (),
    sampler: str = "",
) -> None:
    """Raise NucleateError for the first name of which there is nothing, with the names there are."""
    from nucleate.data.tables import require_dataset
    from nucleate.pipeline.potential import require_potential
    from nucleate.pipeline.reference import require_reference
    from nucleate.train.shipped import PROPERTY, require_weights

    for name in weights:
        require_weights(name)
    for name in formula_weights:
        require_weights(name, "formula")
    for name in property_weights:
        require_weights(name, PROPERTY)
    for name in potentials:
        require_potential(name)
    for name in references:
        require_reference(name)
    for name in datasets:
        require_dataset(name)
    if sampler and sampler not in CHOICES["sample.sampler"]:
        raise NucleateError(f"unknown sampler '{sampler}'; known are {', '.join(CHOICES['sample.sampler'])}")
