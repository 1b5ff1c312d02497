"""Write the tables behind `nucleate.evaluate.measures.magpie`; needs matminer.

    python scripts/build_magpie.py                            # elemental properties
    python scripts/build_magpie.py --constants constants.py   # and the means and deviations of CDVAE

constants.py is cdvae/common/constants.py of github.com/txie-93/cdvae.
"""

from __future__ import annotations

import argparse
import ast
import math
from importlib.metadata import version
from pathlib import Path

from nucleate.chem.elements import SYMBOLS
from nucleate.evaluate.measures import magpie
from nucleate.io import replacing

TABLES = Path(magpie.__file__).parent / "tables"

MAGPIE = """\
# Elemental properties of Magpie: L. Ward, A. Agrawal, A. Choudhary, C. Wolverton, npj Comput. Mater. 2, 16028 (2016).
# As distributed with matminer {version} (copyright 2015, The Regents of the University of California; BSD licence in
# README.md), without its averages in place of unknown values. Written by scripts/build_magpie.py.
# MeltingT in K, CovalentRadius in pm, GSvolume_pa in cubic angstrom per atom, GSbandgap in eV, GSmagmom in muB.
"""
SCALER = """\
# Means and standard deviations of the Magpie features in CDVAE's evaluation: T. Xie, X. Fu, O.-E. Ganea, R. Barzilay,
# T. Jaakkola, ICLR 2022; CompScalerMeans and CompScalerStds in cdvae/common/constants.py of github.com/txie-93/cdvae
# (copyright 2021 Tian Xie, Xiang Fu; MIT licence in README.md). Written by scripts/build_magpie.py.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--constants", type=Path)
    args = parser.parse_args()
    write_properties(TABLES / "magpie.csv")
    if args.constants:
        write_scaler(args.constants, TABLES / "cdvae_scaler.csv")


def write_properties(path: Path) -> None:
    from matminer.featurizers.composition import ElementProperty

    preset = ElementProperty.from_preset("magpie", impute_nan=False)
    data = preset.data_source.all_elemental_props
    lines = [",".join(["symbol", *preset.features])]
    for symbol in SYMBOLS:
        values = [data[name].get(symbol, math.nan) for name in preset.features]
        if not all(map(math.isnan, values)):
            lines.append(",".join([symbol, *("" if math.isnan(v) else repr(v).removesuffix(".0") for v in values)]))
    write(path, MAGPIE.format(version=version("matminer")), lines)


def write_scaler(constants: Path, path: Path) -> None:
    numbers = {}
    for node in ast.parse(constants.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            numbers[node.targets[0].id] = ast.literal_eval(node.value)
    rows = zip(magpie.labels(), numbers["CompScalerMeans"], numbers["CompScalerStds"], strict=True)
    write(path, SCALER, ["feature,mean,std", *(f"{name},{mean!r},{std!r}" for name, mean, std in rows)])


def write(path: Path, header: str, lines: list[str]) -> None:
    with replacing(path) as part:
        part.write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(lines) - 1} rows")


if __name__ == "__main__":
    main()
