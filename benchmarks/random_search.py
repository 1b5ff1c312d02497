"""Structure prediction compared with random structure search, composition by composition.

The comparison is that of section 3.3 of UniMat (Yang et al. 2023, arXiv 2311.09235).

    OMP_NUM_THREADS=1 python benchmarks/random_search.py run --out RUNS [--methods random,...] [--n 100] [--samples 20]
    python benchmarks/random_search.py table --out RUNS [--rows FILE] [--methods random,template] [--n 100]
    python benchmarks/random_search.py table --rows docs/random-search.parquet [--methods random,template]

Compositions: the first n of MP-20's test split shuffled by --seed, each reduced formula once and none of the training
split. All methods but templates are given the composition of the known crystal's cell; templates (of the training
split, each structure type once) bring their own cells. Every method draws as many samples; all are relaxed by one
potential to one set of limits, and failures, also where there is no template, count as not converged.

run: one folder for each method, composition after composition; stored results are not computed again, so that the same
call continues after a kill, and a larger --n after a smaller one. Several calls with other methods may share RUNS.
table: from what is stored, over the compositions that are finished by all methods asked for. --rows: a small file that
keeps of each sample what the tables need; samples in it are not computed again, and their structures are not needed.
Energies are of converged relaxations. Known crystal found: StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10) matches
any converged sample, or the lowest. Reached: the lowest is at most 5 meV/atom above the known crystal relaxed alike
(the method "known", which has one sample). Stable: the lowest lies below the hull of --reference (E_d < 0), metastable:
E_d < 0.1 eV/atom. That hull holds all known crystals, those of the test split too, as single points at the geometry of
the data base: a known ground state found again lies a few meV/atom below 0. What lies more than 0.2 eV/atom below is a
failure of the potential and counts as neither. Seconds are of CPU time.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from random_search_rows import ENERGY, Sample, converged, read, write
from random_search_rows import samples as of_candidates
from random_search_table import KNOWN, by_method, by_pair, common

from nucleate.crystal.convert import atom_counts
from nucleate.engine.local import executor
from nucleate.errors import NucleateError
from nucleate.evaluate.csp import load_targets, open_folder, prediction_seed, weights_digest
from nucleate.generators import Condition
from nucleate.generators.methods import RANDOM, TEMPLATE
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.run import run_stages
from nucleate.pipeline.stage import Stage
from nucleate.relaxation.pool import RelaxSettings
from nucleate.settings import PredictSettings
from nucleate.stages.check import CheckStage
from nucleate.stages.hull import HullStage
from nucleate.stages.relax import RelaxStage
from nucleate.store.database import RunStore
from nucleate.tasks.predict import METHODS, structure_stage

if TYPE_CHECKING:
    from pymatgen.core import Structure

BLOCK = 5  # compositions
Target = tuple[str, "Structure"]


def choose(n: int, seed: int) -> list[Target]:
    """The compositions: a larger n keeps those of a smaller one."""
    known = {s.composition.reduced_formula for _, s in load_targets("mp-20:train")}
    total = len(load_targets("mp-20:test"))
    out: list[Target] = []
    for name, structure in load_targets("mp-20:test", total, seed):
        formula = structure.composition.reduced_formula
        if formula not in known:
            known.add(formula)
            out.append((name, structure))
        if len(out) == n:
            return out
    raise NucleateError(f"mp-20:test has {len(out)} compositions that mp-20:train lacks, fewer than {n}")


class Timed(Stage):
    """A stage that notes the CPU seconds of each candidate; stages that take many work target by target."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.name, self.grain = stage, stage.name, stage.grain
        self.cost, self.resource, self.limit_s = stage.cost, stage.resource, stage.limit_s

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for _, group in itertools.groupby(candidates, key=lambda c: c.wanted.label):
            began, members = time.process_time(), list(group)
            results = list(self.stage(members))
            seconds = (time.process_time() - began) / len(members)
            for c in results:
                yield c.with_(provenance={f"seconds_{self.name}": round(seconds, 4)})


class Given(Stage):
    """The known crystals themselves, as a method to compare with."""

    name, grain, cost, resource = "given", "chunk", "slow", "cpu"

    def __init__(self, targets: Sequence[Target]) -> None:
        self.structures = dict(targets)

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        for c in candidates:
            yield c.with_(structure=self.structures[c.wanted.label])


def blank(target: Target, samples: int, seed: int) -> list[Candidate]:
    """One candidate for each sample; its random stream is the same whatever else is in the run."""
    name, structure = target
    cell = atom_counts(structure)
    return [
        Candidate(
            f"{name}-{k:03d}",
            prediction_seed(seed, name, k),
            wanted=Wanted(Condition(cell), name, k + 1),
            composition=cell,
        )
        for k in range(samples)
    ]


def prepare(method: str, args: argparse.Namespace) -> list[Stage]:
    """The stages of a method; its folder is made, or checked to have these settings."""
    relaxation, weights = RelaxSettings(potential=args.potential), ""
    if method == KNOWN:
        realise: Stage = Given(choose(args.n, args.seed))
    else:
        settings = PredictSettings.of(method=method, samples=args.samples, templates="mp-20:train", seed=args.seed)
        realise, weights = structure_stage(settings), METHODS[method].weights
    record = {"method": method, "weights": weights_digest(weights), "samples": samples_of(method, args)}
    record |= {"seed": args.seed, "relaxation": dataclasses.asdict(relaxation), "reference": args.reference}
    open_folder(args.out / method, record)
    return [Timed(realise), CheckStage(), Timed(RelaxStage(relaxation)), HullStage(args.reference)]


def samples_of(method: str, args: argparse.Namespace) -> int:
    return 1 if method == KNOWN else args.samples


def run_targets(method: str, stages: Sequence[Stage], targets: Sequence[Target], args: argparse.Namespace) -> None:
    """All samples of a method for some targets, one after the other."""
    with RunStore(args.out / method) as store:
        stored = {c.id: c for c in store.load()}
        for target in targets:
            candidates = [stored.get(c.id, c) for c in blank(target, samples_of(method, args), args.seed)]
            if all(c.id in stored for c in candidates) and finished(candidates):
                continue
            done = run_stages(candidates, stages, executor(args.workers), store)
            good = [c.energies[ENERGY].value for c in done if converged(c)]
            words = f"{target[0]} {target[1].composition.reduced_formula}: {len(good)} of {len(done)} converged"
            lowest = f", lowest {min(good):.4f} eV/atom" if good else ""
            print(f"{time.strftime('%H:%M:%S')} {method} {words}{lowest}", flush=True)


def finished(samples: Sequence[Candidate]) -> bool:
    return all(c.failure is not None or "hull" in c.stages for c in samples)


def load(methods: Sequence[str], args: argparse.Namespace) -> list[Sample]:
    """The rows of the methods, from the file of rows and from what else is finished in RUNS."""
    targets = dict(choose(args.n, args.seed))
    rows = [r for r in read(args.rows) if r.method in methods and r.target in targets]
    have = {(r.method, r.target) for r in rows}
    for method in methods if args.out else ():
        if not (args.out / method).is_dir():
            continue
        with RunStore(args.out / method, read_only=True) as store:
            stored = {c.id: c for c in store.load()}
        drawn = {}
        for target in targets.items():
            ids = [c.id for c in blank(target, samples_of(method, args), args.seed)]
            group = [stored[i] for i in ids if i in stored]
            if (method, target[0]) not in have and len(group) == len(ids) and finished(group):
                drawn[target[0]] = group
        rows += of_candidates(method, drawn, targets, args.workers)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--out", type=Path, help="folder of the runs")
    parser.add_argument("--rows", type=Path, help="file of rows: read, and by `table` with --out brought up to date")
    parser.add_argument("--methods", default=f"{RANDOM},{TEMPLATE}", help=f"of {', '.join([*METHODS, KNOWN])}")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--potential", default="chgnet")
    parser.add_argument("--reference", default="chgnet-mp")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    methods = args.methods.split(",")
    if unknown := [m for m in methods if m not in (*METHODS, KNOWN)]:
        raise SystemExit(f"no method {unknown[0]}; there are {', '.join([*METHODS, KNOWN])}")
    if args.out is None and (args.what == "run" or args.rows is None):
        raise SystemExit("say where the runs are: --out RUNS")
    if args.what == "run":
        have = {(r.method, r.target) for r in read(args.rows)}
        stages = {method: prepare(method, args) for method in methods}
        chosen = choose(args.n, args.seed)
        for start in range(0, args.n, BLOCK):  # methods take turns, so that a table can be had at any time
            for method in methods:
                block = [t for t in chosen[start : start + BLOCK] if (method, t[0]) not in have]
                run_targets(method, stages[method], block, args)
        return
    rows = load(methods, args)
    if args.rows is not None and args.out is not None:
        write(args.rows, {(r.method, r.target, r.rank): r for r in (*read(args.rows), *rows)}.values())
    runs = common(rows, methods)
    print(f"\n{len(next(iter(runs.values())))} compositions finished by all of {', '.join(methods)}\n")
    by_method(runs)
    by_pair(runs)


if __name__ == "__main__":
    main()
