"""How well networks of absolute coordinates predict the positions of atoms, and how far these can be predicted at all.

    NUCLEATE_DATA=FOLDER python benchmarks/positions.py data carbon-24:test mp-20:test
    python benchmarks/positions.py random crystals.jsonl
    NUCLEATE_DATA=FOLDER python benchmarks/positions.py error WEIGHTS carbon-24:test

data: how many coordinates are multiples of 1/12 (by chance 12 %), as the file has them and with moyo's standard origin
and cell, and how many crystals have an atom or an inversion centre at the origin. random: how many generated crystals
are valid, and how many with uniformly random positions in the same cells. error: by how many angstrom (root mean
square over the real atoms of 128 crystals) UniMat's and the compact network miss the positions, by noise level.
"""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING

import numpy as np
import torch

from nucleate.codecs.cell import SCALE
from nucleate.codecs.unimat import NULL, SLOTS
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import batch_from_structures
from nucleate.diffusion.rng import Streams
from nucleate.evaluate.inputs import read_crystals
from nucleate.evaluate.measures.validity import structural_validity
from nucleate.generators import load_generator

if TYPE_CHECKING:
    from pymatgen.core import Structure

TIMES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.7)
NEAR = 0.01  # of a cell's edge


def structures(source: str, n: int) -> list[Structure]:
    """The first n readable crystals."""
    return [item.structure for item in read_crystals([source]).items if item.structure is not None][:n]


def twelfths(frac: np.ndarray) -> float:
    """Share of the coordinates (N, 3) within 1/200 of a multiple of 1/12."""
    return float((np.abs(frac * 12 - np.round(frac * 12)) / 12 < 0.005).mean())


def special(crystals: list[Structure]) -> str:
    """Twelfths, and shares of crystals with an atom and with an inversion centre at the origin."""
    from moyopy import MoyoDataset
    from moyopy.interface import MoyoAdapter

    logging.getLogger("moyo").setLevel(logging.ERROR)  # it warns of every supercell
    atom, centre, standard = [], [], []
    for crystal in crystals:
        frac = crystal.frac_coords % 1
        away = np.abs(frac[:, None] + frac[None])  # from each atom's mirror image to every atom, but for the lattice
        away = np.abs(away - np.round(away)).max(-1)
        centre.append(bool((away.min(1) < 2 * NEAR).all()))
        atom.append(bool((np.minimum(frac, 1 - frac) < NEAR).all(1).any()))
        standard.append(MoyoDataset(MoyoAdapter.from_structure(crystal), symprec=0.05).prim_std_cell.positions)
    given = twelfths(np.concatenate([c.frac_coords % 1 for c in crystals]))
    origins = f"atom at the origin {np.mean(atom):.1%}, inversion centre {np.mean(centre):.1%}"
    return f"twelfths {given:.1%}, standard origin {twelfths(np.concatenate(standard)):.1%}; {origins}"


def at_random(crystals: list[Structure]) -> str:
    """Validity as it is and with uniformly random positions."""
    from pymatgen.core import Structure

    rng = np.random.default_rng(0)
    moved = [Structure(c.lattice, c.species, rng.random((len(c), 3))) for c in crystals]
    valid, by_chance = (sum(map(structural_validity, s)) / len(s) for s in (crystals, moved))
    return f"valid {valid:.1%}, with random positions {by_chance:.1%}"


def errors(weights: str, crystals: list[Structure]) -> list[str]:
    """One line for each noise level: the network's error, and that of the noisy positions themselves."""
    generator = load_generator(weights, device="cpu")
    codec, rng = generator.info.codec, Streams(torch.arange(len(crystals)))
    batch: CrystalBatch = batch_from_structures(crystals)
    origin = rng.uniform((len(crystals), 1, 3)) if getattr(generator.codec, "random_origin", False) else 0.0
    fields = codec.encode(batch.lattice, (batch.frac_coords + origin) % 1, batch.atomic_numbers)
    key = SLOTS if SLOTS in fields else "frac_coords"
    real = fields[key].mean(-1) > (NULL - 1) / 2 if key == SLOTS else fields["mask"]
    edge = batch.lattice.norm(dim=-1).mean(1).view(-1, *[1] * (real.dim() - 1)).expand(real.shape)[real]
    out = []
    for level in TIMES:
        t = torch.full((len(crystals),), level)
        noisy = {
            k: generator.processes[k].corrupt(v, t, rng) if k in generator.processes else v for k, v in fields.items()
        }
        with torch.no_grad():
            noise = generator.model(noisy, t, {})[key]
        kept = generator.processes[key].alpha_bar(t[:1])
        said, naive = (noisy[key] - (1 - kept).sqrt() * noise) / kept.sqrt(), noisy[key] / kept.sqrt()
        rms = [
            float(((x - fields[key])[real].norm(dim=-1) / SCALE * edge).square().mean().sqrt()) for x in (said, naive)
        ]
        out.append(f"t {level}: network {rms[0]:.3f} A, noise {rms[1]:.3f} A")
    return out


def main() -> None:
    """One line for each source, or noise level."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("data", "random", "error"))
    parser.add_argument("sources", nargs="+", help="data sets or files; error: weights and a data set")
    args = parser.parse_args()
    if args.what == "error":
        weights, source = args.sources
        print("\n".join(errors(weights, structures(source, 128))))
        return
    for source in args.sources:
        print(f"{source}: {(special if args.what == 'data' else at_random)(structures(source, 2000))}", flush=True)


if __name__ == "__main__":
    main()
