"""Crystals that need too much memory or time are refused before the potential sees them; the others go on."""

import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.run import run_stages
from nucleate.potentials.base import Evaluation
from nucleate.potentials.registry import POTENTIALS
from nucleate.relaxation import guard
from nucleate.relaxation.pool import RelaxSettings, relax_candidates
from nucleate.stages.relax import RelaxStage
from nucleate.store.part import PartFile


@dataclass
class Counting:
    """A crystal of n atoms converges after n - 1 evaluations; the potential keeps what it was shown."""

    pool: int = 1
    shown: list = field(default_factory=list)
    name: str = "counting"
    method: str = "Counting 1.0"
    elements: frozenset = frozenset({"Na", "Cl"})
    most: int = 10**9  # atoms that it takes at once; more raise an error of memory

    def load(self):
        pass

    def evaluate(self, crystals):
        self.shown.append([len(a) for a in crystals])
        if sum(len(a) for a in crystals) > self.most:
            raise MemoryError("cannot allocate")
        return [self._one(a) for a in crystals]

    def _one(self, atoms):
        forces = np.zeros((len(atoms), 3))
        seen = atoms.info["seen"] = atoms.info.get("seen", 0) + 1
        if seen < len(atoms) - 1:
            forces[0, 0] = 0.06
        return Evaluation(-float(len(atoms)), forces, np.zeros((3, 3)))


@pytest.fixture
def potential(monkeypatch):
    fake = Counting()
    monkeypatch.setitem(POTENTIALS.own, "counting", lambda: fake)
    return fake


def crystal(cell, n=2, frac=None, symbols=("Na", "Cl")):
    lattice = Lattice.cubic(cell) if isinstance(cell, int | float) else Lattice(cell)
    frac = [[0, 0, 0], [0.5, 0.5, 0.5]] if frac is None else frac
    return Structure(lattice, [symbols[i % len(symbols)] for i in range(len(frac))], frac)


def blob(n, size, spacing=0.5):
    """Atoms in a corner of a large cell, `spacing` angstrom apart."""
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1).reshape(-1, 3)[:n]
    return crystal(size, frac=grid * spacing / size)


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (crystal(1.0), "0.5 cubic angstrom per atom"),
        (crystal(1.5), "1.7 cubic angstrom per atom"),
        (crystal(0.01), "cubic angstrom per atom"),
        (crystal(4.0, frac=np.random.default_rng(0).random((40, 3))), "1.6 cubic angstrom per atom"),
        (blob(343, 60.0), "pairs and triplets in all"),
        (crystal(4.0, frac=[[1e12, 0, 0], [0.5, 0.5, 0.5]]), "has no decimals left"),
        (crystal(4.0, frac=[[0, -1e300, 0], [0.5, 0.5, 0.5]]), "has no decimals left"),
        (crystal(4.0, frac=[[0, np.inf, 0], [0.5, 0.5, 0.5]]), "finite"),
        (crystal(80.0, frac=np.random.default_rng(0).random((2100, 3))), "2,100 atoms in the cell .* use fire"),
    ],
)
def test_what_would_take_all_memory_is_refused_at_once(potential, structure, words):
    began = time.process_time()
    (result,) = relax_candidates([Candidate("a", structure=structure)], RelaxSettings(potential="counting"))
    assert result.failure is not None and "\n" not in str(result.failure)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(result.failure)
    assert potential.shown == [] and time.process_time() - began < 5


@pytest.mark.parametrize("far", [1e6, -1e6 + 0.25, -0.25, 7.0])
def test_coordinates_far_outside_the_cell_are_brought_back(potential, far):
    given = crystal(4.2, frac=[[far, 0, 0], [0.52 + far, 0.5, 0.5]])
    (result,) = relax_candidates(
        [Candidate("a", structure=given)], RelaxSettings(potential="counting", primitive=False)
    )
    assert result.failure is None
    assert result.structure.frac_coords.min() >= 0 and result.structure.frac_coords.max() < 1
    assert result.structure.distance_matrix[0, 1] == pytest.approx(given.distance_matrix[0, 1], abs=1e-6)


@pytest.mark.parametrize(
    "structure",
    [
        crystal([[4.2, 0, 0], [4.2e4, 4.2, 0], [0, 4.2e4, 4.2]]),  # the cube of edge 4.2, in a skewed cell
        crystal(1.6),
        crystal([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 300.0]], frac=[[0, 0, 0], [0.5, 0.5, 0.01]]),
        crystal(1e5, frac=[[0, 0, 0], [2e-5, 2e-5, 0]]),
    ],
)
def test_odd_but_small_cells_are_allowed(potential, structure):
    (result,) = relax_candidates(
        [Candidate("a", structure=structure)], RelaxSettings(potential="counting", max_steps=0)
    )
    assert potential.shown, result.failure


def test_pairs_and_triplets_are_those_of_a_neighbour_list():
    rng = np.random.default_rng(1)
    for cell in (5 * np.eye(3), np.array([[3.1, 0, 0], [40.0, 3.5, 0], [1, 2, 9.0]])):
        structure = crystal(cell, frac=rng.random((6, 3)))
        near = np.bincount(structure.get_neighbor_list(guard.TRIPLET_REACH)[0], minlength=6)
        wanted = len(structure.get_neighbor_list(guard.PAIR_REACH)[0]), int((near * (near - 1)).sum())
        assert guard.count_terms(guard.atoms_of(structure)) == wanted


def test_a_batch_too_large_for_memory_is_divided(potential):
    potential.pool, potential.most = 8, 5
    sizes = [2, 2, 2, 6, 2]
    crystals = [Candidate(f"c{k}", structure=blob(n, 9.0, 2.5)) for k, n in enumerate(sizes)]
    done = {
        c.id: c for c in relax_candidates(crystals, RelaxSettings(potential="counting", primitive=False, max_steps=9))
    }
    assert str(done["c3"].failure) == "relax: out of memory with 6 atoms in the cell at the start"
    assert [done[f"c{k}"].failure for k in (0, 1, 2, 4)] == [None] * 4


def test_results_of_a_batch_come_as_they_finish(potential):
    potential.pool = 8
    sizes = [9, 2, 5, 3]
    crystals = [Candidate(f"c{k}", structure=blob(n, 12.0, 2.5)) for k, n in enumerate(sizes)]
    when = {}
    for c in relax_candidates(crystals, RelaxSettings(potential="counting", primitive=False)):
        when[c.id] = len(potential.shown)
    assert list(when) == ["c1", "c3", "c2", "c0"] and when["c1"] == 1 < when["c3"] < when["c2"] < when["c0"]


def test_the_limit_of_a_worker_is_long_after_the_time_limit_of_a_relaxation():
    assert RelaxStage(RelaxSettings()).limit_s == float("inf")
    assert RelaxStage(RelaxSettings(time_limit_s=100.0)).limit_s == 500.0
    with pytest.raises(NucleateError):
        RelaxSettings(time_limit_s=-1)


def test_a_killed_batch_goes_on_with_what_was_stored(potential, monkeypatch, tmp_path):
    potential.pool = 8
    crystals = [Candidate(f"c{k}", structure=blob(n, 12.0, 2.5)) for k, n in enumerate([9, 2, 5, 3])]
    stage = RelaxStage(RelaxSettings(potential="counting", primitive=False))
    real = potential.evaluate

    def killed(batch):
        if len(potential.shown) == 3:
            raise KeyboardInterrupt
        return real(batch)

    monkeypatch.setattr(potential, "evaluate", killed)
    with PartFile(tmp_path / "out.jsonl", {}) as part, pytest.raises(KeyboardInterrupt):
        run_stages(part.resumed(crystals), [stage], Serial(), part)
    monkeypatch.undo()
    monkeypatch.setitem(POTENTIALS.own, "counting", lambda: potential)
    with PartFile(tmp_path / "out.jsonl", {}) as part:
        todo = part.resumed(crystals)
        assert [c.id for c in todo if c.stages] == ["c1", "c3"], "what was done before the kill is on disk"
        potential.shown.clear()
        done = run_stages(todo, [stage], Serial(), part)
    assert [c.failure for c in done] == [None] * 4 and sorted(potential.shown[0]) == [5, 9]
