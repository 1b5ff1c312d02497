import pytest

from nucleate.crystal.table import COLUMNS, GRID_PLACES, ROWS, element_at, grid_place
from nucleate.errors import NucleateError


def test_every_element_has_one_place():
    assert len(GRID_PLACES) == len(set(GRID_PLACES)) == 118
    assert {element_at(r, c) for r in range(ROWS) for c in range(COLUMNS)} == {None, *range(1, 119)}
    assert all(element_at(*grid_place(z)) == z for z in range(1, 119))


def test_rows_and_groups_are_those_of_pymatgen():
    from pymatgen.core import Element

    for z in range(1, 119):
        element, (row, column) = Element.from_Z(z), grid_place(z)
        if element.is_lanthanoid or element.is_actinoid:
            assert row == (7 if element.is_lanthanoid else 8)
            assert column + 1 == 3 + z - (57 if element.is_lanthanoid else 89)
        else:
            assert (row + 1, column + 1) == (element.row, element.group)


def test_places_without_an_element_are_empty():
    # no element stands below yttrium, because lanthanum and actinium begin rows of their own
    assert [element_at(*p) for p in ((0, 1), (5, 2), (6, 2), (7, 1), (8, 17))] == [None] * 5
    assert [element_at(*p) for p in ((7, 2), (7, 16), (8, 2), (8, 16))] == [57, 71, 89, 103]


@pytest.mark.parametrize("z", [0, -1, 119])
def test_atomic_numbers_beyond_118_are_refused(z):
    with pytest.raises(NucleateError, match="1 to 118"):
        grid_place(z)


@pytest.mark.parametrize(("row", "column"), [(-1, 0), (9, 0), (0, -1), (0, 18)])
def test_places_outside_the_table_are_refused(row, column):
    with pytest.raises(NucleateError, match="outside the grid"):
        element_at(row, column)
