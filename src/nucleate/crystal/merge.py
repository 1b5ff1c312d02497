"""Images of a site that come to lie on top of each other are one atom (paper 5, section 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOLERANCE = 0.3  # angstrom, as in the paper


def merge_images(structure: Structure, tolerance: float = TOLERANCE) -> Structure:
    """The structure with atoms of one element that are closer than `tolerance` as one, in their middle; the structure
    itself where there are none. Symmetry is kept, for it moves such groups of atoms onto each other."""
    near = structure.distance_matrix < tolerance
    numbers = np.array([site.specie.Z for site in structure])
    near &= numbers[:, None] == numbers
    if near.sum() == len(structure):
        return structure
    group = np.arange(len(structure))
    for _ in structure:  # the least index that is reached from each atom
        group = np.array([group[row].min() for row in near])
    out = structure.copy()
    keep = []
    for first in np.unique(group):
        members = np.flatnonzero(group == first)
        here = structure.frac_coords[first]
        gaps = structure.frac_coords[members] - here
        out.replace(int(first), structure[int(first)].specie, here + (gaps - gaps.round()).mean(0))
        keep.append(int(first))
    out.remove_sites([i for i in range(len(structure)) if i not in keep])
    return out
