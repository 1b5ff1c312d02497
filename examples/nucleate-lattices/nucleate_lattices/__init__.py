"""A generator for nucleate that asks an external program, which reads a composition and writes CIFs."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress
from nucleate.generators.defaults import BaseGenerator

if TYPE_CHECKING:
    from pymatgen.core import Structure

PROGRAM = [sys.executable, str(Path(__file__).with_name("place.py"))]  # any command that takes the same arguments
LIMIT_S = 60.0  # seconds that the program may take for one structure


class Lattices(BaseGenerator["Structure"]):
    """Atoms on a few simple lattices; the seed chooses the lattice constant and who sits where."""

    name = "lattices"
    accepts = frozenset({"composition"})
    needs = ("composition",)

    def check(self, condition: Condition) -> None:
        """Raise NucleateError for a ratio that the program has no lattice for."""
        from nucleate_lattices.place import LATTICES, ratio

        if ratio(condition.composition or {}) not in LATTICES:
            known = ", ".join(":".join(map(str, r)) for r in LATTICES)
            raise NucleateError(f"lattices has no lattice for such a formula; it has some for the ratios {known}")

    def facts(self) -> Mapping[str, Any]:
        """What stands in records and reports of this generator."""
        return {"version": "0.1.0", "license": "Apache-2.0", "reference": "an example of nucleate's documentation"}

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed."""
        out = []
        for condition, seed in zip(conditions, seeds, strict=True):
            out.append(run_program(dict(condition.composition or {}), seed))
            if progress is not None:
                progress(len(out), len(conditions))
        return out


def run_program(composition: Mapping[str, int], seed: int) -> Structure:
    """What the program writes for a composition. Raises NucleateError where it fails, hangs or writes no crystal."""
    from nucleate import read_structures

    formula = "".join(f"{element}{n}" for element, n in composition.items())
    with tempfile.TemporaryDirectory() as folder:
        command = [*PROGRAM, formula, str(seed), folder]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise NucleateError(f"lattices took more than {LIMIT_S:g} seconds for {formula}") from None
        if done.returncode:
            raise NucleateError(f"lattices failed for {formula}: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
        return read_structures(folder).structures[0].structure
