"""What a VASP run wrote, from whichever file it was read, and whether its last step is converged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nucleate.dft.vasp_settings import tag_integer, tag_is_on, tag_number, tag_word

KBAR = 1 / 1602.1766  # eV/cubic angstrom
RELAXED_FORCE = 0.01  # eV/angstrom; with forces below this a crystal is relaxed by any criterion
# eV/angstrom; with larger forces it is not relaxed, even where the energy hardly changes any more
UNRELAXED_FORCE = 0.2
WHOLE_STRESS, SHAPE, VOLUME = (3, 6), (4, 5), (7,)  # values of ISIF that relax the whole stress, or a part of it


@dataclass(frozen=True)
class Step:
    """One ionic step.

    energy: of the cell, extrapolated to zero smearing, eV; NaN where it is missing or no number. iterations: of the
    self-consistent field, None where the file does not say. lattice: (3, 3), vectors in rows, angstrom. positions:
    (n, 3), fractional. forces: (n, 3), eV/angstrom, or None. stress: (3, 3), kbar, or None. free: (n, 3), which
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
    """A VASP run.

    settings: tag -> text, of INCAR and defaults together. symbols: of the sites. types: element, title of the POTCAR,
    valence charge and number of atoms of each type of atom. steps: number of ionic steps; first, before, last: three of
    them, `before` being the last but one. broken: why the file is not complete, "" where it is. Only OUTCAR has the
    following. stopped: whether STOPCAR ended the run. criterion_met: whether the relaxation met the criterion EDIFFG.
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
    criterion_met: bool = False

    @property
    def final(self) -> Step | None:
        """The step whose energy is the result: the first of a run that displaces atoms for phonons, else the last."""
        return self.first if self.ibrion in (5, 6, 7, 8) else self.last

    @property
    def nsw(self) -> int:
        return tag_integer(self.settings, "NSW", 0)

    @property
    def ibrion(self) -> int:
        return tag_integer(self.settings, "IBRION", -1 if self.nsw <= 0 else 0)


def why_no_energy(run: VaspRun) -> str:
    """Why a run has no usable total energy; "" if it has one."""
    algorithm = tag_word(run.settings, "ALGO")
    if algorithm.startswith(("GW", "EVGW", "QPGW", "SCGW", "G0W0", "CHI", "ACFDT", "RPA", "BSE", "TDHF", "TIMEEV")):
        return f"ALGO = {algorithm} gives no total energy of density-functional theory"
    if run.settings.get("ALGO", "").strip().upper() in ("NONE", "NOTHING"):
        return "ALGO = None calculates no energy"
    if tag_integer(run.settings, "ICHARG", 0) >= 10:
        return "a run with a fixed density (ICHARG of 10 or more) has no total energy of its own"
    if tag_is_on(run.settings, "ML_LMLFF") and (run.final is None or not run.final.iterations):
        return "its energies are those of a machine-learned force field (ML_LMLFF), not of density-functional theory"
    return ""


def non_finite_part(step: Step) -> str:
    """Which part of a step has a value that is not finite (VASP prints stars for what is too large); "" for none."""
    if not math.isfinite(step.energy):
        return "energy"
    named = (("cell", step.lattice), ("positions", step.positions), ("forces", step.forces), ("stress", step.stress))
    return next((name for name, values in named if values is not None and not np.isfinite(values).all()), "")


def why_unconverged(run: VaspRun) -> str:
    """Why the final step is not converged, electronically or (in a relaxation) ionically; "" if it is."""
    step = run.final
    assert step is not None
    limit = tag_integer(run.settings, "NELM", 60)
    if step.iterations is None or step.iterations < 1:
        return "the file does not show the iterations of the self-consistent field"
    if step.iterations >= limit and not tag_word(run.settings, "ALGO").startswith("EXACT"):
        return f"the self-consistent field of the last step did not converge within NELM = {limit} iterations"
    if run.nsw <= 0 or run.ibrion == -1 or run.ibrion in (5, 6, 7, 8):
        return ""
    if run.ibrion == 0:
        return "the last step of molecular dynamics (IBRION = 0) is no relaxed crystal"
    if run.ibrion in (40, 44):
        return f"a search for a saddle point (IBRION = {run.ibrion}) gives no relaxed crystal"
    return "" if run.criterion_met else _unrelaxed(run, step)


def largest_force(step: Step) -> float | None:
    """The largest force on an atom along coordinates that may move, eV/angstrom; None where there are no forces."""
    if step.forces is None or not len(step.forces):
        return None
    forces = step.forces if step.free is None else np.where(step.free, step.forces, 0.0)
    return float(np.linalg.norm(forces, axis=1).max())


def _unrelaxed(run: VaspRun, step: Step) -> str:
    force, strain = largest_force(step), _strain_force(run, step)
    left = f"{force:.2f} eV/angstrom" if force is not None else "unknown forces"
    if strain > UNRELAXED_FORCE:
        left += f" and {strain / _per_atom(step) / KBAR:.0f} kbar of stress"
    when = f"stopped after {run.steps} of {run.nsw} ionic steps with {left} left"
    criterion = tag_number(run.settings, "EDIFFG", 10 * tag_number(run.settings, "EDIFF", 1e-4))
    if force is None:
        return f"{when}: the file has no forces"
    if criterion < 0:
        met = force <= abs(criterion) and strain <= 2 * abs(criterion)
        return "" if met else f"{when}; EDIFFG asks for {abs(criterion):g} eV/angstrom"
    if run.steps < run.nsw and not run.stopped and max(force, strain) <= RELAXED_FORCE:
        return ""
    if criterion == 0:
        return f"{when}; EDIFFG = 0 sets no criterion"
    change = abs(step.energy - run.before.energy) if run.before is not None else math.inf
    if change > criterion:
        said = f"the energy still changed by {change:.2g} eV" if math.isfinite(change) else "there was only one step"
        return f"{when}: {said}, EDIFFG asks for {criterion:g}"
    return "" if max(force, strain) <= UNRELAXED_FORCE else f"{when}, though the energy changed by less than EDIFFG"


def _per_atom(step: Step) -> float:
    return abs(float(np.linalg.det(step.lattice))) / len(step.positions)


def _strain_force(run: VaspRun, step: Step) -> float:
    """The largest component of that part of the stress which is relaxed, times the volume per atom, in eV.

    VASP compares it with EDIFFG like a force. It is 0 where the cell is fixed and where only chosen axes may change.
    """
    isif = tag_integer(run.settings, "ISIF", 2)
    if step.stress is None or isif not in (*WHOLE_STRESS, *SHAPE, *VOLUME) or "LATTICE_CONSTRAINTS" in run.settings:
        return 0.0
    stress = step.stress - tag_number(run.settings, "PSTRESS", 0.0) * np.eye(3)
    mean = np.trace(stress) / 3 * np.eye(3)
    stress = stress if isif in WHOLE_STRESS else stress - mean if isif in SHAPE else mean
    return float(np.abs(stress).max()) * KBAR * _per_atom(step)
