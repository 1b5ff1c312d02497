"""Tables of parts: what other packages bring is found by name, and never breaks anything else."""

import sys

import pytest
from installed import install

from nucleate.errors import NucleateError
from nucleate.plugins import PluginTable

GROUP = "nucleate.tests"


def table():
    return PluginTable(GROUP, "thing", {"own": "nucleate.errors:Code"}, lambda: {"alias": ""})


def test_a_plug_in_is_found_by_name_and_imported_only_when_it_is_asked_for(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path, "things", {GROUP: {"one": "things_a:make"}}, things_a="def make(x=1):\n    return x")
    things = table()
    assert things.names() == ["own", "one"] and "one" in things and "two" not in things
    assert [(p.name, p.package) for p in things.entries()] == [("own", "nucleate"), ("one", "things")]
    assert things.plugin("one").source == "things 1.0" and things.plugin("own") is None
    assert "things_a" not in sys.modules
    assert things.make("one", x=3) == 3 and things.load("own").__name__ == "Code"
    with pytest.raises(NucleateError, match="no thing 'two'; known: own, one$"):
        things.load("two")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("import nothing_of_this_name", r"the thing 'bad' of the package broken 1.0 cannot be used \(ModuleNotFound"),
        ("", r"cannot be used \(AttributeError: .*make"),
        ("def make():\n    raise ValueError('many\\nlines')", r"\(ValueError: many lines\); fix or uninstall it$"),
    ],
)
def test_a_broken_plug_in_is_named_in_one_line_and_breaks_nothing_else(monkeypatch, tmp_path, module, message):
    entries = {GROUP: {"bad": "broken_a:make", "good": "builtins:dict"}}
    install(monkeypatch, tmp_path, "broken", entries, broken_a=module)
    with pytest.raises(NucleateError, match=message) as error:
        table().make("bad")
    assert "\n" not in str(error.value)
    assert table().make("good") == {}


def test_names_of_this_package_and_names_that_two_bring_are_refused(monkeypatch, tmp_path):
    taken = {"own": "a:b", "alias": "a:b", "a/b": "a:b", "twice": "builtins:list"}
    install(monkeypatch, tmp_path / "a", "first", {GROUP: taken})
    install(monkeypatch, tmp_path / "b", "second", {GROUP: {"twice": "builtins:dict", "fine": "builtins:int"}})
    things = table()
    assert things.names() == ["own", "fine"] and things.load("own").__name__ == "Code"
    said = "\n".join(things.problems())
    assert "the thing 'own' of the package first 1.0 is left out: nucleate has one of that name" in said
    assert "'alias'" in said and "'a/b'" in said and len(things.problems()) == 4
    with pytest.raises(NucleateError, match="'twice' of the package .* is left out: .* has one of that name too"):
        things.load("twice")
