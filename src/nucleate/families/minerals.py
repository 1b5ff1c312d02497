"""Names of minerals and other named structures, and their formulas, from AFLOW's library that pymatgen ships."""

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
    """Name, formula and tags of the named structures of AFLOW's library of prototypes, as pymatgen ships it."""
    from importlib.resources import files

    try:  # the module beside it takes six seconds to load
        content = (files("pymatgen.analysis") / "prototypes" / "aflow_prototypes.json.gz").read_bytes()
        rows = json.loads(gzip.decompress(content))
    except (OSError, ValueError):  # another version of pymatgen keeps it elsewhere
        return []
    out = []
    for row in rows:
        tags = row["tags"]
        if tags.get("mineral") and tags["mineral"] != "None":
            elements = [site["species"][0]["element"] for site in row["snl"]["sites"]]
            formula = Formula.of({e: elements.count(e) for e in elements}).text
            out.append((tags["mineral"], formula, tags))
    return out


def mineral(word: str) -> str:
    """The formula of a mineral called so, in singular or plural; "" where the index has none of that name."""
    every, name = _formulas(), word.lower()
    return every.get(name) or every.get(name.removesuffix("s"), "")
