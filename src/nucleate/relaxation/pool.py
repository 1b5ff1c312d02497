"""Relaxation of cell and positions with an interatomic potential, of one crystal or of many at once."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import math
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.formula import formula_text
from nucleate.crystal.primitive import Repeats, find_repeats
from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.errors import Code, NucleateError, code_or
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check, Energy
from nucleate.pipeline.method import EnergyMethod
from nucleate.pipeline.state import Relaxation
from nucleate.potentials.base import Evaluation, Potential, unknown_elements_reason
from nucleate.potentials.registry import get_potential
from nucleate.relaxation import guard
from nucleate.relaxation.minimise import Fire, Minimiser, QuasiNewton
from nucleate.settings.relaxation import RelaxSettings
from nucleate.train.device import out_of_memory

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

OPTIMISERS: dict[str, type[QuasiNewton] | type[Fire]] = {"bfgs": QuasiNewton, "fire": Fire}

# CHGNet has false minima where atoms overlap: Os-As converged at 1.05 angstrom, 0.37 of the sum of the covalent radii.
# A relaxed crystal with a ratio below this one has collapsed; real crystals have at least 0.65.
MIN_RELAXED_CONTACT = 0.5


def relax_candidate(candidate: Candidate, settings: RelaxSettings) -> Candidate:
    """The candidate with its relaxed structure and energy, or failed with the reason.

    Raises NucleateError for a potential that is not there.
    """
    (result,) = relax_candidates([candidate], settings)
    return result


def relax_candidates(candidates: Iterable[Candidate], settings: RelaxSettings, pool: int = 0) -> Iterator[Candidate]:
    """Yield all candidates relaxed, or failed with the reason, in the order in which they finish.

    pool: how many crystals the potential evaluates at once; 0 means the number that it prefers. A crystal that is
    finished leaves the pool and the next one takes its place.
    """
    potential = get_potential(settings.potential)
    potential.load()
    pool = pool or potential.pool
    waiting, active = iter(candidates), list[_Run]()
    while True:
        for candidate in itertools.islice(waiting, pool - len(active)):
            run = _Run(candidate, settings, potential)
            active.append(run)
        done = [run for run in active if run.done]
        active = [run for run in active if not run.done]
        yield from (run.result() for run in done)
        if not active and not done:
            return
        with quietly():
            for run, found in zip(active, _evaluate(potential, [run.atoms for run in active]), strict=True):
                run.advance(found)


def _evaluate(potential: Potential, crystals: list[Atoms]) -> list[Evaluation | Exception]:
    """What the potential says of each crystal, or its error.

    When it refuses the crystals together, or runs out of memory, it is asked about each half of them, until the
    crystal that causes the error is alone.
    """
    try:
        return list(potential.evaluate(crystals)) if crystals else []
    except Exception as error:  # potentials raise errors of any kind about single crystals
        if len(crystals) == 1:
            return [error.with_traceback(None)]
    half = len(crystals) // 2  # outside of `except`, because the error keeps the memory of the attempt in use
    return [*_evaluate(potential, crystals[:half]), *_evaluate(potential, crystals[half:])]


def fixed_atoms(candidate: Candidate) -> tuple[int, ...]:
    """Sites, from 0, that stay in place when the candidate is relaxed.

    They are its `fixed`, which readers of files fill (selective dynamics of a POSCAR, constraints of an extended XYZ
    file). Raises OutOfRange for indices that the structure does not have.
    """
    found, sites = candidate.fixed, candidate.structure or ()
    if not isinstance(found, list | tuple):
        raise guard.OutOfRange(f"'fixed' must list sites, not {found!r}")
    if strange := [i for i in found if type(i) is not int or not 0 <= i < len(sites)]:
        raise guard.OutOfRange(f"'fixed' names site {strange[0]!r}, of {len(sites)} from 0 on")
    return tuple(found)


class _Run:
    """A relaxation under way; `done` once it converged, stopped at a limit, or failed."""

    atoms: Atoms
    minimiser: Minimiser
    first_volume: float

    def __init__(self, candidate: Candidate, settings: RelaxSettings, potential: Potential) -> None:
        self.candidate, self.settings, self.potential = candidate, settings, potential
        self.started = time.monotonic()
        self.fixed: tuple[int, ...] = ()
        self.cell = settings.cell is not False
        self.steps, self.stopped, self.failure, self.done = 0, "", "", False
        self.code: str = Code.NOT_RELAXED  # of the failure
        self.first_energy: float | None = None  # eV/atom
        self.energy = self.fmax = self.smax = math.nan
        self.repeats: Repeats | None = None
        self.last_good: Atoms | None = None  # the last frame of which the potential gave credible numbers
        with self._guarded():
            if candidate.structure is None:
                raise NucleateError("there is no structure", code=Code.NO_STRUCTURE)
            self.fixed = fixed_atoms(candidate)
            self.cell = not self.fixed if settings.cell is None else settings.cell
            self.minimiser = OPTIMISERS[settings.optimiser](cell=self.cell, fixed=self.fixed)
            structure = guard.with_atoms_in_cell(candidate.structure)
            self.atoms = guard.atoms_of(structure)
            if reason := unknown_elements_reason(potential, self.atoms.get_chemical_symbols()):
                raise guard.OutOfRange(reason)
            guard.check_size(self.atoms, dense=settings.optimiser == "bfgs")
            guard.check_cell(self.atoms, float(self.atoms.get_volume()), self.when)
            if settings.primitive and len(self.atoms) > 1 and not self.fixed:
                self.repeats = find_repeats(structure)
            if self.repeats is not None:
                self.atoms = _primitive(self.atoms, self.repeats)
            self.first_volume = float(self.atoms.get_volume())

    @property
    def when(self) -> str:
        return f"after {self.steps} steps" if self.steps else "at the start"

    @property
    def converged(self) -> bool:
        return self.fmax <= self.settings.fmax and (not self.cell or self.smax <= self.settings.smax)

    def advance(self, found: Evaluation | Exception) -> None:
        """Take what the potential says of the present frame, and move on to the next frame."""
        with self._guarded():
            if isinstance(found, Exception):
                raise found
            n, limit = len(self.atoms), self.settings.time_limit_s
            guard.check_numbers(found, n, self.steps, self.when)
            self.energy, self.last_good = found.energy / n, self.atoms.copy()
            self.first_energy = self.energy if self.first_energy is None else self.first_energy
            free = np.delete(found.forces, list(self.fixed), axis=0)
            self.fmax = float(np.linalg.norm(free, axis=1).max(initial=0.0))
            self.smax = float(np.abs(found.stress).max())
            if limit is not None and time.monotonic() - self.started > limit:
                self.stopped = f" (time limit {limit:g} s)"
            if self.converged or self.stopped or self.steps >= self.settings.max_steps:
                self.done = True
                return
            self.minimiser.step(self.atoms, found)
            self.steps += 1
            guard.check_cell(self.atoms, self.first_volume, self.when)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn any exception into the failure of this crystal, so that the other crystals go on."""
        try:
            yield
        except guard.OutOfRange as error:
            self.failure, self.done = str(error), True
        except Exception as error:
            if out_of_memory(error):
                n = len(self.candidate.structure) if self.candidate.structure is not None else 0
                self.code = Code.MEMORY
                self.failure, self.done = f"out of memory with {n:,} atoms in the cell {self.when}", True
                return
            self.code = code_or(error, Code.NOT_RELAXED)
            name = "" if isinstance(error, NucleateError) else f"{type(error).__name__}: "
            self.failure, self.done = f"{name}{error}".splitlines()[0][:200].removesuffix(": "), True

    def result(self) -> Candidate:
        """The candidate relaxed, or failed."""
        from nucleate.crystal.geometry import closest_contacts

        if self.failure:
            lost = self.candidate.with_(relaxation=self._record(), provenance=self._last_frame())
            return lost.failed("relax", self.code, self.failure)
        assert self.candidate.structure is not None
        relaxed = self._structure(self.atoms)
        checks, impossible = geometry_verdicts(relaxed)
        result = self.candidate.with_(
            structure=relaxed,
            energies={"energy": Energy(self.energy, EnergyMethod(self.potential.method))},
            checks={**checks, "relaxed": self._verdict()},
            relaxation=self._record(),
        )
        if impossible is None and closest_contacts(relaxed, MIN_RELAXED_CONTACT)[1].ratio < MIN_RELAXED_CONTACT:
            impossible = f"collapsed: {checks['distance'].reason}"
        return result.failed("relax", Code.GEOMETRY, impossible) if impossible else result

    def _verdict(self) -> Check:
        held = f"; {len(self.fixed)} atoms{'' if self.cell else ' and the cell'} fixed" if self.fixed else ""
        if self.converged:
            return Check(PASS, f"fmax {self.fmax:.3f} {self.when}{held}")
        limit = self.settings
        excesses = []
        if self.fmax > limit.fmax:
            excesses.append(f"fmax {self.fmax:.3g} > {limit.fmax:g} eV/A")
        if self.cell and self.smax > limit.smax:
            excesses.append(f"stress {self.smax:.2g} > {limit.smax:g} eV/A^3")
        return Check(FAIL, f"{', '.join(excesses)} after {self.steps} steps{self.stopped}{held}")

    def _record(self) -> Relaxation:
        record = Relaxation(
            potential=self.settings.potential,
            steps=self.steps,
            seconds=round(time.monotonic() - self.started, 3),
            energy_before=self.first_energy,
            fixed_atoms=len(self.fixed),
            cell=self.cell if self.fixed else None,
            elements_known=self.potential.elements is not None,
        )
        if self.failure:
            return record
        change = float(self.atoms.get_volume() / self.first_volume)
        return dataclasses.replace(
            record, converged=self.converged, fmax=self.fmax, smax=self.smax, volume_change=change
        )

    def _last_frame(self) -> dict[str, Any]:
        """For the provenance of a failure: the last structure of which the potential gave credible numbers."""
        if self.last_good is None or not self.steps:
            return {}
        return {"last_frame": self._structure(self.last_good).as_dict()}

    def _structure(self, atoms: Atoms) -> Structure:
        """The structure that was given, with the cell and positions of `atoms`, and with its own species and site
        properties. `atoms` may be the primitive cell."""
        from pymatgen.core import Lattice, Structure

        before = self.candidate.structure
        assert before is not None
        cell, frac = atoms.cell.array, atoms.get_scaled_positions(wrap=False)
        if self.repeats is not None:
            cell, frac = self.repeats.given_cell(cell, frac)
        frac, fixed = frac % 1.0, list(self.fixed)
        frac[fixed] = before.frac_coords[fixed]  # exactly, without the rounding of the conversions
        return Structure(
            Lattice(cell), before.species, frac, site_properties=before.site_properties, labels=before.labels
        )


def single_point(structures: Sequence[Structure], batch_size: int = 16, potential: str = "chgnet") -> list[float]:
    """Energies of structures as they stand, eV/atom, in their order.

    Raises NucleateError for a structure that the potential cannot take. Elements that the potential does not know are
    found before any energy is computed.
    """
    model = get_potential(potential)
    for structure in structures:
        if reason := unknown_elements_reason(model, {site.specie.symbol for site in structure}):
            raise NucleateError(f"{formula_text(structure.composition)}: {reason}")
    return model.energies(structures, batch_size)


def _primitive(atoms: Atoms, repeats: Repeats) -> Atoms:
    from ase import Atoms

    numbers = atoms.numbers[list(repeats.sites)]
    return Atoms(numbers=numbers, cell=repeats.lattice, scaled_positions=repeats.frac_coords, pbc=True)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let torch use one thread, and hide warnings of the potential's package. Small crystals are slower with several
    threads; processes use more cores better."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_num_threads(before)
