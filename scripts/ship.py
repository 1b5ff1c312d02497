"""Pack a finished training run into a package: half-precision weights and a model card.

    python scripts/ship.py runs/mp20-csp [--note TEXT] [--measured FILE.md]

The card's facts are read from the checkpoint; `--measured` is a file with the output of `nucleate evaluate` for these
weights, or of `scripts/property_table.py` for those of a property network.

A model that a command chooses by itself belongs to nucleate, whose weights have 30 MB at most. Any other belongs to
nucleate-papers: give it a line in PAPERS (src/nucleate/train/papers.py) first, by which this script knows the package.
"""

from __future__ import annotations

import argparse
import dataclasses
import subprocess
from pathlib import Path

from nucleate.systems import load_recipe
from nucleate.train.checkpoint import ModelInfo, load_network, save_weights
from nucleate.train.papers import PACKAGE, PAPERS
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
    """Write NAME.safetensors and NAME.md into the folder of weights of their package."""
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
        own = info.recipe.changed(sample=load_recipe(recipe).sample)
        info = dataclasses.replace(info, recipe=own)
    package, folder = home_of(info.recipe.name)
    path = folder / f"{info.recipe.name}.safetensors"
    save_weights(path, model, info, half=True)
    size = path.stat().st_size / 1e6
    measured = args.measured.read_text() if args.measured else "Nothing yet.\n"
    card = path.with_suffix(".md")
    card.write_text(card_of(info, sum(p.numel() for p in model.parameters()), size, args.hardware, args.note, measured))
    print(f"{path.name}: {size:.1f} MB, card {card.name}, in {package}: {folder}")


def home_of(name: str) -> tuple[str, Path]:
    """The package that a model of that name belongs to, and its folder of weights in this checkout."""
    if name in PAPERS:
        return PACKAGE, Path(__file__).parent.parent / "packages" / "papers" / "src" / "nucleate_papers" / "weights"
    return "nucleate", weights_folder()


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
    card = info.system.card
    rows |= {"task": card.task(recipe)} | card.facts(info)
    if info.system.sampler is not None:
        settings = recipe.sample.model_dump()
        rows |= {"conditions": _conditions(info), "sampling": ", ".join(f"{k} {v}" for k, v in settings.items())}
    return CARD.format(
        name=recipe.name,
        facts="\n".join(f"| {name} | {rows[name]} |" for name in ROWS if name in rows),
        note=note + ("\n" if note else ""),
        measured=card.measured.format(name=recipe.name, measured=measured),
        limits=card.limits.format(max_atoms=info.max_atoms),
    )


def _conditions(info: ModelInfo) -> str:
    """What can be asked for, with what training saw of each property."""
    words = [name for name in info.recipe.condition_on if name not in info.conditions]
    words += [f"{name} ({s.n:,} values, {s.low:.4g} to {s.high:.4g})" for name, s in info.conditions.items()]
    return ", ".join(words) or "none"


if __name__ == "__main__":
    main()
