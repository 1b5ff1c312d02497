"""Training crystals in Niggli cells, or in the primitive cell of their canonical form."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from nucleate.cli.data import app
from nucleate.config import DataConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.canonical import canonical_crystal
from nucleate.crystal.convert import structures_from_batch
from nucleate.data import prepare, prepare_crystals
from nucleate.data.prepared import cache_folder
from nucleate.errors import NucleateError
from nucleate.systems import recipe_from_json
from tests.helpers.real_data import crystal_of, real_table

# perovskite, rock salt in its conventional cell, rutile, quartz of the other hand, and what has no symmetry
CRYSTALS = (
    Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.9), ["O", "Ti", "Sr"], [[0, 0.5, 0.5], [0.5] * 3, [0, 0, 0]]),
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Cl", "Na"], [[0, 0, 0], [0.5, 0, 0]]),
    Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.95), ["O", "Ti"], [[0.305, 0.305, 0], [0, 0, 0]]),
    Structure.from_spacegroup(
        "P3_221", Lattice.hexagonal(4.9, 5.4), ["Si", "O"], [[0.47, 0, 2 / 3], [0.41, 0.27, 0.78]]
    ),
    Structure(Lattice([[3, 0, 0], [1, 4, 0], [2, 1, 5]]), ["O", "Na"], [[0.13, 0.22, 0.34], [0.65, 0.7, 0.8]]),
    Structure(Lattice([[4, 0, 0], [1, 4, 0], [2, 1, 5]]), ["O", "O"], [[0.1, 0.2, 0.3], [0.1001, 0.2, 0.3]]),
)


def row(structure, gap):
    return {
        "material_id": f"c{gap}",
        "atomic_numbers": [s.specie.Z for s in structure],
        "frac_coords": structure.frac_coords.ravel().tolist(),
        "lengths": list(structure.lattice.abc),
        "angles": list(structure.lattice.angles),
        "gap": float(gap),
    }


REAL = os.environ.get("NUCLEATE_DATA")  # read before the fixture sets another folder


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    monkeypatch.setenv("NUCLEATE_DATA", str(tmp_path / "home"))
    monkeypatch.setattr("nucleate.data.prepared.user_cache", lambda: tmp_path / "cache")
    (tmp_path / "home").mkdir()
    rows = [row(s, i) for i, s in enumerate(CRYSTALS)]
    for split in ("train", "test"):
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "home" / f"mine_{split}.parquet")


def test_canonical_cells_give_the_crystals_back():
    seen = []
    batch, summary = prepare("mine", progress=lambda *v: seen.append(v), properties=("gap",), frame="canonical")
    assert seen[-1] == (6, 6) and summary.usable == 6 and summary.atoms == (2, 9)
    assert batch.properties["gap"].tolist() == [0, 1, 2, 3, 4, 5]
    assert batch.num_atoms.tolist() == [5, 2, 6, 9, 2, 2]
    assert (batch.lattice - batch.lattice.transpose(1, 2)).abs().max() < 1e-5 and (batch.volume > 0).all()
    for structure, back in zip(CRYSTALS[:5], structures_from_batch(batch), strict=False):
        assert StructureMatcher(scale=False).get_rms_dist(structure, back)[1] < 1e-4
    assert "1 crystals of the table became smaller" in str(summary) and "1 crystals of the table are in P1" in str(
        summary
    )


def test_special_positions_are_exact_and_electropositive_atoms_come_first():
    batch, _ = prepare("mine", frame="canonical")
    assert batch.atomic_numbers[0, :5].tolist() == [38, 22, 8, 8, 8]
    assert batch.frac_coords[0, 0].tolist() == [0, 0, 0] and batch.frac_coords[0, 1].tolist() == [0.5, 0.5, 0.5]
    assert sorted(batch.frac_coords[0, 2:5].sum(1).tolist()) == [1, 1, 1]
    assert batch.atomic_numbers[1, :2].tolist() == [11, 17]
    assert batch.frac_coords[1, :2].tolist() == [[0, 0, 0], [0.5, 0.5, 0.5]]
    assert batch.atomic_numbers[4, :2].tolist() == [11, 8]
    lengths = batch.lattice[1].norm(dim=1)
    assert torch.allclose(lengths, torch.full((3,), 5.6 / 2**0.5))


def test_the_reduced_cell_keeps_the_canonical_origin():
    batch, _ = prepare("mine", frame="canonical-reduced")
    canonical, _ = prepare("mine", frame="canonical")
    assert torch.equal(batch.atomic_numbers, canonical.atomic_numbers)
    assert torch.allclose(batch.volume, canonical.volume, rtol=1e-5)
    assert torch.equal(batch.frac_coords[1], canonical.frac_coords[1])  # exact fractions
    for a, b in zip(structures_from_batch(batch), structures_from_batch(canonical), strict=True):
        assert StructureMatcher(scale=False).get_rms_dist(a, b)[1] < 1e-4
        assert a.get_distance(0, 1) == pytest.approx(b.get_distance(0, 1), abs=1e-4)


def test_frames_are_cached_apart():
    reduced, canonical = prepare("mine")[0], prepare("mine", frame="canonical")[0]
    assert len(list(cache_folder().glob("*.safetensors"))) == 2
    for frame, batch in (("reduced", reduced), ("canonical", canonical)):
        again, summary = prepare("mine", progress=lambda *_: pytest.fail("not cached"), frame=frame)
        assert torch.equal(again.frac_coords, batch.frac_coords) and torch.equal(again.lattice, batch.lattice)
        assert ("smaller" in str(summary)) == (frame == "canonical")
    assert reduced.num_atoms[1] == 8 and canonical.num_atoms[1] == 2


def test_recipes_choose_the_frame(tmp_path):
    data = DataConfig(dataset="mine:test[1:4]", frame="canonical", exclude=("mine[2:3]",))
    batch, _ = prepare_crystals(data, ("gap",))
    assert batch.properties["gap"].tolist() == [1, 3] and batch.num_atoms.tolist() == [2, 9]
    recipe = tmp_path / "r.toml"
    recipe.write_text('name = "r"\nsystem = "unimat"\n[data]\ndataset = "mine"\nframe = "canonical"')
    result = CliRunner().invoke(app, ["prepare", str(recipe), "--out", str(tmp_path / "r.st")], catch_exceptions=False)
    assert "became smaller" in result.output
    assert torch.equal(
        CrystalBatch.load(tmp_path / "r.st").frac_coords, prepare("mine", frame="canonical")[0].frac_coords
    )
    with pytest.raises(NucleateError, match=r"'frame' must be one of reduced, canonical, canonical-reduced"):
        DataConfig.read({"frame": "other"})
    for system in ("formulas", "sites"):
        with pytest.raises(NucleateError, match=r"'data.frame' is a setting of recipes of"):
            recipe_from_json(f'{{"name": "r", "system": "{system}", "data": {{"frame": "canonical"}}}}')


@pytest.mark.parametrize("name", ["mp_20_val", "carbon_24_val"])
def test_real_crystals(name, tmp_path, monkeypatch):
    with monkeypatch.context() as real:
        real.setenv("NUCLEATE_DATA", REAL or "")
        file = real_table(name)
    rows = [r for r in pq.read_table(file).slice(500, 25).to_pylist() if r["frac_coords"]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "home" / "real_train.parquet")
    batch, _ = prepare("real", max_atoms=24, frame="canonical")
    matcher = StructureMatcher(scale=False)
    for given, back in zip(rows, structures_from_batch(batch), strict=True):
        structure = crystal_of(given)
        moved = canonical_crystal(structure).moved
        farthest = matcher.get_rms_dist(structure, back)[1] * (structure.volume / len(structure)) ** (1 / 3)
        assert farthest < moved + 0.01
