"""Outputs written by hand as the programs write them, read back into one table."""

import csv
import gzip
import json

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.cli.main import main
from nucleate.dft.parse import find_outputs, judge, parse
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Energy


def rocksalt(a, cation="Mg", anion="O"):
    return Structure(Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]]), [cation, anion],
                     [[0, 0, 0], [0.5, 0.5, 0.5]])  # fmt: skip


def vasprun(structure, energies, plus_u=False, nsw=99, nelm=100):
    """The parts of vasprun.xml that count; the last step has one electronic step more than the others."""
    symbols = [site.specie.symbol for site in structure]
    kinds = list(dict.fromkeys(symbols))

    def vectors(name, rows):
        lines = "".join(f"<v> {x:.8f} {y:.8f} {z:.8f} </v>" for x, y, z in rows)
        return f'<varray name="{name}">{lines}</varray>'

    geometry = (
        f'<crystal>{vectors("basis", structure.lattice.matrix)}<i name="volume"> {structure.volume} </i>'
        f"{vectors('rec_basis', structure.lattice.inv_matrix.T)}</crystal>{vectors('positions', structure.frac_coords)}"
    )
    u = "".join(f"{4.0 if plus_u and k == kinds[0] else 0.0:10.4f}" for k in kinds)
    hubbard = f'<i type="logical" name="LDAU"> {"T" if plus_u else "F"} </i>'
    hubbard += f'<v name="LDAUU">{u}</v><v name="LDAUJ">{u.replace("4.0", "0.0")}</v>'
    hubbard += f'<v type="int" name="LDAUL">{"  2" * len(kinds)}</v>'
    ions = "".join(f"<rc><c>{s}</c><c>{kinds.index(s) + 1}</c></rc>" for s in symbols)
    types = "".join(
        f"<rc><c>{symbols.count(k)}</c><c>{k}</c><c>1.0</c><c>6.0</c><c>PAW_PBE {k} 01Jan2001</c></rc>" for k in kinds
    )
    calculations = "".join(
        f"""<calculation><scstep><energy><i name="e_fr_energy">{e:.8f}</i><i name="e_wo_entrp">{e:.8f}</i>
<i name="e_0_energy">{e:.8f}</i></energy></scstep><structure>{geometry}</structure>
{vectors("forces", [[0, 0, 0]] * len(symbols))}{vectors("stress", [[0, 0, 0]] * 3)}
<energy><i name="e_fr_energy">{e:.8f}</i><i name="e_wo_entrp">{e:.8f}</i><i name="e_0_energy">{e:.8f}</i></energy>
</calculation>"""
        for e in energies
    )
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling><generator><i name="program" type="string">vasp </i><i name="version" type="string">6.3.0  </i>
<i name="date" type="string">2026 01 01</i><i name="time" type="string">10:00:00</i></generator>
<incar><i name="ENCUT">520.0</i><i type="int" name="NSW">{nsw}</i><i type="int" name="NELM">{nelm}</i>{hubbard}</incar>
<kpoints><generation param="Gamma"><v type="int" name="divisions">4 4 4</v></generation>
{vectors("kpointlist", [[0, 0, 0]])}<varray name="weights"><v>1.0</v></varray></kpoints>
<parameters><i name="ENMAX">520.0</i><i type="int" name="NSW">{nsw}</i><i type="int" name="NELM">{nelm}</i>
<i type="int" name="IBRION">2</i><i type="int" name="ISPIN">1</i><i type="string" name="GGA">PE</i>
<i type="logical" name="LEPSILON">F</i><i type="logical" name="LHFCALC">F</i>{hubbard}</parameters>
<atominfo><atoms>{len(symbols)}</atoms><types>{len(kinds)}</types>
<array name="atoms"><set>{ions}</set></array><array name="atomtypes"><set>{types}</set></array></atominfo>
<structure name="initialpos">{geometry}</structure>{calculations}
<structure name="finalpos">{geometry}</structure></modeling>
"""


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


MG = Structure(Lattice.hexagonal(3.19, 5.17), ["Mg", "Mg"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
O2 = Structure(Lattice.cubic(8.0), ["O", "O"], [[0.5, 0.5, 0.42], [0.5, 0.5, 0.58]])


def test_vasprun(tmp_path):
    found = parse(put(tmp_path / "c1", "vasprun.xml", vasprun(rocksalt(4.25), [-11.5, -11.9])))
    assert found.reason == "" and found.converged and not found.plus_u and found.steps == 1
    assert found.energy == pytest.approx(-5.95) and found.structure.volume == pytest.approx(4.25**3 / 4)
    assert found.method == "VASP 6.3.0 PBE(+U), plane waves 520 eV (uncorrected)"
    compressed = parse(put(tmp_path / "c2", "vasprun.xml.gz", vasprun(rocksalt(4.25), [-11.9])))
    assert compressed.energy == found.energy
    stopped = parse(put(tmp_path / "c3", "vasprun.xml", vasprun(rocksalt(4.25), [-11.8, -11.9], nsw=2)))
    assert not stopped.converged  # the step limit


def test_pw_out(tmp_path):
    ry = 13.605693
    found = parse(put(tmp_path / "c1", "pw.out", pw_out(rocksalt(4.25), [-80.0, -80.1])))
    assert found.reason == "" and found.converged and found.steps == 1
    assert found.energy == pytest.approx(-80.1 * ry / 2, rel=1e-6) and found.seconds == 3723
    assert found.structure.volume == pytest.approx(4.25**3 / 4, rel=1e-4)
    assert found.method == "Quantum ESPRESSO 6.7MaX PBE, plane waves 60 Ry (uncorrected)"
    killed = parse(put(tmp_path / "c2", "run.out", pw_out(rocksalt(4.25), [-80.0], done=False)))
    assert killed.energy is not None and not killed.converged
    early = parse(put(tmp_path / "c3", "pw.out", pw_out(rocksalt(4.25), [], done=False)))
    assert early.energy is None and "before the first energy" in early.reason


@pytest.mark.parametrize("name", ["vasprun.xml", "vasprun.xml.gz", "pw.out", "result.json"])
@pytest.mark.parametrize("text", ["", "garbage \x00", "<modeling><calc", "Program PWSCF v.6.7MaX\n crash"])
def test_what_cannot_be_read_is_a_reason(tmp_path, name, text):
    found = parse(put(tmp_path / "c", name, text))
    assert found.energy is None and found.reason and "\n" not in found.reason


def test_a_vasprun_that_was_cut_off_keeps_its_last_step(tmp_path):
    whole = vasprun(rocksalt(4.25), [-11.5, -11.9, -12.0])
    found = parse(put(tmp_path / "c", "vasprun.xml", whole[: whole.rindex("<calculation>") + 200]))
    assert found.energy == pytest.approx(-5.95) and not found.converged


def test_elements_among_the_outputs_give_formation_energies_of_their_own_method_alone(tmp_path):
    put(tmp_path / "MgO", "vasprun.xml", vasprun(rocksalt(4.25), [-11.9]))
    put(tmp_path / "Mg", "vasprun.xml", vasprun(MG, [-3.2]))
    put(tmp_path / "O", "vasprun.xml", vasprun(O2, [-9.8]))
    put(tmp_path / "other" / "MgO", "pw.out", pw_out(rocksalt(4.25), [-80.0]))
    results = [parse(f) for f in find_outputs([tmp_path])]
    named = zip(judge(results), results, strict=True)
    by_name = {c.candidate.id + ("" if "VASP" in r.method else " qe"): c for c, r in named}
    mgo = by_name["MgO"]
    assert mgo.e_form == pytest.approx(-5.95 + 1.6 / 2 + 4.9 / 2)
    assert mgo.e_form_corrected == pytest.approx(mgo.e_form - 0.687 / 2)  # MP2020: O -0.687 eV
    assert mgo.e_above_hull is None and by_name["Mg"].e_form == pytest.approx(0)
    assert by_name["MgO qe"].e_form is None and by_name["MgO qe"].missing == ("element Mg", "element O")


def test_compounds_compete_and_a_plus_u_energy_is_never_shown_uncorrected(tmp_path):
    feo = rocksalt(4.3, "Fe", "O")
    put(tmp_path / "FeO", "vasprun.xml", vasprun(feo, [-12.0], plus_u=True))
    put(tmp_path / "FeO-2", "vasprun.xml", vasprun(feo, [-11.6], plus_u=True))
    iron = Structure(Lattice.cubic(2.83), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    put(tmp_path / "Fe", "vasprun.xml", vasprun(iron, [-16.6]))
    put(tmp_path / "O", "vasprun.xml", vasprun(O2, [-9.8]))
    results = [parse(f) for f in find_outputs([tmp_path])]
    by_name = {c.candidate.id: c for c in judge(results)}
    low, high = by_name["FeO"], by_name["FeO-2"]
    assert low.e_form is None and low.e_form_corrected == pytest.approx(-6 + 8.3 / 2 + 4.9 / 2 - (0.687 + 2.256) / 2)
    assert high.e_above_hull is None and high.e_above_hull_corrected == pytest.approx(0.2) and high.bound


def test_the_table_knows_whose_outputs_they_are(tmp_path, capsys):
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
    assert rows["broken"]["status"] == "failed" and "cannot be read" in rows["broken"]["reason"]
    assert "c00007" in capsys.readouterr().out


def main_(arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0


def test_nothing_to_read_is_one_line(tmp_path):
    with pytest.raises(NucleateError, match="no output of VASP"):
        find_outputs([tmp_path])
    with pytest.raises(NucleateError, match="does not exist"):
        find_outputs([tmp_path / "nowhere"])
