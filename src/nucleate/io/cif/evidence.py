"""The further data of a CIF (formula, Z, density, volume, multiplicities), and the check of a reading against them."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import SYMBOLS
from nucleate.chem.formula import parse_formula
from nucleate.errors import NucleateError
from nucleate.io.cif.orbits import Atoms
from nucleate.io.cif.sites import HYDROGEN, HYDROUS, SiteRow, cif_number
from nucleate.io.cif.text import DataBlock

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMULAS = (*(f"_chemical_formula_{kind}" for kind in ("sum", "iupac", "structural", "moiety")),)
WEIGHT = "_chemical_formula_weight"
Z = "_cell_formula_units_z"
DENSITY = "_exptl_crystal_density_diffrn"
VOLUME = "_cell_volume"
FRACTION = 0.005  # largest difference of the share of an element from that in a rounded formula
UNITS = 0.02  # largest difference of the number of formula units from a whole number
DENSITY_PART = 0.02  # largest relative difference of densities without a remark: some were measured at high temperature
VOLUME_PART = 0.02  # the same for volumes
WEIGHT_PART = 0.004  # largest relative difference of formula weights; one hydrogen in 250 g/mol makes just that much
MOST_ASSIGNMENTS = 256  # largest number of ways to give elements to doubtful labels that are tried


@dataclass(frozen=True)
class Evidence:
    """What a file states about its crystal beside cell, symmetry and sites; None for what it does not state.

    formula: element -> number of atoms in one formula unit. units: the number Z of formula units in the cell. density
    in g/cm3, volume in cubic angstrom, weight of a formula unit in g/mol.
    """

    formula: Mapping[str, float] | None = None
    formula_text: str = ""
    units: int | None = None
    density: float | None = None
    volume: float | None = None
    weight: float | None = None

    def objection(self, counts: Mapping[str, int]) -> str | None:
        """Why the atoms in the cell (element -> number) do not agree with formula, Z and weight, or None if they do."""
        have = " ".join(f"{e}{n}" for e, n in sorted(counts.items()))
        total = sum(counts.values())
        if self.formula is None:
            if self.units and math.gcd(*counts.values()) % self.units:
                return f"the sites give {have} in the cell, which cannot be divided into {self.units} formula units (Z)"
            return self._weight_objection(counts, have)
        formula_atoms = sum(self.formula.values())
        shares = {e: counts.get(e, 0) / total - n / formula_atoms for e, n in self.formula.items()}
        exact = all(n == int(n) for n in self.formula.values())  # whole numbers are not the result of rounding
        apart = max(map(abs, shares.values())) > (1e-9 if exact else FRACTION)
        if set(counts) != set(self.formula) or apart:
            return f"the sites give {have} in the cell, but the formula of the file is {self.formula_text}"
        units = total / formula_atoms
        if self.units:
            # some programs write all atoms of the cell as the formula, and still give Z
            whole = abs(formula_atoms - total) < 0.5 and math.gcd(*counts.values()) % self.units == 0
            if abs(units - self.units) > UNITS * self.units and not whole:
                return (
                    f"the sites give {have} in the cell, {units:g} times the file's formula {self.formula_text}, but "
                    f"the file has Z = {self.units}; there are too few or too many atoms or symmetry operations"
                )
        elif min(abs(u - round(u)) if round(u) else 1.0 for u in (max(units, 1 / units),)) > UNITS * max(units, 1):
            return f"the sites give {have} in the cell, not a whole number of the file's formula {self.formula_text}"
        return None

    def _weight_objection(self, counts: Mapping[str, int], have: str) -> str | None:
        """Why the atoms do not agree with the formula weight, or None if they do.

        Without a formula in the file, only the weight can show that atoms are missing.
        """
        if not self.weight:
            return None
        found = _weight(counts) / self.weight
        if abs(found - (self.units or max(round(found), 1))) <= WEIGHT_PART * found:
            return None
        number = f"Z = {self.units}" if self.units else "no Z"
        return (
            f"the sites give {have} in the cell, {_weight(counts):.2f} g/mol, but the file has {number} and a formula "
            f"weight of {self.weight:g}; there are too few or too many atoms or symmetry operations"
        )

    def remarks(self, counts: Mapping[str, int], lattice: NDArray) -> list[str]:
        """Remarks if the volume or density in the file differs from that of its cell (3, 3), in angstrom, and atoms."""
        volume = float(abs(np.linalg.det(lattice)))
        out = []
        if self.volume and abs(volume / self.volume - 1) > VOLUME_PART:
            out.append(f"the cell has {volume:.1f} cubic angstrom, but the file says {self.volume:g}")
        if self.density and self.density_ratio(counts, volume) > 1 + DENSITY_PART:
            density = density_of_atoms(counts, volume)
            out.append(f"the density is {density:.3f} g/cm3, but the file says {self.density:g}")
        return out

    def density_ratio(self, counts: Mapping[str, int], volume: float) -> float:
        """The ratio of the density of the atoms and that in the file, or its inverse: at least 1. It is 1 if the file
        gives no density. volume in cubic angstrom."""
        if not self.density:
            return 1.0
        ratio = density_of_atoms(counts, volume) / self.density
        return max(ratio, 1 / ratio)


def evidence_of(block: DataBlock) -> tuple[Evidence, list[str]]:
    """The further data of a block, and remarks on what could not be read."""
    remarks: list[str] = []
    text = next((t for t in map(block.only, FORMULAS) if t), "")
    formula = parse_sum(text)
    counted = formula is not None  # Z is not compared with a formula that has brackets or water
    if formula is None and text:
        with suppress(NucleateError):
            formula = {e: float(n) for e, n in parse_formula("".join(text.replace(",", "·").split())).items()}
    if text and formula is None:
        remarks.append(f"the formula '{' '.join(text.split())[:60]}' cannot be read, so nothing is checked against it")
    values: dict[str, float | None] = {}
    for tag in (Z, DENSITY, VOLUME, WEIGHT):
        given = block.only(tag)
        try:
            values[tag] = cif_number(given) if given else None
        except ValueError:
            remarks.append(f"{tag} is not a number ('{given}'), so nothing is checked against it")
            values[tag] = None
    z = values[Z]
    units = int(z) if z and z > 0 and z == int(z) and (counted or formula is None) else None
    further = (values[tag] or None for tag in (DENSITY, VOLUME, WEIGHT))
    return Evidence(formula, text, units, *further), remarks


def parse_sum(text: str) -> dict[str, float] | None:
    """Element -> number for a sum formula such as "Al2 Mg O4" or "NA CL"; None for other texts.

    Deuterium counts as hydrogen. Charges are ignored, unless they may be numbers of atoms (Fe3+).
    """
    words = re.sub(r"['\",]", " ", text).split()
    words = [re.sub(r"(?<!\d)1?[+-]$", "", w) for w in words if not re.fullmatch(r"\d?[+-]\d?", w)]
    if not words:
        return None
    if all(re.fullmatch(r"[A-Z]{1,2}[\d.]*", w) for w in words) and any(re.match(r"[A-Z]{2}", w) for w in words):
        words = [w[:1] + w[1:2].lower() + w[2:] for w in words]  # all in capitals, one word for each element
    if not all(re.fullmatch(r"[A-Z][a-z]?(\d+\.?\d*|\.\d+)?", w) for w in words):
        return None
    out: dict[str, float] = {}
    for word in words:
        symbol = re.match(r"[A-Z][a-z]?", word)
        assert symbol is not None
        out[symbol[0]] = out.get(symbol[0], 0.0) + float(word[symbol.end() :] or 1)
    for isotope in set(out) & set(HYDROGEN):
        out["H"] = out.get("H", 0.0) + out.pop(isotope)
    good = out and all(e in SYMBOLS and math.isfinite(n) and n > 0 for e, n in out.items())
    return out if good else None


def density_of_atoms(counts: Mapping[str, int], volume: float) -> float:
    """The density in g/cm3 of atoms (element -> number) in a cell of `volume` cubic angstrom."""
    dalton = 1.66053907  # the density in g/cm3 of one dalton per cubic angstrom
    return dalton * _weight(counts) / volume


def _weight(counts: Mapping[str, int]) -> float:
    """The weight in g/mol of atoms (element -> number)."""
    from ase.data import atomic_masses, atomic_numbers

    return sum(n * float(atomic_masses[atomic_numbers[e]]) for e, n in counts.items())


def elements_of_rows(rows: Sequence[SiteRow], atoms: Atoms, evidence: Evidence) -> tuple[list[str] | None, str]:
    """An element for every row; or None, and the reason why no choice or more than one choice is possible.

    Doubtful labels get the elements with which the atoms agree with the formula. Without a formula there is no choice.
    """
    sizes = atoms.sizes(len(rows)).tolist()
    doubtful = [row for row in rows if not row.certain]
    if doubtful and evidence.formula is None:
        row = doubtful[0]
        if HYDROUS.fullmatch(row.label) and row.elements == ("O",):
            return None, (
                f"{row.name} is oxygen with hydrogens by its label, but the file has no hydrogens; add them as sites, "
                "or show by _chemical_formula_sum that there are none"
            )
        more = ", or stand for more than one atom" * (len(row.elements) < 2)
        return None, (
            f"{row.name} may be {' or '.join(row.elements)}{more}; "
            "add a column _atom_site_type_symbol or _chemical_formula_sum"
        )
    fitting: dict[tuple[str, ...], None] = {}
    reason = ""
    choices = itertools.islice(itertools.product(*(row.elements for row in rows)), MOST_ASSIGNMENTS)
    for elements in choices:
        objection = evidence.objection(_counts(elements, sizes))
        if objection is None:
            fitting[elements] = None
        reason = reason or objection or ""
    if len(fitting) == 1:
        return list(next(iter(fitting))), ""
    if len(fitting) > 1:
        a, b, *_ = fitting
        i = next(i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
        return None, f"{rows[i].name} may be {a[i]} or {b[i]} by the formula; add a column _atom_site_type_symbol"
    return None, reason


def _counts(elements: Sequence[str], sizes: Sequence[int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for element, size in zip(elements, sizes, strict=True):
        if size:
            counts[element] += size
    return dict(counts)


def multiplicities_agree(rows: Sequence[SiteRow], atoms: Atoms, order: int) -> bool:
    """Whether the sizes of the orbits agree with the numbers in the file, read either all as multiplicities or all as
    orders of the site symmetry. order: the number of symmetry operations."""
    sizes = atoms.sizes(len(rows)).tolist()
    pairs = [(row.multiplicity, n) for row, n in zip(rows, sizes, strict=True) if row.multiplicity and n]
    return all(m == n for m, n in pairs) or all(m * n == order for m, n in pairs)
