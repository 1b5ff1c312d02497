"""The packages in examples/ are installed as any other, and then work everywhere with no line of nucleate changed."""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from pymatgen.core import Structure

from nucleate.cli.main import main
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.engine.registry import get_executor
from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.generators.registry import get_generator
from nucleate.io import Named
from nucleate.settings import DesignSettings
from nucleate.tasks.design import design, load_run
from nucleate.testing.contracts import check_structure_generator

EXAMPLES = Path(__file__).parent.parent / "examples"
TOGETHER = 120  # lines of Python of the generator's package at most


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with both packages, as pip makes it; nothing is downloaded."""
    pytest.importorskip("setuptools", reason="it builds the packages")
    folder, sources = tmp_path_factory.mktemp("installed"), tmp_path_factory.mktemp("sources")
    for name in ("nucleate-lattices", "nucleate-threads"):
        copy = sources / name  # building leaves files behind
        subprocess.run(["cp", "-r", str(EXAMPLES / name), str(copy)], check=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
        done = subprocess.run([*command, "--target", str(folder), str(copy)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(autouse=True)
def on_the_path(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    importlib.invalidate_caches()


def run(*arguments):
    with pytest.raises(SystemExit) as end:
        main(list(map(str, arguments)))
    return end.value.code


def crystals(folder):
    return [Structure.from_file(path) for path in sorted(Path(folder).glob("*.cif"))]


def test_the_example_is_short():
    files = [p for p in (EXAMPLES / "nucleate-lattices").rglob("*.py")]
    assert sum(len(p.read_text().splitlines()) for p in files) < TOGETHER
    (engine,) = (EXAMPLES / "nucleate-threads").glob("*.py")
    assert len(engine.read_text().splitlines()) <= 40


def test_it_keeps_the_contract_of_generators():
    generator = get_generator("lattices")
    check_structure_generator(
        generator, [Condition(composition={"Na": 1, "Cl": 1}), Condition(composition={"Sr": 2, "Ti": 2, "O": 6})]
    )
    with pytest.raises(NucleateError, match="lattices has no lattice for such a formula; it has some for the ratios"):
        generator.generate([Condition(composition={"Al": 2, "O": 3})], [0])


def test_a_program_that_fails_or_hangs_is_one_line(monkeypatch):
    import nucleate_lattices

    def program(text):
        monkeypatch.setattr(nucleate_lattices, "PROGRAM", [sys.executable, "-c", text])

    program("raise SystemExit('no licence')")
    with pytest.raises(NucleateError, match="^lattices failed for Na1: no licence$"):
        nucleate_lattices.run_program({"Na": 1}, 0)
    program("import time; time.sleep(60)")
    monkeypatch.setattr(nucleate_lattices, "LIMIT_S", 0.2)
    with pytest.raises(NucleateError, match=r"^lattices took more than 0.2 seconds for Na1$"):
        nucleate_lattices.run_program({"Na": 1}, 0)


def test_generate(tmp_path, capsys):
    assert run("generate", "SrTiO3", "-n", 2, "--weights", "lattices", "--out", tmp_path / "made") == 0
    assert [s.composition.reduced_formula for s in crystals(tmp_path / "made")] == ["SrTiO3"] * 2
    assert run("generate", "Li-Fe-O", "--weights", "lattices", "--out", tmp_path / "none") == 2
    assert "lattices needs a formula, such as SrTiO3, and none was given" in capsys.readouterr().err
    assert run("generate", "NaCl", "--weights", "lattices", "--steps", 5, "--out", tmp_path / "none") == 2
    assert "lattices has no steps to be set; leave it out" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_predict(tmp_path, capsys):
    assert run("predict", "KCl", "Al2O3", "--method", "lattices", "--samples", 3, "--out", tmp_path / "made") == 0
    assert [s.composition.reduced_formula for s in crystals(tmp_path / "made")] == ["KCl"] * 3
    assert "lattices has no lattice for such a formula" in capsys.readouterr().err
    assert run("predict", "KCl", "--method", "lattices", "--space-group", "225") == 2
    assert "lattices cannot be asked for a space group (--space-group); it takes a given formula" in (
        capsys.readouterr().err
    )
    assert run("predict", "KCl", "--method", "lettuce") == 2
    assert "random, lattices, not 'lettuce'" in capsys.readouterr().err


def test_design(tmp_path):
    settings = DesignSettings.of(weights="lattices", oversample=2, relax_steps=1, second="none")
    result = design("NaCl, 1 candidate", tmp_path / "run", settings, executor=get_executor(1))
    assert len(result.all) == 2 and {c.origin.generator for c in result.all} == {"lattices"}
    assert "lattices" in (tmp_path / "run" / "report.html").read_text()
    assert [c.id for c in load_run(tmp_path / "run").all] == [c.id for c in result.all]


def test_design_with_formulas_first(tmp_path):
    settings = DesignSettings.of(generator="lexicon", structures="lattices", oversample=1, relax_steps=1, second="none")
    result = design("a perovskite, 1 candidate", tmp_path / "run", settings, executor=get_executor(2, "threads"))
    assert {c.origin.generator for c in result.all} == {"lattices"} and result.seconds["relax"] > 0


def test_evaluate(tmp_path, capsys):
    salt = Structure.from_spacegroup(221, [[4, 0, 0], [0, 4, 0], [0, 0, 4]], ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3])
    write_crystal_table(table_from_items([Named(f"salt-{i}", salt) for i in range(2)])[0], tmp_path / "known.parquet")
    options = ["--dataset", tmp_path / "known.parquet", "--n", 2, "--samples", 2, "--workers", 1]
    assert run("evaluate", "csp", "--weights", "lattices", *options, "--out", tmp_path / "csp") == 0
    assert json.loads((tmp_path / "csp" / "settings.json").read_text())["weights"] == "lattices"
    assert len((tmp_path / "csp" / "predictions.jsonl").read_text().splitlines()) == 4


def test_they_are_listed(capsys):
    assert run("plugins") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "lattices" in said and "threads" in said and "nucleate-lattices 0.1.0" in said and "sevennet" in said


def test_the_engine(monkeypatch):
    import threading

    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.stage import Stage

    class Where(Stage):
        name, grain, cost, resource = "where", "one", "slow", "cpu"

        def __call__(self, candidates):
            for c in candidates:
                if c.id == "c3":
                    raise ValueError("bad luck")
                yield c.with_(provenance={"thread": threading.current_thread().name})

    monkeypatch.setenv("NUCLEATE_ENGINE", "threads")
    engine = get_executor(2)
    assert type(engine).__name__ == "Threads" and type(get_executor(1, "local")).__name__ == "Serial"
    done = {c.id: c for c in engine.map(Where(), [Candidate(f"c{i}") for i in range(6)])}
    assert len(done) == 6 and str(done["c3"].failure) == "where: ValueError: bad luck"
    assert all("ThreadPool" in c.provenance["thread"] for c in done.values() if not c.failure)
    with pytest.raises(NucleateError, match="no engine 'clouds'; known: local, threads"):
        get_executor(2, "clouds")
