"""Look-ups in the library of known crystals, beside a loop over pymatgen structures that asks the same.

    python benchmarks/library.py [--loop 20000]

The first table is of a fresh process: CPU time and memory of importing, opening the library and the first look-up. The
second: each question in milliseconds of CPU time (the median of several times), how many crystals meet it, and the time
of the loop over so many structures of the library, scaled to all of them. The structures are in memory before the loop
begins; making them is timed apart. Space groups come with the entries: searching them would take a loop longer still.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from nucleate.chem.formula import parse_formula
from nucleate.library.filters import Filters
from nucleate.library.library import load_library

FIRST = """
import resource, time
began = time.process_time()
def used():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
from nucleate.library.library import load_library
imported, before = time.process_time(), used()
library = load_library()
opened = time.process_time()
library.of_formula({"Sr": 1, "Ti": 1, "O": 3})
asked = time.process_time()
library.of_formula({"Ti": 1, "O": 2})
again = time.process_time()
entry = library.of_prototype("ABC3_cP5_221_a_b_c")[0]
typed = time.process_time()
library.table.primitive(entry.row)
made = time.process_time()
for name, value in (("import", imported - began), ("open", opened - imported), ("first formula", asked - opened),
                    ("second formula", again - asked), ("first prototype", typed - again),
                    ("first structure, with pymatgen", made - typed)):
    print(f"  {name:<32}{1000 * value:8.1f} ms")
print(f"  memory of the process: {before:.0f} MB before, {used():.0f} MB after")
"""


def median_ms(function: Callable[[], Any], times: int = 9) -> tuple[float, int]:
    """Milliseconds of a call, and the length of what it gives."""
    taken, found = [], 0
    for _ in range(times):
        began = time.process_time()
        found = len(function())
        taken.append(time.process_time() - began)
    return 1000 * statistics.median(taken), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loop", type=int, default=20_000, help="structures of the loop")
    args = parser.parse_args()
    print("a fresh process:", flush=True)
    subprocess.run([sys.executable, "-c", FIRST], check=True)

    library = load_library()
    every = list(library.entries())
    step = max(1, len(every) // args.loop)
    chosen = every[::step]
    began = time.process_time()
    crystals = [(entry, entry.structure) for entry in chosen]
    making = time.process_time() - began
    print(f"structures of {len(chosen):,} entries: {1000 * making / len(chosen):.2f} ms each")

    def loop(test: Callable[[Any, Any], bool]) -> float:
        began = time.process_time()
        for entry, structure in crystals:
            test(entry, structure)
        return 1000 * (time.process_time() - began) * len(every) / len(chosen)

    lfo = {"Li", "Fe", "O"}
    questions: tuple[tuple[str, Filters, Callable[[Any, Any], bool]], ...] = (
        ("SrTiO3", Filters(formula=parse_formula("SrTiO3")), lambda e, s: s.composition.reduced_formula == "SrTiO3"),
        (
            "Li-Fe-O and subsystems",
            Filters(system=("Li", "Fe", "O")),
            lambda e, s: {el.symbol for el in s.composition.elements} <= lfo,
        ),
        (
            "ABC3 in Pnma, gap 1 to 2 eV",
            Filters(anonymous=(1, 1, 3), space_groups=(62,), band_gap=(1, 2)),
            lambda e, s: s.composition.anonymized_formula == "ABC3" and e.space_group == 62,
        ),
        (
            "oxides without Pb, on the hull",
            Filters(contains=("O",), exclude=("Pb",), e_above_hull=(-1, 0)),
            lambda e, s: "O" in s.composition and "Pb" not in s.composition and e.e_above_hull == 0,
        ),
        ("cubic, 4 elements", Filters(space_groups=tuple(range(195, 231)), num_elements=(4, 4)),
         lambda e, s: e.space_group > 194 and len(s.composition) == 4),
    )  # fmt: skip
    print(f"{'question':<34}{'found':>8}{'library':>12}{'loop':>12}{'ratio':>10}")
    for name, filters, test in questions:
        ms, found = median_ms(lambda filters=filters: library.select(filters))  # type: ignore[misc]
        slow = loop(test)
        print(f"{name:<34}{found:>8,}{ms:>9.2f} ms{slow:>9,.0f} ms{slow / ms:>10,.0f}")
    ms, found = median_ms(lambda: library.of_prototype("ABC3_cP5_221_a_b_c"))
    print(f"{'prototype ABC3_cP5_221_a_b_c':<34}{found:>8,}{ms:>9.2f} ms")
    ms, found = median_ms(lambda: library.select(Filters(ids=("mp-149",))))
    print(f"{'mp-149':<34}{found:>8,}{ms:>9.2f} ms")


if __name__ == "__main__":
    main()
