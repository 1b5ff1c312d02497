"""What every test stands on."""

import pytest

from nucleate.train import precision


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    """Precision "auto" is the same on every machine that runs the tests."""
    monkeypatch.setattr(precision, "computes_bf16", lambda device: False)
