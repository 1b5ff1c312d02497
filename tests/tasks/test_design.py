import json
import os
import signal
import subprocess
import sys
import time

import pytest
from papers import needs_papers
from tiny_sites import tiny_sites

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.pipeline.rank import to_rows
from nucleate.settings import DesignSettings
from nucleate.tasks.design import design, generate_candidates, load_run, resume

QUICK = DesignSettings.of(oversample=2, steps=20, relax_steps=8, second="none")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return design("NaCl, 2 atoms, 2 candidates", tmp_path_factory.mktemp("run"), QUICK, executor=Serial())


def test_a_run_gives_what_was_asked_for(run):
    assert len(run.candidates) == 2 and len(run.all) == 4
    for c in run.candidates:
        assert c.formula == "NaCl" and len(c.structure) == 2
        assert c.stages == ("generate", "check", "relax", "hull", "unique", "novelty")
        assert set(c.energies) == {"energy", "e_form", "e_above_hull"}
        assert all("CHGNet" in e.method for e in c.energies.values())
        assert c.energies["e_form"].reference and {"charge", "distance", "relaxed", "unique", "novel"} <= set(c.checks)
    values = [c.energies["e_above_hull"].value for c in run.candidates]
    assert values == sorted(values)


def test_the_folder_holds_every_promised_file(run):
    import ase.db
    import ase.io
    from pymatgen.core import Structure

    cifs = sorted((run.folder / "cif").glob("*.cif"))
    assert len(cifs) == 4 and all(Structure.from_file(f).composition.reduced_formula == "NaCl" for f in cifs)
    assert len(ase.io.read(run.folder / "candidates.extxyz", ":")) == 4
    assert len(list(ase.db.connect(run.folder / "candidates.db").select())) == 4
    assert "NaCl" in (run.folder / "report.html").read_text()
    assert not list(run.folder.rglob("*.part"))


def test_a_run_can_be_read_back(run):
    again = load_run(run.folder)
    assert to_rows(again.all) == to_rows(run.all) and again.request == run.request and again.settings == run.settings


def test_the_same_seed_gives_the_same_crystals(run):
    made = generate_candidates("NaCl, 2 atoms, 2 candidates", QUICK)
    assert [c.seed for c in made] == sorted((c.seed for c in run.all), key=[c.seed for c in made].index)
    more = generate_candidates("NaCl, 2 atoms, 4 candidates", QUICK)
    assert [c.structure for c in more[:4]] == [c.structure for c in made], "asking for more must not change the first"
    other = generate_candidates("NaCl, 2 atoms, 2 candidates", DesignSettings.of(seed=1, oversample=2, steps=20))
    assert other[0].structure != made[0].structure


def test_kill_9_then_resume_gives_the_same_table(tmp_path):
    request = [
        "design",
        "NaCl, 2 atoms",
        "-n",
        "3",
        "--oversample",
        "2",
        "--steps",
        "10",
        "--relax-steps",
        "12",
        "--workers",
        "1",
        "--second",
        "none",
    ]
    command = [sys.executable, "-m", "nucleate", *request, "--out"]
    subprocess.run([*command, str(tmp_path / "whole")], check=True, capture_output=True)
    killed = subprocess.Popen(
        [*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    relaxed = 0
    while not relaxed and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
        if (tmp_path / "killed" / "request.json").exists():
            relaxed = sum("relax" in c.stages for c in load_run(tmp_path / "killed").all)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    before = load_run(tmp_path / "killed")
    done = [c.id for c in before.all if "relax" in c.stages]
    assert 0 < len(done) < 6, "the kill must come in the middle of the relaxations"
    assert not (tmp_path / "killed" / "report.html").exists()
    subprocess.run(
        [sys.executable, "-m", "nucleate", "design", "--resume", str(tmp_path / "killed")],
        check=True,
        capture_output=True,
    )
    whole, after = load_run(tmp_path / "whole"), load_run(tmp_path / "killed")
    assert to_rows(after.all) == to_rows(whole.all)
    kept = {c.id: c.relaxation for c in after.all}
    assert all(kept[c.id] == c.relaxation for c in before.all if c.id in done), "relaxed twice"


def test_a_finished_run_resumes_to_itself(run):
    again = resume(run.folder, executor=Serial())
    assert to_rows(again.all) == to_rows(run.all)


def test_an_existing_run_is_not_overwritten_unasked(run):
    with pytest.raises(NucleateError, match="holds a run already"):
        design("NaCl", run.folder, QUICK)


def test_a_foreign_folder_is_never_touched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(NucleateError, match="is no run of nucleate"):
            design("NaCl", tmp_path, QUICK, overwrite=overwrite)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ("Xx2O3", "'Xx' is not an element"),
        ("RnF2", "does not know Rn"),
        ("Si, 10,000 atoms", "cells of 1 to 20 atoms, not 10000"),
        ("Ca5P3O12F", "makes cells of at most 20"),
        ("Li-Fe-O, 30 atoms", "cells of 1 to 20 atoms, not 30"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_written(tmp_path, request_, message):
    with pytest.raises(NucleateError, match=message):
        design(request_, tmp_path / "run", QUICK)
    assert not (tmp_path / "run").exists()


def test_resuming_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(NucleateError, match="no run to resume"):
        resume(tmp_path)
    (tmp_path / "request.json").write_text(json.dumps({"request": {"nonsense": 1}, "settings": {}}))
    with pytest.raises(NucleateError, match="not a request of this version"):
        resume(tmp_path)


def test_a_run_that_died_at_its_very_start_can_be_started_again(tmp_path):
    from nucleate.store.database import RunStore

    RunStore(tmp_path / "run").close()
    quick = DesignSettings.of(oversample=1, steps=3, relax_steps=0, second="none")
    assert len(design("NaCl, 2 atoms, 1 candidate", tmp_path / "run", quick, executor=Serial()).all) == 1


def test_a_run_with_broken_records_can_be_resumed(tmp_path):
    """Records that no stage has seen are made anew of the request; any other broken one is a problem and done again."""
    import ase.db

    from nucleate.store.database import DATABASE

    quick = DesignSettings.of(oversample=1, steps=3, relax_steps=0, second="none")
    out = tmp_path / "run"
    whole = design("NaCl, 2 atoms, 5 candidates", out, quick, executor=Serial())
    blank = {"stages": [], "structure": None, "failure": None}
    changes = [
        {**blank, "wanted": {}},
        {**blank, "wanted": {"condition": {"composition": {"Na": 1}, "num_atoms": 77}}},
        {"wanted": {"condition": {"composition": {"Na": "x"}}}},
        {**blank, "seed": 0},
    ]
    with ase.db.connect(str(out / DATABASE)) as db:
        for row, change in enumerate(changes, start=1):
            record = db.get(id=row).data["candidate"]
            db.update(row, data={"candidate": {**record, **change}})
    again = resume(out, executor=Serial())
    assert len(again.problems) == 1 and "condition.composition.Na must be a number" in again.problems[0].reason
    assert len(again.all) == 5 and {c.id for c in again.all} == {c.id for c in whole.all}
    before = {c.id: c for c in whole.all}
    for c in again.all:
        assert c.seed == before[c.id].seed and c.wanted == before[c.id].wanted
        assert c.structure.volume == pytest.approx(before[c.id].structure.volume, rel=1e-3)


def test_a_run_that_another_process_writes_is_not_overwritten(run):
    from nucleate.store.database import RunStore

    with RunStore(run.folder), pytest.raises(NucleateError):
        design("NaCl", run.folder, QUICK, overwrite=True)
    assert load_run(run.folder).all


def test_a_run_within_space_groups(tmp_path):
    tiny = str(tiny_sites(tmp_path))
    quick = DesignSettings.of(oversample=4, weights=tiny, relax_steps=1, second="none")
    run = design("Sr-Ti-O, cubic, 2 candidates", tmp_path / "run", quick, executor=Serial())
    groups = [c.wanted.condition.space_group for c in run.all]
    assert len(groups) == 8 and all(195 <= g <= 230 for g in groups) and len(set(groups)) > 1
    again = load_run(tmp_path / "run").request
    assert again == run.request and "a cubic space group" in (run.folder / "report.html").read_text()
    with pytest.raises(NucleateError, match="cannot be asked for a space group"):
        design("NaCl, space group 225", tmp_path / "other", DesignSettings.of(weights="mp20-csp"))
    assert not (tmp_path / "other").exists()


@pytest.fixture(scope="module")
def wished(tmp_path_factory):
    quick = DesignSettings.of(oversample=2, steps=10, relax_steps=2, second="none")
    folder = tmp_path_factory.mktemp("wished")
    return design("Na-Cl, 2 atoms, 2 candidates, e_form=-1.9, band_gap=4..6", folder, quick, executor=Serial())


def test_wanted_properties_are_predicted_after_relaxation_and_order_the_crystals(wished):
    living = [c for c in wished.all if c.failure is None]
    assert living
    for c in living:
        stages = list(c.stages)
        assert stages.index("predict") == stages.index("hull") + 1
        assert c.predicted.by == "property-mp20"
        assert set(c.predicted.off_target) == {"formation_energy_per_atom", "band_gap"}
        assert c.predicted.wanted["band_gap"] == (4.0, 6.0)
    assert "predicted (wanted)" in (wished.folder / "report.html").read_text()
    again = resume(wished.folder, executor=Serial())
    assert to_rows(again.all) == to_rows(wished.all) == to_rows(load_run(wished.folder).all)


def test_generated_crystals_are_predicted_as_they_stand():
    quick = DesignSettings.of(oversample=1, steps=5, judge="property-mp20")
    made = generate_candidates("Na-Cl, 2 atoms, 2 candidates, band_gap=4..6", quick)
    assert [c.id for c in made] == ["c00001", "c00002"]
    assert all("band_gap" in c.predicted.values for c in made)


@needs_papers
def test_a_network_that_knows_nothing_of_it_is_refused_before_anything_is_written(tmp_path):
    wrong = DesignSettings.of(judge="property-perov5")
    with pytest.raises(NucleateError, match="property-perov5 predicts .*, not formation_energy_per_atom"):
        design("Na-Cl, e_form=-2", tmp_path / "run", wrong)
    assert not (tmp_path / "run").exists()


def test_the_best_are_judged_again_and_tested_for_phonons(tmp_path):
    pytest.importorskip("phonopy", reason="phonopy is not installed")
    settings = DesignSettings.of(oversample=3, steps=20, relax_steps=60, phonons=1)
    run = design("NaCl, 2 atoms, 2 candidates", tmp_path / "run", settings, executor=Serial())
    best, second, *rest = run.all
    for c in (best, second):
        assert c.stages[6:] in (("second", "phonons"), ("second",)) and c.checks["judges"].verdict != "unknown"
        assert c.energies["second_e_above_hull"].reference == "sevennet-mp"
        assert "SevenNet" in c.energies["second_e_form"].method and c.second.correction
    assert "phonons" in best.checks and "phonons" not in second.checks
    assert all(len(c.stages) == 6 and "judges" not in c.checks for c in rest)
    rows = to_rows(run.all)
    assert rows[0]["disagreement"] < 0.1 and rows[2]["disagreement"] is None
    assert "Judges differ" in (run.folder / "report.html").read_text() and {"second", "phonons"} <= set(run.seconds)
    assert to_rows(resume(run.folder, executor=Serial()).all) == rows
    with pytest.raises(NucleateError, match="phonons must be at least 0, not -1"):
        design("NaCl", tmp_path / "other", DesignSettings.of(phonons=-1))
    assert not (tmp_path / "other").exists()
