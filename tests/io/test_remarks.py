from __future__ import annotations

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.crystal.geometry import closest_contacts, element_radii
from nucleate.errors import NucleateError
from nucleate.io.remarks import MANY, _nearest, remarks_on


def salt(a: float, frac=(0.5, 0.5, 0.5)) -> Structure:
    return Structure(Lattice.cubic(a), ["Cs", "Cl"], [[0, 0, 0], frac])


def test_ordinary_crystals_need_no_remark():
    diamond = Structure.from_spacegroup(227, Lattice.cubic(3.567), ["C"], [[0, 0, 0]])
    krypton = Structure.from_spacegroup(225, Lattice.cubic(5.8), ["Kr"], [[0, 0, 0]])
    plutonium = Structure.from_spacegroup(225, Lattice.cubic(4.2), ["Pu"], [[0, 0, 0]])
    hydrogen = Structure(Lattice.cubic(3.8), ["H", "H"], [[0, 0, 0], [0.74 / 3.8, 0, 0]])
    for crystal in (salt(4.12), salt(3.9), diamond, krypton, plutonium, hydrogen):
        assert remarks_on(crystal) == []


@pytest.mark.parametrize(
    ("crystal", "words"),
    [
        (salt(4.12 * 0.529), ["denser than any known crystal", "1 (Cs) and its image are 2.18 angstrom apart"]),
        (
            salt(4.12 * 1.89),
            ["no two atoms are as near as a bond is long: 1 (Cs) and its image are 7.79 angstrom apart"],
        ),
        (salt(41.2), ["hardly anything of the cell is filled (0.004 g/cm3)", "no two atoms are as near"]),
        (salt(4.12, (0.2, 0.2, 0.2)), ["1 (Cs) and 2 (Cl) are 1.43 angstrom apart, closer"]),
        (Structure(Lattice.tetragonal(1.0, 9), ["Fe"], [[0, 0, 0]]), ["1 (Fe) and its image are 1.00 angstrom apart"]),
        (
            Structure(Lattice.cubic(5.5), ["C", "O", "O"], [[0, 0, 0], [0.22, 0, 0], [0.5, 0.5, 0.5]]),
            ["further from any other atom than a bond is long: 3 (O)"],
        ),
    ],
)
def test_odd_crystals_get_a_remark(crystal, words):
    said = remarks_on(crystal)
    assert len(said) == len(words) and all(w in s for w, s in zip(words, said, strict=True))


@pytest.mark.parametrize("frac", [(0, 0, 0), (0.01, 0, 0), (1, -2, 0), (0.999, 0, 0)])
def test_two_atoms_on_one_place_are_refused(frac):
    with pytest.raises(NucleateError, match=r"atoms 1 \(Cs\) and 2 \(Cl\) are at the same place"):
        remarks_on(salt(4.12, frac))
    many = Structure(Lattice.cubic(60), ["Cs"] * (MANY + 1), [[i / (MANY + 1), 0.1, 0.1] for i in range(MANY + 1)])
    many.append("Cl", [0.0, 0.1, 0.1])
    with pytest.raises(NucleateError, match=rf"atoms 1 \(Cs\) and {MANY + 2} \(Cl\) are at the same place"):
        remarks_on(many)


def test_nearest_atoms_in_skewed_cells_and_in_large_ones():
    rng = np.random.default_rng(0)
    for _ in range(30):
        lattice = Lattice(rng.normal(size=(3, 3)) * 4 + np.diag([5, 5, 5]))
        if lattice.volume < 40:
            continue
        shape = rng.integers(-2, 3, (3, 3))
        skewed = Lattice((np.eye(3) + np.triu(shape, 1)) @ lattice.matrix)
        crystal = Structure(skewed, rng.choice(["Na", "O", "Cs"], 5), rng.random((5, 3)))
        radii = element_radii()[np.array(crystal.atomic_numbers)]
        distances, to = _nearest(crystal, radii)
        contact = closest_contacts(crystal, 2.0)[1]
        assert (distances / (radii + radii[to])).min() == pytest.approx(contact.ratio, rel=1e-6)
        large = crystal * (4, 4, 4)
        assert len(large) > MANY
        of_many = _nearest(large, element_radii()[np.array(large.atomic_numbers)])[0]
        assert np.allclose(np.sort(of_many), np.sort(np.repeat(distances, 64)))
