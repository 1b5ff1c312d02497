"""Other elements into a given crystal: every combination, whole or in part, ordered by how likely the ions are."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nucleate.chem.composition import Formula
from nucleate.chem.elements import atomic_number
from nucleate.chem.formula import formula_text
from nucleate.crystal.shared_sites import EXACT, VACANCY, mix_of, orbits_of, ordered_cells, without_vacancies
from nucleate.errors import NucleateError
from nucleate.families.ionic import SOURCE, element_charges, log_substitution_probability
from nucleate.hull.atomic_volumes import atomic_volumes
from nucleate.settings import SubstituteSettings
from nucleate.settings.substitute import ALL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.pipeline.candidate import Candidate

    Mix = Mapping[str, float]  # element (or VACANCY) -> share of the sites
    Swaps = Mapping[str, str | Mix | Sequence[str | Mix]]

COMBINATIONS = 10_000  # that are made at most


@dataclass(frozen=True)
class Substituted:
    """A crystal with other elements. swaps: what replaced what, in words. likelihood: log10 of the probability of
    these ions in place of the old ones (`families.ionic`), None where it is not known. volume: over the given one."""

    structure: Structure
    swaps: str
    likelihood: float | None
    volume: float


def read_swaps(texts: Sequence[str]) -> dict[str, list[str | dict[str, float]]]:
    """["Ca=Sr,Ba", "Ti=Zr:0.5"] -> {"Ca": ["Sr", "Ba"], "Ti": [{"Zr": 0.5}]}; "+" joins shares: "Ca=Sr:0.5+Ba:0.5"."""
    out: dict[str, list[str | dict[str, float]]] = {}
    for text in texts:
        element, equals, others = text.partition("=")
        if not equals or not others.strip():
            raise NucleateError(f"'{text}' is no swap; write Ca=Sr,Ba or Ca=Sr:0.5")
        for other in others.split(","):
            parts = [part.partition(":") for part in other.split("+")]
            try:
                mix = {name.strip(): float(share) if share else 1.0 for name, _, share in parts}
            except ValueError:
                raise NucleateError(f"'{other.strip()}' has a share that is no number; write Sr:0.5") from None
            one = next(iter(mix)) if len(parts) == 1 and not parts[0][1] else None
            out.setdefault(element.strip(), []).append(one or mix)
    return out


def substitute_all(structure: Structure, swaps: Swaps, settings: SubstituteSettings | None = None) -> list[Substituted]:
    """Every crystal that the swaps make of the given one, the likeliest first, each once up to symmetry.

    structure: sites may be shared by several elements, or be partly empty; such are ordered. Raises NucleateError for
    an element that is not there, and where there are too many combinations to look at.
    """
    settings = settings or SubstituteSettings()
    if not isinstance(swaps, Mapping):
        raise NucleateError('swaps are written {"Ca": ["Sr", "Ba"], "Ti": "Zr"}, element -> what takes its place')
    options = {element: _options(element, value) for element, value in swaps.items()}
    given = _elements(structure)
    if missing := [e for e in options if e not in given]:
        raise NucleateError(f"there is no {missing[0]} to replace; the elements are {', '.join(sorted(given))}")
    if not options and structure.is_ordered:
        raise NucleateError("nothing is to be replaced, and every site holds one element; write Ca=Sr, for example")
    orbits = orbits_of(structure)
    found: list[tuple[Structure, dict[tuple[str, str], float]]] = []
    seen: dict[Formula, list[Any]] = {}
    for choice in _choices(structure, orbits, options, settings.sites):
        for ordered, pairs in _ordered(structure, orbits, choice, settings):
            if settings.sites == ALL or _is_new(ordered, seen):
                found.append((ordered, pairs))
    if not found:
        raise NucleateError("these swaps change nothing")
    return _ranked(structure, found, settings)


def candidates_of(found: Sequence[Substituted], parent: str = "") -> list[Candidate]:
    """Candidates SrZrO3-1, SrZrO3-2 ... in the order given, with the checks of their formulas and geometry."""
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Origin, Substitution
    from nucleate.stages.check import check_candidate

    counts: Counter[str] = Counter()
    out = []
    for one in found:
        formula = formula_text(one.structure.composition)
        counts[formula] += 1
        record: dict[str, Any] = {"swaps": one.swaps, "volume_ratio": round(one.volume, 4)}
        record |= {"log10_likelihood": one.likelihood, "likelihood_by": SOURCE}
        record |= {"parent": parent} if parent else {}
        made = Substitution(one.swaps, one.likelihood, round(one.volume, 4), parent)
        name, origin = f"{formula}-{counts[formula]}", Origin(generator="substitution", substitution=made)
        out.append(check_candidate(Candidate(name, structure=one.structure, provenance=record, origin=origin)))
    return out


def _options(element: str, value: Any) -> list[dict[str, float]]:
    """The alternatives for an element, each element -> share, with what is left of a share kept by the element."""
    atomic_number(element)
    out = []
    for one in value if isinstance(value, list | tuple) else [value]:
        if not (isinstance(one, str) or (isinstance(one, Mapping) and all(map(_is_share, one.values())))):
            raise NucleateError(f'in place of {element} stands "Sr", ["Sr", "Ba"] or {{"Sr": 0.5}}, not {one!r}')
        mix = {one: 1.0} if isinstance(one, str) else {str(k): float(v) for k, v in one.items()}
        for name, share in mix.items():
            if name != VACANCY:
                atomic_number(name)
            if not 0 < share <= 1:
                raise NucleateError(f"a share of the sites lies between 0 and 1, not {share:g} (of {name})")
        rest = 1.0 - math.fsum(mix.values())
        if rest < -EXACT:
            raise NucleateError(f"the shares on the sites of {element} add up to {1 - rest:g}, which is more than 1")
        if rest > EXACT:
            mix[element] = mix.get(element, 0.0) + rest
        out.append(mix)
    if not out:
        raise NucleateError(f"nothing is named to take the place of {element}")
    return out


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float | Fraction) and not isinstance(value, bool)


def _elements(structure: Structure) -> set[str]:
    return {e.symbol for e in structure.composition.element_composition}


def _choices(
    structure: Structure, orbits: NDArray[np.int64], options: Mapping[str, list[dict[str, float]]], sites: str
) -> Iterator[dict[tuple[str, int], dict[str, float]]]:
    """(element, orbit) -> what takes its place there; orbit -1 for all sites of the element alike."""
    places: dict[tuple[str, int], list[dict[str, float]]] = {}
    for element, some in options.items():
        if sites == ALL:
            places[element, -1] = some
            continue
        for orbit in dict.fromkeys(orbits.tolist()):
            if element in mix_of(structure[orbit]):
                places[element, orbit] = [{element: 1.0}, *some]
    if (count := math.prod(map(len, places.values()))) > COMBINATIONS:
        raise NucleateError(
            f"there are {count:,} combinations, and at most {COMBINATIONS:,} are made; name fewer elements"
        )
    for combination in itertools.product(*places.values()):
        choice = dict(zip(places, combination, strict=True))
        if not structure.is_ordered or any(mix != {element: 1.0} for (element, _), mix in choice.items()):
            yield choice


def _ordered(
    structure: Structure,
    orbits: NDArray[np.int64],
    choice: Mapping[tuple[str, int], Mapping[str, float]],
    settings: SubstituteSettings,
) -> Iterator[tuple[Structure, dict[tuple[str, str], float]]]:
    """The crystals of one choice, with (old element, new element) -> share of the old one's atoms."""
    mixes: list[dict[str, float]] = []
    groups: list[tuple] = []
    pairs: dict[tuple[str, str], float] = {}
    for i, site in enumerate(structure):
        own, mix = mix_of(site), dict[str, float]()
        for old, share in own.items():
            place = (old, -1) if (old, -1) in choice else (old, int(orbits[i]))
            for new, part in choice.get(place, {old: 1.0}).items():
                mix[new] = mix.get(new, 0.0) + share * part
                if new != old:
                    pairs[old, new] = pairs.get((old, new), 0.0) + share * part
        mixes.append(mix)
        whole = len(own) == 1 and settings.sites == ALL  # the sites of an element share what is put on them
        groups.append((next(iter(own)) if whole else int(orbits[i]), tuple(sorted(mix.items()))))
    if all(len(mix) == 1 for mix in mixes):
        yield without_vacancies(structure.lattice.matrix, structure.frac_coords, [next(iter(m)) for m in mixes]), pairs
        return
    names = [str(sorted(mix_of(site).items())) for site in structure]
    for ordered in ordered_cells(structure, names, mixes, groups, settings.max_atoms):
        yield ordered, pairs


def _is_new(structure: Structure, seen: dict[Formula, list[Any]]) -> bool:
    """Whether no crystal before it was the same, sites and all."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False)
    group = seen.setdefault(Formula.of_amounts(structure.composition), [])
    if any(matcher.fit(structure, other) for other in group):
        return False
    group.append(structure)
    return True


def _ranked(
    parent: Structure, found: Sequence[tuple[Structure, dict[tuple[str, str], float]]], settings: SubstituteSettings
) -> list[Substituted]:
    from nucleate.generators.substitute import with_volume_scaled

    compositions = [_counts(s) for s, _ in found]
    before, *after = element_charges([_counts(parent), *compositions])
    atoms = {symbol: math.fsum(mix_of(site).get(symbol, 0.0) for site in parent) for symbol in _elements(parent)}
    out = []
    for (structure, pairs), own in zip(found, after, strict=True):
        ratio = _volume_ratio(atoms, pairs) if settings.volume == "scaled" else 1.0
        ions = None
        replaced = [(a, b) for a, b in pairs if b != VACANCY]
        if replaced and before is not None and own is not None:
            ions = log_substitution_probability((a, before[a], b, own[b]) for a, b in replaced)
        words = ", ".join(_words(a, b, share / atoms[a]) for (a, b), share in pairs.items())
        out.append(Substituted(with_volume_scaled(structure, ratio), words, ions, ratio))
    return sorted(out, key=lambda one: math.inf if one.likelihood is None else -one.likelihood)


def _words(old: str, new: str, share: float) -> str:
    how = f"{share:.3g} of " if share < 1 - EXACT else ""
    return f"{how}{old} taken out" if new == VACANCY else f"{new} for {how}{old}"


def _counts(structure: Structure) -> dict[str, int]:
    """Element -> whole number of atoms in proportion; shares of a site as fractions."""
    amounts = {s.symbol: float(n) for s, n in structure.composition.element_composition.items()}
    parts = {s: Fraction(n).limit_denominator(100) for s, n in amounts.items()}
    times = math.lcm(*(f.denominator for f in parts.values()))
    counts = {s: int(f * times) for s, f in parts.items() if f > 0}
    divisor = math.gcd(*counts.values())
    return {s: n // divisor for s, n in counts.items()}


def _volume_ratio(atoms: Mapping[str, float], pairs: Mapping[tuple[str, str], float]) -> float:
    """Volume after over volume before, by the volumes of the atoms; a vacancy keeps the room of its atom. 1 where an
    element has no volume."""
    volumes = atomic_volumes()
    before = math.fsum(n * volumes[atomic_number(s)] for s, n in atoms.items())
    change = math.fsum(
        n * (volumes[atomic_number(b)] - volumes[atomic_number(a)]) for (a, b), n in pairs.items() if b != VACANCY
    )
    ratio = (before + change) / before if before > 0 else math.nan
    return float(ratio) if ratio > 0 else 1.0  # also where it is no number
