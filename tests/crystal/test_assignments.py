"""Assignments of atoms to Wyckoff positions: number, list and random draws, compared with brute force."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations_with_replacement, product
from pathlib import Path

import numpy as np
import pytest

from nucleate.crystal.assignments import Assignments, assignments_of, assignments_of_sites, compatible_space_groups
from nucleate.crystal.wyckoff import GROUP_NUMBERS, get_space_group
from nucleate.errors import NucleateError

CASES = (
    (2, {"A": 2, "B": 1}, None),
    (10, {"A": 2, "B": 3}, None),
    (62, {"A": 4, "B": 12, "C": 4}, None),
    (136, {"A": 2, "B": 4}, None),
    (166, {"A": 1, "B": 2, "C": 3}, None),
    (225, {"A": 1, "B": 1, "C": 6}, None),
    (227, {"A": 2, "B": 4, "C": 8}, None),
    (47, {"A": 2, "B": 2}, {"A": 1}),
    (62, {"A": 8, "B": 8}, {"A": 2, "B": 1}),
    (1, {"A": 2, "B": 3}, None),
    (225, {"A": 3, "B": 5}, None),  # none
)


def brute(number: int, atoms: dict[str, int], sites: dict[str, int] | None) -> set[tuple[tuple[str, str], ...]]:
    """All multisets of positions for each element, those that fit."""
    positions = get_space_group(number).positions
    choices = []
    for e, n in atoms.items():
        found = []
        for k in range(1, n + 1):
            for some in combinations_with_replacement(range(len(positions)), k):
                fits = sum(positions[i].size for i in some) == n and (sites or {}).get(e, k) == k
                if fits and all(c == 1 or positions[i].free for i, c in Counter(some).items()):
                    found.append(tuple((e, positions[i].letter) for i in some))
        choices.append(found)
    fixed = {p.letter for p in positions if not p.free}
    out = set()
    for parts in product(*choices):
        whole = tuple(site for part in parts for site in part)
        taken = [letter for _, letter in whole if letter in fixed]
        if len(taken) == len(set(taken)):
            out.add(whole)
    return out


@pytest.mark.parametrize(("number", "atoms", "sites"), CASES)
def test_counts_and_lists_agree_with_brute_force(number, atoms, sites) -> None:
    found = Assignments(number, atoms, sites)
    listed = list(found)
    assert len(set(listed)) == len(listed) == found.count
    assert set(listed) == brute(number, atoms, sites)


def test_draws_are_uniform() -> None:
    found = Assignments(2, {"A": 2, "B": 1})
    rng = np.random.default_rng(0)
    n = 40 * found.count
    drawn = Counter(found.draw(rng) for _ in range(n))
    assert set(drawn) == set(found)
    chi2 = sum((v - 40) ** 2 / 40 for v in drawn.values())
    assert chi2 < found.count + 5 * math.sqrt(2 * found.count)
    assert found.log_probability(next(iter(found))) == pytest.approx(-math.log(found.count))


def test_draws_follow_frequencies() -> None:
    frequencies = {"a": 0.6, "b": 0.2, "c": 1.5, "d": 0.4}
    found = Assignments(62, {"A": 4, "B": 8}, frequencies=frequencies)
    expected = {a: math.exp(found.log_probability(a)) for a in found}
    assert sum(expected.values()) == pytest.approx(1)
    # by hand: Bernoulli variables for a and b, Poisson ones for c and d; all elements are equally likely
    one, two = (("A", "a"), ("B", "d")), (("A", "c"), ("B", "c"), ("B", "c"))
    ratio = (0.3 / 0.7 * 0.2) / (0.75 * 0.75**2 / 2)
    assert expected[one] / expected[two] == pytest.approx(ratio)
    rng = np.random.default_rng(1)
    n = 6000
    drawn = Counter(found.draw(rng) for _ in range(n))
    assert set(drawn) <= set(expected)
    chi2 = sum((drawn[a] - n * p) ** 2 / (n * p) for a, p in expected.items())
    assert chi2 < len(expected) + 5 * math.sqrt(2 * len(expected))
    assert found.log_probability((("A", "a"), ("B", "a"))) == -math.inf
    assert found.log_probability((("A", "a"), ("B", "x"))) == -math.inf


def test_more_than_10_to_the_25_assignments_are_counted_and_drawn() -> None:
    garnet = Assignments(47, {"Ca": 12, "Al": 8, "Si": 12, "O": 48})
    assert garnet.count > 10**25
    first = next(iter(garnet))
    rng = np.random.default_rng(0)
    for drawn in (first, garnet.draw(rng)):
        sizes = Counter()
        for element, letter in drawn:
            sizes[element] += get_space_group(47).positions[get_space_group(47).index(letter)].size
        assert sizes == garnet.atoms
    assert Assignments(230, {"Ca": 12, "Al": 8, "Si": 12, "O": 48}).count >= 2  # c, a, d, h and more


def test_numbers_of_sites() -> None:
    found = assignments_of_sites(62, {"K": 1, "Cu": 2, "Si": 1}, 60)
    assert [tuple(a.atoms.values()) for a in found][:2] == [(4, 8, 4), (4, 8, 8)]
    assert all(Counter(e for e, _ in sites) == {"K": 1, "Cu": 2, "Si": 1} for a in found for sites in a)
    exact = assignments_of(62, {"K": 1, "Cu": 2, "Si": 1}, 40, {"Cu": 2})
    assert [a.atoms for a in exact] == [{"K": 4, "Cu": 8, "Si": 4}, {"K": 8, "Cu": 16, "Si": 8}]
    assert exact[0].count < assignments_of(62, {"K": 1, "Cu": 2, "Si": 1}, 16)[0].count


@pytest.mark.parametrize("counts", [(1, 1), (1, 1, 3), (2, 4, 8), (1, 3, 7), (4, 4, 12), (5,)])
def test_groups_that_can_hold_a_composition(counts) -> None:
    atoms = dict(zip("ABC", counts, strict=False))
    assert compatible_space_groups(tuple(atoms.items())) == tuple(
        n for n in GROUP_NUMBERS if Assignments(n, atoms).count
    )


def test_groups_that_can_hold_it_by_pyxtal() -> None:
    from pyxtal.symmetry import Group

    groups = [Group(n) for n in range(1, 231)]
    for counts in ((1, 1), (2, 4, 8), (1, 3, 7)):
        theirs = [g.number for g in groups if g.check_compatible(np.array(counts) * g.cellsize())[0]]
        assert list(compatible_space_groups(tuple(zip("ABC", counts, strict=False)))) == theirs


def test_impossible_compositions_are_refused() -> None:
    with pytest.raises(NucleateError, match="Pnma has no Wyckoff positions for Na1 Cl1 in a primitive cell"):
        Assignments(62, {"Na": 1, "Cl": 1}).draw(np.random.default_rng(0))
    with pytest.raises(NucleateError, match="whole numbers above 0"):
        Assignments(62, {"Na": 0})
    with pytest.raises(NucleateError, match="no atoms"):
        Assignments(62, {"Na": 4}, {"Cl": 1})
    with pytest.raises(NucleateError, match="none were given"):
        Assignments(62, {})


def test_the_page_about_symmetry_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "symmetry.md").read_text()
    names: dict = {}
    exec(compile(page.split("```python\n")[1].split("```")[0], "symmetry.md", "exec"), names)
    assert [p.label for p in names["get_space_group"](62).positions] == ["4a", "4b", "4c", "8d"]
    assert names["ways"].count == 27 and len(names["structure"]) == 6
    assert names["possible_units"](62, {"Sr": 1, "Ti": 1, "O": 3}, 60) == (4, 8, 12)
    assert len(names["compatible_space_groups"]((("Sr", 1), ("Ti", 1), ("O", 3)))) == 58
