"""What is asked of known crystals, and that hidden ones cannot be found in any way."""

import math

import pytest
from pymatgen.core import Lattice

from nucleate.errors import NucleateError
from nucleate.library.filters import Filters
from nucleate.library.library import load_library
from tests.helpers.small_library import perovskite, rock_salt, rutile, small_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


def ids(entries):
    return [entry.id for entry in entries]


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        (Filters(formula={"Sr": 2, "Ti": 2, "O": 6}), "mp-1 mp-3"),
        (Filters(system=("Li", "Fe", "O")), "mp-10 mp-11 mp-12 mp-13"),
        (Filters(system=("Li", "Fe", "O"), whole_system=True), "mp-11 mp-12"),
        (Filters(system=("Ti", "O"), num_elements=(2, 2)), "mp-8 mp-7"),
        (Filters(contains=("Ti",), exclude=("Sr", "Ba")), "mp-8 mp-7 mp-15"),
        (Filters(anonymous=(3, 1, 1)), "mp-2 mp-1 mp-3 mp-15"),
        (Filters(anonymous=(2, 4)), "mp-8 mp-7 mp-13 mp-9"),
        (Filters(anonymous=(1, 2, 3, 4, 5, 6)), ""),
        (Filters(space_groups=(136,)), "mp-7 mp-9"),
        (Filters(prototypes=("AB2_tP6_136_a_f",)), "mp-7 mp-9"),
        (Filters(prototypes=("nothing",)), ""),
        (Filters(band_gap=(1.8, 2.0)), "mp-7 mp-15"),
        (Filters(e_above_hull=(-math.inf, 0.0), experimental=True), "mp-2 mp-8 mp-6 mp-4 mp-14"),
        (Filters(num_atoms=(9, 12)), "mp-11 mp-12 mp-13"),
        (Filters(ids=("mp-7", "mp-99", "x")), "mp-7"),
        (Filters(e_form=(-2.05, -1.0)), "mp-14 mp-9"),
    ],
)
def test_filters(library, filters, wanted):
    assert " ".join(ids(library.select(filters))) == wanted


def test_order_of_ties_is_by_experiment_then_energy_then_size_then_id(library):
    assert ids(library.of_formula({"Na": 1, "Cl": 1})) == ["mp-4", "mp-5"]
    assert ids(library.select(Filters(system=("Sr", "Ti", "O"), whole_system=True))) == ["mp-1", "mp-3"]
    assert ids(library.select(Filters(num_elements=(2, 2))))[-1] == "mp-9"  # no energy: last


def test_a_filter_can_be_left_out(library):
    filters = Filters(formula={"Ti": 1, "O": 2}, space_groups=(225,))
    assert filters.asked() == ("formula", "space_groups")
    assert not library.select(filters) and len(library.select(filters.without("space_groups"))) == 2


def test_hidden_by_id_and_structure(library):
    view = library.hidden(ids=["mp-4"])
    assert len(view) == len(library) - 2 and "mp-4" not in view and "mp-5" not in view
    assert view.hidden_text == "1 ids: 1 crystals by id, 1 more by structure"
    nowhere(view, {"mp-4", "mp-5"})
    nowhere(library.hidden(ids=["mp-7"]), {"mp-7"})
    assert "mp-8" in library.hidden(ids=["mp-7"])  # another structure of the formula stays known


def test_hidden_by_formula_and_by_split(library):
    view = library.hidden(formulas=[{"Ti": 2, "O": 4}])
    nowhere(view, {"mp-7", "mp-8"})
    view = library.hidden(dataset="mp-20:test")
    nowhere(view, {"mp-4", "mp-5", "mp-14"})
    assert "mp-6" in view and view.hidden_text == "mp-20:test: 2 crystals by id, 1 more by structure"
    nowhere(library.hidden(dataset="mp-20"), {"mp-2", "mp-4", "mp-5", "mp-6", "mp-14"})
    both = view.hidden(ids=["mp-1"])
    nowhere(both, {"mp-1", "mp-3", "mp-4", "mp-5", "mp-14"})
    assert "mp-14" in library  # the library itself has not changed


def test_hidden_by_the_crystals_of_a_file(library, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    salt = rock_salt("Na", "Cl", 5.8)
    salt.make_supercell([1, 1, 2])
    row = {
        "atomic_numbers": [s.specie.Z for s in salt],
        "frac_coords": salt.frac_coords.ravel().tolist(),
        "lengths": list(salt.lattice.lengths),
        "angles": list(salt.lattice.angles),
    }
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "own.parquet")
    nowhere(library.hidden(dataset=str(tmp_path / "own.parquet")), {"mp-4", "mp-5"})


def test_a_choice_of_rows_is_narrowed_by_other_filters(library):
    titania = tuple(library.of_formula({"Ti": 1, "O": 2}).rows.tolist())
    assert set(ids(library.select(Filters(among=titania)))) == {"mp-7", "mp-8"}
    assert ids(library.select(Filters(among=titania, space_groups=(136,)))) == ["mp-7"]


def test_only_some_splits(library):
    view = library.only("mp-20:val,test")
    assert set(ids(view.entries())) == {"mp-4", "mp-6", "mp-14"} and "all but the 3 crystals" in view.hidden_text
    assert not len(library.hidden(ids=["mp-6"]).only("mp-20:val"))
    with pytest.raises(NucleateError, match="knows the splits of mp-20 alone"):
        library.only("perov-5:train")


def test_formulas_without_a_crystal_are_known_in_the_shipped_library_alone(library):
    every = load_library()
    assert every.knows_formula({"Al": 4, "O": 6}) and not every.knows_formula({"Xe": 7, "Tc": 3})
    assert every.knows_formula({"Ag": 4, "As": 2, "S": 4}) and not every.of_formula({"Ag": 2, "As": 1, "S": 2})
    assert not library.knows_formula({"Ag": 2, "As": 1, "S": 2})
    assert not library.hidden(formulas=[{"Na": 1, "Cl": 1}]).knows_formula({"Na": 1, "Cl": 1})


def nowhere(view, hidden):
    """No way of asking gives a hidden crystal."""
    table = view.table
    assert not hidden & set(ids(view.entries())) and not any(i in view for i in hidden)
    for entry in view.entries()[:0] or [view_entry(table, i) for i in hidden]:
        for filters in (
            Filters(formula=entry.composition),
            Filters(system=entry.elements),
            Filters(contains=entry.elements),
            Filters(space_groups=(entry.space_group,)),
            Filters(prototypes=(entry.prototype,)),
            Filters(num_atoms=(entry.num_atoms, entry.num_atoms)),
            Filters(ids=tuple(hidden)),
            Filters(among=tuple(range(len(table)))),
            Filters(),
        ):
            assert not hidden & set(ids(view.select(filters)))
        assert not hidden & set(ids(view.of_formula(entry.composition)) + ids(view.of_prototype(entry.prototype)))
        assert not hidden & {relative.entry.id for relative in view.like(entry.structure, 100)}
        found = view.novelty(entry.structure)
        assert found.word != "structure known" and not hidden & {*found.ids, found.relative.entry.id}
        with pytest.raises(NucleateError, match="no known crystal has the id"):
            view[entry.id]


def view_entry(table, id):
    from nucleate.library.library import Library

    return Library(table)[id]


def test_what_cannot_be_hidden_is_refused(library):
    with pytest.raises(NucleateError, match="no known crystal has the id 'mp-99', so it cannot be hidden"):
        library.hidden(ids=["mp-99"])
    with pytest.raises(NucleateError, match="MP-20 has the splits train, val, test, not 'tset'"):
        library.hidden(dataset="mp-20:val,tset")
    with pytest.raises(NucleateError):
        library.hidden(dataset="nosuch")


def test_entries_are_a_table(library):
    found = library.of_formula({"Ti": 1, "O": 2})
    assert repr(found).splitlines()[0] == "2 known crystals" and "anatase" not in repr(found)
    assert found[0] == library["mp-8"] and hash(found[0]) == hash(library["mp-8"]) and found[1:][0].id == "mp-7"
    frame = found.to_frame()
    assert frame["formula"].tolist() == ["TiO2", "TiO2"] and frame["space_group"].tolist() == ["I4_1/amd", "P4_2/mnm"]
    assert frame.attrs["attribution"] == "from a test, CC-BY 4.0"
    html = found._repr_html_()
    assert html.count("<tr>") == 3 and "CC-BY 4.0" in html
    assert [len(s) for s in found.structures] == [6, 6]
    assert found[0].structure.lattice != Lattice.cubic(1) and "TiO2, I4_1/amd, 6 atoms" in repr(found[0])
    assert "known crystals" in repr(library.entries()) and "0 known crystals" in repr(found[:0])


def test_nearest_known_crystals(library):
    def near(structure, view=library, count=10):
        return [(r.entry.id, r.relation) for r in view.like(structure, count)]

    salt = rock_salt("Na", "Cl", 5.9)
    assert near(salt)[:2] == [("mp-4", "same structure"), ("mp-5", "same structure")]
    assert near(salt)[2:] == [("mp-14", "same structure type"), ("mp-6", "same structure type")]
    assert near(salt, library.hidden(ids=["mp-4"])) == near(salt)[2:]
    lead = perovskite("Pb", "Ti", "O", 3.97)
    assert {i for i, _ in near(lead)} == {"mp-1", "mp-2", "mp-3", "mp-15"}
    assert near(lead, count=1)[0][1] == "same structure type"
    wurtzite = rutile("Ti", "O", 0.2)
    assert ("mp-8", "same formula") in near(wurtzite)
    distances = [r.distance for r in library.like(lead)]
    assert distances == sorted(distances) and distances[0] > 0
