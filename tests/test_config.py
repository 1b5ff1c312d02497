"""Sections of configuration: what is wrong with values is said in one line."""

from typing import Literal

import pytest

from nucleate.config import ConfigSection, DataConfig, TrainConfig
from nucleate.errors import NucleateError


class Inner(ConfigSection):
    size: int = 3
    names: tuple[str, ...] = ()


class Outer(ConfigSection):
    name: str
    kind: Literal["warm", "cold"] = "warm"
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "colour": 1}, "unknown key 'colour'; known here: inner, kind, name"),
        ({"name": "x", "inner": {"width": 3}}, "unknown key 'inner.width'; known here: names, size"),
        ({"name": "x", "inner": {"size": "wide"}}, "'inner.size' must be int, not 'wide'"),
        ({"name": "x", "inner": {"size": 3.5}}, "'inner.size' must be int, not 3.5"),
        ({"name": "x", "inner": {"size": True}}, "'inner.size' must be int, not True"),
        ({"name": "x", "inner": {"names": "a"}}, "'inner.names' must be a list, not 'a'"),
        ({"name": "x", "inner": 3}, "'inner' must be a table, not 3"),
        ({"name": "x", "kind": "tepid"}, "'kind' must be one of warm, cold, not 'tepid'"),
        ({}, "missing key 'name'"),
    ],
)
def test_what_is_wrong_is_one_line(values, message):
    with pytest.raises(NucleateError) as refused:
        Outer.read(values)
    assert str(refused.value) == message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "'steps' must be at least 1, not 0"),
        ({"clip": 0.0}, "'clip' must be above 0, not 0.0"),
        ({"ema": 2.0}, "'ema' must be at most 1, not 2.0"),
        ({"learning_rate": float("nan")}, "'learning_rate'"),
    ],
)
def test_numbers_out_of_range_are_refused(values, message):
    with pytest.raises(NucleateError, match=message):
        TrainConfig.read(values)


def test_a_whole_number_may_stand_for_a_real_one():
    assert TrainConfig.read({"learning_rate": 1}).learning_rate == 1.0


def test_a_changed_copy_is_checked_too():
    whole = Outer(name="x", inner=Inner(names=("a",)))
    changed = whole.changed(name="y", inner={"size": 4})
    assert (changed.name, changed.inner.size, changed.inner.names) == ("y", 4, ("a",)) and whole.name == "x"
    assert whole.changed(inner=Inner(size=5)).inner == Inner(size=5)
    with pytest.raises(NucleateError, match="'inner.size' must be int"):
        whole.changed(inner={"size": "wide"})
    assert DataConfig().changed(exclude=("a",)).exclude == ("a",)
