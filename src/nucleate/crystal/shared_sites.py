"""Ordered cells of crystals whose sites are shared by several elements or partly empty."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nucleate.crystal.orderings import Parent, count_arrangements, orderings
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Mix = Mapping[str, float]  # element (or VACANCY) -> share of the sites

VACANCY = "vacancy"
MOST = 100_000  # the largest number of arrangements of a supercell that are enumerated
LARGEST = 200  # the largest number of sites of an ordered cell
EXACT = 0.004  # a share this close to a simple fraction is taken for that fraction: 0.33 is a third
SYMPREC = 0.05  # angstrom


def mix_of(site: Any) -> dict[str, float]:
    """Element (or VACANCY) -> share of a pymatgen site."""
    mix: dict[str, float] = {}
    for species, share in site.species.items():
        symbol = cast("Any", species).symbol
        mix[symbol] = mix.get(symbol, 0.0) + float(share)
    rest = 1.0 - math.fsum(mix.values())
    return {**mix, VACANCY: rest} if rest > EXACT else mix


def orbits_of(structure: Structure) -> NDArray[np.int64]:
    """For each site (n,) the index of the first site that is equivalent to it by symmetry."""
    names = [str(sorted(mix_of(site).items())) for site in structure]
    kinds = {name: i + 1 for i, name in enumerate(dict.fromkeys(names))}
    try:
        numbers = [kinds[name] for name in names]
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC)
    except ValueError:
        return np.arange(len(structure))
    return np.asarray(found.orbits, dtype=np.int64)


def without_vacancies(
    lattice: NDArray[np.float64], positions: NDArray[np.float64], symbols: Sequence[str]
) -> Structure:
    """The crystal with those sites whose symbol is an element and not VACANCY.

    lattice: (3, 3) in angstrom. positions: (n, 3), fractional. Raises NucleateError if no atom is left.
    """
    from pymatgen.core import Lattice, Structure

    kept = [i for i, s in enumerate(symbols) if s != VACANCY]
    if not kept:
        raise NucleateError("no atom would be left")
    return Structure(Lattice(lattice), [symbols[i] for i in kept], np.asarray(positions)[kept])


def ordered_cells(
    structure: Structure, names: Sequence[str], mixes: Sequence[Mix], groups: Sequence[tuple], max_atoms: int
) -> Iterator[Structure]:
    """Every ordered cell of a crystal with shared sites, each once up to symmetry.

    names: of the sites before the replacement; the symmetry is that of the crystal with these. mixes: for each site,
    element -> share. groups: for each site a key (name, items of the mix); a mix is distributed over all sites with the
    same key. max_atoms: the largest number of sites of a cell; 0 stands for the smallest cell that has the shares
    exactly. Raises NucleateError if a cell would have more than LARGEST sites or MOST arrangements.
    """
    kinds = {key: i + 1 for i, key in enumerate(dict.fromkeys(zip(names, groups, strict=True)))}
    of_kind = {kinds[key]: (mix, key[1]) for key, mix in zip(zip(names, groups, strict=True), mixes, strict=True)}
    numbers = [kinds[key] for key in zip(names, groups, strict=True)]
    lattice, positions, numbers = primitive_cell(structure, numbers)
    shared = [key for n in dict.fromkeys(numbers) for mix, key in [of_kind[n]] if len(mix) > 1]
    shared = list(dict.fromkeys(shared))
    own = np.array([shared.index(of_kind[n][1]) if len(of_kind[n][0]) > 1 else -1 for n in numbers])
    rotations, translations = operations_of(lattice, positions, numbers)
    parent = Parent(lattice, positions, own, rotations, translations)
    mix_of_group = [dict(key[1]) for key in shared]
    shares = [_fractions(mix) for mix in mix_of_group]
    for index in _indices(parent, shares, max_atoms):
        counts = [[int(f * n * index) for f in some.values()] for some, n in zip(shares, parent.sizes, strict=True)]
        cell = index * len(positions)
        if (count := count_arrangements(parent, index, counts)) > MOST:
            words = ", ".join(f"{name} {float(f):.4g}" for some in shares for name, f in some.items())
            raise NucleateError(
                f"{words}: there are {count:,} arrangements in cells of {cell} sites, more than {MOST:,}; ask for "
                "fewer atoms or a simpler share"
            )
        for found in orderings(parent, index, counts):
            symbols = [
                list(shares[own[site]])[label] if own[site] >= 0 else next(iter(of_kind[numbers[site]][0]))
                for site, label in zip(found.sites, found.labels, strict=True)
            ]
            made = without_vacancies(found.supercell @ lattice, found.positions, symbols)
            yield made.get_reduced_structure("LLL") if index > 1 else made


def primitive_cell(
    structure: Structure, numbers: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
    """Lattice (3, 3), positions (n, 3) and numbers of the primitive cell with exact symmetry, where sites with
    different numbers are different; the given ones if no symmetry is found."""
    try:
        cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC).prim_std_cell
    except ValueError:
        return np.array(structure.lattice.matrix), np.array(structure.frac_coords), list(numbers)
    return np.array(cell.basis), np.array(cell.positions), list(cell.numbers)


def operations_of(
    lattice: NDArray[np.float64], positions: NDArray[np.float64], numbers: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rotations (k, 3, 3) and translations (k, 3) of the space group of such a cell."""
    try:
        found = find_symmetry(lattice, positions, numbers, SYMPREC).operations
    except ValueError:
        return np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
    return np.array(found.rotations, dtype=np.int64), np.array(found.translations)


def _fractions(mix: Mix) -> dict[str, Fraction]:
    """Element -> share as the simplest fraction within EXACT of it. The last share is what the others leave of 1."""
    out: dict[str, Fraction] = {}
    names = list(mix)
    for name in names[:-1]:
        share = mix[name]
        near = (Fraction(round(share * d), d) for d in range(1, 1000) if abs(round(share * d) / d - share) <= EXACT)
        out[name] = next(f for f in near if f > 0)
    out[names[-1]] = 1 - sum(out.values(), Fraction(0))
    return out


def _indices(parent: Parent, shares: Sequence[Mapping[str, Fraction]], max_atoms: int) -> list[int]:
    """The numbers of parent cells for which all shares are integers of atoms: the smallest, or all up to
    `max_atoms`."""
    size = len(parent.positions)
    smallest = math.lcm(*(
        (f * n).denominator for some, n in zip(shares, parent.sizes, strict=True) for f in some.values()
    ))  # fmt: skip
    least, most = smallest * size, max_atoms or LARGEST
    if least > min(most, LARGEST):
        words = ", ".join(f"{name} {f}" for some in shares for name, f in some.items())
        raise NucleateError(
            f"{words}: the smallest cell that holds these shares has {least} sites, and at most "
            f"{min(most, LARGEST)} are allowed; take simpler shares, such as 1/2"
        )
    return [n for n in range(smallest, min(most, LARGEST) // size + 1, smallest)] if max_atoms else [smallest]
