"""Crystals from CIF files, none silently other than the file means.

gemmi reads the grammar (`text`); what the file means is decided here. The symmetry is read in every way that the file
allows (`symmetry`, `settings`), each reading makes atoms of the rows (`sites`, `orbits`), and what the file says of
formula, Z, density and multiplicities (`evidence`) leaves one reading, or the file is refused with the readings named
(`read`).
"""

from nucleate.io.cif.read import read_cif, structure_from_cif

__all__ = ["read_cif", "structure_from_cif"]
