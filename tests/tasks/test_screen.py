import dataclasses
import json

import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import nucleate
from nucleate.cli.main import app
from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.events import Progress, StageBegan, Watch
from nucleate.settings.screen import ScreenSettings
from nucleate.tasks.screen import resume_screen, screen_candidates

EMT = "ase:ase.calculators.emt:EMT"


@pytest.fixture(scope="module")
def metals(tmp_path_factory):
    """Copper at -0.1, gold at 0 eV/atom, by EMT, whose own energies of both are about 0."""
    from nucleate.potentials import get_potential

    entries = [Entry("Cu", -0.1, 225, "k-1", 11.6, 1), Entry("Au", 0.0, 225, "k-2", 16.9, 1)]
    path = tmp_path_factory.mktemp("reference") / "metals.parquet"
    ReferenceSet.from_entries("metals", get_potential(EMT).method, entries, {}).save(path)
    return str(path)


@pytest.fixture
def settings(metals):
    return ScreenSettings.of(potential=EMT, reference=metals, second="none", best=2)


def alloy(a=2.8):
    return Structure(Lattice.tetragonal(a, 3.7), ["Cu", "Au"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def crystals():
    broken = Structure(Lattice.cubic(3.0), ["Cu", "Cu"], [[0, 0, 0], [0.01, 0, 0]])
    return [alloy(), alloy(2.9), bulk("Cu", a=3.7), broken]


def test_crystals_made_elsewhere_are_judged_ranked_and_written(settings, tmp_path):
    result = nucleate.screen(crystals(), tmp_path / "run", settings, executor=Serial())
    frame = result.to_frame()
    assert len(frame) == 4 and len(result.candidates) == 2
    first = result.candidates[0]
    assert first.converged and first.e_above_hull is not None and "novel" in first.checks
    twin = next(c for c in result.all if c.checks.get("unique") and c.checks["unique"].verdict == "fail")
    assert twin.formula == "CuAu"  # two starting structures relax to one crystal
    rejected = [c for c in result.all if c.failure is not None]
    assert [c.failure.stage for c in rejected] == ["check"] and "apart" in rejected[0].failure.reason
    names = {p.name for p in (tmp_path / "run").iterdir()}
    assert {"report.html", "cif", "candidates.extxyz", "candidates.jsonl", "candidates.db", "request.json"} <= names
    assert "Screening of 4 crystals" in (tmp_path / "run/report.html").read_text()
    loaded = nucleate.load_run(tmp_path / "run")
    assert [c.id for c in loaded.all] == [c.id for c in result.all] and loaded.settings == settings
    assert "the best" in repr(result) and "<table" in result._repr_html_()


def test_without_a_folder_nothing_is_written(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = nucleate.screen(bulk("Cu", a=3.7), settings=settings, executor=Serial())
    assert result.folder is None and list(tmp_path.iterdir()) == []
    assert len(result.candidates) == 1 and result.candidates[0].converged


def test_an_interrupted_screening_goes_on_where_it_was(settings, tmp_path):
    seen = []

    def note(event):
        if isinstance(event, StageBegan | Progress):
            seen.append(tuple(dataclasses.astuple(event)[:2]))

    def stop(event):
        note(event)
        if seen[-1:] == [("relax", 2)]:
            raise KeyboardInterrupt

    given, out = crystals(), tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        nucleate.screen(given, out, settings, executor=Serial(), watch=Watch(stop))
    left = nucleate.load_run(out)
    assert sum("relax" in c.stages for c in left.all) == 2 and not (out / "report.html").exists()
    seen.clear()
    result = nucleate.resume(out, executor=Serial(), watch=Watch(note))
    assert ("relax", 2) in seen and ("relax", 0) not in seen  # two of them are not done again
    whole = nucleate.screen(crystals(), settings=settings, executor=Serial())
    assert [c.id for c in result.all] == [c.id for c in whole.all]
    assert [c.e_above_hull for c in result.all] == [c.e_above_hull for c in whole.all]


def test_earlier_results_are_dropped_and_rejected_candidates_stay_rejected(settings):
    from nucleate.pipeline.candidate import Candidate, Energy

    old = Candidate("old", structure=alloy(), energies={"energy": Energy(-9.0, "another")}, stages=("relax", "hull"))
    lost = Candidate("lost", structure=alloy()).failed("relax", "not-relaxed", "it blew up")
    result = screen_candidates([old, lost], None, settings, executor=Serial())
    by_id = {c.id: c for c in result.all}
    assert by_id["old"].energy_per_atom > -5 and by_id["lost"].failure.reason == "it blew up"


def test_a_second_potential_judges_only_the_best(settings, monkeypatch):
    from nucleate.tasks import screen as task

    asked = []

    class Second:
        name, grain, cost, resource, batched, quick = "second", "one", "quick", "cpu", False, True

        def __call__(self, candidates):
            for c in candidates:
                asked.append(c.id)
                yield c

    monkeypatch.setattr(task, "reviews_of", lambda settings: [(Second(), 1)])
    result = screen_candidates(
        nucleate.relax(crystals()[:3], potential=EMT, steps=1), None, settings, executor=Serial()
    )
    assert asked == [result.candidates[0].id]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"potential": "nothing"}, "no potential 'nothing'"),
        ({"reference": "nothing"}, "nothing"),
        ({"known": "nothing"}, "nothing"),
        ({"second": EMT}, "another potential"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_written(settings, changes, words, tmp_path):
    with pytest.raises(NucleateError, match=words):
        nucleate.screen(alloy(), tmp_path / "run", settings, **changes)
    assert not (tmp_path / "run").exists()


def test_folders_of_other_runs_are_told_apart(settings, tmp_path):
    from nucleate.tasks import design

    out = tmp_path / "run"
    nucleate.screen(bulk("Cu", a=3.7), out, settings, executor=Serial())
    with pytest.raises(NucleateError, match="holds a run already"):
        nucleate.screen(bulk("Cu", a=3.7), out, settings)
    assert nucleate.screen(bulk("Au", a=4.2), out, settings, executor=Serial(), overwrite=True).all[0].formula == "Au"
    with pytest.raises(NucleateError, match="is a screening; finish it with: nucleate screen --resume"):
        design.resume(out)
    (out / "request.json").write_text(json.dumps({"request": {}, "settings": {}}))
    with pytest.raises(NucleateError, match="is no screening; finish it with: nucleate design --resume"):
        resume_screen(out)
    with pytest.raises(NucleateError, match="is not a run folder"):
        nucleate.load_run(tmp_path)
    with pytest.raises(NucleateError, match="no run to resume"):
        nucleate.resume(tmp_path / "absent")


def test_the_command_judges_files_and_shows_the_run_again(metals, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made").mkdir()
    for i, a in enumerate((2.8, 2.9)):
        alloy(a).to(filename=str(tmp_path / f"made/gen_{i}.cif"))
    options = ["--potential", EMT, "--reference", metals, "--second", "none", "--workers", "1"]
    run = CliRunner().invoke(app, ["screen", "made", *options, "-n", "1"])
    assert run.exit_code == 0, run.output
    assert "1 more came through; nucleate show runs/screen-made --all lists them" in run.output
    assert "CuAu" in run.output and "runs/screen-made/report.html" in run.output
    shown = CliRunner().invoke(app, ["show", "runs/screen-made", "--all"])
    assert shown.exit_code == 0 and "gen_0" in shown.output and "gen_1" in shown.output
    again = CliRunner().invoke(app, ["screen", "made", *options])
    assert "holds a run already" in str(again.exception)
    resumed = CliRunner().invoke(app, ["screen", "--resume", "runs/screen-made", "--workers", "1"])
    assert resumed.exit_code == 0 and "CuAu" in resumed.output
    for wrong, words in ((["screen"], "give the files"), (["screen", "made", "--resume", "x"], "give no files")):
        assert words in str(CliRunner().invoke(app, wrong).exception)


def test_settings_go_to_the_record_and_back(settings):
    from nucleate.settings.screen import read_screen_settings

    assert read_screen_settings(json.loads(json.dumps(settings.plain()))) == settings
    assert dataclasses.replace(settings, best=3).best == 3
    with pytest.raises(NucleateError, match="ScreenSettings has no 'speed'"):
        ScreenSettings.of(speed=1)
