import itertools

import numpy as np
import pytest

from nucleate.crystal.orderings import Parent, count_arrangements, orderings, supercells
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 4


def parent(lattice, positions=((0, 0, 0),), numbers=(1,), groups=(0,)):
    found = find_symmetry(lattice, positions, numbers, 0.01).operations
    return Parent(
        np.array(lattice, dtype=float),
        np.array(positions, dtype=float),
        np.array(groups),
        np.array(found.rotations),
        np.array(found.translations),
    )


@pytest.mark.parametrize(
    ("index", "lattices", "binaries"), [(1, 1, 2), (2, 2, 2), (3, 3, 6), (4, 7, 19), (5, 5, 28), (6, 10, 80)]
)
def test_fcc_has_as_many_derivative_structures_as_hart_and_forcade_count(index, lattices, binaries):
    """Phys. Rev. B 77, 224115 (2008), table IV; the pure crystals count for the first index alone."""
    fcc = parent(FCC)
    assert len(supercells(fcc, index)) == lattices
    assert sum(1 for k in range(index + 1) for _ in orderings(fcc, index, [[k, index - k]])) == binaries


def test_every_ordering_has_the_composition_and_the_positions_of_the_parent():
    cubic = parent(np.eye(3) * 4, [(0, 0, 0), (0.5, 0.5, 0.5)], [1, 2], [0, -1])
    for found in orderings(cubic, 4, [[1, 3]]):
        assert (found.labels[found.sites == 0] == 0).sum() == 1 and (found.labels[found.sites == 1] == 0).all()
        places = found.positions @ found.supercell
        home = cubic.positions[found.sites]
        assert np.abs((places - home) - np.round(places - home)).max() < 1e-9
        assert round(float(np.linalg.det(found.supercell))) == 4


def test_no_two_orderings_are_the_same_crystal():
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Structure

    fcc = parent(FCC)
    every = [
        Structure(f.supercell @ fcc.lattice, [("Cu", "Au")[label] for label in f.labels], f.positions)
        for f in orderings(fcc, 4, [[2, 2]])
    ]
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False)
    assert len(every) > 4 and not any(matcher.fit(a, b) for a, b in itertools.combinations(every, 2))


def test_arrangements_are_counted_before_they_are_made():
    assert count_arrangements(parent(FCC), 4, [[2, 2]]) == 7 * 6
    with pytest.raises(NucleateError, match="3 atoms do not fill 4 sites"):
        list(orderings(parent(FCC), 4, [[1, 2]]))
