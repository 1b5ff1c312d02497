"""Proposes formulas of a crystal family, without a language model: ions on its sites, the likeliest formulas first.

This is the high-level policy of GenMS (Yang et al. 2024, section 2.2) as an enumeration. All ways to put ions on the
sites that the charges of the family allow are ranked by their distance from the most similar known member, in radius
and electronegativity site by site, and by the likelihood of the formula by a composition model. Similar radii mean
similar tolerance factors. Known members have the distance 0.
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
from nucleate.families.family import LITERAL, Charges, Family, log_charge_share, neighbouring_charges
from nucleate.families.likelihood import STEPS_PER_UNIT, log_likelihoods
from nucleate.families.members import Member, keeps_space_group, known_members

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nucleate.library.library import Library

RADIUS, CHI = 0.1, 0.4  # angstrom of radius, and Pauling units of electronegativity, that count as one step
WIDEST = 4.0  # steps; an element farther than this from all those of known members is not put on the site
MAX_COMBINATIONS = 60_000  # of elements; with more, elements farthest from known members are left out
RARE = 0.25  # steps for each factor e by which a charge is rarer than the element's most frequent one
UNKNOWN_HEIGHT = 0.2  # eV/atom above the hull, for members of which it is not known
HEIGHT = 0.1  # eV/atom above the hull that count as one step
# Elements that are not available in quantity, or form no lasting compounds
RARITIES = frozenset({"He", "Ne", "Ar", "Kr", "Xe", "Rn", "Tc", "Pm", "Po", "At", "Fr", "Ra", "Ac", "Pa"})
COMMON = tuple(s for s in SYMBOLS[:92] if s not in RARITIES)
Composition = Mapping[str, int]


@dataclass(frozen=True)
class Proposal:
    """A proposed formula of a family.

    elements, charges: site by site; charges is () for metals. composition: element -> atoms in a formula unit. nearest:
    the most similar known member, `distance` steps away. known: whether it is that member itself. score: the distance
    plus terms for rare charges and for members above the hull, in steps, lower is better. likelihood: logarithm of that
    of the formula by the composition model, 0 if the model was not asked.
    """

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
        """The number by which proposals are finally ordered, higher is better."""
        return STEPS_PER_UNIT * self.likelihood - self.score


def propose(
    family: Family,
    accepts: Callable[[Composition], bool] = lambda composition: True,
    *,
    contains: Sequence[str] = (),
    exclude: Collection[str] = (),
    repeated: bool = False,
    limit: int = 1000,
    library: Library | None = None,
) -> list[Proposal]:
    """At most `limit` formulas of the family, each once, those most similar to known members first.

    accepts: a function of a composition (element -> atoms in a formula unit) that says whether it is wanted. contains:
    elements that all formulas have. exclude: elements that none of them has. repeated: whether an element may be on
    several sites with charges of the same sign, if the structure type stays the same (Y3Al5O12, Fe3O4). library: the
    known crystals, None for all. Raises NucleateError if there are none.
    """
    named, barred = frozenset(contains), frozenset(exclude)
    ranked = [_ranked(family, charges, named, barred, repeated, library) for charges in family.ways]
    out: dict[frozenset[tuple[str, int]], Proposal] = {}
    for made in heapq.merge(*ranked, key=lambda p: p.score):
        if len(out) == limit:
            break
        kept = (keeps_space_group(family.name, k, made.elements, library) for k in range(len(family.types)))
        if accepts(made.composition) and any(kept):
            out.setdefault(frozenset(made.composition.items()), made)
    if not out:
        wishes = [f"with {', '.join(contains)}"] if contains else []
        left_out = sorted(set(exclude) - RADIOACTIVE)  # radioactive elements are excluded by default, not by the user
        wishes += [f"without {', '.join(left_out)}"] if left_out else []
        raise no_ions_error(family, " and ".join(wishes) or "as wished for")
    return list(out.values())


def no_ions_error(family: Family, wishes: str) -> NucleateError:
    """The error for wishes, given in words, that no formula of a family fulfils."""
    return NucleateError(
        f"no {family.name} ({family.pattern}) {wishes} can be made of ions that balance; nucleate families "
        f"'{family.name}' shows those that are known"
    )


def with_likelihoods(proposals: Sequence[Proposal]) -> list[Proposal]:
    """The proposals with the likelihoods of their formulas, the best first."""
    values = log_likelihoods([p.composition for p in proposals])
    rated = [dataclasses.replace(p, likelihood=v) for p, v in zip(proposals, values, strict=True)]
    return sorted(rated, key=lambda p: -p.merit)


def _ranked(
    family: Family,
    charges: Charges,
    contains: frozenset[str],
    exclude: frozenset[str],
    repeated: bool,
    library: Library | None,
) -> Iterator[Proposal]:
    """All formulas with these charges (() for metals), lowest score first."""
    from scipy.spatial import cKDTree

    able = members_with_charges(family, charges, library)
    sites = [elements_for_site(family, k, charges, able, exclude, contains) for k in range(len(family.sites))]
    sites = _trimmed(sites, contains)
    if not able or not all(sites):
        return
    index = np.stack(np.meshgrid(*(np.arange(len(site)) for site in sites), indexing="ij"), -1).reshape(-1, len(sites))
    numbers = np.stack([np.array([SYMBOLS.index(e) for e in site])[index[:, k]] for k, site in enumerate(sites)], 1)
    keep = (np.diff(np.sort(numbers, 1), axis=1) > 0).all(1)  # all elements are different
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
    # The energy above the hull is one more coordinate, which is 0 for proposals
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


def members_with_charges(family: Family, charges: Charges, library: Library | None = None) -> list[Member]:
    """Known members whose elements may have these charges, site by site; all members for (). library: as in
    `propose`."""
    every = known_members(family.name, library)
    return [m for m in every if not charges or all(map(family.may_be, m.elements, charges))]


def elements_for_site(
    family: Family,
    k: int,
    charges: Charges,
    able: Sequence[Member],
    exclude: frozenset[str],
    named: Collection[str] = (),
) -> list[str]:
    """Elements that may be on site k with these charges, those most similar to the known members' first.

    able: the known members with these charges. exclude: elements that are left out. named: elements that a request
    names; they are considered even if they are not common.
    """
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
    """The lists of elements, from which the last ones are removed until there are at most MAX_COMBINATIONS."""
    sites = [list(site) for site in sites]
    while math.prod(len(site) for site in sites) > MAX_COMBINATIONS:
        longest = max(sites, key=len)
        last = next((e for e in reversed(longest) if e not in contains), None)
        if last is None:
            break
        longest.remove(last)
    return sites


def _places(elements: Sequence[str], charge: Charges) -> NDArray[np.float64]:
    """Radius and electronegativity of elements (n, 2), in steps, as ions of this charge, or as atoms without one."""
    return np.array([_size(e, charge) for e in elements]).reshape(-1, 2) / (RADIUS, CHI)


def _size(element: str, charge: Charges) -> tuple[float, float]:
    """Radius in angstrom, and electronegativity, for which Pm, Eu, Yb and others without one get 1.2."""
    from nucleate.chem.states import pauling_electronegativity

    return ion_radius(element, charge), pauling_electronegativity(element) or 1.2


@lru_cache(maxsize=2000)
def ion_radius(element: str, charge: Charges) -> float:
    """Radius of an element in angstrom: Shannon's radius of the ion, averaged over coordinations, if there is one, else
    the radius of the atom. charge: of the ion; () for metals."""
    from pymatgen.core import Element, Species

    value = None
    if charge:
        with warnings.catch_warnings():  # pymatgen warns of ions without a radius
            warnings.simplefilter("ignore")
            sizes = [Species(element, q).ionic_radius for q in neighbouring_charges(charge[0])]
        found = [float(r) for r in sizes if r is not None]
        value = sum(found) / len(found) if len(found) == len(sizes) else None
    if value is None:
        value = Element(element).atomic_radius or Element(element).atomic_radius_calculated or 1.5
    return float(value)


def rarity(element: str, charge: Charges) -> float:
    """Steps that are added for a charge that the element rarely has, 0 for its most frequent one."""
    if not charge:
        return 0.0
    from nucleate.chem.states import STATE_SETS, log_share, states_of

    highest = max(log_share(element, q) for q in states_of(element, STATE_SETS[2]))
    return RARE * (highest - log_charge_share(element, charge[0]))
