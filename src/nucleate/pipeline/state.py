"""What stages find out about a candidate: small frozen dataclasses of plain numbers and texts.

A new stage that finds more than energies and checks needs a dataclass here, and a field of that type in `Candidate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nucleate.pipeline.typed import Fact


@dataclass(frozen=True)
class Failure(Fact):
    """Where and why a candidate was rejected.

    stage: the name of the stage. code: for programs, one of `nucleate.errors.Code`, or one that a stage of another
    package defines. reason: one line for people. `str` gives "stage: reason", as in tables and reports.
    """

    stage: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


@dataclass(frozen=True)
class Relaxation(Fact):
    """How a relaxation went; the candidate itself has the relaxed structure and its energy.

    potential: its name in the registry of potentials. steps: of the optimiser. seconds: wall-clock time. converged:
    whether forces and stress came below their limits. energy_before: of the structure at the start, eV/atom. fmax: the
    largest remaining force, eV/angstrom. smax: the largest remaining stress component, eV/cubic angstrom.
    volume_change: volume at the end divided by that at the start. fixed_atoms: number of atoms that were held in
    place. cell: whether the cell was relaxed; None if no atoms were held. elements_known: False if it is not known
    which elements the potential was fitted to.
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
    """The place of a crystal above or below the hull of known crystals.

    decomposition: the known phases below it, "0.5 Fe2O3 + 0.5 Li2O" per formula unit. correction: what was added to
    its energy to bring it to the scale of the reference set, reason -> eV/atom.
    """

    decomposition: str = ""
    correction: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class NearestKnown(Fact):
    """The known crystal that is nearest to a candidate.

    id: of its source, "mp-149". formula: as people write it. relation: what both have in common, one of
    `library.nearest.RELATIONS`. differs: what the candidate has instead, as a text.
    """

    id: str
    formula: str
    relation: str
    differs: str = ""


@dataclass(frozen=True)
class Novelty(Fact):
    """What the known crystals say of a candidate.

    word: "structure known", "ordering of", "formula known", "new" or "unknown" (`library.novelty`). ids: the first of
    the known crystals that this rests on. nearest: the nearest one; None where the candidate could not be compared.
    """

    word: str
    ids: tuple[str, ...] = ()
    nearest: NearestKnown | None = None


@dataclass(frozen=True)
class SecondJudgement(Fact):
    """The relaxation by a second potential. Its energies are the candidate's "second_e_form" and "second_e_above_hull".

    relaxation: by the second potential, beginning with the crystal that the first one had relaxed; volume_change is
    relative to that crystal. correction: as in `HullPlace`.
    """

    relaxation: Relaxation
    correction: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PredictedProperties(Fact):
    """Properties by a trained network, in the units of its training data.

    by: name of the network. values: column -> value. missing: why a value is missing or not to be believed, "" if there
    is no such problem. wanted: column -> lowest and highest value that was asked for. off_target: column -> how far the
    prediction lies outside of the wanted range, in standard deviations of the training data; empty if not known.
    """

    by: str
    values: Mapping[str, float] = field(default_factory=dict)
    missing: str = ""
    wanted: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    off_target: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FormulaScore(Fact):
    """The score of a formula in a tree search (R_hi, `search.heuristics`), higher is better. terms: what it is the sum
    of, name -> value."""

    value: float
    terms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ObjectiveScore(Fact):
    """The score of a crystal in a run with an objective of its own (R_lo, `search.heuristics`), higher is better.

    value: None if a term of it is not known or not to be believed; `missing` then says which.
    """

    value: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Frequency(Fact):
    """How often a crystal was found. found: number of equal crystals, this one included. drawn: number of all crystals
    that were made for its formula."""

    found: int
    drawn: int


@dataclass(frozen=True)
class StructureVote(Fact):
    """How likely it is that a crystal has its formula's structure, and which known crystal it is or is like.

    proposer: "known" for a known crystal of the formula itself, "retrieval" for the structure type of another one
    (`retrieval.retrieve`), "ordering" for elements that share the sites of one element of a known crystal
    (`orderings.propose`). probability: that a crystal of the formula near the hull has this structure type, None for
    orderings; none: that it has none of the structure types that known crystals of its ratio have. Both are None where
    the formula has a known crystal. id: of the known crystal. prototype: its structure type, as
    `library.entries.KnownEntry.prototype`; name: what people call that, "" where it has no common name.
    known_e_above_hull: of a known crystal of the formula, eV/atom by the Materials Project, None where it is not known.
    """

    proposer: str
    probability: float | None = None
    none: float | None = None
    id: str = ""
    prototype: str = ""
    name: str = ""
    known_e_above_hull: float | None = None


@dataclass(frozen=True)
class Phonons(Fact):
    """Phonons by finite displacements; the verdict is the check "phonons".

    potential: its name. fmax (eV/angstrom), smax (eV/cubic angstrom): limits of the relaxation before. seconds: of
    wall-clock time. lowest_thz: the lowest frequency in THz, negative for an imaginary one, of all wave vectors that
    fit the supercell. q_point: its wave vector, in reciprocal vectors of the primitive cell. lowest_interpolated_thz:
    the lowest frequency on a mesh of wave vectors. atoms: number of atoms in the supercell. length: its shortest
    repeat, angstrom. displacements: number of force calculations. relaxation_steps: of the relaxation before.
    residual_fmax: the largest force without a displacement, eV/angstrom. None if there is no result.
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
    """How a DFT calculation ended; its energies are those of the candidate.

    status: "done", or a word that says why not. reason: the same as a sentence. steps: of the relaxation. seconds:
    wall-clock time. missing: elements and competing phases without an energy. lower_bound: whether e_above_hull is a
    lower bound, because phases are missing. remarks: what a reader of the numbers should know. details: what the
    program said of the calculation.
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
    "novelty": Novelty,
    "second": SecondJudgement,
    "predicted": PredictedProperties,
    "formula_score": FormulaScore,
    "objective": ObjectiveScore,
    "frequency": Frequency,
    "vote": StructureVote,
    "phonons": Phonons,
    "dft": DftCalculation,
}  # fields of a candidate -> what they hold if they are not None
