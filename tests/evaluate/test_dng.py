"""All metrics on a few crystals: which damage changes which metric, failures, floors, cache, reproducibility."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from nucleate.cli.metrics import show_report
from nucleate.cli.tables import output_console
from nucleate.errors import NucleateError
from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, Item
from nucleate.evaluate.measurements import DngSettings
from nucleate.evaluate.measures.features import measure
from nucleate.parallel import Outcome
from nucleate.pipeline.candidate import Energy


def rock_salt(a, cation, anion):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5] * 3])


def perovskite(a, x, y):
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), [x, y, "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]])


REAL = [
    rock_salt(5.64, "Na", "Cl"),
    rock_salt(4.21, "Mg", "O"),
    rock_salt(4.81, "Ca", "O"),
    rock_salt(5.14, "Li", "Cl"),
    perovskite(3.905, "Sr", "Ti"),
    perovskite(4.01, "Ba", "Ti"),
    Structure.from_spacegroup("F-43m", Lattice.cubic(5.41), ["Zn", "S"], [[0, 0, 0], [0.25] * 3]),
    Structure.from_spacegroup("P6_3/mmc", Lattice.hexagonal(3.2, 5.2), ["Mg"], [[1 / 3, 2 / 3, 0.25]]),
]


def crystals(structures, name="set", dataset=""):
    items = [Item(f"{name}-{i}", s, "" if s is not None else "unreadable") for i, s in enumerate(structures)]
    return CrystalSet(name, tuple(items), dataset)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """A data set of the real crystals, as a file."""
    file = tmp_path_factory.mktemp("known") / "known.parquet"
    columns = {
        "material_id": [f"known-{i}" for i in range(len(REAL))],
        "atomic_numbers": [list(s.atomic_numbers) for s in REAL],
        "frac_coords": [s.frac_coords.ravel().tolist() for s in REAL],
        "lengths": [list(s.lattice.lengths) for s in REAL],
        "angles": [list(s.lattice.angles) for s in REAL],
    }
    pq.write_table(pa.table(columns), file)
    return str(file)


def judge(structures, known, **kwargs):
    chosen = DngSettings(protocols=("cdvae-2022", "mattergen-2025"), known=known, energies=False)
    return evaluate_dng(crystals(structures), crystals(REAL, "real"), chosen, workers=0, **kwargs)


def test_real_crystals_score_perfectly_but_are_not_novel(known):
    report = judge(REAL, known, floor=crystals(REAL, "floor"))
    for name in (
        "valid_structure",
        "valid_composition",
        "cov_recall",
        "cov_precision",
        "cov_precision_joint",
        "unique",
    ):
        assert report[name].value == 1, name
    for name in ("w_density", "w_elements", "frechet_crystalnn", "js_space_groups", "js_crystal_systems"):
        assert report[name].value == pytest.approx(0, abs=1e-6), name
    assert report["novel"].value == 0
    assert report["cov_recall"].floor == 1 and report["novel"].floor is None
    assert report["cov_recall"].low < 1 and report["cov_recall"].n == len(REAL)
    assert not report.failures
    assert json.loads(report.to_json())["n"] == len(REAL)


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32 - 1))
def test_other_cells_of_the_same_crystals_change_nothing(known, seed):
    """Supercell, rotation, origin, order of atoms, Niggli reduction: every metric stays."""
    rng = np.random.default_rng(seed)
    changed = []
    for s in REAL:
        t = s.copy()
        if rng.random() < 0.5:
            t.make_supercell(rng.permutation([1, 1, 2]))
        else:
            t = t.get_reduced_structure("niggli")
        t.translate_sites(list(range(len(t))), rng.random(3))
        q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        q *= np.sign(np.linalg.det(q))
        order = rng.permutation(len(t))
        changed.append(Structure(Lattice(t.lattice.matrix @ q), [t.species[k] for k in order], t.frac_coords[order]))
    before, after = judge(REAL, known), judge(changed, known)
    for section in before.sections:
        for m in section.metrics:
            assert after[m.name].value == pytest.approx(m.value, abs=1e-6), m.name


def test_every_bad_crystal_is_counted_and_named(known):
    overlap = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.01, 0, 0]])
    large = perovskite(3.905, "Sr", "Ti")
    large.make_supercell([5, 5, 4])  # 500 atoms
    short = Structure(Lattice.from_parameters(0.4, 4, 4, 90, 90, 90), ["Na"], [[0, 0, 0]])
    report = judge([*REAL, None, overlap, short, large], known)
    n = len(REAL) + 4
    assert report.n == n
    assert report["valid_structure"].n == n
    assert report["valid_structure"].value == (n - 2) / n  # an atom near its own image passes as published ...
    assert report["valid_structure_corrected"].value == (n - 3) / n  # ... and fails when images are seen
    assert report["cov_precision"].n == n and report["unique"].n == n
    named = {(name, stage) for name, stage, _ in report.failures}
    assert {("set-8", "read"), ("set-9", "structure"), ("set-10", "structure")} <= named
    assert all(reason for _, _, reason in report.failures)
    show_report(output_console(), report)


def test_a_set_of_one_crystal_is_evaluated(known):
    report = judge(REAL[:1], known)
    assert report["valid"].value == 1 and report["unique"].value == 1
    with pytest.raises(KeyError):
        report["frechet_crystalnn"]  # a covariance needs two


def test_duplicates_lower_only_uniqueness_and_recall(known):
    once, ten = judge(REAL[:4], known), judge(REAL[:4] * 5, known)
    assert ten["unique"].value == pytest.approx(0.2)
    for name in ("valid", "cov_precision", "cov_recall"):
        assert ten[name].value == once[name].value


def test_damage_moves_the_metrics_that_see_it_and_no_others(known):
    rng = np.random.default_rng(0)
    whole = judge(REAL, known)
    shuffled = judge([Structure(s.lattice, s.species, rng.random((len(s), 3))) for s in REAL], known)
    for name in ("valid_composition", "w_density_all", "w_elements_all"):
        assert shuffled[name].value == whole[name].value, name
    assert shuffled["frechet_crystalnn"].value > 0.1
    assert shuffled["js_space_groups"].value > 0.5
    assert shuffled["cov_precision_joint"].value < 1
    assert shuffled["novel"].value > 0.5
    larger = judge([s.copy().scale_lattice(1.5 * s.volume) for s in REAL], known)
    assert larger["w_density_all"].value > 0.5
    assert larger["js_space_groups"].value == pytest.approx(0, abs=1e-6)


def test_stability_comes_from_the_files_or_is_said_to_be_missing(known):
    assert "sun" not in {m.name for s in judge(REAL, known).sections for m in s.metrics}
    chosen = DngSettings(protocols=("mattergen-2025",), known=known, energies=False)
    items = tuple(Item(str(i), s, "", {"e_above_hull": Energy(0.05 * i, "m", "r")}) for i, s in enumerate(REAL))
    report = evaluate_dng(CrystalSet("x", items), crystals(REAL, "real"), chosen, workers=0)
    assert report["stable"].value == 3 / 8
    assert report["sun"].value == 0  # all crystals are known ones


def test_measurements_are_kept_and_read_again(tmp_path, monkeypatch):
    first = measure(REAL[:3], workers=0, cache=tmp_path)
    monkeypatch.setattr(
        "nucleate.parallel.map_jobs", lambda *a, **k: iter(())
    )  # from here on every measurement would raise
    second = measure(REAL[:3], workers=0, cache=tmp_path)
    assert np.array_equal(first.fingerprint, second.fingerprint)
    third = measure(REAL[:2], workers=0, cache=tmp_path)
    assert not third.has.any()  # another set, not in the cache


def test_a_hanging_fingerprint_costs_one_crystal(monkeypatch):
    def map_jobs(function, jobs, limit, **_):
        """As the real one with a fingerprint of magnesium that never ends."""
        for i, job in enumerate(jobs):
            hangs = job[3][0] == 12 and job[-1]
            yield Outcome(i, reason=f"took longer than {limit:g} s") if hangs else Outcome(i, function(*job))

    monkeypatch.setattr("nucleate.parallel.map_jobs", map_jobs)
    found = measure([REAL[0], REAL[7], REAL[4]], time_limit=2.0)
    assert found.has_fingerprint.tolist() == [True, False, True]
    assert found.density[1] > 0 and found.space_group[1] == 194
    assert found.reasons == {1: [("CrystalNN", "took longer than 2 s")]}


def test_protocols_that_say_nothing_here_are_refused(known):
    chosen = DngSettings(protocols=("polymorph-2026",), known=known)
    with pytest.raises(NucleateError, match="use evaluate csp"):
        evaluate_dng(crystals(REAL), crystals(REAL), chosen)
