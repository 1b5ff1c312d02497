"""What one output of a DFT program says."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.dft.method import DftMethod

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

SMALLEST, LARGEST = 0.5, 1e6  # cubic angstrom for an atom, in any crystal and any box with a molecule
MAGNETIC = ("O", "Cr", "Mn", "Fe", "Co", "Ni")  # elements (oxygen as O2) whose energy without spin is far too high


@dataclass(frozen=True)
class ParsedCalculation:
    """One output of a DFT program.

    structure: the last one, to which the energy belongs. energy: eV/atom, as the program prints it, without
    corrections. steps: of the relaxation. seconds: of wall-clock time. moment: total magnetic moment, Bohr magnetons
    per cell. reason: why there is no energy, or why it is not converged; "" where all is well. remarks: what else a
    reader should know.
    """

    file: Path
    structure: Structure | None = None
    energy: float | None = None
    method: DftMethod | None = None
    converged: bool = True
    steps: int = 0
    seconds: float = 0.0
    moment: float | None = None
    reason: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def method_name(self) -> str:
        """The name of the method of the energy; "" where there is no energy.

        An energy that is not converged has a method of its own, so that no command compares it with converged ones.
        """
        if self.method is None or self.structure is None:
            return ""
        name = self.method.name(self.structure.composition.element_composition)
        return str(name if self.converged else name.remarked("not converged"))


def spin_remarks(composition: Composition) -> list[str]:
    """A remark on an element that is magnetic and was computed without spin; no remark for all else."""
    symbols = [str(e) for e in composition.element_composition]
    if len(symbols) > 1 or symbols[0] not in MAGNETIC:
        return []
    return [f"elemental {symbols[0]} is magnetic, but was computed without spin: e_form of its compounds is too low"]


def checked_finite(result: ParsedCalculation) -> ParsedCalculation:
    """The result as it is, or a failed one where a number in it is not finite or its structure cannot be a crystal."""
    from pymatgen.core import Element

    s = result.structure
    numbers = {"energy": result.energy, "time": result.seconds, "magnetic moment": result.moment}
    lost = [name for name, value in numbers.items() if value is not None and not math.isfinite(value)]
    if s is not None and not (np.isfinite(s.lattice.matrix).all() and np.isfinite(s.frac_coords).all()):
        lost.append("structure")
    if s is not None and not lost:
        if odd := sorted({site.species_string for site in s if not Element.is_valid_symbol(site.species_string)}):
            return ParsedCalculation(result.file, reason=f"no element is called {', '.join(odd)}")
        volume = abs(s.volume) / len(s)
        if not SMALLEST < volume < LARGEST:
            return ParsedCalculation(result.file, reason=f"its cell has {volume:.2g} cubic angstrom for an atom")
    if not lost:
        return result
    seconds = result.seconds if math.isfinite(result.seconds) else 0.0
    return replace(
        ParsedCalculation(result.file, reason=f"the {lost[0]} is no finite number"), steps=result.steps, seconds=seconds
    )
