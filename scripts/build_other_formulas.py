"""Write src/nucleate/library/other_formulas.txt: known formulas of which the library has no crystal.

    NUCLEATE_DATA=FOLDER python scripts/build_other_formulas.py

Reduced formulas, elements in alphabetical order, sorted. Data: `mp_2025`, whose crystals of more than 200 atoms the
library leaves out, and `mp_formula_hull_dara`, formulas of an earlier release (Materials Project, CC-BY 4.0); and the
reference sets of energies.
"""

from __future__ import annotations

import pyarrow.parquet as pq
from pymatgen.core import Composition

from nucleate.data.catalog import home
from nucleate.files import replacing
from nucleate.hull.load import load_reference
from nucleate.library.library import load_library
from nucleate.library.other_formulas import FILE, written_formula

TABLES = "mp_2025", "mp_formula_hull_dara"
REFERENCES = "chgnet-mp", "sevennet-mp"
HEAD = (
    "# Formulas of known compounds without a crystal in nucleate's library, elements in alphabetical order.",
    "# Materials Project (materialsproject.org), CC-BY 4.0; written by scripts/build_other_formulas.py.",
)


def main() -> None:
    """Read, reduce, leave out those of the library, write."""
    texts: set[str] = set()
    for name in TABLES:
        texts |= set(pq.read_table(home() / f"{name}.parquet", columns=["formula"]).column("formula").to_pylist())
    compositions = [dict(key) for name in REFERENCES for key in load_reference(name).keys]
    for text in sorted(texts):  # by pymatgen, for which Np is never nitrogen and phosphorus
        compositions.append({e.symbol: round(n) for e, n in Composition(text).items()})
    library = load_library()
    other = {written_formula(c) for c in compositions if not len(library.of_formula(c))}
    with replacing(FILE) as temporary:
        temporary.write_text("\n".join([*HEAD, *sorted(other)]) + "\n", encoding="utf-8")
    print(f"{len(other):,} formulas of {len(texts):,} texts; {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
