"""How each metric of `evaluate dng` responds to damage: real crystals, and real crystals damaged in one way at a time.

    NUCLEATE_DATA=FOLDER python scripts/sanity_table.py [--n 1000]

Prints the table of docs/evaluation.md. The crystals are a random sample of mp-20:train, the reference is mp-20:test,
the known crystals for novelty are all of mp-20:train: undamaged samples are not novel.
"""

from __future__ import annotations

import argparse

import numpy as np

from nucleate.data.catalog import user_cache
from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, Item, read_dataset
from nucleate.evaluate.measurements import DngSettings
from nucleate.evaluate.measures.distributions import random_subset
from nucleate.evaluate.metric import RATE, Report, format_value

COLUMNS = {
    "valid_structure": "structure",
    "valid_structure_corrected": "corrected",
    "valid_composition": "composition",
    "cov_recall": "COV-R",
    "cov_precision": "COV-P",
    "cov_precision_joint": "COV-P joint",
    "w_density_all": "W density",
    "w_elements_all": "W elements",
    "w_e_form": "W e_form",
    "frechet_crystalnn": "FD CrystalNN",
    "frechet_network": "FD network",
    "js_space_groups": "JS groups",
    "p1": "P1",
    "unique": "unique",
    "novel": "novel",
}


def shuffled_coordinates(item: Item, rng: np.random.Generator) -> Item:
    """Every atom somewhere else in the same cell."""
    from pymatgen.core import Structure

    s = _structure(item)
    return Item(item.name, Structure(s.lattice, s.species, rng.random((len(s), 3))))


def random_lattice(item: Item, rng: np.random.Generator) -> Item:
    """Another cell, of lengths 3 to 12 angstrom and angles 60 to 120 degrees, with the same fractional coordinates."""
    from pymatgen.core import Lattice, Structure

    s = _structure(item)
    while True:
        lattice = Lattice.from_parameters(*rng.uniform(3, 12, 3), *rng.uniform(60, 120, 3))
        if lattice.volume > 1:  # NaN where the angles close no cell
            return Item(item.name, Structure(lattice, s.species, s.frac_coords))


def permuted_species(item: Item, rng: np.random.Generator) -> Item:
    """The same elements in the same numbers on each other's sites."""
    from pymatgen.core import Structure

    s = _structure(item)
    return Item(item.name, Structure(s.lattice, [s.species[i] for i in rng.permutation(len(s))], s.frac_coords))


def other_elements(item: Item, rng: np.random.Generator) -> Item:
    """Each element replaced by one drawn from those up to bismuth."""
    from pymatgen.core import Element, Structure

    s = _structure(item)
    symbols = sorted({e.symbol for e in s.species})
    drawn = rng.choice(83, len(symbols), replace=False) + 1
    new = {symbol: Element.from_Z(int(z)) for symbol, z in zip(symbols, drawn, strict=True)}
    return Item(item.name, Structure(s.lattice, [new[e.symbol] for e in s.species], s.frac_coords))


def _structure(item: Item):
    assert item.structure is not None
    return item.structure


def sets(train: CrystalSet, n: int) -> list[CrystalSet]:
    """The sample and its damaged copies."""
    sample = train.subset(random_subset(len(train), n, 1).tolist(), "training sample")
    out = [sample]
    for damage in (shuffled_coordinates, random_lattice, permuted_species, other_elements):
        rng = np.random.default_rng(0)
        items = tuple(damage(item, rng) for item in sample.items)
        out.append(CrystalSet(damage.__name__.replace("_", " "), items))
    tenth = sample.items[: n // 10]
    out.append(CrystalSet("a tenth of it, 10 times", tuple(item for item in tenth for _ in range(10))))
    return out


def print_table(reports: list[Report]) -> None:
    """Print a table with a row for each metric and a column for each set."""
    print(f"| | {' | '.join(r.subject for r in reports)} |")
    print("|---" * (len(reports) + 1) + "|")
    for name, label in COLUMNS.items():
        cells = (format_value(r[name], r[name].value).split(" ")[0] for r in reports)
        unit = " %" if reports[0][name].kind == RATE else f", {u}" if (u := reports[0][name].unit) else ""
        print(f"| {label}{unit} | {' | '.join(cells)} |")


def main() -> None:
    """Judge each set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=1000, help="crystals in each set")
    args = parser.parse_args()
    train, test = read_dataset("mp-20:train"), read_dataset("mp-20:test")
    cache = user_cache() / "evaluate"
    print_table([evaluate_dng(crystals, test, DngSettings(), cache=cache) for crystals in sets(train, args.n)])


if __name__ == "__main__":
    main()
