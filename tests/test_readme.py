"""The README's Python runs, in order, in one namespace; its commands exist."""

import re
from pathlib import Path

from nucleate.cli.main import app

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_quickstart_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 4
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert "SrTiO3" in capsys.readouterr().out
    assert (tmp_path / "runs/quickstart/report.html").is_file()


def test_every_command_is_documented_and_exists():
    import typer

    group = typer.main.get_command(app)
    documented = set(re.findall(r"`nucleate ([a-z]+)", README))
    assert documented == set(group.commands)


def test_the_two_make_targets_exist():
    makefile = (Path(__file__).parent.parent / "Makefile").read_text()
    assert "\ndemo:" in makefile and "\ntest:" in makefile
