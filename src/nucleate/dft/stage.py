"""DFT of candidates: relaxation, formation energy and energy above the hull; failures keep their reasons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nucleate.dft.frames import to_structure
from nucleate.dft.hull import Compound, dft_above_hull, dft_formation_energy
from nucleate.dft.job import DONE, FAILED, CalculationOutcome, Runner
from nucleate.dft.method import DftMethod, correction_of
from nucleate.dft.references import ReferencePhase, References, crystal_atoms
from nucleate.errors import NucleateError
from nucleate.io import safe_names
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.method import EnergyMethod
from nucleate.pipeline.state import DftCalculation
from nucleate.relaxation.guard import OutOfRange

if TYPE_CHECKING:
    from pymatgen.core import Structure

# of a result, with places of their own
OWN_FIELDS = "status", "reason", "steps", "seconds", "atoms", "digest", "method"
T = TypeVar("T")
R = TypeVar("R")
PLAIN = DftMethod("", "PBE", "", scale="PBE")  # method of `nucleate dft run`, which has no U


@dataclass(frozen=True)
class ComputedCandidate:
    """A candidate and its DFT results: energies in eV/atom, None where they are not known.

    structure: after the relaxation. e_form_corrected, e_above_hull_corrected: with the MP2020 corrections of the
    anions. missing: phases or elements without an energy. lower_bound: whether e_above_hull is only a lower bound,
    because phases are missing. remarks: what else a reader of the numbers should know.
    """

    candidate: Candidate
    outcome: CalculationOutcome
    structure: Structure | None = None
    e_form: float | None = None
    e_form_corrected: float | None = None
    e_above_hull: float | None = None
    e_above_hull_corrected: float | None = None
    missing: tuple[str, ...] = ()
    lower_bound: bool = False
    remarks: tuple[str, ...] = ()


def compute_candidates(
    candidates: Sequence[Candidate],
    folder: Path,
    runner: Runner,
    references: References,
    workers: int = 1,
    report: Callable[[Sequence[ComputedCandidate]], None] | None = None,
) -> list[ComputedCandidate]:
    """The results of all candidates, in the order given.

    Calculated are first the elements, then the candidates, then the phases that they compete with. folder: gets a
    folder for each candidate. workers: calculations at the same time. report: called with all results so far whenever
    there are new ones. A candidate, element or phase that fails does not stop the others. Raises KeyboardInterrupt, and
    NucleateError where files cannot be written (a full disk), after all processes have ended; the same call then
    continues.
    """
    done: dict[str, CalculationOutcome] = {}
    phases: dict[frozenset[str], list[ReferencePhase]] = {}
    of_phases: dict[str, CalculationOutcome] = {}
    systems = {c.id: _system(c) for c in candidates}
    symbols = sorted(frozenset().union(*systems.values()))
    folders = dict(zip(systems, safe_names(systems), strict=True))  # different ids may become equal as names of files
    elements = dict(_each(symbols, references.element, runner, workers))

    def results() -> list[ComputedCandidate]:
        chosen = [c for c in candidates if c.id in done]
        return [_judge(c, done[c.id], elements, phases.get(systems[c.id]), of_phases) for c in chosen]

    def tell() -> None:
        if report is not None:
            report(results())

    def own(candidate: Candidate) -> CalculationOutcome:
        return _candidate(candidate, folder / folders[candidate.id], runner)

    for candidate, outcome in _each(candidates, own, runner, workers):
        done[candidate.id] = outcome
        tell()
    for system in sorted({systems[id] for id, outcome in done.items() if outcome.status == DONE}, key=sorted):
        phases[system] = _phases(references, system)
        todo = [p for p in phases[system] if p.structure is not None and p.source not in of_phases]
        for phase, outcome in _each(todo, references.phase, runner, workers):
            of_phases[phase.source] = outcome
            tell()
        tell()
    return results()


def _each(items: Iterable[T], function: Callable[[T], R], runner: Runner, workers: int) -> Iterator[tuple[T, R]]:
    """(item, result) in the order in which they end. Each thread waits for one process; at the end all have ended."""
    pool = ThreadPoolExecutor(workers)
    try:
        futures = {pool.submit(function, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        runner.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _system(candidate: Candidate) -> frozenset[str]:
    if candidate.structure is None:
        return frozenset()
    return frozenset(str(e) for e in candidate.structure.composition.element_composition)


def _candidate(candidate: Candidate, folder: Path, runner: Runner) -> CalculationOutcome:
    if candidate.structure is None:
        return CalculationOutcome(FAILED, "there is no structure")
    try:
        atoms = crystal_atoms(candidate.structure, runner.settings.spin)
    except OutOfRange as error:
        return CalculationOutcome(FAILED, str(error))
    return runner.run(f"{candidate.id} {candidate.formula}", folder, "crystal", atoms)


def _phases(references: References, system: frozenset[str]) -> list[ReferencePhase]:
    try:
        return references.phases(system)
    except NucleateError as error:
        return [ReferencePhase("the hull", "", None, str(error))]


def _judge(
    candidate: Candidate,
    outcome: CalculationOutcome,
    of_elements: Mapping[str, CalculationOutcome],
    phases: Sequence[ReferencePhase] | None,
    of_phases: Mapping[str, CalculationOutcome],
) -> ComputedCandidate:
    """phases: those that the candidate competes with, None as long as they are not known. of_phases: outcomes by
    source."""
    if outcome.result is None:
        return ComputedCandidate(candidate, outcome)
    structure = to_structure(outcome.result["atoms"])
    compound = _compound(structure, outcome)
    found = {e: of_elements[e] for e in sorted(_system(candidate))}
    missing = [f"element {e} ({o.status}: {o.reason})" for e, o in found.items() if o.energy is None]
    if missing:
        return ComputedCandidate(candidate, outcome, structure, missing=tuple(missing))
    elements = {e: o.energy for e, o in found.items() if o.energy is not None}
    known = []
    for phase in phases or ():
        of_phase = of_phases.get(phase.source)
        if of_phase is not None and of_phase.result is not None:
            known.append(_compound(to_structure(of_phase.result["atoms"]), of_phase))
        elif phase.structure is None:
            missing.append(phase.label)
        else:
            why = f"{of_phase.status}: {of_phase.reason}" if of_phase else "not computed yet"
            missing.append(f"{phase.formula} ({why})")
    above: dict[bool, float | None] = {False: None, True: None}
    kinds = (False, True) if compound.correction is not None else (False,)  # raw, corrected
    # with only the elements on the hull the distance would say nothing
    if phases is not None and (known or not missing):
        above = {c: dft_above_hull(compound, elements, known, c) for c in kinds}
    return ComputedCandidate(
        candidate,
        outcome,
        structure,
        dft_formation_energy(compound, elements),
        dft_formation_energy(compound, elements, corrected=True) if True in kinds else None,
        above.get(False),
        above.get(True),
        tuple(missing),
        lower_bound=bool(missing),
        remarks=(f"no e_form + MP2020: {why}",) if (why := correction_of(PLAIN, structure)[1]) else (),
    )


def _compound(structure: Structure, outcome: CalculationOutcome) -> Compound:
    assert outcome.energy is not None
    return Compound(structure.composition, outcome.energy, correction_of(PLAIN, structure)[0])


def to_candidate(computed: ComputedCandidate, method: str) -> Candidate:
    """The candidate with structure and energies of DFT in place of those that it came with.

    Its provenance says how the calculation ended ("dft"), and which structure and energies it came with ("before_dft").
    """
    c, o = computed.candidate, computed.outcome
    said = DftCalculation(o.status, o.reason, o.steps, o.seconds)
    if o.result is None:
        return c.with_(dft=said, provenance={"dft": {"status": o.status, "reason": o.reason}})
    said = dataclasses.replace(
        said,
        missing=tuple(computed.missing),
        lower_bound=computed.lower_bound,
        remarks=tuple(computed.remarks),
        details={k: v for k, v in o.result.items() if k not in OWN_FIELDS},
    )
    before = {"structure": c.structure.as_dict() if c.structure else None}
    before |= {k: {"value": e.value, "method": e.method, "reference": e.reference} for k, e in c.energies.items()}
    ended = {"status": o.status, "converged": bool(o.result.get("converged"))}
    raw = EnergyMethod(method)
    corrected = raw.with_corrections()
    energies = {"energy": Energy(o.result["energy"], raw)}
    for name, value, how in (
        ("e_form", computed.e_form, raw),
        ("e_form_mp2020", computed.e_form_corrected, corrected),
        ("e_above_hull", computed.e_above_hull, raw),
        ("e_above_hull_mp2020", computed.e_above_hull_corrected, corrected),
    ):
        if value is not None:
            energies[name] = Energy(value, how, "computed with the same settings")
    out = c.with_(structure=computed.structure, dft=said, provenance={"dft": ended, "before_dft": before})
    return dataclasses.replace(out, energies=energies)


def to_row(computed: ComputedCandidate, method: str) -> dict[str, Any]:
    """A row of plain values for tables: lengths in angstrom, angles in degrees, energies in eV/atom, the change of the
    volume in percent."""
    from nucleate.crystal.symmetry import space_group

    c, o, s = computed.candidate, computed.outcome, computed.structure
    before = c.energies.get("e_form")
    mine = computed.e_form if before and before.method.corrected is False else computed.e_form_corrected
    lattice = _conventional(s)
    change = None
    if s is not None and c.structure is not None:
        change = 100 * (s.volume / len(s) / (c.structure.volume / len(c.structure)) - 1)
    return {
        "id": c.id,
        "formula": c.formula,
        "atoms": len(s) if s is not None else len(c.structure or ()),
        "status": o.status if o.status != DONE or o.result is None or o.result["converged"] else "not converged",
        "reason": o.reason,
        "space_group": space_group(s, 0.01)[1] if s is not None else "",
        **{k: lattice[i] if lattice else None for i, k in enumerate(("a", "b", "c", "alpha", "beta", "gamma"))},
        "volume_change": change,
        "e_form": computed.e_form,
        "e_form_mp2020": computed.e_form_corrected,
        "e_above_hull": computed.e_above_hull,
        "e_above_hull_mp2020": computed.e_above_hull_corrected,
        "lower_bound": computed.lower_bound,
        "missing": "; ".join(computed.missing),
        "remarks": " | ".join(computed.remarks),
        "potential_e_form": before.value if before else None,
        "potential": before.method if before else "",
        "difference": mine - before.value if before and mine is not None else None,
        "moment": o.result["moment"] if o.result else None,
        "steps": o.steps,
        "seconds": o.seconds,
        "method": method,
    }


def _conventional(structure: Structure | None) -> tuple[float, ...] | None:
    """a, b, c (angstrom), alpha, beta, gamma (degrees) of the conventional cell, which handbooks give."""
    if structure is None:
        return None
    from pymatgen.core import Lattice

    from nucleate.crystal.symmetry import find_symmetry

    try:
        numbers = [site.specie.Z for site in structure]
        cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, 0.01).std_cell
    except ValueError:
        return structure.lattice.parameters
    return tuple(round(x, 5) for x in Lattice(cell.basis).parameters)
