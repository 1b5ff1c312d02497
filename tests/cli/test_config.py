"""A design run as one TOML file: printed, read, changed, run again."""

import tomllib

import pytest

from nucleate.cli.main import main
from nucleate.errors import NucleateError
from nucleate.pipeline.rank import to_rows
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.tasks.blueprint import decided
from nucleate.tasks.design import load_run
from nucleate.tasks.run_file import read_run_file, run_file_text

WORDS = [
    "SrTiO3",
    "Sr-Ti-O, cubic, at least 4 atoms, e_form=-2..-1.5, 3 candidates",
    "a cobalt spinel without lead, not radioactive",
    "a new oxide of ratio 1:1:3 with at most 10 atoms",
    'anything with "quotes" and \u00e9, 2 candidates',
]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    return left.value.code or 0


@pytest.mark.parametrize("words", WORDS)
def test_request_and_settings_come_back_as_they_were(words, tmp_path):
    request = parse_request(words)
    given = DesignSettings.of(seed=3, fmax=0.1, guidance=2.0, retrieval=False, seconds=0.0)
    for settings in (given, decided(request, given)):
        text = run_file_text(request, settings, "nucleate design")
        (tmp_path / "run.toml").write_text(text, encoding="utf-8")
        assert read_run_file(tmp_path / "run.toml", DesignSettings, "nucleate design") == (request, settings)
    assert decided(request, settings) == settings, "what was decided stays decided"
    assert all("\x00" not in line for line in text)


def test_parts_of_a_cell_come_back_as_they_were(tmp_path, capsys):
    (tmp_path / "POSCAR").write_text("NaCl\n1.0\n3 0 0\n0 3 0\n0 0 3\nNa Cl\n1 1\nDirect\n0 0 0\n0.5 0.5 0.5\n")
    asked = [
        "design",
        "--fix",
        str(tmp_path / "POSCAR"),
        "--mask",
        "lattice,1",
        "--num-atoms",
        "3",
        "--elements",
        "Na,Cl",
    ]
    assert run(*asked, "--show-config") == 0
    first = capsys.readouterr().out
    (tmp_path / "run.toml").write_text(first)
    assert run("design", "--config", str(tmp_path / "run.toml"), "--show-config") == 0
    assert capsys.readouterr().out == first
    request, _ = read_run_file(tmp_path / "run.toml", DesignSettings, "nucleate design")
    assert request.fixed.species_at == (0,) and request.chemical_system == ("Na", "Cl")


def test_options_override_the_file_and_are_named(tmp_path, capsys):
    path = tmp_path / "run.toml"
    path.write_text('seed = 3\n[request]\nwords = "SrTiO3, 2 candidates"\n[relaxation]\nfmax = 0.1\n')
    assert run("design", "--config", str(path), "--fmax", "0.2", "-n", "4", "--show-config") == 0
    out, err = capsys.readouterr()
    shown = tomllib.loads(out)
    assert shown["relaxation"]["fmax"] == 0.2 and shown["seed"] == 3 and shown["request"]["candidates"] == 4
    assert shown["relaxation"]["max_steps"] == 250, "what the file leaves out has the default of a design run"
    assert "--fmax 0.2 in place of 0.1" in err and "--candidates 4 in place of 2" in err
    for more in (["NaCl"], ["--num-atoms", "4"], ["--exclude", "Pb"], ["--lattice-shape", "cubic"]):
        assert run("design", *more, "--config", str(path)) == 2
        assert "has a [request]; leave" in capsys.readouterr().err
    path.write_text("[sampling]\nsteps = 3\n")
    assert run("design", "NaCl", "--config", str(path), "--show-config") == 0
    shown = tomllib.loads(capsys.readouterr().out)
    assert shown["request"]["composition"] == {"Na": 1, "Cl": 1} and shown["sampling"]["steps"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = ", "is no TOML file"),
        ("sed = 1", "unknown key 'sed'; the keys are request, seed, generation"),
        ("[sampling]\nstep = 1", r"unknown key 'sampling.step'; the keys of \[sampling\] are steps, sampler"),
        ("[sampling]\nsteps = -1", "'sampling.steps' must be at least 0, not -1"),
        (
            "[search]\nstrategy = 'magic'",
            "'search.strategy' must be one of best-first, breadth-first, beam, not 'magic'",
        ),
        ("sampling = 1", "'sampling' is a table of settings"),
        ("request = 1", "'request' is a table"),
        ("[request]\nword = 'NaCl'", "unknown key 'request.word'; the keys are words, text"),
        ("[request]\nwords = 'NaCl'\nnum_atoms = 4", "say num_atoms in these words"),
        ("[request]\nwords = 3", "'request.words' is a text"),
        ("[request]\nnum_atoms = 'many'", "is a number, or bounds such as"),
        ("[request]\ncandidates = 'x'", "'request': candidates: "),
    ],
)
def test_mistakes_in_a_file_of_settings_are_one_line(text, message, tmp_path):
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(NucleateError, match=message) as found:
        read_run_file(tmp_path / "run.toml", DesignSettings, "nucleate design")
    assert str(found.value).startswith(str(tmp_path / "run.toml")) and "\n" not in str(found.value)


def test_a_wrong_value_is_told_by_the_name_of_its_option(tmp_path, capsys):
    (tmp_path / "run.toml").write_text("[sampling]\nsteps = -1\n")
    for words, message in (
        (("--rank-by", "age"), "--rank-by must be one of emd, metric, random, not 'age'"),
        (("--search", "magic"), "--search must be one of best-first, breadth-first, beam, not 'magic'"),
        (("--relax-steps", "-1"), "--relax-steps must be at least 0, not -1"),
        (("--config", str(tmp_path / "run.toml"), "--seed", "3"), "run.toml: 'sampling.steps' must be at least 0"),
    ):
        assert run("design", "NaCl", *words) == 2
        assert message in capsys.readouterr().err


def test_secrets_are_never_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NUCLEATE_LLM_KEY", "sk-very-secret-key")
    address = "http://me:hidden-word@localhost:8080/v1?key=other-word"
    assert run("design", "a spinel", "--llm", address, "--show-config") == 0
    out, err = capsys.readouterr()
    assert "localhost:8080" in out and not any(w in out + err for w in ("hidden-word", "other-word", "very-secret"))


def test_a_finished_run_runs_again_from_its_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = ["--steps", "5", "--relax-steps", "2", "--second", "none", "--oversample", "1", "--workers", "1", "-o", "a"]
    assert run("design", "NaCl, 2 atoms, 2 candidates", *asked) == 0
    capsys.readouterr()
    assert run("show", "a", "--config") == 0
    (tmp_path / "run.toml").write_text(shown := capsys.readouterr().out)
    assert run("design", "--resume", "a", "--show-config") == 0
    assert capsys.readouterr().out == shown
    assert run("design", "--config", "run.toml", "-o", "b", "--workers", "1") == 0
    assert to_rows(load_run("b").all) == to_rows(load_run("a").all)
    assert run("design", "--resume", "a", "--seed", "3") == 2
    assert "--resume takes the settings from the run; leave --seed out" in capsys.readouterr().err
