"""Half precision is used where the hardware computes it, and nowhere else."""

import pytest
import torch

from nucleate.train import precision

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx2": True, "avx512_bf16": False}, False),
        ({"amx_bf16": True}, True),
        ({"cpu_name": "bf16"}, False),
        ({}, False),
    ],
)
def test_processors_without_instructions_for_it_stay_in_single_precision(monkeypatch, capabilities, expected):
    monkeypatch.undo()  # set in tests/conftest.py
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision.computes_bf16(CPU) is expected
    assert precision.computes_bf16(torch.device("cuda")) is True


@pytest.mark.parametrize(
    ("wanted", "able", "dtype"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, torch.float32),
        ("bf16", False, torch.bfloat16),
        ("float32", True, torch.float32),
    ],
)
def test_the_precision_of_a_recipe_is_used(monkeypatch, wanted, able, dtype):
    monkeypatch.setattr(precision, "computes_bf16", lambda device: able)
    with precision.autocast(wanted, CPU):
        assert torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype == dtype
