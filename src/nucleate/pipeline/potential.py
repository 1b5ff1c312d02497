"""Interatomic potentials by name. Each lives in one file, which alone imports its package."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol

from nucleate.errors import NucleateError

if TYPE_CHECKING:
    import numpy as np
    from ase.calculators.calculator import Calculator
    from numpy.typing import NDArray
    from pymatgen.core import Structure


class Potential(Protocol):
    """A model of energy, forces and stress.

    name: as in the registry. method: model, version and energy scale, written beside every energy; two energies may
    stand on one hull only if their methods are equal. max_atomic_number: of the heaviest element it knows.
    """

    name: str
    method: str
    max_atomic_number: int

    def calculator(self) -> Calculator:
        """An ASE calculator with energy, forces and stress; raises NucleateError if it cannot be had."""
        ...

    def energies(self, structures: Sequence[Structure], batch_size: int) -> list[float]:
        """Energy of each structure as it stands, eV/atom."""
        ...

    def features(self, structures: Sequence[Structure], batch_size: int) -> tuple[list[float], NDArray[np.float64]]:
        """Energies as above, and (n, d) what the network knows of each crystal before its last layers."""
        ...


def _chgnet() -> Potential:
    from nucleate.pipeline.potential_chgnet import CHGNet

    return CHGNet()


POTENTIALS: dict[str, Callable[[], Potential]] = {"chgnet": _chgnet}


def get_potential(name: str) -> Potential:
    """The potential of that name; raises NucleateError listing the known ones."""
    if name not in POTENTIALS:
        raise NucleateError(f"no potential '{name}'; known: {', '.join(sorted(POTENTIALS))}")
    return POTENTIALS[name]()


@cache
def get_calculator(name: str) -> Calculator:
    """The calculator of that potential, loaded once per process."""
    return get_potential(name).calculator()
