"""What every test stands on."""

import os

# One thread, also for the processes that tests start: tensors here are small, and threads that wait for each other on
# busy cores take ten times as long. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from nucleate.train import precision


@pytest.fixture(autouse=True)
def single_precision(monkeypatch):
    """Precision "auto" is the same on every machine that runs the tests."""
    monkeypatch.setattr(precision, "computes_bf16", lambda device: False)
