"""Runs of VASP that ended in one way or another: what counts as an energy, and what as converged."""

import bz2
import gzip
import json
import lzma
import re

import pytest
from vasp_outputs import outcar, rocksalt, vasprun

from nucleate.cli.main import main
from nucleate.dft.parse import parse_output

MGO = rocksalt(4.25)


def read(folder, text, name="vasprun.xml"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    return parse_output(folder / name)


@pytest.mark.parametrize("text", ["**************", "NaN", "-Infinity", "inf", "", "1e400", "-11.9-4.0"])
def test_a_last_step_without_an_energy_is_failed(tmp_path, text):
    found = read(tmp_path, vasprun(MGO, [-11.8, text]))
    assert found.energy is None and "the energy of ionic step 2 is not there or no number" in found.reason


@pytest.mark.parametrize("what", ["force", "stress"])
def test_forces_and_stress_that_are_no_numbers_are_failed(tmp_path, what):
    found = read(tmp_path, vasprun(MGO, [-11.9], **{what: "********"}))
    assert found.energy is None and ("forces" if what == "force" else "stress") in found.reason


def test_parse_returns_no_number_that_is_not_finite(tmp_path):
    text = vasprun(MGO, [-11.9])
    for name, broken in {
        "energy": vasprun(MGO, ["NaN"]),
        "force": vasprun(MGO, [-11.9], force="NaN"),
        "positions": text.replace("0.50000000 0.50000000 0.50000000", "NaN ******** 0.5"),
        "cell": text.replace("2.12500000 2.12500000 0.00000000", "inf inf inf"),
        "flat": text.replace("2.12500000 2.12500000 0.00000000", "0.0 2.125 2.125"),
        "potcar": text.replace("<c>6.0</c>", "<c>NaN</c>").replace("<rc><c>1</c>", "<rc><c>***</c>"),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "vasprun.xml").write_text(broken)
    ours = {"status": "done", "energy": float("nan"), "method": "GPAW 26 PBE, plane waves 500 eV (uncorrected)"}
    ours |= {"steps": 1, "seconds": float("inf"), "moment": None, "converged": True}
    atoms = {"numbers": [12], "cell": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], "positions": [[0, 0, 0]], "moments": [0]}
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "result.json").write_text(json.dumps({**ours, "atoms": atoms}))
    with pytest.raises(SystemExit) as end:
        main(["dft", "parse", str(tmp_path), "--out", str(tmp_path / "o.jsonl")])
    assert end.value.code == 0
    lines = (tmp_path / "o.jsonl").read_text().splitlines()
    assert len(lines) == 7 and not re.search(r"\b(NaN|Infinity)\b", "".join(lines))
    states = {r["id"]: r["dft"]["status"] for r in map(json.loads, lines)}
    assert states.pop("potcar") == "done"
    assert set(states.values()) == {"failed"}


# tags, energies of the cell, force left (eV/angstrom), stress left (kbar), iterations; what is said ("" for converged)
ENDS = {
    "static": ({"NSW": 0, "IBRION": -1}, [-11.9], 1.3, 50.0, 9, ""),
    "static by IBRION": ({"IBRION": -1}, [-11.9], 1.3, 0.0, 9, ""),
    "static, no self-consistency": ({"NSW": 0, "NELM": 60}, [-11.9], 0.0, 0.0, 60, "within NELM = 60"),
    "relaxed by forces": ({"EDIFFG": -0.02}, [-11.8, -11.9], 0.019, 0.0, 9, ""),
    "stopped with forces": (
        {"EDIFFG": -0.02},
        [-11.8, -11.9],
        1.3,
        0.0,
        9,
        "after 2 of 99 ionic steps with 1.30",
    ),
    "NSW with forces": ({"EDIFFG": -0.02, "NSW": 2}, [-11.8, -11.9], 0.1, 0.0, 9, "stopped after 2 of 2 ionic steps"),
    "NSW, done in the last step": ({"EDIFFG": -0.02, "NSW": 2}, [-11.8, -11.9], 0.01, 0.0, 9, ""),
    "relaxed by energy": ({"EDIFFG": 0.001}, [-11.8999, -11.9], 0.05, 0.0, 9, ""),
    "energy still changing": ({"EDIFFG": 0.001}, [-11.8, -11.9], 0.05, 0.0, 9, "the energy still changed by 0.1 eV"),
    "EDIFFG of EDIFF": ({"EDIFF": 1e-5}, [-11.8995, -11.9], 0.05, 0.0, 9, "EDIFFG asks for 0.0001"),
    "no EDIFFG": ({}, [-11.7, -11.8, -11.9], 1.3, 0.0, 9, "EDIFFG asks for 0.001"),
    "energy met, forces left": ({"EDIFFG": 0.001}, [-11.9, -11.9], 1.3, 0.0, 9, "with 1.30 eV/angstrom left, though"),
    "one step": ({"EDIFFG": 0.001}, [-11.9], 0.05, 0.0, 9, "there was only one step"),
    "EDIFFG zero": ({"EDIFFG": 0.0}, [-11.9, -11.9], 0.05, 0.0, 9, "sets no criterion"),
    "stress left": ({"EDIFFG": -0.02, "ISIF": 3}, [-11.8, -11.9], 0.0, 60.0, 9, "60 kbar of stress"),
    "stress wanted": ({"EDIFFG": -0.02, "ISIF": 3, "PSTRESS": 60.0}, [-11.8, -11.9], 0.0, 60.0, 9, ""),
    "stress of a fixed cell": ({"EDIFFG": -0.02, "ISIF": 2}, [-11.8, -11.9], 0.0, 60.0, 9, ""),
    "shape alone": ({"EDIFFG": -0.02, "ISIF": 5}, [-11.8, -11.9], 0.0, 60.0, 9, ""),
    "last step not self-consistent": ({"EDIFFG": -0.02, "NELM": 60}, [-11.8, -11.9], 0.0, 0.0, 60, "within NELM = 60"),
    "molecular dynamics": ({"IBRION": 0}, [-11.8, -11.9], 0.0, 0.0, 9, "molecular dynamics"),
    "saddle point": ({"IBRION": 44}, [-11.8, -11.9], 0.0, 0.0, 9, "saddle point"),
    "exact": ({"NSW": 0, "NELM": 1, "ALGO": "Exact"}, [-11.9], 0.0, 0.0, 1, ""),
}


@pytest.mark.parametrize("name", ENDS)
def test_converged_means_electronically_and_ionically(tmp_path, name):
    tags, energies, force, stress, iterations, said = ENDS[name]
    found = read(tmp_path, vasprun(MGO, energies, tags, force=force, stress=stress, iterations=iterations))
    assert found.energy == pytest.approx(-5.95)
    assert found.converged is not bool(said) and said in found.reason


def test_fixed_atoms_may_have_forces(tmp_path):
    text = vasprun(MGO, [-11.8, -11.9], {"EDIFFG": -0.02}, force=1.3)
    fixed = (
        '<varray name="selective" type="logical"><v type="logical"> F F F </v><v type="logical"> T T T </v></varray>'
    )
    assert not read(tmp_path / "a", text).converged
    assert read(tmp_path / "b", text.replace("</structure>", f"{fixed}</structure>", 1)).converged


@pytest.mark.parametrize("tags", [{"ICHARG": 11}, {"ALGO": "GW0"}, {"ALGO": "None"}, {"ALGO": "CHI"}])
def test_runs_without_a_total_energy(tmp_path, tags):
    found = read(tmp_path, vasprun(MGO, [-11.9], tags | {"NSW": 0}))
    assert found.energy is None and found.reason


def test_phonons_count_the_crystal_that_is_not_displaced(tmp_path):
    found = read(tmp_path, vasprun(MGO, [-12.0, -11.9, -11.9], {"IBRION": 6}, force=0.5))
    assert found.energy == pytest.approx(-6.0) and found.converged


def test_the_energy_of_smearing_is_of_the_last_iteration(tmp_path):
    """VASP writes e_0_energy = e_wo_entrp at the end of a step in some versions."""
    text = vasprun(MGO, [-12.0])
    head, tail = text.split("</structure>\n", 1) if "</structure>\n" in text else text.rsplit("<varray", 1)
    wrong = re.sub(r'(<i name="e_0_energy">)-12.0+(</i></energy></scstep>)', r"\g<1>-11.99000000\2", text)
    assert wrong != text and head and tail
    assert read(tmp_path, wrong).energy == pytest.approx(-11.99 / 2)


def test_compressed_files_and_those_that_were_cut_off(tmp_path):
    text = vasprun(MGO, [-11.9]).encode()
    for ending, pack in {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.items():
        name, packed = f"vasprun.xml.{ending}", pack(text)
        (tmp_path / name).write_bytes(packed)
        assert parse_output(tmp_path / name).energy == pytest.approx(-5.95), name
        (tmp_path / name).write_bytes(packed[: len(packed) // 2])
        assert "ends in the middle" in parse_output(tmp_path / name).reason, name
        (tmp_path / name).write_bytes(b"not compressed at all")
        assert (
            "cannot be unpacked" in parse_output(tmp_path / name).reason
            or "cannot be read" in parse_output(tmp_path / name).reason
        )
    (tmp_path / "vasprun.xml.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    assert "unpack it first" in parse_output(tmp_path / "vasprun.xml.zst").reason


def test_entities_are_refused_before_anything_is_resolved(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("6.3.0")
    text = vasprun(MGO, [-11.9])
    head, body = text.split("<modeling>", 1)
    external = (
        f'{head}<!DOCTYPE modeling [<!ENTITY x SYSTEM "{secret.as_uri()}">]><modeling>{body.replace("6.3.0", "&x;")}'
    )
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    bomb = f'{head}<!DOCTYPE modeling [<!ENTITY l0 "lol">{laughs}]><modeling><i>&l11;</i>{body}'
    remote = f'{head}<!DOCTYPE modeling SYSTEM "http://127.0.0.1:9/x.dtd"><modeling>{body}'
    for hostile in (external, bomb, remote):
        found = read(tmp_path, hostile)
        assert found.energy is None and "it declares a document type or entities" in found.reason


@pytest.mark.parametrize(
    "text", ["", "<html></html>", "no XML", "<modeling>" * 50_000, "<modeling></modeling>", '<?xml version="1.0"?>']
)
def test_files_that_are_no_vasprun_are_one_line(tmp_path, text):
    found = read(tmp_path, text)
    assert found.energy is None and found.reason and "\n" not in found.reason and "Error" not in found.reason


def test_a_file_that_is_cut_anywhere_is_never_final(tmp_path):
    whole = vasprun(MGO, [-11.5, -11.9], {"EDIFFG": -0.02})
    for cut in range(0, len(whole) - 20, 37):
        assert read(tmp_path, whole[:cut]).energy is None, cut
    assert read(tmp_path, whole).converged


def test_outcar_says_the_same_as_vasprun(tmp_path):
    tags = {"EDIFFG": -0.02, "PREC": "Accurate", "LASPH": "T"}
    xml = read(tmp_path, vasprun(MGO, [-11.8, -11.9], tags))
    found = read(tmp_path, outcar(MGO, [-11.8, -11.9], tags), "OUTCAR")
    assert found.reason == "" and found.converged and found.steps == 1
    assert found.energy == xml.energy and found.method == xml.method
    assert found.structure.composition == xml.structure.composition
    assert found.structure.volume == pytest.approx(xml.structure.volume, rel=1e-6)
    assert sorted(round(d, 4) for d in found.structure.distance_matrix.flat) == sorted(
        round(d, 4) for d in xml.structure.distance_matrix.flat
    )
    stopped = read(tmp_path, outcar(MGO, [-11.8, -11.9], tags, force=1.3), "OUTCAR")
    assert not stopped.converged and "1.30 eV/angstrom left" in stopped.reason
    done = " reached required accuracy - stopping structural energy minimisation"
    assert read(tmp_path, outcar(MGO, [-11.8, -11.9], tags, force=1.3, said=done), "OUTCAR").converged
    assert "the file ends in the middle" in read(tmp_path, outcar(MGO, [-11.9], tags, ended=False), "OUTCAR").reason
    assert "energy of ionic step 1" in read(tmp_path, outcar(MGO, ["********"], tags), "OUTCAR").reason


@pytest.mark.parametrize(
    ("tags", "functional"),
    [
        ({"METAGGA": "R2SCAN"}, "r2SCAN"),
        ({"LHFCALC": "T", "HFSCREEN": 0.2, "AEXX": 0.25}, "HSE06"),
        ({"IVDW": 12}, "PBE-D3(BJ)"),
        ({"GGA": "PS"}, "PBEsol"),
        ({"GGA": "--"}, "PBE"),
    ],
)
def test_outcar_knows_the_method(tmp_path, tags, functional):
    assert read(tmp_path, outcar(MGO, [-11.9], tags), "OUTCAR").method.functional == functional
