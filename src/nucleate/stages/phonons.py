"""Phonons by finite displacements, which show whether a relaxed crystal is a minimum of the energy."""

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

SYMPREC = 0.01  # angstrom; a relaxation with tight limits leaves atoms nearer to exact symmetry than that
SHORTEST = 7.5  # angstrom, smallest length of a supercell with even repeats
MESH = 40.0  # angstrom; wave vectors of the mesh are about 2 pi / 40 apart


@dataclass(frozen=True)
class PhononSettings:
    """How phonons are computed.

    potential: its name in the registry. fmax (eV/angstrom), smax (eV/cubic angstrom), max_steps: limits of the
    relaxation before. length: smallest length of the supercell, angstrom, if max_atoms allows it. displacement:
    angstrom; it is three times the usual value, because the gradient of CHGNet jumps where three neighbours lie in a
    line (its force constant in simple cubic silicon is 2 eV/angstrom^2 at 0.01 and 4.6 from 0.03 on; that of SevenNet
    is the same at both). limit: THz; the check fails for a lowest frequency below it (imaginary ones are negative).
    Raises NucleateError for values out of range.
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
        """The settings of the relaxation before."""
        return RelaxSettings(self.fmax, self.smax, self.max_steps, potential=self.potential)


class PhononStage(Stage):
    """Gives each candidate the check "phonons" and its `phonons`; structure and energies stay as they are.

    The check passes if no frequency is below the limit, and fails if one of a wave vector that fits the supercell is
    below it. It is unknown, with the reason, if there is no result, or if frequencies are imaginary only between the
    wave vectors that fit the supercell, which may be caused by its size.

    Phonons are those of the crystal relaxed to the tight limits of the settings, in its primitive cell, with the forces
    of the potential. The long-range part that splits longitudinal from transverse optical modes is left out; it does
    not change the lowest modes. Raises NucleateError if phonopy is not installed.
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
        except Exception as error:  # potentials and phonopy raise errors of any kind
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
    """The lowest frequency of the crystal after relaxation, as plain JSON values with the names and units of
    `pipeline.state.Phonons`.

    At wave vectors that fit the supercell the frequencies are exact for the potential; those of the mesh are made from
    force constants that end with the supercell. Raises NucleateError if the crystal cannot be relaxed or is too large.
    """
    from phonopy import Phonopy
    from phonopy.structure.atoms import PhonopyAtoms

    potential = get_potential(settings.potential)
    potential.load()
    relaxed, steps = _relaxed(standard_cells(structure)[0], settings)
    base, repeats, length = choose_supercell(standard_cells(relaxed), settings)
    # phonopy keeps the Cartesian axes of the cell, so forces need not be rotated
    cell = PhonopyAtoms(symbols=_symbols(base), cell=base.lattice.matrix, scaled_positions=base.frac_coords)
    with quietly():
        phonon: Any = Phonopy(cell, np.diag(repeats), primitive_matrix="auto", symprec=1e-4)
        phonon.generate_displacements(distance=settings.displacement)
        moved = [x for x in phonon.supercells_with_displacements if x is not None]
        forces = _forces([phonon.supercell, *moved], potential)
        # The relaxed crystal still has small forces; only the change by a displacement counts
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
    """The lowest frequency in THz and its wave vector, of q_points (n, 3), without the three translations of the whole
    crystal at Gamma."""
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
    """The wave vectors (n, 3) of waves that fit the supercell, in reciprocal vectors of the primitive cell, with
    components above -1/2 and at most 1/2.

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


def standard_cells(structure: Structure) -> tuple[Structure, Structure]:
    """The primitive and the conventional standard cell with exact symmetry; if no symmetry is found, the structure
    itself for both. Raises NucleateError for structures that are no ordered crystal."""
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


def choose_supercell(
    bases: Sequence[Structure], settings: PhononSettings
) -> tuple[Structure, tuple[int, int, int], float]:
    """The cell to repeat (one of `bases`), the numbers of repeats along its vectors, and the shortest lattice vector of
    the supercell, angstrom.

    Even repeats are preferred, because then waves at the boundary of the Brillouin zone fit, where instabilities are
    frequent. Of supercells with even repeats and at least SHORTEST long, it is the smallest one that has `length`, or
    else the longest one within `max_atoms`. If there is none of these, it is the longest supercell.
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
            is_even = length >= SHORTEST and all(
                n % 2 == 0 or (n == 1 and far) for n, far in zip(repeats, long, strict=True)
            )
            rank = (is_even, round(min(length, settings.length), 3), -len(base) * a * b * c)
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
