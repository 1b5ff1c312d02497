"""Write reference/formulas.parquet: the formulas of the Materials Project, against which "not known" is tested.

    NUCLEATE_DATA=FOLDER python scripts/build_formulas.py

Reduced formulas, elements in alphabetical order, each once, sorted. Data: `mp_2025` and `mp_formula_hull_dara`
(Materials Project, CC-BY 4.0).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.chem.formula import parse_formula
from nucleate.data.catalog import home
from nucleate.errors import NucleateError
from nucleate.hull.known_formulas import FILE, alphabetical_formula
from nucleate.io import replacing

TABLES = "mp_2025", "mp_formula_hull_dara"


def main() -> None:
    """Read, reduce, write; say what could not be read."""
    texts: set[str] = set()
    for name in TABLES:
        texts |= set(pq.read_table(home() / f"{name}.parquet", columns=["formula"]).column("formula").to_pylist())
    found, odd = set(), []
    for text in sorted(texts):
        try:
            found.add(alphabetical_formula(parse_formula(text)))
        except NucleateError:
            odd.append(text)
    table = pa.table({"formula": sorted(found)}, metadata={"source": "Materials Project, CC-BY 4.0"})
    with replacing(FILE) as temporary:
        pq.write_table(table, temporary, compression="zstd", compression_level=19)
    print(f"{len(found):,} formulas of {len(texts):,} texts; {len(odd)} that cannot be read: {', '.join(odd[:5])}")
    print(f"{FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
