from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.hull.load import load_reference
from nucleate.hull.reference import COLUMNS, Entry, ReferenceSet


def test_formula_key_is_the_same_for_multiples() -> None:
    assert Formula.of({"O": 4, "Li": 2}) == Formula.of({"Li": 1, "O": 2}) == (("Li", 1), ("O", 2))


@pytest.mark.parametrize("bad", ["", "li2O", "Li0.5O", "Li-O"])
def test_a_set_refuses_what_is_no_formula(bad: str) -> None:
    entries = [Entry(f, -1.0, 1, "k", 10.0, 1) for f in ("LiFePO4", "O2", bad)]
    assert ReferenceSet.from_entries("x", "by hand", entries[:2]).keys[1] == (("O", 1),)
    with pytest.raises(NucleateError, match="formula"):
        _ = ReferenceSet.from_entries("x", "by hand", entries).keys


@pytest.mark.parametrize("bad", [{}, {"Na": 0.5}, {"Na": 0}])
def test_formula_key_refuses_fractions(bad: dict[str, int]) -> None:
    with pytest.raises(NucleateError, match="whole numbers"):
        Formula.of(bad)


def test_lookup(reference: ReferenceSet) -> None:
    assert reference.elements == {"Na", "Cl"}
    assert [reference.sources[i] for i in reference.of_system(["Cl", "Na"])] == ["k-1", "k-2", "k-3", "k-4", "k-5"]
    assert [reference.sources[i] for i in reference.of_system({"Cl", "Fe"})] == ["k-2", "k-3"]
    assert [reference.sources[i] for i in reference.of_formula({"Cl": 4, "Na": 4})] == ["k-4", "k-5"]
    assert reference.of_formula({"Na": 1, "Cl": 2}) == []
    assert reference[3] == Entry("NaCl", -3.5, 225, "k-4", pytest.approx(22.4, abs=1e-5), 2)


def test_methods_are_never_mixed(reference: ReferenceSet) -> None:
    more = [Entry("NaCl3", -2.9, 223, "mine", 20.0, 8)]
    assert len(reference.extended(more, "by hand 1.0")) == len(reference) + 1
    with pytest.raises(NucleateError, match=r"other potential.*by hand 1\.0"):
        reference.extended(more, "other potential")


def test_round_trip(reference: ReferenceSet, tmp_path: Path) -> None:
    file = tmp_path / "new" / "tiny.parquet"
    reference.save(file)
    back = load_reference(file)
    assert (back.name, back.method, back.metadata) == ("tiny", "by hand 1.0", {"licence": "none"})
    assert list(back) == list(reference)
    assert pq.read_table(file).column_names == list(COLUMNS)
    assert [p.name for p in file.parent.iterdir()] == ["tiny.parquet"]  # nothing temporary is left


def test_a_file_that_changed_is_read_again(reference: ReferenceSet, tmp_path: Path) -> None:
    file = tmp_path / "tiny.parquet"
    reference.save(file)
    assert len(load_reference(file)) == 6
    assert load_reference(file) is load_reference(file)
    reference.extended([Entry("NaCl3", -2.9, 223, "mine", 20.0, 8)], reference.method).save(file)
    assert len(load_reference(file)) == 7


def test_missing_damaged_and_other_files_are_refused(reference: ReferenceSet, tmp_path: Path) -> None:
    with pytest.raises(NucleateError, match="no reference set 'nowhere'"):
        load_reference("nowhere")
    file = tmp_path / "tiny.parquet"
    reference.save(file)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(NucleateError, match="damaged"):
        load_reference(file)
    pq.write_table(pa.table({"a": [1]}), file)
    with pytest.raises(NucleateError, match=r"lacks column formula"):
        load_reference(file)


def test_an_energy_that_is_no_number_is_refused() -> None:
    with pytest.raises(NucleateError, match="k-1"):
        ReferenceSet.from_entries("x", "m", [Entry("Na", float("nan"), 229, "k-1", 37.0, 1)])


def test_the_embedded_set_has_plausible_entries() -> None:
    known = load_reference()
    assert known.method == "CHGNet 0.3.0 (MP2020-corrected PBE+U)"
    assert {"licence", "source", "script", "contents", "missing"} <= set(known.metadata)
    assert len(known.elements) >= 85
    assert np.isfinite(known.energies).all() and (known.volumes > 0).all()
    assert ((known.space_groups >= 1) & (known.space_groups <= 230)).all()
    assert len(set(known.sources)) == len(known)
