"""Runs of `nucleate design` side by side in a Markdown table: how many formulas passed each step, and the time taken.

    python scripts/pipeline_table.py RUN [RUN ...]

Each RUN is a run folder. Shares are of the formulas that were to get a structure (of all candidates where crystals were
made in one go), so that failures on the way count. Energies are those of converged relaxations; a crystal so far
below the hull that its check "hull" is unknown is near no hull and counted apart. Seconds are those of the clock, by
stage, for each candidate that the stage saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nucleate.evaluate.measures.statistics import rate
from nucleate.hull.distances import DEEPEST
from nucleate.pipeline.candidate import PASS, Candidate
from nucleate.pipeline.rank import e_above_hull_or_inf, too_deep, verdict
from nucleate.tasks.design import DesignResult, load_run

FIRST = ("compose", "chemistry")  # a candidate that fails there was never to get a structure
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def table(runs: Sequence[DesignResult]) -> list[str]:
    """The lines of the table."""
    columns = [column(run) for run in runs]
    names = list(dict.fromkeys(name for c in columns for name in c))
    lines = [f"| | {' | '.join(title(run) for run in runs)} |", f"|---|{'---|' * len(runs)}"]
    return lines + [f"| {name} | {' | '.join(c.get(name, '-') for c in columns)} |" for name in names]


def title(run: DesignResult) -> str:
    """How the crystals were made, and the name of the folder."""
    s = run.settings.generation
    formulas = s.generator.rpartition("/")[2].removesuffix(".safetensors")
    ranking = f" ({run.settings.templates.rank_by})" if s.structures == "template" else ""
    ways = f"{formulas}, {s.structures}{ranking}"
    models = {c.origin.generator for c in run.all if c.origin.generator}
    return f"{ways if s.generator else ', '.join(sorted(models)) or s.weights} ({run.folder.name})"


def column(run: DesignResult) -> dict[str, str]:
    """Measure -> value of one run."""
    everything = run.all
    wanted = [c for c in everything if str(c.failure).partition(":")[0] not in FIRST]
    n = len(wanted)
    out = {"candidates": f"{len(everything):,}"}
    if run.settings.generation.generator:
        written = sum(c.composition is not None for c in everything)
        out["formulas / candidates"] = share(written, len(everything))
        out["neutral, balanced and distinct / candidates"] = share(n, len(everything))
    relaxed = [c for c in wanted if c.failure is None and verdict(c, "relaxed") == PASS]
    e_form = [c.energies["e_form"].value for c in relaxed if "e_form" in c.energies]
    above = known(relaxed)
    out["**n**, to get a structure"] = f"{n:,}"
    out["with a structure / n"] = share(sum(c.structure is not None for c in wanted), n)
    out["possible geometry / n"] = share(sum("check" in c.stages and not fails(c, "check") for c in wanted), n)
    out["relaxed / n"] = share(len(relaxed), n)
    out["e_form < 0 / n"] = share(sum(e < 0 for e in e_form), n)
    for limit in (0.0, 0.1):
        out[f"e_above_hull <= {limit:g} eV/atom / n"] = share(sum(e <= limit for e in above), n)
    new = [c for c in relaxed if verdict(c, "unique") == PASS and verdict(c, "novel") == PASS]
    out["the last, unique and new / n"] = share(sum(e <= 0.1 for e in known(new)), n)
    out[f"hull unknown: over {DEEPEST:g} eV/atom below all known / n"] = share(sum(map(too_deep, relaxed)), n)
    for q in QUANTILES:
        out[f"e_above_hull, {q:.0%} quantile, eV/atom"] = f"{np.quantile(above, q):.3f}" if above else "-"
    if n:
        out["all stages, s / n"] = f"{sum(run.seconds.values()) / n:.3g}"
    for stage, seconds in run.seconds.items():
        seen = sum(stage in c.stages for c in everything)
        out[f"{stage}, s per candidate"] = f"{seconds / seen:.3g} ({seen:,})" if seen else "-"
    return out


def fails(candidate: Candidate, stage: str) -> bool:
    """Whether a candidate was rejected at that stage."""
    return str(candidate.failure).startswith(f"{stage}: ")


def known(candidates: Sequence[Candidate]) -> list[float]:
    """Their energies above the hull, eV/atom, less those that are unknown."""
    return [above for c in candidates if np.isfinite(above := e_above_hull_or_inf(c))]


def share(hits: int, n: int) -> str:
    """In percent with its 95 % interval."""
    if not n:
        return "-"
    found = rate(hits, n)
    return f"{hits / n:.1%} ({100 * (found.low or 0):.1f}-{100 * (found.high or 0):.1f})"


def main() -> None:
    """Print one table of all the runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    print("\n".join(table([load_run(folder) for folder in parser.parse_args().runs])))


if __name__ == "__main__":
    main()
