"""What the name of a method says of corrections, and the names of corrected methods."""

import copy
import json
import pickle

import pytest

from nucleate.errors import NucleateError
from nucleate.hull.reference import ReferenceSet
from nucleate.pipeline.candidate import Energy
from nucleate.pipeline.method import EnergyMethod

TEXTS = {
    "CHGNet 0.3.0 (MP2020-corrected PBE+U)": None,
    "SevenNet-0 11Jul2024 (PBE+U, uncorrected)": False,
    "SevenNet-0 11Jul2024 (PBE+U, MP2020-corrected)": True,
    "GPAW 25.1 PBE, 500 eV (uncorrected)": False,
    "other + MP2020 corrections": True,
    "odd (MP2020-corrected) + MP2020 corrections": True,
    "uncorrected)": False,
    "a (b (c), uncorrected)": False,
    "": None,
}


@pytest.mark.parametrize(("text", "corrected"), TEXTS.items())
def test_a_method_is_its_text_and_says_whether_it_is_corrected(text, corrected):
    method = EnergyMethod(text)
    assert method.corrected is corrected and method == str(method) == text
    assert method.with_corrections().corrected is True
    assert json.loads(json.dumps(method)) == copy.deepcopy(method) == pickle.loads(pickle.dumps(method)) == method


def test_energies_and_reference_sets_have_typed_methods():
    assert Energy(-1.0, "mine (uncorrected)").method.corrected is False
    assert ReferenceSet.from_entries("set", "mine (uncorrected)", []).method.corrected is False


def test_adding_corrections_changes_the_method():
    raw = EnergyMethod("net 1 (PBE+U, uncorrected)")
    assert raw.with_corrections() == EnergyMethod("net 1 (PBE+U, MP2020-corrected)")
    once = EnergyMethod("net 1 (PBE+U, MP2020-corrected)")
    assert once.with_corrections() != once, "a correction that was added twice must be seen"
    assert raw.name == once.name == "net 1"


def test_the_user_can_say_whether_a_method_is_corrected():
    assert EnergyMethod("mine").called(corrected=False) == "mine (uncorrected)"
    assert EnergyMethod("mine").called(corrected=True) == "mine (MP2020-corrected)"
    raw = EnergyMethod("mine (uncorrected)")
    assert raw.called(corrected=False) is raw
    with pytest.raises(NucleateError, match="is called corrected, but its own text says the opposite"):
        raw.called(corrected=True)


def test_a_remark_is_written_before_the_corrections():
    method = EnergyMethod("VASP 6 PBE, 520 eV (uncorrected)")
    assert method.remarked("not converged") == "VASP 6 PBE, 520 eV, not converged (uncorrected)"
