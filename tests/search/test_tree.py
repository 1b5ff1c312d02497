"""Tree search: which formulas get structures, in which order, and what a budget leaves undone."""

import dataclasses

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.families.likelihood import STEPS_PER_UNIT, log_likelihoods
from nucleate.library import load_library
from nucleate.pipeline.candidate import PASS, Candidate, Check, Energy
from nucleate.pipeline.rank import rank, to_rows
from nucleate.pipeline.state import FormulaScore
from nucleate.request.parse import parse_request
from nucleate.search.heuristics import HeuristicStage, ObjectiveStage, read_objective
from nucleate.search.tree import (
    BLOCK,
    SAMPLES,
    TEMPLATES,
    TYPES,
    Budget,
    Extent,
    extent_of,
    frontier,
    make_branches,
    was_opened,
)
from nucleate.settings import DesignSettings
from nucleate.tasks.design import design, load_run, resume

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
FORMULAS = {"a": {"Na": 1, "Cl": 1}, "b": {"K": 2, "O": 1}, "c": {"Mg": 1, "O": 1}, "d": {"Na": 2, "Cl": 2}}


def formulas(**values):
    return [
        Candidate(name, seed=i, formula_score=FormulaScore(value), composition=FORMULAS[name])
        for i, (name, value) in enumerate(values.items())
    ]


def judged(candidate, above):
    return candidate.with_(energies={"e_above_hull": Energy(above, "m")}, checks={"relaxed": Check(PASS)})


def ids(candidates):
    return [c.id for c in candidates]


def test_the_best_formulas_are_opened_and_the_others_say_why_not():
    branches, pruned = make_branches(formulas(a=-2.0, b=-1.0, c=-3.0), Extent(10, 2, 3), SAMPLES)
    assert [ids(b) for b in branches] == [["b", "b-2", "b-3"], ["a", "a-2", "a-3"]]
    assert [c.failure and str(c.failure) for c in pruned] == ["width: formula 3 of 3 by R_hi, 2 are opened"]
    seeds = [c.seed for b in branches for c in b]
    assert len(set(seeds)) == 6, "every structure has a random stream of its own"


def test_candidates_of_one_formula_are_one_branch():
    branches, pruned = make_branches(formulas(a=1.0, d=1.0, c=0.0), Extent(3, 3, 4), TYPES)
    assert [ids(b) for b in branches] == [["a", "d"], ["c"]] and not pruned
    (first, _) = make_branches(formulas(a=1.0, d=1.0, c=0.0), Extent(3, 3, 4), SAMPLES)[0]
    assert ids(first) == ["a", "d", "a-3", "d-4"]


def test_structures_beyond_l_are_rejected_with_that_reason_and_failures_stay():
    a, d = formulas(a=1.0, d=1.0)
    branches, pruned = make_branches([a, d], Extent(2, 2, 1), TYPES)
    assert ids(branches[0]) == ["a"] and str(pruned[0].failure) == "width: structure 2 of its formula, 1 are made"
    assert not was_opened(pruned[0]) and was_opened(a) and was_opened(a.failed("relax", "error", "blew up"))
    assert ids(make_branches([a.failed("relax", "error", "blew up"), d], Extent(2, 2, 2), TYPES)[0][0]) == ["a", "d"]


def test_templates_are_told_apart_by_rank():
    (branch,) = make_branches(formulas(a=0.0), Extent(1, 1, 3), TEMPLATES)[0]
    assert [c.wanted.rank for c in branch] == [1, 2, 3]


def test_the_order_of_structures_is_the_strategy():
    branches, _ = make_branches(formulas(a=0.0, b=-1.0), Extent(2, 2, 3), SAMPLES)
    assert ids(frontier("best-first", branches, {})) == ["a", "a-2", "a-3", "b", "b-2", "b-3"]
    assert ids(frontier("breadth-first", branches, {})) == ["a", "b", "a-2", "b-2", "a-3", "b-3"]
    assert ids(frontier("best-first", branches, {"a": branches[0][0], "b": branches[1][0]})) == [
        *("a-2", "a-3"),
        *("b-2", "b-3"),
    ]


def test_a_beam_halves_the_formulas_by_their_best_structure():
    branches, _ = make_branches(formulas(a=0.0, b=-1.0, c=-2.0), Extent(3, 3, 3), SAMPLES)
    heights = {"a": 0.3, "b": 0.1, "c": 0.2, "b-2": 0.4, "c-2": 0.05, "c-3": 0.0}
    done, rounds = {}, []
    while waiting := frontier("beam", branches, done):
        rounds.append(ids(waiting))
        done |= {c.id: judged(c, heights[c.id]) for c in waiting[:1]}  # one at a time: the end is the same
    assert [rounds[0], rounds[3], rounds[5]] == [["a", "b", "c"], ["b-2", "c-2"], ["c-3"]]
    assert set(done) == set(heights)


def test_a_search_stops_at_its_budget():
    assert Budget().left(1e9, 10**6) == BLOCK
    assert Budget(evaluations=20).left(0, 18) == 2 and Budget(evaluations=20).left(0, 20) == 0
    assert Budget(seconds=10).left(0, 0) == BLOCK and Budget(seconds=10).left(11, 0) == 0
    assert Budget(seconds=100).left(80, 40) == 10 and Budget(seconds=100).left(101, 40) == 0
    with pytest.raises(NucleateError, match="must be positive"):
        Budget(seconds=-1)


def test_sizes_of_the_search_follow_from_the_number_of_candidates():
    request = parse_request("a spinel, 5 candidates")
    assert extent_of(request, DesignSettings()) == Extent(25, 5, 4)
    assert extent_of(request, DesignSettings.of(structures="prototype")) == Extent(100, 20, 1), "one structure type"
    assert extent_of(request, DesignSettings.of(width=7, structures_each=2)) == Extent(35, 7, 2)
    with pytest.raises(NucleateError, match=r"7 formulas cannot be opened of 3"):
        extent_of(request, DesignSettings.of(width=7, formulas=3))


QUICK = DesignSettings.of(search="best-first", formulas=5, width=2, relax_steps=1, second="none")
ASKED = "a perovskite that is not known, 3 candidates"  # four structure types each


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return design(ASKED, tmp_path_factory.mktemp("whole") / "run", QUICK, executor=Serial())


def test_a_search_opens_the_best_formulas_with_all_their_structure_types(whole):
    made = [c for c in whole.all if c.structure is not None]
    assert len({c.formula for c in made}) == 2 and len(made) == 8
    assert sum(str(c.failure or "").startswith("width: ") for c in whole.all) == 12
    scores = [c.formula_score.value for c in whole.all if c.id.endswith(("1", "2"))]
    assert all(s <= 0 for s in scores)
    assert whole.tree["good"] == 5 and whole.tree["opened"] == 2 and whole.tree["left"] == 0
    assert "tree search" in (whole.folder / "report.html").read_text()


@pytest.mark.parametrize("strategy", ["best-first", "beam"])
def test_a_search_stopped_by_its_budget_continues_to_the_same_result(strategy, tmp_path):
    settings = QUICK.replaced(search=strategy)
    part = design(ASKED, tmp_path / "part", settings.replaced(evaluations=3), executor=Serial())
    assert part.tree["evaluated"] == 3 and part.tree["left"] > 0
    assert len(part.candidates) == sum(c.structure is not None for c in part.all) == 3
    assert to_rows(load_run(tmp_path / "part").candidates) == to_rows(part.candidates)
    again = resume(tmp_path / "part", executor=Serial(), evaluations=0)
    straight = design(ASKED, tmp_path / "whole", settings, executor=Serial())
    assert to_rows(again.all) == to_rows(straight.all) and again.tree == straight.tree
    assert all(c.structure is not None or c.failure for c in straight.all), "what was left aside says so"
    assert to_rows(resume(tmp_path / "whole", executor=Serial()).all) == to_rows(straight.all)


class Dies(Serial):
    """Killed after two relaxations."""

    def map(self, stage, candidates):
        for i, result in enumerate(super().map(stage, candidates)):
            if stage.name == "relax" and i == 2:
                raise KeyboardInterrupt
            yield result


def test_an_interrupted_search_resumes_to_the_same(whole, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        design(ASKED, tmp_path / "part", QUICK, executor=Dies())
    begun = load_run(tmp_path / "part")
    assert sum("relax" in c.stages for c in begun.all) == 2
    assert to_rows(resume(tmp_path / "part", executor=Serial()).all) == to_rows(whole.all)


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        ("SrTiO3", {"search": "beam"}, "works on formulas that are drawn first"),
        ("SrTiO3", {"evaluations": 5}, "works on formulas that are drawn first"),
        (
            "a spinel",
            {"search": "depth-first"},
            "search must be one of best-first, breadth-first, beam, not 'depth-first'",
        ),
        ("a spinel", {"width": -1}, "width must be at least 0, not -1"),
        ("a spinel", {"seconds": -1.0}, "seconds must be at least 0, not -1"),
        ("a spinel", {"objective": "beauty=1"}, "'beauty=1' is no weight of an objective"),
    ],
)
def test_impossible_searches_are_refused_before_anything_is_written(text, changes, message, tmp_path):
    with pytest.raises(NucleateError, match=message):
        design(text, tmp_path / "run", DesignSettings.of(**changes))
    assert not (tmp_path / "run").exists()


def test_only_a_tree_search_has_a_budget(tmp_path):
    flat = QUICK.replaced(search="", formulas=0, width=0, oversample=1)
    design("a spinel, 1 candidates", tmp_path / "run", flat, executor=Serial())
    with pytest.raises(NucleateError, match="no tree search"):
        resume(tmp_path / "run", seconds=5.0)


def test_formulas_without_family_are_judged_by_known_ones_and_their_oxidation_states():
    known = Candidate("a", composition={"Na": 1, "Cl": 1})
    (likely,) = log_likelihoods([{"Na": 1, "Cl": 1}])
    odd = Candidate("b", composition={"Na": 1, "Xe": 3}, checks={"oxidation": Check("fail", "no")})
    a, b = (c.formula_score for c in HeuristicStage(parse_request("anything"))([known, odd]))
    assert a.terms["known"] == 0.0 and a.value == a.terms["likelihood"] == round(STEPS_PER_UNIT * likely, 4)
    assert b.terms["oxidation"] == -1.0 and b.value == pytest.approx(sum(b.terms.values()))
    assert b.terms["known"] < -1
    view = load_library().hidden(formulas=[{"Na": 1, "Cl": 1}])
    (hidden,) = HeuristicStage(parse_request("anything"), library=view)([known])
    assert hidden.formula_score.terms["known"] < 0 and hidden.formula_score.terms["likelihood"] == a.terms["likelihood"]


def test_crystals_with_believable_energies_come_first_by_the_objective():
    weights = read_objective("e_above_hull=1, known = 0.5")
    assert weights == {"e_above_hull": 1.0, "known": 0.5} and read_objective("") == {}
    low = judged(Candidate("low"), 0.01).with_(checks={"novel": Check("fail", "known")})
    new = judged(Candidate("new"), 0.05).with_(checks={"novel": Check(PASS)})
    deep = judged(Candidate("deep"), -3.0).with_(checks={"novel": Check(PASS), "hull": Check("unknown", "too deep")})
    done = list(ObjectiveStage(weights)([low, new, deep]))
    assert [c.objective.value for c in done] == [-0.6, -0.5, None]
    assert done[2].objective.missing == "no e_above_hull that can be believed"
    assert ids(rank(done)) == ["new", "low", "deep"] and ids(rank([low, new, deep])) == ["low", "new", "deep"]
    (salt,) = ObjectiveStage({"symmetry": 1.0})([dataclasses.replace(low, structure=SALT)])
    (worse,) = ObjectiveStage({"symmetry": 1.0})([dataclasses.replace(low, structure=SALT.copy().perturb(0.5))])
    assert salt.objective.value == 0 and worse.objective.value < -2
    for wrong in ("e_above_hull", "e_above_hull=low", "e_above_hull=1,e_above_hull=2"):
        with pytest.raises(NucleateError, match="no weight of an objective"):
            read_objective(wrong)
