"""Reads crystals from CIF files, and refuses a file rather than silently reading another crystal than the file means.

gemmi parses the grammar (`text`); what the file means is decided here. The symmetry is read in every way that the file
allows (`symmetry`, `settings`), and each reading turns the rows of the file into atoms (`sites`, `orbits`). If formula,
Z, density and multiplicities (`evidence`) agree with only one reading, it is taken. Otherwise the file is refused, and
the message names the readings (`read`).
"""

from nucleate.io.cif.read import read_cif, structure_from_cif

__all__ = ["read_cif", "structure_from_cif"]
