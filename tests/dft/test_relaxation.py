"""The shared relaxation with analytic energies."""

import json
import math

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from nucleate.dft.frames import to_atoms, to_record
from nucleate.dft.relaxation import pulay_stress, run
from nucleate.dft.settings import DFTSettings
from nucleate.errors import NucleateError
from nucleate.potentials.base import Evaluation
from nucleate.relaxation.guard import OutOfRange


class Toy:
    """EMT with the basis error of plane waves: energies at a fixed cutoff, stress at a fixed number of waves."""

    def __init__(self, settings, size=30.0, fail_at=None):
        self.settings, self.size, self.fail_at = settings, size, fail_at
        self.moment, self.grids, self.calls = None, [], 0

    def error(self, cutoff):
        return self.size * math.exp(-cutoff / 100)

    def prepare(self, k_points):
        self.grids.append(k_points)

    def evaluate(self, atoms, stress):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        copy = atoms.copy()
        copy.calc = EMT()
        cutoff = self.settings.cutoff
        pull = 2 / 3 * cutoff * len(atoms) * self.error(cutoff) / 100 / atoms.get_volume()
        full = copy.get_stress(voigt=False) + pull * np.eye(3) if stress else np.zeros((3, 3))
        return Evaluation(copy.get_potential_energy() + len(atoms) * self.error(cutoff), copy.get_forces(), full)

    def energy(self, atoms, cutoff):
        copy = atoms.copy()
        copy.calc = EMT()
        return copy.get_potential_energy() + len(atoms) * self.error(cutoff)


TIGHT = DFTSettings(cutoff=400.0, fmax=0.005, smax=1e-4)


def crystal(scale=1.03, shift=0.1):
    atoms = bulk("Cu", cubic=True)
    atoms.set_cell(atoms.cell.array * scale, scale_atoms=True)
    atoms.positions[0] += shift
    return {"kind": "crystal", "atoms": to_record(atoms)}


def test_the_pulay_correction_is_the_slope_of_the_energy_at_a_fixed_cutoff():
    """E(V, cutoff) = n(V) b(cutoff): at a fixed number of waves, cutoff ~ V^(-2/3)."""
    cutoff, volume, b = 400.0, 50.0, 30.0

    def at_fixed_waves(v):
        return b * math.exp(-cutoff * (volume / v) ** (2 / 3) / 100)

    slope_of_volume = (at_fixed_waves(volume + 1e-4) - at_fixed_waves(volume - 1e-4)) / 2e-4  # the raw stress
    slope = -b / 100 * math.exp(-cutoff / 100)
    assert slope_of_volume + pulay_stress(slope, cutoff, volume) == pytest.approx(0, abs=1e-9)


def test_a_relaxation_finds_the_minimum_in_spite_of_the_basis_error():
    result = run(crystal(), TIGHT, Toy(TIGHT), None, lambda state: None)
    assert result["converged"] and result["steps"] < 30
    volume = to_atoms(result["atoms"]).get_volume()
    assert volume == pytest.approx(4 * 11.565, rel=2e-3)  # EMT's copper
    exact = run(crystal(), TIGHT, Toy(TIGHT, size=0.0), None, lambda state: None)
    assert volume == pytest.approx(to_atoms(exact["atoms"]).get_volume(), rel=1e-3)
    assert result["pulay_stress"] < -0.003  # half a GPa: without the correction the cell would have shrunk


def test_a_large_change_of_volume_finds_k_points_and_slope_anew_and_the_end_is_on_a_fresh_basis():
    toy = Toy(TIGHT)
    run(crystal(scale=1.06, shift=0.0), TIGHT, toy, None, lambda state: None)
    assert len(toy.grids) >= 2 * 3 + 1


def test_a_killed_relaxation_goes_on_where_it_was():
    states = []
    whole = run(crystal(), TIGHT, Toy(TIGHT), None, lambda state: None)
    with pytest.raises(KeyboardInterrupt):
        run(crystal(), TIGHT, Toy(TIGHT, fail_at=5), None, lambda state: states.append(json.dumps(state)))
    toy = Toy(TIGHT)
    rest = run(crystal(), TIGHT, toy, json.loads(states[-1]), lambda state: None)
    assert rest["steps"] == whole["steps"] and rest["energy"] == pytest.approx(whole["energy"], abs=1e-12)
    assert np.allclose(rest["atoms"]["positions"], whole["atoms"]["positions"], atol=1e-9)
    assert rest["volume_change"] == pytest.approx(whole["volume_change"], abs=1e-9)
    assert toy.calls == whole["steps"] - 4 + 2  # frames 4 to the last, and the static one


def test_a_finished_relaxation_without_its_static_run_does_that_alone():
    states = []
    whole = run(crystal(), TIGHT, Toy(TIGHT), None, lambda state: states.append(json.dumps(state)))
    toy = Toy(TIGHT)
    assert run(crystal(), TIGHT, toy, json.loads(states[-1]), lambda state: None)["energy"] == whole["energy"]
    assert toy.calls == 1


def test_a_relaxation_at_its_step_limit_is_neither_failed_nor_converged():
    few = DFTSettings(cutoff=400.0, max_steps=1)
    result = run(crystal(), few, Toy(few), None, lambda state: None)
    assert not result["converged"] and result["steps"] == 1


def test_a_molecule_keeps_its_box_and_a_static_run_moves_nothing():
    from ase import Atoms

    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 1.2]], cell=[8.0] * 3, pbc=True)
    toy = Toy(TIGHT)
    result = run({"kind": "molecule", "atoms": to_record(atoms)}, TIGHT, toy, None, lambda state: None)
    assert result["atoms"]["cell"] == atoms.cell.array.tolist() and set(toy.grids) == {(1, 1, 1)}
    assert result["atoms"]["positions"] != atoms.positions.tolist() and result["pulay_stress"] is None
    static = run({"kind": "static", "atoms": to_record(atoms)}, TIGHT, Toy(TIGHT), None, lambda state: None)
    assert static["atoms"] == to_record(atoms) and static["steps"] == 0 and static["converged"]


def test_starting_moments_stay_with_the_atoms():
    atoms = bulk("Ni", cubic=True)
    atoms.set_initial_magnetic_moments([2.0] * 4)
    result = run({"kind": "crystal", "atoms": to_record(atoms)}, TIGHT, Toy(TIGHT), None, lambda state: None)
    assert result["atoms"]["moments"] == [2.0] * 4


@pytest.mark.parametrize(
    ("what", "said"), [("force", "not a number"), ("slope", "not a number"), ("collapse", "volume|apart")]
)
def test_energies_that_are_not_finite_end_the_relaxation(what, said):
    class Mad(Toy):
        def evaluate(self, atoms, stress):
            found = super().evaluate(atoms, stress)
            if what == "force":
                found.forces[0] = math.nan
            if what == "collapse":
                return Evaluation(atoms.get_volume(), found.forces, np.eye(3))
            return found

        def energy(self, atoms, cutoff):
            return math.nan if what == "slope" else super().energy(atoms, cutoff)

    with pytest.raises(OutOfRange, match=said):
        run(crystal(), TIGHT, Mad(TIGHT), None, lambda state: None)


def test_an_energy_has_the_zero_of_its_code():
    class Absolute(Toy):
        def evaluate(self, atoms, stress):
            found = super().evaluate(atoms, stress)
            return Evaluation(found.energy - 50_000.0, found.forces, found.stress)

    assert run(crystal(), TIGHT, Absolute(TIGHT), None, lambda state: None)["energy"] < -10_000


def test_errors_of_the_dft_program_are_reported():
    class Refusing(Toy):
        def evaluate(self, atoms, stress):
            raise NucleateError("the self-consistent field did not converge")

    with pytest.raises(NucleateError, match="did not converge"):
        run(crystal(), TIGHT, Refusing(TIGHT), None, lambda state: None)
