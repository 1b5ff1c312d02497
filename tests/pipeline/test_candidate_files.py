from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zipfile

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.io import read_structures
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.candidate_files import read_candidates, write_candidates
from nucleate.pipeline.convert import scalar_info
from nucleate.pipeline.origin import Origin

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
FULL = Candidate(
    "c0001",
    seed=7,
    structure=NACL,
    energies={"energy": Energy(-3.4, "CHGNet 0.3.0"), "e_above_hull": Energy(0.01, "CHGNet 0.3.0", "embedded")},
    checks={"charge": Check("pass", "Na1+ Cl1-"), "novel": Check("unknown")},
    stages=("generate", "relax"),
    origin=Origin(generator="mp20-csp"),
    provenance={"steps": 12},
)
EMPTY = Candidate("c0002", failure=Failure("generate", "error", "did not converge"), stages=("generate",))


def test_jsonl_keeps_the_full_records(tmp_path):
    assert write_candidates(tmp_path / "a.jsonl", [FULL, EMPTY]) == []
    candidates, problems = read_candidates([tmp_path / "a.jsonl"])
    assert not problems
    assert [c.to_dict() for c in candidates] == [FULL.to_dict(), EMPTY.to_dict()]


def packed(file, ending):
    """The file packed, beside a folder of its own; the unpacked one is removed."""
    out = file.with_name(file.name + ending)
    if ending == ".zip":
        with zipfile.ZipFile(out, "w") as archive:
            archive.write(file, file.name)
    else:
        out.write_bytes({".gz": gzip, ".bz2": bz2, ".xz": lzma}[ending].compress(file.read_bytes()))
    file.unlink()
    return out


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zip"])
def test_packed_records_are_read_like_unpacked_ones(tmp_path, ending):
    write_candidates(tmp_path / "a.jsonl", [FULL, EMPTY])
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write(FULL.to_json().replace('"seed": 7', '"seed": "x"') + "\n")
    file = packed(tmp_path / "a.jsonl", ending)
    candidates, (problem,) = read_candidates([file])
    assert [c.to_dict() for c in candidates] == [FULL.to_dict(), EMPTY.to_dict()]
    assert problem.file.startswith(str(file)) and problem.row == 3


def test_crystals_of_a_packed_file_name_it_and_those_of_an_archive_are_counted_through(tmp_path):
    NACL.to(filename=str(tmp_path / "a.cif"))
    (candidate,), _ = read_candidates([packed(tmp_path / "a.cif", ".gz")])
    assert candidate.origin.file.file == str(tmp_path / "a.cif.gz") and candidate.structure == NACL
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}.cif", NACL.to(fmt="cif"))
    found, _ = read_candidates([tmp_path / "two.zip"])
    assert [(c.origin.file.file.rpartition("/")[2], c.origin.file.row) for c in found] == [("a.cif", 1), ("b.cif", 2)]


@pytest.mark.parametrize("name", ["a.extxyz", "a.db", "folder"])
def test_other_formats_hold_the_structures_and_say_what_they_left_out(tmp_path, name):
    assert write_candidates(tmp_path / name, [FULL, EMPTY]) == [EMPTY]
    (candidate,), problems = read_candidates([tmp_path / name])
    assert not problems and candidate.formula == "NaCl" and candidate.stages == ()
    assert candidate.id == ("c0001_NaCl" if name == "folder" else "c0001")
    if name != "folder":
        properties = candidate.origin.file.properties
        assert (
            properties["energy_per_atom"] == pytest.approx(-3.4) and properties["e_above_hull_reference"] == "embedded"
        )
        assert properties["check_charge"] == "pass" and properties["seed"] == 7
        assert "energy" not in properties  # that name means the total energy in ASE's formats
    with pytest.raises(NucleateError, match="none of the 1 candidates has a structure"):
        write_candidates(tmp_path / "b.extxyz", [EMPTY])


def test_ids_are_made_unique(tmp_path):
    write_candidates(tmp_path / "a.jsonl", [FULL, EMPTY])
    write_candidates(tmp_path / "b.extxyz", [FULL, FULL])
    candidates, _ = read_candidates([tmp_path / "a.jsonl", tmp_path / "b.extxyz"])
    assert [c.id for c in candidates] == ["c0001", "c0002", "c0001-2", "c0001-3"]
    assert candidates[2].origin.file.id == "c0001"
    json.dumps([c.to_dict() for c in candidates])  # they are plain JSON values


def test_a_mixed_jsonl_with_bad_lines(tmp_path):
    broken = FULL.to_dict()
    broken["structure"] = {"lattice": 1, "sites": []}
    lines = [FULL.to_json(), json.dumps(NACL.as_dict()), "{", json.dumps(broken), EMPTY.to_json()]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    candidates, problems = read_candidates([tmp_path / "a.jsonl"])
    assert sorted(c.id for c in candidates) == ["a-2", "c0001", "c0002"]
    assert sorted(p.row for p in problems) == [3, 4]
    (tmp_path / "b.jsonl").write_text("{\n")
    with pytest.raises(NucleateError, match="no usable crystal"):
        read_candidates([tmp_path / "b.jsonl"])


def test_candidates_of_structure_files_have_file_and_row(tmp_path):
    write_candidates(tmp_path / "a.extxyz", [FULL])
    (c,), _ = read_candidates([tmp_path])
    assert c.origin.file.file == str(tmp_path / "a.extxyz") and c.origin.file.row == 1
    assert len(read_structures([tmp_path]).structures) == 1


def test_scalar_info_names_method_and_reference():
    info = scalar_info(FULL)
    assert info["energy_per_atom_method"] == "CHGNet 0.3.0" and info["e_above_hull"] == 0.01
    assert scalar_info(EMPTY) == {"seed": 0, "failure": "generate: did not converge"}
