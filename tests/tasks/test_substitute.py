import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from nucleate.cli.main import app
from nucleate.errors import NucleateError
from nucleate.families.ionic import log_substitution_probability
from nucleate.io.shared_sites import read_with_shared_sites
from nucleate.pipeline.candidate import Candidate
from nucleate.settings import SubstituteSettings
from nucleate.tasks.substitute import candidates_of, read_swaps, substitute_all


@pytest.fixture
def perovskite():
    return Structure.from_spacegroup(
        "Pm-3m", Lattice.cubic(3.85), ["Ca", "Ti", "O"], [[0.5] * 3, [0] * 3, [0.5, 0, 0]]
    )  # fmt: skip


def formulas(found):
    return [one.structure.composition.reduced_formula for one in found]


def groups(found):
    return [one.structure.get_space_group_info()[1] for one in found]


def test_all_combinations_the_likeliest_first(perovskite):
    found = substitute_all(perovskite, {"Ca": ["Ba", "Sr"], "Ti": "Zr"})
    assert formulas(found) == ["SrZrO3", "BaZrO3"]  # Sr2+ takes the place of Ca2+ more often than Ba2+
    assert [one.swaps for one in found] == ["Sr for Ca, Zr for Ti", "Ba for Ca, Zr for Ti"]
    assert found[0].likelihood == pytest.approx(
        log_substitution_probability([("Ca", 2, "Sr", 2), ("Ti", 4, "Zr", 4)])
    ) and -3 < found[1].likelihood < found[0].likelihood  # fmt: skip
    ratios = [one.structure.volume / perovskite.volume for one in found]
    assert ratios == pytest.approx([one.volume for one in found]) and 1.05 < ratios[0] < ratios[1] < 1.4
    assert groups(found) == [221, 221]
    (copy,) = substitute_all(perovskite, {"Ti": "Zr"}, SubstituteSettings(volume="copy"))
    assert copy.structure.volume == pytest.approx(perovskite.volume)


def test_the_probabilities_are_those_of_pymatgen():
    from pymatgen.core import Species
    from pymatgen.core.structure_prediction.substitution_probability import SubstitutionProbability

    expected = SubstitutionProbability().cond_prob(Species("Sr", 2), Species("Ca", 2))
    assert 10 ** log_substitution_probability([("Ca", 2, "Sr", 2)]) == pytest.approx(expected, rel=1e-4)
    assert log_substitution_probability([("Ca", 7, "Sr", 2)]) is None


def test_a_share_becomes_the_three_ordered_cells_of_ten_atoms(perovskite):
    found = substitute_all(perovskite, {"Ca": {"Sr": 0.5}})
    assert formulas(found) == ["SrCaTi2O6"] * 3 and [len(one.structure) for one in found] == [10] * 3
    assert sorted(groups(found)) == [123, 123, 225]  # layers, columns and rock salt order
    bonds = [min(one.structure.get_distance(0, i) for i in range(1, 10)) for one in found]
    assert min(bonds) > 1.8
    more = substitute_all(perovskite, {"Ca": {"Sr": 0.5}}, SubstituteSettings(max_atoms=20))
    assert [len(one.structure) for one in more].count(10) == 3 and len(more) == 9  # six more of four primitive cells


def test_a_third_may_be_written_with_two_digits(perovskite):
    assert formulas(substitute_all(perovskite, {"O": {"vacancy": 0.33}})) == ["CaTiO2"]
    (mixed,) = substitute_all(perovskite, {"O": {"S": 0.333, "Se": 0.667}})
    assert mixed.structure.composition.as_dict() == {"Ca": 1, "Ti": 1, "S": 1, "Se": 2}


def test_sets_of_equivalent_sites_are_taken_by_themselves():
    garnet = Structure.from_spacegroup(
        "Ia-3d",
        Lattice.cubic(12.0),
        ["Y", "Al", "Al", "O"],
        [[0.125, 0, 0.25], [0, 0, 0], [0.375, 0, 0.25], [-0.0306, 0.0512, 0.15]],
    )
    found = substitute_all(garnet, {"Al": "Ga"}, SubstituteSettings("orbits"))
    assert sorted(formulas(found)) == ["Y3Al2(GaO4)3", "Y3Al3(GaO6)2", "Y3Ga5O12"]
    assert set(groups(found)) == {230}
    assert formulas(substitute_all(garnet, {"Al": "Ga"})) == ["Y3Ga5O12"]


def test_orbits_that_a_shift_of_the_origin_makes_equal_are_one_crystal():
    both = Structure(Lattice.cubic(4), ["Na", "Na"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    layered = Structure(Lattice.tetragonal(4, 9), ["Na", "Na", "Cl"], [[0, 0, 0.2], [0, 0, 0.8], [0.5, 0.5, 0]])
    assert len(substitute_all(both, {"Na": "K"}, SubstituteSettings("orbits"))) == 1
    assert len(substitute_all(layered, {"Na": "K"}, SubstituteSettings("orbits"))) == 1


def test_shared_sites_are_ordered_and_replaced(perovskite, tmp_path):
    perovskite.replace(0, {"Ca": 0.5, "Sr": 0.5})
    assert formulas(substitute_all(perovskite, {})) == ["SrCaTi2O6"] * 3
    assert formulas(substitute_all(perovskite, {"Sr": "Ba"})) == ["BaCaTi2O6"] * 3
    perovskite.to(filename=str(tmp_path / "shared.cif"))
    (read,), (note,) = read_with_shared_sites([tmp_path / "shared.cif"])
    assert not read.structure.is_ordered and "read by pymatgen" in note.reason
    (tmp_path / "bad.cif").write_text((tmp_path / "shared.cif").read_text().replace("_cell_length_a", "_x"))
    with pytest.raises(NucleateError, match="no usable crystal"):
        read_with_shared_sites([tmp_path / "bad.cif"])


def test_the_given_cell_is_kept_where_nothing_is_shared(perovskite):
    perovskite.make_supercell([1, 1, 2])
    (found,) = substitute_all(perovskite, {"Ca": "Sr"})
    assert len(found.structure) == 10
    assert np.allclose(found.structure.lattice.abc, np.array(perovskite.lattice.abc) * found.volume ** (1 / 3))


@pytest.mark.parametrize(
    ("swaps", "settings", "words"),
    [
        ({"Fe": "Co"}, {}, "no Fe to replace; the elements are Ca, O, Ti"),
        ({"Ca": "Ca"}, {}, "change nothing"),
        ({"Ca": "Xx"}, {}, "'Xx' is not an element"),
        ({"Ca": []}, {}, "nothing is named to take the place of Ca"),
        ({}, {}, "nothing is to be replaced"),
        ({"Ca": {"Sr": 1.5}}, {}, "between 0 and 1, not 1.5"),
        ({"Ca": {"Sr": 0.75, "Ba": 0.75}}, {}, "add up to 1.5"),
        ({"Ca": {"Sr": 0.37}}, {}, "1,259,700 arrangements in cells of 95 sites, more than 100,000"),
        ({"Ca": {"Sr": 0.0125}}, {}, "the smallest cell that holds these shares has 305 sites, and at most 200"),
        ({"Ca": {"Sr": 0.5}}, {"max_atoms": 5}, "has 10 sites, and at most 5 are allowed"),
        ({"O": ["S", "Se"] * 6000}, {}, "there are 12,000 combinations, and at most 10,000"),
        ({"Ca": 3}, {}, "not 3"),
        ({"Ca": {"Sr": "half"}}, {}, "in place of Ca stands"),
        (["Ca"], {}, "swaps are written"),
        ({"Ca": "Sr"}, {"sites": "some"}, "not 'some'"),
        ({"Ca": "Sr"}, {"volume": "large"}, "not 'large'"),
        ({"Ca": "Sr"}, {"max_atoms": -1}, "max_atoms must be at least 0, not -1"),
    ],
)
def test_refusals_say_what_would_be_right(perovskite, swaps, settings, words):
    with pytest.raises(NucleateError, match=words):
        substitute_all(perovskite, swaps, SubstituteSettings(**settings))


def test_swaps_are_read_from_the_command_line():
    assert read_swaps(["Ca=Sr,Ba", "Ti=Zr:0.5", "O = S:0.5+Se:0.5"]) == {
        "Ca": ["Sr", "Ba"],
        "Ti": [{"Zr": 0.5}],
        "O": [{"S": 0.5, "Se": 0.5}],
    }
    for bad in ("Ca", "Ca=", "Ca=Sr:half"):
        with pytest.raises(NucleateError, match="write"):
            read_swaps([bad])


def test_candidates_have_names_checks_and_an_origin(perovskite):
    first, second = candidates_of(substitute_all(perovskite, {"Ca": ["Sr", "Ba"]}), "CaTiO3")
    assert (first.id, second.id) == ("SrTiO3-1", "BaTiO3-1") and first.checks["charge"].verdict == "pass"
    assert first.provenance["swaps"] == "Sr for Ca" and first.provenance["parent"] == "CaTiO3"
    made = first.origin.substitution
    assert made.swaps == "Sr for Ca" and made.log10_likelihood == first.provenance["log10_likelihood"]
    assert Candidate.from_dict(first.to_dict()).origin == first.origin


def test_the_command_writes_what_the_next_one_reads(perovskite, tmp_path):
    file, out = tmp_path / "CaTiO3.cif", tmp_path / "out.jsonl"
    perovskite.to(filename=str(file))
    run = CliRunner().invoke(app, ["substitute", str(file), "-s", "Ca=Sr,Ba,Mg", "--top", "2", "--out", str(out)])
    assert run.exit_code == 0, run.output
    assert "SrTiO3-1" in run.output and "Hautier" in run.output and "2 crystals in" in run.output
    assert len([json.loads(line) for line in out.read_text().splitlines()]) == 2
    again = CliRunner().invoke(app, ["substitute", str(file), "-s", "Ca=Sr", "--out", str(out)])
    assert isinstance(again.exception, NucleateError) and "exists" in str(again.exception)
