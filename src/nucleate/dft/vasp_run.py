"""What a run of VASP wrote, whichever file it was read from, and whether its last step is where it should end."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.dft.vasp_settings import integer, number, switched_on, word

KBAR = 1 / 1602.1766  # eV/cubic angstrom
STILL = 0.01  # eV/angstrom; forces below this are those of a relaxed crystal by any criterion
LOOSE = 0.2  # eV/angstrom; more than that is not relaxed, even where the energy hardly changes any more
WHOLE_STRESS, SHAPE, VOLUME = (3, 6), (4, 5), (7,)  # values of ISIF: which part of the stress is relaxed


@dataclass(frozen=True)
class Step:
    """One ionic step. energy: of the cell, extrapolated to zero smearing, eV; NaN where it is missing or no number.

    iterations: of its self-consistent field, None where the file does not say. lattice (3, 3) angstrom in rows;
    positions (n, 3) fractional; forces (n, 3) eV/angstrom and stress (3, 3) kbar or None; free (n, 3): which
    coordinates may move, None for all.
    """

    energy: float
    iterations: int | None
    lattice: np.ndarray
    positions: np.ndarray
    forces: np.ndarray | None = None
    stress: np.ndarray | None = None
    free: np.ndarray | None = None


@dataclass(frozen=True)
class VaspRun:
    """settings: what INCAR and defaults came to, as texts by tag. symbols: of the sites. titles: (n_types) of the
    POTCARs with their elements, valence charges and numbers of atoms. first, before, last: ionic steps; `before` is
    the last but one. broken: why the file ends before its end, "" for a whole one. Only OUTCAR says these: stopped: by
    STOPCAR; reached: that the relaxation came to what EDIFFG asks for.
    """

    version: str
    settings: Mapping[str, str]
    symbols: tuple[str, ...]
    types: tuple[tuple[str, str, float, int], ...]
    steps: int = 0
    first: Step | None = None
    before: Step | None = None
    last: Step | None = None
    broken: str = ""
    stopped: bool = False
    reached: bool = False

    @property
    def final(self) -> Step | None:
        """The step whose energy counts: the first of a run that displaces atoms for phonons, else the last."""
        return self.first if self.ibrion in (5, 6, 7, 8) else self.last

    @property
    def nsw(self) -> int:
        return integer(self.settings, "NSW", 0)

    @property
    def ibrion(self) -> int:
        return integer(self.settings, "IBRION", -1 if self.nsw <= 0 else 0)


def no_energy(run: VaspRun) -> str:
    """Why a run has no total energy that could be used; "" if it has one."""
    algorithm = word(run.settings, "ALGO")
    if algorithm.startswith(("GW", "EVGW", "QPGW", "SCGW", "G0W0", "CHI", "ACFDT", "RPA", "BSE", "TDHF", "TIMEEV")):
        return f"ALGO = {algorithm} gives no total energy of density-functional theory"
    if run.settings.get("ALGO", "").strip().upper() in ("NONE", "NOTHING"):
        return "ALGO = None calculates no energy"
    if integer(run.settings, "ICHARG", 0) >= 10:
        return "a run with a fixed density (ICHARG of 10 or more) has no total energy of its own"
    if switched_on(run.settings, "ML_LMLFF") and (run.final is None or not run.final.iterations):
        return "its energies are those of a machine-learned force field (ML_LMLFF), not of density-functional theory"
    return ""


def not_finite(step: Step) -> str:
    """What of a step is no number (VASP prints stars for what is too large); "" if all is."""
    if not math.isfinite(step.energy):
        return "energy"
    named = (("cell", step.lattice), ("positions", step.positions), ("forces", step.forces), ("stress", step.stress))
    return next((name for name, values in named if values is not None and not np.isfinite(values).all()), "")


def unconverged(run: VaspRun) -> str:
    """Why the final step is not a converged one, electronically and, of a relaxation, ionically; "" if it is."""
    step = run.final
    assert step is not None
    limit = integer(run.settings, "NELM", 60)
    if step.iterations is None or step.iterations < 1:
        return "the file does not show the iterations of the self-consistent field"
    if step.iterations >= limit and not word(run.settings, "ALGO").startswith("EXACT"):
        return f"the self-consistent field of the last step did not converge within NELM = {limit} iterations"
    if run.nsw <= 0 or run.ibrion == -1 or run.ibrion in (5, 6, 7, 8):
        return ""
    if run.ibrion == 0:
        return "the last step of molecular dynamics (IBRION = 0) is no relaxed crystal"
    if run.ibrion in (40, 44):
        return f"a search for a saddle point (IBRION = {run.ibrion}) gives no relaxed crystal"
    return "" if run.reached else _unrelaxed(run, step)


def largest_force(step: Step) -> float | None:
    """eV/angstrom, of the coordinates that may move."""
    if step.forces is None or not len(step.forces):
        return None
    forces = step.forces if step.free is None else np.where(step.free, step.forces, 0.0)
    return float(np.linalg.norm(forces, axis=1).max())


def _unrelaxed(run: VaspRun, step: Step) -> str:
    force, strain = largest_force(step), _strain_force(run, step)
    left = f"{force:.2f} eV/angstrom" if force is not None else "unknown forces"
    if strain > LOOSE:
        left += f" and {strain / _per_atom(step) / KBAR:.0f} kbar of stress"
    when = f"stopped after {run.steps} of {run.nsw} ionic steps with {left} left"
    criterion = number(run.settings, "EDIFFG", 10 * number(run.settings, "EDIFF", 1e-4))
    if force is None:
        return f"{when}: the file has no forces"
    if criterion < 0:
        met = force <= abs(criterion) and strain <= 2 * abs(criterion)
        return "" if met else f"{when}; EDIFFG asks for {abs(criterion):g} eV/angstrom"
    if run.steps < run.nsw and not run.stopped and max(force, strain) <= STILL:
        return ""
    if criterion == 0:
        return f"{when}; EDIFFG = 0 sets no criterion"
    change = abs(step.energy - run.before.energy) if run.before is not None else math.inf
    if change > criterion:
        said = f"the energy still changed by {change:.2g} eV" if math.isfinite(change) else "there was one step alone"
        return f"{when}: {said}, EDIFFG asks for {criterion:g}"
    return "" if max(force, strain) <= LOOSE else f"{when}, though the energy changed by less than EDIFFG"


def _per_atom(step: Step) -> float:
    return abs(float(np.linalg.det(step.lattice))) / len(step.positions)


def _strain_force(run: VaspRun, step: Step) -> float:
    """The largest component of the stress that is relaxed, times the volume of an atom: eV, beside EDIFFG as VASP does
    it; 0 where the cell is fixed, or the axes that may move are chosen."""
    isif = integer(run.settings, "ISIF", 2)
    if step.stress is None or isif not in (*WHOLE_STRESS, *SHAPE, *VOLUME) or "LATTICE_CONSTRAINTS" in run.settings:
        return 0.0
    stress = step.stress - number(run.settings, "PSTRESS", 0.0) * np.eye(3)
    mean = np.trace(stress) / 3 * np.eye(3)
    stress = stress if isif in WHOLE_STRESS else stress - mean if isif in SHAPE else mean
    return float(np.abs(stress).max()) * KBAR * _per_atom(step)
