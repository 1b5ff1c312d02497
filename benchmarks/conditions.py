"""How well crystals of a model meet wishes: properties as a network predicts them, chemical systems by counting.

    NUCLEATE_DATA=FOLDER python benchmarks/conditions.py [--weights mp20-cds] [--n 128] [--guidance 0,1,2,4]

The values of random validation crystals are asked for, and one crystal is generated for each, with the seeds 0 to n-1.
Rates are of all n crystals. possible: the geometry passes `nucleate check`. system: all elements of the chemical
system, and (which the sampler enforces) no other. hits: possible, of the whole system, and within the tolerance of each
value by property-mp20: 0.2 eV/atom of the formation energy, 25 meV/atom of the energy above the hull, 0.5 eV of the
band gap. Median error and rank correlation are of the possible crystals, for the last column of the wish. With guidance
0 the wish has no effect.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from scipy.stats import spearmanr

from nucleate.chem.elements import element_symbol
from nucleate.crystal.verdicts import geometry_verdicts
from nucleate.data import prepare
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators import Condition, load_generator
from nucleate.train.property import load_property_network, predict_structures

SYSTEM = "chemical_system"
TOLERANCE = {"formation_energy_per_atom": 0.2, "band_gap": 0.5, "e_above_hull": 0.025}  # eV/atom; eV
WISHES = (
    ("formation_energy_per_atom",),
    ("e_above_hull",),
    ("band_gap",),
    (SYSTEM,),
    (SYSTEM, "formation_energy_per_atom"),
    ("e_above_hull", "formation_energy_per_atom"),
)


def asked(wish: tuple[str, ...], n: int) -> list[Condition]:
    """The values of n validation crystals that have all columns of the wish."""
    columns = [c for c in wish if c in TOLERANCE]
    batch, _ = prepare("mp-20", "val", 20, None, columns)
    for column in columns:
        batch = batch[batch.properties[column].isfinite().nonzero()[:, 0]]
    batch = batch[torch.randperm(len(batch), generator=torch.Generator().manual_seed(0))[:n]]
    out = []
    for i in range(len(batch)):
        system = tuple(element_symbol(z) for z in batch.atomic_numbers[i].unique().tolist() if z)
        values = {c: float(batch.properties[c][i]) for c in columns}
        out.append(Condition(chemical_system=system if SYSTEM in wish else None, properties=values))
    return out


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", default="mp20-cds", help="model of MP-20 that takes properties, name or file")
    parser.add_argument("--n", type=int, default=128, help="crystals for each row")
    parser.add_argument("--guidance", default="0,1,2,4", help="scales, with commas")
    args = parser.parse_args()
    judge = load_property_network("property-mp20")
    heads = (
        "asked for",
        "guidance",
        "possible %",
        "system %",
        "median error",
        "rank correlation",
        "hits %",
        "interval",
    )
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for wish in WISHES:
        conditions = asked(wish, args.n)
        for scale in map(float, args.guidance.split(",")):
            made = load_generator(args.weights, guidance_scale=scale).generate(conditions, list(range(len(conditions))))
            found, _ = predict_structures(judge, made)
            possible = np.array([geometry_verdicts(s)[1] is None for s in made])
            whole = np.array(
                [
                    c.chemical_system is None or {e.symbol for e in s.elements} == set(c.chemical_system)
                    for c, s in zip(conditions, made, strict=True)
                ]
            )
            hits, error, rank = possible & whole, "", ""
            for column in (c for c in wish if c in TOLERANCE):
                goal = np.array([c.properties[column] for c in conditions])
                got = found[column].numpy()
                known = possible & np.isfinite(got)
                hits = hits & known & (np.abs(got - goal) <= TOLERANCE[column])
                error = f"{np.median(np.abs(got - goal)[known]):.3f}"
                rank = f"{spearmanr(goal[known], got[known]).statistic:.2f}"
            share = rate(int(hits.sum()), len(made))
            system = f"{100 * whole.mean():.0f}" if SYSTEM in wish else ""
            cells = [" and ".join(wish), f"{scale:g}", f"{100 * possible.mean():.0f}", system, error, rank]
            cells += [f"{100 * share.hits / share.total:.1f}", f"{100 * share.low:.1f}-{100 * share.high:.1f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
