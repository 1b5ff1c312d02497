import zipfile

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.io import archive, read_items, read_structures
from nucleate.pipeline.candidate_files import read_candidates

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.fixture
def packed(tmp_path):
    """As MatterGen writes its crystals, with what a Mac adds."""
    path = tmp_path / "generated_crystals_cif.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for i in range(3):
            file.writestr(f"gen/gen_{i}.cif", SALT.to(fmt="cif"))
        file.writestr("gen/POSCAR", SALT.to(fmt="poscar"))
        file.writestr("gen/broken.cif", "data_x")
        file.writestr("notes.txt", "hello")
        file.writestr("__MACOSX/gen_0.cif", "x")
        file.writestr("gen/.hidden.cif", "x")
    return path


def test_the_crystals_of_an_archive_are_read_and_named_by_their_files(packed):
    found = read_structures(packed)
    assert [s.name for s in found.structures][:3] == ["gen_0", "gen_1", "gen_2"] and len(found.structures) == 4
    assert found.structures[0].file == f"{packed}/gen/gen_0.cif" and found.structures[2].row == 3
    reasons = {p.file.rpartition("/")[2]: p.reason for p in found.problems}
    assert set(reasons) == {"broken.cif", "notes.txt"} and "skipped" in reasons["notes.txt"]
    assert len(read_candidates(str(packed))[0]) == 4


def test_an_archive_in_a_folder_is_passed_over(packed):
    with pytest.raises(NucleateError, match="no structure file"):
        read_structures(packed.parent)
    SALT.to(filename=str(packed.parent / "one.cif"))
    assert len(read_structures(packed.parent).structures) == 1


def test_a_damaged_archive_and_a_bomb_are_problems(packed, tmp_path, monkeypatch):
    (tmp_path / "cut.zip").write_bytes(packed.read_bytes()[:200])
    with pytest.raises(NucleateError, match="not a zip archive, damaged or cut short"):
        read_structures(tmp_path / "cut.zip")
    monkeypatch.setattr(archive, "FREE", 10)
    monkeypatch.setattr(archive, "MOST", 0)
    with pytest.raises(NucleateError, match="far more than files of crystals"):
        read_structures(packed)


@pytest.mark.parametrize("wrap", [str, lambda p: p, lambda p: [p], lambda p: (str(p),)])
def test_one_path_is_one_path_and_not_its_letters(tmp_path, wrap):
    path = tmp_path / "one.cif"
    SALT.to(filename=str(path))
    assert len(read_structures(wrap(path)).structures) == 1
    assert len(list(read_items(wrap(path)))) == 1
    assert len(read_candidates(wrap(path))[0]) == 1
