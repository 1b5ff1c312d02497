"""Settings of a DFT calculation, and the name of the method that follows from them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from nucleate.errors import NucleateError

MOLECULE_SMEARING = 0.01  # eV; more would mix the levels of a molecule
MOLECULE_BOX = 8.0  # angstrom
# The spacing of k-points in metals is the one of the settings times this. With the spacing for insulators magnesium
# relaxes to c/a = 1.70 instead of 1.62, and its energy comes out 7 meV/atom too low.
METAL_SPACING = 0.6


@dataclass(frozen=True)
class DFTSettings:
    """Settings of PBE calculations in plane waves.

    cutoff: of the plane waves, eV. k_spacing: largest distance between k-points, 1/angstrom with the factor 2 pi; in
    crystals of which all elements are metals it is `METAL_SPACING` times that. smearing: Fermi-Dirac width, eV;
    energies are extrapolated to zero width. fmax (eV/angstrom) and smax (eV/cubic angstrom): a relaxation is done when
    forces and stress are below them; a stress of 0.001 is 0.16 GPa, which changes the edges of a soft crystal by up to
    0.2 %. max_steps: of the relaxation. spin: "auto" (see `dft.elements`) or "off". wall_time: seconds for one crystal
    in one call, which no energy depends on.
    """

    cutoff: float = 600.0
    k_spacing: float = 0.35
    smearing: float = 0.1
    fmax: float = 0.05
    smax: float = 0.001
    max_steps: int = 60
    spin: str = "auto"
    wall_time: float = 7200.0

    def __post_init__(self) -> None:
        for name in ("cutoff", "k_spacing", "smearing", "fmax", "smax", "wall_time"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise NucleateError(f"{name} must be a positive number, not {getattr(self, name)}")
        if self.max_steps < 0:
            raise NucleateError(f"the number of relaxation steps must not be negative, not {self.max_steps}")
        if self.spin not in ("auto", "off"):
            raise NucleateError(f"spin is auto or off, not '{self.spin}'")

    @property
    def words(self) -> str:
        """The settings that energies depend on, in words, for the name of the method."""
        spin = "" if self.spin == "auto" else ", no spin"
        return f"PBE, plane waves {self.cutoff:g} eV, k-points {self.k_spacing:g}/A{spin}"

    @property
    def digest(self) -> str:
        """A hash of twelve digits of all settings that a result depends on."""
        values = {k: v for k, v in dataclasses.asdict(self).items() if k != "wall_time"}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


PRESETS: dict[str, DFTSettings] = {
    "fast": DFTSettings(cutoff=500.0, k_spacing=0.5, fmax=0.08, smax=0.003, max_steps=40),
    "standard": DFTSettings(),
    "tight": DFTSettings(cutoff=800.0, k_spacing=0.22, smearing=0.05, fmax=0.01, smax=0.0003, max_steps=120),
}


def preset_settings(name: str, wall_time: float | None = None) -> DFTSettings:
    """The settings of that name; raises NucleateError for an unknown one."""
    if name not in PRESETS:
        raise NucleateError(f"no preset '{name}'; known: {', '.join(PRESETS)}")
    return PRESETS[name] if wall_time is None else dataclasses.replace(PRESETS[name], wall_time=wall_time)


def all_metals(numbers: Iterable[int]) -> bool:
    """Whether all elements are metals; then the crystal is one, too. numbers: atomic numbers."""
    from pymatgen.core import Element

    return all(Element.from_Z(int(z)).is_metal for z in numbers)


def k_grid(cell: ArrayLike, spacing: float) -> tuple[int, int, int]:
    """Divisions of a k-point grid with Gamma whose points are at most `spacing` (1/angstrom) apart.

    cell: (3, 3), vectors in rows, angstrom. A small allowance keeps rounding from giving equivalent axes different
    numbers.
    """
    lengths = 2 * np.pi * np.linalg.norm(np.linalg.inv(np.asarray(cell, dtype=float)), axis=0)
    a, b, c = (max(1, math.ceil(x / spacing - 1e-6)) for x in lengths)
    return a, b, c


def symmetric_grid(grid: tuple[int, int, int], rotations: ArrayLike) -> tuple[int, int, int]:
    """The k-point grid with equal divisions along axes that symmetry maps to each other, as symmetric as the crystal.

    rotations: (n, 3, 3), of the space group, in fractional coordinates.
    """
    mixed = np.abs(np.asarray(rotations)).sum(axis=0) > 0
    out = list(grid)
    for _ in range(2):  # two axes may be connected by way of the third
        for a, b in ((0, 1), (0, 2), (1, 2)):
            if mixed[a, b] or mixed[b, a]:
                out[a] = out[b] = max(out[a], out[b])
    return out[0], out[1], out[2]
