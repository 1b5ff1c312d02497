"""Write src/nucleate/library/patterns.parquet: the Wyckoff patterns of the known crystals (`library.patterns`).

    python scripts/build_patterns.py

It takes about a minute, and must be done after each build of the library. The result is the same on every machine.
"""

from __future__ import annotations

import pyarrow.parquet as pq

from nucleate.files import replacing
from nucleate.library.library import load_library
from nucleate.library.patterns import FILE, pattern_table


def main() -> None:
    data = pattern_table(load_library().table)
    with replacing(FILE) as temporary:
        pq.write_table(
            data,
            temporary,
            compression="zstd",
            compression_level=22,
            use_dictionary=["sites"],
            column_encoding={"space_group": "DELTA_BINARY_PACKED", "crystals.list.element": "DELTA_BINARY_PACKED"},
        )
    print(f"{len(data):,} patterns, {FILE.stat().st_size:,} bytes in {FILE.name}")


if __name__ == "__main__":
    main()
