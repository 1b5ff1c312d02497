import itertools
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure
from real_data import crystal_of, real_table

from nucleate.errors import NucleateError
from nucleate.evaluate.measures import crystalnn
from nucleate.evaluate.measures.crystalnn import LABELS, site_fingerprints, structure_fingerprint
from nucleate.evaluate.measures.order_parameters import MOTIFS, order_parameters


def of_group(group, lattice, species, coords):
    return Structure.from_spacegroup(group, lattice, species, coords)


def distorted():
    """A crystal without symmetry that has 57 of the 61 numbers."""
    frac = [[698, 314, 121], [324, 931, 790], [10, 199, 293], [943, 403, 182], [860, 907, 302]]
    frac += [[355, 754, 268], [789, 451, 647], [895, 29, 345], [770, 601, 111], [890, 970, 14]]
    species = ["Li", "Fe", "P", "O", "O", "O", "Cs", "Mg", "I", "Ba"]
    return Structure(Lattice.from_parameters(5.1, 5.7, 6.3, 81, 97, 104), species, np.array(frac) / 1000)


# The fingerprint of this crystal by matminer 0.10.1 and pymatgen 2026.10
DISTORTED = """
.22110267 .22110267 .31079740 .04565113 .07693317 .12822091 .08131894 .02851342 .12323479 .03019492 .02631630 .02691544
.10189169 .04047944 .02956536 .04647668 .04440676 .01938968 .03719700 .01706384 .01363946 .01823475 .06217127 .02944351
.02521252 .02207506 .02860908 .01059280 .01278721 .02874050 .00113135 .01334328 .01210113 .00342286 .00358862 .00345790
.00671025 .00123811 .00157388 .00223221 .00860333 .00280630 .00280389 .00210288 .00850692 .00394997 .00303497 .00269126
.00234629 .00580325 .00455924 .00317081 .00279533 .00165341 .00114519 .00254588 0 .00140054 0 0 0
"""


STRUCTURES = {
    "rock salt": of_group(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "caesium chloride": of_group(221, Lattice.cubic(4.11), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]),
    "perovskite": of_group(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]]),
    "wurtzite": of_group(186, Lattice.hexagonal(3.25, 5.2), ["Zn", "O"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.382]]),
    "hcp": of_group(194, Lattice.hexagonal(3.21, 5.21), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
    "layered": of_group(194, Lattice.hexagonal(3.16, 12.3), ["Mo", "S"], [[1 / 3, 2 / 3, 0.25], [1 / 3, 2 / 3, 0.621]]),
    "distorted": distorted(),
    "one atom": Structure(Lattice.from_parameters(2.9, 3.3, 3.8, 75, 83, 99), ["Po"], [[0.2, 0.4, 0.9]]),
    "noble gas": Structure(Lattice.cubic(4.0), ["Ar", "He"], [[0, 0, 0], [0.4, 0.5, 0.6]]),
    "chains far apart": Structure(Lattice.orthorhombic(30, 40, 2.2), ["C"], [[0.3, 0.3, 0.3]]),
    "clusters far apart": Structure(Lattice.cubic(14), ["Na", "Cl"] * 3, distorted().frac_coords[:6] / 2.5),
    "molecules far apart": Structure(Lattice.cubic(15), ["O", "O"], [[0, 0, 0], [0, 0, 1.2 / 15]]),
}


def matminer_fingerprints(structure):
    pytest.importorskip("matminer", reason="matminer is not installed")
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    featurizer = CrystalNNFingerprint.from_preset("ops")
    assert tuple(featurizer.feature_labels()) == LABELS
    return np.array([featurizer.featurize(structure, i) for i in range(len(structure))], dtype=float)


def test_golden_fingerprint():
    expected = [float(x) for x in DISTORTED.split()]
    assert structure_fingerprint(STRUCTURES["distorted"]) == pytest.approx(expected, abs=1e-8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", STRUCTURES)
def test_equal_to_matminer(name):
    structure = STRUCTURES[name]
    # An angle of 180 degrees is known to 1e-8, the rounding of arccos at -1
    assert np.abs(site_fingerprints(structure) - matminer_fingerprints(structure)).max() < 1e-7


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("file", ["mp_20_test", "baselines/diffcsp_mp_20"])
def test_equal_to_matminer_on_real_crystals(file):
    columns = ["lengths", "angles", "atomic_numbers", "frac_coords"]
    symmetric = file.startswith("mp_20")
    for row in pq.read_table(real_table(file), columns=columns)[:10].to_pylist():
        structure = crystal_of(row)
        off = np.abs(site_fingerprints(structure) - matminer_fingerprints(structure))
        # For 8 bonds that are equal by symmetry, the order and the side of right angles depend on rounding in matminer
        tied = LABELS.index("body-centered cubic CN_8")
        assert (np.delete(off, tied, axis=1) if symmetric else off).max() < (1e-7 if symmetric else 1e-10)


@pytest.mark.parametrize(
    ("name", "site", "expected"),
    [
        ("rock salt", 0, {"wt CN_6": 1, "octahedral CN_6": 1, "pentagonal pyramidal CN_6": 0.5}),
        ("caesium chloride", 0, {"wt CN_8": 0.879, "body-centered cubic CN_8": 0.879, "wt CN_14": 0.121}),
        ("perovskite", 0, {"wt CN_12": 1, "cuboctahedral CN_12": 1, "q4 CN_12": 0.191, "q6 CN_12": 0.575}),
        ("perovskite", 1, {"wt CN_6": 1, "octahedral CN_6": 1}),
        ("hcp", 0, {"wt CN_12": 0.997, "cuboctahedral CN_12": 0.997, "q4 CN_12": 0.094, "q6 CN_12": 0.483}),
        ("wurtzite", 0, {"wt CN_4": 0.986, "tetrahedral CN_4": 0.976}),
        ("molecules far apart", 0, {"wt CN_1": 1, "sgl_bd CN_1": 1}),
    ],
)
def test_known_environments(name, site, expected):
    fingerprint = dict(zip(LABELS, site_fingerprints(STRUCTURES[name])[site], strict=True))
    assert {k: fingerprint[k] for k in expected} == pytest.approx(expected, abs=1e-3)


def test_likelihoods_of_coordination_numbers_are_shares():
    wt = [i for i, name in enumerate(LABELS) if name.startswith("wt")]
    for structure in STRUCTURES.values():
        total = site_fingerprints(structure)[:, wt].sum(axis=1)
        assert np.all((total > -1e-12) & (total < 1 + 1e-12))
    lonely = Structure(Lattice.cubic(9), ["He"], [[0, 0, 0]])
    assert not site_fingerprints(lonely).any()


@pytest.mark.parametrize("name", STRUCTURES)
def test_voronoi_cells_fill_space(name):
    structure = STRUCTURES[name]
    site, _, bonds, solid, area = crystalnn._faces(structure)
    assert np.bincount(site, solid) == pytest.approx(np.full(len(structure), 4 * math.pi), rel=1e-9)
    if structure.volume < 500:  # where all atoms that bound the cells are within the cutoff
        assert np.sum(area * np.linalg.norm(bonds, axis=1)) / 6 == pytest.approx(structure.volume, rel=1e-9)


def ring(n, z=0.0):
    angle = 2 * np.pi * np.arange(n) / n
    return [[math.cos(a), math.sin(a), z] for a in angle]


UP, DOWN = [0, 0, 1], [0, 0, -1]
CUBE = list(itertools.product((-1, 1), repeat=3))
TETRAHEDRON = [c for c in CUBE if np.prod(c) > 0]
CUBOCTAHEDRON = [c for c in itertools.product((-1, 0, 1), repeat=3) if np.abs(c).sum() == 2]
IDEAL = [
    (2, "linear", [UP, DOWN]),
    (2, "L-shaped", [UP, [1, 0, 0]]),
    (2, "bent 120 degrees", ring(3)[:2]),
    (3, "trigonal planar", ring(3)),
    (3, "trigonal non-coplanar", TETRAHEDRON[:3]),
    (3, "T-shaped", ring(4)[:3]),
    (4, "square co-planar", ring(4)),
    (4, "tetrahedral", TETRAHEDRON),
    (4, "rectangular see-saw-like", [UP, DOWN, *ring(4)[:2]]),
    (4, "see-saw-like", [UP, DOWN, *ring(3)[:2]]),
    (4, "trigonal pyramidal", [UP, *ring(3)]),
    (5, "pentagonal planar", ring(5)),
    (5, "square pyramidal", [UP, *ring(4)]),
    (5, "trigonal bipyramidal", [UP, DOWN, *ring(3)]),
    (6, "hexagonal planar", ring(6)),
    (6, "octahedral", [UP, DOWN, *ring(4)]),
    (6, "pentagonal pyramidal", [UP, *ring(5)]),
    (7, "hexagonal pyramidal", [UP, *ring(6)]),
    (7, "pentagonal bipyramidal", [UP, DOWN, *ring(5)]),
    (8, "body-centered cubic", CUBE),
    (8, "hexagonal bipyramidal", [UP, DOWN, *ring(6)]),
    (12, "cuboctahedral", CUBOCTAHEDRON),
]


@pytest.mark.parametrize(("cn", "name", "bonds"), IDEAL, ids=[f"{n} {name}" for n, name, _ in IDEAL])
def test_ideal_motifs_score_one_and_no_other_scores_more(cn, name, bonds):
    rng = np.random.default_rng(1)
    turned = np.array(bonds) @ np.linalg.qr(rng.normal(size=(3, 3)))[0] * rng.uniform(1, 3)
    values = dict(zip(MOTIFS[cn], order_parameters(turned[None], np.ones((1, cn)))[0], strict=True))
    assert values[name] == pytest.approx(1.0, abs=0.005)
    others = [v for k, v in values.items() if k != name and not k.startswith("q")]
    assert max(others, default=0) <= values[name] + 1e-6


def test_order_of_neighbours_does_not_matter():
    rng = np.random.default_rng(3)
    for cn in MOTIFS:
        bonds, order = rng.normal(size=(1, cn, 3)), rng.permutation(cn)
        for weights in (np.ones((1, cn)), np.sort(rng.random((1, cn)))):
            expected = order_parameters(bonds, weights)
            assert order_parameters(bonds[:, order], weights[:, order]) == pytest.approx(expected, abs=1e-12)


def test_bond_orientational_order_of_known_shells():
    fcc = np.array([CUBOCTAHEDRON], dtype=float)
    golden = (1 + math.sqrt(5)) / 2
    corners = [(0, a, b * golden) for a, b in itertools.product((-1, 1), repeat=2)]
    icosahedron = np.array([[np.roll(c, k) for c in corners for k in range(3)]], dtype=float)
    q = [list(MOTIFS[12]).index(name) for name in ("q2", "q4", "q6")]
    # P. J. Steinhardt et al., Phys. Rev. B 28, 784 (1983), table I
    assert order_parameters(fcc, np.ones((1, 12)))[0, q] == pytest.approx([0, 0.19094, 0.57452], abs=1e-5)
    assert order_parameters(icosahedron, np.ones((1, 12)))[0, q] == pytest.approx([0, 0, 0.66332], abs=1e-5)


def rotation(seed):
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return q * np.sign(np.linalg.det(q))


@st.composite
def crystals(draw):
    """One to four atoms, none closer than 1 angstrom, in a cell of some skewness."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 4))
    while True:
        lattice = Lattice(3.0 * n ** (1 / 3) * (np.eye(3) + 0.35 * rng.normal(size=(3, 3))))
        structure = Structure(lattice, rng.choice(["Na", "Ti", "O", "Si"], n), rng.random((n, 3)))
        if lattice.volume > 12 * n and not len(structure.get_neighbor_list(1.0)[0]):
            return structure


@settings(max_examples=25, deadline=None)
@given(crystals(), st.integers(0, 1000))
def test_the_same_crystal_has_the_same_fingerprint(structure, seed):
    rng = np.random.default_rng(seed)
    expected = structure_fingerprint(structure)
    lattice, species, frac = structure.lattice.matrix, structure.species, structure.frac_coords
    order = rng.permutation(len(structure))
    same = {
        "rotation": Structure(lattice @ rotation(seed), species, frac),
        "mirror image": Structure(lattice * [1, 1, -1], species, frac),
        "origin": Structure(lattice, species, frac + rng.random(3)),
        "atoms of other cells": Structure(lattice, species, frac + rng.integers(-3, 4, frac.shape)),
        "order of atoms": Structure(lattice, [species[i] for i in order], frac[order]),
        "supercell": structure * (2, 1, 1),
        "Niggli cell": structure.get_reduced_structure("niggli"),
        "oxidation states": structure.copy().add_oxidation_state_by_element({"Na": 1, "Ti": 4, "O": -2, "Si": 4}),
    }
    for name, other in same.items():
        assert structure_fingerprint(other) == pytest.approx(expected, abs=1e-6), name


@pytest.mark.parametrize("seed", range(3))
def test_symmetry_leaves_nothing_to_rounding(seed):
    crystal = of_group(
        "I4/mmm", Lattice.tetragonal(4.58, 18.2), ["Nd", "Nd", "Sb"], [[0, 0.5, 0], [0, 0, 0.32], [0, 0, 0.138]]
    )
    turned = Structure(crystal.lattice.matrix @ rotation(seed), crystal.species, crystal.frac_coords + 0.123)
    column = LABELS.index("body-centered cubic CN_8")
    expected = site_fingerprints(crystal)
    assert expected[:, column].max() > 0.1
    assert np.abs(site_fingerprints(turned) - expected).max() < 1e-7


def test_what_has_no_fingerprint_says_why(monkeypatch):
    cell = Lattice.cubic(4)
    site = [[0, 0, 0], [0.5, 0.5, 0.5]]
    for structure, reason in [
        (Structure(cell, ["Bk", "O"], site), "no covalent radius for Bk"),
        (Structure(cell, [{"Na": 0.5, "K": 0.5}, "Cl"], site), "partial occupancy at site 1"),
        (Structure(cell, ["Na", "Cl"], [[0.5, 0.5, 1e-7], [0.5, 0.5, 1.0]]), "atoms 1 and 2 coincide"),
        (Structure(cell, ["Na", "Cl"], [[0, 0, 0], [0, 0, math.nan]]), "not a finite number"),
        (Structure(Lattice.orthorhombic(1, 1, 400), ["Na"], [[0, 0, 0]]), r"7e\+05 atoms .* too dense or flat"),
    ]:
        with pytest.raises(NucleateError, match=reason):
            site_fingerprints(structure)
    monkeypatch.setattr(crystalnn, "_voronoi_cell", lambda points: None)
    with pytest.raises(NucleateError, match="site 1 has no closed Voronoi cell"):
        site_fingerprints(STRUCTURES["rock salt"])
