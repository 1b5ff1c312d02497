"""Universal potentials: energies, forces and stresses of crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.potentials.for_ase import PotentialCalculator, calculator
    from nucleate.potentials.registry import get_potential

__getattr__ = lazy_names(
    __name__,
    {
        "PotentialCalculator": "nucleate.potentials.for_ase",
        "calculator": "nucleate.potentials.for_ase",
        "get_potential": "nucleate.potentials.registry",
    },
)

__all__ = ["PotentialCalculator", "calculator", "get_potential"]
