"""A tiny reference whose hull can be worked out by hand."""

from __future__ import annotations

import pytest

from nucleate.pipeline.reference import Entry, ReferenceSet

METHOD = "by hand 1.0"


@pytest.fixture
def reference() -> ReferenceSet:
    """Na at -1, Cl at -2 (a second form at -1.5), NaCl at -3.5: e_form(NaCl) = -3.5 + 1.5 = -2 eV/atom."""
    entries = [
        Entry("Na", -1.0, 229, "k-1", 37.0, 1),
        Entry("Cl", -2.0, 64, "k-2", 30.0, 4),
        Entry("Cl", -1.5, 225, "k-3", 25.0, 1),
        Entry("NaCl", -3.5, 225, "k-4", 22.4, 2),
        Entry("NaCl", -3.3, 221, "k-5", 20.0, 2),
        Entry("Fe2O3", -6.0, 167, "k-6", 10.0, 10),
    ]
    return ReferenceSet.from_entries("tiny", METHOD, entries, {"licence": "none"})
