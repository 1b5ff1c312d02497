import pytest
from typer.testing import CliRunner

from nucleate.chem.formula import formula_text
from nucleate.cli.main import app
from nucleate.families.family import lexicon
from nucleate.request.parse import parse_request


def call(*words):
    return CliRunner().invoke(app, ["families", *words], env={"COLUMNS": "200"})


def test_all_families_are_listed():
    text = call().stdout
    assert all(name in text for name in lexicon()) and "AB2X4" in text and "MgAl2O4" in text


def test_one_family_is_shown_with_its_known_members():
    text = call("elpasolites", "--top", "2").stdout
    assert "A2BMX6" in text and "charges A +1, B +1, M +3, X -1" in text and "Fm-3m (225), 10 atoms" in text
    assert "known members (Materials Project), the most stable first; 1,8" in text.replace("\n", " ")
    assert len([line for line in text.splitlines() if " mp-" in line]) == 2


def test_an_unknown_family_is_refused():
    found = call("spinell")
    assert found.exit_code == 1 and "near it: spinel" in str(found.exception)


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("Y3Al5O12", "Y3Al5O12 fits by its numbers and charges: garnet; next: nucleate design 'Y3Al5O12, garnet type'"),
        ("K2AgSbCl6", "elpasolite"),
        ("Li7La3Zr2O13", "fits no crystal family"),
    ],
)
def test_a_formula_is_answered_with_the_families_it_fits(formula, said):
    assert said in " ".join(call(formula).stdout.split())


def test_the_request_that_is_told_names_the_family():
    for name, one in lexicon().items():
        formula = formula_text(one.composition(one.types[0].elements))
        wanted = parse_request(f"{formula}, {name} type")
        assert wanted.families == (name,) and wanted.composition, name
