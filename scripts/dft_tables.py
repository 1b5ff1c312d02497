"""Write the tables of docs/dft.md from the results of `nucleate dft`.

python scripts/dft_tables.py BENCH/dft.csv DESIGN/dft.csv

BENCH is a run on Si, MgO, NaCl, LiF and TiN, DESIGN one on the best of a design run; "-" leaves a table as it is.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

# PBE lattice constants, angstrom: all-electron values of Garrity et al., Comput. Mater. Sci. 81, 446 (2014);
# Si and TiN, which are not among them, as in MP-20 (the Materials Project's mp-149 and mp-492, PAW)
PBE = {"Si": 5.469, "MgO": 4.259, "NaCl": 5.714, "LiF": 4.076, "TiN": 4.254}
# Enthalpies of formation at 298 K, eV/atom (-601.6, -411.1, -616.9, -337.7 kJ/mol)
MEASURED = {"MgO": -3.118, "NaCl": -2.130, "LiF": -3.197, "TiN": -1.750}


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(text: str, form: str = "+.3f") -> str:
    return format(round(float(text), 3) + 0.0, form) if text else "-"


def bench(path: str) -> list[str]:
    out = ["| crystal | a (Å) | PBE literature | off by | e_form, raw | + MP2020 | measured | steps | time |"]
    out.append("|---|---|---|---|---|---|---|---|---|")
    for r in rows(path):
        name, a = r["formula"], float(r["a"] or "nan")
        cells = [name, f"{a:.3f}", f"{PBE[name]:.3f}", f"{round(100 * (a / PBE[name] - 1), 1) + 0.0:+.1f} %"]
        cells += [number(r["e_form"]), number(r["e_form_mp2020"])]
        cells += [f"{MEASURED[name]:+.3f}" if name in MEASURED else "0", r["steps"], f"{float(r['seconds']):.0f} s"]
        out.append(f"| {' | '.join(cells)} |")
    return out


def design(path: str) -> list[str]:
    heads = ("id", "formula", "atoms", "status", "volume", "e_form, raw", "+ MP2020", "CHGNet", "difference")
    heads += ("e_above_hull", "time")
    out = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for r in rows(path):
        bound = ">= " if r["lower_bound"] == "True" and r["e_above_hull_mp2020"] else ""
        change = f"{number(r['volume_change'], '+.1f')} %" if r["volume_change"] else "-"
        cells = [r["id"], r["formula"], r["atoms"], r["status"], change]
        cells += [number(r["e_form"]), number(r["e_form_mp2020"]), number(r["potential_e_form"])]
        cells += [number(r["difference"]), bound + number(r["e_above_hull_mp2020"]), f"{float(r['seconds']):.0f} s"]
        out.append(f"| {' | '.join(cells)} |")
    notes = {(r["id"], word, r[word]) for r in rows(path) for word in ("reason", "missing") if r[word]}
    return [*out, "", *(f"- {id}: {'without ' if word == 'missing' else ''}{text}" for id, word, text in sorted(notes))]


def put(text: str, name: str, lines: list[str]) -> str:
    start, end = f"<!-- {name} -->\n", "<!-- end -->"
    before, _, rest = text.partition(start)
    return before + start + "\n".join(lines).rstrip() + "\n" + rest[rest.index(end) :]


if __name__ == "__main__":
    page = Path(__file__).parents[1] / "docs" / "dft.md"
    text = page.read_text(encoding="utf-8")
    for (name, function), path in zip({"bench": bench, "design": design}.items(), sys.argv[1:], strict=False):
        text = put(text, name, function(path)) if path != "-" else text
    page.write_text(text, encoding="utf-8")
