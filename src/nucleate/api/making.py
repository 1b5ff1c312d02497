"""Crystals made: other elements into given ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nucleate.api.given import crystals, is_structure
from nucleate.errors import NucleateError
from nucleate.pipeline.collection import Candidates

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.api.given import Crystals
    from nucleate.tasks.substitute import Swaps


def substitute(
    given: Crystals,
    swaps: Swaps,
    *,
    sites: str = "all",
    max_atoms: int = 0,
    volume: str = "scaled",
    top: int | None = None,
) -> Candidates:
    """Replace elements of a crystal by others: all combinations, each once, the likeliest ions first.

    given: as for `relax`; a pymatgen Structure may have sites that several elements share, which are ordered. swaps:
    element -> what takes its place: an element, several of them (one crystal for each), or element -> share of the
    sites; "vacancy" is nothing at all. sites: "all" treats the sites of an element alike; "orbits" takes each set of
    symmetry-equivalent sites by itself, which gets one of the new elements or keeps its own. max_atoms: of the ordered
    cells that shares become; 0 takes the smallest cell that holds them exactly. volume: "scaled" by the volumes of the
    atoms, or "copy". top: only so many, the likeliest.

    Returns Candidates, unrelaxed, with the checks of `check`. Their order is that of the probabilities of Hautier et
    al., Inorg. Chem. 50, 656 (2011), of the new ions in place of the old ones. Raises NucleateError, with the number,
    where there are too many combinations or arrangements.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> perovskite = Structure.from_spacegroup(
        ...     "Pm-3m", Lattice.cubic(3.85), ["Ca", "Ti", "O"], [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0]]
        ... )
        >>> [c.formula for c in nucleate.substitute(perovskite, {"Ca": ["Ba", "Sr"], "Ti": "Zr"})]
        ['SrZrO3', 'BaZrO3']
        >>> half = nucleate.substitute(perovskite, {"Ca": {"Sr": 0.5}})  # layers, columns, rock salt order
        >>> len(half), half[0].formula, len(half[0].structure)
        (3, 'SrCaTi2O6', 10)
    """
    from nucleate.pipeline.files import with_own_ids
    from nucleate.tasks.substitute import SubstituteSettings, candidates_of, substitute_all

    if top is not None and top < 1:
        raise NucleateError(f"the number of crystals must be at least 1, not {top}")
    settings = SubstituteSettings(sites, max_atoms, volume)
    made = []
    for name, structure in _structures(given):
        found = substitute_all(structure, swaps, settings)
        made += list(zip(found, candidates_of(found, name), strict=True))
    made.sort(key=lambda pair: (pair[0].likelihood is None, -(pair[0].likelihood or 0.0)))
    return Candidates(with_own_ids(candidate for _, candidate in made[:top]))


def _structures(given: Any) -> list[tuple[str, Structure]]:
    """(name, structure) of each; a structure itself may have shared sites."""
    if is_structure(given):
        return [(given.composition.reduced_formula, given)]
    if isinstance(given, list | tuple):
        return [pair for item in given for pair in _structures(item)]
    found, _ = crystals(given)
    return [(c.id, c.structure) for c in found if c.structure is not None]
