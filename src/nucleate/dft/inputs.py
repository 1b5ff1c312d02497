"""Inputs for programs that run elsewhere: VASP with the settings of the Materials Project, Quantum ESPRESSO, and flows
of atomate2.

Every folder also gets candidate.json, from which `dft.parse` knows to which candidate an output belongs.
"""

from __future__ import annotations

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.formula import formula_text
from nucleate.dft.elements import reference_state
from nucleate.dft.frames import to_record, to_structure, write_json
from nucleate.dft.method import mp_potentials
from nucleate.dft.references import crystal_atoms
from nucleate.dft.settings import MOLECULE_SMEARING, DFTSettings, k_grid
from nucleate.errors import NucleateError
from nucleate.io import replacing, safe_names
from nucleate.pipeline.candidate import Candidate
from nucleate.relaxation.guard import OutOfRange

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

CODES = ("vasp", "qe")
CANDIDATE = "candidate.json"
RYDBERG = 13.605693  # eV
# Rydberg, for ultrasoft and PAW pseudopotentials (SSSP); the density gets eight times as much
QE_CUTOFFS = {"fast": 45.0, "standard": 60.0, "tight": 90.0}


@dataclass(frozen=True)
class PlannedCalculation:
    """One calculation to set up.

    name: of its folder. kind: "crystal" or "molecule". candidate: None for an element.
    """

    name: str
    kind: str
    atoms: Atoms
    candidate: Candidate | None = None

    @property
    def structure(self) -> Structure:
        return to_structure(to_record(self.atoms))


def plan_calculations(
    candidates: Iterable[Candidate], elements: bool = True
) -> tuple[list[PlannedCalculation], list[str]]:
    """The calculations of the candidates, and, with `elements`, of the elements that formation energies need.

    Also returns a line for each that cannot be set up.
    """
    out: list[PlannedCalculation] = []
    refused: list[str] = []
    symbols: set[str] = set()
    candidates = list(candidates)
    for c, name in zip(candidates, safe_names(c.id for c in candidates), strict=True):
        try:
            if c.structure is None:
                raise OutOfRange("there is no structure")
            out.append(PlannedCalculation(name, "crystal", crystal_atoms(c.structure), c))
            symbols |= {str(e) for e in c.structure.composition.element_composition}
        except OutOfRange as error:
            refused.append(f"{c.id}: {error}")
    for symbol in sorted(symbols) if elements else ():
        try:
            kind, atoms = reference_state(symbol)
            out.append(PlannedCalculation(f"elements/{symbol}", kind, atoms))
        except NucleateError as error:
            refused.append(str(error))
    return out, refused


def with_known_potcars(todo: Iterable[PlannedCalculation], code: str) -> tuple[list[PlannedCalculation], list[str]]:
    """The calculations for which the Materials Project has POTCARs of all elements, and a line for each of the others.

    For pw.x all are kept: it takes the files of the user, whose elements `pseudopotentials` checks.
    """
    if code != "vasp":
        return list(todo), []
    out: list[PlannedCalculation] = []
    refused: list[str] = []
    for work in todo:
        symbols = dict.fromkeys(work.atoms.get_chemical_symbols())
        known = mp_potentials(symbols)
        if lost := [s for s in symbols if s not in known]:
            refused.append(f"{work.name}: the Materials Project has no POTCAR of {', '.join(lost)}")
        else:
            out.append(work)
    return out, refused


def vasp_files(work: PlannedCalculation) -> dict[str, str]:
    """File name -> content: INCAR, KPOINTS, POSCAR and POTCAR.spec, as pymatgen's MPRelaxSet has them.

    POTCAR.spec has the names of the licensed files. Raises NucleateError where MPRelaxSet cannot set it up.
    """
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
        warnings.simplefilter("ignore")  # pymatgen warns that it has no POTCAR files
        try:
            found = MPRelaxSet(structure, **special).get_input_set(potcar_spec=True)
        except (ValueError, KeyError) as error:
            raise NucleateError(f"{work.name}: MPRelaxSet cannot set it up ({str(error)[:150]})") from None
    return {name: str(content) for name, content in found.items() if content is not None}


def qe_files(
    work: PlannedCalculation,
    settings: DFTSettings,
    cutoff: float,
    pseudos: Mapping[str, str],
    pseudo_dir: str = "./pseudo",
) -> dict[str, str]:
    """File name -> content: pw.in for pw.x, which relaxes a crystal with its cell and a molecule in a fixed cell.

    cutoff: of the wave functions, Rydberg. pseudos: element -> file name. pseudo_dir: the folder of these files.
    """
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
    atoms.set_initial_magnetic_moments(np.clip(moments / 8, -1, 1))  # pw.x wants it as a share of the valence electrons
    text = io.StringIO()
    write_espresso_in(text, atoms, input_data=data, pseudopotentials=dict(pseudos), kpts=grid)
    return {"pw.in": re.sub(r"&(FCP|RISM)\n/\n", "", text.getvalue())}  # older versions do not know these namelists


def pseudopotentials(folder: Path | None, elements: Iterable[str]) -> dict[str, str]:
    """Element -> its file in a folder of UPF files; "Xx.upf" where no folder is given.

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


def check_options(out: Path, code: str, pseudos: Path | None = None, flow: bool = False) -> None:
    """Raise NucleateError for options that are unknown or contradict each other; no file is read for that."""
    if code not in CODES:
        raise NucleateError(f"no inputs for '{code}'; known: {', '.join(CODES)}")
    if out.exists() and not out.is_dir():
        raise NucleateError(f"{out} is a file; --out is the folder for the calculations")
    if pseudos is not None and code != "qe":
        raise NucleateError("--pseudos are files for pw.x: they need --code qe")
    if flow and code != "vasp":
        raise NucleateError("--flow makes a flow of VASP calculations: it needs --code vasp")
    if flow:
        _flow_packages()


def write_inputs(
    todo: Iterable[PlannedCalculation],
    out: Path,
    code: str,
    preset: str = "standard",
    settings: DFTSettings | None = None,
    pseudos: Path | None = None,
    flow: bool = False,
) -> list[Path]:
    """Write the inputs of all calculations; returns their folders, within `out`.

    code: "vasp" or "qe". preset: name of the cutoff for qe. settings: of qe, otherwise those of `DFTSettings`. pseudos:
    folder of UPF files. flow: also write flow.json (`flow_text`). Raises NucleateError for an unknown code and for what
    cannot be set up, before anything is written.
    """
    check_options(out, code, pseudos, flow)
    todo = list(todo)
    if twice := [name for name, n in Counter(w.name for w in todo).items() if n > 1]:
        raise NucleateError(f"several crystals would have the folder {twice[0]}: give them other names")
    names: dict[str, str] = {}
    if code == "qe":
        names = pseudopotentials(pseudos, (s for w in todo for s in w.atoms.get_chemical_symbols()))
    place = str(pseudos.resolve()) if pseudos else "./pseudo"
    settings = settings or DFTSettings()
    files = [
        vasp_files(work) if code == "vasp" else qe_files(work, settings, QE_CUTOFFS[preset], names, place)
        for work in todo
    ]
    text = flow_text(todo) if flow else ""
    for work, contents in zip(todo, files, strict=True):
        folder = out / work.name
        for name, content in contents.items():
            with replacing(folder / name) as temporary:
                temporary.write_text(content, encoding="utf-8")
        record = _record(work.candidate) if work.candidate else None
        write_json(folder / CANDIDATE, {"name": work.name, "kind": work.kind, "candidate": record})
    if flow:
        with replacing(out / "flow.json") as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [out / work.name for work in todo]


def _record(candidate: Candidate) -> Any:
    """The candidate as JSON values; numbers that are not finite, which JSON does not have, become None."""
    return json.loads(candidate.to_json(), parse_constant=lambda _: None)


def flow_text(todo: Iterable[PlannedCalculation]) -> str:
    """The JSON text of a jobflow Flow that relaxes each crystal twice and then computes its energy, by atomate2 with
    PBE and the settings of the Materials Project.

    Raises NucleateError where atomate2 is not installed.
    """
    from monty.json import MontyEncoder

    maker, flow = _flow_packages()
    crystals = [w for w in todo if w.kind == "crystal"]  # the maker would relax a molecule's box
    jobs = [maker().make(w.structure) for w in crystals]
    for job, work in zip(jobs, crystals, strict=True):
        job.name = f"{work.name} {formula_text(work.structure.composition)}"
    return json.dumps(flow(jobs, name="nucleate"), cls=MontyEncoder)


def _flow_packages() -> tuple[Any, Any]:
    """atomate2's maker and jobflow's Flow."""
    try:
        from atomate2.vasp.flows.mp import MPGGADoubleRelaxStaticMaker
        from jobflow import Flow
    except ImportError:
        raise NucleateError("--flow needs atomate2: pip install 'nucleate[atomate2]'") from None
    return MPGGADoubleRelaxStaticMaker, Flow
