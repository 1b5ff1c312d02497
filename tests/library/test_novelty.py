"""Novelty by structure, with the library that comes with nucleate."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.library import load_library
from nucleate.library.matching import atoms_by_element
from nucleate.library.nearest import RELATIONS
from nucleate.library.novelty import MOST_IDS
from tests.helpers.small_library import perovskite, rock_salt, rutile, small_library

RUTILE = rutile("Cr", "O")


@pytest.fixture(scope="module")
def library():
    return load_library()


def disturbed(structure, seed=0):
    """As a relaxation leaves it: strained by up to 2 %, atoms moved by 0.03 angstrom, another cell and order."""
    rng = np.random.default_rng(seed)
    strain = rng.uniform(-0.02, 0.02, (3, 3))
    lattice = structure.lattice.matrix @ (np.eye(3) + (strain + strain.T) / 2)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    away = rng.normal(size=(len(structure), 3))
    away *= 0.03 / np.linalg.norm(away, axis=1, keepdims=True)
    frac = structure.frac_coords + away @ np.linalg.inv(lattice) + rng.uniform(size=3)
    return Structure(lattice @ turn, structure.species[::-1], frac[::-1])


def double_perovskite(a, b, other, length=7.9):
    places = [[0.25, 0.25, 0.25], [0, 0, 0], [0.5, 0.5, 0.5], [0.24, 0, 0]]
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [a, b, other, "O"], places)


def ordered_rutile(*metals):
    """Six metal atoms of three rutile cells along c, in the order of their heights."""
    cell = RUTILE * (1, 1, 3)
    places = sorted((i for i, s in enumerate(cell) if s.specie.symbol == "Cr"), key=lambda i: cell[i].frac_coords[2])
    for place, metal in zip(places, metals, strict=True):
        cell.replace(place, metal)
    return cell


@pytest.mark.parametrize("id", ["mp-3050", "mp-4428", "mp-1627", "mp-149", "mp-5827"])
def test_known_crystals_are_known_also_when_they_were_relaxed(library, id):
    """YAG, CaSiO3, Mo2S3, silicon, CaTiO3 above the hull."""
    entry = library[id]
    for structure in (entry.structure, disturbed(entry.structure), entry.structure * (1, 2, 1)):
        found = library.novelty(structure)
        assert found.word == "structure known" and id in found.ids and id in found.reason
        assert found.relative.relation == "same structure" and "volume per atom" in found.relative.differs


def test_a_mirror_image_is_known(library):
    quartz = library["mp-7000"].structure
    mirrored = Structure(quartz.lattice.matrix * [1, 1, -1], quartz.species, quartz.frac_coords)
    assert "mp-7000" in library.novelty(quartz).ids and "mp-7000" in library.novelty(mirrored).ids


def test_volumes_do_not_matter(library):
    salt = library.novelty(rock_salt("Na", "Cl", 6.2))
    assert salt.ids == ("mp-22862",) and salt.relative.differs.startswith("volume per atom +3")


@pytest.mark.parametrize(
    ("id", "word"), [("mp-3050", "new"), ("mp-5827", "formula known"), ("mp-149", "formula known")]
)
def test_hidden_crystals_cannot_come_back(library, id, word):
    view = library.hidden(ids=[id])
    for structure in (library[id].structure, disturbed(library[id].structure)):
        found = view.novelty(structure)
        assert found.word == word and id not in found.ids and id not in found.reason
        assert found.relative.entry.id in view and found.relative.relation in RELATIONS


def test_a_hypothetical_structure_of_a_known_formula(library):
    zincblende = Structure.from_spacegroup("P4/mmm", Lattice.tetragonal(3, 4), ["Si", "O"], [[0, 0, 0], [0, 0.5, 0.5]])
    found = library.novelty(zincblende)
    assert found.word == "formula known" and found.reason == (
        f"none of {len(library.of_formula({'Si': 1, 'O': 2}))} known crystals of its formula has its structure"
    )
    assert len(found.ids) == MOST_IDS


@pytest.mark.parametrize(
    ("structure", "formula", "parent"),
    [
        (ordered_rutile("Ta", "Cr", "Cr", "Ta", "Cr", "Cr"), "(Cr,Ta)O2", "mp-19177"),
        (double_perovskite("La", "Cr", "Fe", 7.8), "La(Cr,Fe)O3", "mp-18841"),
    ],
)
def test_orderings(library, structure, formula, parent):
    view = library.hidden(formulas=[atoms_by_element(structure)])
    for given in (structure, disturbed(structure)):
        found = view.novelty(given)
        assert found.word == "ordering of" and found.reason.startswith(f"{formula}: ") and parent in found.ids
        assert found.relative.relation == "disordered version" and " on a site of " in found.relative.differs


def test_other_structures_of_its_formula_are_told_beside_an_ordering(library):
    layers = ordered_rutile("Ti", "Sn", "Ti", "Sn", "Ti", "Sn")
    found = library.hidden(ids=library.novelty(layers).ids).novelty(layers)
    assert found.word == "ordering of" and found.reason.startswith("(Sn,Ti)O2: Sn and Ti would share a site of mp-")
    assert " of its formula known" in found.reason


def test_what_has_a_site_of_its_own_is_no_ordering(library):
    """Double perovskites with 2+ and 6+, and the garnet in which Al and Ga have different sites."""
    magnesium = double_perovskite("Sr", "Mg", "W")
    assert library.hidden(formulas=[{"Sr": 2, "Mg": 1, "W": 1, "O": 6}]).novelty(magnesium).word == "new"
    iron = double_perovskite("Sr", "Fe", "Mo")
    assert library.hidden(formulas=[{"Sr": 2, "Fe": 1, "Mo": 1, "O": 6}]).novelty(iron).word == "new"
    garnet = library["mp-3050"].structure
    near = [len(garnet.get_neighbors(site, 2.1)) for site in garnet]
    for i, site in enumerate(garnet):
        if site.specie.symbol == "Al" and near[i] == 4:
            garnet.replace(i, "Ga")
    assert garnet.composition.reduced_formula == "Y3Al2(GaO4)3"
    found = library.hidden(formulas=[{"Y": 3, "Al": 2, "Ga": 3, "O": 12}]).novelty(garnet)
    assert found.word == "new" and found.relative.relation == "same structure type"
    first = next(i for i, site in enumerate(garnet) if site.specie.symbol == "Ga")
    garnet.replace(first, "Al")  # now some Al is on the sites of Ga
    assert library.novelty(garnet).word == "ordering of"


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (None, "no structure"),
        (Structure(Lattice.cubic(4), [], []), "no structure"),
        (Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]]), "disordered"),
        (Structure(Lattice(np.diag([3.0, 3.0, 0.0])), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]), "no volume"),
        (Structure(Lattice.cubic(4), ["Na"], [[np.nan, 0, 0]]), "not a finite number"),
    ],
)
def test_what_cannot_be_compared_is_unknown(library, structure, reason):
    found = library.novelty(structure)
    assert found.word == "unknown" and reason in found.reason and found.relative is None and found.ids == ()


def test_larger_crystals_than_those_of_the_library_are_unknown(library):
    rng = np.random.default_rng(0)
    frac = np.stack(np.meshgrid(*[np.arange(6) / 6] * 3), -1).reshape(-1, 3) + rng.normal(0, 0.02, (216, 3))
    big = Structure(Lattice.cubic(14), ["Na"] * 108 + ["Cl"] * 108, frac)
    assert library.novelty(big).reason.startswith("216 atoms in the primitive cell; known crystals of up to 200")


def test_charges_of_species_do_not_matter(library):
    salt = rock_salt("Na", "Cl", 5.64)
    salt.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert library.novelty(salt).word == "structure known"


def test_nearest_relatives_and_what_differs(tmp_path):
    library = small_library(tmp_path)

    def near(structure):
        relative = library.novelty(structure).relative
        return relative.entry.id, relative.relation, relative.differs

    lead = near(perovskite("Pb", "Ti", "O", 3.905))
    assert lead == ("mp-15", "same structure type", "Pb for Ca; volume per atom +4.3 %")
    assert near(rock_salt("Ti", "O", 4.2)) == ("mp-6", "same structure type", "Ti for Mg; volume per atom -0.7 %")
    assert near(rutile("Ti", "O", 0.2))[1] == "same formula"
    places = [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    alone = Structure(Lattice.cubic(3.5), ["Re", "Re", "Re", "Ta"], places)
    what = "TaRe3 instead of Fe; Pm-3m instead of Im-3m; 4 instead of 1 atoms in the primitive cell; volume per atom "
    assert near(alone) == ("mp-10", "similar formula", f"{what}-9.3 %")
    empty = library.without(range(len(library)), "all")
    assert empty.novelty(alone).word == "new" and empty.novelty(alone).relative is None
