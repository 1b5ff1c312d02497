"""Energies of different methods are never combined: MgO by several methods with elements by plain PBE or the same."""

import json

import pytest
from vasp_outputs import IRON, MG, O2, rocksalt, vasprun

from nucleate.dft.compare import judge_outputs
from nucleate.dft.find import find_outputs
from nucleate.dft.parse import candidates_of_outputs, parse_output
from nucleate.pipeline.candidate import Candidate

U_NONE = {"LDAU": "T", "LDAUU": [0.0, 0.0], "LDAUJ": [0.0, 0.0], "LDAUL": [2, 2]}
LDA = {"Mg": "PAW Mg 23Jul1996", "O": "PAW O 22Mar2012"}
# name in the table, tags, titles of POTCARs
VARIANTS = {
    "r2SCAN": ({"METAGGA": "R2SCAN", "GGA": "--"}, {}),
    "SCAN": ({"METAGGA": "SCAN", "GGA": "--", "LASPH": "T"}, {}),
    "PBE0": ({"LHFCALC": "T", "AEXX": 0.25}, {}),
    "HSE06": ({"LHFCALC": "T", "HFSCREEN": 0.2, "AEXX": 0.25}, {}),
    "HSE03": ({"LHFCALC": "T", "HFSCREEN": 0.3, "AEXX": 0.25}, {}),
    "hybrid of PBE (AEXX = 0.3, HFSCREEN = 0.2)": ({"LHFCALC": "T", "HFSCREEN": 0.2, "AEXX": 0.3}, {}),
    "PBE-D2": ({"IVDW": 10}, {}),
    "PBE-D3": ({"IVDW": 11}, {}),
    "PBE-D3(BJ)": ({"IVDW": 12}, {}),
    "PBE-D4": ({"IVDW": 13}, {}),
    "PBE-TS": ({"IVDW": 20}, {}),
    "PBE-MBD": ({"IVDW": 202}, {}),
    "PBE-(IVDW = 77)": ({"IVDW": 77}, {}),
    "r2SCAN-D4": ({"METAGGA": "R2SCAN", "GGA": "--", "IVDW": 13}, {}),
    "vdW-DF": ({"GGA": "RE", "LUSE_VDW": "T", "AGGAC": 0.0}, {}),
    "optB88-vdW": ({"GGA": "BO", "LUSE_VDW": "T"}, {}),
    "SCAN+rVV10": ({"METAGGA": "SCAN", "GGA": "--", "LUSE_VDW": "T"}, {}),
    "LDA": ({"GGA": "CA"}, {}),
    "LDA ": ({"GGA": "--"}, LDA),
    "LDA  ": ({"GGA": None}, LDA),
    "PBEsol": ({"GGA": "PS"}, {}),
    "RPBE": ({"GGA": "RP"}, {}),
    "revPBE": ({"GGA": "RE"}, {}),
    "AM05": ({"GGA": "AM"}, {}),
    "PW91": ({"GGA": "91"}, {}),
    "GGA = ZZ": ({"GGA": "ZZ"}, {}),
    "PBE with spin-orbit coupling": ({"LSORBIT": "T"}, {}),
    "libxc GGA_X_PBE GGA_C_PBE": ({"METAGGA": "LIBXC", "LIBXC1": "GGA_X_PBE", "LIBXC2": "GGA_C_PBE"}, {}),
}
# methods that are all called PBE and still differ
OTHERS = {
    "cutoff": ({"ENMAX": 400.0}, {}),
    "precision": ({"PREC": "normal"}, {}),
    "aspherical": ({"LASPH": "T"}, {}),
    "POTCARs": ({}, {"Mg": "PAW_PBE Mg_pv 13Apr2007"}),
    "LDA POTCARs": ({"GGA": "PE"}, LDA),
    "unknown POTCARs": ({"GGA": None}, {"Mg": "", "O": ""}),
    "charged": ({"NELECT": 11.0}, {}),
    "pressure": ({"PSTRESS": 500.0}, {}),
    "field": ({"EFIELD": 0.2}, {}),
    "solvent": ({"LSOL": "T"}, {}),
    "held moments": ({"I_CONSTRAINED_M": 1}, {}),
    "hot electrons": ({"ISMEAR": -1, "SIGMA": 2.0}, {}),
    "U": (U_NONE | {"LDAUU": [3.0, 0.0]}, {}),
    "U on oxygen": (U_NONE | {"LDAUU": [0.0, 6.0]}, {}),
    "another version": ({}, {}),
}


def run(folder, compound, *elements):
    """MgO, Mg, O2 in their folders, each given as (tags, titles)."""
    several = (compound, *(elements or [({}, {})] * 2))
    for name, crystal, energy, (tags, titles) in zip(
        ("MgO", "Mg", "O2"), (rocksalt(4.25), MG, O2), (-14.0, -3.2, -9.8), several, strict=True
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "vasprun.xml").write_text(vasprun(crystal, [energy], tags, titles))
    return judged(folder)


def judged(folder):
    outputs, _ = find_outputs([folder])
    results = [parse_output(o) for o in outputs]
    return {
        c.candidate.id: (c, r)
        for c, r in zip(judge_outputs(results, candidates_of_outputs(outputs, results)), results, strict=True)
    }


def test_a_compound_and_elements_by_plain_pbe_have_a_formation_energy(tmp_path):
    mgo, result = run(tmp_path, ({}, {}))["MgO"]
    assert result.method_name == "VASP 6.3.0 PBE(+U), plane waves 520 eV (uncorrected)"
    assert mgo.e_form == pytest.approx(-3.75) and mgo.e_form_corrected == pytest.approx(-3.75 - 0.687 / 2)
    assert mgo.missing == () and mgo.remarks == ("POTCARs other than the Materials Project's: Mg (Mg; there Mg_pv)",)


def test_pbe_by_its_potcars_and_a_u_of_zero_are_plain_pbe(tmp_path):
    mgo, _ = run(tmp_path, ({"GGA": "--"} | U_NONE, {}), ({"GGA": None}, {}), ({"IVDW": 0}, {}))["MgO"]
    assert mgo.e_form == pytest.approx(-3.75) and mgo.e_form_corrected is not None


@pytest.mark.parametrize("name", [*VARIANTS, *OTHERS])
def test_another_method_between_elements_of_pbe_gives_no_formation_energy(tmp_path, name):
    variant = {**VARIANTS, **OTHERS}[name]
    rows = run(tmp_path, variant)
    if name == "another version":
        text = vasprun(rocksalt(4.25), [-14.0], version="5.4.4")
        (tmp_path / "MgO" / "vasprun.xml").write_text(text)
        rows = judged(tmp_path)
    mgo, result = rows["MgO"]
    assert result.energy == pytest.approx(-7.0) and result.converged
    if not name.startswith("U"):
        assert mgo.e_form is None and mgo.e_form_corrected is None and mgo.missing
    else:
        assert mgo.e_form is None and mgo.e_form_corrected is None
    if name in VARIANTS:
        assert result.method.functional == name.strip()
        assert f"VASP 6.3.0 {name.strip()}, plane waves 520 eV" in result.method_name
        assert "elements Mg, O by its own method" in mgo.missing[0] and "there is: VASP 6.3.0 PBE" in mgo.missing[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_compound_and_elements_of_one_method_give_its_formation_energy_without_mp2020(tmp_path, name):
    tags, titles = VARIANTS[name]

    def of(*symbols):
        return tags, {s: titles[s] for s in symbols if s in titles}

    mgo, result = run(tmp_path, of("Mg", "O"), of("Mg"), of("O"))["MgO"]
    assert mgo.e_form == pytest.approx(-3.75) and mgo.e_form_corrected is None and mgo.missing == ()
    assert any(r.startswith("no e_form + MP2020: MP2020 corrections are for PBE(+U)") for r in mgo.remarks)
    assert "(+U)" not in result.method_name


def test_energies_of_an_unknown_functional_are_never_compared(tmp_path):
    unknown = ({"GGA": None}, {"Mg": "Mg", "O": "O"})
    mgo, _ = run(tmp_path, unknown, unknown, unknown)["MgO"]
    assert mgo.e_form is None and "functional is not in the file" in mgo.missing[0]


def feo(folder, u, iron=0.0):
    def plus_u(*values):
        zeros, orbitals = [0.0] * len(values), [2] * len(values)
        return {"LDAU": "T", "LDAUU": list(values), "LDAUJ": zeros, "LDAUL": orbitals}

    for name, crystal, energy, tags in (
        ("FeO", rocksalt(4.3, "Fe"), -12.0, plus_u(u, 0.0)),
        ("Fe", IRON, -16.6, plus_u(iron)),
        ("O2", O2, -9.8, {}),
    ):
        (folder / name).mkdir(parents=True)
        (folder / name / "vasprun.xml").write_text(vasprun(crystal, [energy], tags))
    return judged(folder)["FeO"]


RAW = -6 + 8.3 / 2 + 4.9 / 2


def test_pbe_plus_u_of_the_materials_project_is_given_corrected_alone(tmp_path):
    found, result = feo(tmp_path, 5.3)
    assert found.e_form is None and found.e_form_corrected == pytest.approx(RAW - (0.687 + 2.256) / 2)
    assert result.method_name == "VASP 6.3.0 PBE(+U), plane waves 520 eV (uncorrected)"
    assert "no e_form, for want of element Fe with U = 5.3 eV" in found.remarks


def test_pbe_without_u_where_the_materials_project_has_one_is_not_corrected_and_says_so(tmp_path):
    found, result = feo(tmp_path, 0.0)
    assert found.e_form == pytest.approx(RAW) and found.e_form_corrected is None
    assert "PBE without U" in result.method_name
    assert any("U of Fe is none, there 5.3 eV" in r for r in found.remarks)


def test_energies_with_another_u_are_named_and_need_elements_with_that_u(tmp_path):
    found, result = feo(tmp_path / "a", 4.0)
    assert found.e_form is None and found.e_form_corrected is None
    assert found.missing == ("element Fe with U = 4 eV",) and "PBE+U (Fe 4 eV)" in result.method_name
    found, _ = feo(tmp_path / "b", 4.0, iron=4.0)
    assert found.e_form == pytest.approx(RAW) and found.e_form_corrected is None


def test_hulls_are_of_one_method_and_of_converged_compounds(tmp_path):
    run(tmp_path, ({}, {}))
    for name, energy, tags in (
        ("high", -13.6, {}),
        ("r2scan", -20.0, {"METAGGA": "R2SCAN"}),
        ("loose", -15.0, {"NELM": 1}),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vasprun.xml").write_text(vasprun(rocksalt(4.25), [energy], tags))
    rows = judged(tmp_path)
    assert rows["high"][0].e_above_hull == pytest.approx(0.2) and rows["MgO"][0].e_above_hull == pytest.approx(-0.2)
    assert rows["r2scan"][0].e_form is None and not rows["loose"][1].converged


def test_elements_that_are_not_converged_are_not_taken(tmp_path):
    mgo, _ = run(tmp_path, ({}, {}), ({"NELM": 1}, {}), ({}, {}))["MgO"]
    assert mgo.e_form is None and mgo.missing == ("element Mg that is converged",)


def test_impossible_formation_energies_are_questioned(tmp_path):
    run(tmp_path, ({}, {}))
    (tmp_path / "MgO" / "vasprun.xml").write_text(vasprun(rocksalt(4.25), [-40.0]))
    assert any("no real one" in r for r in judged(tmp_path)["MgO"][0].remarks)


def test_the_method_of_an_energy_that_is_not_converged_says_so(tmp_path):
    mgo, result = run(tmp_path, ({"NELM": 1}, {}))["MgO"]
    assert result.method_name == "VASP 6.3.0 PBE(+U), plane waves 520 eV, not converged (uncorrected)"
    assert mgo.e_form is not None and not result.converged


def test_a_result_of_another_compound_than_the_candidate_is_reported(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "vasprun.xml").write_text(vasprun(rocksalt(4.25), [-14.0]))
    record = Candidate("c1", structure=rocksalt(5.6, "Na", "Cl")).to_dict()
    (tmp_path / "a" / "candidate.json").write_text(json.dumps({"name": "c1", "candidate": record}))
    assert "the candidate.json beside it is of NaCl, the output of MgO" in judged(tmp_path)["c1"][0].remarks
