"""How many formulas per second the chemical checks judge, compared with SMACT, and how many verdicts differ.

    python benchmarks/checks.py FORMULAS [--count 10000] [--compare 2000] [--out FILE]

FORMULAS is a data set or a file of formulas (see `nucleate evaluate compositions`); distinct ones are drawn. Our checks
judge all of them, SMACT those that are compared; reading them is not timed. Where SMACT has too many combinations of
mixed valence to try, it warns and says False; these formulas are counted apart, with the verdicts of our checks. Where
ours say unknown (no states or no electronegativity), SMACT says False, which counts as the same.
"""

from __future__ import annotations

import argparse
import platform
import random
import time
import warnings
from collections import Counter
from pathlib import Path

from nucleate.chem.states import STATE_SETS
from nucleate.chem.verdict import PASS
from nucleate.evaluate.formulas import formula_key, read_formulas
from nucleate.io import replacing
from nucleate.stages.oxidation import composition_oxidation_verdicts

SMACT = {
    "icsd24": {"oxidation_states_set": "icsd24", "mixed_valence": True},
    "smact14": {"oxidation_states_set": "smact14"},
    "icsd24-3": {},
}
Composition = dict[str, int]


def compare(states: str, formulas: list[Composition], count: int) -> tuple[str, ...]:
    """One row of the table: charge neutrality and electronegativity together."""
    from pymatgen.core import Composition
    from smact.screening import smact_validity

    smact_validity({"Na": 1, "Cl": 1, "O": 1}, states)  # so that the tables are read before the time is measured
    smact_validity("NaCl", **SMACT[states])
    began = time.perf_counter()
    mine = [smact_validity(f, states) for f in formulas]
    ours = len(formulas) / (time.perf_counter() - began)
    compositions = [Composition(f) for f in formulas[:count]]
    theirs: list[bool | None] = []
    began = time.perf_counter()
    for composition in compositions:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            answer = smact_validity(composition, **SMACT[states])
        theirs.append(None if any("too many combinations" in str(w.message) for w in said) else answer)
    rate = count / (time.perf_counter() - began)
    pairs = list(zip(mine, theirs, strict=False))
    differ = sum((a.verdict == PASS) != b for a, b in pairs if b is not None)
    many = Counter(a.verdict for a, b in pairs if b is None)
    total = Counter(a.verdict for a in mine)
    return (
        states,
        f"{ours:,.0f}",
        f"{rate:,.0f}",
        f"{ours / rate:.1f}",
        f"{differ} of {count - many.total():,}",
        ", ".join(f"{n} {verdict}" for verdict, n in many.most_common()) or "none",
        ", ".join(f"{n / len(mine):.1%} {verdict}" for verdict, n in total.most_common()),
    )


def network(formulas: list[Composition]) -> tuple[str, ...]:
    """The row of the network of oxidation states, for which SMACT has no counterpart."""
    composition_oxidation_verdicts(formulas[:10])
    began = time.perf_counter()
    verdicts = composition_oxidation_verdicts(formulas)
    rate = len(formulas) / (time.perf_counter() - began)
    total = Counter(v.verdict for v in verdicts)
    shares = ", ".join(f"{n / len(formulas):.1%} {verdict}" for verdict, n in total.most_common())
    return "network of oxidation states", f"{rate:,.0f}", "", "", "", "", shares


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formulas")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--compare", type=int, default=2_000)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks-checks.md"))
    args = parser.parse_args()
    source = read_formulas(args.formulas)
    keys = sorted({key for text in source.texts if (key := formula_key(text)) is not None})
    chosen = random.Random(0).sample(keys, min(args.count, len(keys)))
    formulas: list[Composition] = [dict(key) for key in chosen]
    count = min(args.compare, len(formulas))
    lines = [
        f"{len(formulas):,} of the {len(keys):,} distinct formulas of {source.name}, one core, {platform.machine()}, "
        f"Python {platform.python_version()}. Made by `python benchmarks/checks.py {source.name}`.",
        "",
        "| states | ours, formulas/s | SMACT, formulas/s | ratio | verdicts that differ | ours where SMACT has "
        "too many combinations | ours on all |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for states in (*STATE_SETS, ""):
        cells = compare(states, formulas, count) if states else network(formulas)
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    with replacing(args.out) as temporary:
        temporary.write_text("# Benchmark of the chemical checks\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
