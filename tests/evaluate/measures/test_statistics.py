import literal
import numpy as np
import pytest
from scipy.stats import binomtest

from nucleate.evaluate.measures.statistics import Rate, bootstrap_mean, mean, rate, wilson


@pytest.mark.parametrize(("hits", "total"), [(0, 10), (1, 10), (5, 10), (103, 200), (199, 200), (200, 200)])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_wilson_equals_scipy(hits, total, confidence):
    expected = binomtest(hits, total).proportion_ci(confidence, method="wilson")
    assert wilson(hits, total, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_textbook_value_and_ends():
    low, high = wilson(15, 50)  # Newcombe 1998-style example: 30 % of 50
    assert (round(low, 4), round(high, 4)) == (0.1910, 0.4375)
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("hits", "total"), [(-1, 3), (4, 3)])
def test_wilson_refuses_impossible_counts(hits, total):
    with pytest.raises(ValueError, match="hits"):
        wilson(hits, total)


def test_rate_of_nothing_has_no_value():
    assert rate(0, 0).value is None and rate(0, 0).percent == "-"
    assert rate(1, 4).value == 0.25 and rate(50, 100).percent == "50.0 (40.4-59.6)"


def test_bootstrap_agrees_with_the_normal_limit_and_is_deterministic():
    values = np.random.default_rng(3).normal(1.0, 0.2, 400)
    low, high = bootstrap_mean(values)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)
    assert bootstrap_mean(values) == (low, high)
    assert bootstrap_mean(values, seed=1) != (low, high)


def test_bootstrap_covers_the_truth_at_its_stated_rate():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        low, high = bootstrap_mean(rng.normal(0, 1, 40), resamples=300)
        inside += low <= 0 <= high
    assert 0.88 <= inside / 200 <= 0.98


def test_mean_of_nothing_and_of_one():
    assert mean([]).value is None
    assert mean([]).count == 0
    one = mean([0.25])
    assert (one.value, one.low, one.high, one.count) == (0.25, 0.25, 0.25, 1)
    with pytest.raises(ValueError, match="no values"):
        bootstrap_mean([])


@pytest.mark.parametrize(("hits", "total"), [(0, 3), (1, 4), (9046, 9046), (8325, 10_000)])
def test_wilson_solves_its_equation(hits, total):
    expected = literal.wilson(hits, total)
    assert wilson(hits, total) == pytest.approx(expected, abs=1e-6)
    assert rate(hits, total) == Rate(hits, total, *wilson(hits, total))
