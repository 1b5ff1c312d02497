"""Files with faults: whether readers crash, and whether they read another crystal without a remark.

Six crystals are written in each format. `noise` damages the text blindly (bytes, lines, words, an early end); `meaning`
makes one change that leaves a meaningful file (another element, a scale, a count, a coordinate, a name, an occupancy).
Every file is then read: *same* crystals as unchanged (with or without a remark), *changed* with a remark, or silently,
*refused* with a reason, or *crashed* (an unexpected exception, more than five seconds).

A changed number that is a number again cannot be noticed; a silent change that somebody could notice is a fault.

    python benchmarks/readers.py [--formats poscar,extxyz] [--n 2000] [--seed 0] [--show 5]

A further format is one line in FORMATS: an ending, a function that writes crystals, and one for each change of meaning.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

Change = Callable[[str, random.Random], str]
COLUMNS = ("same", "same, said", "changed, said", "changed silently", "refused", "crashed")


def crystals() -> list[Structure]:
    made = Structure.from_spacegroup
    return [
        made(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]),
        made(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
        made(136, Lattice.tetragonal(4.594, 2.959), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]),
        made(186, Lattice.hexagonal(3.25, 5.207), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]),
        made(154, Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [[0.4697, 0, 0], [0.4135, 0.2669, 0.1191]]),
        made(62, Lattice.orthorhombic(5.44, 7.64, 5.38), ["Ca", "Ti", "O", "O"],
             [[0.036, 0.25, 0.993], [0, 0, 0.5], [0.484, 0.25, 0.071], [0.289, 0.037, 0.711]]),
    ]  # fmt: skip


def as_poscar(found: list[Structure]) -> str:
    from pymatgen.io.vasp import Poscar

    return Poscar(found[0], comment="a crystal").get_str()


def as_extxyz(found: list[Structure]) -> str:
    import ase.io
    from pymatgen.io.ase import AseAtomsAdaptor

    frames = [AseAtomsAdaptor.get_atoms(s) for s in found]
    for i, frame in enumerate(frames):
        frame.calc, frame.info = None, {"name": f"c{i}", "gap": i / 2}
    out = StringIO()
    ase.io.write(out, frames, format="extxyz")
    return out.getvalue()


def as_json(found: list[Structure]) -> str:
    return json.dumps([s.as_dict() for s in found])


def as_jsonl(found: list[Structure]) -> str:
    return "".join(json.dumps({"name": f"c{i}", "structure": s.as_dict()}) + "\n" for i, s in enumerate(found))


def as_cif(found: list[Structure]) -> str:
    from pymatgen.io.cif import CifWriter

    return str(CifWriter(found[0], symprec=0.01))


def as_csv(found: list[Structure]) -> str:
    rows = (f'c{i},{i / 2},"{as_cif([s])}"' for i, s in enumerate(found))
    return "\n".join(["material_id,gap,cif", *rows]) + "\n"


def damage(text: str, rng: random.Random) -> str:
    """One to three blind changes."""
    for _ in range(rng.randint(1, 3)):
        kind = rng.choice(["byte", "line lost", "line twice", "lines swapped", "words swapped", "junk", "digit", "end"])
        lines = text.split("\n")
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        if kind == "byte" and text:
            k = rng.randrange(len(text))
            text = text[:k] + chr(rng.randrange(1, 256)) + text[k + 1 :]
        elif kind == "line lost":
            text = "\n".join(lines[:i] + lines[i + 1 :])
        elif kind == "line twice":
            text = "\n".join(lines[: i + 1] + lines[i:])
        elif kind == "lines swapped":
            lines[i], lines[j] = lines[j], lines[i]
            text = "\n".join(lines)
        elif kind == "words swapped" and (words := lines[i].split()):
            a, b = rng.randrange(len(words)), rng.randrange(len(words))
            words[a], words[b] = words[b], words[a]
            text = "\n".join([*lines[:i], " ".join(words), *lines[i + 1 :]])
        elif kind == "junk" and (words := lines[i].split()):
            words[rng.randrange(len(words))] = rng.choice(
                ["", "nan", "inf", "?", "1e999", "-1", "Xx", "T", "0.5.5", "1_0"]
            )
            text = "\n".join([*lines[:i], " ".join(words), *lines[i + 1 :]])
        elif kind == "digit" and (found := list(re.finditer(r"[0-9]", text))):
            k = rng.choice(found).start()
            text = text[:k] + str(rng.randrange(10)) + text[k + 1 :]
        elif kind == "end":
            text = text[: rng.randrange(len(text) + 1)]
    return text


def on_line(number: int, change: Callable[[list[str], random.Random], None]) -> Change:
    """A change of the words of one line; negative numbers count from the end."""

    def made(text: str, rng: random.Random) -> str:
        lines = text.rstrip("\n").split("\n")
        words = lines[number].split()
        change(words, rng)
        lines[number] = " ".join(words)
        return "\n".join(lines) + "\n"

    return made


def put(index: int, *values: str) -> Callable[[list[str], random.Random], None]:
    return lambda words, rng: words.__setitem__(index, rng.choice(values))


def times(index: int, *factors: float) -> Callable[[list[str], random.Random], None]:
    return lambda words, rng: words.__setitem__(index, f"{float(words[index]) * rng.choice(factors):.8f}")


def replaced(pattern: str, new: Callable[[re.Match[str], random.Random], str]) -> Change:
    """A change of one place, drawn at random among those of a pattern."""

    def made(text: str, rng: random.Random) -> str:
        found = list(re.finditer(pattern, text))
        if not found:
            return text
        m = rng.choice(found)
        return text[: m.start()] + new(m, rng) + text[m.end() :]

    return made


def without_a_line(pattern: str) -> Change:
    return replaced(rf"(?m)^.*{pattern}.*\n", lambda m, rng: "")


OTHER = ("K", "Fe", "S", "Xx", "Vac", "X", "D", "H")


@dataclass(frozen=True)
class Format:
    file: str
    write: Callable[[list[Structure]], str]
    single: bool = False  # one crystal a file
    changes: dict[str, Change] = field(default_factory=dict)


JSON_CHANGES: dict[str, Change] = {
    "element": replaced(r'"element": "\w+"', lambda m, rng: f'"element": "{rng.choice(OTHER)}"'),
    "occupancy": replaced(r'"occu": [\d.]+', lambda m, rng: f'"occu": {rng.choice(["0.5", "0", "2", "null", "1.01"])}'),
    "coordinate": replaced(r'"abc": \[[-\d.e]+', lambda m, rng: '"abc": [0.123'),
    "vector": replaced(r'"matrix": \[\[[-\d.e]+', lambda m, rng: '"matrix": [[7.77'),
    "length": replaced(r'"a": [\d.]+', lambda m, rng: '"a": 9.9'),
    "coordinates lost": replaced(r'"abc": \[[^]]*\], "xyz": \[[^]]*\]', lambda m, rng: '"x": 0'),
}
FORMATS: dict[str, Format] = {
    "poscar": Format("POSCAR", as_poscar, True, {
        "scale doubled": on_line(1, times(0, 2, 0.5)),
        "scale is a volume": on_line(1, put(0, "-50")),
        "two scales": on_line(1, lambda words, rng: words.append("2.0")),
        "element": on_line(5, put(0, *OTHER)),
        "a name lost": on_line(5, lambda words, rng: words.pop()),
        "a count": on_line(6, lambda words, rng: words.__setitem__(0, str(int(words[0]) + rng.choice((-1, 1, 2))))),
        "counts swapped": on_line(6, lambda words, rng: words.reverse()),
        "a count not whole": on_line(6, put(0, "1.5")),
        "Cartesian for direct": on_line(7, put(0, "Cartesian")),
        "no mode": lambda text, rng: "\n".join(text.split("\n")[:7] + text.split("\n")[8:]),
        "an atom lost": lambda text, rng: "\n".join(text.rstrip("\n").split("\n")[:-1]),
        "an atom twice": lambda text, rng: text.rstrip("\n") + "\n" + text.rstrip("\n").split("\n")[-1] + "\n",
        "a name at the end": on_line(-1, put(-1, "K", "Fe", "S")),
        "no names": lambda text, rng: "\n".join(text.split("\n")[:5] + text.split("\n")[6:]),
        "a decimal comma": on_line(-1, lambda words, rng: words.__setitem__(0, words[0].replace(".", ","))),
        "flags": on_line(-1, lambda words, rng: words.__setitem__(slice(3, None), ["F", "F", "F"])),
    }),
    "extxyz": Format("a.extxyz", as_extxyz, False, {
        "element": replaced(r"(?m)^[A-Z][a-z]? ", lambda m, rng: f"{rng.choice(OTHER)} "),
        "a count": replaced(r"(?m)^\d+$", lambda m, rng: str(int(m[0]) + rng.choice((-1, 1)))),
        "no column pos": replaced(r":pos:R:3", lambda m, rng: rng.choice((":forces:R:3", ":scaled_positions:R:3"))),
        "columns swapped": replaced(r"species:S:1:pos:R:3", lambda m, rng: "pos:R:3:species:S:1"),
        "a vector": replaced(r'Lattice="\S+', lambda m, rng: 'Lattice="1.5'),
        "a vector doubled": replaced(r'Lattice="(\S+)', lambda m, rng: f'Lattice="{2 * float(m[1])}'),
        "pbc": replaced(r'pbc="T T T"', lambda m, rng: 'pbc="T T F"'),
        "no lattice": replaced(r'Lattice="[^"]+" ', lambda m, rng: ""),
        "an atom lost": without_a_line(r"^[A-Z][a-z]? +-?\d.*"),
        "an atom twice": replaced(r"(?m)^[A-Z][a-z]? +-?\d.*\n", lambda m, rng: 2 * m[0]),
    }),
    "json": Format("a.json", as_json, False, JSON_CHANGES),
    "jsonl": Format("a.jsonl", as_jsonl, False, JSON_CHANGES),
    "csv": Format("a.csv", as_csv, False, {
        "a word among numbers": replaced(r"(?m)^(c\d),[\d.]+", lambda m, rng: f"{m[1]},metal"),
        "a decimal comma": replaced(r"(?m)^(c\d),(\d)\.(\d)", lambda m, rng: f'{m[1]},"{m[2]},{m[3]}"'),
        "a cell more": replaced(r"(?m)^(c\d),[\d.]+", lambda m, rng: m[0] + ",1"),
        "a column twice": replaced(r"material_id", lambda m, rng: "gap"),
        "element": replaced(r"(?m)^  [A-Z][a-z]? ", lambda m, rng: f"  {rng.choice(OTHER)} "),
    }),
    "cif": Format("a.cif", as_cif, True, {
        "element": replaced(r"(?m)^  [A-Z][a-z]? ", lambda m, rng: f"  {rng.choice(OTHER)} "),
        "occupancy": replaced(r"(?m)1(?:\.0*)?$", lambda m, rng: rng.choice(("0.5", "?", ".", "2", "0"))),
        "length": replaced(r"_cell_length_a +\S+", lambda m, rng: "_cell_length_a 9.9"),
        "an operation lost": without_a_line(r"^ +\d+ +'"),
        "group": replaced(r"(?m)^_symmetry_space_group_name_H-M.*", lambda m, rng: f"{m[0].split()[0]} 'P n m a'"),
        "an atom lost": without_a_line(r"^  [A-Z][a-z]?  [A-Z]\w+ .*"),
    }),
}  # fmt: skip


def read(path: Path) -> tuple[list[Structure], int, list[str]]:
    """Crystals, remarks, and problems; the empty list where the file is refused as a whole."""
    from nucleate import NucleateError, read_structures

    try:
        found = read_structures(path)
    except NucleateError as error:
        return [], 0, [str(error)]
    return [n.structure for n in found.structures], len(found.remarks), [str(p) for p in found.problems]


def same(a: Structure, b: Structure) -> bool:
    if [s.specie for s in a] != [s.specie for s in b]:
        return False
    d = a.frac_coords - b.frac_coords
    return bool(
        np.allclose(a.lattice.parameters, b.lattice.parameters, atol=1e-3)
        and np.abs((d - d.round()) @ a.lattice.matrix).max() < 1e-3
    )


def outcome(path: Path, unchanged: list[Structure]) -> str:
    began = time.perf_counter()
    try:
        found, remarks, problems = read(path)
    except Exception:  # any exception that leaves the reader is what this script looks for
        return "crashed"
    if time.perf_counter() - began > 5 or any("not foreseen" in p for p in problems):
        return "crashed"
    if not found:
        return "refused"
    if all(any(same(s, u) for u in unchanged) for s in found):  # a part of them may be refused
        if len(found) < len(unchanged) and not problems:
            return "changed silently"
        return "refused" if problems else "same, said" if remarks else "same"
    return "changed, said" if problems or remarks else "changed silently"


def table(name: str, rows: dict[str, Counter[str]]) -> str:
    out = [f"| {name} | files | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 2) + "|"]
    for kind, counts in rows.items():
        out.append(f"| {kind} | {counts.total()} | {' | '.join(str(counts[c]) for c in COLUMNS)} |")
    return "\n".join(out)


def run(name: str, n: int, seed: int, show: int) -> str:
    kind = FORMATS[name]
    rng = random.Random(f"{seed} {name}")
    rows: dict[str, Counter[str]] = {}
    examples: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kind.file
        sets = [[s] for s in crystals()] if kind.single else [crystals()]
        texts = [(kind.write(found), found) for found in sets]
        changes: dict[str, Change] = {"noise": damage, **kind.changes}
        for text, _ in texts:
            path.write_text(text, encoding="utf-8")
            unchanged = read(path)[0]
            for change, make in changes.items():
                for _ in range(n // len(texts) if change == "noise" else max(1, 30 // len(texts))):
                    changed = make(text, rng)
                    if changed == text:
                        continue
                    path.write_text(changed, encoding="utf-8", newline="")
                    result = outcome(path, unchanged)
                    rows.setdefault(change, Counter())[result] += 1
                    if result in ("changed silently", "crashed"):
                        examples.append(f"--- {name}, {change}: {result}\n{difference(text, changed)}")
    rng.shuffle(examples)
    return "\n\n".join([table(name, rows), *examples[:show]])


def difference(old: str, new: str) -> str:
    import difflib

    lines = list(difflib.unified_diff(old.split("\n"), new.split("\n"), n=0, lineterm=""))[2:12]
    return "\n".join(line[:160] for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--n", type=int, default=2000, help="files with noise of each format")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=0, help="examples of silent changes and crashes")
    options = parser.parse_args()
    for name in options.formats.split(","):
        print(run(name, options.n, options.seed, options.show), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
