import literal
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import real_table

from nucleate.errors import NucleateError
from nucleate.evaluate.measures import coverage as module
from nucleate.evaluate.measures.coverage import Coverage, Fingerprints, coverage

RATES = ("recall", "precision", "recall_joint", "precision_joint")
MEANS = ("amsd_recall", "amsd_precision", "amcd_recall", "amcd_precision")


def random_prints(n, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    return Fingerprints(rng.random((n, 61)) * spread, rng.normal(size=(n, 132)) * spread)


def check(found, generated, reference, cutoffs, n_generated):
    expected = literal.coverage(
        (generated.structure, generated.composition),
        (reference.structure, reference.composition),
        *cutoffs,
        n_generated,
    )
    for name in RATES + MEANS:
        assert getattr(found, name).value == pytest.approx(expected[name], abs=1e-6), name


@pytest.mark.parametrize("block", [1, 7_000, 10**9])
def test_agrees_with_the_full_tables_in_blocks_of_any_size(block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    generated, reference = random_prints(150, 0), random_prints(120, 1)
    cutoffs = (2.6, 14.5)
    found = coverage(generated, reference, *cutoffs, 160)
    check(found, generated, reference, cutoffs, 160)
    assert 0 < found.recall_joint.value < found.recall.value < 1
    assert 0 < found.precision_joint.value < found.precision.value < 1


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 25), st.integers(1, 25), st.integers(0, 10_000), st.floats(0.01, 3), st.floats(0.1, 16))
def test_agrees_with_the_definition(n, m, seed, structure_cutoff, composition_cutoff):
    generated, reference = random_prints(n, seed, 0.7), random_prints(m, seed + 1, 0.7)
    cutoffs = (structure_cutoff, composition_cutoff)
    found = coverage(generated, reference, *cutoffs, n + 3)
    check(found, generated, reference, cutoffs, n + 3)
    assert found.recall_joint.hits <= found.recall.hits
    assert found.precision_joint.hits <= found.precision.hits
    back = coverage(reference, generated, *cutoffs, m)  # the roles exchanged
    assert (back.recall.hits, back.precision.hits) == (found.precision.hits, found.recall.hits)
    assert (back.recall_joint.hits, back.precision_joint.hits) == (found.precision_joint.hits, found.recall_joint.hits)


def test_a_set_covers_itself():
    prints = random_prints(40, 3)
    found = coverage(prints, prints, 0.0, 0.0, 40)
    assert all(getattr(found, name).value == 1 for name in RATES)
    assert all(getattr(found, name).value == 0 for name in MEANS)


def test_near_duplicates_and_cutoffs_are_exact():
    reference = Fingerprints(np.full((1, 61), 1e3), np.full((1, 132), 1e3))
    shift = np.zeros(61)
    shift[0] = 1e-7  # x^2 + y^2 - 2 x y would give 0 or 1e-4
    found = coverage(Fingerprints(reference.structure + shift, reference.composition), reference, 0.4, 10, 1)
    assert found.amsd_recall.value == pytest.approx(1e-7, rel=1e-3)
    for move, hits in ((0.5, 1), (np.nextafter(0.5, 1), 0)):  # at the cut-off is near
        away = Fingerprints(np.array([[0.0]]), np.array([[0.0]]))
        assert coverage(away, Fingerprints(np.array([[move]]), np.array([[0.0]])), 0.5, 1, 1).recall.hits == hits


def test_independent_and_joint_minima_differ():
    """One reference crystal has the structure, another one the composition: published as covered, by no crystal."""
    generated = Fingerprints(np.array([[0.0]]), np.array([[0.0]]))
    reference = Fingerprints(np.array([[0.0], [9.0]]), np.array([[9.0], [0.0]]))
    found = coverage(generated, reference, 1, 1, 1)
    assert (found.precision.hits, found.precision_joint.hits) == (1, 0)
    assert (found.recall.hits, found.recall_joint.hits) == (0, 0)


def test_failed_crystals_stay_in_the_denominator():
    prints = random_prints(10, 4)
    some = Fingerprints(prints.structure[:6], prints.composition[:6])
    found = coverage(some, prints, 0.1, 0.1, 10)
    assert (found.precision.hits, found.precision.total) == (6, 10)
    assert found.amsd_precision.count == 6
    assert found.precision.low < 0.6 < found.precision.high


def test_nothing_generated_covers_nothing():
    none = Fingerprints(np.empty((0, 61)), np.empty((0, 132)))
    found = coverage(none, random_prints(5, 0), 1, 1, 8)
    assert isinstance(found, Coverage)
    assert [(getattr(found, r).hits, getattr(found, r).total) for r in RATES] == [(0, 5), (0, 8), (0, 5), (0, 8)]
    assert all(getattr(found, name).value is None for name in MEANS)


def test_bad_input_is_one_line():
    good = random_prints(3, 0)
    none = Fingerprints(np.empty((0, 61)), np.empty((0, 132)))
    with pytest.raises(NucleateError, match="at least one reference"):
        coverage(good, none, 1, 1, 3)
    with pytest.raises(NucleateError, match="fewer than the 3"):
        coverage(good, good, 1, 1, 2)
    with pytest.raises(NucleateError, match="of 61 and of 60"):
        coverage(good, Fingerprints(good.structure[:, :60], good.composition), 1, 1, 3)
    with pytest.raises(NucleateError, match="not finite"):
        Fingerprints(np.full((3, 61), np.nan), good.composition)
    with pytest.raises(NucleateError, match="2 structure and 3"):
        Fingerprints(good.structure[:2], good.composition)
    with pytest.raises(NucleateError, match="shape"):
        Fingerprints(good.structure[0], good.composition)


def test_real_crystals():
    """500 crystals of MP-20 and 500 of DiffCSP, with quick stand-ins of the right widths for the fingerprints."""
    files = real_table("baselines/diffcsp_mp_20"), real_table("mp_20_test")
    generated, reference = map(stand_in, files)
    cutoffs = (0.05, 50.0)
    found = coverage(generated, reference, *cutoffs, 510)
    check(found, generated, reference, cutoffs, 510)
    assert 0.1 < found.recall.value < 0.99
    assert found.recall_joint.hits < found.recall.hits


def stand_in(file):
    import pyarrow.parquet as pq

    rows = pq.read_table(file, columns=["atomic_numbers", "frac_coords", "lengths"]).slice(0, 500).to_pylist()
    composition = np.array([100 * np.bincount(r["atomic_numbers"], minlength=132) for r in rows])
    composition = composition / composition.sum(1, keepdims=True) * 100
    structure = [
        np.histogram(np.reshape(r["frac_coords"], (-1, 3)) % 1 * r["lengths"], 61, (0, 20))[0]
        / len(r["atomic_numbers"])
        for r in rows
    ]
    return Fingerprints(np.array(structure) / 10, composition)
