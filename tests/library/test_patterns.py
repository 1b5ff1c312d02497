"""The Wyckoff patterns of known crystals: those of a small library, and those that come with nucleate."""

import numpy as np
import pytest

from nucleate.crystal.wyckoff_patterns import automorphisms, pattern_of
from nucleate.errors import NucleateError
from nucleate.library import patterns as module
from nucleate.library.library import load_library
from nucleate.library.patterns import load_patterns, pattern_table
from nucleate.library.sites import read_sites
from tests.helpers.small_library import small_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


def row_of(library, id):
    return library[id].row


def test_crystals_of_one_structure_type_share_a_pattern(library):
    known = load_patterns(library.table)
    of = {n: int(known.pattern[row_of(library, f"mp-{n}")]) for n in (1, 2, 4, 6, 7, 9, 8)}
    assert of[1] == of[2] and of[4] == of[6] and of[7] == of[9]
    assert len({of[1], of[4], of[7], of[8]}) == 4


def test_order_says_which_element_is_in_which_slot(library):
    known = load_patterns(library.table)
    for n, cage, centre in ((1, 38, 22), (2, 56, 22)):
        row = row_of(library, f"mp-{n}")
        slots = library.table.elements[row][known.order[row, :3]].tolist()
        assert slots[2] == 8 and set(slots[:2]) == {cage, centre}
    first, second = (known.order[row_of(library, f"mp-{n}"), :2].tolist() for n in (1, 2))
    assert first == second  # the larger cation is in the same slot of both


def test_frequencies_count_every_crystal(library):
    assert load_patterns(library.table).frequency.sum() == len(library)


def test_patterns_of_the_shipped_library_are_those_of_its_crystals():
    table = load_library().table
    known = load_patterns(table)
    assert len(known.pattern) == len(table) and known.frequency.min() > 0
    for row in np.random.default_rng(0).choice(len(table), 40, replace=False).tolist():
        places = read_sites(int(table.space_group[row]), table.sites(row))
        found, pattern = pattern_of(int(table.space_group[row]), places), int(known.pattern[row])
        assert found.pattern.slots == known.places(pattern)
        assert found.orders[0] == tuple(known.order[row, : len(places)].tolist())
        assert set(automorphisms(found.pattern)) == set(map(tuple, known.automorphisms(pattern).tolist()))


def test_patterns_of_another_library_are_refused(library, monkeypatch):
    monkeypatch.setattr("nucleate.library.library.FILE", library.table.path)
    module._read.cache_clear()
    with pytest.raises(NucleateError, match="of another library"):
        load_patterns(library.table)


def test_the_table_has_each_crystal_once(library):
    rows = pattern_table(library.table)["crystals"].to_pylist()
    assert sorted(i for own in rows for i in own) == list(range(len(library)))
