import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nucleate.config import DataConfig
from nucleate.data import prepare_formulas
from nucleate.errors import NucleateError

ROWS = {
    "formula": ["SrTiO3", "O3TiSr", "NaCl", "Fe2O3", "LaB6", "Al41Fe20", "H2O", "no", "Sr2Ti2O6", "MgO"],
    "e_above_hull": [0.3, 0.0, 0.0, 0.1, 0.0, 0.2, 0.5, 0.0, None, None],
    "band_gap": [1.0, 2.0, 5.0, 2.1, 0.0, 1.5, None, 0.0, 9.0, None],
    "mp20_split": [None, "train", None, "test", None, None, None, None, None, None],
}
DATA = DataConfig(dataset="x.parquet", max_atoms=49)
COLUMNS = ("balanced", "band_gap")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path))
    pq.write_table(pa.table(ROWS), tmp_path / "x.parquet")
    pq.write_table(pa.table({"formula": ["H2O"]}), tmp_path / "water_val.parquet")
    return tmp_path


def test_formulas_are_distinct_reduced_and_have_the_properties_of_their_best_crystal(folder):
    batch, summary = prepare_formulas(DATA, COLUMNS)
    # sorted by symbols, each written with the least electronegative element first: NaCl, H2O, MgO, SrTiO3
    assert batch.atomic_numbers[:, :5].tolist() == [
        [11, 17, 0, 0, 0],
        [1, 1, 8, 0, 0],
        [12, 8, 0, 0, 0],
        [38, 22, 8, 8, 8],
    ]
    assert batch.properties["band_gap"][[0, 3]].tolist() == [
        5.0,
        2.0,
    ]  # the value of the row at 0.0, not of those at 0.3 or None
    assert batch.properties["band_gap"][[1, 2]].isnan().all()
    assert batch.properties["balanced"].tolist() == [1.0] * 4
    assert summary.usable == 4 and summary.rows == 10
    assert summary.left_out == {
        "held out": 1,
        "with elements outside the vocabulary": 1,
        "with more than 49 atoms": 1,
        "without a valid formula": 1,
        "with a formula of another row": 2,
    }


def test_held_out_sets_and_the_whole_vocabulary(folder):
    batch, summary = prepare_formulas(DATA.changed(exclude=("water:val",)), COLUMNS, "all")
    assert summary.left_out["held out"] == 2 and 57 in batch.atomic_numbers  # without water and with LaB6
    assert torch.equal(batch.num_atoms, batch.mask.sum(1))


def test_missing_data_are_reported(folder):
    with pytest.raises(NucleateError, match="no column 'hardness'; columns with numbers: e_above_hull, band_gap"):
        prepare_formulas(DATA, ("hardness",))
    with pytest.raises(NucleateError, match=r"no file other.parquet"):
        prepare_formulas(DATA.changed(dataset="other.parquet"), COLUMNS)
    pq.write_table(pa.table({"formula": ["no"]}), folder / "y.parquet")
    with pytest.raises(NucleateError, match="no formula to train on"):
        prepare_formulas(DATA.changed(dataset="y.parquet"))
