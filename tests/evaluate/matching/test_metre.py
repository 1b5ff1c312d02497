import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from nucleate.cli.metrics import show_report
from nucleate.evaluate import csp
from nucleate.evaluate.csp_report import evaluate_csp
from nucleate.evaluate.matching import match, metre
from nucleate.evaluate.matching.match import count_matches
from nucleate.evaluate.matching.metre import Cross, Places, best_matches, one_to_one_matches
from nucleate.evaluate.matching.unique import Matcher, unique

NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
CSCL = Structure(Lattice.cubic(4.1), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
COPPER = Structure.from_spacegroup(225, Lattice.cubic(3.61), ["Cu"], [[0, 0, 0]])


def shifted(structure, by):
    """One atom moved by `by` angstrom: a match, with an RMSE."""
    moved = structure.copy()
    moved.translate_sites([0], [by, 0, 0], frac_coords=False)
    return moved


def hits(counts, counted_as, samples=1, among=False):
    scores = counts.polymorphs.scores if among else counts.scores
    score = next(s for s in scores if (s.counted_as, s.samples) == (counted_as, samples))
    return score.match_rate.hits, score.match_rate.total


def test_swapped_polymorphs_are_found_though_not_in_their_places():
    groups = [("rocksalt", NACL, [CSCL]), ("cscl", CSCL, [shifted(NACL, 0.2)]), ("copper", COPPER, [COPPER])]
    counts = count_matches(groups, workers=0)
    assert hits(counts, "unfiltered") == (1, 3)
    assert hits(counts, "METRe") == hits(counts, "METRe one-to-one") == (3, 3)
    assert hits(counts, "unfiltered", among=True) == (0, 2)
    assert hits(counts, "METRe", among=True) == (2, 2)
    assert (counts.polymorphs.targets, counts.polymorphs.compositions, counts.polymorphs.duplicates) == (2, 1, 0)
    alone = count_matches([("a", NACL, [shifted(NACL, 0.2)])], workers=0).score("unfiltered", 1).rmse.value
    assert counts.score("METRe", 1).rmse.value == pytest.approx(alone / 3, rel=1e-3)
    assert counts.score("METRe", 1).crmse.value == pytest.approx(alone / 3, rel=1e-3)


def test_one_prediction_serves_one_of_two_equal_targets_only_one_to_one():
    groups = [("a", NACL, [NACL]), ("b", NACL.get_primitive_structure(), [CSCL]), ("c", NACL, [None])]
    counts = count_matches(groups, workers=0)
    assert hits(counts, "unfiltered") == (1, 3)
    assert hits(counts, "METRe") == (3, 3)
    assert hits(counts, "METRe one-to-one") == (1, 3)
    assert counts.score("METRe one-to-one", 1).crmse.value == pytest.approx(2 * 0.5 / 3, abs=1e-6)
    assert counts.polymorphs.duplicates == 2


def test_a_prediction_of_another_composition_counts_where_it_belongs():
    counts = count_matches([("a", NACL, [COPPER]), ("b", COPPER, [None])], workers=0)
    assert hits(counts, "METRe") == (1, 2)
    assert counts.polymorphs.targets == 0
    assert counts.reasons == {"another composition than the target's": 1, "no prediction": 1}


def test_of_k_the_first_samples_count():
    groups = [("a", NACL, [None, CSCL]), ("b", CSCL, [CSCL, NACL])]
    counts = count_matches(groups, workers=0)
    assert hits(counts, "METRe", 1) == (1, 2)
    assert hits(counts, "METRe", 2) == hits(counts, "METRe one-to-one", 2) == (2, 2)
    assert hits(counts, "unfiltered", 2) == (1, 2)


def test_sorting_pairs_out_first_changes_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    kinds = [NACL, CSCL, NACL.get_primitive_structure() * (1, 1, 2), COPPER]
    groups = [
        (str(i), kinds[i % 4], [shifted(kinds[rng.integers(3)], 0.3 * rng.random()) for _ in range(2)])
        for i in range(8)
    ]
    plain = count_matches(groups, workers=0)
    monkeypatch.setattr(metre, "SCREENED_FROM", 0)
    compared = []
    monkeypatch.setattr(match, "match_pair", lambda *job, real=match.match_pair: compared.append(1) or real(*job))
    assert count_matches(groups, workers=0) == plain
    assert 16 < len(compared) < 16 + 16 * 6 - 10  # own pairs and some of the others


@pytest.mark.parametrize("screened", [0, 1000])
def test_the_matcher_is_not_symmetric_and_gets_the_prediction_first(monkeypatch, screened):
    monkeypatch.setattr(metre, "SCREENED_FROM", screened)
    one = Structure(Lattice.from_parameters(3.2, 4.2, 4.3, 81, 94, 79), ["Cu"], [[0, 0, 0]])
    other = Structure(Lattice.from_parameters(3.5, 2.8, 3.0, 113, 74, 97), ["Cu"], [[0, 0, 0]])
    pair = Structure(Lattice.cubic(3), ["Cu", "Cu"], [[0, 0, 0], [0.5, 0.5, 0.3]])
    assert hits(count_matches([("a", other, [None]), ("b", pair, [one])], workers=0), "METRe") == (1, 2)
    assert hits(count_matches([("a", one, [None]), ("b", pair, [other])], workers=0), "METRe") == (0, 2)
    loose = Matcher(0.3, 0.5, 10.0)
    assert unique([one, other], loose, workers=0).twin == [None, 0]
    assert unique([other, one], loose, workers=0).twin == [None, None]


def test_what_cannot_be_reduced_or_compared_is_told(monkeypatch):
    nan = NACL.copy()
    nan.lattice = Lattice(np.full((3, 3), np.nan))
    groups = [("a", NACL, [nan]), ("b", NACL, [NACL])]
    counts = count_matches(groups, workers=0)
    assert counts.polymorphs.failures == {"the lattice or a coordinate is not a number": 1}
    assert hits(counts, "METRe") == (2, 2)
    said = evaluate_csp(groups, workers=0)
    assert "1 comparisons across targets without a verdict" in said.sections[0].note
    assert said["no_verdict: the lattice or a coordinate is not a number"].value == 1
    monkeypatch.setattr(metre, "SCREENED_FROM", 0)
    counts = count_matches(groups, workers=0)
    assert sum(counts.polymorphs.failures.values()) == 1
    assert hits(counts, "METRe") == (2, 2)

    def fails(prediction, target, settings, own):
        raise ValueError("singular")

    monkeypatch.setattr(match, "match_pair", fails)
    counts = count_matches([("a", NACL, [NACL]), ("b", NACL, [NACL])], workers=0)
    assert counts.reasons == {"ValueError: singular": 2}
    assert counts.polymorphs.failures == {"ValueError: singular": 2}


def test_without_other_targets_it_is_the_match_rate():
    counts = count_matches([("a", NACL, [shifted(NACL, 0.2)]), ("b", COPPER, [None])], workers=0)
    one, other, strict = (counts.score(p, 1) for p in ("unfiltered", "METRe", "METRe one-to-one"))
    assert (one.match_rate, one.rmse, one.crmse) == (other.match_rate, other.rmse, other.crmse)
    assert (one.match_rate, one.rmse, one.crmse) == (strict.match_rate, strict.rmse, strict.crmse)


def test_across_is_a_choice_and_all_of_it_is_json():
    groups = [("a", NACL, [CSCL]), ("b", CSCL, [NACL])]
    counts = count_matches(groups, across=False, workers=0)
    assert counts.polymorphs is None
    assert {s.counted_as for s in counts.scores} == {"unfiltered", "filtered", "with volume"}
    targets = [(name, target) for name, target, _ in groups]
    report = csp.judge_predictions(targets, {"a": {0: CSCL}, "b": {0: NACL}}, workers=0)
    values = json.loads(report.to_json())
    (shared,) = [s for s in values["sections"] if s["title"] == "Polymorphs: 2 targets of 1 compositions"]
    assert {m["name"]: m["value"] for m in shared["metrics"]}["polymorph_METRe_@1"] == 1.0
    alone = csp.judge_predictions(targets, {"a": {0: CSCL}}, workers=0, across=False)
    assert not any(s.title.startswith("Polymorphs") for s in alone.sections)
    json.loads(alone.to_json())


def test_the_table_shows_both_counts():
    from rich.console import Console

    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show_report(console, evaluate_csp([("a", NACL, [CSCL]), ("b", CSCL, [NACL])], workers=0))
    text = console.export_text()
    assert "METRe one-to-one" in text
    assert "Polymorphs: 2 targets of 1 compositions" in text


def exhaustive(edges, n, columns):
    """(size, total RMSE) of the best one-to-one assignment, over all of them."""
    best = (0, 0.0)
    for choice in itertools.product([None, *columns], repeat=n):
        used = [c for c in choice if c is not None]
        if len(set(used)) == len(used) and all(c is None or (c, g) in edges for g, c in enumerate(choice)):
            total = sum(edges[c, g] for g, c in enumerate(choice) if c is not None)
            best = max(best, (len(used), -total))
    return best[0], -best[1]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_to_one_is_largest_then_closest(data):
    n, k = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    places = Places(n, k)
    columns = [places.prediction(g, s) for g in range(n) for s in range(k)]
    possible = [(p, g) for p in columns for g in range(n)]
    rms = st.floats(0, 0.5)
    edges = data.draw(st.dictionaries(st.sampled_from(possible), rms))
    own = {e: r for e, r in edges.items() if places.target(e[0]) == e[1]}
    cross = Cross({e: r for e, r in edges.items() if e not in own})
    strict = one_to_one_matches(own, cross, places, k)
    found = [r for r in strict if r is not None]
    size, total = exhaustive(edges, n, columns)
    assert len(found) == size
    assert math.fsum(found) == pytest.approx(total, abs=1e-9)
    loose = best_matches(own, cross, places, k)
    for g in range(n):
        reachable = [r for (p, t), r in edges.items() if t == g]
        assert loose[g] == (min(reachable) if reachable else None)
        assert strict[g] is None or strict[g] >= loose[g]
    first = [r for (p, t), r in edges.items() if places.sample(p) == 0]
    assert sum(r is not None for r in best_matches(own, cross, places, 1)) <= len(first)
