"""Lists of elements that a language model may put on the sites of a crystal family; all combinations have balanced
charges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from nucleate.chem.classes import classes
from nucleate.families.family import Charges, Family
from nucleate.families.propose import COMMON, elements_for_site, members_with_charges, no_ions_error, rarity

if TYPE_CHECKING:
    from nucleate.library.library import Library
    from nucleate.request.request import Request

MAX_ELEMENTS = 24  # in a list
USUAL = 5  # an element that so many known members have is in the list, even if its charge is rare
RAREST = 0.75  # steps (`propose.rarity`), for a charge that is twenty times rarer than the element's most frequent one


@dataclass(frozen=True)
class SiteChoice:
    """Elements to choose from. charges: of the sites, () for metals. elements: for each site those that may be there
    with its charge, the most usual ones first."""

    charges: Charges
    elements: tuple[tuple[str, ...], ...]


def site_choices(
    family: Family, request: Request, max_elements: int = MAX_ELEMENTS, library: Library | None = None
) -> list[SiteChoice]:
    """The choices for all charges that the family's sites can have, and for all ways to put the elements that the
    request wants on different sites.

    Lists have at most `max_elements` elements: first those that most known members have, then those most similar to
    them. If no choice can have what the request wants, the lists are not narrowed to it, and the check of formulas says
    what is wrong. library: the known crystals, None for all of them. Raises NucleateError if there are no choices.
    """
    barred = {*request.exclude, *request.unasked}
    named = request.named.union(*request.any_of)
    found = (_choice(family, charges, barred, named, library) for charges in family.ways)
    every = [choice for choice in found if all(choice.elements)]
    if not every:
        raise no_ions_error(family, f"without {', '.join(sorted(request.exclude)) or 'radioactive elements'}")
    wants = _wants(request)
    narrowed = [narrow for choice in every for narrow in _narrowed(choice, wants)]
    return [SiteChoice(c.charges, tuple(site[:max_elements] for site in c.elements)) for c in narrowed or every]


def _choice(
    family: Family, charges: Charges, exclude: Collection[str], named: Collection[str], library: Library | None
) -> SiteChoice:
    """All elements that may be on the sites with these charges."""
    able = members_with_charges(family, charges, library)
    sites = []
    for k in range(len(family.sites)):
        charge = charges[k : k + 1]
        theirs = Counter(m.elements[k] for m in able)
        every = [e for e, _ in theirs.most_common() if e in {*COMMON, *named} and e not in exclude]
        every += elements_for_site(family, k, charges, able, frozenset(exclude), sorted(named))
        sites.append(tuple(e for e in dict.fromkeys(every) if theirs[e] >= USUAL or rarity(e, charge) <= RAREST))
    return SiteChoice(charges, tuple(sites))


def _wants(request: Request) -> dict[frozenset[str], bool]:
    """Sets of elements, of each of which one is wanted -> whether it must be an anion. A set that contains another one
    is left out, because it is fulfilled with that."""
    wants = dict.fromkeys((frozenset({e}) for e in (*request.contains, *(request.chemical_system or ()))), False)
    wants |= dict.fromkeys(map(frozenset, request.any_of), False)
    wants |= dict.fromkeys((a for name in request.classes if (a := classes()[name].anions)), True)
    return {w: anion for w, anion in wants.items() if not any(other < w for other in wants)}


def _narrowed(choice: SiteChoice, wants: Mapping[frozenset[str], bool]) -> Iterator[SiteChoice]:
    """The choices that result when each wanted set is put on a site of its own, in all ways."""
    for indices in permutations(range(len(choice.elements)), len(wants)):
        sites = list(choice.elements)
        for k, (want, anion) in zip(indices, wants.items(), strict=True):
            able = not (anion and choice.charges) or choice.charges[k] < 0
            sites[k] = tuple(e for e in sites[k] if e in want and able)
        if all(sites):
            yield SiteChoice(choice.charges, tuple(sites))
