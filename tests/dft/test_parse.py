"""Outputs written by hand as the programs write them, read back into one table."""

import csv
import gzip
import json

import pytest
from vasp_outputs import IRON, MG, O2, rocksalt, vasprun

from nucleate.cli.main import main
from nucleate.dft.compare import judge_outputs
from nucleate.dft.find import find_outputs
from nucleate.dft.parse import candidates_of_outputs, parse_output
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy


def pw_out(structure, energies, done=True, converged=True):
    """The lines of pw.x's output that count; energies of the cell in Rydberg."""
    cell, symbols = structure.lattice, [site.specie.symbol for site in structure]
    bohr, a = 0.529177210903, structure.lattice.a
    alat = a / bohr
    axes = "\n".join(
        f"               a({i}) = ( {x:10.6f} {y:10.6f} {z:10.6f} )"
        for i, (x, y, z) in enumerate(cell.matrix / a, start=1)
    )
    sites = "\n".join(
        f"     {i:5d}           {s:<4s}  tau({i:4d}) = ( {x:11.7f} {y:11.7f} {z:11.7f}  )"
        for i, (s, (x, y, z)) in enumerate(zip(symbols, structure.cart_coords / a, strict=True), start=1)
    )
    frame = "CELL_PARAMETERS (angstrom)\n" + "\n".join(f"{x:14.9f}{y:14.9f}{z:14.9f}" for x, y, z in cell.matrix)
    frame += "\n\nATOMIC_POSITIONS (crystal)\n"
    frame += "\n".join(
        f"{s:<4s}{x:16.10f}{y:16.10f}{z:16.10f}" for s, (x, y, z) in zip(symbols, structure.frac_coords, strict=True)
    )
    steps = f"\n\n{frame}\n\n".join(
        f"!    total energy              =    {e:.8f} Ry\n"
        + ("     convergence has been achieved in   9 iterations\n" if converged else "")
        for e in energies
    )
    end = "     Final enthalpy =    -1.0 Ry\n\n     PWSCF        :   1m10.50s CPU   1h 2m3.00s WALL\n\n   JOB DONE.\n"
    return f"""
     Program PWSCF v.6.7MaX starts on  1Jan2026 at 10: 0: 0

     bravais-lattice index     =            0
     lattice parameter (alat)  =  {alat:12.8f}  a.u.
     number of atoms/cell      =  {len(symbols):10d}
     number of atomic types    =  {len(set(symbols)):10d}
     kinetic-energy cutoff     =      60.0000  Ry
     Exchange-correlation= PBE
     celldm(1)= {alat:11.6f}  celldm(2)=   0.000000  celldm(3)=   0.000000

     crystal axes: (cart. coord. in units of alat)
{axes}

   Cartesian axes

     site n.     atom                  positions (alat units)
{sites}

     BFGS Geometry Optimization
{steps}
{end if done else ""}"""


def put(folder, name, text):
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".gz"):
        (folder / name).write_bytes(gzip.compress(text.encode()))
    else:
        (folder / name).write_text(text)
    return folder / name


def computed(folder):
    """What `nucleate dft parse` makes of a folder, by name."""
    outputs, _ = find_outputs([folder])
    results = [parse_output(o) for o in outputs]
    return {c.candidate.id: c for c in judge_outputs(results, candidates_of_outputs(outputs, results))}


def test_vasprun(tmp_path):
    found = parse_output(put(tmp_path / "c1", "vasprun.xml", vasprun(rocksalt(4.25), [-11.5, -11.9])))
    assert found.reason == "" and found.converged and not found.method.hubbard and found.steps == 1
    assert found.energy == pytest.approx(-5.95) and found.structure.volume == pytest.approx(4.25**3 / 4)
    assert found.method_name == "VASP 6.3.0 PBE(+U), plane waves 520 eV (uncorrected)"
    compressed = parse_output(put(tmp_path / "c2", "vasprun.xml.gz", vasprun(rocksalt(4.25), [-11.9])))
    assert compressed.energy == found.energy


def test_pw_out(tmp_path):
    ry = 13.605693
    found = parse_output(put(tmp_path / "c1", "pw.out", pw_out(rocksalt(4.25), [-80.0, -80.1])))
    assert found.reason == "" and found.converged and found.steps == 1
    assert found.energy == pytest.approx(-80.1 * ry / 2, rel=1e-6) and found.seconds == 3723
    assert found.structure.volume == pytest.approx(4.25**3 / 4, rel=1e-4)
    assert found.method_name == "Quantum ESPRESSO 6.7MaX PBE, plane waves 60 Ry (uncorrected)"
    killed = parse_output(put(tmp_path / "c2", "run.out", pw_out(rocksalt(4.25), [-80.0], done=False)))
    assert killed.energy is not None and not killed.converged
    early = parse_output(put(tmp_path / "c3", "pw.out", pw_out(rocksalt(4.25), [], done=False)))
    assert early.energy is None and "before the first energy" in early.reason


@pytest.mark.parametrize("name", ["vasprun.xml", "vasprun.xml.gz", "pw.out", "result.json"])
@pytest.mark.parametrize("text", ["", "garbage \x00", "<modeling><calc", "Program PWSCF v.6.7MaX\n crash"])
def test_outputs_that_cannot_be_read_are_reported_with_the_reason(tmp_path, name, text):
    found = parse_output(put(tmp_path / "c", name, text))
    assert found.energy is None and found.reason and "\n" not in found.reason


def test_a_vasprun_that_was_cut_off_has_no_final_energy_and_says_how_far_it_came(tmp_path):
    whole = vasprun(rocksalt(4.25), [-11.5, -11.9, -12.0], force=0.7)
    found = parse_output(put(tmp_path / "c", "vasprun.xml", whole[: whole.rindex("<calculation>") + 200]))
    assert found.energy is None and "after 2 whole ionic steps of at most 99 (0.7 eV/angstrom left)" in found.reason


def test_elements_among_the_outputs_give_formation_energies_of_their_own_method_alone(tmp_path):
    put(tmp_path / "MgO", "vasprun.xml", vasprun(rocksalt(4.25), [-11.9]))
    put(tmp_path / "Mg", "vasprun.xml", vasprun(MG, [-3.2]))
    put(tmp_path / "O", "vasprun.xml", vasprun(O2, [-9.8]))
    put(tmp_path / "other" / "MgO", "pw.out", pw_out(rocksalt(4.25), [-80.0]))
    by_name = computed(tmp_path)
    name = tmp_path.name
    mgo = by_name[f"{name}/MgO"]
    assert mgo.e_form == pytest.approx(-5.95 + 1.6 / 2 + 4.9 / 2)
    assert mgo.e_form_corrected == pytest.approx(mgo.e_form - 0.687 / 2)  # MP2020: O -0.687 eV
    assert mgo.e_above_hull is None and by_name["Mg"].e_form == pytest.approx(0)
    other = by_name["other/MgO"]
    assert other.e_form is None and other.missing[0].startswith("elements Mg, O by its own method, Quantum ESPRESSO")


def test_compounds_compete_and_a_plus_u_energy_is_never_shown_uncorrected(tmp_path):
    feo = rocksalt(4.3, "Fe", "O")
    plus_u = {"LDAU": "T", "LDAUU": [5.3, 0.0], "LDAUJ": [0.0, 0.0], "LDAUL": [2, 0]}
    put(tmp_path / "FeO", "vasprun.xml", vasprun(feo, [-12.0], plus_u))
    put(tmp_path / "FeO-2", "vasprun.xml", vasprun(feo, [-11.6], plus_u))
    put(tmp_path / "Fe", "vasprun.xml", vasprun(IRON, [-16.6]))
    put(tmp_path / "O", "vasprun.xml", vasprun(O2, [-9.8]))
    by_name = computed(tmp_path)
    low, high = by_name["FeO"], by_name["FeO-2"]
    assert low.e_form is None and low.e_form_corrected == pytest.approx(-6 + 8.3 / 2 + 4.9 / 2 - (0.687 + 2.256) / 2)
    assert high.e_above_hull is None and high.e_above_hull_corrected == pytest.approx(0.2) and high.lower_bound


def test_the_table_compares_outputs_with_their_candidates(tmp_path, capsys):
    energies = {"e_form": Energy(-3.05, "CHGNet 0.3.0 (MP2020-corrected PBE+U)")}
    mine = Candidate("c00007", structure=rocksalt(4.2), energies=energies)
    put(tmp_path / "c00007", "vasprun.xml", vasprun(rocksalt(4.25), [-11.9]))
    put(tmp_path / "c00007", "candidate.json", json.dumps({"name": "c00007", "candidate": mine.to_dict()}))
    put(tmp_path / "elements" / "Mg", "vasprun.xml", vasprun(MG, [-3.2]))
    put(tmp_path / "elements" / "O", "vasprun.xml", vasprun(O2, [-9.8]))
    put(tmp_path / "broken", "vasprun.xml", "<modeling>")
    main_(["dft", "parse", str(tmp_path), "--out", str(tmp_path / "table.csv")])
    with (tmp_path / "table.csv").open() as file:
        rows = {r["id"]: r for r in csv.DictReader(file)}
    assert float(rows["c00007"]["volume_change"]) == pytest.approx(100 * ((4.25 / 4.2) ** 3 - 1))
    assert float(rows["c00007"]["difference"]) == pytest.approx(float(rows["c00007"]["e_form_mp2020"]) + 3.05)
    assert rows["broken"]["status"] == "failed" and "ends in the middle" in rows["broken"]["reason"]
    assert "c00007" in capsys.readouterr().out


def main_(arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0


def test_a_folder_without_outputs_is_one_line(tmp_path):
    with pytest.raises(NucleateError, match="no result in .*looked for vasprun.xml, OUTCAR"):
        find_outputs([tmp_path])
    with pytest.raises(NucleateError, match="does not exist"):
        find_outputs([tmp_path / "nowhere"])


EXTRA = "     Exchange-correlation= PBE\n"
QE = {
    "PBEsol": ("= PBE\n", "= PBESOL\n"),
    "PBE-D3": ("     Final enthalpy", "     DFT-D3 Dispersion         =      -0.10000000 Ry\n     Final enthalpy"),
    "PBE-dispersion": (
        "     Final enthalpy",
        "     Dispersion Correction     =      -0.10000000 Ry\n     Final enthalpy",
    ),
    "PBE-XDM": ("     Final enthalpy", "     Dispersion XDM Correction =      -0.10000000 Ry\n     Final enthalpy"),
    "PBE with 0.25 of exact exchange": (EXTRA, EXTRA + "     EXX-fraction              =        0.25\n"),
    "PBE": ("= PBE\n", "= SLA  PW   PBX  PBC ( 1  4  3  4 0 0 0)\n"),
}


@pytest.mark.parametrize("name", QE)
def test_pw_out_knows_the_method(tmp_path, name):
    text = pw_out(rocksalt(4.25), [-80.1]).replace(*QE[name])
    found = parse_output(put(tmp_path, "pw.out", text))
    assert found.method.functional == name and found.converged
    assert bool(found.method.scale) is (name == "PBE")


def test_pw_out_knows_pseudopotentials_and_u(tmp_path):
    extra = """
     PseudoPot. # 1 for Fe1 read from file:
     ./pseudo/Fe.upf
     MD5 check sum: 874d5528bf087cea5d785f7b6a7bf583
     Pseudo is Ultrasoft, Zval = 16.0
     PseudoPot. # 2 for O  read from file:
     ./pseudo/O.upf

     Starting magnetic structure
     atomic species   magnetization
        Fe1          0.500
        O            0.000

     Simplified LDA+U calculation (l_max = 2) with parameters (eV):
     atomic species    L          U    alpha       J0     beta
        Fe1            2     5.2000   0.0000   0.0000   0.0000

"""
    found = parse_output(put(tmp_path, "pw.out", pw_out(rocksalt(4.3, "Fe"), [-80.1]).replace(EXTRA, EXTRA + extra)))
    assert found.method.potentials == {"Fe": "874d5528bf087cea5d785f7b6a7bf583", "O": "O.upf"}
    assert found.method.hubbard == {"Fe": "5.2 eV"} and "PBE+U (Fe 5.2 eV)" in found.method_name


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("-80.10000000 Ry", "NaN Ry", "no number"),
        ("-80.10000000 Ry", "************ Ry", "no number"),
        ("JOB DONE", "", "no JOB DONE"),
        (
            "     Final enthalpy",
            "     The maximum number of steps has been reached.\n     Final enthalpy",
            "nstep",
        ),
        ("     Final enthalpy", "     Maximum CPU time exceeded\n     Final enthalpy", "limit of time"),
        ("     convergence has been achieved in", "     convergence NOT achieved after", "did not converge"),
    ],
)
def test_pw_out_that_did_not_end_well(tmp_path, old, new, said):
    text = pw_out(rocksalt(4.25), [-80.1])
    assert old in text
    found = parse_output(put(tmp_path, "pw.out", text.replace(old, new)))
    assert said in found.reason and (found.energy is None or not found.converged)
