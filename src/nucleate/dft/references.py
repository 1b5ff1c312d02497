"""Energies of elements and competing phases by the same settings, computed once and kept in the cache.

The cache has a folder for each program, version and settings, and in it a folder for each calculation, with the files
of `dft.job`. A calculation that was interrupted is continued, and two processes that want the same one wait for each
other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.dft.elements import reference_state, starting_moments
from nucleate.dft.job import FAILED, CalculationOutcome, Runner
from nucleate.errors import NucleateError
from nucleate.io import safe_name
from nucleate.library.library import Library
from nucleate.settings.sampling import KNOWN

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

SYMPREC = 0.05  # angstrom; a symmetry that a relaxation left broken by less is restored, which saves most k-points


def crystal_atoms(structure: Structure, spin: str = "auto") -> Atoms:
    """The primitive cell with exact symmetry, and with the magnetic moments that a calculation starts from.

    Its vectors are the shortest ones, since k-points of skewed cells are spread unevenly and GPAW warns of wrong
    results. spin: "auto" or "off". Raises guard.OutOfRange for what cannot be a crystal.
    """
    from ase.geometry import minkowski_reduce

    from nucleate.crystal.symmetry import find_symmetry
    from nucleate.relaxation import guard

    atoms = guard.atoms_of(structure)
    try:
        found = find_symmetry(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers, SYMPREC).prim_std_cell
    except ValueError:  # no consistent symmetry: the cell stays as it is
        pass
    else:
        from ase import Atoms

        atoms = Atoms(found.numbers, cell=found.basis, scaled_positions=found.positions, pbc=True)
    reduced = minkowski_reduce(atoms.cell)[0]
    if not np.allclose(reduced, atoms.cell):
        atoms.set_cell(reduced)
        atoms.wrap()
    if any(moments := starting_moments(atoms.get_chemical_symbols(), spin)):
        atoms.set_initial_magnetic_moments(moments)
    return atoms


@dataclass(frozen=True)
class ReferencePhase:
    """A known crystal that a candidate competes with. structure: None where `missing` says why there is none."""

    formula: str
    source: str
    structure: Structure | None = None
    missing: str = ""

    @property
    def label(self) -> str:
        """The formula, with the reason in brackets where there is no structure."""
        return f"{self.formula} ({self.missing})" if self.missing else self.formula


class References:
    """Elements and competing phases, computed by one runner.

    cache: folder that keeps them. known: where the structures of the phases are from: "known" for the crystals that
    come with nucleate, a dataset or a parquet file, whose column material_id has the names that the reference set has
    as sources; "" to compute none of them. reference: the set whose hull decides which phases compete. max_atoms:
    phases with more atoms in the primitive cell are left out.
    """

    def __init__(self, runner: Runner, cache: Path, known: str, reference: str, max_atoms: int) -> None:
        self.runner, self.known, self.reference, self.max_atoms = runner, known, reference, max_atoms
        self.folder = cache / "dft" / f"{runner.program.name}-{runner.digest}"

    def element(self, symbol: str) -> CalculationOutcome:
        """The outcome of the calculation of an element, a failed one where it cannot be computed."""
        return self._run(f"element {symbol}", self.folder / "elements" / symbol, lambda: self._element(symbol))

    def phase(self, phase: ReferencePhase) -> CalculationOutcome:
        """The outcome of the calculation of a competing phase, which must have a structure."""
        assert phase.structure is not None
        structure, spin = phase.structure, self.runner.settings.spin
        folder = self.folder / "known" / safe_name(phase.source)
        return self._run(f"known {phase.formula}", folder, lambda: ("crystal", crystal_atoms(structure, spin)))

    def phases(self, elements: Iterable[str]) -> list[ReferencePhase]:
        """The compounds on the hull of this chemical system in the reference set, the most stable first.

        Raises NucleateError where the set lacks an element of the system.
        """
        from nucleate.chem.formula import parse_formula
        from nucleate.hull.distances import stable_phases
        from nucleate.hull.load import load_reference

        stable = stable_phases(elements, load_reference(self.reference))
        compounds = [(e.formula, e.source) for e, _ in stable if len(parse_formula(e.formula, strict=True)) > 1]
        structures = self._structures([s for _, s in compounds])
        return [self._phase(f, s, structures.get(s)) for f, s in compounds]

    def _run(self, name: str, folder: Path, make: Callable[[], tuple[str, Atoms]]) -> CalculationOutcome:
        from nucleate.relaxation.guard import OutOfRange

        try:
            kind, atoms = make()
        except (NucleateError, OutOfRange) as error:
            return CalculationOutcome(FAILED, " ".join(str(error).split()))
        return self.runner.run(name, folder, kind, atoms)

    def _element(self, symbol: str) -> tuple[str, Atoms]:
        spin = self.runner.settings.spin
        try:
            return reference_state(symbol, spin)
        except NucleateError:
            if not self.known:
                raise
        from nucleate.hull.known_crystals import select_crystals

        allotropes = select_crystals(self._source, elements=[symbol], max_atoms=self.max_atoms)
        if not allotropes:
            raise NucleateError(f"{self._named} no crystal of elemental {symbol} with {self.max_atoms} atoms or less")
        return "crystal", crystal_atoms(min(allotropes, key=lambda k: k.e_above_hull).structure(), spin)

    def _phase(self, formula: str, source: str, structure: Structure | None) -> ReferencePhase:
        if not self.known:
            return ReferencePhase(formula, source, None, f"{source}, no dataset given")
        if structure is None:
            return ReferencePhase(formula, source, None, f"{self._named} no {source}")
        if len(structure) > self.max_atoms:
            return ReferencePhase(formula, source, None, f"{len(structure)} atoms")
        return ReferencePhase(formula, source, structure)

    def _structures(self, sources: list[str]) -> dict[str, Structure]:
        """source -> primitive cell."""
        if not self.known:
            return {}
        if isinstance(self._source, Library):
            return {s: self._source[s].structure for s in sources if s in self._source}
        import pyarrow as pa
        import pyarrow.compute as pc
        from pymatgen.core import Lattice, Structure

        from nucleate.chem.elements import element_symbol
        from nucleate.crystal.columns import arrays_of_row
        from nucleate.hull.known_crystals import primitive_cell

        rows = self._source.filter(pc.is_in(self._source["material_id"], value_set=pa.array(sources, pa.string())))
        out = {}
        for row in rows.to_pylist():
            _, (cell, frac, numbers) = primitive_cell(*arrays_of_row(row))
            out[row["material_id"]] = Structure(Lattice(cell), [element_symbol(z) for z in numbers], frac)
        return out

    @property
    def _named(self) -> str:
        """The beginning of a sentence on what is not there."""
        return "the known crystals have" if self.known == KNOWN else f"{self.known} has"

    @cached_property
    def _source(self) -> Any:
        from nucleate.hull.known_crystals import known_source

        return known_source(self.known)
