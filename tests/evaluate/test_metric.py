"""The report that every evaluation gives."""

import json

import pytest

from nucleate.evaluate.measures.statistics import Distance, rate
from nucleate.evaluate.metric import Metric, Report, ReportSection, failure_lines, format_interval, format_value, metric


def report(value, other):
    sections = [
        ReportSection(f"{p}: validity", (metric("valid", "valid", rate(v, 10), ""),))
        for p, v in (("a", value), ("b", other))
    ]
    return Report("dng", "x", 10, tuple(sections))


def test_floors_stay_with_their_protocol():
    """Two protocols may count under one name, by different rules."""
    found = report(5, 6).with_floor(report(9, 10), "real")
    assert [s.metrics[0].floor for s in found.sections] == [0.9, 1.0]
    assert found["valid"].value == 0.5  # of the first protocol
    with pytest.raises(KeyError):
        found["invalid"]


def test_numbers_as_the_field_prints_them():
    share = metric("a", "a", rate(1, 3), "")
    assert format_value(share, share.value) == "33.33 %" and format_interval(share) == "6.1 to 79.2"
    distance = metric("b", "b", Distance(0.0882, 0.02, 0.15, 5, 6), "", unit="g/cm3")
    assert format_value(distance, distance.value) == "0.0882 g/cm3"
    assert format_value(Metric("c", "c", "count", 12345), 12345) == "12,345"
    assert format_value(share, None) == "-"


def test_failures_of_one_kind_are_one_line():
    failures = [(f"c{i}", "structure", f"two atoms 0.{i}1 angstrom apart") for i in range(3)]
    lines = failure_lines([*failures, ("d", "read", "not CIF")])
    assert lines == ["3 x structure: two atoms 0.01 angstrom apart (c0, ...)", "1 x read: not CIF (d)"]


def test_json_has_no_nan():
    text = Report("dng", "x", 1, (ReportSection("s", (Metric("a", "a", "mean", float("nan")),)),)).to_json()
    assert json.loads(text)["sections"][0]["metrics"][0]["value"] is None
    assert json.loads(report(1, 2).to_json())["sections"][0]["metrics"][0]["value"] == 0.1
