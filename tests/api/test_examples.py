"""Every public name has an example in its docstring, which runs as it stands."""

import doctest

import pytest

import nucleate

WITHOUT = {"prepare", "evaluate_csp"}  # need a dataset, or predictions for it: docs/evaluation.md and tests have them


@pytest.mark.parametrize("name", sorted(set(nucleate.__all__) - WITHOUT))
def test_the_example_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = doctest.DocTestFinder(recurse=False).find(getattr(nucleate, name), name, globs={})
    assert sum(len(test.examples) for test in found) >= 2, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in found:
        assert runner.run(test).failed == 0
