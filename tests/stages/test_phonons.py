"""Phonons of a lattice of springs with known frequencies, and with real potentials."""

import dataclasses
import importlib.util
import json
import pickle

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.potentials.base import Evaluation
from nucleate.potentials.registry import POTENTIALS
from nucleate.stages.phonons import (
    PhononSettings,
    PhononStage,
    _verdict,
    choose_supercell,
    commensurate,
    shortest_repeat,
    standard_cells,
)

phonopy = pytest.mark.skipif(not importlib.util.find_spec("phonopy"), reason="phonopy is not installed")
EMT = "ase:ase.calculators.emt:EMT"
REST, STIFFNESS = 2.8, 2.0  # angstrom, eV/angstrom^2
THZ = 15.633302  # of sqrt(eV / angstrom^2 / atomic mass) / 2 pi


def fcc(a, element="Al"):
    return Structure(Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]]), [element], [[0, 0, 0]])


class NearSprings:
    """Springs between atoms closer than 3.4 angstrom."""

    name = "near springs"
    method = "Springs 2.0"
    elements = None
    pool = 2

    def load(self):
        pass

    def evaluate(self, crystals):
        from ase.neighborlist import primitive_neighbor_list

        out = []
        for atoms in crystals:
            i, d = primitive_neighbor_list("iD", atoms.pbc, atoms.cell.array, atoms.positions, 3.4)
            r = np.linalg.norm(d, axis=1)
            pull = STIFFNESS * (r - REST)[:, None] * d / r[:, None]
            forces = np.zeros((len(atoms), 3))
            np.add.at(forces, i, pull)
            energy = 0.25 * STIFFNESS * float(((r - REST) ** 2).sum())
            out.append(Evaluation(energy, forces, 0.5 * d.T @ pull / atoms.get_volume()))
        return out


def run(structure, **settings):
    before = Candidate("a", structure=structure, energies={"energy": Energy(-1.0, "another")})
    (after,) = PhononStage(PhononSettings(**settings))([before])
    assert after.structure is before.structure and after.energies == before.energies and after.failure is None
    json.dumps(after.to_dict())
    return after.checks["phonons"], dataclasses.asdict(after.phonons)


@phonopy
def test_frequencies_of_springs_are_those_of_the_formula(monkeypatch):
    monkeypatch.setitem(POTENTIALS.own, "springs", NearSprings)
    # a small displacement, because the springs are harmonic only near their rest lengths
    check, record = run(fcc(REST * 2**0.5), potential="springs", displacement=1e-4)
    assert check.verdict == "pass", check
    relaxed = fcc(REST * 2**0.5)
    q = 2 * np.pi * np.array(record["q_point"]) @ relaxed.lattice.inv_matrix.T
    bonds = np.array([n.coords for n in relaxed.get_neighbors(relaxed[0], 3.4)])
    along = bonds[:, :, None] * bonds[:, None, :] / REST**2
    dynamical = STIFFNESS * ((1 - np.cos(bonds @ q))[:, None, None] * along).sum(0) / relaxed[0].specie.atomic_mass
    assert record["lowest_thz"] == pytest.approx(THZ * np.sqrt(np.linalg.eigvalsh(dynamical)[0]), rel=2e-3)


@phonopy
def test_an_unstable_lattice_fails_and_a_stable_one_passes():
    check, record = run(fcc(3.6, "Cu"), potential=EMT)
    assert check.verdict == "pass" and check.reason.startswith("lowest mode +"), check
    a = 2.87
    body = Structure(
        Lattice([[-a / 2, a / 2, a / 2], [a / 2, -a / 2, a / 2], [a / 2, a / 2, -a / 2]]), ["Cu"], [[0] * 3]
    )
    check, record = run(body, potential=EMT)
    assert check.verdict == "fail" and record["lowest_thz"] < -0.3
    assert (
        check.reason
        == f"lowest mode {record['lowest_thz']:.2f} THz ({record['atoms']} atoms, {record['length']:.1f} A)"
    )
    assert run(body, potential=EMT, limit=-9.0)[0].verdict == "pass"


@phonopy
def test_chgnet_finds_silicon_stable_from_a_displaced_supercell():
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.5), ["Si"], [[0, 0, 0]])
    silicon.perturb(0.003)  # less than SYMPREC: symmetry is found again, so one displacement is all
    check, record = run(silicon)
    assert check.verdict == "pass" and record["displacements"] == 1 and record["atoms"] == 64
    assert 3 < record["lowest_thz"] < 5, "3.4 at L in nature"
    assert record["residual_fmax"] < 0.005 and 0.5 < record["lowest_interpolated_thz"] < 2, "acoustic, near the centre"


@phonopy
@pytest.mark.parametrize(
    ("structure", "settings", "words"),
    [
        (None, {}, "no structure"),
        (fcc(3.9, "Cu"), {"max_steps": 0}, "no minimum to start from"),
        (fcc(1.0, "Cu"), {}, "cubic angstrom per atom"),
        (Structure(Lattice.cubic(9), ["Cu"] * 3, np.diag([0.3, 0.5, 0.7])), {"max_atoms": 2}, "at most 2 are taken"),
        (fcc(3.6, "Xe"), {}, "Xe"),
        (Structure(Lattice.cubic(3), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]]), {}, "partial occupancy"),
    ],
)
def test_without_a_result_the_check_is_unknown_with_the_reason(structure, settings, words):
    check, record = run(structure, potential=EMT, **settings)
    assert check.verdict == "unknown" and words in check.reason and "\n" not in check.reason
    assert record["lowest_thz"] is None


def test_supercells_fit_waves_at_the_zone_boundary():
    def size(structure, **settings):
        base, repeats, length = choose_supercell(standard_cells(structure), PhononSettings(**settings))
        return len(base) * int(np.prod(repeats)), length

    salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert size(salt) == (64, pytest.approx(11.28))  # 2 x 2 x 2 of the cube
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
    perovskite = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["Sr", "Ti", "O"], sites)
    assert size(perovskite) == (40, pytest.approx(7.8))  # 4 x 4 x 4 is too large, and 3 x 3 x 3 has odd repeats
    assert size(salt, max_atoms=2) == (2, pytest.approx(5.64 / 2**0.5))
    long = Structure(Lattice.orthorhombic(3, 4, 14), ["Al", "Fe"], [[0, 0, 0], [0.1, 0.2, 0.3]])
    assert size(long)[0] == 2 * 4 * 4  # 12 x 16 x 14: the long vector is not repeated


def test_waves_that_fit_the_supercell():
    cell = np.array(fcc(4.0).lattice.matrix)
    for multiples in (np.diag([2, 2, 2]), np.diag([1, 2, 3]), np.array([[-2, 2, 2], [2, -2, 2], [2, 2, -2]])):
        waves = commensurate(multiples @ cell, cell)
        fit = waves @ multiples.T
        assert np.allclose(fit, np.rint(fit)) and len(waves) == round(abs(np.linalg.det(multiples)))
        assert len({tuple(np.round(w % 1, 6)) for w in waves}) == len(waves), "no two are the same wave"
    assert commensurate(cell, cell).tolist() == [[0, 0, 0]]


def test_imaginary_modes_between_the_waves_that_fit_are_unknown():
    record = {"lowest_thz": 0.9, "lowest_interpolated_thz": -1.9, "atoms": 96, "length": 10.2}
    check = _verdict(record, PhononSettings())
    assert check.verdict == "unknown" and "+0.90 THz (96 atoms, 10.2 A), but -1.90 interpolated" in check.reason
    assert _verdict({**record, "lowest_interpolated_thz": -0.2}, PhononSettings()).verdict == "pass"
    assert _verdict({**record, "lowest_thz": -0.4}, PhononSettings()).verdict == "fail"


def test_the_shortest_repeat_of_a_skewed_cell():
    lattice = np.array([[3.0, 0, 0], [30.0, 4.0, 0], [1.0, 40.0, 5.0]])
    assert shortest_repeat(lattice) == pytest.approx(3.0)
    assert shortest_repeat(np.array(fcc(4.0).lattice.matrix)) == pytest.approx(4 / 2**0.5)


@phonopy
def test_the_stage_can_be_pickled():
    assert pickle.loads(pickle.dumps(PhononStage(PhononSettings(limit=-1.0)))).settings.limit == -1.0


@pytest.mark.parametrize(
    "settings", [{"length": 0}, {"displacement": float("nan")}, {"max_atoms": 0}, {"limit": 0.1}, {"fmax": 0}]
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(NucleateError):
        PhononSettings(**settings)


def test_a_missing_package_is_an_error_before_any_work(monkeypatch):
    with pytest.raises(NucleateError, match="known: chgnet"):
        PhononStage(PhononSettings(potential="astrology"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NucleateError, match=r"pip install 'nucleate\[phonons\]'"):
        PhononStage()
