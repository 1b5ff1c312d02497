from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry, ReferenceSet
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.rank import disagreement, to_rows
from nucleate.potentials.registry import get_potential
from nucleate.relaxation.pool import RelaxSettings
from nucleate.stages.second_judge import SecondJudgeStage, second_judge_stage

EMT = "ase:ase.calculators.emt:EMT"  # a real potential of copper and gold, in ASE
CU3AU = Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.8), ["Au", "Cu"], [[0, 0, 0], [0.5, 0.5, 0]])


@pytest.fixture
def stage(tmp_path: Path) -> SecondJudgeStage:
    """EMT, with a reference set of copper and gold at 0 eV/atom, which is close to its own energies of them."""
    entries = [Entry("Cu", 0.0, 225, "a", 12, 1), Entry("Au", 0.0, 225, "b", 17, 1)]
    ReferenceSet.from_entries("emt", get_potential(EMT).method, entries).save(tmp_path / "emt.parquet")
    return SecondJudgeStage(RelaxSettings(potential=EMT), str(tmp_path / "emt.parquet"))


def candidate(above: float = 0.02, structure: Structure = CU3AU) -> Candidate:
    energies = {"energy": Energy(-4, "first"), "e_above_hull": Energy(above, "first", "set")}
    return Candidate("a", structure=structure, energies=energies)


def test_the_second_judge_relaxes_and_adds_its_energies(stage: SecondJudgeStage) -> None:
    (out,) = stage([candidate()])
    second = out.energies["second_e_above_hull"]
    assert (second.method, second.reference) == (get_potential(EMT).method, "emt")
    assert out.energies["second_e_form"].value == pytest.approx(second.value) and -0.2 < second.value < 0.05
    # Results of the first potential stay
    assert out.structure == CU3AU and out.energies["e_above_hull"] == Energy(0.02, "first", "set")
    assert out.second.relaxation.converged and 0.8 < out.second.relaxation.volume_change < 1.2
    assert disagreement(out) == pytest.approx(abs(second.value - 0.02))
    (row,) = to_rows([out])
    assert row["disagreement"] == disagreement(out) and row["second_method"] == second.method


def test_agreement_is_a_check(stage: SecondJudgeStage) -> None:
    near, far = (next(iter(stage([candidate(above)]))) for above in (0.0, 0.5))
    assert near.checks["judges"].verdict == "pass" and far.checks["judges"].verdict == "fail"
    assert "apart" in far.checks["judges"].reason and "ase.calculators.emt" in far.checks["judges"].reason


def test_without_a_result_the_check_is_unknown_and_nothing_fails(stage: SecondJudgeStage) -> None:
    strange = Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]])
    (out,) = stage([candidate(structure=strange)])
    assert out.failure is None and out.checks["judges"].verdict == "unknown"
    assert "second judge has no answer" in out.checks["judges"].reason and disagreement(out) is None
    bare = Candidate("b", structure=CU3AU)
    (out,) = stage([bare])
    assert out.checks["judges"].verdict == "unknown" and "second_e_form" in out.energies


def test_the_stage_can_be_pickled(stage: SecondJudgeStage) -> None:
    assert (stage.grain, stage.resource) == ("one", "cpu") and len(pickle.dumps(stage)) < 2000


def test_the_choice_of_the_second_potential() -> None:
    chosen = second_judge_stage(RelaxSettings(potential="chgnet", fmax=0.02), "auto")
    assert chosen is not None and (chosen.settings.potential, chosen.settings.fmax) == ("sevennet", 0.02)
    assert chosen.hull.reference.method == "SevenNet-0 11Jul2024 (PBE+U, MP2020-corrected)"
    other = second_judge_stage(RelaxSettings(potential=EMT), "auto")
    assert other is not None and other.settings.potential == "chgnet" and other.hull.reference.name == "chgnet-mp"
    assert second_judge_stage(RelaxSettings(), "none") is None
    with pytest.raises(NucleateError, match="another potential than chgnet"):
        second_judge_stage(RelaxSettings(), "chgnet")
    with pytest.raises(NucleateError, match="no reference set is shipped"):
        second_judge_stage(RelaxSettings(), EMT)
    with pytest.raises(NucleateError, match="no potential 'nothing'"):
        second_judge_stage(RelaxSettings(), "nothing", "chgnet-mp")
