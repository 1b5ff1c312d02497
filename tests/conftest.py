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


@pytest.fixture
def reference():
    """A tiny reference set whose hull can be worked out by hand.

    Na at -1, Cl at -2 (a second form at -1.5), NaCl at -3.5: e_form(NaCl) = -3.5 + 1.5 = -2 eV/atom.
    """
    from nucleate.hull.reference import Entry, ReferenceSet

    entries = [
        Entry("Na", -1.0, 229, "k-1", 37.0, 1),
        Entry("Cl", -2.0, 64, "k-2", 30.0, 4),
        Entry("Cl", -1.5, 225, "k-3", 25.0, 1),
        Entry("NaCl", -3.5, 225, "k-4", 22.4, 2),
        Entry("NaCl", -3.3, 221, "k-5", 20.0, 2),
        Entry("Fe2O3", -6.0, 167, "k-6", 10.0, 10),
    ]
    return ReferenceSet.from_entries("tiny", "by hand 1.0", entries, {"licence": "none"})
