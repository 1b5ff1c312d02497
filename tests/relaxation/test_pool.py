import json
import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.chem.elements import SYMBOLS
from nucleate.crystal.symmetry import space_group
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate
from nucleate.potentials.base import Evaluation
from nucleate.potentials.registry import POTENTIALS, get_potential
from nucleate.relaxation.pool import RelaxSettings, relax_candidates, single_point
from nucleate.stages.relax import RelaxStage


def salt(a=5.64, shift=0.0):
    lattice = Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])
    return Structure(lattice, ["Na", "Cl"], [[0, 0, 0], [0.5 + shift, 0.5, 0.5]])


@dataclass
class Springs:
    """An energy of the volume and of the position of the second atom; `mode` chooses how it misbehaves."""

    mode: str
    name: str = "springs"
    method: str = "Springs 1.0"
    elements: frozenset = frozenset(SYMBOLS[:20])
    pool: int = 1
    calls: int = 0
    batches: list = field(default_factory=list)

    def load(self):
        pass

    def evaluate(self, crystals):
        self.batches.append(len(crystals))
        return [self._one(atoms) for atoms in crystals]

    def _one(self, atoms):
        self.calls += 1
        n, volume = len(atoms), atoms.get_volume()
        away = atoms.positions[1] - atoms.cell.array.sum(0) / 2
        forces = np.zeros((n, 3))
        forces[1], forces[0] = -away, away
        pull = {"explodes": -0.5, "implodes": 0.5, "stiff": 0.004}.get(self.mode, 0.0)
        pressure = pull if pull else (volume - 40.0) / 400
        energy = float(away @ away) / 2 - 3.0 * n + (volume - 40.0) ** 2 / 800
        if self.mode == "nan" and self.calls > 1:
            energy = np.nan
        if self.mode == "abyss":
            energy = -40.0 * n
        if self.mode == "strong":
            forces[:] = 2000.0
        if self.mode == "stiff":
            forces[0] = 1.0
        if self.mode == "merges":
            forces[1] = 5.0 * (atoms.positions[0] - atoms.positions[1])
            forces[0] = -forces[1]
        if self.mode == "breaks" and self.calls > 2:
            raise FloatingPointError("a bad day\nsecond line")
        if self.mode == "no potassium" and 19 in atoms.numbers:
            raise NucleateError("no potassium, please")
        return Evaluation(energy, forces, np.eye(3) * pressure)

    def energies(self, structures, batch_size):
        return [-1.0 for _ in structures]


@pytest.fixture
def relax(monkeypatch):
    """Relaxes with a fake potential of the given mode."""

    def run(mode, structure, **settings):
        name = f"fake-{mode}"
        monkeypatch.setitem(POTENTIALS.own, name, lambda: Springs(mode))
        (result,) = RelaxStage(RelaxSettings(potential=name, **settings))([Candidate("a", structure=structure)])
        return result

    return run


@pytest.mark.parametrize("optimiser", ["bfgs", "fire"])
@pytest.mark.parametrize("cell", [True, False])
def test_finds_the_minimum(relax, optimiser, cell):
    before = salt(5.8, 0.03)
    result = relax("good", before, optimiser=optimiser, cell=cell)
    assert result.failure is None and result.checks["relaxed"].verdict == "pass", result.checks
    volume = result.structure.volume
    assert volume == pytest.approx(before.volume) if not cell else abs(volume - 40) < 0.003 * 400
    record = result.relaxation
    assert record.converged and record.fmax <= 0.05 and record.steps > 0
    assert record.volume_change == pytest.approx(volume / before.volume)
    assert record.energy_before > result.energies["energy"].value
    assert result.energies["energy"].method == "Springs 1.0"
    json.dumps(result.to_dict())


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("explodes", "the volume grew"),
        ("implodes", "the volume shrank"),
        ("nan", "not a number"),
        ("abyss", "below anything real"),
        ("strong", "at the start"),
        ("merges", "angstrom apart"),
        ("breaks", "FloatingPointError: a bad day"),
    ],
)
@pytest.mark.parametrize("optimiser", ["bfgs", "fire"])
def test_a_relaxation_out_of_range_is_a_recorded_failure(relax, mode, words, optimiser):
    before = salt(5.7, 0.05)
    result = relax(mode, before, optimiser=optimiser)
    assert result.failure is not None and str(result.failure).startswith("relax: ") and words in str(result.failure)
    assert "\n" not in str(result.failure)
    assert "energy" not in result.energies and result.structure is before
    record = result.provenance
    assert ("last_frame" in record) == (result.relaxation.steps > 0) == (mode not in ("abyss", "strong"))
    if "last_frame" in record:  # the crystal before it went out of range
        last = Structure.from_dict(record["last_frame"])
        assert last.species == before.species and np.isfinite(last.cart_coords).all()
        assert 0.2 < last.volume / before.volume < 5 and last.distance_matrix[0, 1] > 0.4


def test_the_step_limit_is_no_failure(relax):
    result = relax("stiff", salt(), max_steps=4)
    assert result.failure is None
    check = result.checks["relaxed"]
    assert check.verdict == "fail" and "fmax 1" in check.reason and check.reason.endswith("after 4 steps")
    assert "stress 0.004 > 0.003" in check.reason
    assert result.energies["energy"].value == pytest.approx(-3.0, abs=2)


def test_the_time_limit_is_no_failure(relax):
    result = relax("stiff", salt(), time_limit_s=1e-9)
    assert result.failure is None and "time limit" in result.checks["relaxed"].reason


def test_zero_steps_give_the_energy_as_it_stands(relax):
    result = relax("good", salt(5.8, 0.03), max_steps=0)
    assert result.structure.volume == pytest.approx(salt(5.8).volume)
    assert result.checks["relaxed"].verdict == "fail" and result.relaxation.steps == 0


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        (Structure(Lattice.cubic(5), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.01]]), "0.05 angstrom apart"),
        (Structure(Lattice.cubic(3), ["Na"], [[np.nan, 0, 0]]), "finite"),
        (Structure(Lattice(np.zeros((3, 3))), ["Na"], [[0, 0, 0]]), "no volume"),
        (Structure(Lattice.cubic(3), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "partial occupancies"),
        (Structure(Lattice.cubic(3), ["Fe"], [[0, 0, 0]]), "does not know Fe"),
        (None, "no structure"),
    ],
)
def test_what_cannot_be_relaxed_is_rejected(relax, structure, words):
    result = relax("good", structure)
    assert result.failure is not None and words in str(result.failure)


def test_a_collapse_into_a_false_minimum_is_rejected(relax):
    result = relax("good", Structure(Lattice.cubic(4), ["K", "K"], [[0.37, 0.5, 0.5], [0.5, 0.5, 0.5]]), cell=False)
    # atoms 0.52 angstrom apart, where this potential has no forces: no crystal of potassium looks like this
    assert result.failure is not None and ("collapsed" in str(result.failure) or "apart" in str(result.failure))


def test_species_and_site_properties_stay(relax):
    before = salt(5.8)
    before.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    before.add_site_property("tag", [7, 8])
    after = relax("good", before).structure
    assert after.species == before.species and after.site_properties["tag"] == [7, 8]


@pytest.mark.parametrize(
    "settings",
    [
        {"fmax": 0},
        {"fmax": float("nan")},
        {"smax": -1},
        {"max_steps": -3},
        {"optimiser": "magic"},
        {"time_limit_s": 0},
    ],
)
def test_bad_settings_are_refused(settings):
    with pytest.raises(NucleateError):
        RelaxSettings(**settings)


def test_an_unknown_potential_names_the_known_ones():
    with pytest.raises(NucleateError, match="known: chgnet"):
        RelaxStage(RelaxSettings(potential="astrology"))
    with pytest.raises(NucleateError, match="known: chgnet"):
        single_point([salt()], potential="astrology")


def test_the_stage_can_be_sent_to_a_process():
    stage = pickle.loads(pickle.dumps(RelaxStage(RelaxSettings(fmax=0.2))))
    assert stage.settings.fmax == 0.2


def test_chgnet_relaxes_salt_and_prints_nothing(capfd):
    (result,) = RelaxStage()([Candidate("NaCl", structure=salt(5.9, 0.02))])
    assert result.failure is None and result.checks["relaxed"].verdict == "pass"
    assert result.structure.volume == pytest.approx(45.5, rel=0.05)  # measured: 5.64^3 / 4 = 44.9
    energy = result.energies["energy"]
    assert energy.method == "CHGNet 0.3.0 (MP2020-corrected PBE+U)"
    assert energy.value == pytest.approx(single_point([result.structure])[0], abs=1e-3)
    assert energy.value == pytest.approx(-3.68, abs=0.05)
    batch = single_point([salt(5.5), salt(5.7), salt(6.0)], batch_size=2)
    assert batch == pytest.approx([single_point([salt(a)])[0] for a in (5.5, 5.7, 6.0)], abs=1e-4)
    assert single_point([]) == []
    out, err = capfd.readouterr()
    assert out == "" and err == ""


def test_chgnet_refuses_in_one_line():
    lone = Structure(Lattice.cubic(30), ["Na"], [[0, 0, 0]])
    with pytest.raises(NucleateError, match="structure 1"):
        single_point([salt(), lone])
    (result,) = RelaxStage()([Candidate("lone", structure=lone)])
    assert result.failure is not None and "isolated" in str(result.failure)
    with pytest.raises(NucleateError, match="does not know Cm"):
        single_point([Structure(Lattice.cubic(3), ["Cm"], [[0, 0, 0]])])


def test_a_finished_crystal_leaves_the_pool_and_the_next_one_enters(monkeypatch):
    potential = Springs("no potassium", pool=3)
    monkeypatch.setitem(POTENTIALS.own, "fake", lambda: potential)
    settings = RelaxSettings(potential="fake")
    shifts = [0.0, 0.08, 0.03, 0.06, 0.05]
    crystals = [Candidate(f"c{k}", structure=salt(5.6 + shift, shift)) for k, shift in enumerate(shifts)]
    crystals[2].structure.replace(0, "K")
    crystals.append(Candidate("none"))
    stage = RelaxStage(settings)
    assert stage.grain == "chunk" and stage.resource == "gpu" and RelaxStage().grain == "one"
    pooled = {c.id: c for c in stage(crystals)}
    assert max(potential.batches) == 3 and len(pooled) == 6
    assert str(pooled["c2"].failure) == "relax: no potassium, please"
    assert str(pooled["none"].failure) == "relax: there is no structure"
    for candidate in crystals[:2] + crystals[3:5]:
        (alone,) = relax_candidates([candidate], settings, pool=1)
        together = pooled[candidate.id]
        assert together.energies["energy"].value == pytest.approx(alone.energies["energy"].value, abs=1e-9)
        assert together.relaxation.steps == alone.relaxation.steps


def test_a_failure_keeps_the_last_credible_frame(relax):
    record = relax("explodes", salt(5.7, 0.05)).provenance
    last = Structure.from_dict(record["last_frame"])
    assert last.formula == salt().formula and 1 < last.volume / salt(5.7).volume < 5
    twice = salt(5.7, 0.05).make_supercell([2, 1, 1])  # relaxed in its primitive cell; the record has the given one
    last = Structure.from_dict(relax("explodes", twice).provenance["last_frame"])
    assert last.species == twice.species and 1 < last.volume / twice.volume < 5


def test_a_supercell_is_relaxed_in_its_primitive_cell(monkeypatch):
    potential, sizes = get_potential("ase:ase.calculators.emt:EMT"), []

    class Watched:
        name, method, elements, pool = "watched", "watched", None, 1

        def load(self):
            pass

        def evaluate(self, crystals):
            sizes.extend(len(atoms) for atoms in crystals)
            return potential.evaluate(crystals)

    monkeypatch.setitem(POTENTIALS.own, "watched", Watched)
    alloy = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["Cu", "Au"], [[0, 0.5, 0.5], [0, 0, 0]])
    alloy.make_supercell([[2, 0, 0], [0, 1, 0], [0, 1, 1]])
    alloy.add_site_property("tag", list(range(8)))
    ways = {}
    for primitive in (True, False):
        sizes.clear()
        settings = RelaxSettings(fmax=0.001, smax=1e-5, potential="watched", primitive=primitive)
        (after,) = relax_candidates([Candidate("a", structure=alloy)], settings)
        assert after.failure is None and set(sizes) == {4 if primitive else 8}
        assert after.structure.species == alloy.species
        assert after.structure.site_properties["tag"] == list(range(8))
        ways[primitive] = after
    one, other = ways[True], ways[False]
    assert one.energies["energy"].value == pytest.approx(other.energies["energy"].value, abs=1e-6)
    assert np.allclose(one.structure.lattice.matrix, other.structure.lattice.matrix, atol=1e-3)
    away = one.structure.frac_coords - other.structure.frac_coords
    assert np.abs(away - np.rint(away)).max() < 1e-3
    assert one.structure.lattice.matrix[0] == pytest.approx(
        alloy.lattice.matrix[0] * one.structure.lattice.a / alloy.lattice.a
    )


def test_chgnet_keeps_the_space_group():
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0.05]]
    distorted = Structure(Lattice.tetragonal(4.1, 4.0), ["Ba", "Ti", "O", "O", "O"], sites)
    rutile = Structure.from_spacegroup(
        "P4_2/mnm", Lattice.tetragonal(4.4, 3.1), ["Ti", "O"], [[0, 0, 0], [0.32, 0.32, 0]]
    )
    for structure, number in ((distorted, 99), (rutile, 136)):
        assert space_group(structure, 1e-3)[0] == number
        for optimiser in ("bfgs", "fire"):
            (after,) = RelaxStage(RelaxSettings(optimiser=optimiser))([Candidate("a", structure=structure)])
            assert after.checks["relaxed"].verdict == "pass" and after.relaxation.steps > 3
            assert space_group(after.structure, 2e-3)[0] == number
