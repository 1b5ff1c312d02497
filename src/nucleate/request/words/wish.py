"""`Wish`: what a text asks for, and whether it contradicts itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nucleate.chem.classes import classes
from nucleate.errors import NucleateError
from nucleate.generators.bounds import Bounds, bounds_text, within

SHOWN = 4  # elements of a long list that messages name
LIMITS = {"band_gap": (0.0, 10.0), "formation_energy_per_atom": (-6.0, 1.0)}  # for wishes that give only one bound
STABLE, METASTABLE = 0.025, 0.1  # highest e_above_hull, eV/atom, of these words without a number


@dataclass
class Wish:
    """What a text asks for.

    contains: elements that must be there. any_of: groups of elements, one element of each must be there. exclude:
    elements that must not be there. composition: element -> atoms, of a formula. system: elements that must all be
    there, and no others. ratio: numbers of atoms of the elements in a formula unit, sorted. num_elements, num_atoms:
    lowest and highest number. properties: column -> lowest and highest value. novel: whether the formula must not be
    known. stable: highest e_above_hull, eV/atom. count: number of candidates. anything: whether the text says that
    anything is wanted. notes: how unusual words were understood. left: words that were not understood.
    """

    families: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    any_of: tuple[tuple[str, ...], ...] = ()
    exclude: tuple[str, ...] = ()
    composition: Mapping[str, int] | None = None
    system: tuple[str, ...] | None = None
    ratio: tuple[int, ...] = ()
    num_elements: Bounds | None = None
    num_atoms: Bounds | None = None
    space_groups: tuple[int, ...] = ()
    properties: dict[str, tuple[float, float]] = field(default_factory=dict)
    novel: bool = False
    stable: float | None = None
    count: int | None = None
    anything: bool = False
    notes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def spoken(self) -> bool:
        """Whether it asks for more than a formula, a chemical system, symmetry, numbers of atoms and properties."""
        return bool(self.families or self.classes or self.contains or self.any_of or self.exclude or self.ratio
                    or self.num_elements or self.novel or self.stable is not None)  # fmt: skip

    @property
    def empty(self) -> bool:
        """Whether it does not say what is wanted at all."""
        return not (self.spoken or self.composition or self.system or self.properties or self.space_groups
                    or self.num_atoms or self.anything)  # fmt: skip


def intersect_bounds(name: str, old: Bounds | None, new: Bounds) -> Bounds:
    """Both bounds on one number together. name: of what is counted. Raises NucleateError if no number fulfils both."""
    lows = [b[0] for b in (old, new) if b is not None and b[0] is not None]
    highs = [b[1] for b in (old, new) if b is not None and b[1] is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    if low is not None and high is not None and low > high:
        raise NucleateError(f"at least {low} and at most {high} {name} contradict each other")
    return low, high


def require_consistent(wish: Wish) -> None:
    """Raises NucleateError, naming both sides, for a wish that contradicts itself."""
    exclude = set(wish.exclude)
    both = sorted(set(wish.contains) & exclude)
    if both:
        raise NucleateError(f"the request asks for {both[0]} and against it")
    _check_classes(wish, exclude)
    for some in wish.any_of:
        if set(some) <= exclude:
            raise NucleateError(f"the request asks for one of {shortened_list(some, ', ')} and excludes them all")
    if wish.composition is not None:
        _check_composition(wish, wish.composition, exclude)
    elif wish.system is not None:
        _check_system(wish, set(wish.system), exclude)
    else:
        _check_numbers(wish)
    _check_families(wish)
    if wish.ratio and wish.families:
        from nucleate.families.family import lexicon

        if all(wish.ratio == tuple(sorted(n for _, n in lexicon()[name].sites)) for name in wish.families):
            wish.ratio = ()  # the families imply it


def _check_classes(wish: Wish, exclude: set[str]) -> None:
    for name in wish.classes:
        kind = classes()[name]
        barred = (kind.needs & exclude) or (kind.anions if kind.anions and kind.anions <= exclude else set())
        if barred:
            raise NucleateError(f"the request asks for the class {name} and excludes {', '.join(sorted(barred))}")
        if not kind.anions and wish.properties.get("band_gap", (0.0, 0.0))[0] > 0:
            raise NucleateError("the request asks for a metal and for a band gap, and metals have none")


def _check_composition(wish: Wish, counts: Mapping[str, int], exclude: set[str]) -> None:
    from nucleate.chem.formula import formula_text

    said = formula_text(counts)
    if wish.system is not None and set(wish.system) != set(counts):
        raise NucleateError(f"{said} and the system {'-'.join(wish.system)} contradict each other")
    if found := sorted(exclude & set(counts)):
        raise NucleateError(f"the request asks for {said} and against {found[0]}, which is in it")
    if missing := [e for e in wish.contains if e not in counts]:
        raise NucleateError(
            f"{said} has no {missing[0]}; write what it replaces: with {missing[0]} instead of {next(iter(counts))}"
        )
    for some in wish.any_of:
        if not set(some) & set(counts):
            raise NucleateError(f"{said} has none of {shortened_list(some, ', ')}")
    for name in wish.classes:
        if not classes()[name].holds(counts):
            raise NucleateError(f"{said} is not of the class {name}")
    if wish.num_elements is not None and not within(len(counts), wish.num_elements):
        raise NucleateError(f"{said} has {len(counts)} elements, not {bounds_text(wish.num_elements, 'elements')}")
    if wish.ratio and tuple(sorted(counts.values())) != wish.ratio:
        raise NucleateError(f"{said} has not the ratio {':'.join(map(str, wish.ratio))}")
    unit = sum(counts.values())
    if wish.num_atoms is not None and wish.num_atoms[1] is not None and wish.num_atoms[1] < unit:
        raise NucleateError(f"{wish.num_atoms[1]} atoms cannot hold a formula unit of {said} ({unit} atoms)")


def _check_system(wish: Wish, system: set[str], exclude: set[str]) -> None:
    said = "-".join(wish.system or ())
    if found := sorted(exclude & system):
        raise NucleateError(f"the request asks for {said} and against {found[0]}, which is in it")
    if missing := [e for e in wish.contains if e not in system]:
        raise NucleateError(f"the request asks for {said} alone and for {missing[0]} beside it")
    for some in wish.any_of:
        if not set(some) & system:
            raise NucleateError(f"{said} has none of {shortened_list(some, ', ')}")
    for name in wish.classes:
        kind = classes()[name]
        if kind.anions and (not kind.anions & system or not kind.needs <= system):
            raise NucleateError(f"{said} holds no {name}")
    if wish.num_elements is not None and not within(len(system), wish.num_elements):
        raise NucleateError(f"{said} has {len(system)} elements, not {bounds_text(wish.num_elements, 'elements')}")


def _check_numbers(wish: Wish) -> None:
    """Compares the wanted elements with the number of elements that there may be."""
    needed = set(wish.contains)
    for name in wish.classes:
        kind = classes()[name]
        needed |= kind.needs | (kind.anions if len(kind.anions) == 1 else set())
    most = wish.num_elements[1] if wish.num_elements is not None else None
    if wish.ratio:
        most = len(wish.ratio) if most is None else min(most, len(wish.ratio))
        if wish.num_elements is not None and not within(len(wish.ratio), wish.num_elements):
            raise NucleateError(
                f"{bounds_text(wish.num_elements, 'elements')} and a ratio of {len(wish.ratio)} contradict each other"
            )
    if most is not None and len(needed) > most:
        raise NucleateError(f"the request asks for {', '.join(sorted(needed))}, and for at most {most} elements")


def use_related_families(wish: Wish) -> list[str]:
    """Replaces a family that the wanted formula does not fit by related families that it fits, and returns notes.

    Related families are those whose name ends with the name of the family: a perovskite Cs2SnI6 is a vacancy-ordered
    double perovskite.
    """
    from nucleate.families.family import lexicon

    ratio = tuple(sorted(wish.composition.values())) if wish.composition is not None else ()
    if len(wish.families) != 1 or not ratio:
        return []
    (said,) = wish.families
    if _fills(ratio, tuple(n for _, n in lexicon()[said].sites)):
        return []
    kin = [
        f.name
        for f in lexicon().values()
        if any(name.lower().endswith(f" {said.lower()}") for name in (f.name, *f.synonyms))
        and sorted(n for _, n in f.sites) == list(ratio)
    ]
    if not kin:
        return []
    wish.families = tuple(kin)
    return [f"a {said} of this formula is {' or '.join(kin)}"]


def _check_families(wish: Wish) -> None:
    """Compares the wanted families with the wanted numbers of elements, ratio and system."""
    from nucleate.families.family import lexicon

    able = [lexicon()[name] for name in wish.families]
    if not able:
        return
    said = " or ".join(f"{f.name} ({f.pattern})" for f in able)
    fewest = wish.num_elements[0] if wish.num_elements is not None else None
    if fewest is not None and all(len(f.sites) < fewest for f in able):
        raise NucleateError(f"the request asks for {said} and for at least {fewest} elements")
    ratio = wish.ratio or (tuple(sorted(wish.composition.values())) if wish.composition is not None else ())
    if ratio and not any(_fills(ratio, tuple(n for _, n in f.sites)) for f in able):
        raise NucleateError(f"the ratio {':'.join(map(str, ratio))} is not that of {said}")
    if wish.system is not None and all(len(f.sites) > 1 for f in able) and len(wish.system) == 1:
        raise NucleateError(f"{wish.system[0]} alone cannot be {said}")


def _fills(ratio: tuple[int, ...], sites: tuple[int, ...]) -> bool:
    """Whether elements with this ratio can fill the sites; an element may be on several of them."""
    total, whole = sum(sites), sum(ratio)
    if total % whole:
        return False
    parts = tuple(sorted(n * total // whole for n in ratio))
    return parts == tuple(sorted(sites)) if len(parts) >= len(sites) else True


def shortened_list(elements: Sequence[str], last: str) -> str:
    """A list of elements that is shortened if there are more than five: "Sc, Y, La, Ce or 13 others". last: the text
    before the last one, such as " or "."""
    if len(elements) > SHOWN + 1:
        elements = [*elements[:SHOWN], f"{len(elements) - SHOWN} others"]
    return last.join([", ".join(elements[:-1]), elements[-1]]) if len(elements) > 1 else "".join(elements)
