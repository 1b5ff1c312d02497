"""Reading outputs of pw.x, the program of Quantum ESPRESSO for total energies."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.dft.compressed import read_whole_text
from nucleate.dft.method import DftMethod
from nucleate.dft.parsed import ParsedCalculation, spin_remarks

if TYPE_CHECKING:
    from pymatgen.core import Structure

ENERGY = re.compile(r"^!+\s+total energy\s*=\s*(\S+)\s+Ry", re.MULTILINE)
# how pw.x and libxc write functionals -> their usual names
FUNCTIONALS = {
    "SLA PW PBX PBC": "PBE",
    "SLA PW PSX PSC": "PBEsol",
    "SLA PW RPB PBC": "RPBE",
    "SLA PW REVX PBC": "revPBE",
}
FUNCTIONALS |= {"SLA PZ NOGX NOGC": "LDA", "SLA PZ": "LDA", "PZ": "LDA", "SLA PW GGX GGC": "PW91"}
FUNCTIONALS |= {"PBESOL": "PBEsol"}
DISPERSION = (
    (r"^\s*DFT-D3 Dispersion\s*=", "D3"),
    (r"Grimme-D2|DFT-D2|^\s*Parameters for Dispersion", "D2"),
    (r"Dispersion XDM Correction", "XDM"),
    (r"Many-Body Dispersion|\bMBD\b", "MBD"),
    (r"Tkatchenko", "TS"),
    (r"^\s*Dispersion Correction\s*=", "dispersion"),
)


def read_espresso(path: Path) -> ParsedCalculation:
    """The last energy with its structure, or the reason why there is none.

    Raises NucleateError for a file that cannot be uncompressed, and whatever ASE raises for a broken file.
    """
    import io

    import ase.io

    text, whole = read_whole_text(path)
    seconds, energies = wall_seconds(text), ENERGY.findall(text)
    if not energies:
        lost = "convergence NOT achieved" in text
        said = "the self-consistent field did not converge" if lost else "it ended before the first energy"
        return ParsedCalculation(path, reason=_crash(text) or said, seconds=seconds)
    energy = _finite(energies[-1])
    if not math.isfinite(energy):
        return ParsedCalculation(path, reason=f"its last energy is no number ({energies[-1][:20]})", seconds=seconds)
    frames: Any = ase.io.read(io.StringIO(text), index=":", format="espresso-out")
    frames = [a for a in frames if a.calc is not None and "energy" in a.calc.results]
    if not frames:
        return ParsedCalculation(path, reason="there is no structure with the energy", seconds=seconds)
    atoms = frames[-1]
    forces = atoms.calc.results.get("forces")
    if forces is not None and not all(math.isfinite(x) for x in forces.flat):
        return ParsedCalculation(
            path, reason="the forces of the last step have values that are no numbers", seconds=seconds
        )
    structure = structure_from_ase(atoms)
    why = _unconverged(text, whole)
    spin = "Starting magnetic structure" in text or "total magnetization" in text
    return ParsedCalculation(
        path,
        structure,
        float(atoms.get_potential_energy()) / len(atoms),
        _method(text, structure),
        not why,
        steps=len(frames) - 1,
        seconds=seconds,
        moment=_moment(text),
        reason=why,
        remarks=() if spin else tuple(spin_remarks(structure.composition)),
    )


def structure_from_ase(atoms: Any) -> Structure:
    """ASE atoms as a pymatgen structure."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(atoms.cell.array), atoms.get_chemical_symbols(), atoms.get_scaled_positions())


def _unconverged(text: str, whole: bool) -> str:
    """Why the last energy is not that of a converged calculation; "" if it is."""
    if "JOB DONE" not in text or not whole:
        return _crash(text) or "the file has no JOB DONE at its end: pw.x was killed or is still running"
    if "convergence NOT achieved" in text:
        return "a self-consistent field did not converge"
    if "Maximum CPU time exceeded" in text:
        return "stopped by its limit of time (max_seconds)"
    if "Geometry Optimization" in text:
        if "The maximum number of steps has been reached" in text:
            return "the relaxation was stopped by nstep before its forces were small enough"
        if "bfgs failed after" in text and "bfgs converged in" not in text:
            return "the relaxation gave up (bfgs failed)"
        if not re.search("Final e|End final coordinates|bfgs converged in", text):
            return "the relaxation did not come to its end"
    elif re.search(r"Entering Dynamics|Molecular Dynamics Calculation", text) and "Damped Dynamics" not in text:
        return "the last step of molecular dynamics is no relaxed crystal"
    return ""


def _crash(text: str) -> str:
    found = re.search(r"Error in routine\s+(\S+).*\n\s*(.*)", text)
    return f"pw.x stopped with an error in {found[1]}: {found[2].strip()[:100]}" if found else ""


def _method(text: str, structure: Structure) -> DftMethod:
    version = re.search(r"Program PWSCF v\.?\s*(\S+)", text)
    cutoff = re.search(r"kinetic-energy cutoff\s*=\s*([\d.]+)", text)
    found = re.findall(r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|$)", text, re.MULTILINE)
    name = " ".join(found[-1].replace("+", " ").split()) if found else ""
    functional = FUNCTIONALS.get(name.upper(), name or "an unknown functional")
    if exchange := re.search(r"EXX-fraction\s*=\s*([\d.]+)", text):
        functional += f" with {float(exchange[1]):g} of exact exchange"
    for pattern, what in DISPERSION:
        if re.search(pattern, text, re.MULTILINE | re.IGNORECASE):
            functional += f"-{what}"
            break
    if re.search(r"[Nn]on.?collinear calculation with spin-orbit|with spin-orbit", text):
        functional += " with spin-orbit coupling"
    incomparable = "" if name else "its functional is not in the file"
    return DftMethod(
        f"Quantum ESPRESSO {version[1] if version else '?'}",
        functional,
        f"plane waves {float(cutoff[1]):g} Ry" if cutoff else "plane waves of an unknown cutoff",
        _potentials(text),
        _hubbard(text, structure),
        incomparable or ("" if cutoff else "its cutoff is not in the file"),
        scale="PBE" if functional == "PBE" else "",
    )


def _potentials(text: str) -> dict[str, str]:
    """What tells the pseudopotential of each element: its checksum, or the name of its file where there is none."""
    pattern = (
        r"PseudoPot\. #\s*\d+ for\s+(\w+).*(?:\n.*)?read from file:?\s*\n?\s*(\S+)(?:\s*\n\s*MD5 check sum:\s*(\w+))?"
    )
    out = {}
    for label, file, digest in re.findall(pattern, text):
        element = re.match(r"[A-Z][a-z]?", label)
        out[element[0] if element else label] = digest or Path(file).name
    return out


def _hubbard(text: str, structure: Structure) -> dict[str, str]:
    """The Hubbard U of each element that has one, in words. Versions of pw.x print it in different ways."""
    if not re.search(r"LDA\+U calculation|DFT\+U|Hubbard energy\s*=", text):
        return {}
    block = re.search(r"LDA\+U calculation.*\n.*\n((?:\s+[A-Z]\w*\s+\d\s+[\d.]+.*\n)+)", text)
    rows = re.findall(r"^\s*([A-Z][a-z]?)\w*\s+\d\s+([\d.]+)", block[1], re.MULTILINE) if block else []
    rows += re.findall(r"U\(([A-Z][a-z]?)\d*-\d[spdf]\)\s*=\s*([\d.]+)", text)
    mine = {e: f"{float(u):g} eV" for e, u in rows if float(u) > 0 and e in {s.specie.symbol for s in structure}}
    return mine or {str(e): "of an unknown size" for e in structure.composition.element_composition}


def _finite(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _moment(text: str) -> float | None:
    found = re.findall(r"total magnetization\s*=\s*(-?[\d.]+)", text)
    return float(found[-1]) if found else None


def wall_seconds(text: str) -> float:
    """Wall time of "PWSCF : 1h23m CPU 1h30m WALL" in seconds."""
    found = re.search(r"PWSCF\s*:.*CPU\s+(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:([\d.]+)s)?\s*WALL", text)
    hours, minutes, seconds = (float(x) if x else 0.0 for x in found.groups()) if found else (0.0, 0.0, 0.0)
    return 3600 * hours + 60 * minutes + seconds
