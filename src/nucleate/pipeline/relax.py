"""Relaxation of cell and positions with an interatomic potential, through ASE's interface."""

from __future__ import annotations

import contextlib
import math
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check, Energy
from nucleate.pipeline.check import check_geometry
from nucleate.pipeline.potential import get_calculator, get_potential

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

OPTIMISERS = ("bfgs", "fire")

# The explosion guard. Real crystals are far inside (MP-20: at least 0.74 angstrom, 5.7 cubic angstrom per atom, at
# most about 10 eV/atom of binding); outside, a potential extrapolates and its neighbour lists may grow without bound.
MIN_DISTANCE = 0.4  # angstrom
MAX_VOLUME_FACTOR = 5.0  # up or down, from the first cell
MAX_FIRST_FORCE = 1000.0  # eV/angstrom
MIN_ENERGY = -15.0  # eV/atom
# CHGNet has false minima where atoms overlap (Os-As converged at 1.05 angstrom, 0.37 of the covalent radii): a relaxed
# contact below this ratio is a collapse. Real crystals have at least 0.65.
MIN_RELAXED_CONTACT = 0.5


@dataclass(frozen=True)
class RelaxSettings:
    """When a relaxation is done.

    fmax: largest force on an atom, eV/angstrom. smax: largest stress component, eV/cubic angstrom (0.003 is 0.5 GPa;
    only if the cell relaxes). max_steps: optimiser steps. cell: relax the cell as well. optimiser: "bfgs" (cell-aware,
    ASE's CellAwareBFGS: half the steps of FIRE on perturbed crystals) or "fire". time_limit_s: per crystal.
    potential: a name of the registry in `pipeline.potential`.
    """

    fmax: float = 0.05
    smax: float = 0.003
    max_steps: int = 300
    cell: bool = True
    optimiser: str = "bfgs"
    time_limit_s: float | None = None
    potential: str = "chgnet"

    def __post_init__(self) -> None:
        for name in ("fmax", "smax"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise NucleateError(f"{name} must be a positive number, not {getattr(self, name)}")
        if self.max_steps < 0:
            raise NucleateError(f"the number of relaxation steps must not be negative, not {self.max_steps}")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise NucleateError(f"the time limit must be positive, not {self.time_limit_s}")
        if self.optimiser not in OPTIMISERS:
            raise NucleateError(f"no optimiser '{self.optimiser}'; known: {', '.join(OPTIMISERS)}")


class RelaxStage:
    """Relaxes each candidate's structure and gives it "energy" (eV/atom), check "relaxed", provenance "relax".

    The geometry checks are renewed for the relaxed structure. A blow-up, a collapse or a structure that the potential
    cannot take is a recorded failure. Stopping at the step or time limit is none: the candidate goes on with the check
    "relaxed" failed. Picklable: workers load their own calculator.
    """

    name = "relax"
    batched = False

    def __init__(self, settings: RelaxSettings | None = None) -> None:
        self.settings = settings or RelaxSettings()
        get_potential(self.settings.potential)  # an unknown name is refused before any work

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield relax(candidate, self.settings)


class _Blown(Exception):
    """The relaxation left the range in which the potential means anything."""


@dataclass
class _Run:
    """What is known of a relaxation under way."""

    settings: RelaxSettings
    started: float = field(default_factory=time.monotonic)
    steps: int = 0
    first_volume: float = 0.0
    first_energy: float | None = None  # eV/atom
    energy: float = math.nan
    fmax: float = math.nan
    smax: float = math.nan
    stopped: str = ""

    @property
    def when(self) -> str:
        return f"after {self.steps} steps" if self.steps else "at the start"

    @property
    def converged(self) -> bool:
        return self.fmax <= self.settings.fmax and (not self.settings.cell or self.smax <= self.settings.smax)


def relax(candidate: Candidate, settings: RelaxSettings) -> Candidate:
    """The candidate with its relaxed structure, or failed with the reason; raises NucleateError for bad settings."""
    from nucleate.crystal.geometry import closest_contacts

    structure = candidate.structure
    if structure is None:
        return candidate.failed("relax", "there is no structure")
    potential = get_potential(settings.potential)
    calculator = get_calculator(settings.potential)
    run = _Run(settings)
    try:
        with _one_thread(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            atoms = _atoms(structure, potential.max_atomic_number)
            _optimise(atoms, calculator, run)
    except _Blown as error:
        return candidate.with_(provenance=_record(run, atoms=None)).failed("relax", str(error))
    except NucleateError:
        raise
    except Exception as error:  # the potential's and the optimiser's own errors: of any kind, about this crystal
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200].removesuffix(": ")
        return candidate.with_(provenance=_record(run, atoms=None)).failed("relax", reason)
    relaxed = _structure(structure, atoms)
    checks, impossible = check_geometry(relaxed)
    result = candidate.with_(
        structure=relaxed,
        energies={"energy": Energy(run.energy, potential.method)},
        checks={**checks, "relaxed": _verdict(run)},
        provenance=_record(run, atoms),
    )
    if impossible is None and closest_contacts(relaxed, MIN_RELAXED_CONTACT)[1].ratio < MIN_RELAXED_CONTACT:
        impossible = f"collapsed: {checks['distance'].reason}"
    return result.failed("relax", impossible) if impossible else result


def single_point(structures: Sequence[Structure], batch_size: int = 16, potential: str = "chgnet") -> list[float]:
    """Energies in eV/atom of structures as they stand, in their order; NucleateError for an impossible one."""
    return get_potential(potential).energies(structures, batch_size)


def _atoms(structure: Structure, max_atomic_number: int) -> Atoms:
    from ase import Atoms

    from nucleate.crystal.geometry import is_finite

    if not structure.is_ordered:
        raise _Blown("partial occupancies cannot be relaxed")
    strangers = {s.symbol for s in structure.composition.element_composition if not 0 < s.Z <= max_atomic_number}
    if strangers or any(not 0 < site.specie.Z <= max_atomic_number for site in structure):
        raise _Blown(f"the potential does not know {', '.join(sorted(strangers)) or 'a species'}")
    if not structure.lattice.volume > 0:
        raise _Blown("the cell has no volume" if is_finite(structure) else "the cell is not finite")
    numbers = [site.specie.Z for site in structure]
    return Atoms(numbers=numbers, cell=structure.lattice.matrix, scaled_positions=structure.frac_coords, pbc=True)


def _optimise(atoms: Atoms, calculator: Any, run: _Run) -> None:
    """Relax `atoms` in place, keeping account in `run`; raises _Blown."""
    from ase.filters import FrechetCellFilter

    settings = run.settings
    atoms.calc = _guarded(calculator, run)
    _measure(atoms, run)
    if run.converged or settings.max_steps == 0:
        return
    target = FrechetCellFilter(atoms, exp_cell_factor=1.0 if settings.optimiser == "bfgs" else None)
    optimiser = _optimiser(target if settings.cell else atoms, settings)
    # ASE's own criterion mixes forces and stress in a way that depends on the filter: ours is tested here.
    for _ in optimiser.irun(fmax=0.0, steps=settings.max_steps):
        run.steps = optimiser.nsteps
        _measure(atoms, run)
        if run.converged:
            return
        if settings.time_limit_s is not None and time.monotonic() - run.started > settings.time_limit_s:
            run.stopped = f" (time limit {settings.time_limit_s:g} s)"
            return


def _optimiser(target: Any, settings: RelaxSettings) -> Any:
    from ase.optimize import BFGS, FIRE
    from ase.optimize.cellawarebfgs import CellAwareBFGS

    if settings.optimiser == "fire":
        return FIRE(target, logfile=None)
    if not settings.cell:
        return BFGS(target, logfile=None)
    optimiser = CellAwareBFGS(target, logfile=os.devnull)
    optimiser.smax = 0.0
    return optimiser


def _guarded(calculator: Any, run: _Run) -> Any:
    """An ASE calculator that looks at the geometry before `calculator` does, and at its numbers afterwards."""
    from ase.calculators.calculator import Calculator, all_changes

    class Guard(Calculator):
        implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012 (as ASE has it)

        def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
            super().calculate(atoms, properties, system_changes)
            _check_geometry(atoms, run)
            calculator.calculate(atoms.copy(), ["energy", "forces", "stress"], all_changes)
            self.results = {k: calculator.results[k] for k in ("energy", "forces", "stress")}
            self.results["energy"] = float(self.results["energy"])
            self.results["free_energy"] = self.results["energy"]
            _check_numbers(self.results, len(atoms), run)

    return Guard()


def _check_geometry(atoms: Atoms, run: _Run) -> None:
    import numpy as np

    from nucleate.crystal.geometry import shortest_distance

    if not (np.isfinite(atoms.positions).all() and np.isfinite(atoms.cell.array).all()):
        raise _Blown(f"positions or cell are no longer finite {run.when}")
    volume = abs(float(np.linalg.det(atoms.cell.array)))
    if run.first_volume == 0:
        run.first_volume = volume
    if volume <= 0:
        raise _Blown("the cell has no volume")
    factor = volume / run.first_volume
    if not 1 / MAX_VOLUME_FACTOR <= factor <= MAX_VOLUME_FACTOR:
        change = f"grew {factor:.1f}-fold" if factor > 1 else f"shrank {1 / factor:.1f}-fold"
        raise _Blown(f"the volume {change} (limit {MAX_VOLUME_FACTOR:g}) {run.when}")
    distance = shortest_distance(_plain_structure(atoms))
    if distance < MIN_DISTANCE:
        raise _Blown(f"atoms {distance:.2f} angstrom apart (limit {MIN_DISTANCE:g}) {run.when}")


def _check_numbers(results: dict[str, Any], n: int, run: _Run) -> None:
    import numpy as np

    if not all(np.isfinite(results[k]).all() for k in ("energy", "forces", "stress")):
        raise _Blown(f"energy, force or stress is not a number {run.when}")
    energy = results["energy"] / n
    force = float(np.linalg.norm(results["forces"], axis=1).max())
    if run.first_energy is None:
        run.first_energy = energy
        if force > MAX_FIRST_FORCE:
            raise _Blown(f"a force of {force:.0f} eV/angstrom at the start (limit {MAX_FIRST_FORCE:g})")
    if energy < MIN_ENERGY:
        raise _Blown(f"{energy:.1f} eV/atom after {run.steps} steps is below anything real (limit {MIN_ENERGY:g})")


def _measure(atoms: Atoms, run: _Run) -> None:
    import numpy as np

    run.energy = float(atoms.get_potential_energy()) / len(atoms)
    run.fmax = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
    run.smax = float(np.abs(atoms.get_stress(voigt=True)).max())


def _verdict(run: _Run) -> Check:
    if run.converged:
        return Check(PASS, f"fmax {run.fmax:.3f} {run.when}")
    limit = run.settings
    parts = []
    if run.fmax > limit.fmax:
        parts.append(f"fmax {run.fmax:.3g} > {limit.fmax:g} eV/A")
    if limit.cell and run.smax > limit.smax:
        parts.append(f"stress {run.smax:.2g} > {limit.smax:g} eV/A^3")
    return Check(FAIL, f"{', '.join(parts)} after {run.steps} steps{run.stopped}")


def _record(run: _Run, atoms: Atoms | None) -> dict[str, Any]:
    """Provenance in plain JSON; energy_before in eV/atom, volume_change is the ratio after / before."""
    record: dict[str, Any] = {"steps": run.steps, "seconds": round(time.monotonic() - run.started, 3)}
    record |= {"potential": run.settings.potential, "energy_before": run.first_energy}
    if atoms is not None:
        change = atoms.get_volume() / run.first_volume
        record |= {"fmax": run.fmax, "smax": run.smax, "converged": run.converged, "volume_change": change}
    return {"relax": record}


def _plain_structure(atoms: Atoms) -> Structure:
    from pymatgen.core import Lattice, Structure

    species = atoms.get_chemical_symbols()
    return Structure(Lattice(atoms.cell.array), species, atoms.positions, coords_are_cartesian=True)


def _structure(before: Structure, atoms: Atoms) -> Structure:
    """The relaxed structure with the species and site properties of `before`."""
    from pymatgen.core import Lattice, Structure

    return Structure(
        Lattice(atoms.cell.array),
        before.species,
        atoms.get_scaled_positions(wrap=True),
        site_properties=before.site_properties,
        labels=before.labels,
    )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Small crystals lose time to torch's threads; processes are the way to use more cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
