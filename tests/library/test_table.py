"""A library keeps every crystal, and is found to hold what was put into it."""

import pickle

import numpy as np
import pytest
from pymatgen.analysis.structure_matcher import StructureMatcher

from nucleate.crystal.canonical import canonical_crystal
from nucleate.errors import NucleateError
from nucleate.library.encoding import (
    MOST_STEPS,
    STEP,
    decoded_alone,
    decoded_by_model,
    encoded_alone,
    encoded_by_model,
    first_coordinates,
    steps_of,
)
from nucleate.library.faithful import faithful_form
from nucleate.library.library import load_library
from nucleate.library.packing import packed, unpacked_crystal, write_library
from nucleate.library.sites import label_of_sites, read_sites, written_sites
from nucleate.library.table import LibraryTable
from tests.helpers.small_library import CRYSTALS, disordered, perovskite, small_library


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return small_library(tmp_path_factory.mktemp("library"))


@pytest.mark.parametrize(("number", "given"), [(n, s) for n, s, _ in CRYSTALS])
def test_every_crystal_comes_back(library, number, given):
    entry = library[f"mp-{number}"]
    kept = entry.structure
    assert kept.composition.reduced_formula == given.composition.reduced_formula
    found = StructureMatcher(ltol=0.01, stol=0.05, angle_tol=1, scale=False).get_rms_dist(given, kept)
    assert found is not None and found[1] * (kept.volume / len(kept)) ** (1 / 3) < 0.01
    assert entry.space_group == canonical_crystal(given).space_group
    assert entry.prototype == canonical_crystal(given).anonymous_prototype
    assert entry.canonical.structure() == kept


def test_numbers_and_unknown_ones_come_back(library):
    for number, _, facts in CRYSTALS:
        entry = library[f"mp-{number}"]
        for name in ("e_above_hull", "e_form", "band_gap", "experimental"):
            assert getattr(entry, name) == facts.get(name), (entry, name)
        assert entry.mp20_split == facts.get("split", "")


def test_a_crystal_near_to_a_higher_symmetry_keeps_its_atoms_and_is_known_by_the_symmetry(library):
    entry = library["mp-3"]  # titanium is 0.03 angstrom off the centre
    assert entry.space_group_symbol == "Pm-3m" and entry.prototype == "ABC3_cP5_221_a_b_c"
    assert entry.canonical.space_group == 99 and "0.024" in entry.reason
    assert {e.id for e in library.of_prototype("ABC3_cP5_221_a_b_c")} == {"mp-1", "mp-2", "mp-3", "mp-15"}
    assert library["mp-1"].reason == ""


def test_what_no_symmetry_can_hold_is_in_p1():
    crystal = disordered(5, ["Li"] * 5)
    form = faithful_form(crystal.lattice.matrix, crystal.frac_coords, np.array([3] * 5))
    assert form.exact.space_group == 1 and not form.reason  # it has none


def test_files_are_the_same_for_any_order_and_other_files_are_refused(tmp_path):
    crystals = [unpacked_crystal(s, "mp", n, **facts) for n, s, facts in CRYSTALS]
    assert packed(crystals).equals(packed(crystals[::-1]))
    write_library(tmp_path / "x.parquet", packed(crystals).drop_columns(["model"]), {})
    with pytest.raises(NucleateError, match="lacks the column 'model'"):
        LibraryTable.read(tmp_path / "x.parquet")
    (tmp_path / "y.parquet").write_text("no")
    with pytest.raises(NucleateError, match=r"y\.parquet is no library"):
        load_library(tmp_path / "y.parquet")
    with pytest.raises(NucleateError, match="no library"):
        load_library(tmp_path / "absent.parquet")


def test_coordinates_are_kept_within_a_thousandth_of_an_angstrom():
    rng = np.random.default_rng(0)
    places, elements = [0, 0, 0, 0], [3, 3, 8, 8]
    for lengths in ([4000, 5000, 60_000], [200_000, 3000, 4000]):
        steps = steps_of(1, [*lengths, 9000, 9000, 9000], places)
        share = rng.random(12)
        values = np.round(share * steps).astype(np.int64) % steps
        firsts = first_coordinates(1, elements, places)
        assert firsts == [(0, -1), (3, 0), (6, -1), (9, 6)]
        assert (decoded_alone(encoded_alone(values, steps, firsts), steps, firsts) == values).all()
        other = np.full(12, 24 * 50)
        model = rng.integers(0, 1200, 12)
        coded = encoded_by_model(values, steps, model, other)
        assert (coded >= 0).all() and (coded < 65_536).all()
        assert (decoded_by_model(coded, steps, model, other) == values).all()
        away = np.abs((values / steps - share + 0.5) % 1 - 0.5) * np.tile(lengths, 4) / 1000
        assert away.max() <= (STEP / 2000 if max(lengths) <= MOST_STEPS * STEP else 0.0016)
        assert (steps % 24 == 0).all()


def test_alike_crystals_take_less_room():
    crystals = [unpacked_crystal(disordered(1, ["Li"] * 6 + ["O"] * 6, 6 + k / 50), "mp", k) for k in range(3)]
    assert packed(crystals)["model"].to_pylist() == [0, 1, 2]


def test_sites_are_written_by_element():
    assert written_sites(221, [38, 22, 8], [0, 1, 2]) == "a_b_c"
    assert written_sites(1, [3, 3, 8], [0, 0, 0]) == "2a_a"
    assert read_sites(14, "a2e_3e") == ((0, 4, 4), (4, 4, 4))
    assert label_of_sites(221, "a_b_c") == canonical_crystal(perovskite("Sr", "Ti", "O", 4)).anonymous_prototype
    with pytest.raises(NucleateError, match="no Wyckoff position 'z'"):
        read_sites(14, "z")
    with pytest.raises(NucleateError, match="no list of Wyckoff letters"):
        read_sites(14, "2-")


def test_volumes_are_those_of_the_primitive_cells():
    table = load_library().table
    rows = [int(np.flatnonzero(table.space_group == number)[0]) for number in (1, 2, 14, 62, 139, 148, 166, 194, 225)]
    for row in rows:
        lattice = table.primitive(row)[0]
        assert table.volumes[row] == pytest.approx(abs(np.linalg.det(lattice)), rel=1e-9)
    assert (table.volumes > 0).all()


def test_a_view_goes_to_other_processes_without_its_table():
    view = load_library().hidden(ids=["mp-149"])
    written = pickle.dumps(view)
    again = pickle.loads(written)
    assert len(written) < 50_000 and again.table is view.table
    assert len(again) == len(view) and "mp-149" not in again and again.hidden_text == view.hidden_text
