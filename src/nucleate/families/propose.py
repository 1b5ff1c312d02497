"""Formulas for a crystal family, without a language model: its sites filled with ions, the likeliest ways first.

The high-level policy of GenMS (paper 4, section 2.2) as enumeration: every way to put ions on the sites that the
charges of the family allow, ranked by how near it is to a known member, site by site, in radius and electronegativity,
and by how likely its formula is to a composition model. What is near in radii is near in tolerance factors as well.
Known members are at distance 0.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nucleate.chem.elements import RADIOACTIVE, SYMBOLS
from nucleate.errors import NucleateError
from nucleate.families.family import LITERAL, Charges, Family, Member, keeps_type, members, share, whole
from nucleate.families.likelihood import PULL, log_likelihoods

if TYPE_CHECKING:
    from numpy.typing import NDArray

RADIUS, CHI = 0.1, 0.4  # angstrom and Pauling's units that count as one step
WIDEST = 4.0  # steps to the nearest element that a member has on the site
MOST = 60_000  # combinations looked at; on the sites with most elements those furthest from members go first
RARE = 0.25  # steps for each factor e by which a charge is rarer than the element's commonest
UNKNOWN_HEIGHT = 0.2  # eV/atom above the hull, of members of which it is not known
HEIGHT = 0.1  # eV/atom above the hull that count as one step
# Not made in quantity, or not at all in compounds that keep
RARITIES = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Tc", "Pm", "Po", "At", "Fr", "Ra", "Ac", "Pa"})
COMMON = tuple(s for s in SYMBOLS[:92] if s not in RARITIES)
Composition = Mapping[str, int]


@dataclass(frozen=True)
class Proposal:
    """elements, charges: site by site; charges () of metals. nearest: of the known members, at `distance` steps, and
    `known` where it is this very formula. score: steps away, lower first. likelihood: logarithm of the composition
    model's, 0 where it was not asked."""

    family: str
    elements: tuple[str, ...]
    charges: Charges
    composition: Composition
    nearest: Member
    distance: float
    known: bool
    score: float
    likelihood: float = 0.0

    @property
    def merit(self) -> float:
        """The number by which proposals are ordered in the end; higher ones come first."""
        return PULL * self.likelihood - self.score


def propose(
    family: Family,
    accepts: Callable[[Composition], bool] = lambda composition: True,
    *,
    contains: Sequence[str] = (),
    exclude: Collection[str] = (),
    repeated: bool = False,
    limit: int = 1000,
) -> list[Proposal]:
    """At most `limit` formulas of the family, each once, the nearest to members first.

    contains, exclude: elements that all, that none of them have. repeated: whether an element may be on several sites,
    with charges of one sign, where the structure stays what it is (Y3Al5O12, Fe3O4). accepts: any further wish, of
    element -> atoms in a formula unit. Raises NucleateError where there is none.
    """
    ranked = [_ranked(family, charges, frozenset(contains), frozenset(exclude), repeated) for charges in family.ways]
    out: dict[frozenset[tuple[str, int]], Proposal] = {}
    for one in heapq.merge(*ranked, key=lambda p: p.score):
        if len(out) == limit:
            break
        if accepts(one.composition) and any(keeps_type(family.name, k, one.elements) for k in range(len(family.types))):
            out.setdefault(frozenset(one.composition.items()), one)
    if not out:
        wishes = [f"with {', '.join(contains)}"] if contains else []
        plain = sorted(set(exclude) - RADIOACTIVE)  # these are left out of all, and no reason
        wishes += [f"without {', '.join(plain)}"] if plain else []
        raise no_ions(family, " and ".join(wishes) or "as wished for")
    return list(out.values())


def no_ions(family: Family, wishes: str) -> NucleateError:
    """What is said where the wishes, in words, leave nothing of a family."""
    return NucleateError(
        f"no {family.name} ({family.pattern}) {wishes} can be made of ions that balance; nucleate families "
        f"'{family.name}' shows those that are known"
    )


def judged(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The proposals with their likelihoods, the best first."""
    values = log_likelihoods([p.composition for p in proposals])
    told = [dataclasses.replace(p, likelihood=v) for p, v in zip(proposals, values, strict=True)]
    return sorted(told, key=lambda p: -p.merit)


def _ranked(
    family: Family, charges: Charges, contains: frozenset[str], exclude: frozenset[str], repeated: bool
) -> Iterator[Proposal]:
    """All formulas with these charges, () for metals, in order."""
    from scipy.spatial import cKDTree

    able = members_with(family, charges)
    sites = [elements_for(family, k, charges, able, exclude, contains) for k in range(len(family.sites))]
    sites = _trimmed(sites, contains)
    if not able or not all(sites):
        return
    index = np.stack(np.meshgrid(*(np.arange(len(site)) for site in sites), indexing="ij"), -1).reshape(-1, len(sites))
    numbers = np.stack([np.array([SYMBOLS.index(e) for e in site])[index[:, k]] for k, site in enumerate(sites)], 1)
    ordered = np.sort(numbers, 1)
    keep = (np.diff(ordered, axis=1) > 0).all(1)
    if repeated:
        signs = np.sign(charges) if charges else np.zeros(len(sites))
        keep = np.array([len(set(zip(row, signs, strict=True))) == len(set(row)) for row in numbers.tolist()])
    for element in contains:
        keep &= (numbers == SYMBOLS.index(element)).any(1)
    index = index[keep]
    if not len(index):
        return
    rare = [np.array([rarity(e, charges[k : k + 1]) for e in site]) for k, site in enumerate(sites)]
    heights = np.array([UNKNOWN_HEIGHT if math.isnan(m.e_above_hull) else m.e_above_hull for m in able]) / HEIGHT
    theirs = [_places([m.elements[k] for m in able], charges[k : k + 1]) for k in range(len(sites))]
    ours = [_places(site, charges[k : k + 1])[index[:, k]] for k, site in enumerate(sites)]
    # the height above the hull as one more dimension, in which all that is proposed stands on the ground
    members_at = np.concatenate([*theirs, heights[:, None]], 1)
    wanted_at = np.concatenate([*ours, np.zeros((len(index), 1))], 1)
    _, nearest = cKDTree(members_at).query(wanted_at)
    away = np.linalg.norm((wanted_at - members_at[nearest])[:, :-1], axis=1)
    score = away + heights[nearest] + np.sum([row[index[:, k]] for k, row in enumerate(rare)], axis=0)
    for i in np.argsort(score, kind="stable"):
        elements = tuple(site[j] for site, j in zip(sites, index[i], strict=True))
        near = able[nearest[i]]
        known = near.elements == elements
        units = family.composition(elements)
        yield Proposal(family.name, elements, charges, units, near, float(away[i]), known, float(score[i]))


def members_with(family: Family, charges: Charges) -> list[Member]:
    """Known members whose elements may have these charges, site by site; all for ()."""
    every = members(family.name)
    return [m for m in every if not charges or all(map(family.may_be, m.elements, charges))]


def elements_for(
    family: Family,
    k: int,
    charges: Charges,
    able: Sequence[Member],
    exclude: frozenset[str],
    named: Collection[str] = (),
) -> list[str]:
    """Elements for a site, those nearest to what members have there first: the common ones, and `named` ones that a
    request asks for whatever they are."""
    letter = family.sites[k][0]
    theirs = sorted({m.elements[k] for m in able})
    if letter in LITERAL:
        return [] if letter in exclude else [letter]
    q = charges[k : k + 1]
    ours = [e for e in dict.fromkeys((*COMMON, *named)) if e not in exclude and all(family.may_be(e, c) for c in q)]
    if not theirs or not ours:
        return []
    near = np.linalg.norm(_places(ours, q)[:, None] - _places(theirs, q), axis=-1).min(1)
    order = np.argsort(near, kind="stable")
    return [ours[i] for i in order if near[i] <= (WIDEST if charges else 0)]


def _trimmed(sites: list[list[str]], contains: frozenset[str]) -> list[list[str]]:
    sites = [list(site) for site in sites]
    while math.prod(len(site) for site in sites) > MOST:
        longest = max(sites, key=len)
        last = next((e for e in reversed(longest) if e not in contains), None)
        if last is None:
            break
        longest.remove(last)
    return sites


def _places(elements: Sequence[str], charge: Charges) -> NDArray[np.float64]:
    """Radius and electronegativity of elements in steps, (n, 2), as ions of this charge or, without one, as atoms."""
    return np.array([_size(e, charge) for e in elements]).reshape(-1, 2) / (RADIUS, CHI)


def _size(element: str, charge: Charges) -> tuple[float, float]:
    """Radius, and electronegativity with a middling one for Pm, Eu, Yb and the like."""
    from nucleate.chem.states import pauling_electronegativity

    return radius(element, charge), pauling_electronegativity(element) or 1.2


@lru_cache(maxsize=2000)
def radius(element: str, charge: Charges) -> float:
    """The radius in angstrom: Shannon's radius of the ion, averaged over coordinations, where he gives one, else the
    atom's.

    charge: of the ion; None for metals."""
    from pymatgen.core import Element, Species

    value = None
    if charge:
        with warnings.catch_warnings():  # pymatgen warns of ions that it has no radius of
            warnings.simplefilter("ignore")
            sizes = [Species(element, q).ionic_radius for q in whole(charge[0])]
        found = [float(r) for r in sizes if r is not None]
        value = sum(found) / len(found) if len(found) == len(sizes) else None
    if value is None:
        value = Element(element).atomic_radius or Element(element).atomic_radius_calculated or 1.5
    return float(value)


def rarity(element: str, charge: Charges) -> float:
    """Steps for a charge that the element seldom has."""
    if not charge:
        return 0.0
    from nucleate.chem.states import STATE_SETS, log_share, states_of

    commonest = max(log_share(element, q) for q in states_of(element, STATE_SETS[2]))
    return RARE * (commonest - share(element, charge[0]))
