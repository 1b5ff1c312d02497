"""Validity against literal transcriptions, and against what must not change it."""

import random
import warnings
from collections import Counter
from functools import lru_cache
from math import gcd, prod

import literal
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition, Element, Lattice, Structure
from pymatgen.core.operations import SymmOp
from real_data import real_table

from nucleate.chem.elements import SYMBOLS
from nucleate.crystal.convert import niggli_reduced
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.validity import (
    compositional_validity,
    compositional_validity_original,
    lemat_distances,
    lemat_plausible,
    structural_validity,
    structural_validity_corrected,
)

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])


def passes(structure):
    return structural_validity_corrected(structure).verdict == "pass"


@st.composite
def crystals(draw):
    """Small cells of hydrogen to calcium, of which about half have atoms too near."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(1, 4))
    lengths = rng.uniform(0.4, 3, 3) * draw(st.sampled_from([0.4, 1, 2]))
    lattice = Lattice.from_parameters(*lengths, *rng.uniform(65, 115, 3))
    assume(np.isfinite(lattice.matrix).all() and lattice.volume > 0.2)
    return Structure(lattice, rng.integers(1, 21, n).tolist(), rng.random((n, 3)))


def masses(structure):
    return [Element(str(s.specie)).atomic_mass for s in structure]


@settings(max_examples=60, deadline=None)
@given(crystals())
def test_structural_validity_is_the_definition(s):
    matrix, frac = s.lattice.matrix, s.frac_coords
    near = [literal.shortest_pair(matrix, frac), literal.shortest_with_images(matrix, frac)]
    assume(all(abs(d - 0.5) > 1e-6 for d in near))
    assert structural_validity(s) == literal.structural_validity(matrix, frac)
    assert passes(s) == literal.structural_validity_corrected(matrix, frac, masses(s))


@settings(max_examples=60, deadline=None)
@given(crystals(), st.integers(0, 10_000))
def test_structural_validity_does_not_depend_on_the_description(s, seed):
    rng = np.random.default_rng(seed)
    turned = s.copy()
    turned.apply_operation(SymmOp.from_axis_angle_and_translation(rng.normal(size=3), rng.uniform(0, 360)))
    moved = Structure(s.lattice, s.species, s.frac_coords + rng.random(3))
    shuffled = Structure.from_sites([s[i] for i in rng.permutation(len(s))])
    reduced = Structure(
        *(lambda cell, f: (Lattice(cell), s.species, f))(*niggli_reduced(s.lattice.matrix, s.frac_coords))
    )
    skewed = s.copy()
    skewed.make_supercell([[1, 0, 0], [int(rng.integers(-4, 5)), 1, 0], [0, int(rng.integers(-4, 5)), 1]])
    nearest = [literal.shortest_pair(s.lattice.matrix, s.frac_coords)]
    nearest.append(literal.shortest_with_images(s.lattice.matrix, s.frac_coords))
    assume(all(abs(d - 0.5) > 1e-6 for d in nearest))
    for other in (turned, moved, shuffled, reduced, skewed):
        assert structural_validity(other) == structural_validity(s)
        assert passes(other) == passes(s)
        assert lemat_distances(other).verdict == lemat_distances(s).verdict
    double = s.copy()
    double.make_supercell([2, 1, 1])
    assert passes(double) == passes(s)  # the original rule may differ here, see below


def test_a_supercell_changes_the_published_verdict_and_not_the_corrected_one():
    thread = Structure(Lattice.orthorhombic(0.45, 8, 8), ["H"], [[0, 0, 0]])
    double = thread.copy()
    double.make_supercell([2, 1, 1])
    assert structural_validity(thread)  # each atom touches its own images, which the rule does not see
    assert not structural_validity(double)  # the same crystal: the image has become an atom
    assert not passes(thread)
    assert not passes(double)
    assert "0.45 angstrom" in structural_validity_corrected(thread).reason


def test_limits():
    assert structural_validity(Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.125, 0, 0]]))  # exactly 0.5
    assert not structural_validity(Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.1249, 0, 0]]))
    assert structural_validity(Structure(Lattice.cubic(0.47), ["Na"], [[0, 0, 0]]))
    assert not structural_validity(Structure(Lattice.cubic(0.46), ["Na"], [[0, 0, 0]]))  # volume 0.097
    assert passes(NACL)
    assert passes(Structure(Lattice.cubic(4), ["H", "H"], [[0, 0, 0], [0.125, 0, 0]]))
    assert passes(Structure(Lattice.cubic(2.4), ["Au"], [[0, 0, 0]]))  # 23.7 g/cm3
    assert passes(Structure(Lattice.cubic(15), ["Na"], [[0, 0, 0]]))  # 0.011
    for structure, reason in (
        (Structure(Lattice.cubic(0.46), ["Na"], [[0, 0, 0]]), "volume 0.0973"),
        (Structure(Lattice.cubic(2.35), ["Au"], [[0, 0, 0]]), "25.2 g/cm3, outside 0.01 to 25"),
        (Structure(Lattice.cubic(16), ["Na"], [[0, 0, 0]]), "outside 0.01 to 25"),
        (Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.1, 0, 0]]), "0.40 angstrom"),
        (Structure(Lattice.cubic(4), ["Na", "Na"], [[0, 0, 0], [0, 0, 0]]), "0.00 angstrom"),
    ):
        verdict = structural_validity_corrected(structure)
        assert verdict.verdict == "fail"
        assert reason in verdict.reason


@pytest.mark.parametrize(
    "check", [structural_validity, structural_validity_corrected, lemat_plausible, lemat_distances]
)
def test_what_is_no_crystal_is_invalid_and_breaks_nothing(check):
    broken = NACL.copy()
    broken.lattice = Lattice(np.full((3, 3), np.nan))
    nowhere = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [np.nan, 0, 0]])
    flat = Structure(Lattice([[3, 0, 0], [0, 3, 0], [3, 3, 0]]), ["Na"], [[0, 0, 0]])
    huge = Structure(Lattice.cubic(1e120), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    empty = Structure(Lattice.cubic(4), [], [])
    for structure in (broken, nowhere, flat, empty):
        answer = check(structure)
        assert answer is False or answer.verdict == "fail"
    with np.errstate(all="ignore"):
        check(huge)


def test_slivers_and_far_away_atoms_are_answered():
    """Neighbours sought cell by cell would take minutes."""
    sliver = Structure(Lattice([[3, 0, 0], [3e7, 3, 0], [0, 0, 3]]), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    needle = Structure(Lattice.orthorhombic(1e-6, 1e4, 1e4), ["Na"], [[0, 0, 0]])
    assert passes(sliver)
    assert passes(Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [3e7 + 0.5] * 3]))
    assert "0.00 angstrom" in structural_validity_corrected(needle).reason


def test_lemat_plausible():
    assert lemat_plausible(NACL).reason == "space group 225"
    for structure, reason in (
        (Structure(Lattice.cubic(1.5), ["Au"], [[0, 0, 0]]), "g/cm3"),
        (Structure(Lattice.cubic(1.2), ["H"], [[0, 0, 0]]), "atoms per cubic angstrom"),
        (Structure(Lattice.orthorhombic(101, 3, 3), ["Na"] * 4, np.random.default_rng(0).random((4, 3))), "vector"),
        (Structure(Lattice.orthorhombic(0.9, 9, 9), ["Na"], [[0, 0, 0]]), "vector"),
        (Structure(Lattice.cubic(4), ["Na", "Na"], [[0, 0, 0], [0, 0, 0]]), "space group"),
    ):
        verdict = lemat_plausible(structure)
        assert verdict.verdict == "fail"
        assert reason in verdict.reason, verdict


def test_lemat_distances():
    r = {"Na": 1.8, "Cl": 1.0}  # Slater
    least = (0.7 + r["Na"] + r["Cl"]) / 2
    for distance, verdict in ((least + 1e-6, "pass"), (least - 1e-6, "fail")):
        pair = Structure(Lattice.cubic(10), ["Na", "Cl"], [[0, 0, 0], [distance / 10, 0, 0]])
        assert lemat_distances(pair).verdict == verdict
    assert "Na and Cl (atoms 1, 2) 1.75 angstrom apart, below 1.75" in lemat_distances(pair).reason
    assert lemat_distances(Structure(Lattice.cubic(1), ["Na"], [[0, 0, 0]])).verdict == "pass"  # own images ignored
    mixed = Structure(Lattice.cubic(3), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])
    with pytest.raises(NucleateError, match="partial occupancy"):
        lemat_distances(mixed)


# Compositions


@lru_cache
def smact_tables():
    """Symbols, states and electronegativities by atomic number, and the metals, of SMACT 2.2.1."""
    import smact

    elements = {z: smact.Element(SYMBOLS[z - 1]) for z in range(1, 104)}
    states = {z: tuple(e.oxidation_states_smact14 or ()) for z, e in elements.items()}
    states[77] = tuple(-2 if q == -3 else q for q in states[77])  # Ir, corrected in later versions
    return dict(enumerate(SYMBOLS, 1)), states, {z: e.pauling_eneg for z, e in elements.items()}, set(smact.metals)


def combinations(atomic_numbers):
    return prod(len(smact_tables()[1][z]) for z in set(atomic_numbers))


ELEMENTS = st.one_of(
    st.integers(1, 103), st.sampled_from([61, 86, 103, 2, 77, 8, 9, 16, 17, 53])
)  # elements without electronegativity or states, and anions


@st.composite
def atoms(draw):
    kinds = draw(st.lists(ELEMENTS, min_size=1, max_size=5, unique=True))
    return [z for z in kinds for _ in range(draw(st.integers(1, 5)))]


@settings(max_examples=400, deadline=None)
@given(atoms())
@example([61, 8, 8])
@example([12, 61, 61, 16, 16, 16, 16])  # Mg and Pm, of like charge, are compared before Pm and S
@example([1, 61, 61])
@example([61, 86])
@example([61, 83])  # the unknown electronegativity comes first
@example([61, 70, 85, 85, 85, 85])
@example([6] * 4 + [34, 61])  # C and Se are equally electronegative
@example([2, 8])
@example([77] * 4 + [14] * 2 + [23] * 6 + [29])
def test_the_original_rule_is_the_definition(numbers):
    assume(combinations(numbers) <= 4000)
    assert compositional_validity_original(numbers) == literal.compositional_validity(numbers, *smact_tables())


@settings(max_examples=100, deadline=None)
@given(atoms(), st.integers(2, 4), st.randoms())
def test_the_original_rule_knows_neither_order_nor_multiples(numbers, times, rng):
    more = numbers * times
    rng.shuffle(more)
    assert compositional_validity_original(more) == compositional_validity_original(numbers)


@pytest.mark.filterwarnings("ignore:No Pauling electronegativity")
@settings(max_examples=150, deadline=None)
@given(atoms(), st.sampled_from(["smact14", "icsd24"]))
def test_todays_rule_is_smacts(numbers, oxidation_states):
    from smact.screening import smact_validity

    assume(combinations(numbers) <= 20_000)
    smallest = gcd(*Counter(numbers).values())
    formula = "".join(f"{SYMBOLS[z - 1]}{n // smallest}" for z, n in Counter(numbers).items())
    name = None if oxidation_states == "icsd24" else oxidation_states
    answer = compositional_validity(formula, oxidation_states)
    assert (answer is True) == smact_validity(Composition(formula), oxidation_states_set=name), formula
    times = Composition({e: 3 * n for e, n in Composition(formula).items()})
    assert compositional_validity(times.formula, oxidation_states) is answer


def test_known_compositions():
    assert compositional_validity("SrTiO3") is True
    assert compositional_validity("Sr8Ti8O24", "icsd24") is True
    assert compositional_validity("Fe3O4") is False  # mixed valence
    assert compositional_validity("Cu3Au") is True
    assert compositional_validity("He") is True
    assert compositional_validity("HeO") is None
    assert compositional_validity("Pm2O3") is None  # no electronegativity
    assert compositional_validity("RfO2") is None
    assert compositional_validity("Li0.5Na0.5Cl") is True  # SMACT itself drops fractions
    assert compositional_validity_original([38, 22, 8, 8, 8])
    assert not compositional_validity_original([2, 8])
    assert compositional_validity_original([61, 61, 8, 8, 8])  # not judged, so it passes
    assert not compositional_validity_original([104, 8, 8])
    assert compositional_validity_original(np.array([14, 14]))


def test_many_elements_do_not_explode():
    """SMACT would try 10^9 combinations."""
    symbols = ["Fe", "Mn", "Co", "Cr", "Os", "Ir", "Re", "Pu", "S", "N"]
    amounts = dict(zip(symbols, (1, 2, 3, 1, 5, 7, 2, 1, 3, 11), strict=True))
    assert combinations([SYMBOLS.index(s) + 1 for s in symbols]) > 10**9
    assert compositional_validity(Composition(amounts).formula) is True
    assert compositional_validity_original([SYMBOLS.index(s) + 1 for s, n in amounts.items() for _ in range(n)])
    assert compositional_validity("Li1000000Cl") is False


def test_bad_compositions_are_one_line():
    with pytest.raises(NucleateError, match="not a formula"):
        compositional_validity("water?")
    with pytest.raises(NucleateError, match="smact14 or icsd24"):
        compositional_validity("NaCl", "icsd16")
    with pytest.raises(NucleateError, match="needs atoms"):
        compositional_validity_original([])
    with pytest.raises(NucleateError, match="atomic number 0"):
        compositional_validity_original([0, 8])


# Real crystals


def rows(name, columns):
    import pyarrow.parquet as pq

    return pq.read_table(real_table(name), columns=columns).to_pylist()


@pytest.mark.parametrize("name", ["mp_20_test", "baselines/diffcsp_mp_20"])
def test_compositions_of_real_crystals(name):
    numbers = [r["atomic_numbers"] for r in rows(name, ["atomic_numbers"])]
    sample = [z for z in random.Random(0).sample(numbers, 3000) if combinations(z) <= 1000]
    assert len(sample) > 2000
    expected = [literal.compositional_validity(z, *smact_tables()) for z in sample]
    assert [compositional_validity_original(z) for z in sample] == expected
    assert 0.7 < np.mean(expected) < 0.95


def test_diffcsp_reaches_its_published_validity():
    numbers = [r["atomic_numbers"] for r in rows("baselines/diffcsp_mp_20", ["atomic_numbers"])]
    assert sum(map(compositional_validity_original, numbers)) == 8325  # published: 83.25 %


def test_structures_of_real_crystals():
    for name in ("mp_20_test", "baselines/diffcsp_mp_20"):
        for r in rows(name, ["atomic_numbers", "frac_coords", "lengths", "angles"])[:250]:
            lattice = Lattice.from_parameters(*r["lengths"], *r["angles"])
            s = Structure(lattice, r["atomic_numbers"], np.reshape(r["frac_coords"], (-1, 3)))
            assert structural_validity(s)
            assert passes(s)
            if len(s) <= 4:
                assert literal.structural_validity(lattice.matrix, s.frac_coords)
                assert literal.structural_validity_corrected(lattice.matrix, s.frac_coords, masses(s))


def test_no_warning_reaches_the_user():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compositional_validity("KMnO4", "icsd24") is True
        assert lemat_plausible(NACL).verdict == "pass"
