"""What people ask of known crystals, as filters of a library, and what is said where nothing is found."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.library.filters import Bounds, Filters, is_id

if TYPE_CHECKING:
    from nucleate.library.library import Library

STABLE = (-math.inf, 0.0)  # eV/atom above the hull; energies are kept in steps of 0.001
MOST_NEAR = 2000  # crystals among which the nearest formulas are looked for
SHOWN = 4
_SYSTEM = re.compile(r"[A-Z][a-z]?(\s*-\s*[A-Z][a-z]?)+")
_LABEL = re.compile(r"[A-Z][A-Z\d]*_[a-z][A-Z]\d+_\d+_\w+")
_DATABASES = {"mp": ("mp", "mvc"), "oqmd": ("oqmd",)}  # what ids of each begin with
_ANONYMOUS = re.compile(r"([A-Z])(\d*)")
WORDS = {  # of fields of Filters, in sentences
    "formula": "the formula", "system": "the elements", "contains": "what it must contain",
    "exclude": "what it must not contain", "num_elements": "the number of elements", "num_atoms": "the number of atoms",
    "space_groups": "the space group", "anonymous": "the anonymous formula", "prototypes": "the prototype",
    "e_above_hull": "the energy above the hull", "e_form": "the formation energy", "band_gap": "the band gap",
    "experimental": "whether it was made", "ids": "the id", "sources": "the source", "among": "the prototype",
}  # fmt: skip


def filters_of(
    library: Library,
    *,
    query: str = "",
    exact: bool = False,
    contains: str = "",
    exclude: str = "",
    num_elements: Any = None,
    num_atoms: Any = None,
    space_group: str = "",
    anonymous: str = "",
    prototype: str = "",
    stable: bool = False,
    e_above_hull: Any = None,
    e_form: Any = None,
    band_gap: Any = None,
    experimental: bool | None = None,
    source: str = "",
) -> Filters:
    """What `nucleate.known` and `nucleate known` are told, as filters. Raises NucleateError for what makes no sense."""
    from nucleate.request.elements import parse_elements, parse_excluded
    from nucleate.request.symmetry import read_space_groups

    filters = prototype_filters(library, prototype) if prototype.strip() else Filters()
    if query.strip():
        asked = read_query(query, exact)
        filters = replace(filters, **{name: getattr(asked, name) for name in asked.asked()})
    elif exact:
        raise NucleateError("exact is about a chemical system, and none was given; write for example Li-Fe-O")
    if stable and e_above_hull not in (None, ""):
        raise NucleateError("choose one of stable and a range of the energy above the hull")
    ranges = {"num_elements": num_elements, "num_atoms": num_atoms, "e_above_hull": e_above_hull, "e_form": e_form,
              "band_gap": band_gap}  # fmt: skip
    bounds: dict[str, Any] = {
        name: read_bounds(value, name) for name, value in ranges.items() if value not in (None, "")
    }
    if stable:
        bounds["e_above_hull"] = STABLE
    return replace(
        filters,
        contains=parse_elements(contains) if contains else (),
        exclude=parse_excluded(exclude) if exclude else (),
        space_groups=read_space_groups(space_group),
        anonymous=read_anonymous(anonymous) if anonymous else (),
        experimental=experimental,
        sources=read_source(source) if source else (),
        **bounds,
    )


def read_query(text: str, exact: bool = False) -> Filters:
    """A formula ("SrTiO3"), an id ("mp-149"), or a chemical system ("Li-Fe-O": with all subsystems, or exact).

    Raises NucleateError for what is none of these, with what is wrong with it.
    """
    from nucleate.chem.formula import parse_formula
    from nucleate.request.elements import parse_elements

    said = text.strip()
    if is_id(said):
        return Filters(ids=(said,))
    if _SYSTEM.fullmatch(said):
        return Filters(system=parse_elements(said), whole_system=exact)
    return Filters(formula=parse_formula(said))


def read_source(text: str) -> tuple[str, ...]:
    """What the ids of a database begin with: "mp" (Materials Project) or "oqmd"; NucleateError for another one."""
    found = _DATABASES.get(text.strip().lower())
    if found is None:
        raise NucleateError(f"known crystals are of mp (Materials Project) or oqmd, not of '{text[:40]}'")
    return found


def read_anonymous(text: str) -> tuple[int, ...]:
    """ "ABC3" -> (1, 1, 3); NucleateError for what is no anonymous formula."""
    parts = _ANONYMOUS.findall(text.strip())
    letters = [letter for letter, _ in parts]
    if not parts or "".join(a + n for a, n in parts) != text.strip() or len({*letters}) < len(parts):
        raise NucleateError(
            f"'{text[:40]}' is no anonymous formula; write a letter for each element, as in ABC3 or A2B3"
        )
    numbers = tuple(int(n or 1) for _, n in parts)
    if 0 in numbers:
        raise NucleateError(f"'{text[:40]}': numbers of atoms are at least 1")
    return numbers


def read_bounds(value: Any, name: str) -> Bounds:
    """The least and the greatest value: of "1..2", "..0.05", "3..", a number, or a pair with None for no bound.

    Raises NucleateError for anything else.
    """
    try:
        if isinstance(value, str):
            low, dots, high = value.partition("..")
            first, last = (low, high) if dots else (float(low), float(low))
        else:
            first, last = (value, value) if isinstance(value, int | float) else value
        least = -math.inf if first in (None, "") else float(first)
        greatest = math.inf if last in (None, "") else float(last)
    except (TypeError, ValueError):
        least, greatest = math.inf, -math.inf
    if not least <= greatest:
        raise NucleateError(f"{name} takes a number or a range such as 1..2, ..0.05 or 3.., not '{value}'")
    return least, greatest


def prototype_filters(library: Library, name: str) -> Filters:
    """The crystals of a structure type: its label ("ABC3_cP5_221_a_b_c"), the name of a crystal family ("perovskite"):
    the crystals that are known to belong to it, or a name of `prototype_names` ("cuprite", "D0_3").

    Raises NucleateError, with what is near to it, for a name that no family and no structure type has and for a label
    that no crystal has.
    """
    if _LABEL.fullmatch(name.strip()):
        return _labelled(library, name.strip())
    from nucleate.families.family import get_family
    from nucleate.families.members import rows_of_family
    from nucleate.library.prototype_names import labels_of_name, prototype_names

    try:
        found = get_family(name)
    except NucleateError as error:
        if named := labels_of_name(name):
            return Filters(prototypes=named)
        near = get_close_matches(name.strip().lower(), prototype_names(), 4, 0.7)
        raise NucleateError(f"{error}" + (f"; structure types: {', '.join(near)}" if near else "")) from None
    rows = rows_of_family(found.name, library)
    if not len(rows):
        raise NucleateError(f"this library has no crystal of the family {found.name}")
    return Filters(among=tuple(rows.tolist()))


def _labelled(library: Library, label: str) -> Filters:
    from nucleate.library.prototype_names import labels_of_name

    filters = Filters(prototypes=(label,))
    if not len(filters.rows(library.table, None)) and (labels := labels_of_name(label)):
        filters = Filters(prototypes=labels)  # it is AFLOW's label
    if len(filters.rows(library.table, None)):
        return filters
    formula, _, number, _ = label.split("_", 3)
    near: list[str] = []
    if 1 <= int(number) <= 230:
        rows = Filters(space_groups=(int(number),), anonymous=read_anonymous(formula)).rows(library.table, None)
        every = Counter(library.table.prototype(int(r)) for r in rows)
        near = get_close_matches(label, every, 3, 0.6) or [text for text, _ in every.most_common(3)]
    hint = f"similar ones: {', '.join(near)}" if near else "labels are written as in ABC3_cP5_221_a_b_c"
    raise NucleateError(f"no known crystal has the prototype '{label[:60]}'; {hint}")


def nothing_found(library: Library, filters: Filters, words: Mapping[str, str] = WORDS) -> str:
    """What to say where no crystal meets the filters: what is nearest to it. words: of the fields of `Filters`."""
    asked = [name for name in filters.asked() if name in words]
    hidden = f" ({library.hidden_text} are hidden)" if library.hidden_text else ""
    if len(asked) > 1:
        counts = {name: len(filters.without(name).rows(library.table, library.visible)) for name in asked}
        most = [f"{counts[n]:,} without {words[n]}" for n in sorted(asked, key=lambda n: -counts[n]) if counts[n]]
        return f"no known crystal meets all that is asked{hidden}; there {_are(most)}" if most else _none(hidden)
    if asked == ["formula"] and filters.formula:
        near = _near_formulas(library, filters.formula)
        return f"{_formula_text(filters.formula)} is not among the known crystals{hidden}{near}"
    if asked == ["ids"]:
        return f"no known crystal has the id {', '.join(filters.ids)}{hidden}; ids are written as in mp-149"
    return _none(hidden)


def _are(texts: list[str]) -> str:
    first = texts[0].split()[0]
    return f"{'is' if first == '1' else 'are'} {', '.join(texts[:3])}"


def _none(hidden: str) -> str:
    return f"no known crystal meets what is asked{hidden}"


def _near_formulas(library: Library, counts: Mapping[str, int]) -> str:
    """Formulas of the same elements, or else of some of them, nearest first."""
    for whole in (True, False):
        filters = Filters(system=tuple(counts), whole_system=whole, num_elements=None if whole else (2, math.inf))
        every = {entry.formula: entry.composition for entry in library.select(filters)[:MOST_NEAR]}
        if every:
            near = sorted(every, key=lambda text: (_distance(every[text], counts), text))
            what = "with these elements" if whole else "with some of its elements"
            return f"; known {what}: {', '.join(near[:SHOWN])}" + (" ..." if len(every) > SHOWN else "")
    return "; there is none with its elements alone"


def _distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """Of two compositions, whatever their multiples."""
    a, b = sum(one.values()), sum(other.values())
    return sum(abs(one.get(e, 0) / a - other.get(e, 0) / b) for e in {*one, *other})


def _formula_text(counts: Mapping[str, int]) -> str:
    from nucleate.chem.formula import formula_text

    return formula_text(counts)
