"""Names of structure types lead to the labels of the library."""

import pytest

from nucleate.api.knowing import known
from nucleate.crystal.canonical import canonical_crystal
from nucleate.errors import NucleateError
from nucleate.library.prototype_names import labels_of_name, named_prototypes, names_of_label, prototype_names
from tests.helpers.small_library import anatase, perovskite, rock_salt, rutile


@pytest.mark.parametrize(
    ("name", "crystal"),
    [
        ("Rutile", rutile("Ti", "O")),
        ("c4", rutile("Ti", "O")),
        ("A2B_tP6_136_f_a", rutile("Ti", "O")),
        ("anatase", anatase()),
        ("C5", anatase()),
        ("B1", rock_salt("Na", "Cl", 5.6)),
        ("e2_1", perovskite("Sr", "Ti", "O", 3.9)),
    ],
)
def test_names_lead_to_the_label_of_a_crystal_of_the_type(name, crystal):
    assert labels_of_name(name) == (canonical_crystal(crystal).anonymous_prototype,)


def test_what_the_table_holds():
    named = named_prototypes()
    assert len(named) > 270 and len({*named}) == len(named)
    assert all(p.aflow and p.example and p.label.split("_")[0].isalnum() for p in named)
    assert labels_of_name("nothing") == () and len(prototype_names()) > 500
    assert labels_of_name("quartz alpha") == labels_of_name("quartz (alpha)") == ("AB2_hP9_152_a_c",)


def test_known_crystals_are_found_by_a_name():
    assert "mp-361" in [entry.id for entry in known("Cu2O", prototype="cuprite")]
    assert {entry.prototype for entry in known(prototype="D0_3")} == {"AB3_cF16_225_a_bc"}
    assert known("MgAl2O4", prototype="A2BC4_cF56_227_d_a_e")[0].prototype == "AB2C4_cF56_227_a_d_e"
    assert all(entry.elements for entry in known(prototype="spinel")[:5])  # a crystal family


def test_an_unknown_name_gives_those_that_are_near():
    with pytest.raises(NucleateError, match=r"no crystal family is called 'cuprit'.*structure types: cuprite"):
        known(prototype="cuprit")


def test_a_label_has_a_short_name():
    assert names_of_label("ABC3_cP5_221_a_b_c") == ("perovskite",)  # "(Cubic) Perovskite" in the table
    assert names_of_label("AB_cF8_225_a_b") == ("halite",)  # "Halite, Rock Salt"
    assert names_of_label("AB_oC8_63_c_c") == ("B33",)  # no name, but a symbol of the Strukturbericht
    assert names_of_label("AB2_oP6_58_a_g") == ("zeta iron carbide", "marcasite", "hydrophilite")  # three types
    assert names_of_label("AB4C7D8_oP40_55_a_gh_cg2h_2g2h") == ()
    names = [name for p in named_prototypes() for name in names_of_label(p.label)]
    assert all(len(name) <= 31 and not set(name) & set("(),:") for name in names)
