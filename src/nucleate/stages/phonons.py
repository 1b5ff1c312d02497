"""Phonons by finite displacements: whether a relaxed crystal is a minimum, or would slide further down."""

from __future__ import annotations

import importlib.util
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.stage import Cost, Grain, Resource, Stage
from nucleate.pipeline.state import Phonons
from nucleate.potentials.base import Potential
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings, quietly, relax_candidate

if TYPE_CHECKING:
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Array = NDArray[np.float64]

SYMPREC = 0.01  # angstrom: only what the tight relaxation leaves of an exact symmetry
SHORTEST = 7.5  # angstrom, of an even supercell
MESH = 40.0  # angstrom: about 2 pi / 40 between the wave vectors looked at


@dataclass(frozen=True)
class PhononSettings:
    """How phonons are computed.

    potential: a name of the registry. fmax, smax, max_steps: of the relaxation that comes first, eV/angstrom and
    eV/cubic angstrom. length: shortest repeat of the supercell, angstrom, where max_atoms allow it. displacement:
    angstrom; three times what is usual, for CHGNet's slope jumps where three neighbours lie in a line (its force
    constant in simple cubic silicon is 2 eV/angstrom^2 at 0.01 and 4.6 from 0.03 on; SevenNet's is the same at both).
    limit: THz, imaginary frequencies being negative; a lowest mode below it fails.
    """

    potential: str = "chgnet"
    fmax: float = 0.005
    smax: float = 0.0005
    max_steps: int = 500
    length: float = 10.0
    max_atoms: int = 140
    displacement: float = 0.03
    limit: float = -0.3

    def __post_init__(self) -> None:
        if self.max_atoms < 1:
            raise NucleateError(f"a supercell needs at least 1 atom, not {self.max_atoms}")
        for name in ("length", "displacement"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise NucleateError(f"{name} must be a positive length in angstrom, not {getattr(self, name)}")
        if not self.limit <= 0:
            raise NucleateError(f"the limit of imaginary modes must not be above 0 THz, not {self.limit}")
        _ = self.relaxation

    @property
    def relaxation(self) -> RelaxSettings:
        return RelaxSettings(self.fmax, self.smax, self.max_steps, potential=self.potential)


class PhononStage(Stage):
    """Gives each candidate the check "phonons" and what was found as `phonons`; its structure and energies stay.

    pass: no mode below the limit. fail: one that fits the supercell is below it. unknown: says why there is no answer,
    or that frequencies are imaginary only between the wave vectors that fit the supercell, which its size may cause.
    Phonons are those of the crystal relaxed to the tight limits of the settings, in its primitive cell, with forces of
    the potential alone: the long-range part that splits longitudinal from transverse optical modes is left out, which
    does not touch the lowest modes. Picklable. Raises NucleateError at once where phonopy is missing.
    """

    name = "phonons"
    grain: Grain = "one"
    cost: Cost = "slow"
    resource: Resource = "cpu"

    def __init__(self, settings: PhononSettings | None = None) -> None:
        self.settings = settings or PhononSettings()
        get_potential(self.settings.potential)
        if importlib.util.find_spec("phonopy") is None:
            raise NucleateError("phonons need the package phonopy: pip install 'nucleate[phonons]'")

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield self._evaluate(candidate)

    def _evaluate(self, candidate: Candidate) -> Candidate:
        settings = self.settings
        record: dict[str, Any] = {"potential": settings.potential, "fmax": settings.fmax, "smax": settings.smax}
        began = time.monotonic()
        try:
            if candidate.structure is None:
                raise NucleateError("there is no structure")
            record |= lowest_mode(candidate.structure, settings)
        except NucleateError as error:
            check = Check(UNKNOWN, str(error).splitlines()[0])
        except Exception as error:  # the potential's own errors and phonopy's are of any kind
            check = Check(UNKNOWN, f"{type(error).__name__}: {error}".splitlines()[0][:200])
        else:
            check = _verdict(record, settings)
        record["seconds"] = round(time.monotonic() - began, 3)
        return candidate.with_(checks={"phonons": check}, phonons=Phonons(**record))


def _verdict(record: dict[str, Any], settings: PhononSettings) -> Check:
    low, between = record["lowest_thz"], record["lowest_interpolated_thz"]
    reason = f"lowest mode {low:+.2f} THz ({record['atoms']} atoms, {record['length']:.1f} A)"
    if low < settings.limit:
        return Check(FAIL, reason)
    if between < settings.limit:
        return Check(UNKNOWN, f"{reason}, but {between:+.2f} interpolated: a larger supercell would tell")
    return Check(PASS, reason)


def lowest_mode(structure: Structure, settings: PhononSettings) -> dict[str, Any]:
    """The lowest frequency of the relaxed crystal, in plain JSON values.

    lowest_thz: THz, negative for an imaginary one, over the wave vectors that fit the supercell, where frequencies are
    exact. q_point: where, in reciprocal vectors of the primitive cell. lowest_interpolated_thz: over a mesh, from force
    constants that the supercell cuts off. atoms, length: of the supercell, and its shortest repeat in angstrom.
    displacements: force calculations. Raises NucleateError where the crystal cannot be relaxed or is too large.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    potential = get_potential(settings.potential)
    potential.load()
    relaxed, steps = _relaxed(standard(structure)[0], settings)
    base, repeats, length = supercell(standard(relaxed), settings)
    # phonopy's Cartesian frame is that of the cell, so cell and positions alone describe the crystal
    cell = PhonopyAtoms(symbols=_symbols(base), cell=base.lattice.matrix, scaled_positions=base.frac_coords)
    with quietly():
        phonon: Any = Phonopy(cell, np.diag(repeats), primitive_matrix="auto", symprec=1e-4)
        phonon.generate_displacements(distance=settings.displacement)
        moved = [x for x in phonon.supercells_with_displacements if x is not None]
        forces = _forces([phonon.supercell, *moved], potential)
        # at rest the crystal pulls a little still; what a displacement adds is what counts
        phonon.forces = [f - forces[0] for f in forces[1:]]
        phonon.produce_force_constants(show_drift=False)
        phonon.symmetrize_force_constants(show_drift=False)  # the acoustic sum rule
        lowest, q_point = _lowest(phonon, commensurate(phonon.supercell.cell, phonon.primitive.cell))
        phonon.run_mesh(MESH, is_gamma_center=True)
        between, _ = _lowest(phonon, phonon.get_mesh_dict()["qpoints"])
    return {
        "lowest_thz": lowest,
        "q_point": tuple(round(float(x), 6) for x in q_point),
        "lowest_interpolated_thz": between,
        "atoms": len(phonon.supercell),
        "length": float(length),
        "displacements": len(moved),
        "relaxation_steps": steps,
        "residual_fmax": float(np.linalg.norm(forces[0], axis=1).max()),
    }


def _lowest(phonon: Any, q_points: Array) -> tuple[float, Array]:
    """The lowest frequency, THz, and where; the three translations at the zone's centre do not count."""
    phonon.run_qpoints(q_points)
    frequencies = np.array(phonon.get_qpoints_dict()["frequencies"])  # (wave vectors, modes)
    if not np.isfinite(frequencies).all():
        raise NucleateError("a frequency is not a number")
    for k in np.flatnonzero(np.abs(q_points - np.rint(q_points)).max(axis=1) < 1e-8):
        frequencies[k, np.argsort(np.abs(frequencies[k]))[:3]] = np.inf
    lowest = int(frequencies.min(axis=1).argmin())
    low = float(frequencies[lowest].min())
    return (low if math.isfinite(low) else 0.0), q_points[lowest]


def commensurate(supercell: Array, primitive: Array) -> Array:
    """(n, 3) wave vectors whose waves fit the supercell, in reciprocal vectors of the primitive cell, from -1/2 to 1/2.

    supercell, primitive: (3, 3), rows are vectors.
    """
    multiples = np.rint(np.asarray(supercell) @ np.linalg.inv(primitive))
    reach = np.abs(multiples).sum(axis=1).astype(int)
    waves = np.array(list(itertools.product(*(range(-n, n + 1) for n in reach))))
    inside = waves @ np.linalg.inv(multiples).T
    inside = inside[(inside > -0.5 + 1e-9).all(axis=1) & (inside < 0.5 + 1e-9).all(axis=1)]
    assert len(inside) == round(abs(np.linalg.det(multiples)))
    return inside


def _relaxed(structure: Structure, settings: PhononSettings) -> tuple[Structure, int]:
    if len(structure) > settings.max_atoms:
        raise NucleateError(f"{len(structure)} atoms in the primitive cell, at most {settings.max_atoms} are taken")
    result = relax_candidate(Candidate("phonons", structure=structure), settings.relaxation)
    if result.failure is not None or result.structure is None:
        raise NucleateError(result.failure.reason if result.failure else "no structure")
    if result.checks["relaxed"].verdict != PASS:
        raise NucleateError(f"no minimum to start from: {result.checks['relaxed'].reason}")
    return result.structure, result.relaxation.steps if result.relaxation else 0


def standard(structure: Structure) -> tuple[Structure, Structure]:
    """Primitive and conventional standard cell with exact symmetry; the structure itself twice where none is found."""
    from pymatgen.core import Lattice, Structure

    from nucleate.crystal.convert import require_crystal, species_numbers

    require_crystal(structure)
    numbers = species_numbers(structure)
    try:
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC)
    except ValueError:
        return structure, structure
    cells = (found.prim_std_cell, found.std_cell)
    primitive, conventional = (Structure(Lattice(c.basis), c.numbers, c.positions) for c in cells)
    return primitive, conventional


def supercell(bases: Sequence[Structure], settings: PhononSettings) -> tuple[Structure, tuple[int, int, int], float]:
    """Which of the cells to repeat and how often along its vectors, and the shortest repeat of that, angstrom.

    Best are even repeats, which hold the waves at the zone's boundary, where lattices like to give way: the smallest as
    long as `length`, else the longest within `max_atoms`, if as long as SHORTEST; else any longest one.
    """
    best: tuple[tuple[bool, float, int], Structure, tuple[int, int, int], float] | None = None
    for base in bases:
        cell, most = np.asarray(base.lattice.matrix), settings.max_atoms // len(base)
        long = np.linalg.norm(cell, axis=1) >= settings.length
        for a, b, c in itertools.product(range(1, most + 1), repeat=3):
            if a * b * c > most:
                continue
            repeats = (a, b, c)
            length = shortest_repeat(cell * np.array(repeats)[:, None])
            whole = length >= SHORTEST and all(
                n % 2 == 0 or (n == 1 and far) for n, far in zip(repeats, long, strict=True)
            )
            rank = (whole, round(min(length, settings.length), 3), -len(base) * a * b * c)
            if best is None or rank > best[0]:
                best = (rank, base, repeats, length)
    assert best is not None, "the primitive cell itself is within the limit"
    return best[1:]


def shortest_repeat(lattice: Array) -> float:
    """Length of the shortest lattice vector, angstrom."""
    from pymatgen.core import Lattice

    reduced = Lattice(lattice).get_lll_reduced_lattice().matrix
    steps = np.array([s for s in itertools.product((-1, 0, 1), repeat=3) if any(s)])
    return float(np.linalg.norm(steps @ reduced, axis=1).min())


def _forces(cells: Sequence[Any], potential: Potential) -> list[Array]:
    from ase import Atoms

    crystals: list[Atoms] = [
        Atoms(numbers=c.numbers, cell=c.cell, scaled_positions=c.scaled_positions, pbc=True) for c in cells
    ]
    out = []
    for start in range(0, len(crystals), potential.pool):
        out += [found.forces for found in potential.evaluate(crystals[start : start + potential.pool])]
    return out


def _symbols(structure: Structure) -> list[str]:
    return [site.specie.symbol for site in structure]
