"""Reading vasprun.xml as a stream: only the parts that energy, method and convergence need, of files of any size.

pymatgen's Vasprun is not used, for three reasons: here a file that was cut off tells how far the run came, stars in the
place of numbers are recognised, and entities in a malicious file are refused before they are expanded.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from nucleate.dft.compressed import open_compressed
from nucleate.dft.vasp_run import Step, VaspRun
from nucleate.dft.vasp_settings import merged_tags, to_number
from nucleate.errors import NucleateError

# elements that are skipped because they are large, and elements whose text is read
SKIPPED = {"dos", "eigenvalues", "projected", "dielectricfunction", "dynmat", "kpoints", "time", "optical_transitions"}
SKIPPED |= {"primitive_cell", "projected_kpoints_opt", "eigenvalues_kpoints_opt", "kpoints_labels"}
TEXTS = {"i", "v", "c"}
BLOCK = 1 << 18  # bytes read at a time
LONGEST = 1_000_000  # characters of one value
LIMIT = 4_000_000_000  # bytes of the file when unpacked
ENERGIES = ("e_fr_energy", "e_wo_entrp", "e_0_energy")


class _Foreign(Exception):
    """Raised for something that VASP never writes."""


def read_vasprun(path: Path) -> VaspRun:
    """What the run wrote; of a file that was cut off, what there is.

    Raises NucleateError, with the reason, for a file that VASP did not write.
    """
    reader = _Reader()
    broken = ""
    read = 0
    with open_compressed(path) as file:
        try:
            while block := file.read1(BLOCK):
                read += len(block)
                if read > LIMIT:
                    raise _Foreign(f"more than {LIMIT / 1e9:g} GB")
                reader.feed(block)
            reader.close()
        except EOFError:
            broken = "the compressed file ends in the middle"
        except expat.ExpatError as error:
            whole = read and not block
            broken = (
                "the file ends in the middle (VASP was killed or is still running)"
                if whole
                else f"the XML is broken in line {error.lineno}"
            )
        except _Foreign as error:
            raise NucleateError(f"not a vasprun.xml of VASP: {error}") from None
    if not reader.rooted:
        packed = "compressed" in broken
        raise NucleateError(
            "not a vasprun.xml of VASP: there is no <modeling>" if read else broken if packed else "it is empty"
        )
    return reader.run(broken)


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self._listen()
        self.stack: list[tuple[str, str]] = []  # tags with their attribute "name"
        self.depth = 0  # of elements within one that is skipped
        self.text: list[str] | None = None
        self.length = 0  # of this text
        self.rooted = False
        self.incar: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.version = "?"
        self.atoms: list[list[str]] = []
        self.types: list[list[str]] = []
        self.row: list[str] = []
        self.steps = 0
        self.first: Step | None = None
        self.before: Step | None = None
        self.last: Step | None = None
        self.free: list[str] | None = None  # of the first structure; most versions write it only there
        self._begin()

    def feed(self, block: bytes) -> None:
        self.parser.Parse(block, False)

    def close(self) -> None:
        self.parser.Parse(b"", True)

    def _listen(self) -> None:
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _refuse(self, *declaration: Any) -> None:
        raise _Foreign("it declares a document type or entities")

    def _begin(self) -> None:
        """Begin a new ionic step."""
        self.iterations = 0
        self.arrays: dict[str, list[str]] = {}
        self.energies: dict[str, float] = {}  # of the step
        self.field: dict[str, float] = {}  # of the last iteration of its self-consistent field

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if not self.stack and tag != "modeling":
            raise _Foreign(f"it begins with <{tag}>")
        self.rooted = True
        if tag in SKIPPED and len(self.stack) <= 2:
            self.depth = 1
            self.parser.StartElementHandler, self.parser.EndElementHandler = self._deeper, self._higher
            self.parser.CharacterDataHandler = None
            return
        self.stack.append((tag, attributes.get("name", "")))
        if tag == "calculation":
            self._begin()
        elif tag == "scstep":
            self.iterations += 1
            self.field = {}
        elif tag == "varray":
            self.arrays[attributes.get("name", "")] = []
        elif tag == "rc":
            self.row = []
        self.text, self.length = ([] if tag in TEXTS else None), 0

    def _deeper(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1

    def _higher(self, tag: str) -> None:
        self.depth -= 1
        if not self.depth:
            self._listen()

    def _characters(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text)
            self.length += len(text)
            if self.length > LONGEST:
                raise _Foreign(f"a value of more than {LONGEST:,} characters")

    def _end(self, tag: str) -> None:
        _, name = self.stack.pop()
        text = " ".join("".join(self.text).split()) if self.text is not None else ""
        self.text = None
        parent, parent_name = self.stack[-1] if self.stack else ("", "")
        if tag in ("i", "v") and name:
            self._named(name, text)
        elif tag == "v" and parent == "varray":
            self.arrays[parent_name].append(text)
        elif tag == "c":
            self.row.append(text)
        elif tag == "rc":
            kind = next((n for t, n in reversed(self.stack) if t == "array"), "")
            target = {"atoms": self.atoms, "atomtypes": self.types}.get(kind)
            if target is not None:
                target.append(self.row)
        elif tag == "structure" and name == "initialpos":
            self.free = self.arrays.get("selective")
        elif tag == "calculation":
            self._finish()

    def _named(self, name: str, text: str) -> None:
        top = self.stack[1][0] if len(self.stack) > 1 else ""
        if top == "incar":
            self.incar[name.upper()] = text
        elif top == "parameters":
            self.parameters.setdefault(name.upper(), text)
        elif top == "generator" and name == "version":
            self.version = text.split()[0] if text else "?"
        elif top == "calculation" and name in ENERGIES and self.stack[-1][0] == "energy":
            place = self.field if self.stack[-2][0] == "scstep" else self.energies
            place[name] = to_number(text)

    def _finish(self) -> None:
        """The step that has just ended becomes the last one."""
        forces, stress = self.arrays.get("forces"), self.arrays.get("stress")
        free = self.arrays.get("selective", self.free)
        step = Step(
            self._energy(),
            self.iterations,
            _matrix(self.arrays.get("basis", [])),
            _matrix(self.arrays.get("positions", [])),
            _matrix(forces) if forces else None,
            _matrix(stress) if stress else None,
            np.array([[x.startswith(("T", ".T")) for x in row.split()] for row in free]) if free else None,
        )
        self.steps += 1
        self.first = self.first or step
        self.before, self.last = self.last, step

    def _energy(self) -> float:
        """The energy of the step, extrapolated to zero smearing, eV.

        Some versions write a wrong e_0_energy at the end of a step. So the effect of smearing is taken from the last
        iteration, and all else (such as dispersion) from the end of the step.
        """
        if not all(math.isfinite(self.energies.get(name, math.nan)) for name in ("e_fr_energy", "e_0_energy")):
            return math.nan
        smearing = self.field.get("e_0_energy", math.nan) - self.field.get("e_fr_energy", math.nan)
        return self.energies["e_fr_energy"] + smearing if math.isfinite(smearing) else self.energies["e_0_energy"]

    def _title(self, atom: list[str]) -> str:
        """The title of an atom's POTCAR. atom: the row with its element and the number of its type."""
        kind = to_number(atom[1]) if len(atom) > 1 else math.nan
        row = self.types[int(kind) - 1] if math.isfinite(kind) and 0 < kind <= len(self.types) else []
        return row[4] if len(row) > 4 else ""

    def run(self, broken: str) -> VaspRun:
        types = []
        for row in self.types:
            if len(row) >= 5 and math.isfinite(to_number(row[0])):
                title = " ".join(row[4].split())
                types.append((_element(row[1], title), title, to_number(row[3]), int(to_number(row[0]))))
        symbols = [_element(row[0], self._title(row)) for row in self.atoms if row]
        return VaspRun(
            self.version,
            merged_tags(self.incar, self.parameters),
            tuple(symbols),
            tuple(types),
            self.steps,
            self.first,
            self.before,
            self.last,
            broken,
        )


def _element(text: str, title: str) -> str:
    """The symbol; from the POTCAR's title where the text is none (some versions write "r" for Zr and "X" for Xe)."""
    from pymatgen.core import Element

    symbol, named = text.strip(), [*title.split(), "", ""][1].split("_")[0]
    return named if not Element.is_valid_symbol(symbol) and Element.is_valid_symbol(named) else symbol


def _matrix(rows: list[str]) -> np.ndarray:
    """The rows as (n, 3) numbers; NaN for what is no number, and in rows without exactly three."""
    values = [[to_number(x) for x in row.split()] for row in rows]
    return np.array([v if len(v) == 3 else [math.nan] * 3 for v in values], dtype=float).reshape(-1, 3)
