"""Template prediction measured: match rates on held-out crystals, volumes, and formulas per second.

    OMP_NUM_THREADS=1 python benchmarks/template.py [--n 500] [--diffusion csp/predictions.jsonl] [--speed 1000]

Targets are the first n of mp-20:test shuffled by --seed, those of `nucleate evaluate csp --n N --seed SEED`, whose
predictions --diffusion judges on the same crystals. Templates are those of mp-20:train.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.evaluate.csp import load_targets, read_predictions
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators.rankings import RANKINGS
from nucleate.generators.template import FormulaPredictions, TemplateGenerator
from nucleate.generators.template_library import TemplateLibrary, load_template_library
from nucleate.parallel import map_jobs
from nucleate.train.similarity import load_similarity

if TYPE_CHECKING:
    from pymatgen.core import Structure

K = 5
Targets = Sequence[tuple[str, "Structure"]]
Match = dict[tuple[str, str], bool]  # (target, template) -> whether it matches: the matcher ignores the volume


def matches(jobs: list[tuple[tuple[str, str], Structure, Structure]], workers: int, work: Path | None) -> Match:
    """Whether each pair matches; kept in a file, so that a killed run can continue. A pair on which the matcher fails
    does not match."""
    path = work / "matches.jsonl" if work is not None else None
    found: Match = {}
    if path is not None and path.exists():
        found = {(a, b): bool(hit) for a, b, hit in map(json.loads, path.read_text().splitlines())}
    todo = {key: (p, t, MatchSettings(), False) for key, p, t in jobs if key not in found}
    keys = list(todo)
    for outcome in map_jobs(match_pair, [todo[k] for k in keys], limit=MatchSettings().time_limit, workers=workers):
        key = keys[outcome.index]
        found[key] = outcome.reason is None and outcome.value.rms is not None
        if path is not None:
            with path.open("a") as file:
                file.write(json.dumps([*key, found[key]]) + "\n")
    return found


def counted(name: str, templates: str, hits: list[list[bool]], known: list[bool]) -> None:
    """A row of the table: all targets, and those whose formula is, is not among the templates'."""
    cells = []
    for members in ([True] * len(hits), known, [not k for k in known]):
        rows = [h for h, m in zip(hits, members, strict=True) if m]
        found = sum(h[:1] == [True] for h in rows), sum(any(h[:K]) for h in rows)
        cells += [rate(hits, len(rows)).percent for hits in found]
    print(f"| {name} | {templates} | {' | '.join(cells)} |", flush=True)


def accuracy(
    library: TemplateLibrary, targets: Targets, diffusion: Path | None, workers: int, work: Path | None
) -> None:
    """Match rates by ranking, with and without templates of the target's formula, and those of the diffusion model."""
    formulas = [t.composition.get_el_amt_dict() for _, t in targets]
    reduced = [t.composition.reduced_formula for _, t in targets]
    have = {library.structure(int(r)).composition.reduced_formula for r in _rows_of(library, targets)}
    known = [f in have for f in reduced]
    model = load_similarity()
    results: dict[tuple[str, str], list[FormulaPredictions]] = {}
    for ranking in RANKINGS:
        for own, templates in ((True, "all"), (False, "of other formulas")):
            generator = TemplateGenerator(library, ranking, model=model, own=own)
            results[ranking, templates] = generator.predict_many(formulas, K)
    plain = TemplateGenerator(library, "emd", distinct=False)
    results["emd", "all, types may come again"] = plain.predict_many(formulas, K)
    jobs = []
    for found in results.values():
        for (name, target), predicted in zip(targets, found, strict=True):
            jobs += [((name, p.template), p.structure, target) for p in predicted.predictions]
    hit = matches(jobs, workers, work)
    none = sum(not p.predictions for p in results["emd", "all"])
    print(f"\n{len(targets)} targets, {sum(known)} with their formula among the templates; {none} without a template\n")
    n = f"all {len(known)}", f"formula known, {sum(known)}", f"formula new, {len(known) - sum(known)}"
    print(f"| ranked by | templates | {' | '.join(f'{x}: top 1 | top {K}' for x in n)} |")
    print(f"|---|---|{'---|' * 6}")
    for (ranking, templates), found in results.items():
        hits = [
            [hit[name, p.template] for p in predicted.predictions]
            for (name, _), predicted in zip(targets, found, strict=True)
        ]
        counted(ranking, templates, hits, known)
    if diffusion is not None:
        made = read_predictions(diffusion)
        if missing := [name for name, _ in targets if len(made.get(name, {})) < K]:
            raise NucleateError(f"{diffusion} lacks predictions of {len(missing)} targets, of {missing[0]} for one")
        pairs = [((n, f"mp20-csp {s}"), p, t) for n, t in targets for s in range(K) if (p := made[n][s]) is not None]
        hit = matches(pairs, workers, work)
        counted("mp20-csp", "-", [[hit.get((n, f"mp20-csp {s}"), False) for s in range(K)] for n, _ in targets], known)
    volumes(library, targets)


def _rows_of(library: TemplateLibrary, targets: Targets) -> list[int]:
    """One row of each formula of the library that could be a target's."""
    wanted = {frozenset((e.symbol, int(n)) for e, n in t.composition.reduced_composition.items()) for _, t in targets}
    first = {frozenset(f): i for i, f in enumerate(library.formulas)}
    return [i for f, i in first.items() if f in wanted]


def volumes(library: TemplateLibrary, targets: Targets) -> None:
    """How far the volumes per atom of the first predictions are from the targets', scaled and copied."""
    formulas = [t.composition.get_el_amt_dict() for _, t in targets]
    print("\n| volume of the best template by emd, of other formulas | median error, % | within 20 % |\n|---|---|---|")
    for volume in ("scaled", "copy"):
        generator = TemplateGenerator(library, "emd", volume=volume, own=False)
        errors = []
        for (_, target), found in zip(targets, generator.predict_many(formulas, 1), strict=True):
            for p in found.predictions:
                errors.append(abs(p.structure.volume / len(p.structure) / (target.volume / len(target)) - 1))
        near = rate(sum(e <= 0.2 for e in errors), len(errors)).percent
        print(f"| {volume} | {100 * statistics.median(errors):.1f} | {near} |", flush=True)


def speed(n: int) -> None:
    """Seconds for n formulas of the test split against the templates of the training split."""
    began = time.process_time()
    library = load_template_library("mp-20:train")
    loaded = time.process_time() - began
    formulas = [t.composition.get_el_amt_dict() for _, t in load_targets("mp-20:test", n, seed=1)]
    distinct = len({json.dumps(f, sort_keys=True) for f in formulas})
    print(
        f"\n{n:,} formulas ({distinct:,} distinct) against {len(library):,} templates, loaded in {loaded:.1f} CPU s\n"
    )
    print("| what | CPU s | formulas/s |\n|---|---|---|")
    model = load_similarity()

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        spent = time.process_time() - began
        print(f"| {name} | {spent:.1f} | {n / spent:.0f} |", flush=True)

    for ranking in ("emd", "metric"):
        # with fresh caches for each: prototypes are found once and kept
        fresh = load_template_library("mp-20:train")
        some = model if ranking == "metric" else None
        plain = TemplateGenerator(fresh, ranking, model=some, distinct=False)
        types = TemplateGenerator(fresh, ranking, model=some)
        timed(f"{ranking}: the best template", lambda g=plain: g.predict_many(formulas, 1))
        timed(f"{ranking}: {K} best templates", lambda g=plain: g.predict_many(formulas, K))
        timed(f"{ranking}: {K} best structure types", lambda g=types: g.predict_many(formulas, K))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--diffusion", type=Path, help="predictions.jsonl of `nucleate evaluate csp`")
    parser.add_argument(
        "--speed",
        type=int,
        default=0,
        help="Formulas for the measurement of speed; if given, nothing else is measured.",
    )
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, help="Folder in which matched pairs are kept.")
    args = parser.parse_args()
    if args.speed:
        speed(args.speed)
        return
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    targets = load_targets("mp-20:test", args.n, args.seed)
    accuracy(load_template_library("mp-20:train"), targets, args.diffusion, args.workers, args.work)


if __name__ == "__main__":
    main()
