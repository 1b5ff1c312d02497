"""Compounds that every chemist knows (classics.txt), with all their own crystals hidden: what is the first answer?

    OMP_NUM_THREADS=1 python benchmarks/classics.py

Right is what StructureMatcher (stol 0.5, ltol 0.3, angle_tol 10) matches with the most stable known crystal of the
formula; "another known" matches a crystal of the formula that is known too. Some of these formulas were among those
that the ranking was fitted to, each with its own crystals left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.chem.formula import parse_formula
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.library.library import load_library
from nucleate.retrieval.retrieve import Retriever

if TYPE_CHECKING:
    from pymatgen.core import Structure

FILE = Path(__file__).parent / "classics.txt"
FIRST = 5  # answers that are looked at


def verdict_of(answers: Sequence[Structure], known: Sequence[Structure]) -> str:
    """What the answers are worth; known: the crystals of the formula, the most stable first."""

    def same(one: Structure, other: Structure) -> bool:
        return match_pair(one, other, MatchSettings(), False).rms is not None

    if same(answers[0], known[0]):
        return "right"
    if any(same(answers[0], other) for other in known[1:]):
        return "another known"
    places = [place for place, answer in enumerate(answers, start=1) if same(answer, known[0])]
    return f"right at place {places[0]}" if places else "wrong"


def main() -> None:
    library = load_library()
    retriever = Retriever(library)
    counts: Counter[str] = Counter()
    print("| formula | structure type | first answer | from | P | verdict |\n|---|---|---|---|---|---|")
    for line in FILE.read_text(encoding="utf-8").splitlines():
        formula, _, name = line.partition(" ")
        if formula == "#":
            continue
        composition = parse_formula(formula)
        known = library.of_formula(composition)
        found = retriever.retrieve(composition, FIRST, own=False)
        if not len(known) or not found.prototypes:
            reason = "no crystal of it is known" if not len(known) else found.reason
            print(f"| {formula} | {name} | - | - | - | {reason} |")
            continue
        best = found.prototypes[0]
        verdict = verdict_of([p.structure() for p in found.prototypes], [e.structure for e in known])
        counts[verdict] += 1
        nearest, where = best.relatives[0].entry, f"{best.space_group}, {best.num_atoms} atoms"
        told = [formula, name, where, f"{nearest.formula} {nearest.id}", f"{best.probability:.2f}", verdict]
        print(f"| {' | '.join(told)} |", flush=True)
    print(f"\n{dict(counts)}")


if __name__ == "__main__":
    main()
