"""A crystal as the text of a CIF file in space group P 1, with its sites in their order."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pymatgen.core import Structure


def cif_text(structure: Structure) -> str:
    """A data block with all sites of the cell. Charges and labels are left out.

    Lengths and angles do not say whether a cell is left-handed. Therefore the axes and the coordinates of a left-handed
    cell are both inverted, which gives the same crystal in a right-handed cell.
    """
    from nucleate.chem.elements import element_symbol
    from nucleate.chem.formula import formula_text
    from nucleate.crystal.convert import right_handed, species_numbers

    symbols = [element_symbol(int(z)) for z in species_numbers(structure)]
    counts = Counter(symbols)
    lattice = structure.lattice
    frac = right_handed(np.array(lattice.matrix), np.array(structure.frac_coords))[1] + 0.0  # and no "-0.0"
    units = int(np.gcd.reduce(list(counts.values())))
    formula = formula_text(structure.composition.element_composition)
    lines = [
        f"data_{formula}",
        "_symmetry_space_group_name_H-M   'P 1'",
        *(f"_cell_length_{k}   {v:.10f}" for k, v in zip("abc", lattice.abc, strict=True)),
        *(f"_cell_angle_{k}   {v:.10f}" for k, v in zip(("alpha", "beta", "gamma"), lattice.angles, strict=True)),
        "_symmetry_Int_Tables_number   1",
        f"_chemical_formula_sum   '{' '.join(f'{s}{n}' for s, n in counts.items())}'",
        f"_cell_volume   {abs(lattice.volume):.8f}",
        f"_cell_formula_units_Z   {units}",
        "loop_",
        " _symmetry_equiv_pos_site_id",
        " _symmetry_equiv_pos_as_xyz",
        "  1  'x, y, z'",
        "loop_",
        " _atom_site_type_symbol",
        " _atom_site_label",
        " _atom_site_symmetry_multiplicity",
        " _atom_site_fract_x",
        " _atom_site_fract_y",
        " _atom_site_fract_z",
        " _atom_site_occupancy",
        *(
            f"  {s}  {s}{i}  1  {x:.10f}  {y:.10f}  {z:.10f}  1"
            for i, (s, (x, y, z)) in enumerate(zip(symbols, frac, strict=True))
        ),
    ]
    return "\n".join(lines) + "\n"
