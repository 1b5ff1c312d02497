import pytest
import torch

from nucleate.crystal.formulas import FormulaBatch
from nucleate.errors import NucleateError


def batch():
    return FormulaBatch.from_counts([{22: 1, 8: 2}, {11: 1, 17: 1}], {"gap": torch.tensor([3.0, torch.nan])})


def test_atoms_are_written_out():
    b = batch()
    assert b.atomic_numbers.tolist() == [[22, 8, 8], [11, 17, 0]] and b.num_atoms.tolist() == [3, 2]
    assert b[torch.tensor([1])].atomic_numbers.tolist() == [[11, 17]]
    with pytest.raises(ValueError, match="shape"):
        FormulaBatch(b.atomic_numbers, {"gap": torch.zeros(3)})


def test_formulas_survive_a_file_and_other_files_are_refused(tmp_path):
    file = tmp_path / "f.safetensors"
    batch().save(file)
    back = FormulaBatch.load(file)
    assert torch.equal(back.atomic_numbers, batch().atomic_numbers)
    torch.testing.assert_close(back.properties["gap"], batch().properties["gap"], equal_nan=True)
    (tmp_path / "bad").write_text("no")
    with pytest.raises(NucleateError, match="not a file of prepared formulas"):
        FormulaBatch.load(tmp_path / "bad")
