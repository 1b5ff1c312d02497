"""What a run of VASP came to, as `ParsedCalculation`, whether it was read from vasprun.xml or OUTCAR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.dft.method import mp_potentials, why_no_corrections
from nucleate.dft.parsed import ParsedCalculation, spin_remarks
from nucleate.dft.vasp_method import vasp_method
from nucleate.dft.vasp_run import VaspRun, largest_force, non_finite_part, why_no_energy, why_unconverged
from nucleate.dft.vasp_settings import tag_integer

if TYPE_CHECKING:
    from pymatgen.core import Structure


def parsed_vasp(path: Path, run: VaspRun) -> ParsedCalculation:
    """The result of a run; for one without a final energy, a record with the reason."""
    steps = max(run.steps - 1, 0)
    step = run.final
    if run.broken:
        return ParsedCalculation(path, reason=f"{run.broken}, {_how_far(run)}", steps=steps)
    if lost := why_no_energy(run):
        return ParsedCalculation(path, reason=lost, steps=steps)
    if step is None:
        return ParsedCalculation(path, reason="it ended before the first ionic step was done", steps=steps)
    if lost := non_finite_part(step):
        what = "is not there or no number" if lost == "energy" else "have values that are no numbers"
        return ParsedCalculation(path, reason=f"the {lost} of ionic step {run.steps} {what}", steps=steps)
    if len(run.symbols) != len(step.positions) or not len(run.symbols):
        said = f"{len(run.symbols)} atoms are named, {len(step.positions)} have positions"
        return ParsedCalculation(path, reason=said, steps=steps)
    structure, method = _structure(run), vasp_method(run)
    remarks = [] if why_no_corrections(method, structure.composition) else _other_potentials(method.potentials)
    if tag_integer(run.settings, "ISPIN", 1) == 1:
        remarks += spin_remarks(structure.composition)
    why = why_unconverged(run)
    return ParsedCalculation(
        path,
        structure,
        step.energy / len(structure),
        method,
        not why,
        steps=steps,
        reason=why,
        remarks=tuple(remarks),
    )


def _how_far(run: VaspRun) -> str:
    if run.last is None:
        return "in the first ionic step"
    of = f" of at most {run.nsw}" if run.nsw > 0 else ""
    force = largest_force(run.last)
    left = f" ({force:.2g} eV/angstrom left)" if force is not None and force == force else ""
    return f"after {run.steps} whole ionic steps{of}{left}"


def _structure(run: VaspRun) -> Structure:
    from pymatgen.core import Lattice, Structure

    assert run.final is not None
    return Structure(Lattice(run.final.lattice), list(run.symbols), run.final.positions)


def _other_potentials(titles: Mapping[str, str]) -> list[str]:
    """A remark on POTCARs other than those of the Materials Project, with which MP2020 corrections were fitted."""
    theirs = mp_potentials(titles)
    names = {e: [*titles[e].split(), "", ""][1] for e in theirs}
    other = [f"{names[e]} ({e}; there {theirs[e]})" for e in sorted(theirs) if names[e] != theirs[e]]
    return [f"POTCARs other than the Materials Project's: {', '.join(other)}"] if other else []
