"""Options that are made from settings: in the help, in messages, and in files of settings."""

import inspect
import tomllib

import pytest
from typer.testing import CliRunner

from nucleate.cli.main import app, main
from nucleate.settings import (
    ComposeSettings,
    DesignSettings,
    GenerateSettings,
    OptimiseSettings,
    OrderSettings,
    PredictSettings,
    RelaxSettings,
    ScreenSettings,
    SubstituteSettings,
)
from nucleate.settings.base import entries

SETTINGS = {
    "design": DesignSettings,
    "generate": GenerateSettings,
    "compose": ComposeSettings,
    "predict": PredictSettings,
    "optimise": OptimiseSettings,
    "relax": RelaxSettings,
    "screen": ScreenSettings,
    "substitute": SubstituteSettings,
    "order": OrderSettings,
}
OTHERWISE = {"relax": {"relax_steps": "steps"}, "optimise": {"weights": ""}, "predict": {"space_groups": "space-group"}}


def run(capsys, *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return left.value.code or 0, out, " ".join(err.split())


@pytest.mark.parametrize("command", SETTINGS)
def test_every_setting_is_an_option_with_its_help(command):
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "5000"}).stdout
    for entry in entries(SETTINGS[command]):
        name = OTHERWISE.get(command, {}).get(entry.key, entry.key).replace("_", "-")
        assert not name or f"--{name} " in shown
        said = command == "predict" and entry.key in ("method", "sites", "space_groups")
        assert not name or said or entry.about.text in shown, entry.key


def test_defaults_of_a_command_are_those_of_its_settings():
    shown = CliRunner().invoke(app, ["relax", "--help"], env={"COLUMNS": "500"}).stdout
    assert "stays as far as it is. Unit: seconds. Default: 3600.0." in shown
    shown = CliRunner().invoke(app, ["optimise", "--help"], env={"COLUMNS": "500"}).stdout
    assert "stays as far as it is. Unit: seconds. Default: 300.0." in shown and "at most. Default: 250." in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("predict", "NaCl", "--rank-by", "age"), "error: --rank-by must be one of emd, metric, random, not 'age'"),
        (("predict", "NaCl", "--samples", "-1"), "error: --samples must be at least 1, not -1"),
        (
            ("predict", "NaCl", "--method", "magic"),
            "error: --method must be one of auto, retrieval, template, prototype",
        ),
        (("relax", "x.cif", "--out", "y.jsonl", "--steps", "-1"), "error: --steps must be at least 0, not -1"),
        (
            ("relax", "x.cif", "--out", "y.jsonl", "--optimiser", "magic"),
            "error: --optimiser must be one of bfgs, fire",
        ),
        (("screen", "x.cif", "--best", "0"), "error: --best must be at least 1, not 0"),
        (("screen", "x.cif", "-n", "0"), "error: --best must be at least 1, not 0"),
        (("optimise", "mp20-cds", "--calibrate", "3"), "error: --calibrate must be at least 20, not 3"),
        (("optimise",), "error: name the model that draws the crystals"),
        (("generate", "NaCl", "--steps", "-1"), "error: --steps must be at least 0, not -1"),
        (("compose", "--steps", "-1"), "error: --steps must be at least 0, not -1"),
        (("substitute", "x.cif", "--sites", "some"), "error: --sites must be one of all, orbits, not 'some'"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_of_its_option(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *words)
    assert code == 2 and message in err and not list(tmp_path.iterdir())


def shown_twice(capsys, path, *words: object) -> dict:
    """What --show-config prints, which is the same where it is read again."""
    code, out, err = run(capsys, *words, "--show-config")
    assert code == 0, err
    path.write_text(out)
    assert run(capsys, words[0], "--config", path, "--show-config")[1] == out
    return tomllib.loads(out)


def test_a_prediction_in_a_file(tmp_path, capsys):
    path = tmp_path / "run.toml"
    words = ["K-Cu-Si", "NaCl", "--space-group", "Pnma,225", "--sites", "K:1,Cu:2,Si:1", "--top", 3, "--repeats"]
    shown = shown_twice(capsys, path, "predict", *words)
    assert shown["formulas"] == ["K-Cu-Si", "NaCl"] and shown["top"] == 3 == shown["samples"]
    assert shown["space_groups"] == [62, 225] and shown["sites"] == {"K": 1, "Cu": 2, "Si": 1}
    assert shown["method"] == "adaptive" and shown["templates"]["distinct"] is False
    assert "# A crystal counts as relaxed when" in path.read_text()
    code, out, err = run(capsys, "predict", "--config", path, "--seed", 4, "--top", 1, "--show-config")
    changed = tomllib.loads(out)
    assert code == 0 and changed["seed"] == 4 and changed["top"] == 1 and f"--seed 4 in place of 0 in {path}" in err
    words = "predict", "NaCl", "--method", "random", "--show-config"
    assert tomllib.loads(run(capsys, *words, "--top", 2)[1])["samples"] == 2
    assert tomllib.loads(run(capsys, *words)[1])["samples"] == 5
    assert "leave FORMULA and --file out" in run(capsys, "predict", "MgO", "--config", path)[2]
    path.write_text("samples = 0")
    assert f"{path}: 'samples' must be at least 1, not 0" in run(capsys, "predict", "MgO", "--config", path)[2]
    path.write_text("formulas = 'MgO'")
    assert "'formulas' is a list of formulas, not 'MgO'" in run(capsys, "predict", "--config", path)[2]
    path.write_text("formula = ['MgO']")
    assert "unknown key 'formula'; the keys are formulas, file, top, method" in run(
        capsys, "predict", "--config", path
    )[2]  # fmt: skip


def test_a_prediction_runs_again_from_its_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = "predict", "NaCl", "CsF", "--method", "random", "--samples", 2, "--seed", 5, "--workers", 1
    shown_twice(capsys, tmp_path / "run.toml", *words)
    assert run(capsys, *words, "--out", "a.extxyz")[0] == 0
    assert run(capsys, "predict", "--config", "run.toml", "--workers", 1, "--out", "b.extxyz")[0] == 0
    assert (tmp_path / "a.extxyz").read_text() == (tmp_path / "b.extxyz").read_text()


def test_a_screening_in_a_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = shown_twice(capsys, tmp_path / "run.toml", "screen", "a.cif", "b.cif", "--fmax", 0.1, "--second", "none")
    assert shown["files"] == ["a.cif", "b.cif"] and shown["relaxation"]["fmax"] == 0.1 and shown["second"] == "none"
    assert "leave FILES out" in run(capsys, "screen", "c.cif", "--config", "run.toml")[2]
    assert "no file or folder" in run(capsys, "screen", "--config", "run.toml")[2]
    for more in (["--fmax", "0.1"], ["--config", "run.toml"]):
        words = run(capsys, "screen", "--resume", "x", *more)[2]
        assert f"--resume takes the settings from the run; leave {more[0]} out" in words


def test_an_optimisation_in_a_file(tmp_path, capsys):
    shown = shown_twice(capsys, tmp_path / "run.toml", "optimise", "mp20-cds", "-p", "e_form", "-n", 20, "--maximise")
    assert shown["weights"] == "mp20-cds" and shown["property"] == "e_form" and shown["candidates"] == 20
    assert shown["maximise"] is True and shown["relaxation"]["time_limit_s"] == 300.0
    again = run(capsys, "optimise", "--config", tmp_path / "run.toml", "--no-maximise", "--show-config")
    assert tomllib.loads(again[1])["maximise"] is False and "--no-maximise in place of True" in again[2]


def test_generating_and_composing_from_files(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.toml"
    words = "generate", "Sr-Ti-O, at least 4 atoms", "-n", 2, "--weights", "mp20-dng", "--steps", 4, "--seed", 3
    shown = shown_twice(capsys, path, *words)
    assert shown["request"]["chemical_system"] == ["Sr", "Ti", "O"] and shown["request"]["num_atoms"] == "4.."
    assert shown["sampling"]["steps"] == 4 and "relaxation" not in shown
    assert run(capsys, *words, "--out", "a.extxyz")[0] == 0
    assert run(capsys, "generate", "--config", path, "--out", "b.extxyz")[0] == 0
    assert (tmp_path / "a.extxyz").read_text() == (tmp_path / "b.extxyz").read_text()
    for more, option in ((["NaCl"], "a request"), (["-p", "e_form=-1"], "--property"), (["--sites", "O:1"], "--sites")):
        assert f"has a [request]; leave {option} out" in run(capsys, "generate", *more, "--config", path)[2]
    assert "--candidates 3 in place of 2" in run(capsys, "generate", "-n", 3, "--config", path, "--show-config")[2]
    words = "compose", "Li ? O4", "-n", 3, "--exclude", "Pb", "--temperature", 0.7, "--valid"
    shown = shown_twice(capsys, path, *words)
    assert shown["request"]["candidates"] == 3 and shown["sampling"]["temperature"] == 0.7
    assert "--number 2 in place of 3" in run(capsys, "compose", "-n", 2, "--config", path, "--show-config")[2]


def test_options_stand_where_their_parameter_stands():
    from nucleate.cli.predict import predict

    names = list(inspect.signature(predict).parameters)
    assert names.index("file") < names.index("method") < names.index("top")
