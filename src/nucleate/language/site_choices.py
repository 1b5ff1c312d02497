"""Which elements a language model may put on the sites of a crystal family: lists of which all ways balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING

from nucleate.chem.classes import classes
from nucleate.families.family import Charges, Family
from nucleate.families.propose import COMMON, elements_for, members_with, no_ions, rarity

if TYPE_CHECKING:
    from nucleate.request.request import Request

MOST = 24  # elements of a list
USUAL = 5  # members with an element, from which on it is there however rare its charge
RAREST = 0.75  # steps for a rare charge (`propose.rarity`): twenty times rarer than the element's commonest


@dataclass(frozen=True)
class SiteChoice:
    """charges: of the sites, () of metals. elements: for each site those that may be there with that charge, the usual
    ones first."""

    charges: Charges
    elements: tuple[tuple[str, ...], ...]


def site_choices(family: Family, request: Request, most: int = MOST) -> list[SiteChoice]:
    """Each way to charge the family's sites, and each way to have what the request wants on different ones of them.

    Lists hold at most `most` elements, those that most members have first, then those most like them. What no way
    satisfies is not narrowed down: the check of formulas says what is wrong. Raises NucleateError where there is none.
    """
    barred = {*request.exclude, *request.unasked}
    named = request.named.union(*request.any_of)
    plain = [choice for charges in family.ways if all((choice := _way(family, charges, barred, named)).elements)]
    if not plain:
        raise no_ions(family, f"without {', '.join(sorted(request.exclude)) or 'radioactive elements'}")
    wants = _wants(request)
    narrowed = [one for choice in plain for one in _narrowed(choice, wants)]
    return [SiteChoice(c.charges, tuple(site[:most] for site in c.elements)) for c in narrowed or plain]


def _way(family: Family, charges: Charges, exclude: Collection[str], named: Collection[str]) -> SiteChoice:
    able = members_with(family, charges)
    sites = []
    for k in range(len(family.sites)):
        charge = charges[k : k + 1]
        theirs = Counter(m.elements[k] for m in able)
        every = [e for e, _ in theirs.most_common() if e in {*COMMON, *named} and e not in exclude]
        every += elements_for(family, k, charges, able, frozenset(exclude), sorted(named))
        sites.append(tuple(e for e in dict.fromkeys(every) if theirs[e] >= USUAL or rarity(e, charge) <= RAREST))
    return SiteChoice(charges, tuple(sites))


def _wants(request: Request) -> dict[frozenset[str], bool]:
    """Sets of elements of each of which one must be there, and whether as an anion; a set that holds another is met
    with it."""
    wants = dict.fromkeys((frozenset({e}) for e in (*request.contains, *(request.chemical_system or ()))), False)
    wants |= dict.fromkeys(map(frozenset, request.any_of), False)
    wants |= dict.fromkeys((a for name in request.classes if (a := classes()[name].anions)), True)
    return {w: anion for w, anion in wants.items() if not any(other < w for other in wants)}


def _narrowed(choice: SiteChoice, wants: Mapping[frozenset[str], bool]) -> Iterator[SiteChoice]:
    """The choice with each want on a site of its own, in all ways."""
    for places in permutations(range(len(choice.elements)), len(wants)):
        sites = list(choice.elements)
        for place, (want, anion) in zip(places, wants.items(), strict=True):
            able = not (anion and choice.charges) or choice.charges[place] < 0
            sites[place] = tuple(e for e in sites[place] if e in want and able)
        if all(sites):
            yield SiteChoice(choice.charges, tuple(sites))
