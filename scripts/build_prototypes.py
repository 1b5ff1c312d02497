"""Write src/nucleate/library/prototypes.tsv: names of structure types, and the labels that the library has for them.

    python scripts/build_prototypes.py

The names are those of the AFLOW Library of Crystallographic Prototypes (M. J. Mehl et al., Comput. Mater. Sci. 136, S1
(2017); D. Hicks et al., ibid. 161, S1 (2019)) that pymatgen brings along with its crystals: AFLOW's label, the symbol
of the Strukturbericht, a mineral or a common name. Each crystal is put into nucleate's canonical form, whose label
stands in the first column. Left out are crystals that have another space group within 0.1 angstrom than the one that
AFLOW's label names, for their own label is of a more symmetric type. Takes a few seconds.
"""

from __future__ import annotations

import re
from pathlib import Path

from nucleate.crystal.canonical import canonical_crystal
from nucleate.crystal.symmetry import without_hand
from nucleate.files import replacing

OUT = Path(__file__).parent.parent / "src/nucleate/library/prototypes.tsv"
SPACE_GROUP = re.compile(r"_[a-z][A-Z]\d+_(\d+)_")  # in a label of AFLOW
SYMBOL = re.compile(r"[A-L]'?\d*'?(_\w+)?|[A-L]\d+(_\w+)?'?")  # of the Strukturbericht: A1, A3', B8_1, D0_3, L'2
NO_NAMES = ("alpha", "beta", "I4/mcm", "Theoretical Carbon Structure", "None", None)  # in place of a name
HEAD = (
    "# Structure types of the AFLOW Library of Crystallographic Prototypes, as pymatgen (MIT) brings them along;",
    "# M. J. Mehl et al., Comput. Mater. Sci. 136, S1 (2017), D. Hicks et al., ibid. 161, S1 (2019). Written by",
    "# scripts/build_prototypes.py. prototype: the label of nucleate's canonical form of AFLOW's crystal.",
    "prototype\taflow\tstrukturbericht\tname\texample",
)


def main() -> None:
    from pymatgen.analysis.prototypes._data import AFLOW_PROTOTYPE_LIBRARY

    rows, left_out = set(), []
    for entry in AFLOW_PROTOTYPE_LIBRARY:
        structure, tags = entry["snl"].structure, entry["tags"]
        form, given = canonical_crystal(structure), SPACE_GROUP.search(tags["aflow"])
        if given is None or form.space_group != without_hand(int(given[1])):
            left_out.append(tags["aflow"])
            continue
        symbol = tags["strukturbericht"] if SYMBOL.fullmatch(tags["strukturbericht"]) else ""
        name = "" if tags["mineral"] in NO_NAMES else plain(tags["mineral"])
        label = form.anonymous_prototype
        rows.add((label, tags["aflow"], symbol, name, structure.composition.reduced_formula))
    with replacing(OUT) as temporary:
        temporary.write_text("\n".join([*HEAD, *("\t".join(row) for row in sorted(rows))]) + "\n", encoding="utf-8")
    print(f"{OUT}: {len(rows)} structure types, {OUT.stat().st_size:,} bytes; left out: {', '.join(left_out)}")


def plain(name: str) -> str:
    """A name without the commands of TeX and spaces at its ends."""
    for command in ("\\'{", "\\`{", '\\"{', "\\", "{", "}", "$"):
        name = name.replace(command, "")
    return " ".join(name.split())


if __name__ == "__main__":
    main()
