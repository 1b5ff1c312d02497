"""The lexicon of crystal families agrees with the crystals that come with it."""

import math

import pytest

from nucleate.crystal.symmetry import space_group
from nucleate.errors import NucleateError
from nucleate.families.family import family_names, get_family, lexicon, normalised_name
from nucleate.families.members import family_prototype, known_members

TYPES = [(f.name, i) for f in lexicon().values() for i in range(len(f.types))]


def test_every_name_means_one_family():
    assert len(lexicon()) >= 100 and len(family_names()) > 200
    for f in lexicon().values():
        for word in (f.name, *f.synonyms):
            assert family_names()[normalised_name(word)] == f.name, word


def test_charges_are_balanced_site_by_site():
    for f in lexicon().values():
        assert f.charges or f.metallic, f.name
        for ways in f.charges:
            assert len(ways) == len(f.sites)
            assert sum(q * n for q, (_, n) in zip(ways, f.sites, strict=True)) == 0, (f.name, ways)


@pytest.mark.parametrize(("name", "index"), TYPES)
def test_prototypes_agree_with_the_lexicon(name, index):
    f, crystal = lexicon()[name], family_prototype(name, index)
    kind = f.types[index]
    assert len(crystal) == kind.num_atoms and space_group(crystal)[0] == kind.space_group
    units = {e.symbol: int(n) for e, n in crystal.composition.reduced_composition.items()}
    assert units == f.composition(kind.elements)
    assert kind.elements in {m.elements for m in known_members(name) if m.structure_type == index}


def test_members_are_of_the_family():
    for f in lexicon().values():
        found = known_members(f.name)
        assert {m.structure_type for m in found} == set(range(len(f.types)))
        assert all(f.admits(m.elements) for m in found[:50])
        heights = [m.e_above_hull for m in found if not math.isnan(m.e_above_hull)]
        assert heights == sorted(heights)


def test_site_chemistry_tells_families_of_one_structure_type_apart():
    elpasolite, oxide = lexicon()["elpasolite"], lexicon()["double perovskite"]
    assert elpasolite.ions(("Cs", "Ag", "Bi", "Br")) == (1, 1, 3, -1) and oxide.ions(("Cs", "Ag", "Bi", "Br")) is None
    assert oxide.ions(("Ba", "Y", "Nb", "O")) == (2, 3, 5, -2) and not elpasolite.admits(("Ba", "Y", "Nb", "O"))
    assert lexicon()["perovskite"].ions(("Li", "O", "Cl")) is None
    assert lexicon()["spinel"].ions(("Li", "Mn", "O")) == (1, 3.5, -2)  # mixed valence
    assert not elpasolite.admits(("Bi", "Co", "Ce", "O"))  # no peroxide
    assert lexicon()["pyrite"].ions(("Fe", "S")) == (2, -1) and lexicon()["antiperovskite"].admits(("Ca", "Sn", "O"))
    assert not lexicon()["calcite"].admits(("Ca", "C", "S")) and lexicon()["calcite"].admits(("Ca", "C", "O"))
    assert lexicon()["half-Heusler"].admits(("Ti", "Ni", "Sn"))


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("Spinels", "spinel"),
        ("halite", "rock salt"),
        ("Ruddlesden-Popper phase", "Ruddlesden-Popper n=1"),
        ("HALF HEUSLERS", "half-Heusler"),
    ],
)
def test_found_by_any_of_its_names(word, name):
    assert get_family(word).name == name


def test_the_error_for_an_unknown_name_has_similar_names():
    with pytest.raises(NucleateError, match="'spinell'; near it: spinel"):
        get_family("spinell")
    with pytest.raises(NucleateError, match="nucleate families lists them"):
        get_family("qqqqqqq")
