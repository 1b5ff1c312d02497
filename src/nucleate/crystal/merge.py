"""Merging of overlapping atoms: images of one site that are very close to each other stand for a single atom, as in
SymmCD (Levy et al., arXiv 2502.03638)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOLERANCE = 0.3  # angstrom, as in the source


def merge_images(structure: Structure, tolerance: float = TOLERANCE) -> Structure:
    """The structure in which atoms of one element that are closer than `tolerance` (angstrom) are replaced by one atom
    at their mean position; the structure itself if there are no such atoms.

    The symmetry is kept, because every symmetry operation moves such groups of atoms onto each other.
    """
    near = structure.distance_matrix < tolerance
    numbers = np.array([site.specie.Z for site in structure])
    near &= numbers[:, None] == numbers
    if near.sum() == len(structure):
        return structure
    group = np.arange(len(structure))
    for _ in structure:  # ends with the smallest index of the atoms that are connected to each atom
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
