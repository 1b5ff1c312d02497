"""Pack a finished training run into the package: half-precision weights and a model card.

    python scripts/ship.py runs/mp20-csp [--note TEXT] [--measured FILE.md]

The card's facts are read from the checkpoint; `--measured` holds what `nucleate evaluate` printed for these weights, or
`scripts/property_table.py` for those of a property network.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
from pathlib import Path

from nucleate.codecs.tokens import FORMULA
from nucleate.config import load_recipe
from nucleate.train.checkpoint import ModelInfo, load_network, save_weights
from nucleate.train.shipped import weights_folder
from nucleate.train.weights_file import read_metadata

CARD = """# {name}

| | |
|---|---|
{facts}

{note}
## Measured

{measured}
## Intended use and limits

{limits}
"""

CRYSTALS = """\
Generates inorganic crystals for screening; relax them and compute their energies before you believe them. Cells above
{max_atoms} atoms and elements outside the list are refused. Trained on the crystals of one database: its gaps and
biases are the model's. A wanted property is a wish that guidance makes stronger, not a guarantee: judge the result."""

FORMULAS = """\
Proposes compositions for screening. A formula that is neutral and balanced need not exist: give it a structure and an
energy. Rare combinations of charge states and formulas of many atoms are wrong more often. Elements outside the list
are refused. `balanced` is SMACT's verdict with its smact14 states, 1 or 0; a wanted property is a wish that guidance
makes stronger, not a guarantee."""

PROPERTIES = """\
A quick estimate for ranking and for metrics, not a potential: it has no forces, and crystals far from their minimum are
unlike anything it saw. The value does not depend on the cell that describes a crystal, supercells included. Elements
outside the list are refused. What it says of crystals that were made to have an extreme value is optimistic by its own
errors: confirm with another method."""

ROWS = (
    "task",
    "data",
    "its source",
    "conditions",
    "recipe",
    "code",
    "parameters",
    "training",
    "elements",
    "cells",
    "sampling",
)
SOURCES = {
    "mp_2025.parquet": "Materials Project (CC-BY 4.0), as of 2025",
    "mp-20": "Materials Project (CC-BY 4.0); selection and split of CDVAE",
    "perov-5": "Castelli et al., Energy Environ. Sci. 5, 5814 (2012); selection and split of CDVAE (MIT)",
    "carbon-24": "AIRSS data of Pickard (2020); selection and split of CDVAE (MIT)",
}


def main() -> None:
    """Write NAME.safetensors and NAME.md into src/nucleate/weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--note", default="", help="what a reader must know about how it was made")
    parser.add_argument("--measured", type=Path, help="Markdown with the measured numbers")
    parser.add_argument("--hardware", default="one CPU core")
    parser.add_argument("--commit", help="commit of the training code (default: HEAD)")
    args = parser.parse_args()
    file = args.run / "weights.safetensors"
    model, info = load_network(file, read_metadata(file).get("kind"))
    commit = (
        args.commit
        or subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    info.training["commit"] = commit
    recipe = Path(__file__).parent.parent / "recipes" / f"{info.recipe.name}.toml"
    if recipe.is_file():  # how to sample is often chosen once the training is over
        own = dataclasses.replace(info.recipe, sample=load_recipe(recipe).sample)
        info = dataclasses.replace(info, recipe=own)
    path = weights_folder() / f"{info.recipe.name}.safetensors"
    save_weights(path, model, info, half=True)
    size = path.stat().st_size / 1e6
    measured = args.measured.read_text() if args.measured else "Nothing yet.\n"
    card = path.with_suffix(".md")
    card.write_text(card_of(info, sum(p.numel() for p in model.parameters()), size, args.hardware, args.note, measured))
    print(f"{path.name}: {size:.1f} MB, card {card.name}")


def card_of(info: ModelInfo, parameters: int, size: float, hardware: str, note: str, measured: str) -> str:
    """The model card. size: MB on disk. measured: Markdown."""
    recipe, training = info.recipe, info.training
    rows = {
        "its source": SOURCES.get(recipe.data.dataset.split("+")[0].partition(":")[0], "the user's own"),
        "recipe": f"`recipes/{recipe.name}.toml`",
        "code": f"commit {training['commit']}",
        "parameters": f"{parameters:,} (float16 on disk: {size:.1f} MB)",
        "training": f"{training['steps']:,} steps, batch {recipe.train.batch_size}, {training['seconds']:,.0f} seconds "
        f"of wall time on {hardware}",
        "elements": f"{len(info.elements)}, seen in training",
    }
    if recipe.task == "property":
        rows |= _of_properties(info)
        command = f"`python scripts/property_table.py {recipe.name}`"
        measured = f"Mean absolute errors (MAE) of the shipped weights, {command}:\n\n{measured}"
        limits = PROPERTIES
    else:
        rows |= _of_formulas(info) if recipe.task == FORMULA else _of_crystals(info)
        rows |= {
            "conditions": _conditions(info),
            "sampling": ", ".join(f"{k} {v}" for k, v in dataclasses.asdict(recipe.sample).items()),
        }
        limits = FORMULAS if recipe.task == FORMULA else CRYSTALS.format(max_atoms=info.max_atoms)
    return CARD.format(
        name=recipe.name,
        facts="\n".join(f"| {name} | {rows[name]} |" for name in ROWS if name in rows),
        note=note + ("\n" if note else ""),
        measured=measured,
        limits=limits,
    )


def _of_crystals(info: ModelInfo) -> dict[str, str]:
    task = {"csp": "crystal structure prediction: composition of the cell given", "dng": "de novo generation"}
    return {
        "task": task[info.recipe.task],
        "data": f"{info.recipe.data.dataset}: {info.training['crystals']:,} crystals{_left_out(info)}",
        "cells": f"1 to {info.max_atoms} atoms",
    }


def _of_formulas(info: ModelInfo) -> dict[str, str]:
    recipe = info.recipe
    words = {"absorbing": "masked words (Diffusion-BERT)", "embedding": "vectors of words (Diffusion-LM)"}
    many = f"{info.training['formulas']:,} formulas of up to {info.max_atoms} atoms"
    return {
        "task": f"formulas, by {words[recipe.diffusion.words]}",
        "data": f"{recipe.data.dataset}: {many}; those of {' and '.join(recipe.data.exclude)} held out",
    }


def _of_properties(info: ModelInfo) -> dict[str, str]:
    sizes = [n for n, count in enumerate(info.num_atoms_counts) if count]
    known = ", ".join(f"{name} {stats.n:,}" for name, stats in info.properties.items())
    return {
        "task": f"properties of a crystal as it stands: {', '.join(info.recipe.network.predict)}",
        "data": f"{info.recipe.data.dataset}: {info.training['crystals']:,} crystals; with a value: {known}",
        "cells": f"{sizes[0]} to {sizes[-1]} atoms in training",
    }


def _left_out(info: ModelInfo) -> str:
    """What of the data set was not trained on."""
    said = [f"compositions of {' and '.join(info.recipe.data.exclude)} held out"] if info.recipe.data.exclude else []
    unfit = info.training.get("left out")
    said += [f"{unfit:,} left out, which the recipe's table or cell cannot hold"] if unfit else []
    return "".join(f"; {words}" for words in said)


def _conditions(info: ModelInfo) -> str:
    """What can be asked for, with what training saw of each property."""
    words = [name for name in info.recipe.network.condition_on if name not in info.conditions]
    words += [f"{name} ({s.n:,} values, {s.low:.4g} to {s.high:.4g})" for name, s in info.conditions.items()]
    return ", ".join(words) or "none"


if __name__ == "__main__":
    main()
