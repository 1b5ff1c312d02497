"""Formation energies and distances to the hull among outputs that were read: only results of one method meet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nucleate.chem.formula import formula_text
from nucleate.dft.hull import Compound, dft_above_hull, dft_formation_energy
from nucleate.dft.job import DONE, FAILED, CalculationOutcome
from nucleate.dft.method import DftMethod, correction_of
from nucleate.dft.parsed import ParsedCalculation
from nucleate.dft.stage import ComputedCandidate
from nucleate.pipeline.candidate import Candidate

LARGEST = 6.0  # eV/atom; a formation energy of a larger size points to wrong files


@dataclass(frozen=True)
class _Result:
    """A result with an energy. uncorrected: why it has no MP2020 correction; "" where it has one."""

    parsed: ParsedCalculation
    method: DftMethod
    compound: Compound
    symbols: tuple[str, ...]
    uncorrected: str


def judge_outputs(results: Sequence[ParsedCalculation], names: Sequence[Candidate]) -> list[ComputedCandidate]:
    """Formation energies and energies above the hull (eV/atom) of the results, from each other.

    Elements among the results are what formation energies are counted from, compounds among them compete. names: the
    candidate of each result, in the same order.
    """
    known = [_result(r) for r in results]
    whole = [k for k in known if k is not None]
    return [_judge(r, k, c, whole) for r, k, c in zip(results, known, names, strict=True)]


def _result(r: ParsedCalculation) -> _Result | None:
    if r.structure is None or r.energy is None or r.method is None:
        return None
    composition = r.structure.composition.element_composition
    symbols = tuple(str(e) for e in composition)
    correction, uncorrected = correction_of(r.method, r.structure)
    return _Result(r, r.method, Compound(composition, r.energy, correction), symbols, uncorrected)


def _judge(
    r: ParsedCalculation, own: _Result | None, candidate: Candidate, all_: Sequence[_Result]
) -> ComputedCandidate:
    if own is None or r.structure is None:
        return ComputedCandidate(
            candidate, CalculationOutcome(FAILED, r.reason or "there is no energy", steps=r.steps, seconds=r.seconds)
        )
    result: dict[str, Any] = {"energy": r.energy, "converged": r.converged, "moment": r.moment}
    result |= {"plus_u": bool(own.method.hubbard), "file": str(r.file)}
    outcome = CalculationOutcome(DONE, r.reason, result, r.steps, r.seconds)
    if own.method.incomparable:
        return ComputedCandidate(candidate, outcome, r.structure, missing=(own.method.incomparable,), remarks=r.remarks)
    elements = [k for k in all_ if len(k.symbols) == 1 and k.symbols[0] in own.symbols]
    values: dict[str, Any] = {}
    missing: dict[str, None] = {}  # an ordered set
    for suffix, corrected in (("", False), ("_corrected", True)):
        if corrected and own.uncorrected:
            continue
        found = {e: _reference(own, e, elements, corrected) for e in own.symbols}
        missing |= dict.fromkeys(_together({e: why for e, why in found.items() if isinstance(why, str)}))
        energies = {e: x for e, x in found.items() if isinstance(x, float)}
        if len(energies) == len(found):
            values[f"e_form{suffix}"] = dft_formation_energy(own.compound, energies, corrected)
            if rivals := [k.compound for k in all_ if _competes(k, own, corrected)]:
                values[f"e_above_hull{suffix}"] = dft_above_hull(own.compound, energies, rivals, corrected)
    remarks = [*r.remarks, *_another(candidate, own)]
    if values and own.uncorrected and len(own.symbols) > 1:
        remarks.append(f"no e_form + MP2020: {own.uncorrected}")
    if values and missing:
        which = "e_form" if "e_form" not in values else "e_form + MP2020"
        remarks.append(f"no {which}, for want of {', '.join(missing)}")
        missing = {}
    if any(abs(v) > LARGEST for k, v in values.items() if k.startswith("e_form")):
        remarks.append(f"a formation energy beyond {LARGEST:g} eV/atom is no real one: look at the files")
    return ComputedCandidate(
        candidate,
        outcome,
        r.structure,
        missing=tuple(missing),
        lower_bound=bool(values),  # phases that nobody computed may lie lower
        remarks=tuple(remarks),
        **values,
    )


def _another(candidate: Candidate, own: _Result) -> list[str]:
    """A remark where the candidate.json beside the output is of another compound than the output."""
    theirs, mine = candidate.formula, formula_text(own.compound.composition)
    return [f"the candidate.json beside it is of {theirs}, the output of {mine}"] if theirs not in ("", mine) else []


def _together(missing: Mapping[str, str]) -> list[str]:
    """One text for each reason, with all elements that are missing for that reason."""
    out = []
    for why in dict.fromkeys(missing.values()):
        symbols = [e for e, text in missing.items() if text == why]
        out.append(f"element{'s' if len(symbols) > 1 else ''} {', '.join(symbols)}{why}")
    return out


def _reference(own: _Result, element: str, elements: Iterable[_Result], corrected: bool) -> float | str:
    """The lowest energy of an element by the method of `own` (eV/atom), or what is missing: words to be put behind the
    name of the element.

    corrected: for an energy with MP2020 corrections. These already account for the U of the compound, so the element
    has to be computed without U.
    """
    here = [k for k in elements if k.symbols == (element,)]
    if not here:
        return ""
    by_method = [k for k in here if k.method.key == own.method.key and not k.method.incomparable]
    if not by_method:
        others = dict.fromkeys(k.method.incomparable or k.method.key for k in here)
        return f" by its own method, {own.method.key} (there is: {'; '.join(others)})"
    title = own.method.potentials.get(element, "")
    alike = [k for k in by_method if k.method.potentials.get(element, "") == title]
    if not alike:
        others = dict.fromkeys(k.method.potentials.get(element) or "an unknown one" for k in by_method)
        return f" with its own potential, {title or 'which is not known'} (there is: {'; '.join(others)})"
    u = "" if corrected else own.method.hubbard.get(element, "")
    same = [k for k in alike if k.method.hubbard.get(element, "") == u]
    if not same:
        return f" with {f'U = {u}' if u else 'no U'}"
    done = [k.compound.energy for k in same if k.parsed.converged]
    if not done and all(k is not own for k in same):
        return " that is converged"
    return min(done or [own.compound.energy])


def _competes(other: _Result, own: _Result, corrected: bool) -> bool:
    """Whether the compound `other` may stand on the hull that `own` is compared with."""
    if other is own or len(other.symbols) < 2 or not set(other.symbols) <= set(own.symbols):
        return False
    if other.method.key != own.method.key or other.method.incomparable or not other.parsed.converged:
        return False
    if not _agree(other.method.potentials, own.method.potentials, other.symbols):
        return False
    return not other.uncorrected if corrected else _agree(other.method.hubbard, own.method.hubbard, other.symbols)


def _agree(a: Mapping[str, str], b: Mapping[str, str], symbols: Iterable[str]) -> bool:
    return all(a.get(e, "") == b.get(e, "") for e in symbols)
