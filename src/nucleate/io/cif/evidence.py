"""What else a CIF says of its crystal (formula, Z, density, volume, multiplicities), held against one reading of it."""

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
FRACTION = 0.005  # in which shares of elements may differ from a formula that was rounded
UNITS = 0.02  # in which the number of formula units may differ from a whole number
DENSITY_PART = 0.02  # by which densities may differ without a remark: some are of other temperatures
VOLUME_PART = 0.02
WEIGHT_PART = 0.004  # by which weights of a formula unit may differ: a hydrogen in 250 g/mol is more
MOST_ASSIGNMENTS = 256  # of elements to doubtful labels that are tried


@dataclass(frozen=True)
class Evidence:
    """formula: element -> number, in one formula unit. density in g/cm3, volume in cubic angstrom, weight in g/mol."""

    formula: Mapping[str, float] | None = None
    formula_text: str = ""
    units: int | None = None
    density: float | None = None
    volume: float | None = None
    weight: float | None = None

    def objection(self, counts: Mapping[str, int]) -> str | None:
        """Why atoms in the cell (element -> number) are not what formula and Z say, or None."""
        have = " ".join(f"{e}{n}" for e, n in sorted(counts.items()))
        total = sum(counts.values())
        if self.formula is None:
            if self.units and math.gcd(*counts.values()) % self.units:
                return f"the sites make {have} in the cell, which is not {self.units} formula units (Z) of anything"
            return self._weight_says(counts, have)
        said = sum(self.formula.values())
        shares = {e: counts.get(e, 0) / total - n / said for e, n in self.formula.items()}
        exact = all(n == int(n) for n in self.formula.values())  # whole numbers were not rounded
        apart = max(map(abs, shares.values())) > (1e-9 if exact else FRACTION)
        if set(counts) != set(self.formula) or apart:
            return f"the sites make {have} in the cell, the formula of the file is {self.formula_text}"
        units = total / said
        if self.units:
            # some programs write all atoms of the cell as the formula, and Z beside it
            whole = abs(said - total) < 0.5 and math.gcd(*counts.values()) % self.units == 0
            if abs(units - self.units) > UNITS * self.units and not whole:
                return (
                    f"the sites make {have} in the cell, {units:g} of the file's formula {self.formula_text}, "
                    f"where it says Z = {self.units}; atoms or symmetry operations are missing, or too many"
                )
        elif min(abs(u - round(u)) if round(u) else 1.0 for u in (max(units, 1 / units),)) > UNITS * max(units, 1):
            return f"the sites make {have} in the cell, no whole number of the file's formula {self.formula_text}"
        return None

    def _weight_says(self, counts: Mapping[str, int], have: str) -> str | None:
        """The objection of the formula weight, the only word of a file without a formula on atoms that it lacks."""
        if not self.weight:
            return None
        found = _weight(counts) / self.weight
        if abs(found - (self.units or max(round(found), 1))) <= WEIGHT_PART * found:
            return None
        number = f"Z = {self.units}" if self.units else "no Z"
        return (
            f"the sites make {have} in the cell, {_weight(counts):.2f} g/mol, where the file says {number} and a "
            f"formula weight of {self.weight:g}; atoms or symmetry operations are missing, or too many"
        )

    def remarks(self, counts: Mapping[str, int], lattice: NDArray) -> list[str]:
        """Remarks where volume or density, as the file states them, are not those of its cell and atoms."""
        volume = float(abs(np.linalg.det(lattice)))
        out = []
        if self.volume and abs(volume / self.volume - 1) > VOLUME_PART:
            out.append(f"the cell has {volume:.1f} cubic angstrom, the file says {self.volume:g}")
        if self.density and self.density_ratio(counts, volume) > 1 + DENSITY_PART:
            out.append(f"the density is {density_of_atoms(counts, volume):.3f} g/cm3, the file says {self.density:g}")
        return out

    def density_ratio(self, counts: Mapping[str, int], volume: float) -> float:
        """How far the density is from what the file says, as a ratio of at least 1; 1 where it says nothing."""
        if not self.density:
            return 1.0
        ratio = density_of_atoms(counts, volume) / self.density
        return max(ratio, 1 / ratio)


def evidence_of(block: DataBlock) -> tuple[Evidence, list[str]]:
    """What a block says of its crystal, and remarks on what could not be read."""
    remarks: list[str] = []
    text = next((t for t in map(block.only, FORMULAS) if t), "")
    formula = parse_sum(text)
    counted = formula is not None  # a formula with brackets or water is compared by its shares alone
    if formula is None and text:
        with suppress(NucleateError):
            formula = {e: float(n) for e, n in parse_formula("".join(text.replace(",", "·").split())).items()}
    if text and formula is None:
        remarks.append(f"the formula '{' '.join(text.split())[:60]}' could not be read, so nothing is checked by it")
    values: dict[str, float | None] = {}
    for tag in (Z, DENSITY, VOLUME, WEIGHT):
        given = block.only(tag)
        try:
            values[tag] = cif_number(given) if given else None
        except ValueError:
            remarks.append(f"{tag} is no number ('{given}'), so nothing is checked by it")
            values[tag] = None
    z = values[Z]
    units = int(z) if z and z > 0 and z == int(z) and (counted or formula is None) else None
    further = (values[tag] or None for tag in (DENSITY, VOLUME, WEIGHT))
    return Evidence(formula, text, units, *further), remarks


def parse_sum(text: str) -> dict[str, float] | None:
    """Element -> number of "Al2 Mg O4", "NA CL"; deuterium is hydrogen; None for what is not such a sum.

    Charges are set aside, unless they may be numbers of atoms (Fe3+).
    """
    words = re.sub(r"['\",]", " ", text).split()
    words = [re.sub(r"(?<!\d)1?[+-]$", "", w) for w in words if not re.fullmatch(r"\d?[+-]\d?", w)]
    if not words:
        return None
    if all(re.fullmatch(r"[A-Z]{1,2}[\d.]*", w) for w in words) and any(re.match(r"[A-Z]{2}", w) for w in words):
        words = [w[:1] + w[1:2].lower() + w[2:] for w in words]  # all in capitals, a word for each element
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
    dalton = 1.66053907  # g/cm3 of one dalton in a cubic angstrom
    return dalton * _weight(counts) / volume


def _weight(counts: Mapping[str, int]) -> float:
    """g/mol of atoms (element -> number)."""
    from ase.data import atomic_masses, atomic_numbers

    return sum(n * float(atomic_masses[atomic_numbers[e]]) for e, n in counts.items())


def assign_elements(rows: Sequence[SiteRow], atoms: Atoms, evidence: Evidence) -> tuple[list[str] | None, str]:
    """An element for every row, or None and the reason why no choice or more than one is possible.

    For doubtful labels the elements are chosen that make the atoms agree with the formula. Without a formula no choice
    is made.
    """
    sizes = atoms.sizes(len(rows)).tolist()
    doubtful = [row for row in rows if not row.certain]
    if doubtful and evidence.formula is None:
        row = doubtful[0]
        if HYDROUS.fullmatch(row.label) and row.elements == ("O",):
            return None, (
                f"{row.name} is oxygen with hydrogens by its label, and the file has no hydrogens; add them as sites, "
                "or say by _chemical_formula_sum that there are none"
            )
        return None, (
            f"{row.name} may be {_or(row.elements)}{', or stand for more than one atom' * (len(row.elements) < 2)}; "
            "a column _atom_site_type_symbol or _chemical_formula_sum would say"
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
        return None, f"{rows[i].name} may be {a[i]} or {b[i]} by the formula; a column _atom_site_type_symbol would say"
    return None, reason


def _or(elements: Sequence[str]) -> str:
    return " or ".join(elements)


def _counts(elements: Sequence[str], sizes: Sequence[int]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for element, size in zip(elements, sizes, strict=True):
        if size:
            counts[element] += size
    return dict(counts)


def multiplicities_agree(rows: Sequence[SiteRow], atoms: Atoms, order: int) -> bool:
    """Whether orbits are as large as the file says, all as multiplicities or all as orders of the site symmetry."""
    sizes = atoms.sizes(len(rows)).tolist()
    pairs = [(row.multiplicity, n) for row, n in zip(rows, sizes, strict=True) if row.multiplicity and n]
    return all(m == n for m, n in pairs) or all(m * n == order for m, n in pairs)
