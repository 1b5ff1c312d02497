import numpy as np
import pytest
from pymatgen.core import Lattice

from nucleate.crystal.columns import GEOMETRY, arrays_of_row, structure_of_row
from nucleate.io.parse import structure_from_columns

ROW = {
    "atomic_numbers": [38, 22, 8],
    "frac_coords": [0.0, 0.0, 0.0, 0.5, 0.5, 0.25, 0.1, 0.2, 0.3],
    "lengths": [4.1, 5.2, 6.3],
    "angles": [81.0, 95.0, 103.0],
}


def test_a_row_is_the_crystal_that_its_columns_describe():
    lattice, frac, numbers = arrays_of_row(ROW)
    assert lattice.shape == (3, 3) and np.array(Lattice(lattice).parameters) == pytest.approx(
        [*ROW["lengths"], *ROW["angles"]]
    )
    assert frac.tolist() == [[0, 0, 0], [0.5, 0.5, 0.25], [0.1, 0.2, 0.3]] and numbers == [38, 22, 8]
    made = structure_of_row({**ROW, "material_id": "a", "e_form": None})
    assert [s.specie.symbol for s in made] == ["Sr", "Ti", "O"]
    assert made.lattice.matrix == pytest.approx(lattice) and made.frac_coords == pytest.approx(frac)


def test_it_is_the_crystal_that_the_reader_of_damaged_rows_finds():
    read = structure_from_columns(**{k: ROW[k] for k in GEOMETRY}).structure
    made = structure_of_row(ROW)
    assert read.lattice.matrix == pytest.approx(made.lattice.matrix) and read.composition == made.composition
    assert read.frac_coords == pytest.approx(made.frac_coords)
