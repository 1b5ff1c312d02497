"""What stages find out about a candidate, as typed values: each a small frozen dataclass of plain numbers and texts.

A new stage that has more to say than energies and checks brings a dataclass here, and a field of its type in
`Candidate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nucleate.pipeline.typed import Fact


@dataclass(frozen=True)
class Failure(Fact):
    """Where and why a candidate was rejected.

    stage: the name of the stage. code: one of `nucleate.errors.Code`, or that of another package's stage; what a
    program can rely on. reason: one line for people. As a text it is "stage: reason", as tables and reports show it.
    """

    stage: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


@dataclass(frozen=True)
class Relaxation(Fact):
    """How a relaxation went; the candidate has the relaxed structure and its energy.

    potential: name in the registry of potentials. steps: of the optimiser. seconds: of wall-clock time. converged:
    whether forces and stress came below their limits. energy_before: of the structure as it came, eV/atom. fmax: the
    largest force left, eV/angstrom. smax: the largest stress component left, eV/cubic angstrom. volume_change: the
    volume after over that before. fixed_atoms: how many were kept in place. cell: whether the cell relaxed, where atoms
    were kept in place. elements_known: False where the potential does not tell which elements it was fitted to.
    """

    potential: str = ""
    steps: int = 0
    seconds: float = 0.0
    converged: bool = False
    energy_before: float | None = None
    fmax: float | None = None
    smax: float | None = None
    volume_change: float | None = None
    fixed_atoms: int = 0
    cell: bool | None = None
    elements_known: bool = True


@dataclass(frozen=True)
class HullPlace(Fact):
    """Where a crystal lies relative to the known ones.

    decomposition: the known phases below it, "0.5 Fe2O3 + 0.5 Li2O" per formula unit. correction: what was added to
    its energy so that it stands on the reference's scale, eV/atom, by reason.
    """

    decomposition: str = ""
    correction: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SecondJudgement(Fact):
    """What a second potential did; its energies are the candidate's "second_e_form" and "second_e_above_hull".

    relaxation: by the second potential, of the crystal that the first one had relaxed; its volume_change is against
    that. correction: as in `HullPlace`.
    """

    relaxation: Relaxation
    correction: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictedProperties(Fact):
    """Properties by a trained network, in the units of its training data.

    by: name of the network. values: column -> value. missing: why a value is not there or cannot be believed, "" where
    all is well. wanted: column -> lowest and highest value that was asked for. off_target: column -> how far outside of
    it the prediction lies, in standard deviations of the training data; empty where that cannot be said.
    """

    by: str
    values: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""
    wanted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    off_target: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FormulaScore(Fact):
    """R_hi of a formula in a tree search, higher is better, and the terms that it is the sum of."""

    value: float
    terms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectiveScore(Fact):
    """R_lo of a judged crystal in a run with an objective of its own, higher is better.

    None where a term of it is not known, or beyond what can be believed; `missing` says which.
    """

    value: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Frequency(Fact):
    """How often a crystal came up: found, equal ones with itself, among all that were drawn for its formula."""

    found: int
    drawn: int


@dataclass(frozen=True)
class Phonons(Fact):
    """Phonons by finite displacements; the verdict is the check "phonons".

    potential, fmax (eV/angstrom), smax (eV/cubic angstrom): the potential, and the limits of the relaxation before.
    lowest_thz: the lowest frequency in THz, negative for an imaginary one, over wave vectors that fit the supercell.
    q_point: where, in reciprocal vectors of the primitive cell. lowest_interpolated_thz: over a mesh. atoms, length: of
    the supercell, and its shortest repeat in angstrom. displacements: force calculations. residual_fmax: the largest
    force before a displacement, eV/angstrom. None where there is no answer.
    """

    potential: str = ""
    fmax: float | None = None
    smax: float | None = None
    seconds: float = 0.0
    lowest_thz: float | None = None
    q_point: tuple[float, ...] = ()
    lowest_interpolated_thz: float | None = None
    atoms: int | None = None
    length: float | None = None
    displacements: int | None = None
    relaxation_steps: int | None = None
    residual_fmax: float | None = None


@dataclass(frozen=True)
class DftCalculation(Fact):
    """What became of a DFT calculation; its energies are the candidate's own.

    status: "done" or why not. reason: in words. steps: of the relaxation. seconds: of wall-clock time. missing:
    elements and competing phases without an energy. lower_bound: whether e_above_hull is one, since phases are missing.
    remarks: what else whoever reads the numbers should know. details: what the engine says of the calculation.
    """

    status: str = ""
    reason: str = ""
    steps: int | None = None
    seconds: float | None = None
    missing: tuple[str, ...] = ()
    lower_bound: bool = False
    remarks: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


FACTS: dict[str, type[Fact]] = {
    "failure": Failure,
    "relaxation": Relaxation,
    "hull": HullPlace,
    "second": SecondJudgement,
    "predicted": PredictedProperties,
    "formula_score": FormulaScore,
    "objective": ObjectiveScore,
    "frequency": Frequency,
    "phonons": Phonons,
    "dft": DftCalculation,
}  # fields of a candidate that are one of these or None
