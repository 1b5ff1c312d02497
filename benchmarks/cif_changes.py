"""CIF files with one change of meaning each, and which readers notice it.

Crystals of MP-20 are written as CIFs in two styles: `full` (symmetrised, with operations, formula, Z, volume and
multiplicities, as databases write them) and `sparse` (cell, symbol and sites, as people type them). Each file gets one
change: an element, an occupancy, a row, a setting, an operation, a scale. A reader *refuses* the file, reads it with a
*word* (a remark or a warning that the unchanged file does not get), reads the crystal that was *meant* in spite of the
change, or gives *another* crystal without a remark. No reader can notice another element or a lost row in a sparse
file, nor a coordinate that moves along a free parameter of its site; all other changes can be noticed.

    python benchmarks/cif_changes.py --data FOLDER [--n 500] [--seed 0]

FOLDER holds mp_20_test.parquet (`nucleate data get mp-20`).
"""

from __future__ import annotations

import argparse
import random
import re
import tempfile
import warnings
from collections import Counter
from pathlib import Path

OTHERS = ["Na", "K", "Ca", "Ti", "Fe", "Cu", "Ga", "Se", "O", "Cl"]


def written(structure, style: str) -> str:
    from pymatgen.io.cif import CifWriter

    text = str(CifWriter(structure, symprec=0.01, significant_figures=6))
    if style == "sparse":
        text = re.sub(r"loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n(?:  \d+  '.*\n)+", "", text)
        text = re.sub(r"(_chemical_formula\w*|_cell_formula_units_Z|_cell_volume).*\n", "", text)
        text = text.replace(" _atom_site_symmetry_multiplicity\n", "")
        text = re.sub(r"(?m)^(  \S+  \S+)  \d+(  [\d.-]+  [\d.-]+  [\d.-]+  1)$", r"\1\2", text)
    return text


def rows_of(lines: list[str]) -> list[int]:
    """The lines of the atom loop, which pymatgen writes last."""
    start = max(i for i, line in enumerate(lines) if line.strip().startswith("_atom_site")) + 1
    return [i for i in range(start, len(lines)) if lines[i].strip()]


def change(text: str, kind: str, rng: random.Random) -> str | None:
    """The text with one change of this kind, or None where it has no place for it."""
    lines = text.split("\n")
    rows = rows_of(lines)
    i = rng.choice(rows)
    fields = lines[i].split()
    symbols = {re.sub(r"[^A-Za-z]", "", lines[k].split()[0]) for k in rows}
    other = rng.choice([e for e in OTHERS if e not in symbols])
    if kind == "element":  # in the symbol and in the label
        fields[:2] = [other, re.sub(r"[A-Za-z]+", other, fields[1])]
    elif kind == "symbol alone":
        fields[0] = other
    elif kind == "symbol unknown":
        fields[0] = rng.choice(["M", "OH", "Wat", "Va", "?", "0.5Na+0.5K"])
        fields[1] = "X1"
    elif kind == "occupancy":
        fields[-1] = rng.choice(["0.5", "0.9", "0.333", "2"])
    elif kind == "occupancy .":
        fields[-1] = "."
    elif kind == "row lost":
        del lines[i]
        return "\n".join(lines) if len(rows) > 1 else None
    elif kind == "row twice":
        lines.insert(i, lines[i])
        return "\n".join(lines)
    elif kind == "coordinate":
        fields[-2] = f"{float(fields[-2]) + 0.07:.6f}"
    elif kind == "length":
        axis = rng.choice("abc")
        return re.sub(rf"(_cell_length_{axis}) +(\S+)", lambda m: f"{m[1]} {float(m[2]) * 1.1:.6f}", text)
    elif kind == "scale":
        return re.sub(r"(_cell_length_.) +(\S+)", lambda m: f"{m[1]} {float(m[2]) * 1.15:.6f}", text)
    elif kind == "operation lost":
        listed = [k for k, line in enumerate(lines) if re.match(r"  \d+  '", line)]
        if len(listed) < 2:
            return None
        del lines[rng.choice(listed[1:])]
        return "\n".join(lines)
    elif kind == "operations lost":
        return re.sub(r"loop_\n _symmetry_equiv_pos_site_id\n _symmetry_equiv_pos_as_xyz\n(?:  \d+  '.*\n)+", "", text)
    elif kind == "other setting":
        return _renamed(text, rng)
    elif kind == "Z":
        return re.sub(r"(_cell_formula_units_Z) +(\d+)", lambda m: f"{m[1]} {3 * int(m[2])}", text)
    lines[i] = "  ".join(fields)
    return "\n".join(lines)


def _renamed(text: str, rng: random.Random) -> str | None:
    """Another symbol, of a group or setting of the same crystal system."""
    import spglib

    number = int(re.search(r"_symmetry_Int_Tables_number +(\d+)", text)[1])
    name = re.search(r"_symmetry_space_group_name_H-M +(\S.*)", text)[1].strip("' ")
    system = next(k for k, top in enumerate((2, 15, 74, 142, 194, 230)) if number <= top)
    low, high = [(1, 2), (3, 15), (16, 74), (75, 142), (143, 194), (195, 230)][system]
    kinds = [k for h in range(1, 531) if low <= (k := spglib.get_spacegroup_type(h)).number <= high]
    names = [k.international.split("=")[-1].strip() for k in kinds if k.number == number or rng.random() < 0.1]
    names = [n for n in names if n.replace(" ", "").replace("_", "") != name.replace(" ", "").replace("_", "")]
    if not names:
        return None
    text = re.sub(r"_symmetry_Int_Tables_number.*\n", "", text)
    return re.sub(r"(_symmetry_space_group_name_H-M) .*", lambda m: f"{m[1]} '{rng.choice(names)}'", text)


KINDS = {
    "full": ["element", "symbol alone", "symbol unknown", "occupancy", "occupancy .", "row lost", "row twice",
             "coordinate", "length", "scale", "operation lost", "operations lost", "other setting", "Z"],
    "sparse": ["element", "symbol alone", "symbol unknown", "occupancy", "occupancy .", "row lost", "row twice",
               "length", "other setting"],
}  # fmt: skip


def by_nucleate(path: Path):
    from nucleate.io import read_structures

    (named,) = read_structures([path]).structures
    return named.structure, set(named.remarks)


def by_pymatgen(path: Path):
    from pymatgen.io.cif import CifParser

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (structure,) = CifParser(path).parse_structures(primitive=False)
    return structure, {str(w.message) for w in caught}


def by_ase(path: Path):
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        atoms = ase.io.read(path, format="cif")
    return AseAtomsAdaptor.get_structure(atoms), {str(w.message) for w in caught}


READERS = {"nucleate": by_nucleate, "pymatgen": by_pymatgen, "ASE": by_ase}


def outcome(read, path: Path, unchanged: Path, meant, fits) -> str:
    try:
        structure, said = read(path)
    except Exception:  # whatever a reader raises is a refusal
        return "refused"
    if meant is not None and structure.is_ordered and fits(structure, meant):
        return "meant"
    try:
        always = read(unchanged)[1]
    except Exception:
        always = set()
    return "word" if said - always else "another"


def main() -> None:
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from nucleate.io import read_structures

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    crystals = read_structures(args.data / "mp_20_test.parquet").structures
    matcher = StructureMatcher(ltol=0.01, stol=0.02, angle_tol=0.5, scale=False)

    def fits(a, b) -> bool:
        if a.composition.element_composition.reduced_formula != b.composition.reduced_formula:
            return False  # also where a reader made dummy atoms
        return bool(abs(a.density / b.density - 1) < 0.01 and matcher.fit(a, b))

    tally: dict[tuple[str, str], dict[str, Counter]] = {}
    warnings.simplefilter("ignore")
    turns = [(style, kind) for style, kinds in KINDS.items() for kind in kinds]
    done, folder = 0, Path(tempfile.mkdtemp())
    while done < args.n:
        style, kind = turns[done % len(turns)]
        meant = rng.choice(crystals).structure
        text = change(written(meant, style), kind, rng)
        if text is None:
            continue
        done += 1
        (folder / "changed.cif").write_text(text)
        (folder / "unchanged.cif").write_text(written(meant, style))
        for name, read in READERS.items():
            right = None if kind == "occupancy" else meant  # a disordered site makes no crystal of whole atoms
            result = outcome(read, folder / "changed.cif", folder / "unchanged.cif", right, fits)
            tally.setdefault((style, kind), {}).setdefault(name, Counter())[result] += 1
    print(f"{'style, change':28s}" + "".join(f"{name:>34s}" for name in READERS))
    print(" " * 28 + "".join(f"{'refused word meant another':>34s}" for _ in READERS))
    whole: dict[tuple[str, str], Counter] = {}
    for (style, kind), of_readers in tally.items():
        cells = []
        for name, counts in of_readers.items():
            whole[name, style] = whole.get((name, style), Counter()) + counts
            cells.append("".join(f"{counts[k]:>8d}" for k in ("refused", "word", "meant", "another")))
        print(f"{style + ', ' + kind:28s}" + "".join(f"{c:>34s}" for c in cells))
    for (name, style), counts in whole.items():
        wrong, total = counts["another"], counts.total()
        print(f"{name}, {style} files: another crystal without a word {wrong} of {total} ({100 * wrong / total:.1f} %)")


if __name__ == "__main__":
    main()
