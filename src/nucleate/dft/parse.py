"""Outputs of VASP, Quantum ESPRESSO and our own jobs, into the same table.

Elements among them are what formation energies are counted from, and compounds compete with each other; only results
of one method meet.
"""

from __future__ import annotations

import gzip
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.dft.frames import read_json, to_structure
from nucleate.dft.hull import Compound, above_hull, formation_energy
from nucleate.dft.inputs import CANDIDATE
from nucleate.dft.job import DONE, FAILED, Outcome
from nucleate.dft.stage import Computed
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.corrections import known_correction

if TYPE_CHECKING:
    from pymatgen.core import Structure

NAMES = ("vasprun.xml", "vasprun.xml.gz", "result.json", "pw.out", "*.pwo", "*.out")


@dataclass(frozen=True)
class Parsed:
    """One output. energy: eV/atom as the program says it. plus_u: a PBE+U energy, which means nothing beside PBE ones
    before it is corrected. reason: why there is no energy."""

    file: Path
    structure: Structure | None = None
    energy: float | None = None
    method: str = ""
    converged: bool = True
    plus_u: bool = False
    steps: int = 0
    seconds: float = 0.0
    moment: float | None = None
    reason: str = ""


def find_outputs(paths: Iterable[Path]) -> list[Path]:
    """One output file of each folder and its sub-folders, by `NAMES`; a file is taken as it is.

    Raises NucleateError for a path that does not exist, or where there is none at all.
    """
    out = []
    for path in paths:
        if path.is_file():
            out.append(path)
            continue
        if not path.is_dir():
            raise NucleateError(f"{path} does not exist")
        for folder in sorted([path, *(p for p in path.rglob("*") if p.is_dir() and ".old-" not in p.name)]):
            here = (p for name in NAMES for p in sorted(folder.glob(name)) if p.is_file() and _kind(p))
            out += [p for p in [next(here, None)] if p is not None]
    if not out:
        raise NucleateError(f"no output of VASP, pw.x or nucleate dft in {', '.join(map(str, paths))}")
    return out


def parse(path: Path) -> Parsed:
    """What an output says; one that cannot be read is a record with the reason."""
    reader = _kind(path)
    if reader is None:
        return Parsed(path, reason="not an output of VASP, pw.x or nucleate dft")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return reader(path)
    except Exception as error:  # a truncated file breaks its reader in many ways
        text = " ".join(str(error).split())[:150]
        return Parsed(path, reason=f"cannot be read ({type(error).__name__}{': ' if text else ''}{text})")


def judge(results: Sequence[Parsed]) -> list[Computed]:
    """Formation energies and distances to the hull among the results, each with its own method's alone."""
    elements: dict[tuple[str, str], float] = {}
    compounds: dict[str, list[tuple[Parsed, Compound]]] = {}
    for r in results:
        if r.structure is None or r.energy is None:
            continue
        composition = r.structure.composition.element_composition
        if len(composition) == 1:
            key = (r.method, str(composition.elements[0]))
            elements[key] = min(r.energy, elements.get(key, r.energy))
        else:
            correction = known_correction(r.structure, plus_u=r.plus_u)
            compounds.setdefault(r.method, []).append((r, Compound(composition, r.energy, correction)))
    return [_judge(r, elements, compounds.get(r.method, [])) for r in results]


def _judge(r: Parsed, elements: dict[tuple[str, str], float], compounds: Sequence[tuple[Parsed, Compound]]) -> Computed:
    candidate = _candidate(r)
    if r.structure is None or r.energy is None:
        return Computed(candidate, Outcome(FAILED, r.reason, steps=r.steps, seconds=r.seconds))
    result = {"energy": r.energy, "converged": r.converged, "moment": r.moment, "plus_u": r.plus_u}
    outcome = Outcome(DONE, "", result, r.steps, r.seconds)
    composition = r.structure.composition.element_composition
    symbols = [str(e) for e in composition]
    known = {e: elements[r.method, e] for e in symbols if (r.method, e) in elements}
    missing = tuple(f"element {e}" for e in symbols if e not in known)
    if missing:
        return Computed(candidate, outcome, r.structure, missing=missing)
    own = next((c for p, c in compounds if p is r), Compound(composition, r.energy))
    values: dict[str, Any] = {}
    for suffix, corrected in (("", False), ("_corrected", True)):
        rivals = [c for p, c in compounds if p is not r and (corrected or not p.plus_u)]
        others = [c for c in rivals if {str(e) for e in c.composition} <= set(symbols)]
        if own.correction is not None if corrected else not r.plus_u:
            values[f"e_form{suffix}"] = formation_energy(own, known, corrected)
            if others:
                values[f"e_above_hull{suffix}"] = above_hull(own, known, others, corrected)
    return Computed(candidate, outcome, r.structure, bound=True, **values)  # nobody knows what else was not computed


def _candidate(r: Parsed) -> Candidate:
    """Whose output it is, of the file that `dft.inputs` left beside it; else a new one named after the folder."""
    record = read_json(r.file.parent / CANDIDATE) or {}
    if isinstance(record.get("candidate"), dict):
        return Candidate.from_dict(record["candidate"])
    default = r.file.parent.name if r.file.name in ("vasprun.xml", "vasprun.xml.gz", "result.json", "pw.out") else ""
    return Candidate(str(record.get("name") or default or r.file.stem), structure=r.structure)


def _kind(path: Path) -> Callable[[Path], Parsed] | None:
    """The reader of this file, by its name and its first lines."""
    if path.name == "result.json":
        return _ours
    if "vasprun" in path.name:
        return _vasp
    try:
        with path.open("rb") as file:
            return _espresso if b"Program PWSCF" in file.read(4096) else None
    except OSError:
        return None


def _ours(path: Path) -> Parsed:
    values = read_json(path)
    if values is None or "status" not in values:
        return Parsed(path, reason="no result of nucleate dft")
    if values["status"] != DONE:
        return Parsed(path, reason=str(values["reason"]), steps=values["steps"], seconds=values["seconds"])
    return Parsed(
        path,
        to_structure(values["atoms"]),
        float(values["energy"]),
        str(values["method"]),
        bool(values["converged"]),
        steps=int(values["steps"]),
        seconds=float(values["seconds"]),
        moment=values["moment"],
    )


def _vasp(path: Path) -> Parsed:
    from pymatgen.io.vasp.outputs import Vasprun

    run = Vasprun(path, parse_dos=False, parse_eigen=False, parse_potcar_file=False, exception_on_bad_xml=False)
    if not run.ionic_steps or not run.final_structure:
        return Parsed(path, reason="it ended before the first step")
    structure, steps = run.final_structure, run.ionic_steps
    cutoff = float(run.parameters.get("ENCUT") or run.parameters.get("ENMAX") or 0)
    functional = {"PE": "PBE", "PS": "PBEsol", "91": "PW91"}.get(str(run.parameters.get("GGA", "PE")).upper(), "GGA")
    # PBE and PBE+U energies carry one name, for the corrections put them on one scale
    method = f"VASP {run.vasp_version.split()[0]} {functional}(+U), plane waves {cutoff:g} eV (uncorrected)"
    return Parsed(
        path,
        structure,
        float(run.final_energy) / len(structure),
        method,
        bool(run.converged) and _ended(path),
        plus_u=bool(run.is_hubbard),
        steps=len(steps) - 1,
    )


def _ended(path: Path) -> bool:
    """Whether VASP wrote the last line of its XML."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.rstrip().endswith(b"</modeling>")


def _espresso(path: Path) -> Parsed:
    import ase.io

    text = path.read_text(encoding="utf-8", errors="replace")
    frames: Any = ase.io.read(path, index=":", format="espresso-out")
    frames = [a for a in frames if a.calc is not None and "energy" in a.calc.results]
    seconds = _clock(text)
    if not frames:
        lost = "convergence NOT achieved" in text
        said = "the self-consistent field did not converge" if lost else "it ended before the first energy"
        return Parsed(path, reason=said, seconds=seconds)
    atoms = frames[-1]
    version = re.search(r"Program PWSCF v\.?\s*(\S+)", text)
    cutoff = re.search(r"kinetic-energy cutoff\s*=\s*([\d.]+)", text)
    functional = re.search(r"Exchange-correlation\s*=\s*(.+?)\s*(?:\(|$)", text, re.MULTILINE)
    method = f"Quantum ESPRESSO {version[1] if version else '?'} {functional[1] if functional else '?'}, "
    method += f"plane waves {float(cutoff[1]) if cutoff else 0:g} Ry (uncorrected)"
    moving = "Final enthalpy" in text or "End final coordinates" in text or "Geometry Optimization" not in text
    return Parsed(
        path,
        _structure(atoms),
        float(atoms.get_potential_energy()) / len(atoms),
        method,
        "JOB DONE" in text and moving and "convergence NOT achieved" not in text,
        steps=len(frames) - 1,
        seconds=seconds,
        moment=_moment(text),
    )


def _structure(atoms: Any) -> Structure:
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(atoms.cell.array), atoms.get_chemical_symbols(), atoms.get_scaled_positions())


def _moment(text: str) -> float | None:
    found = re.findall(r"total magnetization\s*=\s*(-?[\d.]+)", text)
    return float(found[-1]) if found else None


def _clock(text: str) -> float:
    """Wall time of "PWSCF : 1h23m CPU 1h30m WALL" in seconds."""
    found = re.search(r"PWSCF\s*:.*CPU\s+(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:([\d.]+)s)?\s*WALL", text)
    hours, minutes, seconds = (float(x) if x else 0.0 for x in found.groups()) if found else (0.0, 0.0, 0.0)
    return 3600 * hours + 60 * minutes + seconds
