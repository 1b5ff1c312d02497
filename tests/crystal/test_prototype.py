"""Structure types: the same for other elements, sizes, settings and cells; different for different structures."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.crystal.prototype import NEIGHBOURS, neighbour_distances, prototype_of, same_prototype


def rocksalt(a, x, length=5.6):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [a, x], [[0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(a, b, x, length=3.9):
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(length), [a, b, x], sites)


def z(*pairs):
    from nucleate.chem.elements import atomic_number

    return {atomic_number(a): atomic_number(b) for a, b in pairs}


def test_rocksalt_is_rocksalt():
    halite = prototype_of(rocksalt("Na", "Cl"))
    assert (halite.space_group, halite.num_atoms) == (225, 2)
    primitive = rocksalt("Mg", "O", 4.2).get_primitive_structure()
    assert same_prototype(halite, prototype_of(primitive), z(("Na", "Mg"), ("Cl", "O")))
    assert same_prototype(halite, prototype_of(primitive), z(("Na", "O"), ("Cl", "Mg")))  # both places are equal


def test_prototypes_do_not_depend_on_the_origin_but_on_which_element_is_where():
    a = perovskite("Sr", "Ti", "O")
    shifted = perovskite("Ba", "Zr", "S", 5.0)
    shifted.translate_sites(list(range(5)), [0.5, 0.5, 0.5])
    b = prototype_of(shifted)
    assert same_prototype(prototype_of(a), b, z(("Sr", "Ba"), ("Ti", "Zr"), ("O", "S")))
    # A and B have the same sites in the primitive cubic cell: the neighbours tell them apart
    assert not same_prototype(prototype_of(a), b, z(("Sr", "Zr"), ("Ti", "Ba"), ("O", "S")))


def test_different_structures_of_one_formula():
    zincblende = Structure.from_spacegroup("F-43m", Lattice.cubic(5.4), ["Zn", "S"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    assert not same_prototype(
        prototype_of(zincblende), prototype_of(rocksalt("Na", "Cl")), z(("Zn", "Na"), ("S", "Cl"))
    )


def test_equal_sites_with_other_neighbours_are_different_prototypes():
    """Pyrite and solid carbon dioxide have one space group and the same sites."""
    pyrite, ice = (
        Structure.from_spacegroup("Pa-3", Lattice.cubic(5.4), ["Fe", "S"], [[0, 0, 0], [u, u, u]])
        for u in (0.385, 0.11)
    )
    a, b = prototype_of(pyrite), prototype_of(ice)
    assert a.space_group == b.space_group and a.sites == b.sites
    assert not same_prototype(a, b, z(("Fe", "Fe"), ("S", "S")))
    assert same_prototype(a, a, z(("Fe", "Fe"), ("S", "S")))


def test_distances_do_not_depend_on_the_volume():
    a, b = neighbour_distances(rocksalt("Na", "Cl", 5.6)), neighbour_distances(rocksalt("Na", "Cl", 8.0))
    assert a.shape == (2, NEIGHBOURS) and a == pytest.approx(b)
    assert a[0, :6] == pytest.approx(np.ones(6))  # half a cell, in units of the root of the volume per atom
