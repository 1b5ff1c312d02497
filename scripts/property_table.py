"""Mean absolute errors of property networks on test splits, beside those of the training mean, as a Markdown table.

    NUCLEATE_DATA=FOLDER python scripts/property_table.py [NAME_OR_FILE ...] [--split val]

Default: those of nucleate, and of nucleate-papers where it is installed. The test split is that of the recipe's first
dataset ("perov-5+..." -> perov-5).
"""

from __future__ import annotations

import argparse

import torch

from nucleate.data import prepare
from nucleate.evaluate.published import PROPERTIES, published, source
from nucleate.generators.properties import UNITS
from nucleate.systems.base import PROPERTY
from nucleate.train.property import load_property_network
from nucleate.train.shipped import shipped_weights


def table(names: list[str], split: str) -> str:
    """One row for each network and column."""
    rows = [
        f"| network | column | unit | crystals ({split}) | no answer | MAE (95 %) | median error | training mean's MAE "
        "| published |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in names:
        model = load_property_network(name)
        dataset = model.info.recipe.data.dataset.split("+")[0].partition(":")[0]
        crystals, _ = prepare(f"{dataset}:{split}", None, None, None, model.columns)
        refused = len(model.refusals(crystals))
        for column, values in model.predict(crystals).items():
            error = (values - crystals.properties[column]).abs()
            error = error[error.isfinite()]
            known = crystals.properties[column].isfinite()
            base = (crystals.properties[column][known] - model.info.properties[column].mean).abs().mean()
            half = 1.96 * float(error.std()) / len(error) ** 0.5
            unit = UNITS.get(column, "")
            rows.append(
                f"| {model.name} | {column} | {unit} | {len(error):,} | {refused} | {float(error.mean()):.4f} "
                f"({float(error.mean()) - half:.4f}-{float(error.mean()) + half:.4f}) | {float(error.median()):.4f} "
                f"| {float(base):.4f} | {_published(column, dataset)} |"
            )
    return "\n".join(rows) + "\n"


def _published(column: str, dataset: str) -> str:
    """Errors of other networks, each with its paper."""
    found = published(PROPERTIES, column, dataset)
    papers = {model: source(PROPERTIES, column, model, dataset) for model in found}
    return "; ".join(f"{model}: {value:g} ({papers[model]})" for model, value in found.items())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="*", help="shipped names or files; default: all that are shipped")
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(table(args.weights or shipped_weights(PROPERTY), args.split), end="")


if __name__ == "__main__":
    main()
