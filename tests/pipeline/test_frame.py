"""The pandas table of candidates."""

import math

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import Code
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.collection import Candidates
from nucleate.pipeline.frame import to_frame
from nucleate.pipeline.origin import Origin, Substitution, TemplateMatch
from nucleate.pipeline.rank import to_rows
from nucleate.pipeline.state import Phonons

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def candidates():
    relaxed = Candidate(
        "a",
        structure=SALT,
        energies={"energy": Energy(-3.4, "m")},
        checks={"charge": Check("pass"), "relaxed": Check("fail")},
        origin=Origin("template", template=TemplateMatch("mp-1", "KCl", {"K": "Na"})),
    )
    rejected = Candidate("b", checks={"charge": Check("unknown")}).failed("relax", Code.MEMORY, "it blew up")
    return Candidates([relaxed, rejected])


def test_the_columns_of_all_tables_come_first_and_then_those_for_computing():
    frame = candidates().to_frame()
    assert list(frame.columns[: len(to_rows(candidates())[0])]) == list(to_rows(candidates())[0])
    first, second = frame.iloc[0], frame.iloc[1]
    assert first["energy_per_atom"] == -3.4 and first["volume_per_atom"] == pytest.approx(5.6**3 / 8)
    assert first["density"] == pytest.approx(SALT.density) and first["converged"] is False
    assert (first["check_charge"], second["check_charge"], second["check_relaxed"]) == ("pass", "unknown", "")
    assert (second["failure_stage"], second["failure_code"]) == ("relax", str(Code.MEMORY))
    assert first["template"] == "mp-1" and first["generator"] == "template"
    assert "swaps" not in frame and "lowest_phonon_thz" not in frame


def test_numbers_that_are_not_known_are_nan_and_not_objects():
    frame = candidates().to_frame()
    assert math.isnan(frame["density"][1]) and frame["e_above_hull"].dtype == float
    assert frame["e_above_hull"].isna().all() and to_frame([]).empty


def test_substitutions_and_phonons_have_columns_where_there_are_any():
    made = Candidate("c", origin=Origin("substitution", substitution=Substitution("Sr for Ca", -2.5, 1.1, "CaTiO3")))
    shaken = Candidate("d", phonons=Phonons(lowest_thz=-0.4))
    frame = to_frame([made, shaken])
    assert list(frame["swaps"]) == ["Sr for Ca", ""] and frame["log10_likelihood"][0] == -2.5
    assert frame["parent"][0] == "CaTiO3" and frame["lowest_phonon_thz"][1] == -0.4
