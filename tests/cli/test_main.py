import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from papers import needs_papers

from nucleate.cli.main import app, line_of, main
from nucleate.errors import NucleateError


def run(*arguments, cwd=None, **kw):
    command = [sys.executable, "-m", "nucleate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, **kw)


BAD = [
    (["design", "Xx2O3"], "'Xx' is not an element"),
    (["design", "!!"], "'!!' was not understood; give a formula"),
    (["design", "Li-Fe-O", "-n", "-3"], "cannot make -3 candidates; ask for 1"),
    (["design", "Li-Fe-O, -3 candidates"], "cannot make -3 candidates; ask for 1"),
    (["design", "SrTiO3", "--num-atoms", "10000"], "cells of 1 to 20 atoms, not 10000"),
    (["design", "RnF2"], "chgnet does not know Rn: not in its training data"),
    (["design", "--elements", "Li,Zz"], "'Zz' is not an element"),
    (["design", "--resume", "nowhere"], "no run to resume in nowhere"),
    (["design", "NaCl", "--weights", "none"], "no weights 'none'; shipped: mp20-cds, mp20-csp"),
    (["design", "NaCl", "--reference", "none"], "none"),
    (["design", "NaCl", "--potential", "none"], "chgnet"),
    (["design", "NaCl", "--fmax", "-1"], "fmax must be greater than 0"),
    (["design", "NaCl", "--second", "chgnet"], "another potential than chgnet"),
    (["design", "NaCl", "--second", "mace:x"], "no reference set is shipped for mace:x"),
    (["design", "Li ? O4"], "a formula with gaps can be asked for only where formulas are drawn first"),
    (
        ["design", "--contains", "Ti", "--exclude", "Ti", "--generator", "diffusion-bert-all"],
        "Ti is wanted and excluded",
    ),
    pytest.param(
        ["design", "--contains", "Ti", "--generator", "diffusion-lm"],
        "need one that draws element by element",
        marks=needs_papers,
    ),
    (["design", "--resume", "nowhere", "--exclude", "Pb"], "give no other"),
    (["generate", "Li ? O4"], "a formula with gaps can be asked for only where formulas are drawn first"),
    (["compose", "NaCl"], "NaCl is a whole formula; leave a gap in it"),
    (["generate", "!!"], "was not understood"),
    (["check", "missing.cif"], "missing.cif"),
    (["relax", "missing.cif", "--out", "x.jsonl"], "missing.cif"),
    (["hull", "show", "Li-Zz"], "'Zz' is not an element"),
    (["rank", "missing.jsonl"], "missing.jsonl"),
    (["show", "missing"], "missing"),
    (["train", "missing.toml", "--out", "x"], "no recipe at missing.toml"),
    (["data", "get", "imagenet"], "imagenet"),
    (["generate", "NaCl, hardness=3"], "no shipped model can be asked for hardness; properties on offer: e_form"),
    (["generate", "anything", "-p", "hardness=low"], "'hardness=low' is no wanted property; write e_form=-3.2"),
    (["generate", "anything", "-p", "gap=2..1"], "write the smaller value first"),
    (["generate", "Na-Cl", "-p", "band_gap=1", "--weights", "mp20-dng"], "cannot be asked for band_gap"),
    (["generate", "NaCl", "--lattice-shape", "round"], "unknown lattice shape 'round'; known are cubic"),
    (["generate", "NaCl", "--sampler", "fast"], "unknown sampler 'fast'; known are ancestral"),
    (["generate", "anything", "--temperature", "0"], "(--temperature) must be above 0, not 0"),
    (["generate", "--fix", "missing.cif"], "missing.cif"),
    (["generate", "Na-Cl", "-p", "gap=1", "--judge", "none"], "no weights 'none'; shipped: property-mp20"),
    (["evaluate", "dng", "x", "--potential", "none"], "no potential or property network 'none'; potentials: chgnet"),
    (["evaluate", "dng", "x", "--relax", "3", "--out", "r", "--potential", "property-mp20"], "has no forces"),
    (["optimise", "mp20-dng"], "mp20-dng takes no property; choose weights that do"),
    (["optimise", "nothing"], "no weights 'nothing'"),
    (["train", "--out", "x"], "give a recipe, or --from WEIGHTS --property COLUMN --dataset CRYSTALS"),
    (["train", "--out", "x", "--from", "mp20-dng"], "--from needs --property COLUMN and --dataset CRYSTALS"),
    (["train", "--out", "x", "--from", "mp20-dng", "--property", "p", "--dataset", "nowhere"], "no dataset 'nowhere"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_bad_input_is_one_line_and_writes_nothing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    err = capsys.readouterr().err
    lines = [line for line in err.strip().splitlines() if line.startswith("error:")]
    assert exit_.value.code == 2 and len(lines) == 1 and message in lines[0], err
    assert "Traceback" not in err and list(tmp_path.rglob("*.*")) == [], "nothing half-written"


def test_debug_shows_the_traceback():
    with pytest.raises(NucleateError):
        main(["design", "--debug", "!!"])


def test_an_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    out = run("design", "NaCl", "--out", tmp_path / "file" / "run")
    assert out.returncode == 2 and out.stderr.count("error:") == 1 and "Traceback" not in out.stderr
    out = run("design", "NaCl", "--out", tmp_path / "file")
    assert out.returncode == 2 and "is a file; choose a folder" in out.stderr


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "x.db"), "the disk is full (x.db)"),
        (PermissionError(errno.EACCES, "Permission denied", "/runs"), "no permission to write /runs"),
        (MemoryError(), "out of memory"),
        (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError"),
        (NucleateError("two\nlines"), "two lines"),
    ],
)
def test_every_kind_of_error_becomes_one_line(error, message):
    assert message in line_of(error) and "\n" not in line_of(error)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")
def test_a_full_disk_is_one_line_and_the_run_resumes(tmp_path):
    """A file size limit stands in for the disk: writing beyond it fails as on a full one."""
    arguments = ["design", "NaCl, 2 atoms", "-n", "1", "--oversample", "1", "--steps", "3", "--relax-steps", "2"]
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY));"
        f"sys.argv = ['nucleate', *{[*arguments, '--workers', '1', '--out', str(tmp_path / 'run')]!r}];"
        "from nucleate.cli.main import main; main()"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert out.returncode in (1, 2) and out.stderr.count("error:") == 1 and "Traceback" not in out.stderr, out.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "nucleate", "design", "NaCl", "-n", "4", "--steps", "5", "--workers", "1"]
    process = subprocess.Popen([*command, "--out", "run"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "candidates.db").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err, err
    assert "finish it with: nucleate design --resume run" in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_waits_for_an_import_to_end(tmp_path):
    (tmp_path / "slow_library.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(0.2)\nprint('loaded', flush=True)\n"
    )
    code = (
        "from nucleate.cli import interrupts\nimport time\ninterrupts.install()\n"
        "try:\n    import slow_library\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    interrupts.leave()\n"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=25)
    assert out.returncode == 130 and out.stdout == "loaded\n", out.stderr


def test_every_command_has_help_and_options_explain_themselves():
    import typer

    group = typer.main.get_command(app)
    stack = list(group.commands.items())
    while stack:
        name, command = stack.pop()
        assert command.help, name
        stack += [(f"{name} {k}", v) for k, v in getattr(command, "commands", {}).items()]
        for parameter in command.params:
            assert parameter.name == "help" or getattr(parameter, "help", None), f"{name} --{parameter.name}"


def test_an_unbalanced_formula_is_only_a_warning(tmp_path):
    arguments = ["-n", "1", "--oversample", "1", "--steps", "2", "--relax-steps", "0", "--workers", "1"]
    out = run("design", "SrTiO", "--second", "none", *arguments, "--out", tmp_path / "run")
    assert "warning: SrTiO" in out.stderr and "error:" not in out.stderr and out.returncode == 0


def test_doctor_names_what_is_missing(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    text = capsys.readouterr().out
    assert exit_.value.code == 0 and "nucleate data get mp-20" in text and "CHGNet" in text
    monkeypatch.setattr("nucleate.train.shipped.weights_folder", lambda: tmp_path)
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    assert exit_.value.code == 1 and "missing" in capsys.readouterr().out


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("nucleate 0.")
