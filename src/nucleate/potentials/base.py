"""The contract of interatomic potentials. Each potential is in a file of its own, and only that file imports the
potential's package (`potentials.registry`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nucleate.chem.elements import SYMBOLS

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

# CHGNet and SevenNet-0 were fitted to MPtrj (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)). It holds 89 elements: all
# up to plutonium except five, of which the Materials Project has no calculation.
MPTRJ_ELEMENTS = frozenset(SYMBOLS[:94]) - {"Po", "At", "Rn", "Fr", "Ra"}
ISOTOPES = frozenset({"D", "T"})  # every potential treats these as hydrogen


@dataclass(frozen=True)
class Evaluation:
    """What a potential computes for a crystal of n atoms: energy of the cell, eV; forces (n, 3), eV/angstrom; stress
    (3, 3), eV/cubic angstrom, with ASE's sign: positive where the energy falls as the cell shrinks."""

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


class Potential(Protocol):
    """A model of energy, forces and stress.

    name: as in the registry. method: model, version and energy scale, written beside every energy; two energies may
    stand on one hull only if their methods are equal. elements: symbols of the elements in its training data, the only
    ones that it can judge; None where they are not known.
    """

    name: str
    method: str

    @property
    def elements(self) -> frozenset[str] | None: ...

    @property
    def pool(self) -> int:
        """How many crystals are best evaluated at once. 1 on a CPU, whose cores are better used by processes."""
        ...

    def load(self) -> None:
        """Load the model, which takes seconds; raises NucleateError if it or its package is not there."""
        ...

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """Energy, forces and stress of each crystal, in order; all cells are periodic in all directions.

        Raises NucleateError if the potential cannot take one of them.
        """
        ...

    def energies(self, structures: Sequence[Structure], batch_size: int) -> list[float]:
        """Energy of each structure as it stands, eV/atom."""
        ...


class FeaturePotential(Potential, Protocol):
    """A potential that also gives its network's features of a crystal, for comparisons of sets of crystals."""

    def features(self, structures: Sequence[Structure], batch_size: int) -> tuple[list[float], NDArray[np.float64]]:
        """Energies of n structures as `energies` gives them, eV/atom, and the features (n, d) before the last layers
        of the network."""
        ...


def unknown_elements_reason(potential: Potential, symbols: Iterable[str]) -> str:
    """A sentence, without full stop, that names those of the elements that the potential does not know; "" for none."""
    known = potential.elements if potential.elements is not None else frozenset(SYMBOLS)
    return unknown_elements_text(potential.name, known, symbols)


def unknown_elements_text(name: str, known: Collection[str], symbols: Iterable[str]) -> str:
    """As `unknown_elements_reason`, of a potential that is given by its name and the elements that it knows."""
    unknown = sorted(set(symbols).difference(known, ISOTOPES))
    return f"{name} does not know {', '.join(unknown)}: not in its training data" if unknown else ""
