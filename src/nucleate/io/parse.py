"""Structures from single texts and records. Functions may raise any exception; their callers turn it into a reason."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.errors import NucleateError
from nucleate.io.species import label_element

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure


LENGTHS, ANGLES = ("a", "b", "c"), ("alpha", "beta", "gamma")
HYDROGENS = {"D": "deuterium", "T": "tritium"}


@dataclass(frozen=True)
class ParsedCrystal:
    """A crystal that was read.

    remarks: what the user should look at, although the crystal could be read. fixed: the sites (from 0) that must not
    move in relaxations according to the file. is_bare: whether the structure certainly has nothing but species and
    coordinates.
    """

    structure: Structure
    remarks: tuple[str, ...] = ()
    fixed: tuple[int, ...] = ()
    is_bare: bool = False


def bare_structure(cell: Any, symbols: Sequence[str], frac: Any) -> ParsedCrystal:
    """A crystal of a cell (3, 3) with vectors in rows in angstrom, n symbols, and fractional coordinates (n, 3).

    D and T become hydrogen, with a remark. Raises NucleateError that names a site whose symbol is no element.
    """
    from pymatgen.core import Lattice, Structure

    numbers: list[Any] = []
    for i, symbol in enumerate(symbols, start=1):
        try:
            numbers.append(1 if symbol in HYDROGENS else atomic_number(symbol))
        except NucleateError as error:
            raise NucleateError(f"site {i}: {error}") from None
    found = [
        f"{symbols.count(s)} {name} atoms ({s}) are read as hydrogen" for s, name in HYDROGENS.items() if s in symbols
    ]
    return ParsedCrystal(Structure(Lattice(cell), numbers, frac), tuple(found), is_bare=True)


def without_extras(parsed: ParsedCrystal) -> ParsedCrystal:
    """The same crystal with nothing but species and coordinates: no site properties, labels, charges or spins.

    Raises NucleateError that names a site that is partially occupied or has no element.
    """
    if parsed.is_bare:
        return parsed
    symbols = []
    for i, site in enumerate(parsed.structure, start=1):
        if not site.is_ordered:
            raise NucleateError(
                f"partial occupancy at site {i} ({site.species_string}); nucleate order makes ordered cells"
            )
        species = site.specie
        symbols.append(str(getattr(getattr(species, "element", species), "name", species)))
    lattice = parsed.structure.lattice
    if not all(lattice.pbc):
        raise NucleateError(f"periodic in {sum(lattice.pbc)} of 3 directions")
    made = bare_structure(lattice.matrix, symbols, parsed.structure.frac_coords)
    return dataclasses.replace(made, remarks=(*parsed.remarks, *made.remarks), fixed=parsed.fixed)


def scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that are scalars (also numpy's), as Python values."""
    out = {}
    for key, value in values.items():
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if isinstance(value, bool | int | float | str) and value != "":
            out[str(key)] = value
    return out


def structure_from_dict(values: Any) -> Structure:
    """The structure of a dictionary of pymatgen, as in `parse_dict`."""
    return parse_dict(values).structure


def parse_dict(values: Any) -> ParsedCrystal:
    """The crystal of a dictionary of pymatgen: lattice, species and coordinates. Site properties are dropped.

    pymatgen's own reader would import and construct the classes that the dictionary names; here nothing is. Raises
    NucleateError for other values, and for sites that are partially occupied, have no element, or have Cartesian and
    fractional coordinates that differ.
    """
    if not isinstance(values, Mapping) or "lattice" not in values or "sites" not in values:
        raise NucleateError("not a structure (a dictionary with 'lattice' and 'sites' as pymatgen writes it)")
    cell = _cell(values["lattice"])
    sites = values["sites"]
    if not isinstance(sites, Sequence) or isinstance(sites, str) or not sites:
        raise NucleateError("no atoms ('sites' must be a list of sites)")
    symbols, places, positions = [], [], []
    for i, site in enumerate(sites, start=1):
        if not isinstance(site, Mapping):
            raise NucleateError(f"site {i} is not a dictionary with 'species' and 'abc'")
        symbols.append(_symbol(site.get("species"), i))
        if "abc" not in site and "xyz" not in site:
            raise NucleateError(f"site {i} has no coordinates ('abc' or 'xyz')")
        places.append(_numbers(site["abc"], f"site {i}: 'abc'") if "abc" in site else None)
        positions.append(_numbers(site["xyz"], f"site {i}: 'xyz'") if "xyz" in site else None)
    made = bare_structure(cell, symbols, _fractional(cell, places, positions))
    other = [
        f"site {i} is {symbol}, though its label is {site['label'][:20]}"
        for i, (symbol, site) in enumerate(zip(symbols, sites, strict=True), start=1)
        if isinstance(site.get("label"), str) and label_element(site["label"]) not in (None, symbol)
    ]
    return dataclasses.replace(made, remarks=(*made.remarks, *other[:3]))


def _cell(lattice: Any) -> NDArray[np.float64]:
    """The cell (3, 3), vectors in rows in angstrom, from the matrix or from lengths and angles. If both are given, they
    must agree."""
    if not isinstance(lattice, Mapping):
        raise NucleateError("'lattice' is not a dictionary with 'matrix', or with a, b, c, alpha, beta, gamma")
    pbc = lattice.get("pbc", (True, True, True))
    if not isinstance(pbc, Sequence) or len(pbc) != 3 or not all(p is True or p == 1 for p in pbc):
        count = sum(bool(p) for p in pbc) if isinstance(pbc, Sequence) else 0
        raise NucleateError(f"periodic in {count} of 3 directions")
    given = all(lattice.get(k) is not None for k in (*LENGTHS, *ANGLES))
    parameters = (
        _numbers([lattice[k] for k in (*LENGTHS, *ANGLES)], "the cell's lengths and angles", 6) if given else []
    )
    if lattice.get("matrix") is None:
        if not given:
            raise NucleateError("the lattice has neither 'matrix' nor a, b, c, alpha, beta, gamma")
        return cell_from_parameters(parameters)
    rows = lattice["matrix"]
    if not isinstance(rows, Sequence) or len(rows) != 3:
        raise NucleateError("the lattice's 'matrix' must be three rows of three numbers")
    matrix = np.array([_numbers(row, "a row of the lattice's 'matrix'") for row in rows])
    if given:
        lengths = np.linalg.norm(matrix, axis=1)
        if not np.allclose(lengths, parameters[:3], rtol=2e-3, atol=2e-3):
            raise NucleateError(
                f"the lattice's vectors have the lengths {_shown(lengths)}, but a, b, c are {_shown(parameters[:3])}"
            )
        between = _angles(matrix)
        if np.isfinite(between).all() and not np.allclose(between, parameters[3:], rtol=0, atol=0.2):
            raise NucleateError(
                f"the lattice's vectors have the angles {_shown(between)}, but alpha, beta, gamma are "
                f"{_shown(parameters[3:])}"
            )
    return matrix


def _angles(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The angles alpha, beta, gamma of a cell in degrees; NaN if a vector has no length."""
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip([unit[1] @ unit[2], unit[2] @ unit[0], unit[0] @ unit[1]], -1, 1)))


def _shown(values: Any) -> str:
    return ", ".join(f"{v:.4g}" for v in values)


def _numbers(values: Any, what: str, count: int = 3) -> list[float]:
    good = isinstance(values, Sequence) and len(values) == count
    if not good or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        raise NucleateError(f"{what} must be {count} numbers, not {str(values)[:60]}")
    try:
        out = [float(v) for v in values]
    except OverflowError:
        out = [math.inf]
    if not all(map(math.isfinite, out)):
        raise NucleateError(f"{what}: not a finite number")
    return out


def _symbol(species: Any, i: int) -> str:
    """The symbol of the element of a site. A charge or a spin is ignored. i: the number of the site, for messages."""
    good = isinstance(species, Sequence) and not isinstance(species, str) and len(species) > 0
    if not good or not all(isinstance(s, Mapping) and isinstance(s.get("element"), str) for s in species):
        raise NucleateError(f"site {i} has no species (a list of {{'element': 'Fe', 'occu': 1}})")
    share = species[0].get("occu", 1)
    if len(species) > 1 or not isinstance(share, int | float) or not abs(share - 1) < 1e-6:
        names = ", ".join(f"{s['element']}:{s.get('occu', 1)}" for s in species)
        raise NucleateError(f"partial occupancy at site {i} ({names}); nucleate order makes ordered cells")
    return re.sub(r"\d*(\.\d+)?[+-]$", "", species[0]["element"])


def _fractional(
    cell: NDArray[np.float64], places: list[list[float] | None], positions: list[list[float] | None]
) -> NDArray[np.float64]:
    """Fractional coordinates (n, 3). If a site also has Cartesian ones (angstrom), both must agree."""
    if any(p is not None for p in positions):
        try:
            inverse = np.linalg.inv(cell)
        except np.linalg.LinAlgError:
            raise NucleateError("the cell has no volume") from None
    out = []
    for i, (place, position) in enumerate(zip(places, positions, strict=True), start=1):
        if position is not None:
            from_position = np.array(position) @ inverse
            if place is None:
                place = list(from_position)
            apart = np.array(place) - from_position
            apart -= apart.round()
            if float(np.linalg.norm(apart @ cell)) > 0.05:
                raise NucleateError(f"site {i}: 'abc' and 'xyz' are two different places")
        out.append(place)
    return np.array(out, dtype=np.float64)


def structure_from_columns(atomic_numbers: Any, frac_coords: Any, lengths: Any, angles: Any) -> ParsedCrystal:
    """The crystal of a row of a parquet file: atomic_numbers (n,), frac_coords (3n,), lengths (3,) in angstrom, angles
    (3,) in degrees. Raises NucleateError if these are no crystal."""
    columns = {"coordinates": frac_coords, "atomic numbers": atomic_numbers, "lengths": lengths, "angles": angles}
    for name, value in columns.items():
        if value is None or (isinstance(value, list) and not value):
            raise NucleateError(f"no {name}")
    if not isinstance(atomic_numbers, list) or not isinstance(frac_coords, list):
        raise NucleateError("atomic_numbers and frac_coords must be lists of numbers")
    if len(frac_coords) != 3 * len(atomic_numbers):
        raise NucleateError(f"{len(frac_coords)} coordinates for {len(atomic_numbers)} atoms")
    frac = np.array(_numbers(frac_coords, "a coordinate", len(frac_coords))).reshape(-1, 3)
    cell = cell_from_parameters([*_numbers(lengths, "the cell's lengths"), *_numbers(angles, "the cell's angles")])
    bad = next((z for z in atomic_numbers if not isinstance(z, int) or not 1 <= z <= len(SYMBOLS)), None)
    if bad is not None or None in atomic_numbers:
        raise NucleateError(f"no element has the atomic number {bad}")
    return bare_structure(cell, [SYMBOLS[z - 1] for z in atomic_numbers], frac)


def cell_from_parameters(parameters: list[float]) -> NDArray[np.float64]:
    """The cell (3, 3), vectors in rows, of three lengths (angstrom) and three angles (degrees). Raises NucleateError if
    no cell has these."""
    from pymatgen.core import Lattice

    alpha, beta, gamma = np.cos(np.radians(parameters[3:]))
    root = 1 - alpha**2 - beta**2 - gamma**2 + 2 * alpha * beta * gamma
    if min(parameters) <= 0 or max(parameters[3:]) >= 180 or not root > 0:
        raise NucleateError(f"no cell has the lengths {_shown(parameters[:3])} and the angles {_shown(parameters[3:])}")
    return np.array(Lattice.from_parameters(*parameters).matrix)
