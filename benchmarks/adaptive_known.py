"""Known crystals rebuilt from their space group and composition: Sultanov et al. (2023), section 5.3 and Table 2.

    OMP_NUM_THREADS=1 NUCLEATE_DATA=FOLDER python benchmarks/adaptive_known.py --out RUN [--n 30] [--samples 50]
        [--weights mp20-sites] [--known train] [--database mp_2025.parquet]

The crystals are those of the paper's Table 2, found by the cells given there (that of Ce-In-Cu is not in the database),
and n of MP-20's test split, of at least monoclinic symmetry, whose formulas the training split lacks. Adaptive cells
are given the composition of the primitive cell and the space group, for as many samples as the paper has; all are
relaxed by CHGNet. A crystal is found if StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10) matches any sample, before
or after relaxation. After a kill the same call continues; stored results are not computed again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from known import add_known, known_crystals
from random_search import Timed

from nucleate.crystal.asymmetric import asymmetric_unit, symmetric_batch
from nucleate.crystal.convert import atom_counts, structures_from_batch
from nucleate.crystal.orbits import expand_orbits
from nucleate.crystal.symmetry import space_group_symbol
from nucleate.engine.local import executor
from nucleate.errors import NucleateError
from nucleate.evaluate.csp import load_targets, open_folder, prediction_seed, weights_digest
from nucleate.evaluate.inputs import read_dataset, table_items
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators import Condition, load_generator
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.run import run_stages
from nucleate.pipeline.stage import Stage
from nucleate.stages.check import CheckStage
from nucleate.stages.generate import GenerateStage
from nucleate.stages.relax import RelaxStage
from nucleate.store.database import RunStore

if TYPE_CHECKING:
    from pymatgen.core import Structure

PUBLISHED = {  # of Table 2, by the cells that it gives
    "mp-10178": "Li-Mg-P",
    "mp-31900": "Ta-Mn-O",
    "mp-1102834": "Cr-Co-P",
    "mp-998928": "Tl-Cd-S",
    "mp-20233": "Mn-Ca-Sn",
    "mp-19990": "Ba-Ti-O",
    "mp-647604": "Pu-I-O",
}
FIRST_GROUP = 3  # monoclinic
BEFORE, AFTER = "found_before", "found_after"


class Compared(Stage):
    """A stage that notes whether structures match their targets."""

    grain, cost, resource = "chunk", "slow", "cpu"

    def __init__(self, name: str, targets: dict[str, Structure]) -> None:
        self.name, self.targets = name, targets

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            assert c.structure is not None
            pair = match_pair(c.structure, self.targets[c.wanted.label], MatchSettings(), False)
            yield c.with_(provenance={self.name: pair.rms is not None})


def choose(n: int, database: str, seed: int = 0) -> dict[str, Structure]:
    """The crystals by id: the published ones, then n of the test split."""
    from nucleate.data import load_table

    table = load_table(database)
    rows = [i for i, name in enumerate(table["material_id"].to_pylist()) if name in PUBLISHED]
    items, _ = table_items(table.take(rows), {}, database)
    out = {item.name: item.structure for item in items if item.structure is not None}
    known = {s.composition.reduced_formula for s in read_dataset("mp-20:train").structures if s is not None}
    found = 0
    for name, structure in load_targets("mp-20:test", len(read_dataset("mp-20:test")), seed):
        if found == n:
            break
        try:
            group = asymmetric_unit(structure).space_group
        except NucleateError:
            continue
        if group >= FIRST_GROUP and structure.composition.reduced_formula not in known:
            out[name] = structure
            found += 1
    return out


def blank(name: str, structure: Structure, samples: int) -> list[Candidate]:
    """A candidate for each sample, with composition and space group."""
    unit = asymmetric_unit(structure)
    (cell,) = structures_from_batch(expand_orbits(symmetric_batch([unit])).crystals)
    told = Condition(atom_counts(cell), space_group=unit.space_group)
    return [
        Candidate(f"{name}-{k:03d}", prediction_seed(0, name, k), wanted=Wanted(told, name)) for k in range(samples)
    ]


def row(name: str, structure: Structure, group: Sequence[Candidate]) -> str:
    """One crystal of the table."""
    before, after = (sum(bool(c.provenance.get(k)) for c in group) for k in (BEFORE, AFTER))
    number = asymmetric_unit(structure).space_group
    sampled = sum(c.provenance.get("seconds_generate", 0) for c in group) / len(group)
    label = f"{space_group_symbol(number)} ({number})"
    cells = [name, PUBLISHED.get(name, ""), structure.composition.reduced_formula, label]
    return f"| {' | '.join([*cells, str(len(structure)), str(before), str(after), f'{sampled:.2f}'])} |"


def stages(args: argparse.Namespace, targets: dict[str, Structure]) -> Iterator[Stage]:
    known = known_crystals(args.known).hidden(ids=[name for name in targets if name in PUBLISHED])
    generator = load_generator(args.weights).with_library(known)
    yield Timed(GenerateStage(generator))
    yield Compared(BEFORE, targets)
    yield CheckStage()
    yield Timed(RelaxStage())
    yield Compared(AFTER, targets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--samples", type=int, default=50)
    parser.add_argument("--weights", default="mp20-sites")
    add_known(parser)
    parser.add_argument("--database", default="mp_2025.parquet")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    targets = choose(args.n, args.database)
    open_folder(args.out, {"weights": weights_digest(args.weights), "samples": args.samples, "known": args.known})
    each = list(stages(args, targets))
    print("| crystal | Table 2 | formula | space group | atoms | found before | after relaxation | s/structure |")
    print("|---|---|---|---|---|---|---|---|")
    hits = []
    with RunStore(args.out) as store:
        stored = {c.id: c for c in store.load()}
        for name, structure in targets.items():
            group = [stored.get(c.id, c) for c in blank(name, structure, args.samples)]
            group = run_stages(group, each, executor(args.workers), store)
            print(row(name, structure, group), flush=True)
            hits.append([any(c.provenance.get(k) for c in group) for k in (BEFORE, AFTER)])
    for what, found in zip(("before", "after"), zip(*hits, strict=True), strict=True):
        share = rate(sum(found), len(found)).percent
        print(f"found {what} relaxation: {sum(found)} of {len(found)} crystals, {share} %")


if __name__ == "__main__":
    main()
