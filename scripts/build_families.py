"""Write reference/families/{prototypes,members}.parquet: which known crystals belong to the lexicon's families.

    NUCLEATE_DATA=FOLDER python scripts/build_families.py

For each structure type of `lexicon.tsv` the most stable crystal of its example's formula, space group and number of
atoms is the prototype. A member has the same space group, number of atoms, site symmetries and neighbour distances
(`crystal.prototype.same_prototype`), and elements whose charges the family allows; where elements fit the sites in
several ways, the one whose electronegativities are ordered most like the prototype's. Data: `mp_2025` (Materials
Project, CC-BY 4.0).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.chem.elements import atomic_number, element_symbol
from nucleate.chem.states import pauling_electronegativity
from nucleate.crystal.columns import structure_of_row
from nucleate.crystal.prototype import Prototype, prototype_of, same_prototype
from nucleate.data.catalog import home
from nucleate.families.family import FOLDER, Family, StructureType, lexicon

COLUMNS = ["material_id", "nsites", "atomic_numbers", "frac_coords", "lengths", "angles", "spacegroup", "e_above_hull"]
Row = dict[str, Any]


def counts(row: Row) -> dict[str, int]:
    """Element -> atoms in a formula unit."""
    found: Counter[int] = Counter(row["atomic_numbers"])
    unit = math.gcd(*found.values())
    return {element_symbol(z): n // unit for z, n in found.items()}


def height(row: Row) -> float:
    """Above the hull; what is not known counts as highest."""
    return math.inf if row["e_above_hull"] is None else row["e_above_hull"]


def ways(family: Family, elements: dict[str, int]) -> Iterator[tuple[str, ...]]:
    """Elements on the sites of the family, each on one of its number."""
    for order in itertools.permutations(elements):
        if [elements[e] for e in order] == [n for _, n in family.sites]:
            yield order


def likeness(elements: Sequence[str], example: Sequence[str]) -> int:
    """Pairs of sites with the more electronegative element on the same side as in the example."""
    chi, model = ([pauling_electronegativity(e) or 1.5 for e in es] for es in (elements, example))
    return sum((chi[i] - chi[j]) * (model[i] - model[j]) > 0 for i in range(len(chi)) for j in range(i))


def membership(family: Family, kind: StructureType, model: Prototype, row: Row) -> tuple[str, ...] | None:
    """The elements site by site where the crystal belongs to the family with this structure type."""
    elements = counts(row)
    able = sorted(
        (way for way in ways(family, elements) if family.admits(way)), key=lambda w: -likeness(w, kind.elements)
    )
    if not able:
        return None
    own = prototype_of(structure_of_row(row))
    for way in able:
        roles = {atomic_number(a): atomic_number(b) for a, b in zip(kind.elements, way, strict=True)}
        if same_prototype(model, own, roles):
            return way
    return None


def main() -> None:
    rows = pq.read_table(home() / "mp_2025.parquet", columns=COLUMNS).to_pylist()
    places: dict[tuple[int, int], list[Row]] = {}
    for row in rows:
        places.setdefault((row["spacegroup"], row["nsites"]), []).append(row)
    prototypes: list[Row] = []
    members: list[Row] = []
    for family in lexicon().values():
        for index, kind in enumerate(family.types):
            near = places.get((kind.space_group, kind.num_atoms), [])
            wanted = sorted(n for _, n in family.sites)
            near = [r for r in near if sorted(counts(r).values()) == wanted]
            units = dict(zip(kind.elements, (n for _, n in family.sites), strict=True))
            examples = [r for r in near if counts(r) == units]
            if not examples:
                raise SystemExit(f"{family.name}: no {kind.example} in space group {kind.space_group}")
            best = min(examples, key=height)
            key = {"family": family.name, "structure_type": index}
            prototypes.append({**key, **{c: best[c] for c in COLUMNS}})
            model = prototype_of(structure_of_row(best))
            found = []
            for row in near:
                elements = membership(family, kind, model, row)
                if elements is not None:
                    found.append((height(row), row, elements))
            found.sort(key=lambda f: (f[0], f[1]["material_id"]))
            members += [
                {
                    **key,
                    "material_id": r["material_id"],
                    "elements": " ".join(e),
                    "e_above_hull": r["e_above_hull"],
                    "volume": round(structure_of_row(r).volume / r["nsites"], 3),
                }
                for _, r, e in found
            ]
            print(f"{family.name}, {kind.space_group}: {len(found)} of {len(near)}", flush=True)
    for name, table in (("prototypes", prototypes), ("members", members)):
        pq.write_table(pa.Table.from_pylist(table), FOLDER / f"{name}.parquet", compression="zstd")
    print(f"{len(prototypes)} structure types, {len(members)} members")


if __name__ == "__main__":
    main()
