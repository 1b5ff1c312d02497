"""Sites that several elements share, or that are partly empty, and the ordered cells that they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nucleate.crystal.orderings import Parent, arrangements, orderings
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    Mix = Mapping[str, float]  # element (or VACANCY) -> share of the sites

VACANCY = "vacancy"
MOST = 100_000  # arrangements in a supercell that are looked at
LARGEST = 200  # sites of an ordered cell
EXACT = 0.004  # a share this near to a simple fraction means it: 0.33 is a third
SYMPREC = 0.05  # angstrom


def mix_of(site: Any) -> dict[str, float]:
    """Element -> share of a site, vacancies included."""
    mix: dict[str, float] = {}
    for species, share in site.species.items():
        symbol = cast("Any", species).symbol
        mix[symbol] = mix.get(symbol, 0.0) + float(share)
    rest = 1.0 - math.fsum(mix.values())
    return {**mix, VACANCY: rest} if rest > EXACT else mix


def orbits_of(structure: Structure) -> NDArray[np.int64]:
    """For each site the first one that symmetry makes equal to it."""
    names = [str(sorted(mix_of(site).items())) for site in structure]
    kinds = {name: i + 1 for i, name in enumerate(dict.fromkeys(names))}
    try:
        numbers = [kinds[name] for name in names]
        found = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC)
    except ValueError:
        return np.arange(len(structure))
    return np.asarray(found.orbits, dtype=np.int64)


def filled(lattice: NDArray[np.float64], positions: NDArray[np.float64], symbols: Sequence[str]) -> Structure:
    """The crystal, without vacancies, its sites sorted by element."""
    from pymatgen.core import Lattice, Structure

    kept = [i for i, s in enumerate(symbols) if s != VACANCY]
    if not kept:
        raise NucleateError("no atom would be left")
    return Structure(Lattice(lattice), [symbols[i] for i in kept], np.asarray(positions)[kept])


def ordered_cells(
    structure: Structure, names: Sequence[str], mixes: Sequence[Mix], groups: Sequence[tuple], max_atoms: int
) -> Iterator[Structure]:
    """Every ordered cell of a crystal, in which symmetry makes no two equal.

    names: of the sites before anything is replaced, whose symmetry it is that counts. mixes: what is on each site.
    groups: which sites share what is on them, each key ending in the items of the mix. max_atoms: sites of a cell at
    most; 0 takes the smallest that holds the shares exactly. Raises NucleateError for cells with more than LARGEST
    sites or MOST arrangements.
    """
    kinds = {key: i + 1 for i, key in enumerate(dict.fromkeys(zip(names, groups, strict=True)))}
    of_kind = {kinds[key]: (mix, key[1]) for key, mix in zip(zip(names, groups, strict=True), mixes, strict=True)}
    numbers = [kinds[key] for key in zip(names, groups, strict=True)]
    lattice, positions, numbers = _primitive(structure, numbers)
    shared = [key for n in dict.fromkeys(numbers) for mix, key in [of_kind[n]] if len(mix) > 1]
    shared = list(dict.fromkeys(shared))
    own = np.array([shared.index(of_kind[n][1]) if len(of_kind[n][0]) > 1 else -1 for n in numbers])
    rotations, translations = _operations(lattice, positions, numbers)
    parent = Parent(lattice, positions, own, rotations, translations)
    mix_of_group = [dict(key[1]) for key in shared]
    shares = [_fractions(mix) for mix in mix_of_group]
    for index in _indices(parent, shares, max_atoms):
        counts = [[int(f * n * index) for f in some.values()] for some, n in zip(shares, parent.sizes, strict=True)]
        cell = index * len(positions)
        if (count := arrangements(parent, index, counts)) > MOST:
            said = ", ".join(f"{name} {float(f):.4g}" for some in shares for name, f in some.items())
            raise NucleateError(
                f"{said}: {count:,} arrangements in cells of {cell} sites, and at most {MOST:,} are looked at; ask for "
                "fewer atoms or a simpler share"
            )
        for found in orderings(parent, index, counts):
            symbols = [
                list(shares[own[site]])[label] if own[site] >= 0 else next(iter(of_kind[numbers[site]][0]))
                for site, label in zip(found.sites, found.labels, strict=True)
            ]
            made = filled(found.supercell @ lattice, found.positions, symbols)
            yield made.get_reduced_structure("LLL") if index > 1 else made


def _primitive(
    structure: Structure, numbers: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[int]]:
    try:
        cell = find_symmetry(structure.lattice.matrix, structure.frac_coords, numbers, SYMPREC).prim_std_cell
    except ValueError:
        return np.array(structure.lattice.matrix), np.array(structure.frac_coords), list(numbers)
    return np.array(cell.basis), np.array(cell.positions), list(cell.numbers)


def _operations(
    lattice: NDArray[np.float64], positions: NDArray[np.float64], numbers: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        found = find_symmetry(lattice, positions, numbers, SYMPREC).operations
    except ValueError:
        return np.eye(3, dtype=np.int64)[None], np.zeros((1, 3))
    return np.array(found.rotations, dtype=np.int64), np.array(found.translations)


def _fractions(mix: Mix) -> dict[str, Fraction]:
    """The simplest fractions within EXACT of the shares; the last one is what is left of a whole."""
    out: dict[str, Fraction] = {}
    names = list(mix)
    for name in names[:-1]:
        share = mix[name]
        near = (Fraction(round(share * d), d) for d in range(1, 1000) if abs(round(share * d) / d - share) <= EXACT)
        out[name] = next(f for f in near if f > 0)
    out[names[-1]] = 1 - sum(out.values(), Fraction(0))
    return out


def _indices(parent: Parent, shares: Sequence[Mapping[str, Fraction]], max_atoms: int) -> list[int]:
    """The numbers of parent cells in which all shares are whole atoms: the smallest, or all up to `max_atoms`."""
    size = len(parent.positions)
    smallest = math.lcm(*(
        (f * n).denominator for some, n in zip(shares, parent.sizes, strict=True) for f in some.values()
    ))  # fmt: skip
    least, most = smallest * size, max_atoms or LARGEST
    if least > min(most, LARGEST):
        said = ", ".join(f"{name} {f}" for some in shares for name, f in some.items())
        raise NucleateError(
            f"{said}: the smallest cell that holds these shares has {least} sites, and at most "
            f"{min(most, LARGEST)} are allowed; take simpler shares, such as 1/2"
        )
    return [n for n in range(smallest, min(most, LARGEST) // size + 1, smallest)] if max_atoms else [smallest]
