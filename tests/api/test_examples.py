"""The examples in the docstrings of public names run as they stand."""

import doctest
import inspect

import pytest

import nucleate

FUNCTIONS = [n for n in nucleate.__all__ if inspect.isfunction(getattr(nucleate, n))]
WITH_EXAMPLES = [
    "calculator", "check", "design", "e_above_hull", "generate", "predict", "relax", "screen", "substitute"
]  # fmt: skip


@pytest.mark.parametrize("name", [*WITH_EXAMPLES, "Candidates"])
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.DocTestFinder(recurse=False).find(getattr(nucleate, name), name, globs={})
    assert sum(len(test.examples) for test in found) >= 2, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in found:
        assert runner.run(test).failed == 0
