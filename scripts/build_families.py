"""Write reference/families/members.parquet: which crystals of the library belong to the lexicon's families.

    python scripts/build_families.py

Of each structure type of `lexicon.tsv` the first crystal of its example's formula, space group and number of atoms, in
the order of the library, is the model. A member has the same space group, number of atoms, site symmetries and
neighbour distances (`crystal.prototype.same_prototype`), and elements whose charges the family allows. Where elements
fit the sites in several ways, it is the one whose electronegativities are ordered most like the model's. Of each member
are written its family, its structure type, its id, and as digits the places of the elements of the family's sites among
the elements of the crystal.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.chem.composition import reduced
from nucleate.chem.elements import atomic_number
from nucleate.chem.states import pauling_electronegativity
from nucleate.crystal.prototype import Prototype, prototype_of, same_prototype
from nucleate.families.family import Family, StructureType, lexicon
from nucleate.families.members import FILE
from nucleate.files import replacing
from nucleate.library.entries import KnownEntry
from nucleate.library.filters import Filters
from nucleate.library.library import load_library


def ways(family: Family, elements: dict[str, int]) -> Iterator[tuple[str, ...]]:
    """Elements on the sites of the family, each on one of its number."""
    for order in itertools.permutations(elements):
        if [elements[e] for e in order] == [n for _, n in family.sites]:
            yield order


def likeness(elements: Sequence[str], example: Sequence[str]) -> int:
    """Pairs of sites with the more electronegative element on the same side as in the example."""
    chi, model = ([pauling_electronegativity(e) or 1.5 for e in es] for es in (elements, example))
    return sum((chi[i] - chi[j]) * (model[i] - model[j]) > 0 for i in range(len(chi)) for j in range(i))


@cache
def features(entry: KnownEntry) -> Prototype:
    """What `same_prototype` compares."""
    return prototype_of(entry.structure)


def membership(family: Family, kind: StructureType, model: Prototype, entry: KnownEntry) -> tuple[str, ...] | None:
    """The elements site by site where the crystal belongs to the family with this structure type."""
    able = sorted(
        (way for way in ways(family, reduced(entry.composition)) if family.admits(way)),
        key=lambda w: -likeness(w, kind.elements),
    )
    for way in able:
        roles = {atomic_number(a): atomic_number(b) for a, b in zip(kind.elements, way, strict=True)}
        if same_prototype(model, features(entry), roles):
            return way
    return None


def main() -> None:
    library = load_library()
    rows: list[tuple[str, int, str, int, int]] = []
    for family in lexicon().values():
        for index, kind in enumerate(family.types):
            numbers = tuple(n for _, n in family.sites)
            size = (kind.num_atoms, kind.num_atoms)
            near = library.select(Filters(anonymous=numbers, space_groups=(kind.space_group,), num_atoms=size))
            units = dict(zip(kind.elements, numbers, strict=True))
            example = next((e for e in near if reduced(e.composition) == units), None)
            if example is None:
                raise SystemExit(f"{family.name}: no {kind.example} in space group {kind.space_group}")
            model, before = features(example), len(rows)
            for entry in near:
                if elements := membership(family, kind, model, entry):
                    order = "".join(str(entry.elements.index(e)) for e in elements)
                    table, row = entry.table, entry.row
                    rows.append((family.name, index, order, int(table.source[row]), int(table.number[row])))
            print(f"{family.name}, {kind.space_group}: {len(rows) - before} of {len(near)}", flush=True)
    names = "family", "structure_type", "order", "source", "number"
    kinds = (
        pa.dictionary(pa.int16(), pa.string()),
        pa.uint8(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.uint8(),
        pa.int32(),
    )
    place = {name: i for i, name in enumerate(lexicon())}
    rows.sort(key=lambda r: (place[r[0]], *r[1:]))
    columns = {n: pa.array(list(v), k) for n, k, v in zip(names, kinds, zip(*rows, strict=True), strict=True)}
    table = pa.table(columns, metadata={"attribution": library.entries().attribution})
    with replacing(FILE) as temporary:
        pq.write_table(
            table, temporary, compression="zstd", compression_level=19, use_dictionary=[*names[:3]],
            column_encoding={"source": "PLAIN", "number": "DELTA_BINARY_PACKED"},
        )  # fmt: skip
    print(f"{len(rows):,} members, {len({r[3:] for r in rows}):,} crystals; {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
