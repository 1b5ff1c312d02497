"""Names and formulas of minerals and other named structures, from the AFLOW library in pymatgen."""

from __future__ import annotations

import gzip
import json
from functools import cache

from nucleate.chem.composition import Formula


@cache
def _formulas() -> dict[str, str]:
    """The formula of each mineral, by its name in lower case."""
    return {name.lower(): formula for name, formula, _ in named_prototypes()}


@cache
def named_prototypes() -> list[tuple[str, str, dict[str, str]]]:
    """Name, formula and tags of the named structures in pymatgen's copy of AFLOW's library of prototypes."""
    from importlib.resources import files

    try:  # the file is read directly, because importing pymatgen's module takes six seconds
        content = (files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz").read_bytes()
        rows = json.loads(gzip.decompress(content))
    except (OSError, ValueError):  # another version of pymatgen has the file elsewhere
        return []
    out = []
    for row in rows:
        tags = row["tags"]
        if tags.get("mineral") and tags["mineral"] != "None":
            elements = [site["species"][0]["element"] for site in row["snl"]["sites"]]
            formula = Formula.of({e: elements.count(e) for e in elements}).text
            out.append((tags["mineral"], formula, tags))
    return out


def mineral_formula(word: str) -> str:
    """The formula of the mineral of that name, singular or plural; "" if there is none."""
    every, name = _formulas(), word.lower()
    return every.get(name) or every.get(name.removesuffix("s"), "")
