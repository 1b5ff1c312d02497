"""Inputs for programs that run elsewhere: VASP as the Materials Project sets it up, Quantum ESPRESSO, an atomate2 flow.

Every folder also gets candidate.json, from which `dft.parse` knows whose output it reads.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.dft.elements import reference_state
from nucleate.dft.frames import to_record, to_structure, write_json
from nucleate.dft.references import crystal_atoms
from nucleate.dft.settings import MOLECULE_SMEARING, DFTSettings, k_grid
from nucleate.errors import NucleateError
from nucleate.io import replacing, safe_name
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.guard import Blown

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

CODES = ("vasp", "qe")
CANDIDATE = "candidate.json"
RYDBERG = 13.605693  # eV
# Ultrasoft and PAW pseudopotentials (SSSP) want this many Rydberg, and eight times as many for the density
QE_CUTOFFS = {"fast": 45.0, "standard": 60.0, "tight": 90.0}


@dataclass(frozen=True)
class Work:
    """One calculation to set up. name: its folder. kind: "crystal" or "molecule"."""

    name: str
    kind: str
    atoms: Atoms
    candidate: Candidate | None = None

    @property
    def structure(self) -> Structure:
        return to_structure(to_record(self.atoms))


def works(candidates: Iterable[Candidate], elements: bool = True) -> tuple[list[Work], list[str]]:
    """What is to be calculated, the candidates and the elements that their formation energies need; and, one line
    each, what cannot be."""
    out: list[Work] = []
    refused: list[str] = []
    symbols: set[str] = set()
    for c in candidates:
        try:
            if c.structure is None:
                raise Blown("there is no structure")
            out.append(Work(safe_name(c.id), "crystal", crystal_atoms(c.structure), c))
            symbols |= {str(e) for e in c.structure.composition.element_composition}
        except Blown as error:
            refused.append(f"{c.id}: {error}")
    for symbol in sorted(symbols) if elements else ():
        try:
            kind, atoms = reference_state(symbol)
            out.append(Work(f"elements/{symbol}", kind, atoms))
        except NucleateError as error:
            refused.append(str(error))
    return out, refused


def write_vasp(work: Work, folder: Path) -> None:
    """INCAR, KPOINTS, POSCAR and POTCAR.spec (the names of the licensed files) of pymatgen's MPRelaxSet."""
    from pymatgen.io.vasp.inputs import Kpoints
    from pymatgen.io.vasp.sets import MPRelaxSet

    structure = work.structure
    special: dict[str, Any] = {}
    if work.kind == "molecule":
        incar = {"ISIF": 2, "ISMEAR": 0, "SIGMA": MOLECULE_SMEARING}
        if total := sum(work.atoms.get_initial_magnetic_moments()):
            structure.add_site_property("magmom", work.atoms.get_initial_magnetic_moments().tolist())
            incar |= {"NUPDOWN": round(total)}
        special = {"user_incar_settings": incar, "user_kpoints_settings": Kpoints()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of POTCARs that are not here
        try:
            MPRelaxSet(structure, **special).write_input(str(folder), potcar_spec=True)
        except (ValueError, KeyError) as error:
            raise NucleateError(f"{work.name}: MPRelaxSet cannot set it up ({str(error)[:150]})") from None


def write_qe(
    work: Work,
    folder: Path,
    settings: DFTSettings,
    cutoff: float,
    pseudos: Mapping[str, str],
    pseudo_dir: str = "./pseudo",
) -> None:
    """pw.in for pw.x: vc-relax of a crystal, relax of a molecule. cutoff: Rydberg. pseudos: file names by element."""
    import io

    from ase.io.espresso import write_espresso_in

    molecule = work.kind == "molecule"
    width = MOLECULE_SMEARING if molecule else settings.smearing
    moments = work.atoms.get_initial_magnetic_moments()
    system: dict[str, Any] = {"ecutwfc": cutoff, "ecutrho": 8 * cutoff, "occupations": "smearing"}
    system |= {"smearing": "fermi-dirac", "degauss": round(width / RYDBERG, 8)}
    if moments.any():
        system |= {"nspin": 2} | ({"tot_magnetization": float(moments.sum())} if molecule else {})
    data = {
        "control": {
            "calculation": "relax" if molecule else "vc-relax",
            "prefix": re.sub(r"\W", "_", work.name),
            "pseudo_dir": pseudo_dir,
            "outdir": "./scratch",
            "nstep": max(settings.max_steps, 1),
            "forc_conv_thr": settings.fmax / (RYDBERG / 0.529177),
            "tprnfor": True,
            "tstress": True,
        },
        "system": system,
        "electrons": {"conv_thr": 1e-9 * len(work.atoms), "mixing_beta": 0.4},
        "ions": {},
        "cell": {},
    }
    grid = (1, 1, 1) if molecule else k_grid(work.atoms.cell.array, settings.k_spacing)
    atoms = work.atoms.copy()
    atoms.set_initial_magnetic_moments(np.clip(moments / 8, -1, 1))  # pw.x wants a share of the valence electrons
    text = io.StringIO()
    write_espresso_in(text, atoms, input_data=data, pseudopotentials=dict(pseudos), kpts=grid)
    with replacing(folder / "pw.in") as temporary:  # without the empty namelists that older versions do not know
        temporary.write_text(re.sub(r"&(FCP|RISM)\n/\n", "", text.getvalue()), encoding="utf-8")


def pseudopotentials(folder: Path | None, elements: Iterable[str]) -> dict[str, str]:
    """The file of each element in a folder of UPF files; Xx.upf where no folder is given.

    Raises NucleateError naming the elements without a file, or with several.
    """
    wanted = sorted(set(elements))
    if folder is None:
        return {e: f"{e}.upf" for e in wanted}
    if not folder.is_dir():
        raise NucleateError(f"{folder} is no folder of pseudopotentials")
    files = sorted(p.name for p in folder.iterdir() if p.suffix.lower() == ".upf")
    found = {e: [f for f in files if re.match(rf"{e}(?![a-z])", f[:1].upper() + f[1:])] for e in wanted}
    if missing := [e for e, names in found.items() if not names]:
        raise NucleateError(f"{folder} has no UPF file of {', '.join(missing)}")
    if many := [e for e, names in found.items() if len(names) > 1]:
        raise NucleateError(f"{folder} has several UPF files of {', '.join(many)}; keep one of each")
    return {e: names[0] for e, names in found.items()}


def write_inputs(
    todo: Iterable[Work],
    out: Path,
    code: str,
    preset: str = "standard",
    settings: DFTSettings | None = None,
    pseudos: Path | None = None,
) -> Iterator[Path]:
    """The folders as they are written. Raises NucleateError for an unknown code, or what cannot be set up."""
    if code not in CODES:
        raise NucleateError(f"no inputs for '{code}'; known: {', '.join(CODES)}")
    todo = list(todo)
    names: dict[str, str] = {}
    if code == "qe":
        names = pseudopotentials(pseudos, (s for w in todo for s in w.atoms.get_chemical_symbols()))
    for work in todo:
        folder = out / work.name
        if code == "vasp":
            write_vasp(work, folder)
        else:
            place = str(pseudos.resolve()) if pseudos else "./pseudo"
            write_qe(work, folder, settings or DFTSettings(), QE_CUTOFFS[preset], names, place)
        record = work.candidate.to_dict() if work.candidate else None
        write_json(folder / CANDIDATE, {"name": work.name, "kind": work.kind, "candidate": record})
        yield folder


def write_flow(todo: Iterable[Work], path: Path) -> int:
    """An atomate2 flow (PBE double relaxation and static run with the Materials Project's settings) of all crystals, as
    JSON for jobflow; returns their number. Raises NucleateError without atomate2."""
    try:
        from atomate2.vasp.flows.mp import MPGGADoubleRelaxStaticMaker
        from jobflow import Flow
        from monty.serialization import dumpfn
    except ImportError:
        raise NucleateError("a flow needs atomate2: pip install 'nucleate[atomate2]'") from None
    maker = MPGGADoubleRelaxStaticMaker()
    crystals = [w for w in todo if w.kind == "crystal"]  # the maker would relax a molecule's box
    jobs = [maker.make(w.structure) for w in crystals]
    for job, work in zip(jobs, crystals, strict=True):
        job.name = f"{work.name} {work.structure.composition.reduced_formula}"
    path.parent.mkdir(parents=True, exist_ok=True)
    dumpfn(Flow(jobs, name="nucleate"), str(path))
    return len(jobs)
