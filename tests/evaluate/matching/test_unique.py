import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure
from pymatgen.core.structure_matcher import StructureMatcher
from real_data import crystal_of, real_table

from nucleate.errors import NucleateError
from nucleate.evaluate.matching import first_match
from nucleate.evaluate.matching.exclusions import Screen
from nucleate.evaluate.matching.unique import Matcher, Twins, novel, unique
from nucleate.parallel import Outcome

MATCHERS = [Matcher(), Matcher(0.3, 0.5, 10.0), Matcher(0.1, 0.2, 3.0), Matcher(volume_tol=0.2)]
CARBON = ["C"] * 8
DIAMOND = Structure.from_spacegroup(227, Lattice.cubic(3.57), ["C"], [[0, 0, 0]])
FCC = Structure.from_spacegroup(225, Lattice.cubic(3.1), ["C"], [[0, 0, 0]])
NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
CSCL = Structure(Lattice.cubic(4.1), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
BLENDE = Structure.from_spacegroup(216, Lattice.cubic(5.4), ["Na", "Cl"], [[0, 0, 0], [0.25] * 3])
PEROVSKITE = Structure(Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"], [[0] * 3, [0.5] * 3, *(np.eye(3) * 0.5)])
SEEDS = [DIAMOND, FCC, NACL, CSCL, BLENDE, PEROVSKITE]


def variant(structure, rng):
    """The same or nearly the same crystal, in other words."""
    s = structure.copy()
    kind = rng.integers(6)
    if kind == 0:
        shifts = rng.normal(size=(len(s), 3))
        shifts *= rng.choice([0.05, 0.2, 0.4, 0.8]) / np.linalg.norm(shifts, axis=1)[:, None]
        s = Structure(s.lattice, s.species, s.cart_coords + shifts, coords_are_cartesian=True)
    elif kind == 1:
        s.make_supercell(rng.choice([1, 1, 2], 3).tolist())
    elif kind == 2:
        rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        s = Structure(Lattice(s.lattice.matrix @ rotation), s.species, s.frac_coords + rng.random(3))
    elif kind == 3:
        s.scale_lattice(s.volume * rng.choice([0.5, 0.9, 1.15, 2.0]))
    elif kind == 4:
        strain = np.eye(3) + rng.normal(scale=0.08, size=(3, 3))
        s = Structure(Lattice(s.lattice.matrix @ strain), s.species, s.frac_coords)
    else:
        s = s.get_primitive_structure()
        s.make_supercell([[1, 1, 0], [0, 1, 0], [0, -1, 1]])
    return Structure.from_sites([s[int(i)] for i in rng.permutation(len(s))])


def mixture(n=60, seed=0):
    rng = np.random.default_rng(seed)
    noise = [
        Structure(Lattice.from_parameters(*rng.uniform(3, 5, 3), *rng.uniform(70, 110, 3)), CARBON, rng.random((8, 3)))
        for _ in range(6)
    ]
    pool = SEEDS + noise
    while len(pool) < n:
        pool.append(variant(pool[rng.integers(12)], rng))
    return [pool[i] for i in rng.permutation(n)]


def brute(first, second, matcher, before):
    """Every pair in order, by the plain matcher."""
    fit = StructureMatcher(ltol=matcher.ltol, stol=matcher.stol, angle_tol=matcher.angle_tol).fit

    def match(a, b):
        ratio = (a.volume / len(a)) / (b.volume / len(b))
        far = matcher.volume_tol is not None and max(ratio, 1 / ratio) > 1 + matcher.volume_tol
        return not far and fit(a, b)

    return [next((i for i, a in enumerate(first[: j if before else None]) if match(a, b)), None) for j, b in
            enumerate(second)]  # fmt: skip


def table_of(structures, names):
    rows = [
        {
            "material_id": name,
            "atomic_numbers": list(s.atomic_numbers) if s is not None else [],
            "frac_coords": s.frac_coords.ravel().tolist() if s is not None else None,
            "lengths": list(s.lattice.abc) if s is not None else None,
            "angles": list(s.lattice.angles) if s is not None else None,
            "gap": 1.0,
        }
        for s, name in zip(structures, names, strict=True)
    ]
    return pa.Table.from_pylist(rows)


@pytest.mark.parametrize("matcher", MATCHERS, ids=str)
def test_unique_is_the_brute_force_pass(matcher):
    crystals = mixture(60 if matcher == Matcher() else 36)
    found = unique(crystals, matcher, workers=0)
    assert found.twin == brute(crystals, crystals, matcher, before=True)
    assert found.reasons == {}
    assert 5 < len(found.alone) < len(crystals) - 5  # both verdicts occur
    assert found.alone == [i for i, t in enumerate(found.twin) if t is None]


def test_small_jobs_in_processes_give_the_same(monkeypatch):
    crystals = mixture(30, seed=1)
    monkeypatch.setattr(first_match, "PAIRS_AT_ONCE", 20)
    monkeypatch.setattr(first_match, "REDUCED_AT_ONCE", 7)
    calls = []
    found = unique(crystals, workers=2, progress=lambda *a: calls.append(a))
    assert found.twin == brute(crystals, crystals, Matcher(), before=True)
    assert [done for done, _ in calls] == sorted({done for done, _ in calls})
    assert calls[-1][0] == calls[-1][1] == {t for _, t in calls}.pop()


def test_novel_is_the_brute_force_pass_for_structures_and_tables():
    crystals, known = mixture(24, seed=2), mixture(24, seed=3)
    expected = brute(known, crystals, Matcher(), before=False)
    found = novel(crystals, known, workers=0)
    assert found == Twins(expected, {}, 0)
    assert 0 < len(found.alone) < 24
    names = [f"mp-{100 - i}" for i in range(24)]
    rows = table_of([*known, None], [*names, "bare"])
    found = novel(crystals, rows, workers=0)
    assert found.twin == [None if i is None else names[i] for i in expected]
    assert found.passed_over == 1


def test_only_known_crystals_of_a_needed_formula_are_built(monkeypatch):
    built = []
    monkeypatch.setattr(first_match, "_reduce", lambda part, real=first_match._reduce: built.extend(part) or real(part))
    assert novel([NACL], table_of([CSCL, DIAMOND, NACL, PEROVSKITE], "abcd"), workers=0).twin == ["c"]
    assert len(built) == 3  # one generated and two known crystals are built
    built.clear()
    assert novel([FCC], [NACL, None], workers=0) == Twins([None], {}, 1)
    assert unique([FCC, NACL], workers=0).twin == [None, None]
    assert built == []


def test_what_cannot_be_compared_is_neither_unique_nor_a_duplicate():
    nan = CSCL.copy()
    nan.lattice = Lattice(np.full((3, 3), np.nan))
    flat = Structure(Lattice([[1, 0, 0], [0, 1, 0], [1, 1, 0]]), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.5, "Cl": 0.5}], [[0, 0, 0]])
    found = unique([None, CSCL, nan, mixed, CSCL, flat], workers=0)
    assert found.twin == [None, None, None, None, 1, None]
    assert found.reasons == {
        0: "no structure",
        2: "the lattice or a coordinate is not a number",
        3: "no ordered structure to compare",
        5: "the cell has no volume",
    }
    assert found.alone == [1]
    assert set(novel([None, CSCL, nan, mixed], [CSCL], workers=0).reasons) == {0, 2, 3}


def test_a_known_crystal_that_cannot_be_built_leaves_the_others_unknown():
    known = table_of([NACL, CSCL], ["bad", "good"]).to_pylist()
    known[0]["angles"] = [10.0, 10.0, 170.0]
    found = novel([CSCL, BLENDE, FCC], pa.Table.from_pylist(known), workers=0)
    assert found.twin == ["good", None, None]
    assert list(found.reasons) == [1]
    assert found.reasons[1].startswith("1 of 2 known crystals of its formula cannot be compared (")
    assert found.alone == [2]
    with pytest.raises(NucleateError, match="lack column 'angles'"):
        novel([CSCL], pa.Table.from_pylist(known).drop_columns("angles"))


def test_duplicates_count_as_earlier_because_matching_is_not_transitive():
    chain = [Structure(Lattice.tetragonal(a, a * c), ["Cu"], [[0] * 3]) for a, c in ((3, 1), (3, 1.25), (3, 1.6))]
    assert unique(chain, workers=0).twin == [None, 0, 1]
    assert unique([chain[0], chain[2]], workers=0).twin == [None, None]


def test_oxidation_states_are_ignored():
    charged = CSCL.copy()
    charged.add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    assert unique([CSCL, charged, charged], workers=0).twin == [None, 0, 0]
    assert unique([charged, CSCL], workers=0).twin == [None, 0]


def test_a_hang_costs_what_hangs(monkeypatch):
    """Jobs in which the crystals at 3 and 5 meet the one at 1, or that reduce the one at 6, never end."""

    def ending(function, job):
        if function is first_match._reduce:
            return all(place != 6 for place, _ in job[0])
        later, earlier = ({cell.index for cell in cells} for cells in job[:2])
        return not (later & {3, 5} and 1 in earlier)

    def map_jobs(function, jobs, *, limit, **_):
        for i, job in enumerate(jobs):
            if ending(function, job):
                yield Outcome(i, function(*job))
            else:
                yield Outcome(i, reason=f"took longer than {limit:g} s")

    monkeypatch.setattr("nucleate.parallel.map_jobs", map_jobs)
    calls = []
    crystals = [CSCL, CSCL, BLENDE, NACL, BLENDE, CSCL, CSCL, NACL, CSCL]
    found = unique(crystals, limit=7, progress=lambda *a: calls.append(a))
    assert found.twin == [None, 0, None, None, 2, 0, None, 3, 0]  # the match of 5 with 0 is certain
    assert found.reasons == dict.fromkeys((3, 6), "took longer than 7 s")
    assert found.alone == [0, 2]
    assert calls[-1] == (18, 18)


@pytest.mark.parametrize("matcher", MATCHERS[:3], ids=str)
def test_the_screen_refuses_nothing_that_the_matcher_accepts(matcher):
    crystals = mixture(50, seed=4)
    cells = [c for _, c in first_match._reduce(list(enumerate(crystals)))]
    fit = StructureMatcher(ltol=matcher.ltol, stol=matcher.stol, angle_tol=matcher.angle_tol).fit
    spared = met = 0
    for size in {(len(c.species), frozenset(c.species)) for c in cells}:
        block = [c for c in cells if (len(c.species), frozenset(c.species)) == size]
        screen = Screen(block, matcher)
        for cell in block:
            near = set(screen.candidates(cell, before=False))
            for k, other in enumerate(block):
                met += 1
                if not (k in near and screen.may_match(k, cell)):
                    spared += 1
                    assert not fit(other.structure, cell.structure, skip_structure_reduction=True)
    assert spared > 0.1 * met  # the screen saves enough calls to be useful


def test_needles_are_refused_before_they_fill_the_memory():
    needle = Structure(Lattice.tetragonal(0.01, 1e6), ["Cu"], [[0, 0, 0]])
    copper = Structure(Lattice.cubic(2.5), ["Cu"], [[0, 0, 0]])
    found = unique([needle, copper, copper], workers=0)
    assert found.twin == [None, None, 1]
    assert "needle" in found.reasons[0]


def test_what_the_screen_cannot_enumerate_is_left_to_the_matcher(monkeypatch):
    monkeypatch.setattr("nucleate.evaluate.matching.exclusions.MAX_POINTS", 10)
    cells = [c for _, c in first_match._reduce([(0, CSCL), (1, BLENDE.get_primitive_structure())])]
    assert Screen(cells, Matcher()).may_match(0, cells[1])


def test_real_crystals_are_judged_as_by_brute_force():
    files = real_table("mp_20_test"), real_table("carbon_24_test")
    rng = np.random.default_rng(0)
    columns = ["formula", "atomic_numbers", "frac_coords", "lengths", "angles"]
    tables = [pq.read_table(f, columns=columns).to_pylist() for f in files]
    counts = {}
    for row in tables[0]:
        counts.setdefault(row["formula"], []).append(row)
    chosen = [row for rows in counts.values() if len(rows) > 2 for row in rows][:30] + tables[1][:30]
    crystals = [crystal_of(r) for r in chosen]
    crystals += [variant(s, rng) for s in crystals[::3]]
    found = unique(crystals, workers=0)
    assert found.twin == brute(crystals, crystals, Matcher(), before=True)
    assert any(t is not None for t in found.twin)
