"""What people call the structure type of a known crystal."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.families.family import lexicon
from nucleate.families.members import rows_of_family
from nucleate.library.library import Library
from nucleate.library.prototype_names import names_of_label

if TYPE_CHECKING:
    from nucleate.library.entries import KnownEntry
    from nucleate.library.table import LibraryTable


def structure_type_name(entry: KnownEntry) -> str:
    """The crystal family that a known crystal belongs to ("spinel"; of several the first of the lexicon), or else the
    common name of its structure type in AFLOW's library ("cuprite"); "" where it has none, or several."""
    if family := _family_by_row(entry.table).get(entry.row):
        return family
    names = names_of_label(entry.prototype)
    return names[0] if len(names) == 1 else ""


@lru_cache(maxsize=4)
def _family_by_row(table: LibraryTable) -> dict[int, str]:
    out: dict[int, str] = {}
    for name in lexicon():
        for row in rows_of_family(name, Library(table)).tolist():
            out.setdefault(row, name)
    return out
