"""Template prediction measured: match rates on crystals that are hidden from the templates, volumes, formulas a second.

    OMP_NUM_THREADS=1 python benchmarks/template.py                    # 500 crystals of mp-20:test
    OMP_NUM_THREADS=1 python benchmarks/template.py --new-formulas     # formulas that MP-20 lacks
    OMP_NUM_THREADS=1 python benchmarks/template.py --speed 1000

Templates are the known crystals without those of --hide, by structure and not by id alone, "mp-20:val,test" if nothing
else is said; of --new-formulas without all crystals of these formulas. The targets of mp-20:test are those of
`nucleate evaluate csp --n N --seed SEED`, whose predictions --diffusion judges on the same crystals.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.composition import Formula
from nucleate.errors import NucleateError
from nucleate.evaluate.csp import load_targets, read_predictions
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.evaluate.measures.statistics import rate
from nucleate.generators.known_templates import KnownTemplates
from nucleate.generators.rankings import RANKINGS
from nucleate.generators.template import TemplateGenerator
from nucleate.generators.template_library import Templates, load_template_library
from nucleate.library.entries import KnownEntry
from nucleate.library.hiding import hidden_view
from nucleate.library.library import Library, load_library
from nucleate.parallel import map_jobs
from nucleate.train.similarity import load_similarity

if TYPE_CHECKING:
    from pymatgen.core import Structure

TOPS = (1, 5, 20)
LARGEST = 52  # atoms in the cells of targets of --new-formulas
SIZES = ((1, 10), (11, 20), (21, 30), (31, 52))  # atoms in the primitive cell of the target
NEAR_HULL = 0.05  # eV/atom
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


def new_formulas(library: Library, n: int, seed: int) -> tuple[list[tuple[str, Structure]], list[str]]:
    """Crystals whose formulas MP-20 does not have, one of each formula, and these formulas."""
    table = library.table
    of_mp20 = {Formula.of(KnownEntry(table, r).composition) for r in np.flatnonzero(table.split >= 0).tolist()}
    found: dict[Formula, KnownEntry] = {}
    for row in np.random.default_rng(seed).permutation(len(table)).tolist():
        entry = KnownEntry(table, row)
        formula = Formula.of(entry.composition)
        if formula not in of_mp20 and formula not in found and entry.num_atoms <= LARGEST and len(formula) > 1:
            found[formula] = entry
            if len(found) == n:
                break
    return [(entry.id, entry.structure) for entry in found.values()], [formula.text for formula in found]


def groups(library: Library, targets: Targets) -> dict[str, list[bool]]:
    """Which targets are in each column of the table: all, by size, by what is known of their formula and energy."""
    sizes = [len(t.get_primitive_structure()) for _, t in targets]
    out = {"all": [True] * len(targets)}
    for low, high in SIZES:
        out[f"{low} to {high} atoms"] = [low <= size <= high for size in sizes]
    known = [len(library.of_formula({e.symbol: int(n) for e, n in t.composition.items()})) > 0 for _, t in targets]
    out |= {"formula known": known, "formula new": [not k for k in known]}
    every = load_library()
    heights = [every[name].e_above_hull if name in every else None for name, _ in targets]
    out["near the hull"] = [h is not None and h <= NEAR_HULL for h in heights]
    return {name: members for name, members in out.items() if any(members)}


def accuracy(library: Library, targets: Targets, args: argparse.Namespace) -> None:
    """Match rates by ranking, with and without templates of the target's formula, and those of the diffusion model."""
    templates = load_template_library(args.templates, library) if args.templates else KnownTemplates(library)
    formulas = [t.composition.get_el_amt_dict() for _, t in targets]
    model = load_similarity() if "metric" in args.rankings else None
    results = {}
    for ranking in args.rankings:
        for own in (True, False):
            generator = TemplateGenerator(templates, ranking, model=model, own=own)
            results[ranking, "all" if own else "of other formulas"] = generator.predict_many(formulas, max(TOPS))
    jobs = []
    for found in results.values():
        for (name, target), predicted in zip(targets, found, strict=True):
            jobs += [((name, p.template), p.structure, target) for p in predicted.predictions]
    hit = matches(jobs, args.workers, args.work)
    columns = groups(library, targets)
    none = sum(not p.predictions for p in next(iter(results.values())))
    print(f"\n{len(targets)} targets, {len(templates):,} templates: {templates.name}; {none} without a template\n")
    print("% right among the first", ", ".join(map(str, TOPS)), "with 95 % intervals of the first\n")
    head = [f"{name}, {sum(members)}" for name, members in columns.items()]
    print(f"| ranked by | templates | {' | '.join(head)} |\n|---|---|{'---|' * len(head)}")

    def row(name: str, which: str, hits: list[list[bool]]) -> None:
        cells = []
        for members in columns.values():
            own = [h for h, m in zip(hits, members, strict=True) if m]
            first, *others = [rate(sum(any(h[:top]) for h in own), len(own)) for top in TOPS]
            cells.append(" / ".join([first.percent, *(f"{100 * float(r.value or 0):.1f}" for r in others)]))
        print(f"| {name} | {which} | {' | '.join(cells)} |", flush=True)

    for (ranking, which), found in results.items():
        row(
            ranking,
            which,
            [[hit[n, p.template] for p in f.predictions] for (n, _), f in zip(targets, found, strict=True)],
        )
    if args.diffusion is not None:
        made = read_predictions(args.diffusion)
        if missing := [name for name, _ in targets if name not in made]:
            raise NucleateError(
                f"{args.diffusion} lacks predictions of {len(missing)} targets, of {missing[0]} for one"
            )
        pairs = [((n, f"csp {s}"), p, t) for n, t in targets for s, p in enumerate(made[n].values()) if p is not None]
        hit = matches(pairs, args.workers, args.work)
        row("mp20-csp", "-", [[hit.get((n, f"csp {s}"), False) for s in range(len(made[n]))] for n, _ in targets])
    volumes(templates, targets)


def volumes(templates: Templates, targets: Targets) -> None:
    """How far the volumes per atom of the first predictions are from the targets', scaled and copied."""
    formulas = [t.composition.get_el_amt_dict() for _, t in targets]
    print("\n| volume of the best template by emd, of other formulas | median error, % | within 20 % |\n|---|---|---|")
    for volume in ("scaled", "copy"):
        generator = TemplateGenerator(templates, "emd", volume=volume, own=False)
        errors = []
        for (_, target), found in zip(targets, generator.predict_many(formulas, 1), strict=True):
            for p in found.predictions:
                errors.append(abs(p.structure.volume / len(p.structure) / (target.volume / len(target)) - 1))
        near = rate(sum(e <= 0.2 for e in errors), len(errors)).percent
        print(f"| {volume} | {100 * statistics.median(errors):.1f} | {near} |", flush=True)


def speed(library: Library, n: int) -> None:
    """Seconds for n formulas of the test split against the templates."""
    formulas = [t.composition.get_el_amt_dict() for _, t in load_targets("mp-20:test", n, seed=1)]
    distinct = len({json.dumps(f, sort_keys=True) for f in formulas})
    print(f"\n{n:,} formulas ({distinct:,} distinct) against {len(library):,} templates\n")
    print("| what | CPU s | formulas/s |\n|---|---|---|")
    model = load_similarity()

    def timed(name: str, work: Callable[[], object]) -> None:
        began = time.process_time()
        work()
        spent = time.process_time() - began
        print(f"| {name} | {spent:.1f} | {n / spent:.0f} |", flush=True)

    for ranking in ("emd", "metric"):
        some = model if ranking == "metric" else None
        plain = TemplateGenerator(KnownTemplates(library), ranking, model=some, distinct=False)
        types = TemplateGenerator(KnownTemplates(library), ranking, model=some)
        timed(f"{ranking}: the best template", lambda g=plain: g.predict_many(formulas, 1))
        timed(f"{ranking}: 5 best templates", lambda g=plain: g.predict_many(formulas, 5))
        timed(f"{ranking}: 5 best structure types", lambda g=types: g.predict_many(formulas, 5))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hide", action="append", help="As of nucleate known; default: mp-20:val,test.")
    parser.add_argument("--templates", default="", help="Other templates than the known crystals, such as mp-20:train.")
    parser.add_argument("--new-formulas", action="store_true", help="Targets are crystals whose formula MP-20 lacks.")
    parser.add_argument("--rankings", nargs="+", default=["emd"], choices=RANKINGS)
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
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    library = load_library()
    if args.new_formulas:
        targets, formulas = new_formulas(library, args.n, args.seed)
        library = hidden_view(library, [*(args.hide or []), *formulas])
        library = Library(library.table, library.visible, f"all crystals of {len(formulas):,} formulas")
    elif args.templates:
        targets, library = load_targets("mp-20:test", args.n, args.seed), Library(library.table)
    else:
        targets = load_targets("mp-20:test", args.n, args.seed)
        library = hidden_view(library, args.hide or ["mp-20:val,test"])
    if args.speed:
        speed(library, args.speed)
    else:
        accuracy(library, targets, args)


if __name__ == "__main__":
    main()
