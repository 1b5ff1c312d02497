"""The columns of the parquet file of a library, one row a crystal, in the order of `packing.packed`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

MILLI = ("e_above_hull", "e_form", "band_gap", "e_tie")  # kept in thousandths: meV/atom, meV
SOURCES = ("mp", "mvc", "oqmd")  # what ids begin with
TEXTS = ("sites", "prototype", "reason")
GEOMETRY = ("cell", "model", "coordinates")
SPLITS = ("train", "val", "test")  # of MP-20


def schema() -> pa.Schema:
    """Names and types of the columns. Energies and gaps are those of the Materials Project, null for other sources.

    source, number: 0 and 149 of mp-149 (`SOURCES`). space_group: of what is kept; near_space_group: of the crystal
    within 0.1 angstrom, null where it is the same. prototype: the structure type within 0.1 angstrom
    (`CanonicalCrystal.anonymous_prototype`), null where it is `sites.label_of_sites`. sites: of what is kept
    (`sites.written_sites`). elements, counts: atomic numbers in canonical order, and the atoms of each in the primitive
    cell. cell, coordinates: the geometry (`encoding`); model: how many rows before its model is, 0 where it has none.
    reason: why the crystal is kept with less symmetry than within 0.1 angstrom. experimental: 1 if it was made, 0 if
    not, null where that is not known. split: of MP-20, its place in SPLITS, null for none. like: the splits of MP-20 of
    which another crystal has the same formula and structure, as bits, null for none. e_tie: of crystals of one formula
    to which the Materials Project gives the same e_above_hull, the energy by CHGNet above the lowest of them; null for
    all others, and where CHGNet does not know an element.
    """
    import pyarrow as pa

    whole, small, texts = pa.int32(), pa.uint8(), pa.string()
    return pa.schema(
        [
            ("source", small),
            ("number", whole),
            ("space_group", small),
            ("near_space_group", small),
            ("prototype", texts),
            ("sites", texts),
            ("elements", pa.list_(small)),
            ("counts", pa.list_(small)),
            ("cell", pa.list_(whole)),
            ("model", whole),
            ("coordinates", pa.list_(pa.uint16())),
            ("reason", texts),
            ("e_above_hull", whole),
            ("e_form", whole),
            ("band_gap", whole),
            ("experimental", small),
            ("split", small),
            ("like", small),
            ("e_tie", whole),
        ]
    )
