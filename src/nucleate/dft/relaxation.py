"""The relaxation that all DFT programs share: they supply energy, forces and stress, everything else is here.

The state is written after every step, so that a calculation that was killed continues from there.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nucleate.dft.frames import to_atoms, to_record
from nucleate.dft.settings import DFTSettings, k_grid, symmetric_grid
from nucleate.potentials.base import Evaluation
from nucleate.relaxation import guard
from nucleate.relaxation.minimise import QuasiNewton

if TYPE_CHECKING:
    from ase import Atoms

NEW_BASIS = 0.05  # relative change of the volume after which k-points and Pulay stress are determined anew
CUTOFF_STEP = 0.04  # relative change of the cutoff, for the slope of the energy
TASKS = ("crystal", "molecule", "static")


class Evaluator(Protocol):
    """A DFT program that computes one crystal, at one set of positions after the other.

    moment: total magnetic moment of the last evaluation, Bohr magnetons per cell; None without spin.
    """

    moment: float | None

    def prepare(self, k_points: tuple[int, int, int]) -> None:
        """Discard density and basis; the evaluations that follow use these k-points."""
        ...

    def evaluate(self, atoms: Atoms, stress: bool) -> Evaluation:
        """Energy (eV), forces (n, 3) and stress (3, 3) at the cutoff of the settings.

        stress: whether it is wanted; else it is zero. Raises NucleateError where the program fails.
        """
        ...

    def energy(self, atoms: Atoms, cutoff: float) -> float:
        """Energy of the cell at another cutoff, both in eV."""
        ...


def pulay_stress(slope: float, cutoff: float, volume: float) -> float:
    """The Pulay stress, in eV/cubic angstrom, which is to be added to the diagonal of a program's stress.

    slope: dE/dcutoff, eV/eV. cutoff: eV. volume: of the cell, cubic angstrom. A program computes the stress with a
    fixed set of plane waves, and its energies with a fixed cutoff. A strain e changes the cutoff of a fixed set by the
    factor 1 - 2 e, hence the difference 2/3 cutoff dE/dcutoff / V (Francis and Payne, J. Phys.: Condens. Matter 2, 4395
    (1990)).
    """
    return 2 / 3 * cutoff * slope / volume


def run(
    task: Mapping[str, Any],
    settings: DFTSettings,
    evaluator: Evaluator,
    state: Mapping[str, Any] | None,
    save: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Relax the atoms of a task, or only evaluate them; returns the result as plain JSON values.

    task: "kind" (one of TASKS) and "atoms" (a record of `dft.frames`). state: the last one that `save` got in an
    earlier process, None at the start. Raises guard.OutOfRange where the relaxation leaves the range of real crystals,
    NucleateError where the program fails.
    """
    return _Relaxation(task, settings, evaluator, state, save).run()


class _Relaxation:
    def __init__(
        self,
        task: Mapping[str, Any],
        settings: DFTSettings,
        evaluator: Evaluator,
        state: Mapping[str, Any] | None,
        save: Callable[[dict[str, Any]], None],
    ) -> None:
        self.kind, self.settings, self.evaluator, self._save = task["kind"], settings, evaluator, save
        self.cell = self.kind == "crystal"
        self.first = to_atoms(task["atoms"])
        self.started = time.monotonic()
        self.atoms = to_atoms(state["next"] if state else task["atoms"])
        self.minimiser = _minimiser(state["minimiser"], self.cell) if state else QuasiNewton(cell=self.cell)
        self.steps = state["steps"] if state else 0
        self.spent = state["seconds"] if state else 0.0
        self.first_energy: float | None = state["first_energy"] if state else None
        self.last: dict[str, Any] | None = state["last"] if state else None
        self.basis: dict[str, Any] | None = state["basis"] if state else None
        self.over: bool = state["over"] if state else self.kind == "static"

    @property
    def when(self) -> str:
        return f"after {self.steps} steps" if self.steps else "at the start"

    @property
    def seconds(self) -> float:
        return round(self.spent + time.monotonic() - self.started, 1)

    def run(self) -> dict[str, Any]:
        guard.check_cell(self.atoms, float(self.first.get_volume()), self.when)
        if not self.over:
            if self.basis is not None:
                self.evaluator.prepare(tuple(self.basis["k_points"]))
            while not self.over:
                self._step()
        return self._final()

    def _step(self) -> None:
        if self.basis is None or abs(self.atoms.get_volume() / self.basis["volume"] - 1) > NEW_BASIS:
            self._new_basis()
        found, fmax, smax = self._evaluate()
        n, s = len(self.atoms), self.settings
        converged = fmax <= s.fmax and (not self.cell or smax <= s.smax)
        self.over = converged or self.steps >= s.max_steps
        self.last = {"atoms": to_record(self.atoms), "energy": found.energy / n, "fmax": fmax, "smax": smax}
        self.last |= {"converged": converged}
        if not self.over:
            moments = self.atoms.get_initial_magnetic_moments()
            self.minimiser.step(self.atoms, found)
            self.atoms.set_initial_magnetic_moments(moments)
            self.steps += 1
            guard.check_cell(self.atoms, float(self.first.get_volume()), self.when)
        self._keep()

    def _final(self) -> dict[str, Any]:
        """Compute the last cell once more, with its own k-points and basis; this energy is the result."""
        grid = self._grid()
        self.evaluator.prepare(grid)
        found, fmax, smax = self._evaluate(correct=self.basis is not None)
        start = self.first_energy if self.first_energy is not None else found.energy
        n = len(self.atoms)
        return {
            "atoms": to_record(self.atoms),
            "energy": found.energy / n,
            "fmax": fmax,
            "smax": smax,
            "converged": self.last is None or self.last["converged"],
            "steps": self.steps,
            "seconds": self.seconds,
            "k_points": list(grid),
            "moment": self.evaluator.moment,
            "energy_before": start / n,
            "volume_change": float(self.atoms.get_volume() / self.first.get_volume()),
            "pulay_stress": self._pulay() if self.cell and self.basis is not None else None,
        }

    def _evaluate(self, correct: bool = True) -> tuple[Evaluation, float, float]:
        found = self.evaluator.evaluate(self.atoms, stress=self.cell)
        if self.cell and correct:
            found = dataclasses.replace(found, stress=found.stress + self._pulay() * np.eye(3))
        first = self.first_energy if self.first_energy is not None else found.energy
        # the absolute energies of programs have different zeros
        relative = dataclasses.replace(found, energy=found.energy - first)
        guard.check_numbers(relative, len(self.atoms), self.steps, self.when)
        self.first_energy = first
        fmax = float(np.linalg.norm(found.forces, axis=1).max())
        smax = float(np.abs(found.stress).max()) if self.cell else 0.0
        line = f"step {self.steps}: {found.energy / len(self.atoms):.5f} eV/atom, fmax {fmax:.4f} eV/A, "
        print(line + f"stress {smax:.5f} eV/A^3, {self.atoms.get_volume():.3f} A^3, {self.seconds:.0f} s", flush=True)
        return found, fmax, smax

    def _new_basis(self) -> None:
        grid = self._grid()
        self.basis = {"volume": float(self.atoms.get_volume()), "k_points": list(grid), "slope": 0.0}
        if self.cell:
            cutoff, energies = self.settings.cutoff, []
            for sign in (-1, 1):
                self.evaluator.prepare(grid)
                energies.append(self.evaluator.energy(self.atoms, cutoff * (1 + sign * CUTOFF_STEP)))
            slope = (energies[1] - energies[0]) / (2 * CUTOFF_STEP * cutoff)
            if not math.isfinite(slope):
                raise guard.OutOfRange(f"the energy is not a number {self.when}")
            self.basis["slope"] = slope
            print(f"k-points {grid}, dE/dcutoff {slope:.2e}, Pulay stress {self._pulay():.5f} eV/A^3", flush=True)
            self._keep()
        self.evaluator.prepare(grid)

    def _pulay(self) -> float:
        assert self.basis is not None
        return pulay_stress(self.basis["slope"], self.settings.cutoff, float(self.atoms.get_volume()))

    def _grid(self) -> tuple[int, int, int]:
        from nucleate.crystal.symmetry import find_symmetry

        if self.kind == "molecule":
            return 1, 1, 1
        grid = k_grid(self.atoms.cell.array, self.settings.k_spacing)
        try:
            places = self.atoms.get_scaled_positions()
            found = find_symmetry(self.atoms.cell.array, places, self.atoms.numbers, symprec=1e-3)
        except ValueError:
            return grid
        return symmetric_grid(grid, found.operations.rotations)

    def _keep(self) -> None:
        state = {
            "steps": self.steps,
            "seconds": self.seconds,
            "next": to_record(self.atoms),
            "last": self.last,
            "first_energy": self.first_energy,
            "basis": self.basis,
            "minimiser": _minimiser_record(self.minimiser),
            "over": self.over,
        }
        self._save(state)


def _minimiser_record(minimiser: QuasiNewton) -> dict[str, Any]:
    hessian, last = minimiser.hessian, minimiser.last
    return {
        "trust": minimiser.trust,
        "hessian": None if hessian is None else hessian.tolist(),
        "last": None if last is None else [last[0].tolist(), last[1].tolist(), last[2], last[3]],
    }


def _minimiser(record: Mapping[str, Any], cell: bool) -> QuasiNewton:
    hessian, last = record["hessian"], record["last"]
    return QuasiNewton(
        cell=cell,
        hessian=None if hessian is None else np.array(hessian),
        trust=record["trust"],
        last=None if last is None else (np.array(last[0]), np.array(last[1]), last[2], last[3]),
    )
