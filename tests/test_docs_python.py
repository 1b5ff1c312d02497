"""The Python of docs/python.md runs, in order, in one namespace; its table names public functions, and all of them."""

import inspect
import re
from pathlib import Path

import nucleate

PAGE = (Path(__file__).parent.parent / "docs/python.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 9
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "MgO" in out and "SrZrO3" in out and "SrCaTi2O6" in out
    assert (tmp_path / "runs/half/report.html").is_file()


def test_the_table_names_what_there_is():
    named = set(re.findall(r"`([a-z_]+)\(", PAGE.split("**A crystal**")[0]))
    assert named <= set(nucleate.__all__)
    own = {n for n in nucleate.__all__ if inspect.isfunction(getattr(nucleate, n))}
    assert own - named <= {
        "load_generator",
        "load_formula_generator",
        "load_reference",
        "prepare",
        "rank",
        "evaluate_csp",
    }
