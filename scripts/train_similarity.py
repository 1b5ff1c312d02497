"""Train the network of structural similarity, measure it, and pack weights and model card into the package.

    OMP_NUM_THREADS=1 python scripts/train_similarity.py recipes/networks/template-similarity.toml [--measure]

The data set of the recipe is taken from $NUCLEATE_DATA. Fingerprints (mean, deviation, lowest and highest value over
the sites of the CrystalNN order parameters) are kept in --work. --measure takes the weights that are there and writes
the card anew.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from nucleate.chem.descriptors import without_descriptors
from nucleate.chem.distance import cumulative_profiles, profile_distances
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.crystalnn import site_fingerprints
from nucleate.evaluate.measures.statistics import wilson
from nucleate.generators.template_library import TemplateLibrary, dataset_templates
from nucleate.io import replacing
from nucleate.train.shipped import weights_folder
from nucleate.train.similarity import (
    FingerprintedCrystals,
    SimilarityModel,
    first_similar,
    load_similarity,
    load_similarity_recipe,
    save_similarity,
    train_similarity,
)

CARD = """# {name}

| | |
|---|---|
| task | whether the crystals of two formulas of equal ratio have similar structures, from the formulas alone |
| data | {data}:train (Materials Project, CC-BY 4.0; split of CDVAE): {crystals:,} crystals |
| pairs | of equal ratio; {similar_pairs:,} of them are similar |
| left out | {left_out} |
| labels | similar: fingerprints no further apart than {threshold:g}, the limit of CSPML |
| fingerprints | mean, deviation, lowest and highest value over the sites of 61 CrystalNN order parameters |
| elements | 94 (H to Pu), those of `chem/tables/xenonpy.csv` |
| recipe | `recipes/networks/{name}.toml` |
| code | see `git log` of this file |
| parameters | {parameters:,} (float32 on disk: {size:.1f} MB) |
| training | {steps:,} steps, batch {batch:,}, {seconds:,.0f} CPU seconds on one core |
| fingerprints took | {fingerprint_seconds} |
| kept | the averaged weights after step {kept_step:,}, best on the validation crystals |

|d1 - d2| of the 290 standardised descriptors of two formulas, then layers of {hidden} and a logit: the same for the
exchanged pair by construction. More than half of the pairs in training are similar, so the answer is a probability
among such pairs: a score to rank by, not the chance that a template fits.

## Measured

`python scripts/train_similarity.py recipes/networks/{name}.toml --measure`: for the first
{held_out:,} crystals of {data}:test, the share whose best template among the training crystals of equal ratio and other
formula is similar (fingerprints within {threshold:g}), with 95 % intervals (Wilson):

| templates ranked by | n | similar, % |
|---|---|---|
{rows}

Match rates of the predicted structures: `docs/templates.md`.

## Intended use and limits

It ranks the templates of `nucleate predict --method template --rank-by metric`. It sees only formulas, so it cannot
tell the polymorphs of one formula apart. Elements beyond plutonium are unknown.
"""


HELD_OUT = 2000  # crystals of the validation and of the test split, the first ones that there are


def fingerprints(library: TemplateLibrary, work: Path, split: str) -> tuple[np.ndarray, dict[str, int], str]:
    """Fingerprints (R, 244), nan where there is none; the counted reasons for these; and the seconds it took. Kept in
    a file in `work`."""
    path = work / f"fingerprints-{split}.npz"
    if path.is_file():
        with np.load(path) as kept:
            if kept["ids"].tolist() == list(library.ids):
                reasons = dict(zip(kept["reasons"].tolist(), kept["counts"].tolist(), strict=True))
                return kept["values"], reasons, str(kept["seconds"])
    values, counted = np.full((len(library), 244), np.nan, dtype=np.float32), {}
    began = time.process_time()
    for row in range(len(library)):
        try:
            sites = site_fingerprints(library.structure(row))
        except NucleateError as error:
            reason = str(error).split(" for ")[0]
            counted[reason] = counted.get(reason, 0) + 1
            continue
        values[row] = np.concatenate([sites.mean(0), sites.std(0), sites.min(0), sites.max(0)])
        if row % 1000 == 0:
            print(f"fingerprints of {library.name}: {row:,} of {len(library):,}", flush=True)
    seconds = f"{time.process_time() - began:,.0f}"
    work.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part, part.open("wb") as file:
        reasons = {"reasons": np.array(list(counted), dtype=str), "counts": np.array(list(counted.values()), dtype=int)}
        np.savez_compressed(file, ids=np.array(library.ids), values=values, seconds=np.array(seconds), **reasons)
    return values, counted, seconds


def read_labelled(data: str, split: str, work: Path) -> tuple[FingerprintedCrystals, dict[str, int], str]:
    """The crystals of a split of several elements that have a fingerprint and descriptors, and what was left out."""
    library = dataset_templates(f"{data}:{split}")
    if split != "train":
        library = library.first(HELD_OUT)
    values, reasons, seconds = fingerprints(library, work, split)
    formulas = [dict(f) for f in library.formulas]
    known = np.array([len(f) > 1 and not without_descriptors(f) for f in formulas]) & np.isfinite(values).all(1)
    alone = sum(len(f) == 1 for f in formulas)
    left_out = dict(reasons) | ({"elements by themselves": alone} if alone else {})
    return (
        FingerprintedCrystals([f for f, k in zip(formulas, known, strict=True) if k], values[known]),
        left_out,
        seconds,
    )


def measured(model: SimilarityModel, test: FingerprintedCrystals, data: FingerprintedCrystals) -> str:
    """The rows of the card."""
    rng = np.random.default_rng(0)
    ways = {
        "metric": model.similarities,
        "element mover's distance": lambda a, b: -profile_distances(cumulative_profiles(a), cumulative_profiles(b)),
        "at random": lambda a, b: rng.random((len(a), len(b))),
    }
    rows = []
    for name, way in ways.items():
        hits, n = first_similar(way, test, data, model.recipe.threshold)
        low, high = wilson(hits, n)
        rows.append(f"| {name} | {n:,} | {100 * hits / n:.1f} ({100 * low:.1f}-{100 * high:.1f}) |")
    return "\n".join(rows)


def main() -> None:
    """Train, pack, measure, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/similarity"), help="Folder of the fingerprints.")
    parser.add_argument("--measure", action="store_true", help="do not train")
    args = parser.parse_args()
    recipe = load_similarity_recipe(args.recipe)
    path = weights_folder() / f"{recipe.name}.safetensors"
    data, left_out, seconds = read_labelled(recipe.data, "train", args.work)
    if not args.measure:
        validation = read_labelled(recipe.data, "val", args.work)[0]
        save_similarity(path, train_similarity(recipe, data, validation, on_log=lambda line: print(line, flush=True)))
    model = load_similarity(path)
    card = CARD.format(
        name=recipe.name,
        data=recipe.data,
        threshold=recipe.threshold,
        held_out=HELD_OUT,
        left_out="; ".join(f"{n:,} {why}" for why, n in left_out.items()) or "nothing",
        parameters=sum(p.numel() for p in model.network.parameters()),
        size=path.stat().st_size / 1e6,
        batch=recipe.train.batch_size,
        hidden=" and ".join(str(h) for h in recipe.network.hidden),
        fingerprint_seconds=f"{seconds} CPU seconds for the training crystals",
        rows=measured(model, read_labelled(recipe.data, "test", args.work)[0], data),
        **model.training,
    )
    path.with_suffix(".md").write_text(card)
    print(card)


if __name__ == "__main__":
    main()
