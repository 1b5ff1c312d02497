"""A library of a few crystals, made in a moment."""

import numpy as np
from pymatgen.core import Lattice, Structure

from nucleate.library.library import Library
from nucleate.library.packing import packed, unpacked_crystal, write_library
from nucleate.library.table import LibraryTable


def perovskite(a, b, x, length, shift=0.0):
    frac = [[0, 0, 0], [0.5, 0.5, 0.5 + shift], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(length), [a, b, x, x, x], frac)


def rock_salt(a, b, length):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [a, b], [[0, 0, 0], [0.5, 0.5, 0.5]])


def rutile(a, b, x=0.305):
    cell = Lattice.tetragonal(4.6, 2.95)
    return Structure.from_spacegroup("P4_2/mnm", cell, [a, b], [[0, 0, 0], [x, x, 0]])


def fluorite(a, b, length):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(length), [a, b], [[0, 0, 0], [0.25, 0.25, 0.25]])


def anatase():
    cell = Lattice.tetragonal(3.79, 9.51)
    metal = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0, 0.5, 0.25], [0.5, 0, 0.75]])
    up = np.array([0, 0, 0.208])
    return Structure(cell, ["Ti"] * 4 + ["O"] * 8, np.concatenate([metal, metal + up, metal - up]))


def disordered(seed, species, length=6.3):
    rng = np.random.default_rng(seed)
    grid = rng.permutation(27)[: len(species)]
    frac = np.stack([grid // 9, grid // 3 % 3, grid % 3], 1) / 3 + rng.normal(0, 0.02, (len(species), 3))
    return Structure(Lattice.from_parameters(length, length * 1.1, length * 1.2, 80, 85, 95), species, frac)


CRYSTALS = (
    # number, structure, facts
    (1, perovskite("Sr", "Ti", "O", 3.905), dict(e_above_hull=0.001, e_form=-3.55, experimental=True, band_gap=1.78)),
    (2, perovskite("Ba", "Ti", "O", 4.0), dict(e_above_hull=0.0, e_form=-3.45, experimental=True, split="train")),
    (3, perovskite("Sr", "Ti", "O", 3.93, shift=0.0077), dict(e_above_hull=0.001, e_form=-3.5, experimental=False)),
    (4, rock_salt("Na", "Cl", 5.64), dict(e_above_hull=0.0, e_form=-2.1, experimental=True, split="test")),
    (5, rock_salt("Na", "Cl", 5.70), dict(e_above_hull=0.0, e_form=-2.1, experimental=False, split="train", like=4)),
    (6, rock_salt("Mg", "O", 4.21), dict(e_above_hull=0.0, e_form=-3.0, experimental=True, split="val", band_gap=4.5)),
    (7, rutile("Ti", "O"), dict(e_above_hull=0.02, e_form=-3.3, experimental=True, band_gap=1.8)),
    (8, anatase(), dict(e_above_hull=0.0, e_form=-3.31, experimental=True, band_gap=2.1)),
    (9, rutile("Sn", "O", 0.307), dict(e_above_hull=None, e_form=-1.9, experimental=None)),
    (10, Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]]), dict(e_above_hull=0.0)),
    (11, disordered(1, ["Li"] * 3 + ["Fe"] * 2 + ["O"] * 4), dict(e_above_hull=0.11, experimental=False)),
    (12, disordered(2, ["Li"] * 3 + ["Fe"] * 2 + ["O"] * 4), dict(e_above_hull=0.12, experimental=False)),
    (13, disordered(3, ["Li"] * 8 + ["O"] * 4), dict(e_above_hull=0.5)),
    (14, rock_salt("Li", "Cl", 5.1), dict(e_above_hull=0.0, e_form=-2.0, experimental=True, split="test")),
    (15, perovskite("Ca", "Ti", "O", 3.85), dict(e_above_hull=0.07, e_form=-3.4, experimental=False, band_gap=1.9)),
)  # fmt: skip


def small_library(folder, crystals=CRYSTALS) -> Library:
    path = folder / "known.parquet"
    table = packed([unpacked_crystal(s, "mp", n, **facts) for n, s, facts in crystals])
    write_library(path, table, {"name": "a few", "licence": "CC-BY 4.0", "attribution": "from a test, CC-BY 4.0"})
    return Library(LibraryTable.read(path))
