"""The comparison of golden runs: what is equal, what is a difference, and what may change (`scripts/golden.py`)."""

import importlib
import importlib.util
import json
import sys
from pathlib import Path

import pytest

GOLDENS = Path(__file__).parent.parent / "scripts" / "goldens"
FILE = GOLDENS / "compare.py"
FROM_THE_NETWORK = {"data get"}  # no golden run downloads anything


@pytest.fixture(scope="module")
def compare():
    spec = importlib.util.spec_from_file_location("golden_compare", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


def a_run(folder, files, out="", err="", code=0):
    """A folder as `golden.py` leaves it after one step."""
    (folder / "work").mkdir(parents=True)
    for name, text in files.items():
        (folder / "work" / name).write_text(text)
    (folder / "00.out").write_text(out)
    (folder / "00.err").write_text(err)
    (folder / "places.json").write_text(json.dumps({str(folder): "<here>"}))
    (folder / "steps.jsonl").write_text(json.dumps({"number": 0, "step": "show", "code": code}) + "\n")
    return folder


RECORD = {
    "id": "c1",
    "structure": {"a": 4.0},
    "energies": {"e_form": {"value": -1.25, "method": "m"}},
    "failure": "relax: blew up",
    "provenance": {"relax": {"seconds": 1.5}},
}
PAGE = (
    "<html><style>p {{}}</style><p>2025-01-01 10:{minute}</p><script>{script}</script><p>gap <b>{gap} eV</b></p>"
    "<h2>Time by stage</h2><p>relax</p><p>{minute} s</p><p>{minute} %</p>"
    "<p>energies, made</p><p>0.1 s</p><p>&lt; 1 %</p>"
)


def records(**changes):
    return json.dumps(RECORD | changes) + "\n"


def test_times_paths_progress_and_the_last_digits_are_no_difference(compare, tmp_path):
    files = {
        "r.jsonl": records(),
        "c.cif": "_cell_length_a 4.0000001\n",
        "t.csv": "id,seconds\nc1,0.5\n",
        "p.html": PAGE.format(minute=10, script=1, gap=1.5),
    }
    old = a_run(
        tmp_path / "old", files, f"files: {tmp_path}/old/x\ntime: relax 3 s, hull 1 s\n", "relax: 1 of 2, 3 s\n"
    )
    files = {
        "r.jsonl": records(structure={"a": 4.0000005}, provenance={"relax": {"seconds": 9.0}}),
        "c.cif": "_cell_length_a 4.0000004\n",
        "t.csv": "id,seconds\nc1,0.7\n",
        "p.html": PAGE.format(minute=59, script=2, gap=1.5),
    }
    new = a_run(tmp_path / "new", files, f"files: {tmp_path}/new/x\ntime: relax 1 min 14 s, hull 0 s\n")
    assert compare.differences(old, new, "") == []


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("r.jsonl", records(), records(structure={"a": 4.00001}), "[0].structure.a: 4.0 -> 4.00001"),
        (
            "r.jsonl",
            records(),
            records(energies={"e_form": {"value": -1.2501, "method": "m"}}),
            "[0].energies.e_form.value: -1.25",
        ),
        ("r.jsonl", records(), records(failure="relax: stopped"), "[0].failure: line 1"),
        ("r.jsonl", records(), records() * 2, "1 -> 2 items"),
        ("c.cif", "_cell_length_a 4.000000\n", "_cell_length_a 4.000010\n", "line 1: '_cell_length_a 4.000000' -> "),
        ("t.csv", "id,e\nc1,-1.25\n", "id,e\nc1,-1.26\n", "[1].e: line 1: '-1.25' -> '-1.26'"),
        (
            "p.html",
            PAGE.format(minute=1, script=1, gap=1.5),
            PAGE.format(minute=1, script=1, gap=1.6),
            "'1.5' -> '1.6'",
        ),
        ("f.txt", "NaCl\n", "NaCl\nMgO\n", "line 2: '' -> 'MgO'"),
    ],
)
def test_what_is_a_difference(compare, tmp_path, name, old, new, said):
    (found,) = compare.differences(a_run(tmp_path / "a", {name: old}), a_run(tmp_path / "b", {name: new}), "")
    assert found.where == name and said in found.what and not found.change


def test_what_is_printed_exit_codes_and_files_that_are_gone(compare, tmp_path):
    old = a_run(tmp_path / "old", {"x.txt": ""}, "1 crystal\n", "error: no\n")
    new = a_run(tmp_path / "new", {}, "2 crystals\n", "error: never\n", 2)
    found = compare.differences(old, new, "refusals")
    assert found[0].what == "exit code 0 -> 2" and found[-1].what == "is not written any more"
    assert len(found) == 4 and not any(d.change for d in found)
    assert {d.change for d in compare.differences(old, new, "help")[:3]} == {"help changed"}


def test_the_layout_of_records_may_change_but_not_what_they_say(compare, tmp_path):
    old = a_run(tmp_path / "old", {"r.jsonl": records(), "request.json": '{"seed": 0}'})
    failure = {"stage": "relax", "code": "diverged", "reason": "blew up"}
    changed = records(failure=failure, provenance={"note": 1}, origin={})
    new = a_run(tmp_path / "new", {"r.jsonl": changed, "request.json": '{"sampling": {"seed": 0}}', "run.toml": ""})
    found = compare.differences(old, new, "")
    assert {d.where for d in found} == {"r.jsonl", "request.json", "run.toml"}
    assert {d.change for d in found} == {"layout changed"}


def commands_of(app, before=""):
    """The commands of a Typer application, those of its groups as "hull run"."""
    names = {before + (c.name or c.callback.__name__) for c in app.registered_commands}
    return names.union(*(commands_of(g.typer_instance, f"{g.name} ") for g in app.registered_groups))


def test_every_command_has_a_golden_run(monkeypatch):
    from nucleate.cli.main import app

    for name in ("run", "every_run", "runs_design", "runs_generators", "runs_models", "runs_python", "runs_words"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(GOLDENS))
    runs = importlib.import_module("every_run").RUNS
    done = [step for run in runs if run.kind == "" for step in run.steps]
    helped = {step.removesuffix(" --help") for run in runs if run.kind == "help" for step in run.steps}
    commands = commands_of(app)
    assert commands <= helped
    assert {c for c in commands if not any(f"{step} ".startswith(f"{c} ") for step in done)} == FROM_THE_NETWORK
