"""Success rates: CDVAE's thresholds and rule, groups of restarts, and what counts as no success."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nucleate.cli.metrics import show_report
from nucleate.cli.tables import output_console
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import wilson
from nucleate.evaluate.measures.success_rate import (
    CDVAE,
    Thresholds,
    percentile_thresholds,
    success_rates,
    success_thresholds,
)

LIMITS = Thresholds((5.0, 10.0, 15.0), (-3.0, -2.0, -1.0), "test", "by hand", "eV/atom")
HIGH = Thresholds((5.0, 10.0), (3.0, 2.0), "test", "by hand", maximise=True)


def rates(report):
    return [m.value for m in report.sections[0].metrics if m.name.startswith("sr_")]


def test_success_rates_by_hand():
    values = [-3.5, -3.0, -2.999, -1.0, 0.0, None, float("nan"), float("-inf")]
    report = success_rates(values, LIMITS)
    assert rates(report) == [2 / 8, 3 / 8, 4 / 8]  # the threshold itself is reached; minus infinity is no energy
    assert (report["sr_5"].low, report["sr_5"].high) == wilson(2, 8)
    assert report["with_value"].value == 5 / 8
    assert report["property_mean"].value == pytest.approx(np.mean(values[:5]))
    reasons = [(name, reason) for name, _, reason in report.failures]
    assert reasons == [("6", "no value"), ("7", "not a finite number"), ("8", "not a finite number")]
    json.loads(report.to_json())
    show_report(output_console(), report)


def test_invalid_crystals_are_no_success():
    report = success_rates([-9.0, -9.0], LIMITS, valid=[True, False], names=["a", "b"])
    assert rates(report) == [1 / 2] * 3
    assert report.failures == (("b", "property", "invalid crystal"),)


def test_the_best_of_each_group_counts():
    values = [-0.5, -3.5, -9.0, -1.5, None, None]
    valid = [True, True, False, True, True, True]
    groups = ["x", "x", "y", "y", "z", "z"]
    report = success_rates(values, LIMITS, valid, groups)
    assert rates(report) == [1 / 3, 1 / 3, 2 / 3]  # y's best crystal is invalid, z failed and still counts
    assert report["sr_5"].n == next(iter(report.protocol.values()))["groups"] == 3
    order = [5, 2, 0, 4, 1, 3]
    again = success_rates([values[i] for i in order], LIMITS, [valid[i] for i in order], [groups[i] for i in order])
    assert rates(again) == rates(report)


def test_success_rates_equal_those_of_cdvaes_code():
    """Steps x optimisations, infinity where invalid, the lowest of each column."""
    rng = np.random.default_rng(0)
    props, valid = rng.normal(-2, 1, (10, 100)), rng.random((10, 100)) < 0.4
    best = np.where(valid, props, np.inf).min(0)
    groups = [str(k) for _ in range(10) for k in range(100)]
    report = success_rates(props.ravel().tolist(), LIMITS, valid.ravel().tolist(), groups)
    assert rates(report) == pytest.approx([(best <= t).mean() for t in LIMITS.values])


def test_maximisation_gives_the_rates_of_the_negated_values():
    values = [3.5, 2.5, None, -3.5]
    assert rates(success_rates(values, HIGH)) == [1 / 4, 2 / 4]
    assert rates(success_rates(values, HIGH, groups=["a", "b", "b", "b"])) == [1 / 2, 1]
    data = np.random.default_rng(1).normal(size=1000)
    up, down = (percentile_thresholds(x, maximise=flag) for x, flag in ((data, True), (-data, False)))
    assert up.values == pytest.approx([-v for v in down.values])
    assert rates(success_rates(data, up)) == pytest.approx(rates(success_rates(-data, down)))


def test_the_data_itself_succeed_at_their_own_percentiles():
    data = np.random.default_rng(2).normal(size=4000)
    limits = percentile_thresholds([*data, None, float("nan")], (5, 10, 15, 50))
    assert limits.n == 4000
    report = success_rates(data[:10], limits, real=data, real_name="data")
    floors = [m.floor for m in report.sections[0].metrics][:4]
    assert floors == pytest.approx([0.05, 0.1, 0.15, 0.5], abs=1e-3)
    assert report.floor == "data"
    assert set(report.series[0].values) == {"crystals", "data"}


def test_published_thresholds():
    limits = success_thresholds("mp-20")
    assert limits.values == (-3.17562208, -2.82196882, -2.52814761)
    assert limits.protocol == "cdvae-2022"
    assert success_thresholds("carbon-24").values == (-154.527093, -154.45865733, -154.44206825)
    report = success_rates([-9.0], limits)
    assert report["sr_5"].published["CDVAE"] == 0.78
    assert report["sr_15"].published["DiffCSP"] == 1.0


def test_columns_of_a_table():
    table = pa.table({"gap": [1.0, 2.0, None, 4.0], "name": ["a", "b", "c", "d"]})
    limits = success_thresholds(table, "gap", percents=[50])
    assert limits.values == (2.0,)
    assert not success_rates([1.0], limits)["sr_50"].published
    with pytest.raises(NucleateError, match="no column 'energy'; the columns are: gap, name"):
        success_thresholds(table, "energy")
    with pytest.raises(NucleateError, match="no column was named"):
        success_thresholds(table)
    with pytest.raises(NucleateError, match="does not contain numbers"):
        success_thresholds(table, "name")


def test_columns_of_a_file(tmp_path):
    file = tmp_path / "mine.parquet"
    pq.write_table(pa.table({"gap": [1.0, 2.0, 3.0]}), file)
    limits = success_thresholds(str(file), "gap", percents=[50], maximise=True)
    assert (limits.values, limits.source) == ((2.0,), "mine.parquet, gap")
    file.write_text("nonsense")
    with pytest.raises(NucleateError, match="not parquet"):
        success_thresholds(str(file), "gap")
    with pytest.raises(NucleateError, match="no file"):
        success_thresholds(str(tmp_path / "other.parquet"), "gap")
    with pytest.raises(NucleateError, match="no dataset 'mp-19"):
        success_thresholds("mp-19", "gap")


@pytest.mark.parametrize("percents", [(), (0,), (100,), (-5,)])
def test_impossible_percentiles(percents):
    with pytest.raises(NucleateError, match="between 0 and 100"):
        percentile_thresholds([1.0], percents)


def test_bad_input():
    with pytest.raises(NucleateError, match="no crystals"):
        success_rates([], LIMITS)
    with pytest.raises(NucleateError, match="3 groups for 2 values"):
        success_rates([1.0, 2.0], LIMITS, groups=["a", "b", "c"])
    with pytest.raises(NucleateError, match="1 validities for 2 values"):
        success_rates([1.0, 2.0], LIMITS, valid=[True])
    with pytest.raises(NucleateError, match="contains no number"):
        percentile_thresholds([None])
    assert rates(success_rates([None], LIMITS)) == [0, 0, 0]


@pytest.mark.skipif("NUCLEATE_DATA" not in os.environ, reason="NUCLEATE_DATA is not set")
class TestRealData:
    def test_the_published_thresholds_are_percentiles_of_the_training_split(self):
        found = success_thresholds("carbon-24:train", "energy_per_atom")
        assert found.values == pytest.approx(CDVAE["carbon-24"][2], abs=1e-7)
        lattices = Path(os.environ["NUCLEATE_DATA"]) / "perov_5_train_lattice_composition.parquet"
        if lattices.exists():  # all rows, without structures
            found = success_thresholds(str(lattices), "heat_ref")
            assert found.values == pytest.approx(CDVAE["perov-5"][2], abs=1e-7)
        assert success_thresholds("carbon-24:test").values != pytest.approx(CDVAE["carbon-24"][2], abs=1e-5)
        assert success_thresholds("mp-20:train").values == pytest.approx(CDVAE["mp-20"][2], abs=1e-3)
        assert abs(success_thresholds("mp-20:test").values[1] - CDVAE["mp-20"][2][1]) > 5e-3

    def test_test_crystals_succeed_about_as_often_as_the_name_says(self):
        from nucleate.data import load_table

        values = load_table("mp-20:test").column("formation_energy_per_atom").to_pylist()
        assert rates(success_rates(values, success_thresholds("mp-20"))) == pytest.approx([0.05, 0.1, 0.15], abs=0.005)


def test_a_missing_value_has_its_reason():
    report = success_rates([None, None, float("nan"), -9.0], LIMITS, reasons=["never saw Rn", None, None, None])
    assert [why for _, _, why in report.failures] == ["never saw Rn", "no value", "not a finite number"]
    with pytest.raises(NucleateError, match="1 reasons for 2 values"):
        success_rates([None, None], LIMITS, reasons=["no"])
