import csv
from importlib import resources

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition
from real_data import real_table

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.magpie import STATISTICS, labels, magpie_features, normalise

# Elements with all properties known, and a few without
amounts = st.dictionaries(st.sampled_from([*SYMBOLS[:94], "Og", "Rf"]), st.integers(1, 12), min_size=1, max_size=7)


def named(composition):
    return dict(zip(labels(), magpie_features([composition])[0], strict=True))


def matminer_features(compositions):
    pytest.importorskip("matminer", reason="matminer is not installed")
    from matminer.featurizers.composition import ElementProperty

    featurizer = ElementProperty.from_preset("magpie", impute_nan=False)
    assert [name.removeprefix("MagpieData ") for name in featurizer.feature_labels()] == list(labels())
    return np.array([featurizer.featurize(Composition(c)) for c in compositions], dtype=float)


@pytest.mark.filterwarnings("ignore")
def test_equal_to_matminer():
    rng = np.random.default_rng(0)
    compositions = [{s: 1.0} for s in SYMBOLS]
    for _ in range(200):
        chosen = rng.choice(SYMBOLS, rng.integers(1, 8), replace=False)
        compositions.append({s: float(a) for s, a in zip(chosen, rng.integers(1, 5, len(chosen)), strict=True)})
    compositions += [{"Fe": 1.0, "O": 1.000009, "N": 1.00002}, {"Fe": 0.25, "O": 0.25}]
    compositions += [{"D": 2, "O": 1}]
    ours, theirs = magpie_features(compositions), matminer_features(compositions)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.nanmax(np.abs(ours - theirs)) < 1e-9


@pytest.mark.filterwarnings("ignore")
def test_equal_to_matminer_on_real_compositions():
    formulas = pq.read_table(real_table("mp_20_test"), columns=["formula"])["formula"].to_pylist()
    compositions = [Composition(f) for f in formulas[:200]]
    ours, theirs = magpie_features(compositions), matminer_features(compositions)
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    assert np.nanmax(np.abs(ours - theirs)) < 1e-9


def test_statistics_by_hand():
    water = named({"H": 2, "O": 1})
    weight = [water[f"{s} AtomicWeight"] for s in STATISTICS]
    mean = (2 * 1.00794 + 15.9994) / 3
    deviation = (2 * (mean - 1.00794) + 15.9994 - mean) / 3
    assert weight == pytest.approx([1.00794, 15.9994, 14.99146, mean, deviation, 1.00794])
    salt = named({"Cl": 1, "Na": 1})
    assert salt["mode Number"] == 11  # of two equally frequent values, the smaller one
    assert salt["mean Electronegativity"] == pytest.approx((0.93 + 3.16) / 2)
    assert named({"Cl": 1.000005, "Na": 1})["mode Number"] == 11  # equal within matminer's tolerance
    assert named({"Cl": 2, "Na": 1})["mode Number"] == 17


def test_what_is_not_known_is_nan():
    helium = named({"He": 1, "O": 2})
    for statistic in ("minimum", "maximum", "range", "mean", "avg_dev"):
        assert np.isnan(helium[f"{statistic} Electronegativity"])
    assert helium["mode Electronegativity"] == 3.44
    assert np.isnan(named({"He": 2, "O": 1})["mode Electronegativity"])
    assert np.isnan(magpie_features([{"Og": 1}])).all()
    assert np.isfinite(magpie_features([{"O": 1}])).all()


@given(amounts, st.floats(0.1, 10), st.randoms())
def test_scale_and_order_do_not_matter(composition, scale, random):
    items = [(k, v * scale) for k, v in composition.items()]
    random.shuffle(items)
    one, other = magpie_features([composition, dict(items)])
    np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)


@given(st.lists(amounts, max_size=5))
def test_a_row_does_not_depend_on_the_others(compositions):
    together = magpie_features(compositions)
    assert together.shape == (len(compositions), 132)
    for row, composition in zip(together, compositions, strict=True):
        np.testing.assert_allclose(row, magpie_features([composition])[0], rtol=1e-12, atol=1e-12)


def test_pymatgen_compositions_and_charges():
    magnetite = magpie_features([Composition({"Fe2+": 1, "Fe3+": 2, "O2-": 4})])
    np.testing.assert_array_equal(magnetite, magpie_features([{"Fe": 3, "O": 4}]))
    np.testing.assert_array_equal(magpie_features([Composition("D2O")]), magpie_features([{"H": 2, "O": 1}]))
    np.testing.assert_array_equal(magpie_features([{"Fe": 1, "O": 0}]), magpie_features([{"Fe": 1}]))


@pytest.mark.parametrize(
    ("composition", "reason"),
    [
        ({"Fe": 1, "Xx": 2}, "'Xx' is not an element"),
        ({}, "it has no atoms"),
        ({"Fe": 0.0}, "it has no atoms"),
        ({"Fe": -1}, "the amount of Fe is -1"),
        ({"Fe": float("nan")}, "the amount of Fe is nan"),
    ],
)
def test_bad_compositions_are_named(composition, reason):
    with pytest.raises(NucleateError, match=f"composition 2 of 2: {reason}"):
        magpie_features([{"O": 1}, composition])


def test_normalised_by_the_constants_of_the_protocol():
    features = magpie_features([{"Na": 1, "Cl": 1}, {"He": 1}])
    scaled = normalise(features)
    assert scaled.shape == features.shape and np.isfinite(scaled).all()
    column = {name: i for i, name in enumerate(labels())}
    assert scaled[0, column["minimum Number"]] == pytest.approx((11 - 21.194441759304013) / 16.35781741152948)
    i = column["mean Electronegativity"]
    assert scaled[0, i] == pytest.approx((2.045 - 1.9844483610247092) / 0.4881349085029781)
    assert scaled[0, column["mode SpaceGroupNumber"]] == pytest.approx(
        (min(features[0, column["minimum SpaceGroupNumber"]], 229.0) - 136.4664572257129) / 85.980205895116
    )
    assert scaled[1, i] == 0  # helium has no electronegativity


def test_means_of_the_protocol_agree_with_each_other():
    text = (resources.files("nucleate.evaluate.measures") / "tables" / "cdvae_scaler.csv").read_text()
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    assert [row["feature"] for row in rows] == list(labels())
    mean = {row["feature"]: float(row["mean"]) for row in rows}
    for name in {label.split(" ", 1)[1] for label in labels()}:
        # the mean of a range is the range of the means
        assert mean[f"range {name}"] == pytest.approx(mean[f"maximum {name}"] - mean[f"minimum {name}"], rel=1e-9)
        assert mean[f"minimum {name}"] <= mean[f"mean {name}"] <= mean[f"maximum {name}"]
    assert all(float(row["std"]) > 0 for row in rows)
