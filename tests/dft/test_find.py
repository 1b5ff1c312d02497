"""Folders as people have them: stages, several calculations, nested, compressed, not run yet."""

import gzip

import pytest
from vasp_outputs import MG, O2, outcar, rocksalt, vasprun

from nucleate.dft.find import calculation_names, find_outputs
from nucleate.dft.parse import candidates_of_outputs, parse_output
from nucleate.errors import NucleateError

MGO = rocksalt(4.25)


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def found(folder):
    outputs, notes = find_outputs([folder])
    results = [parse_output(o) for o in outputs]
    return {c.id: r for c, r in zip(candidates_of_outputs(outputs, results), results, strict=True)}, notes


def test_of_the_stages_of_a_run_the_last_is_read_and_named(tmp_path):
    for name, energy in (
        ("vasprun.relax1.xml.gz", -11.0),
        ("vasprun.relax2.xml.gz", -12.0),
        ("OUTCAR.relax2.gz", -9.0),
    ):
        text = vasprun(MGO, [energy]) if "vasprun" in name else outcar(MGO, [energy])
        put(tmp_path / "MgO" / name, text)
    rows, _ = found(tmp_path)
    assert rows["MgO"].energy == pytest.approx(-6.0) and list(rows) == ["MgO"]
    assert "vasprun.relax2.xml.gz was read, the last of its run, not vasprun.relax1.xml.gz" in rows["MgO"].remarks
    put(tmp_path / "MgO" / "vasprun.relax10.xml", vasprun(MGO, [-12.5]))
    assert found(tmp_path)[0]["MgO"].energy == pytest.approx(-6.25)
    put(tmp_path / "MgO" / "vasprun.xml.gz", vasprun(MGO, [-13.0]))
    assert found(tmp_path)[0]["MgO"].energy == pytest.approx(-6.5)


def test_a_last_stage_that_failed_is_the_failure_of_the_run(tmp_path):
    put(tmp_path / "MgO" / "vasprun.relax1.xml", vasprun(MGO, [-11.0]))
    put(tmp_path / "MgO" / "vasprun.relax2.xml", vasprun(MGO, [-12.0])[:-200])
    (row,) = found(tmp_path)[0].values()
    assert row.energy is None and "vasprun.relax1.xml" in row.remarks[-1]


def test_several_calculations_of_one_folder_are_each_read(tmp_path):
    for name, crystal in (
        ("MgO.vasprun.xml", MGO),
        ("Mg.vasprun.xml", MG),
        ("vasprun.hse.xml", MGO),
        ("O2_OUTCAR", O2),
    ):
        put(tmp_path / name, vasprun(crystal, [-12.0]) if "xml" in name else outcar(crystal, [-9.8]))
    rows, _ = found(tmp_path)
    assert list(rows) == ["Mg.vasprun", "MgO.vasprun", "O2_OUTCAR", "vasprun.hse"]
    assert all(r.energy is not None for r in rows.values())


def test_nested_folders_of_one_name_get_names_of_their_own(tmp_path):
    for place in ("pbe/MgO", "hse/MgO", "pbe/deep/er/Mg"):
        put(tmp_path / place / "vasprun.xml", vasprun(MGO, [-12.0]))
    assert set(found(tmp_path)[0]) == {"pbe/MgO", "hse/MgO", "Mg"}


def test_outcar_alone_is_read_and_vasprun_goes_first(tmp_path):
    put(tmp_path / "a" / "OUTCAR.gz", outcar(MGO, [-12.0]))
    put(tmp_path / "b" / "OUTCAR", outcar(MGO, [-12.0]))
    put(tmp_path / "b" / "vasprun.xml", vasprun(MGO, [-11.0]))
    rows, _ = found(tmp_path)
    assert rows["a"].energy == pytest.approx(-6.0) and rows["b"].energy == pytest.approx(-5.5)


def test_one_that_failed_or_has_not_run_leaves_the_others(tmp_path):
    for i in range(5):
        put(tmp_path / f"c{i}" / "vasprun.xml", vasprun(MGO, [-12.0]))
    put(tmp_path / "c2" / "vasprun.xml", "<modeling><calc")
    (tmp_path / "c3" / "vasprun.xml").unlink()
    put(tmp_path / "c3" / "INCAR", "ENCUT = 520")
    put(tmp_path / "error.1.tar.gz", "x")
    rows, notes = found(tmp_path)
    assert [r.energy is not None for r in rows.values()] == [True, True, False, False, True]
    assert "no result yet: there is INCAR" in rows["c3"].reason
    assert notes == [f"archives in {tmp_path} were not opened (error.1.tar.gz): unpack those that hold results"]


def test_a_folder_without_a_result_says_what_was_looked_for(tmp_path):
    with pytest.raises(NucleateError, match="no result in .*looked for vasprun.xml, OUTCAR"):
        find_outputs([tmp_path])
    put(tmp_path / "INCAR", "ENCUT = 520")
    put(tmp_path / "run.tgz", "x")
    with pytest.raises(NucleateError, match=r"inputs that have not run: 1.*run.tgz"):
        find_outputs([tmp_path])


@pytest.mark.parametrize(
    ("name", "said"),
    [("runs.tar.gz", "archive"), ("runs.zip", "archive"), ("vaspout.h5", "vaspout.h5 cannot"), ("POSCAR", "known are")],
)
def test_files_that_are_no_outputs_are_reported(tmp_path, name, said):
    put(tmp_path / name, "x")
    (output,), _ = find_outputs([tmp_path / name])
    result = parse_output(output)
    assert result.energy is None and said in result.reason and "\n" not in result.reason


def test_a_file_given_by_name_is_named_after_its_folder_or_itself(tmp_path):
    put(tmp_path / "MgO" / "vasprun.xml", "")
    put(tmp_path / "MgO" / "MgO_vasprun.xml", "")
    outputs, _ = find_outputs([tmp_path / "MgO" / "vasprun.xml", tmp_path / "MgO" / "MgO_vasprun.xml"])
    assert list(calculation_names(outputs)) == ["MgO", "MgO_vasprun"]


def test_where_vasprun_is_cut_off_the_whole_outcar_of_the_run_is_read(tmp_path):
    put(tmp_path / "MgO" / "vasprun.xml", vasprun(MGO, [-12.0])[:-300])
    put(tmp_path / "MgO" / "OUTCAR", outcar(MGO, [-12.0]))
    (row,) = found(tmp_path)[0].values()
    assert row.energy == pytest.approx(-6.0) and "OUTCAR was read, for vasprun.xml has no energy" in row.remarks[-1]
    put(tmp_path / "MgO" / "OUTCAR", outcar(MGO, [-12.0], ended=False))
    (row,) = found(tmp_path)[0].values()
    assert row.energy is None and "ends in the middle" in row.reason


def test_the_printed_output_of_a_job_is_not_taken_for_an_outcar(tmp_path):
    put(tmp_path / "MgO" / "vasprun.xml", vasprun(MGO, [-12.0]))
    put(tmp_path / "MgO" / "vasp.out", " vasp.6.3.0 20Jan22 (build) complex\n POSCAR found :  2 types and 2 ions\n")
    assert list(found(tmp_path)[0]) == ["MgO"]
