"""Write the table behind `nucleate.chem.descriptors`; needs ElementEmbeddings (pip install ElementEmbeddings==0.8.0).

python scripts/build_xenonpy.py
"""

from __future__ import annotations

import csv
import importlib.util
from importlib.metadata import version
from pathlib import Path

from nucleate.chem import descriptors
from nucleate.io import replacing

TABLE = Path(descriptors.__file__).parent / "tables" / "xenonpy.csv"
SOURCE = Path("data") / "element_representations" / "xenonpy_element_features.csv"
DIGITS = 6  # significant digits are enough: the features are standardised, and many of them are imputed values
HEADER = """\
# 58 features of 94 elements, the "completed" set of XenonPy (github.com/yoshida-lab/XenonPy; copyright 2021 TsumiNa),
# as distributed with ElementEmbeddings {version} (copyright 2022 Materials Design Group); licences in README.md.
# Values that no one has measured were imputed there. Written by scripts/build_xenonpy.py.
"""


def main() -> None:
    spec = importlib.util.find_spec("elementembeddings")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("ElementEmbeddings is not installed: pip install ElementEmbeddings==0.8.0")
    with (Path(spec.submodule_search_locations[0]) / SOURCE).open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    lines = [",".join(["symbol", *names[1:]])]
    for symbol, *values in rows:
        lines.append(",".join([symbol, *(f"{float(v):.{DIGITS}g}" for v in values)]))
    with replacing(TABLE) as part:
        part.write_text(HEADER.format(version=version("elementembeddings")) + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{TABLE.name}: {len(lines) - 1} elements, {len(names) - 1} features")


if __name__ == "__main__":
    main()
