"""Atoms that a file fixes (selective dynamics) stay where they are when a crystal is relaxed."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.cli.main import main
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.candidate_files import read_candidates
from nucleate.relaxation.pool import RelaxSettings, relax_candidates

EMT = "ase:ase.calculators.emt:EMT"
POSCAR = """fixed
1.0
3.80 0 0
0 3.80 0
0 0 3.80
Cu
4
Selective dynamics
Direct
0.02 0.00 0.00 F F F
0.50 0.50 0.03 T T T
0.50 0.00 0.50 T T T
0.00 0.48 0.50 F F F
"""


def copper():
    frac = [[0.02, 0, 0], [0.5, 0.5, 0.03], [0.5, 0, 0.5], [0, 0.48, 0.5]]
    return Structure(Lattice.cubic(3.8), ["Cu"] * 4, frac)


def relaxed(fixed, **settings):
    candidate = Candidate("a", structure=copper(), fixed=() if fixed is None else fixed)
    (result,) = relax_candidates([candidate], RelaxSettings(potential=EMT, **settings))
    return result


@pytest.mark.parametrize("optimiser", ["bfgs", "fire"])
@pytest.mark.parametrize("cell", [None, False, True])
def test_fixed_atoms_keep_their_places(optimiser, cell):
    result, before = relaxed([0, 3], optimiser=optimiser, cell=cell), copper()
    assert result.failure is None and result.checks["relaxed"].verdict == "pass", result.checks
    moved = np.linalg.norm(result.structure.frac_coords - before.frac_coords, axis=1)
    assert moved[[0, 3]].max() == 0 and moved[[1, 2]].min() > 0.005
    if cell:  # VASP's ISIF = 3: the fractional coordinates stay while the cell changes
        assert abs(result.structure.volume - before.volume) > 1
    else:
        assert np.array_equal(result.structure.lattice.matrix, before.lattice.matrix)
    assert result.relaxation.fixed_atoms == 2 and result.relaxation.cell is bool(cell)
    assert result.checks["relaxed"].reason.endswith("2 atoms fixed" if cell else "2 atoms and the cell fixed")


def test_the_free_atoms_find_the_minimum_beside_fixed_ones():
    from ase.calculators.emt import EMT as Calculator

    result = relaxed([0, 3], fmax=0.01)
    atoms = result.structure.to_ase_atoms()
    atoms.calc = Calculator()
    forces = np.linalg.norm(atoms.get_forces(), axis=1)
    assert forces[[1, 2]].max() <= 0.0101 and forces[[0, 3]].max() > 0.05


def test_all_atoms_fixed_is_at_rest_and_none_fixed_relaxes_the_cell():
    result = relaxed([0, 1, 2, 3])
    assert result.relaxation.steps == 0 and result.checks["relaxed"].verdict == "pass"
    assert np.allclose(result.structure.frac_coords, copper().frac_coords)
    free = relaxed(None)
    assert abs(free.structure.volume - copper().volume) > 1 and free.relaxation.fixed_atoms == 0


@pytest.mark.parametrize("fixed", [[4], [-1], [0.5], ["0"], "all", 3, [True]])
def test_fixed_atoms_that_are_none_are_a_failure_of_the_crystal(fixed):
    failure = str(relaxed(fixed).failure)
    assert failure is not None and "'fixed'" in failure


def test_selective_dynamics_of_a_file_hold_in_the_command(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "POSCAR").write_text(POSCAR)
    with pytest.raises(SystemExit) as exit_:
        main(["relax", "POSCAR", "--out", "out.jsonl", "--potential", EMT, "--workers", "1"])
    assert exit_.value.code == 0
    (before,), _ = read_candidates(["POSCAR"])
    (after,), _ = read_candidates(["out.jsonl"])
    moved = np.linalg.norm(after.structure.frac_coords - before.structure.frac_coords, axis=1)
    assert moved[[0, 3]].max() == 0 and moved[[1, 2]].max() > 0.005
    assert after.structure.volume == pytest.approx(before.structure.volume)
    assert after.fixed == (0, 3)
