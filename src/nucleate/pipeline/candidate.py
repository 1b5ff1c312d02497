"""`Candidate`: the record of a crystal that goes through all stages. A rejected one is kept, with its reason."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nucleate.chem.formula import formula_text, parse_formula
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN
from nucleate.chem.verdict import Verdict as Check
from nucleate.errors import Code, NucleateError
from nucleate.lazy import imported_when_called
from nucleate.pipeline.method import EnergyMethod
from nucleate.pipeline.origin import Origin, Wanted
from nucleate.pipeline.state import (
    FACTS,
    DftCalculation,
    Failure,
    FormulaScore,
    Frequency,
    HullPlace,
    Novelty,
    ObjectiveScore,
    Phonons,
    PredictedProperties,
    Relaxation,
    SecondJudgement,
    StructureVote,
)
from nucleate.pipeline.typed import VERSION, to_plain

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure
    from pymatgen.entries.computed_entries import ComputedStructureEntry

__all__ = ["FAIL", "PASS", "UNKNOWN", "Candidate", "Check", "Energy", "Failure", "candidate_of_formula"]

NOTHING_WANTED, NO_ORIGIN = Wanted(), Origin()
READING = "formula"  # the stage that rejects a text that is no formula


@dataclass(frozen=True)
class Energy:
    """An energy in eV/atom with its method (potential or program, with version) and, where it has one, the reference
    set that it is relative to. The method may be given as a plain text."""

    value: float
    method: EnergyMethod
    reference: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", EnergyMethod(self.method))


@dataclass(frozen=True)
class Candidate:
    """A crystal on its way through the pipeline, with everything that is known of it.

    id: unique in a run. seed: of its random numbers. structure: None until there is one. composition: element -> atoms,
    of any multiple, where it is known before there is a structure; the structure's own counts where there is one.
    energies: e.g. "energy", "e_form", "e_above_hull", in eV/atom, each with method and reference. checks: name ->
    verdict. failure: where and why it was rejected, or None. stages: names of the stages it has been through, in order.

    wanted: what it was asked for. origin: where it comes from. fixed: sites, from 0, that stay in place when it is
    relaxed. meets: which parts of a request in words it fulfils. twin_of: id of the better candidate that is the same
    crystal, "" for none. The other fields hold what single stages found, None before that; `pipeline.state` describes
    them.

    provenance: plain JSON values for people who read the record. No code reads them.

    Example:
        >>> import nucleate
        >>> salt = nucleate.check("NaCl")
        >>> salt
        <Candidate NaCl, charge: pass, electronegativity: pass, oxidation: pass>
        >>> salt.checks["charge"].verdict, salt.failure, salt.e_above_hull
        ('pass', None, None)
    """

    id: str
    seed: int = 0
    structure: Structure | None = None
    energies: Mapping[str, Energy] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    failure: Failure | None = None
    stages: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    composition: Mapping[str, int] | None = None
    wanted: Wanted = NOTHING_WANTED
    origin: Origin = NO_ORIGIN
    fixed: tuple[int, ...] = ()
    meets: tuple[str, ...] = ()
    twin_of: str = ""
    relaxation: Relaxation | None = None
    hull: HullPlace | None = None
    novelty: Novelty | None = None
    second: SecondJudgement | None = None
    predicted: PredictedProperties | None = None
    formula_score: FormulaScore | None = None
    objective: ObjectiveScore | None = None
    frequency: Frequency | None = None
    vote: StructureVote | None = None
    phonons: Phonons | None = None
    dft: DftCalculation | None = None

    @property
    def formula(self) -> str:
        """The formula as `chem.formula.formula_text` spells it, or "" before there is a composition or structure."""
        if self.structure is not None:
            return formula_text(self.structure.composition)
        return formula_text(self.composition or {})

    @property
    def energy_per_atom(self) -> float | None:
        """Energy in eV/atom by the method that `energies["energy"]` names, None where there is none."""
        return self._value("energy")

    @property
    def e_form(self) -> float | None:
        """Formation energy in eV/atom, None where it is not known."""
        return self._value("e_form")

    @property
    def e_above_hull(self) -> float | None:
        """Energy above the hull of known crystals in eV/atom, None where it is not known."""
        return self._value("e_above_hull")

    @property
    def converged(self) -> bool:
        """Whether a relaxation brought forces and stress below their limits."""
        return "relaxed" in self.checks and self.checks["relaxed"].verdict == PASS

    def _value(self, name: str) -> float | None:
        return self.energies[name].value if name in self.energies else None

    def to_ase(self) -> Atoms:
        """The crystal as ASE atoms, with its energy where there is one (`pipeline.convert.to_ase`)."""
        from nucleate.pipeline.convert import to_ase

        return to_ase(self)

    def to_entry(self) -> ComputedStructureEntry:
        """The crystal and its energy for pymatgen's phase diagrams (`pipeline.convert.to_entry`)."""
        from nucleate.pipeline.convert import to_entry

        return to_entry(self)

    def __repr__(self) -> str:
        said = [self.formula] if self.formula and self.formula != self.id else []
        said += [f"{len(self.structure)} atoms"] if self.structure is not None else []
        said += [f"{name} {value:+.3f} eV/atom" for name in ("e_form", "e_above_hull") if (value := self._value(name))]
        if len(said) < 3 and self.energy_per_atom is not None:
            said.append(f"{self.energy_per_atom:.3f} eV/atom")
        if self.failure is not None:
            said.append(f"rejected by {self.failure}")
        else:
            said += [f"{name}: {check.verdict}" for name, check in self.checks.items()]
        return f"<Candidate {', '.join([self.id, *said])}>"

    _repr_html_ = imported_when_called("nucleate.report.notebook", "candidate_html")

    def with_(
        self,
        *,
        structure: Structure | None = None,
        energies: Mapping[str, Energy] | None = None,
        checks: Mapping[str, Check] | None = None,
        provenance: Mapping[str, Any] | None = None,
        composition: Mapping[str, int] | None = None,
        **facts: Any,
    ) -> Candidate:
        """A copy with a new structure or composition and with energies, checks and provenance merged in.

        facts: new values of any other fields, such as relaxation=Relaxation(...).
        """
        return dataclasses.replace(
            self,
            structure=structure if structure is not None else self.structure,
            energies={**self.energies, **(energies or {})},
            checks={**self.checks, **(checks or {})},
            provenance={**self.provenance, **(provenance or {})},
            composition=composition if composition is not None else self.composition,
            **facts,
        )

    def with_origin(self, **parts: Any) -> Candidate:
        """A copy with some fields of its origin replaced, such as generator="mp20-csp"."""
        return dataclasses.replace(self, origin=dataclasses.replace(self.origin, **parts))

    def failed(self, stage: str, code: str, reason: str) -> Candidate:
        """A copy rejected by `stage`. code: one of `nucleate.errors.Code`, for programs. reason: for people."""
        return dataclasses.replace(self, failure=Failure(stage, str(code), reason))

    def finished(self, stage: str) -> Candidate:
        """A copy that has been through `stage`."""
        return self if stage in self.stages else dataclasses.replace(self, stages=(*self.stages, stage))

    def to_dict(self) -> dict[str, Any]:
        """The record of the candidate, as plain JSON values; fields of which nothing is known are left out.

        The structure is pymatgen's dictionary, without site properties.
        """
        from nucleate.generators.conditions import condition_to_dict
        from nucleate.io.write import structure_to_dict

        wanted = {k: v for k, v in to_plain(self.wanted).items() if k != "condition"}
        if self.wanted.condition is not None:
            wanted["condition"] = condition_to_dict(self.wanted.condition)
        known = {
            "wanted": wanted if self.wanted != NOTHING_WANTED else {},
            "origin": to_plain(self.origin),
            "fixed": list(self.fixed),
            "meets": list(self.meets),
            "twin_of": self.twin_of,
        }
        facts = {name: getattr(self, name) for name in FACTS if name != "failure"}
        return {
            "version": VERSION,
            "id": self.id,
            "seed": self.seed,
            "structure": structure_to_dict(self.structure) if self.structure is not None else None,
            "energies": {k: {**vars(v), "method": str(v.method)} for k, v in self.energies.items()},
            "checks": {k: dataclasses.asdict(v) for k, v in self.checks.items()},
            "failure": dataclasses.asdict(self.failure) if self.failure else None,
            "stages": list(self.stages),
            "composition": dict(self.composition) if self.composition else None,
            **{name: value for name, value in known.items() if value},
            **{name: to_plain(value) for name, value in facts.items() if value is not None},
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Candidate:
        """The candidate of a record that `to_dict` made, also in an earlier version. Raises NucleateError, one line,
        for anything else (see `pipeline.record`).

        The structure is built of its lattice, species and coordinates. No class that a record names is imported.
        """
        from nucleate.io.parse import structure_from_dict
        from nucleate.pipeline.record import fields_of_record

        fields = fields_of_record(values)
        structure = fields.pop("structure")
        fields["energies"] = {k: Energy(**v) for k, v in fields["energies"].items()}
        fields["checks"] = {k: Check(**v) for k, v in fields["checks"].items()}
        return cls(structure=structure_from_dict(structure) if structure is not None else None, **fields)

    def to_json(self) -> str:
        """The record as one line of JSON; numbers and arrays of numpy become plain ones."""
        from nucleate.io.write import json_default

        return json.dumps(self.to_dict(), default=json_default)


def candidate_of_formula(text: str, seed: int = 0, *, strict: bool = False) -> Candidate:
    """A candidate with the composition that a text names, and the text as its id; rejected if the text is no formula.

    strict: whether only formulas by `chem.formula.RULE` are read, as for texts that models write.
    """
    candidate = Candidate(" ".join(text.split())[:60] or "(empty)", seed)
    try:
        return candidate.with_(composition=parse_formula(text, strict=strict))
    except NucleateError as error:
        return candidate.failed(READING, Code.NO_FORMULA, str(error).rpartition("is not a formula: ")[2])
