import literal
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from real_data import real_table
from scipy.spatial.distance import jensenshannon

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.distributions import (
    CRYSTAL_SYSTEMS,
    crystal_system,
    crystal_system_counts,
    distance_interval,
    frechet,
    jensen_shannon,
    random_subset,
    space_group_counts,
    wasserstein,
)

NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 6))
SAMPLES = st.lists(NUMBERS, min_size=1, max_size=30)
TABLES = arrays(float, st.tuples(st.integers(2, 12), st.just(4)), elements=NUMBERS)
COUNTS = st.lists(st.integers(0, 50), min_size=6, max_size=6).filter(any)


@settings(deadline=None)
@given(SAMPLES, SAMPLES, NUMBERS)
def test_wasserstein(a, b, shift):
    assert wasserstein(a, b) == pytest.approx(literal.wasserstein(a, b), abs=1e-6)
    assert wasserstein(a, b) == pytest.approx(wasserstein(b, a), abs=1e-9)
    assert wasserstein(a, a) == 0
    assert wasserstein(a, np.add(a, shift)) == pytest.approx(abs(shift), abs=1e-6)  # known in closed form


@settings(deadline=None)
@given(TABLES, TABLES)
def test_frechet_is_a_distance(a, b):
    scale = 1 + np.abs(a).max() ** 2 + np.abs(b).max() ** 2
    assert frechet(a, b) >= 0
    assert frechet(a, b) == pytest.approx(frechet(b, a), abs=1e-9 * scale)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9 * scale)


@pytest.mark.parametrize(("n", "m", "d"), [(500, 400, 61), (80, 90, 5)])
def test_frechet_agrees_with_the_root_of_the_product(n, m, d):
    rng = np.random.default_rng(d)
    a, b = rng.normal(size=(n, d)), 0.3 + 2 * rng.normal(size=(m, d)) @ rng.normal(size=(d, d))
    assert frechet(a, b) == pytest.approx(literal.frechet(a, b), rel=1e-9, abs=1e-6)


def test_frechet_of_known_gaussians():
    """Diagonal covariances: the sum of (mean difference)^2 + (difference of standard deviations)^2."""
    rng = np.random.default_rng(0)
    white = rng.normal(size=(50, 3))
    white -= white.mean(0)
    white = white @ np.linalg.inv(np.linalg.cholesky(np.cov(white, rowvar=False))).T  # covariance exactly 1
    a, b = white * [1, 2, 3], white * [4, 2, 1] + [1, 0, 2]
    assert frechet(a, b) == pytest.approx((1 + 0 + 4) + (9 + 0 + 4), abs=1e-9)


def test_frechet_with_singular_covariances():
    rng = np.random.default_rng(1)
    a, b = rng.random((500, 61)), rng.random((400, 61))
    a[:, 10:30] = b[:, 10:30] = 0.0  # constant features
    a[:, 30] = a[:, 31]
    free = np.r_[0:10, 30:61]
    assert frechet(a, b) == pytest.approx(frechet(a[:, free], b[:, free]), abs=1e-7)
    assert frechet(a, b) == pytest.approx(literal.frechet(a[:, free], b[:, free]), abs=1e-6)
    few = rng.random((10, 61))
    assert frechet(few, few) == pytest.approx(
        0, abs=1e-9
    )  # the roots of the eigenvalues of a product have an error of 1e-7
    assert frechet(few, few + 1) == pytest.approx(61, abs=1e-9)
    assert isinstance(frechet(few, b), float)


def test_frechet_of_small_samples_is_biased_as_said():
    rng = np.random.default_rng(2)
    means = [np.mean([frechet(rng.normal(size=(n, 8)), rng.normal(size=(n, 8))) for _ in range(60)]) for n in (20, 80)]
    assert means[0] > 3 * means[1] > 3 * 8 * 2 / 80


@settings(deadline=None)
@given(COUNTS, COUNTS)
def test_jensen_shannon(p, q):
    found = jensen_shannon(p, q)
    assert found == pytest.approx(literal.jensen_shannon(p, q), abs=1e-6)
    assert found == pytest.approx(jensenshannon(p, q, base=2), abs=1e-6)
    assert found == pytest.approx(jensen_shannon(q, p), abs=1e-9)
    assert jensen_shannon(p, np.multiply(p, 3)) == pytest.approx(0, abs=1e-7)  # shares, not numbers, count


def test_jensen_shannon_of_disjoint_sets_is_one():
    assert jensen_shannon([2, 0, 1], [0, 5, 0]) == 1


def test_space_groups_and_crystal_systems():
    numbers = [0, 1, 2, 3, 15, 16, 74, 75, 142, 143, 167, 168, 194, 195, 230, 225]
    assert space_group_counts(numbers).shape == (231,)
    assert space_group_counts(numbers).sum() == 16
    assert dict(zip(CRYSTAL_SYSTEMS, crystal_system_counts(numbers), strict=True)) == {
        "unknown": 1,
        "triclinic": 2,
        "monoclinic": 2,
        "orthorhombic": 2,
        "tetragonal": 2,
        "trigonal": 2,
        "hexagonal": 2,
        "cubic": 3,
    }
    assert [crystal_system(n) for n in (0, 14, 62, 227)] == ["unknown", "monoclinic", "orthorhombic", "cubic"]
    assert crystal_system_counts([]).sum() == 0
    for wrong in (-1, 231):
        with pytest.raises(NucleateError, match="1 to 230"):
            space_group_counts([1, wrong])


def test_interval():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0, 1, 400), rng.normal(1, 1, 300)
    found = distance_interval(wasserstein, a, b)
    assert found.value == wasserstein(a, b)
    assert (found.n, found.n_reference) == (400, 300)
    theory = 1.96 * np.sqrt(1 / 400 + 1 / 300)  # far apart, the distance is the difference of the means
    assert (found.high - found.low) / 2 == pytest.approx(theory, rel=0.2)
    assert distance_interval(wasserstein, a, b) == found
    assert distance_interval(wasserstein, a, b, seed=1) != found
    same = distance_interval(wasserstein, a, a, resamples=20)
    assert same.value == same.low == 0 < same.high
    table = distance_interval(frechet, rng.random((50, 3)), rng.random((40, 3)), resamples=10)
    assert table.low <= table.value < table.high
    with pytest.raises(NucleateError, match="two resamples"):
        distance_interval(wasserstein, a, b, resamples=1)


def test_interval_covers_the_truth_where_percentiles_do_not():
    rng = np.random.default_rng(5)
    truth, inside = 0.2, 0
    for _ in range(60):
        found = distance_interval(wasserstein, rng.random(150), rng.random(150) + truth, resamples=60)
        inside += found.low <= truth <= found.high
    assert inside >= 52


def test_random_subset():
    chosen = random_subset(1000, 100, seed=3)
    assert len(set(chosen.tolist())) == 100
    assert 0 <= chosen.min() <= chosen.max() < 1000
    assert 400 < chosen.mean() < 600
    assert chosen[:20].tolist() == random_subset(1000, 20, seed=3).tolist()
    assert chosen.tolist() != random_subset(1000, 100, seed=4).tolist()
    assert random_subset(10, 10).tolist() == [3, 2, 1, 8, 6, 0, 7, 4, 5, 9]  # the same on every machine
    assert random_subset(0, 0).size == 0
    with pytest.raises(NucleateError, match="11 of 10"):
        random_subset(10, 11)


def test_bad_input_is_one_line():
    with pytest.raises(NucleateError, match="second sample is empty"):
        wasserstein([1.0], [])
    with pytest.raises(NucleateError, match="not finite"):
        wasserstein([1.0, np.nan], [1.0])
    with pytest.raises(NucleateError, match="two samples or more on both sides, not 1 and 3"):
        frechet(np.ones((1, 2)), np.ones((3, 2)))
    with pytest.raises(NucleateError, match="of 2 and of 3"):
        frechet(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(NucleateError, match="dimensions"):
        frechet(np.ones(4), np.ones((4, 3)))
    with pytest.raises(NucleateError, match="of 2 and of 3 categories"):
        jensen_shannon([1, 2], [1, 2, 3])
    for counts in ([0, 0], [-1, 2]):
        with pytest.raises(NucleateError, match="counts of which none is negative"):
            jensen_shannon([1, 2], counts)


def test_real_crystals():
    import pyarrow.parquet as pq

    files = real_table("baselines/diffcsp_mp_20"), real_table("mp_20_test")
    tables = [pq.read_table(f, columns=["atomic_numbers", "lengths"]).slice(0, 500).to_pylist() for f in files]
    elements = [[len(set(r["atomic_numbers"])) for r in rows] for rows in tables]
    features = [
        np.array([[*sorted(r["lengths"]), len(r["atomic_numbers"]), min(r["lengths"]), 7.0] for r in rows])
        for rows in tables  # linearly dependent, and one constant
    ]
    assert wasserstein(*elements) == pytest.approx(literal.wasserstein(*elements), abs=1e-6)
    assert frechet(*(f[:, :4] for f in features)) == pytest.approx(
        literal.frechet(*(f[:, :4] for f in features)), abs=1e-6
    )
    turned = [np.c_[f[:, 1:4], f[:, 0] * 2**0.5] for f in features]  # the doubled column as one of length sqrt 2
    assert frechet(*features) == pytest.approx(frechet(*turned), abs=1e-6)
