"""Write src/nucleate/reference/precedents.parquet: space group and occupied Wyckoff positions of known crystals.

    NUCLEATE_DATA=FOLDER python scripts/build_precedents.py [--recipe recipes/mp20-sites.toml]

The crystals are those that the recipe trains on: of MP-20 the training split alone, so that what adaptive cells find of
the others is found without having seen them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.chem.elements import element_symbol
from nucleate.crystal.asymmetric import asymmetric_units
from nucleate.data.sites import prepare_sites
from nucleate.generators.precedents import SHIPPED, write_sites
from nucleate.io import replacing
from nucleate.systems import load_recipe

RECIPE = Path(__file__).parent.parent / "recipes" / "mp20-sites.toml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    batch, summary = prepare_sites(recipe.data)
    units = asymmetric_units(batch)
    texts = [write_sites(tuple(sorted((element_symbol(s.atomic_number), s.letter) for s in u.sites))) for u in units]
    rows = sorted(zip((u.space_group for u in units), texts, strict=True))
    numbers, sites = zip(*rows, strict=True)
    table = pa.table({"space_group": pa.array(numbers, pa.uint8()), "sites": pa.array(sites)})
    table = table.replace_schema_metadata({"data": f"{recipe.data.dataset}, {summary.usable} crystals"})
    with replacing(SHIPPED) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=19)
    print(f"{SHIPPED}: {len(rows)} crystals, {SHIPPED.stat().st_size} bytes")


if __name__ == "__main__":
    main()
