"""Crystals in canonical form, packed into the table of a library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.crystal.wyckoff import get_space_group
from nucleate.files import replacing
from nucleate.library.encoding import (
    encoded_alone,
    encoded_by_model,
    encoded_cell,
    first_coordinates,
    steps_of,
)
from nucleate.library.schema import MILLI, SOURCES, SPLITS, schema
from nucleate.library.sites import label_of_sites, written_sites

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray
    from pymatgen.core import Structure

MODELS = 200  # earlier crystals with the same sites that are tried as a model
ROW_GROUP = 16_384  # crystals whose geometry is read together
SHARE = 0.8  # of the bits without a model that a crystal may take with one
GAIN = 12  # bits that a model must save at least, for it has to be named


@dataclass(frozen=True)
class UnpackedCrystal:
    """A crystal to be packed.

    source, number: its id. space_group; cell: a, b, c in angstrom, alpha, beta, gamma in degrees; elements, places: of
    each site its atomic number and the place of its Wyckoff position; parameters: the free ones, site by site, in
    [0, 1): a `CanonicalCrystal`. near_space_group, prototype: of the crystal within 0.1 angstrom. reason: as in
    `FaithfulForm`. more: values of the other columns of `schema.schema`, energies in eV/atom and eV.
    """

    source: str
    number: int
    space_group: int
    cell: tuple[float, ...]
    elements: tuple[int, ...]
    places: tuple[int, ...]
    parameters: tuple[float, ...]
    near_space_group: int
    prototype: str
    reason: str = ""
    more: dict[str, Any] = field(default_factory=dict)


def unpacked_crystal(structure: Structure, source: str, number: int, **more: Any) -> UnpackedCrystal:
    """An ordered crystal in its faithful canonical form. Raises NucleateError for what is none."""
    from nucleate.crystal.convert import require_crystal, species_numbers
    from nucleate.library.faithful import faithful_form

    require_crystal(structure)
    form = faithful_form(structure.lattice.matrix, structure.frac_coords, species_numbers(structure))
    kept, table = form.exact, get_space_group(form.exact.space_group)
    return UnpackedCrystal(
        source,
        number,
        kept.space_group,
        tuple(kept.unit.cell),
        tuple(s.atomic_number for s in kept.orbits),
        tuple(table.index(s.letter) for s in kept.orbits),
        tuple(v for s in kept.orbits for v in s.parameters),
        form.near.space_group,
        form.near.anonymous_prototype,
        form.reason,
        more,
    )


def packed(crystals: Sequence[UnpackedCrystal]) -> pa.Table:
    """The table of the crystals, sorted by space group, sites, elements, cell and id."""
    import pyarrow as pa

    keyed = []
    for crystal in crystals:
        sites = written_sites(crystal.space_group, crystal.elements, crystal.places)
        cell = encoded_cell(crystal.space_group, crystal.cell)
        keyed.append(((crystal.space_group, sites, crystal.elements, cell, crystal.source, crystal.number), crystal))
    keyed.sort(key=lambda pair: pair[0])
    rows: list[dict[str, Any]] = []
    for (_, sites), same in groupby(keyed, key=lambda pair: pair[0][:2]):
        rows += _rows(sites, [(key[3], crystal) for key, crystal in same])
    return pa.Table.from_pylist(rows, schema=schema())


def write_library(path: Path, table: pa.Table, metadata: dict[str, str]) -> None:
    """Write the table as a parquet file, each column in the encoding in which it is smallest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    encodings = {}
    for entry in table.schema:
        name = entry.name
        kind = entry.type.value_type if pa.types.is_list(entry.type) else entry.type
        if pa.types.is_integer(kind) and kind.bit_width > 8:
            encodings[f"{name}.list.element" if kind is not entry.type else name] = "BYTE_STREAM_SPLIT"
    with replacing(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            temporary,
            compression="zstd",
            compression_level=19,
            use_dictionary=False,
            column_encoding=encodings,
            row_group_size=ROW_GROUP,
            data_page_size=1 << 26,
            write_statistics=False,
        )


def _rows(sites: str, crystals: Sequence[tuple[list[int], UnpackedCrystal]]) -> list[dict[str, Any]]:
    """Rows of crystals with the same space group and sites, in their order."""
    plain = label_of_sites(crystals[0][1].space_group, sites)
    models: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []  # row, coordinates and their steps
    out = []
    for row, (cell, crystal) in enumerate(crystals):
        steps = steps_of(crystal.space_group, cell, crystal.places)
        values = np.round(np.array(crystal.parameters, dtype=float) * steps).astype(np.int64) % steps
        model, coordinates = _by_model(row, values, steps, models[-MODELS:])
        if coordinates is None:
            models.append((row, values, steps))
            first = first_coordinates(crystal.space_group, crystal.elements, crystal.places)
            coordinates = encoded_alone(values, steps, first)
        out.append(
            {
                **_facts(crystal),
                "sites": sites,
                "prototype": None if crystal.prototype == plain else crystal.prototype,
                "cell": cell,
                "model": model,
                "coordinates": coordinates.tolist(),
            }
        )
    return out


def _by_model(
    row: int,
    values: NDArray[np.int64],
    steps: NDArray[np.int64],
    models: Sequence[tuple[int, NDArray[np.int64], NDArray[np.int64]]],
) -> tuple[int, NDArray[np.int64] | None]:
    """How many rows before the nearest model is, and the differences from it; 0 where none saves enough."""
    if not models or not len(steps):
        return 0, None
    tried = [encoded_by_model(values, steps, theirs, their_steps) for _, theirs, their_steps in models]
    bits = (np.log2(1 + np.array(tried)) + 1).sum(1)
    best = int(bits.argmin())
    alone = float(np.log2(steps).sum())
    if bits[best] > min(SHARE * alone, alone - GAIN):
        return 0, None
    return row - models[best][0], tried[best]


def _facts(crystal: UnpackedCrystal) -> dict[str, Any]:
    """The columns that are not about geometry."""
    split, made = crystal.more.get("split"), crystal.more.get("experimental")
    positions = get_space_group(crystal.space_group).positions
    elements = list(dict.fromkeys(crystal.elements))
    sizes = {e: 0 for e in elements}
    for element, place in zip(crystal.elements, crystal.places, strict=True):
        sizes[element] += positions[place].size
    numbers = {
        name: None if (value := crystal.more.get(name)) is None or value != value else round(1000 * value)
        for name in MILLI
    }
    return {
        "source": SOURCES.index(crystal.source),
        "number": crystal.number,
        "space_group": crystal.space_group,
        "near_space_group": None if crystal.near_space_group == crystal.space_group else crystal.near_space_group,
        "elements": elements,
        "counts": list(sizes.values()),
        "reason": crystal.reason or None,
        "split": SPLITS.index(split) if split else None,
        "experimental": None if made is None else int(made),
        "like": crystal.more.get("like"),
        **numbers,
    }
