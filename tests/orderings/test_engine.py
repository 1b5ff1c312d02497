import itertools

import numpy as np
import pytest

from nucleate.crystal.orderings import Parent
from nucleate.crystal.symmetry import find_symmetry
from nucleate.errors import NucleateError
from nucleate.orderings.engine import arrangements
from nucleate.orderings.ewald import energies_of_charges, ewald_matrix

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]) * 4
PEROVSKITE = [(0, 0, 0), (0.5, 0.5, 0.5), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]


def parent(lattice, positions=((0, 0, 0),), numbers=(1,), groups=(0,)):
    found = find_symmetry(lattice, positions, numbers, 0.01).operations
    rotations, translations = np.array(found.rotations), np.array(found.translations)
    return Parent(np.array(lattice, dtype=float), np.array(positions, float), np.array(groups), rotations, translations)


def anions():
    """The oxygen sites of a cubic perovskite."""
    return parent(np.eye(3) * 4, PEROVSKITE, [1, 2, 3, 3, 3], [-1, -1, 0, 0, 0])


def cells_of(found):
    """Lattice, positions and numbers of every arrangement; a site that is not shared has the number 9."""
    for part in found.parts:
        positions, groups = part.cell.positions(found.parent), found.parent.groups[part.cell.sites]
        for labels, index in zip(part.labels, part.indices, strict=True):
            others = 9 + part.cell.sites
            yield part.cell.matrix @ found.parent.lattice, positions, np.where(groups >= 0, 1 + labels, others), index


@pytest.mark.parametrize(("index", "binaries"), [(1, 2), (2, 2), (3, 6), (4, 19), (5, 28), (6, 80)])
def test_fcc_has_as_many_derivative_structures_as_hart_and_forcade_count(index, binaries):
    """Phys. Rev. B 77, 224115 (2008), table IV."""
    assert sum(len(arrangements(parent(FCC), index, [[k, index - k]])) for k in range(index + 1)) == binaries


@pytest.mark.parametrize(("index", "counts"), [(2, [2, 2]), (3, [1, 5]), (2, [1, 1, 2])])
def test_the_number_is_that_of_crystals_that_a_matcher_tells_apart(index, counts):
    """Every colouring of every superlattice, compared pair by pair by pymatgen, which knows nothing of our groups."""
    from pymatgen.analysis.structure_matcher import StructureMatcher
    from pymatgen.core import Lattice, Structure

    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False, primitive_cell=False)
    lattice = np.diag([4.0, 4.0, 4.3])
    tetragonal = parent(lattice, PEROVSKITE, [1, 2, 3, 4, 4], [-1, -1, -1, 0, 0])
    with pytest.raises(NucleateError, match="do not fill"):
        arrangements(tetragonal, index, [[1, *counts]])
    found = arrangements(tetragonal, index, [counts])
    different = []
    shared = [3, 4]
    for a in range(1, index + 1):
        for d in range(1, index + 1):
            if index % (a * d):
                continue
            f = index // (a * d)
            for b, c, e in itertools.product(range(d), range(f), range(f)):
                matrix = np.array([[a, b, c], [0, d, e], [0, 0, f]])
                steps = np.array(list(itertools.product(range(a), range(d), range(f))))
                places = [(i, s) for i in range(5) for s in steps]
                frac = np.array([PEROVSKITE[i] + s for i, s in places]) @ np.linalg.inv(matrix)
                at = [k for k, (i, _) in enumerate(places) if i in shared]
                names = np.array([("Ca", "Ti", "F", "", "")[i] for i, _ in places], dtype=object)
                for labels in _words(counts):
                    names[at] = [("O", "S", "Se")[k] for k in labels]
                    one = Structure(Lattice(matrix @ lattice), list(names), frac)
                    if len(one.get_primitive_structure(0.01)) < len(one):
                        continue
                    if not any(matcher.fit(one, other) for other in different):
                        different.append(one)
    assert len(found) == len(different) > 3


def _words(counts):
    return sorted(set(itertools.permutations([k for k, n in enumerate(counts) for _ in range(n)])))


def test_the_index_is_that_of_the_space_groups():
    """By the operations that moyopy finds of the arrangement, atoms unmoved."""
    sites = anions()
    for index, counts in ((1, [1, 2]), (2, [2, 4]), (2, [1, 5]), (4, [3, 9])):
        found = arrangements(sites, index, [counts], most=3000)
        for lattice, positions, numbers, own in itertools.islice(cells_of(found), 60):
            cell = find_symmetry(lattice, positions, numbers, 0.01)
            assert len(cell.prim_std_cell.numbers) == 5 * index  # the cell is primitive
            assert own == 48 * index // len(cell.operations.rotations)


def test_indices_add_up_to_all_arrangements():
    """Every arrangement of 1 + (n - 1) atoms has no smaller cell, so the indices count them all."""
    for index in (1, 2, 3, 4, 6):
        found = arrangements(anions(), index, [[1, 3 * index - 1]])
        assert found.is_complete and sum(int(p.indices.sum()) for p in found.parts) == found.total
        places = found.ordered()
        indices = [int(found.parts[a].indices[b]) for a, b in places]
        assert indices == sorted(indices) and len(places) == len(found)


def test_two_groups_are_arranged_together():
    salt = parent(FCC, [(0, 0, 0), (0.5, 0.5, 0.5)], [1, 2], [0, 1])
    both = arrangements(salt, 2, [[1, 1], [1, 1]])
    one = arrangements(salt, 2, [[1, 1], [2, 0]])
    assert len(one) == 2 and len(both) > len(one)
    assert both.total == 7 * 4 and sum(int(p.indices.sum()) for p in both.parts) == both.total


def test_where_there_are_too_many_the_symmetric_ones_are_all_there_and_it_is_said():
    sites = anions()
    every = arrangements(sites, 5, [[5, 10]])
    some = arrangements(sites, 5, [[5, 10]], most=1000, drawn=20)
    assert every.is_complete and not some.is_complete
    assert "too many to look at all" in some.note and "a random sample of 20" in some.note
    assert len(some) < len(every)
    for few, all_of_them in zip(some.parts, every.parts, strict=True):
        assert few.complete is not None
        bound = few.complete * few.cell.multiplicity
        names = {row.tobytes() for row in few.labels}
        symmetric = int((all_of_them.indices <= bound).sum())
        assert int((few.indices <= bound).sum()) == symmetric
        assert len(names) == len(few.labels)
    again = arrangements(sites, 5, [[5, 10]], most=1000, drawn=20)
    assert all((a.labels == b.labels).all() for a, b in zip(some.parts, again.parts, strict=True))
    small = arrangements(sites, 5, [[5, 10]], cells=2)
    assert "3 supercells of low symmetry are left out" in small.note and len(small.parts) == 2


def test_long_names_are_exact():
    """96 sites with two colours need two words of 53 bits; the two atoms have as many distances as there are shells."""
    sites = parent(np.eye(3) * 4, PEROVSKITE, [1, 2, 3, 3, 3], [-1, -1, 0, 0, 0])
    for n in (2, 4):
        found = arrangements(sites, n, [[2, 3 * n - 2]])
        assert sum(int(p.indices.sum()) for p in found.parts) <= found.total
    from nucleate.crystal.colourings import all_colourings, distinct_colourings

    ring = np.array([(np.arange(96) + k) % 96 for k in range(96)] + [(k - np.arange(96)) % 96 for k in range(96)])
    found = distinct_colourings(all_colourings(np.zeros(96, int), [[2, 94]]), ring, ring[1:96])
    assert len(found.labels) == 48 and int(found.sizes.sum()) == 96 * 95 // 2
    assert int((~found.primitive).sum()) == 1 and int(found.sizes[~found.primitive][0]) == 48


@pytest.mark.parametrize("atoms", [4, 12, 40])
def test_electrostatic_energies_are_those_of_pymatgen(atoms):
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Structure

    rng = np.random.default_rng(atoms)
    lattice = np.eye(3) * (15 * atoms) ** (1 / 3) + rng.normal(size=(3, 3)) * 0.5
    lattice[0] += 2 * lattice[1]  # a cell that is far from reduced
    frac = rng.random((atoms, 3))
    charges = np.array([2.0, -1.0, -3.0, 2.0] * (atoms // 4))
    names = {2.0: "Mg2+", -1.0: "Cl-", -3.0: "N3-"}
    expected = EwaldSummation(Structure(Lattice(lattice), [names[q] for q in charges], frac)).total_energy
    found = energies_of_charges(ewald_matrix(lattice, frac), np.array([charges, np.roll(charges, 1)]))
    assert found[0] == pytest.approx(expected, rel=1e-4) and found[1] != pytest.approx(expected, rel=1e-3)


def test_the_madelung_constant_of_rock_salt():
    matrix = ewald_matrix(FCC, np.array([(0, 0, 0), (0.5, 0.5, 0.5)]))
    energy = float(energies_of_charges(matrix, np.array([[1.0, -1.0]]))[0])
    assert energy == pytest.approx(-1.747564594633 * 14.399645 / 2, rel=1e-5)
