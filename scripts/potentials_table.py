"""Formation energies and volumes of 30 common crystals by the shipped potentials, as Markdown for docs/potentials.md.

    NUCLEATE_DATA=FOLDER python scripts/potentials_table.py [--potential chgnet,sevennet] [--phonons]

Each crystal is relaxed from its geometry in MP-20 (fmax 0.01 eV/angstrom, stress 0.0005 eV/cubic angstrom). Formation
energies are against the elements of the shipped reference set of the potential; those of SevenNet also without the
MP2020 corrections. --phonons: the lowest modes as well, another table.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pymatgen.core import Composition, Structure

from nucleate.crystal.columns import structure_of_row
from nucleate.data import load_table
from nucleate.hull.distances import formation_energy
from nucleate.hull.load import load_reference
from nucleate.hull.scale import to_reference_scale
from nucleate.pipeline.candidate import PASS, UNKNOWN, Candidate
from nucleate.relaxation.pool import RelaxSettings, relax_candidate
from nucleate.stages.phonons import PhononSettings, PhononStage

KJ_PER_MOL = 1 / 96.485332  # eV
# Standard enthalpies of formation at 298.15 K, kJ/mol of formula units. C: CRC Handbook of Chemistry and Physics,
# "Standard Thermodynamic Properties of Chemical Substances"; J: NIST-JANAF Thermochemical Tables, 4th edition (1998);
# R: Robie and Hemingway, U.S. Geological Survey Bulletin 2131 (1995).
CRYSTALS = """
LiF mp-1138 -616.0 C; NaCl mp-22862 -411.2 C; KBr mp-23251 -393.8 C; CsCl mp-22865 -443.0 C; CaF2 mp-2741 -1228.0 C;
MgF2 mp-1249 -1124.2 C; Li2O mp-1960 -597.9 C; K2O mp-971 -361.5 C; MgO mp-1265 -601.6 C; CaO mp-2605 -634.9 C;
Al2O3 mp-1143 -1675.7 C; SiO2 mp-7000 -910.7 C; TiO2 mp-2657 -944.0 C; ZrO2 mp-2858 -1100.6 C; ZnO mp-2133 -350.5 C;
SnO2 mp-856 -577.6 R; Cu2O mp-361 -168.6 C; NiO mp-19009 -239.3 R; Fe2O3 mp-19770 -824.2 C; CaTiO3 mp-4019 -1660.6 R;
MgAl2O4 mp-3536 -2299.1 R; CaCO3 mp-3953 -1207.6 C; ZnS mp-10695 -206.0 C; CdS mp-672 -161.9 C; FeS2 mp-226 -171.5 J;
AlN mp-661 -318.0 C; TiN mp-492 -337.7 J; GaAs mp-2534 -71.0 C; TiC mp-631 -184.1 J; Mg2Si mp-1367 -77.8 C
"""
REFERENCES = {"chgnet": "chgnet-mp", "sevennet": "sevennet-mp"}


@dataclass(frozen=True)
class Known:
    """experiment: eV/atom at 298 K, of the source C, J or R. e_form: of MP-20, eV/atom. volume: of its cell, angstrom^3
    per atom."""

    name: str
    structure: Structure
    experiment: float
    source: str
    e_form: float

    @property
    def volume(self) -> float:
        return self.structure.volume / len(self.structure)


@dataclass(frozen=True)
class Found:
    """e_form: eV/atom on the scale of the reference; correction: the part of it that was added to the potential's own.

    volume: cubic angstrom per atom, relaxed.
    """

    e_form: float
    correction: float
    volume: float


def known_crystals() -> list[Known]:
    rows = {}
    wanted = {text.split()[1] for text in CRYSTALS.split(";")}
    for split in ("train", "val", "test"):
        table = load_table("mp-20", split)
        for k in np.flatnonzero([i in wanted for i in table["material_id"].to_pylist()]):
            (row,) = table.slice(int(k), 1).to_pylist()
            rows[row["material_id"]] = row
    known = []
    for text in CRYSTALS.split(";"):
        name, source, enthalpy, book = text.split()
        row = rows[source]
        structure = structure_of_row(row)
        formula = Composition(name)
        assert structure.composition.reduced_formula == formula.reduced_formula, name
        experiment = float(enthalpy) * KJ_PER_MOL / formula.num_atoms
        known.append(Known(name, structure, experiment, book, row["formation_energy_per_atom"]))
    return known


def find(crystal: Known, potential: str) -> Found:
    """Relaxed volume and formation energy; raises ValueError where the relaxation fails."""
    settings = RelaxSettings(fmax=0.01, smax=0.0005, max_steps=500, potential=potential)
    after = relax_candidate(Candidate(crystal.name, structure=crystal.structure), settings)
    if after.failure or after.structure is None or after.checks["relaxed"].verdict != PASS:
        raise ValueError(f"{crystal.name} by {potential}: {after.failure or after.checks['relaxed'].reason}")
    reference = load_reference(REFERENCES[potential])
    energy, correction = to_reference_scale(after.energies["energy"], after.structure, reference)
    e_form = formation_energy(after.structure.composition, energy, reference)
    return Found(e_form, correction.total if correction else 0.0, after.structure.volume / len(after.structure))


def tables(known: Sequence[Known], found: Mapping[str, Sequence[Found]]) -> str:
    """Energies, volumes, and the mean absolute errors of both."""
    raw = [p for p in found if any(f.correction for f in found[p])]
    values = {"MP": [k.e_form for k in known]}
    for potential, rows in found.items():
        if potential in raw:
            values[f"{potential}, raw"] = [f.e_form - f.correction for f in rows]
        values[f"{potential}, corrected" if potential in raw else potential] = [f.e_form for f in rows]
    experiment = np.array([k.experiment for k in known])
    published = np.array(values["MP"])
    out = ["| crystal | experiment | " + " | ".join(values) + " |", "|---" * (len(values) + 2) + "|"]
    for i, k in enumerate(known):
        cells = [f"{v[i]:.3f}" for v in values.values()]
        out.append(f"| {k.name} | {k.experiment:.3f} ({k.source}) | " + " | ".join(cells) + " |")
    for words, base in (("experiment", experiment), ("MP", published)):
        errors = {name: np.abs(np.array(v) - base).mean() for name, v in values.items()}
        cells = ["-" if name == words else f"{e:.3f}" for name, e in errors.items()]
        first = "-" if words == "experiment" else f"{np.abs(experiment - base).mean():.3f}"
        out.append(f"| **mean absolute error against {words}** | {first} | " + " | ".join(cells) + " |")
    out += ["", "| crystal | MP | " + " | ".join(f"{p} | deviation" for p in found) + " |"]
    out.append("|---" * (2 + 2 * len(found)) + "|")
    volumes = np.array([k.volume for k in known])
    for i, k in enumerate(known):
        cells = [f"{rows[i].volume:.2f} | {100 * (rows[i].volume / k.volume - 1):+.1f} %" for rows in found.values()]
        out.append(f"| {k.name} | {k.volume:.2f} | " + " | ".join(cells) + " |")
    cells = [
        f"| {100 * np.abs(np.array([f.volume for f in rows]) / volumes - 1).mean():.1f} %" for rows in found.values()
    ]
    out.append("| **mean absolute deviation** | | " + " | ".join(cells) + " |")
    return "\n".join(out)


def print_phonons(known: Sequence[Known], potentials: Sequence[str]) -> None:
    """The lowest mode of each crystal by each potential, row by row."""
    print("| crystal | " + " | ".join(f"{p}, THz" for p in potentials) + " |\n" + "|---" * (len(potentials) + 1) + "|")
    for k in known:
        cells = []
        for potential in potentials:
            (after,) = PhononStage(PhononSettings(potential=potential))([Candidate(k.name, structure=k.structure)])
            record, check = after.phonons, after.checks["phonons"]
            low, between = record.lowest_thz, record.lowest_interpolated_thz or 0.0
            more = f" ({between:+.2f} interpolated)" if check.verdict == UNKNOWN else ""
            cells.append(check.reason if low is None else f"{low:+.2f}, {record.atoms} atoms: {check.verdict}{more}")
        print(f"| {k.name} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--potential", default="chgnet,sevennet", help="with commas")
    parser.add_argument("--phonons", action="store_true", help="lowest modes instead")
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    known, potentials = known_crystals(), args.potential.split(",")
    if args.phonons:
        print_phonons(known, potentials)
        return
    print(tables(known, {p: [find(k, p) for k in known] for p in potentials}))


if __name__ == "__main__":
    main()
