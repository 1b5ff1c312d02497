"""The library that comes with the package."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from nucleate.crystal.canonical import canonical_crystal
from nucleate.library.entries import KnownEntries, KnownEntry
from nucleate.library.hiding import matching_rows
from nucleate.library.library import FILE, load_library
from nucleate.library.schema import SOURCES, SPLITS
from tests.helpers.real_data import crystal_of, real_table


@pytest.fixture(scope="module")
def library():
    return load_library()


def drawn(library, count):
    rows = np.random.default_rng(0).choice(len(library), count, replace=False)
    return [KnownEntry(library.table, int(row)) for row in np.sort(rows)]


def test_it_is_small_and_says_where_it_is_from(library):
    assert FILE.stat().st_size <= 9_000_000 and len(library) > 147_000
    assert "CC-BY 4.0" in library.entries().attribution and "materialsproject.org" in library.entries().attribution


def test_every_crystal_is_found_by_what_it_is(library):
    for entry in drawn(library, 40):
        assert library[entry.id] == entry
        assert entry in library.of_formula(entry.composition)
        if entry.num_atoms < 20:
            assert entry in library.of_prototype(entry.prototype)


def test_crystals_are_in_canonical_form(library):
    for entry in drawn(library, 30):
        form = canonical_crystal(entry.structure)
        assert form.space_group == entry.space_group and form.anonymous_prototype == entry.prototype, entry
        if not entry.reason:
            assert form.decorated_prototype == entry.canonical.decorated_prototype


@pytest.mark.parametrize("split", ["val", "test"])
def test_crystals_are_those_of_mp20(library, split):
    for row in pq.read_table(real_table(f"mp_20_{split}")).slice(0, 25).to_pylist():
        if row["material_id"] in library:
            entry = library[row["material_id"]]
            assert entry.mp20_split == split
            assert StructureMatcher().fit(entry.structure, crystal_of(row)), entry


def test_the_splits_of_mp20_can_be_hidden(library):
    table = library.table
    view = library.hidden(dataset="mp-20:val,test")
    found = view.entries().rows
    assert not np.isin(table.split[found], [SPLITS.index("val"), SPLITS.index("test")]).any()
    assert not (table.like[found] & 6).any() and 17_000 < len(library) - len(view) < 22_000


def test_crystals_of_the_oqmd_have_no_energies_and_their_own_source(library):
    table = library.table
    rows = np.flatnonzero(table.source == SOURCES.index("oqmd"))
    assert len(rows) > 2000
    for values in (table.e_above_hull, table.e_form, table.band_gap):
        assert np.isnan(values[rows]).all()
    assert (table.experimental[rows] == -1).all() and (table.split[rows] == -1).all()
    entries = KnownEntries(table, rows)
    assert "oqmd.org" in entries.attribution and "materialsproject.org" not in entries.attribution
    assert "oqmd.org" in library.entries().attribution and "oqmd.org" not in library["mp-149"].attribution


def test_crystals_of_the_oqmd_are_not_among_the_others(library):
    rows = np.flatnonzero(library.table.source == SOURCES.index("oqmd"))
    for row in np.random.default_rng(0).choice(rows, 15, replace=False).tolist():
        assert matching_rows(library.table, KnownEntry(library.table, row).structure) == [row]


def test_opening_it_takes_little():
    code = """
import sys
from nucleate.library.library import load_library
found = load_library().of_formula({"Sr": 1, "Ti": 1, "O": 3})
print(len(found), [m for m in ("torch", "pymatgen", "pandas", "ase", "scipy") if m in sys.modules])
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split(" ", 1)[1].strip() == "[]" and int(out.split()[0]) >= 2
    assert Path(FILE).is_file()


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs/library.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 3
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "docs/library.md", "exec"), namespace)
    out = capsys.readouterr().out
    assert "A_cF8_227_a" in out and (tmp_path / "perovskites.extxyz").is_file()
