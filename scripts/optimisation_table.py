"""Success rates of `nucleate optimise` runs as Markdown, for docs/results.md and model cards.

    python scripts/optimisation_table.py RUN [RUN ...]

Each RUN is a finished run folder; every number is read from its report.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

COUNTS = (("", "{judge}, as generated"), ("best_of_10_", "the best of each 10"), ("relaxed_", "{potential}, relaxed"))
SHARES = (("valid", "possible"), ("unique", "unique"), ("novel", "new"))


def percent(metric: dict[str, Any], interval: bool = True) -> str:
    """A share in percent with its 95 % interval."""
    ends = f" ({100 * metric['low']:.1f}-{100 * metric['high']:.1f})" if interval else ""
    return f"{100 * metric['value']:.1f}{ends}"


def rows(folder: Path) -> list[str]:
    """The table's rows of one run, then the shares as one row."""
    report = json.loads((folder / "report.json").read_text())
    metrics = {m["name"]: m for s in report["sections"] for m in s["metrics"]}
    settings = report["settings"]
    judge = report["sections"][0]["title"].split()[-1]
    name = Path(settings["weights"]).stem
    out = []
    for prefix, words in COUNTS:
        found = [metrics.get(f"{prefix}sr_{k}") for k in (5, 10, 15)]
        if all(found):
            who = words.format(judge=judge, potential=settings["potential"])
            cells = " | ".join(percent(m) for m in found if m)
            out.append(f"| {name} | {who} | {found[0]['n']:,} | {cells} |")  # type: ignore[index]
    shares = ", ".join(f"{percent(metrics[k], False)} % {word}" for k, word in SHARES if k in metrics)
    return [*out, f"| | {shares} | {report['n']:,} | | | |"]


def main() -> None:
    """Print one table of all the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    print("| model | judge | n | SR5 % | SR10 % | SR15 % |\n|---|---|---|---|---|---|")
    for run in parser.parse_args().runs:
        print("\n".join(rows(run)))


if __name__ == "__main__":
    main()
