"""The text beside an energy as a value, and back."""

import pytest

from nucleate.errors import NucleateError
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
def test_a_text_becomes_a_method_and_the_same_text_again(text, corrected):
    method = EnergyMethod.parse(text)
    assert method.corrected is corrected and str(method) == text
    assert EnergyMethod.parse(str(method.with_corrections())).corrected is True


def test_a_method_that_is_corrected_becomes_another_one():
    raw = EnergyMethod.parse("net 1 (PBE+U, uncorrected)")
    assert raw.with_corrections() == EnergyMethod.parse("net 1 (PBE+U, MP2020-corrected)")
    once = EnergyMethod.parse("net 1 (PBE+U, MP2020-corrected)")
    assert once.with_corrections() != once, "corrections are never taken for none"
    assert raw.name == once.name == "net 1"


def test_what_the_user_says_of_a_method():
    assert str(EnergyMethod.parse("mine").called(corrected=False)) == "mine (uncorrected)"
    assert str(EnergyMethod.parse("mine").called(corrected=True)) == "mine (MP2020-corrected)"
    raw = EnergyMethod.parse("mine (uncorrected)")
    assert raw.called(corrected=False) is raw
    with pytest.raises(NucleateError, match="is called corrected, and says the opposite itself"):
        raw.called(corrected=True)


def test_a_remark_stands_before_what_is_said_of_corrections():
    method = EnergyMethod.parse("VASP 6 PBE, 520 eV (uncorrected)")
    assert str(method.remarked("not converged")) == "VASP 6 PBE, 520 eV, not converged (uncorrected)"
