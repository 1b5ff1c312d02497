"""Seconds per metric of `nucleate evaluate dng` for 1,000 and 10,000 crystals, and ratios to other implementations.

    NUCLEATE_DATA=FOLDER python benchmarks/evaluation.py CRYSTALS [--sizes 1000 10000] [--out FILE]

CRYSTALS is a file of at least as many generated crystals. The reference is mp-20:test, whose measurements are made once
beforehand and timed apart. Other implementations are measured on a part of the crystals and in the same run: matminer's
fingerprints (the package matminer must be installed), pymatgen's StructureMatcher on all pairs.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import CrystalSet, read_crystals
from nucleate.evaluate.measurements import DngSettings
from nucleate.evaluate.measures.distributions import random_subset
from nucleate.io import replacing

Row = tuple[str, ...]


def suite(crystals: CrystalSet, sizes: list[int]) -> Iterator[Row]:
    """Every stage of the suite, the reference measured in a fresh cache and then read from it."""
    reference = read_crystals(["mp-20:test"])
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        first = evaluate_dng(crystals.subset(range(2), "two"), reference, DngSettings(), cache=cache)
        for stage in ("reference", "energies, reference"):
            yield "mp-20:test, once", stage, f"{first.seconds[stage]:.1f} s", f"{len(reference):,} crystals"
        for size in sizes:
            part = crystals.subset(range(size), f"{size:,}")
            began = time.monotonic()
            seconds = evaluate_dng(part, reference, DngSettings(), cache=cache).seconds
            total = time.monotonic() - began
            for stage, spent in seconds.items():
                yield f"{size:,}", stage, f"{spent:.1f} s", f"{100 * spent / total:.0f} %"
            yield f"{size:,}", "whole suite", f"{total:.1f} s", ""


def fingerprints(crystals: CrystalSet, n: int = 60) -> Iterator[Row]:
    """CrystalNN and Magpie against matminer, one core."""
    from matminer.featurizers.composition.composite import ElementProperty
    from matminer.featurizers.site.fingerprint import CrystalNNFingerprint

    from nucleate.evaluate.measures.crystalnn import structure_fingerprint
    from nucleate.evaluate.measures.magpie import magpie_features

    chosen = random_subset(len(crystals), n, 0)
    structures = [s for i in chosen if (s := crystals.items[int(i)].structure) is not None]
    rival = CrystalNNFingerprint.from_preset("ops")
    structure_fingerprint(structures[0])
    ours = _timed(lambda: [structure_fingerprint(s) for s in structures]) / len(structures)
    theirs = _timed(lambda: [[rival.featurize(s, i) for i in range(len(s))] for s in structures]) / len(structures)
    yield "1 crystal", "CrystalNN fingerprint", f"{1000 * ours:.1f} ms", f"{theirs / ours:.1f} x as fast as matminer"
    magpie = ElementProperty.from_preset("magpie")
    compositions = [s.composition for s in structures]
    many = compositions * 100
    magpie_features(compositions)
    ours = _timed(lambda: magpie_features(many)) / len(many)
    theirs = _timed(lambda: [magpie.featurize(c) for c in compositions]) / len(compositions)
    yield "1 formula", "Magpie fingerprint", f"{1e6 * ours:.0f} us", f"{theirs / ours:.0f} x as fast as matminer"


def uniqueness(n: int = 100) -> Iterator[Row]:
    """Uniqueness among crystals of one composition (carbon-24:test) against StructureMatcher on every earlier one."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    from nucleate.evaluate.matching.unique import Matcher, unique

    carbon = read_crystals(["carbon-24:test"])
    structures = [s for s in carbon.subset(range(n), "part").structures if s is not None]
    found: list[int | None] = []
    ours = _timed(lambda: found.extend(unique(structures, Matcher(), workers=0).twin))
    matcher = StructureMatcher()
    brute: list[int | None] = []

    def all_pairs() -> None:
        for i, s in enumerate(structures):
            brute.append(next((j for j in range(i) if matcher.fit(structures[j], s)), None))

    theirs = _timed(all_pairs)
    same = "the same verdicts" if found == brute else "OTHER VERDICTS"
    ratio = f"{theirs / ours:.1f} x as fast as all pairs, {same}"
    yield f"{len(structures)} of carbon-24", "uniqueness, one process", f"{ours:.1f} s", ratio


def _timed(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("crystals")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10000])
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks-evaluation.md"))
    args = parser.parse_args()
    warnings.simplefilter("ignore")  # matminer's and pymatgen's remarks on missing radii
    crystals = read_crystals([args.crystals])
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, Python {platform.python_version()}"
    lines = [f"{machine}. Made by `python benchmarks/evaluation.py`.", ""]
    lines += ["| crystals | what | time | |", "|---|---|---|---|"]
    for part in (suite(crystals, args.sizes), fingerprints(crystals), uniqueness()):
        for cells in part:
            lines.append(f"| {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    text = "# Benchmarks of the evaluation\n\n" + "\n".join(lines) + "\n"
    with replacing(args.out) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    main()
