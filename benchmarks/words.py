"""Crystals of a family that is asked for in words: how many are valid, of the family, and of a formula not yet known.

The comparison is Table 1 of GenMS (Yang et al. 2024, arXiv 2409.06762).

    OMP_NUM_THREADS=1 python benchmarks/words.py --out RUNS [--n 100] [--new] [--structures mp20-csp]
        [--llm http://localhost:8080/v1]

`nucleate design "a perovskite"`, a pyrochlore, a spinel: n candidates each, all counted, failures too. CIF: pymatgen
reads what was written. Valid: the paper's rules (no two atoms within 0.5 angstrom; SMACT's charge balance). Match: the
paper's, StructureMatcher.fit_anonymous (stol 0.5, ltol 0.3, angle_tol 10) with a prototype of the family; the family as
nucleate has it: space group, site symmetries, neighbour distances and ions. Both before relaxation and after. Unknown:
the library does not know the formula (`Library.knows_formula`); the paper asks the ICSD as well. --new asks only for
these. RUNS keeps the runs, so that an interrupted call can be repeated to continue.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.engine.local import executor
from nucleate.evaluate.measures.statistics import rate
from nucleate.evaluate.measures.validity import compositional_validity, structural_validity
from nucleate.families.decorate import DecorateStage
from nucleate.families.family import lexicon
from nucleate.families.members import family_prototype
from nucleate.library import load_library
from nucleate.settings import DesignSettings
from nucleate.stages.request_check import elements_in_family
from nucleate.tasks.design import design, generate_candidates, load_run, resume

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.pipeline.candidate import Candidate
    from nucleate.tasks.design import DesignResult

FAMILIES = "perovskite", "pyrochlore", "spinel"
HEAD = (
    *("family", "CIF %", "struct. valid %", "comp. valid %", "unknown %", "match %", "of the family %"),
    *(
        "relaxed %",
        "match, relaxed %",
        "of the family, relaxed %",
        "e_form, eV/atom",
        "within .1 eV/atom of the hull %",
    ),
)


def made(text: str, folder: Path, settings: DesignSettings, workers: int) -> DesignResult:
    """The run, which continues where it was stopped."""
    if not (folder / "request.json").is_file():
        return design(text, folder, settings, executor=executor(workers))
    if not (folder / "report.html").is_file():
        return resume(folder, executor=executor(workers))
    return load_run(folder)


def matches(structure: Structure | None, family: str) -> bool:
    """By the paper's matcher, with a prototype of any of the family's types."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(stol=0.5, ltol=0.3, angle_tol=10)
    kinds = range(len(lexicon()[family].types))
    return structure is not None and any(matcher.fit_anonymous(structure, family_prototype(family, k)) for k in kinds)


def readable(c: Candidate) -> bool:
    from pymatgen.core import Structure

    return c.structure is not None and len(Structure.from_str(c.structure.to(fmt="cif"), "cif")) == len(c.structure)


def row(family: str, first: list[Candidate], last: list[Candidate]) -> str:
    """first: as generated; last: relaxed."""

    def share(hits: list[bool]) -> str:
        return rate(sum(hits), len(hits)).percent

    def unknown(s: Structure) -> bool:
        return not load_library().knows_formula({e.symbol: int(n) for e, n in s.composition.items()})

    shapes = [c.structure for c in first]
    relaxed = [c.failure is None and c.checks["relaxed"].verdict == "pass" for c in last]
    energies = [c.energies["e_form"].value for c, good in zip(last, relaxed, strict=True) if good]
    near = [good and c.energies["e_above_hull"].value < 0.1 for c, good in zip(last, relaxed, strict=True)]
    cells = [
        family,
        share([readable(c) for c in first]),
        share([s is not None and structural_validity(s) for s in shapes]),
        share([bool(s is not None and compositional_validity(s.composition.reduced_formula)) for s in shapes]),
        share([s is not None and unknown(s) for s in shapes]),
    ]
    for some in (first, last):
        kept = [c.structure if c.failure is None else None for c in some]
        cells += [share(relaxed)] if some is last else []
        cells.append(share([matches(s, family) for s in kept]))
        cells.append(share([s is not None and elements_in_family(s, lexicon()[family]) is not None for s in kept]))
    return f"| {' | '.join([*cells, f'{np.mean(energies):.2f}', share(near)])} |"


def main() -> None:
    """Print the table row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--new", action="store_true", help="only formulas that are not known")
    parser.add_argument("--structures", default="auto", help="prototypes (auto), or a model such as mp20-csp")
    parser.add_argument("--llm", default="", help="a language model that chooses the formulas")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    settings = DesignSettings.of(oversample=1, second="none", structures=args.structures, llm=args.llm)
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}")
    for family in FAMILIES:
        text = f"a {'new ' if args.new else ''}{family}, {args.n} candidates"
        folder = f"{'new-' if args.new else ''}{family}-{'llm' if args.llm else args.structures}"
        run = made(text, args.out / folder, settings, args.workers)
        last = {c.id: c for c in run.all}
        first = list(last.values()) if args.llm else generate_candidates(text, settings)
        if args.llm:  # its answers are only in the run; its structures are prototypes
            first = [one for c in first for one in (DecorateStage()([c]) if c.origin.family else [c])]
        print(row(family, first, [last[c.id] for c in first]), flush=True)


if __name__ == "__main__":
    main()
