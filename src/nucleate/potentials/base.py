"""What an interatomic potential is. Each lives in one file, which alone imports its package (`potentials.registry`)."""

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

# MPtrj (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)), which CHGNet and SevenNet-0 were fitted to, holds 89 elements:
# up to plutonium without five that the Materials Project has no calculation of.
MPTRJ = frozenset(SYMBOLS[:94]) - {"Po", "At", "Rn", "Fr", "Ra"}
ISOTOPES = frozenset({"D", "T"})  # hydrogen to every potential


@dataclass(frozen=True)
class Evaluation:
    """What a potential says of a crystal: energy of the cell, eV; forces (n, 3), eV/angstrom; stress (3, 3),
    eV/cubic angstrom, positive where the cell wants to shrink (ASE's sign)."""

    energy: float
    forces: NDArray[np.float64]
    stress: NDArray[np.float64]


class Potential(Protocol):
    """A model of energy, forces and stress.

    name: as in the registry. method: model, version and energy scale, written beside every energy; two energies may
    stand on one hull only if their methods are equal. elements: the symbols that its training data hold, which alone it
    knows; None where that cannot be told.
    """

    name: str
    method: str

    @property
    def elements(self) -> frozenset[str] | None: ...

    @property
    def pool(self) -> int:
        """Crystals that it evaluates best at once: 1 on a CPU, whose cores are better used by processes."""
        ...

    def load(self) -> None:
        """Make ready, which takes seconds; raises NucleateError if the potential cannot be had."""
        ...

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """Energy, forces and stress of all of them in one pass, periodic in all directions.

        Raises NucleateError if the potential cannot take one of them.
        """
        ...

    def energies(self, structures: Sequence[Structure], batch_size: int) -> list[float]:
        """Energy of each structure as it stands, eV/atom."""
        ...


class Describing(Potential, Protocol):
    """A potential that can also say what its network knows of a crystal, for comparisons of sets."""

    def features(self, structures: Sequence[Structure], batch_size: int) -> tuple[list[float], NDArray[np.float64]]:
        """Energies as `energies`, and (n, d) the network's features of each crystal before its last layers."""
        ...


def refusal(potential: Potential, symbols: Iterable[str]) -> str:
    """Which of these elements the potential does not know, as a sentence without its stop; "" where it knows all."""
    known = potential.elements if potential.elements is not None else frozenset(SYMBOLS)
    return stranger_text(potential.name, known, symbols)


def stranger_text(name: str, known: Collection[str], symbols: Iterable[str]) -> str:
    """The same of a potential of that name, which knows these elements."""
    strangers = sorted(set(symbols).difference(known, ISOTOPES))
    return f"{name} does not know {', '.join(strangers)}: not in its training data" if strangers else ""
