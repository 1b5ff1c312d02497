"""The canonical form is one and the same for a crystal in any cell, origin, order, orientation and hand."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure

from nucleate.crystal.asymmetric import AsymmetricUnit, Site
from nucleate.crystal.canonical import CanonicalCrystal, canonical_crystal, canonical_of_arrays
from nucleate.crystal.convert import polar_factor
from nucleate.crystal.normalisers import first_letters, normaliser
from nucleate.crystal.orbits import tied_cell
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError
from tests.helpers.real_data import crystal_of, real_table

ELEMENTS = (8, 56, 22, 11, 16, 26)  # not in the order of electronegativity


def made(number, rng, most=40):
    """A crystal of the space group, or of one that contains it, with random sites and parameters; as it is."""
    import torch

    table = get_space_group(number)
    for _ in range(200):
        places = [int(i) for i in rng.integers(0, len(table.positions), rng.integers(1, 5))]
        if len(set(places)) < len(places) or sum(table.positions[i].size for i in places) > most:
            continue
        cell = tied_cell(torch.tensor([number]), torch.tensor([[*rng.uniform(4, 8, 3), *rng.uniform(75, 110, 3)]]))
        sites = tuple(
            Site(ELEMENTS[k % 4], table.positions[i].letter, tuple(rng.random(table.positions[i].free)))
            for k, i in enumerate(places)
        )
        crystal = CanonicalCrystal(AsymmetricUnit(number, tuple(cell[0].tolist()), sites), 0.0, 0.0, 0.0)
        structure = crystal.structure()
        near = structure.distance_matrix + 9 * np.eye(len(structure))
        if len(structure) == 1 or near.min() > 0.6:
            return structure
    raise AssertionError(f"no crystal of group {number}")


def otherwise(structure, rng, mirror=False):
    """The same crystal in another cell, origin, order and orientation."""
    change = np.eye(3, dtype=int)
    while np.abs(change).sum() == 3 or round(abs(np.linalg.det(change))) != 1:
        change = rng.integers(-1, 2, (3, 3))
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    lattice = change @ structure.lattice.matrix @ turn @ np.diag([-1 if mirror else 1, 1, 1])
    frac = structure.frac_coords @ np.linalg.inv(change) + rng.random(3)
    order = rng.permutation(len(structure))
    return Structure(Lattice(lattice), [structure[i].specie for i in order], frac[order])


def assert_same(a: CanonicalCrystal, b: CanonicalCrystal) -> None:
    assert a.decorated_prototype == b.decorated_prototype and a.anonymous_prototype == b.anonymous_prototype
    assert np.allclose(a.unit.cell, b.unit.cell, atol=1e-4)
    away = np.array([v for s in a.orbits for v in s.parameters]) - [v for s in b.orbits for v in s.parameters]
    assert np.abs(away - away.round()).max(initial=0) < 1e-5


@pytest.mark.parametrize(
    "family", [GROUP_NUMBERS[i : i + 23] for i in range(0, 230, 23)], ids=lambda g: f"{g[0]}-{g[-1]}"
)
def test_all_space_groups(family):
    matcher = StructureMatcher(primitive_cell=False, scale=False)
    for number in family:
        rng = np.random.default_rng(number)
        structure = made(number, rng)
        found = canonical_crystal(structure, (1e-3,))
        assert found.reason == "" and found.moved < 1e-5
        assert_same(found, canonical_crystal(otherwise(structure, rng, mirror=True), (1e-3,)))
        assert_same(found, canonical_crystal(found.structure(), (1e-3,)))
        assert_same(found, canonical_crystal(found.structure(primitive=False), (1e-3,)))
        back = found.structure()
        if len(back) == len(structure) < 12:
            assert matcher.get_rms_dist(back, structure)[1] < 1e-3


def test_the_most_electropositive_element_gets_the_first_letter():
    for numbers in ([11, 17], [17, 11]):
        salt = Structure(Lattice.cubic(5.6), numbers * 4, [v for o in FCC for v in (o, np.add(o, [0.5, 0, 0]))])
        found = canonical_crystal(salt)
        assert found.decorated_prototype == "225 Na a Cl b" and found.anonymous_prototype == "AB_cF8_225_a_b"
        assert found.symprec == 0.1 and found.cell_parameters == pytest.approx([5.6])
        lattice, frac, z = found.primitive()
        assert z.tolist() == [11, 17] and frac.tolist() == [[0, 0, 0], [0.5, 0.5, 0.5]]
        assert np.linalg.det(lattice) == pytest.approx(5.6**3 / 4)
        assert len(found.structure(primitive=False)) == 8


FCC = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def test_type_and_antitype_share_a_label():
    cube = Lattice.cubic(4)
    corners = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    labels = {
        canonical_crystal(Structure(cube, z, corners)).anonymous_prototype
        for z in ([38, 22, 8, 8, 8], [22, 38, 8, 8, 8], [8, 7, 11, 11, 11])
    }
    assert labels == {"ABC3_cP5_221_a_b_c"}


def test_mirror_images_have_the_same_canonical_form():
    quartz = Structure.from_spacegroup(
        "P3_221", Lattice.hexagonal(4.9, 5.4), ["Si", "O"], [[0.47, 0, 2 / 3], [0.41, 0.27, 0.78]]
    )
    other = Structure(Lattice(quartz.lattice.matrix @ np.diag([1, 1, -1])), quartz.species, quartz.frac_coords)
    assert canonical_crystal(quartz).space_group == 152
    assert_same(canonical_crystal(quartz), canonical_crystal(other))


def test_the_lattice_without_orientation_holds_the_same_crystal():
    """Training data keeps the positive definite factor of the lattice alone."""
    rng = np.random.default_rng(0)
    for number in (2, 14, 62, 166, 227):
        lattice, frac, z = canonical_crystal(made(number, rng), (1e-3,)).primitive()
        straight = polar_factor(lattice)
        assert np.allclose(straight @ straight.T, lattice @ lattice.T)
        assert_same(canonical_of_arrays(straight, frac, z), canonical_of_arrays(lattice, frac, z))


def test_the_tolerance_tightens_where_atoms_would_move_too_far():
    cube = Structure(Lattice.cubic(4), [55, 17], [[0, 0, 0], [0.5, 0.5, 0.51]])
    assert canonical_crystal(cube).space_group == 221
    careful = canonical_crystal(cube, most_moved=0.01)
    assert careful.space_group == 99 and careful.symprec < 0.1 and careful.moved < 1e-6


def test_without_symmetry_it_is_p1_with_the_reason():
    structure = Structure(
        Lattice([[3, 0, 0], [1, 4, 0], [2, 1, 5]]), [8, 11, 8], [[0.1, 0.2, 0.3], [0.6, 0.7, 0.8], [0.4, 0.1, 0.9]]
    )
    rng = np.random.default_rng(1)
    found = canonical_crystal(structure, ())
    assert found.space_group == 1 and found.orbits[0] == Site(11, "a", (0.0, 0.0, 0.0))
    assert_same(found, canonical_crystal(otherwise(structure, rng), ()))
    moved = canonical_crystal(Structure(structure.lattice, [8, 8], [[0, 0, 0], [1e-4, 0, 0]]))
    assert moved.space_group == 1 and "angstrom" in moved.reason and moved.num_atoms == 2
    with pytest.raises(NucleateError, match="no volume"):
        canonical_of_arrays(np.ones((3, 3)), [[0, 0, 0]], [1])


@pytest.mark.parametrize(
    ("number", "ways"), [(1, 1), (2, 1344), (14, 8), (47, 48), (62, 2), (216, 8), (225, 2), (229, 1)]
)
def test_the_number_of_letter_relabellings_is_that_of_the_international_tables(number, ways):
    """As many as the normaliser's index in International Tables A, table 3.5.2.3-5, allows."""
    letters = normaliser(number).letters
    assert len(np.unique(letters, axis=0)) == ways
    assert (letters == np.arange(letters.shape[1])).all(1).any()  # the relabelling that changes nothing is among them
    assert len(first_letters(number, ((0,),))) > 0


@pytest.mark.parametrize("name", ["mp_20_val", "carbon_24_val"])
def test_real_crystals(name):
    rows = pq.read_table(real_table(name)).slice(100, 40).to_pylist()
    rng, matcher = np.random.default_rng(2), StructureMatcher()
    for row in (r for r in rows if r["frac_coords"]):
        structure = crystal_of(row)
        found = canonical_crystal(structure)
        assert_same(found, canonical_crystal(otherwise(structure, rng)))
        farthest = matcher.get_rms_dist(structure, found.structure())[1]
        assert farthest * (structure.volume / len(structure)) ** (1 / 3) < found.moved + 0.01


def test_the_example_of_the_docs_runs():
    page = (Path(__file__).parents[2] / "docs" / "symmetry.md").read_text()
    names: dict = {}
    for block in page.split("```python\n")[1:]:
        exec(compile(block.split("```")[0], "symmetry.md", "exec"), names)
    form = names["form"]
    assert form.decorated_prototype == "136 Ti a O f" and form.anonymous_prototype == "AB2_tP6_136_a_f"
