"""Structure prediction: its input, the order of its results, and how often each was found."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure
from tiny_sites import tiny_sites

import nucleate
from nucleate.crystal.symmetry import space_group
from nucleate.crystal.wyckoff import get_space_group
from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.pipeline.candidate import FAIL, PASS, Candidate, Check, Energy
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.state import StructureVote
from nucleate.settings import PredictSettings
from nucleate.stages.novelty import UniqueStage
from nucleate.tasks.predict import METHODS, decided_method, ordered, prediction
from nucleate.tasks.predict_targets import Target

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def candidate(number: int, energy: float | None, twin_of: int = 0, formula: str = "NaCl") -> Candidate:
    made = Candidate(f"{formula}-{number}", structure=SALT, wanted=Wanted(label=formula))
    if energy is None:
        return made.failed("relax", "error", "collapsed")
    unique = Check(FAIL, f"same as {formula}-{twin_of}") if twin_of else Check(PASS)
    return made.with_(
        energies={"energy": Energy(energy, "m"), "e_above_hull": Energy(energy + 4, "m")},
        checks={"relaxed": Check(PASS), "unique": unique},
        twin_of=f"{formula}-{twin_of}" if twin_of else "",
    )


def test_lowest_first_and_how_often_it_was_found() -> None:
    given = [candidate(1, -3.0), candidate(2, None), candidate(3, -3.6), candidate(4, -3.5, 3), candidate(5, -3.6, 3)]
    found = ordered([*given, candidate(1, -1.0, formula="KCl")])
    assert [c.id for c in found] == ["NaCl-3", "NaCl-1", "NaCl-5", "NaCl-4", "NaCl-2", "KCl-1"]
    counts = [(c.frequency.found, c.frequency.drawn) for c in found if c.frequency]
    assert counts == [(3, 5), (1, 5), (1, 1)]


def test_energies_of_a_formula_need_no_hull() -> None:
    given = [candidate(1, -3.0), candidate(2, -3.4), candidate(3, -3.2)]
    no_hull = [c.with_(checks={"hull": Check("unknown", "no energy of elemental Na")}) for c in given]
    assert [c.id for c in ordered(no_hull)] == ["NaCl-2", "NaCl-3", "NaCl-1"]
    assert [c.id for c in ordered([given[0], no_hull[1], given[2]])] == ["NaCl-3", "NaCl-1", "NaCl-2"]


def test_unrelaxed_as_drawn_with_failures_last() -> None:
    given = [
        Candidate("A-1", wanted=Wanted(label="A")).failed("generate", "error", "no"),
        Candidate("A-2", structure=SALT),
    ]
    given[1] = given[1].with_(wanted=Wanted(label="A"))
    assert [c.id for c in ordered(given)] == ["A-2", "A-1"]


def test_the_same_seed_gives_the_same_predictions_whatever_else_is_asked_for() -> None:
    settings = nucleate.PredictSettings("random", samples=3, seed=1)
    first, again = (nucleate.predict(["SrTiO3", "CsF"], settings) for _ in range(2))
    assert [c.id for c in first] == ["SrTiO3-1", "SrTiO3-2", "SrTiO3-3", "CsF-1", "CsF-2", "CsF-3"]
    assert all(c.formula == c.id.partition("-")[0] for c in first)
    assert [c.structure for c in first] == [c.structure for c in again]
    alone = nucleate.predict(["SrTiO3"], PredictSettings("random", samples=1, seed=1))
    assert alone[0].structure == first[0].structure  # whatever else is asked for


def test_random_and_learned_methods_are_given_the_same_cells() -> None:
    wanted = [Target(1, {"Sr": 1, "Ti": 1, "O": 3})]
    cells = [
        [c.composition for c in prediction(wanted, PredictSettings(method, samples=12)).blanks]
        for method in ("random", "transformer")
    ]
    assert cells[0] == cells[1] and len({c["O"] for c in cells[0] if c}) > 1


def test_the_method_follows_from_what_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "known.parquet").touch()
    salt, system = Target(1, {"Na": 1, "Cl": 1}), Target(2, {}, system=("K", "Cu", "Si"))
    given = PredictSettings()
    assert decided_method([salt], given.replaced(templates=str(tmp_path / "known.parquet"))).method == "template"
    assert decided_method([salt, system], given).method == "adaptive"
    assert decided_method([salt], given.replaced(space_groups=(62,))).method == "adaptive"
    assert decided_method([salt], given.replaced(sites={"Na": 1, "Cl": 1})).method == "adaptive"
    decided = decided_method([salt], given.replaced(method="random", space_groups=(62,)))
    assert decided.method == "random" and decided_method([salt], decided) == decided


def test_a_formula_that_cannot_be_had_does_not_stop_the_others() -> None:
    wanted = [Target(1, {"Og": 1}), Target(2, {"Na": 1, "Cl": 1}), Target(3, {}, "row 3: nonsense")]
    blank = prediction(wanted, PredictSettings("random", samples=2)).blanks
    assert [c.failure and str(c.failure) for c in blank[:2]] == [
        "predict: Og has no radius, by which random structures are made"
    ] * 2
    assert [c.failure and str(c.failure) for c in blank[2:]] == [None, None, "predict: row 3: nonsense"]
    with pytest.raises(NucleateError, match="Og has no radius"):
        prediction(wanted[:1], PredictSettings("random"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": "diffusion"},
            "compact, adaptive, random, not 'diffusion'",
        ),
        ({"samples": 0}, "at least 1, not 0"),
        ({"method": "random", "weights": "mp20-csp"}, "random has no weights"),
        (
            {"method": "template", "space_groups": (62,)},
            "the method template cannot use a space group; adaptive, random can",
        ),
        ({"method": "transformer", "space_groups": (62,)}, "the method transformer cannot use a space group"),
        ({"method": "random", "space_groups": (231,)}, "1 to 230, not 231"),
        ({"method": "random", "sites": {"Na": 1}}, "the method random cannot use sites; adaptive can"),
        ({"method": "adaptive", "sites": {"Na": 0}}, "an element has at least one site; Na was given 0"),
    ],
)
def test_wrong_settings_of_a_prediction_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(NucleateError, match=message):
        prediction([], PredictSettings(**settings))


def test_a_space_group_is_honoured() -> None:
    settings = PredictSettings("random", samples=6, seed=1, space_groups=(62,))
    found = nucleate.predict(["SrTiO3"], settings)
    assert all(c.composition == {"Sr": 4, "Ti": 4, "O": 12} for c in found)  # the group holds no smaller number
    assert all(c.provenance["random_search"]["space_group"] == 62 for c in found)
    assert all(get_space_group(space_group(c.structure, 1e-3)[0]).order >= 8 for c in found)
    large = prediction([Target(1, {"Mg": 2, "Si": 1, "O": 4})], settings).blanks
    assert {c.composition["Mg"] for c in large} == {
        8
    }  # the smallest possible cell, larger than those of known crystals
    several = prediction(
        [Target(1, {"Ca": 1, "F": 2})], PredictSettings("random", samples=40, space_groups=(2,))
    ).blanks
    assert len({c.composition["Ca"] for c in several}) > 3


def test_a_formula_that_fits_no_position_of_a_space_group_is_refused() -> None:
    message = r"Ia-3d \(230\) has no Wyckoff positions for La1 Fe3 H7 .*nor in one of up to 60 atoms; 58 other .*Pm-3m"
    with pytest.raises(NucleateError, match=message):
        prediction([Target(1, {"La": 1, "Fe": 3, "H": 7})], PredictSettings("random", space_groups=(230,)))


def test_methods_name_their_weights() -> None:
    assert {name for name, m in METHODS.items() if m.weights} == {"transformer", "unimat", "compact", "adaptive"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_sites(tmp_path_factory.mktemp("tiny")))


def test_sites_in_a_chemical_system(tiny: str) -> None:
    settings = PredictSettings("adaptive", 3, tiny, space_groups=(62, 225, 2), sites={"Sr": 1, "Ti": 2})
    found = nucleate.predict(["Sr-Ti"], settings)
    assert len(found) == 9 and [c.id for c in found if c.failure] == []
    assert [c.wanted.condition.space_group for c in found] == [62] * 3 + [225] * 3 + [2] * 3
    assert all({e.symbol for e in c.structure.composition} == {"Sr", "Ti"} for c in found)
    alone = nucleate.predict(["Sr-Ti"], dataclasses.replace(settings, space_groups=(62,)))
    assert [c.structure for c in alone] == [c.structure for c in found[:3]]


def test_a_chemical_system_without_sites_is_predicted(tiny: str) -> None:
    found = nucleate.predict(["Sr-Ti-O"], PredictSettings("adaptive", 2, tiny, space_groups=(221, 62)))
    assert all(len(c.structure.composition) == 3 for c in found) and len(found) == 4
    with pytest.raises(NucleateError, match="random needs a formula"):
        nucleate.predict(["Sr-O"], PredictSettings("random"))


def test_a_group_that_cannot_hold_them_is_one_failure_among_others(tiny: str) -> None:
    settings = PredictSettings("adaptive", 4, tiny, space_groups=(221, 230), sites={"Sr": 1, "Ti": 1, "O": 1})
    found = nucleate.predict(["Sr-Ti-O"], settings)
    assert len(found) == 5 and str(found[-1].failure).startswith(
        "predict: space group Ia-3d (230) has no primitive cell"
    )
    exact = nucleate.predict(["SrTiO3"], PredictSettings("adaptive", 2, tiny, space_groups=(221, 230)))
    assert [c.formula for c in exact] == ["SrTiO3"] * 3 and exact[2].failure


def test_formulas_and_sites_that_contradict_each_other(tiny: str) -> None:
    for text, sites, words in (
        ("Na-Sr", {}, "never saw Na"),
        ("Sr-Ti", {"Sr": 1, "O": 1}, "sites are of Sr, O, and Sr-Ti has Sr, Ti"),
        ("SrO", {"Sr": 1}, "sites are of Sr, and SrO has Sr, O"),
    ):
        with pytest.raises(NucleateError, match=words):
            nucleate.predict([text], PredictSettings("adaptive", 1, tiny, sites=sites))


def test_for_open_compositions_the_nearest_to_the_hull_comes_first() -> None:
    given = [
        c.with_(
            wanted=Wanted(Condition(chemical_system=("Na", "Cl")), "Na-Cl"), energies={"e_above_hull": Energy(e, "m")}
        )
        for c, e in ((candidate(1, -5.0), 0.3), (candidate(2, -3.0), 0.1))
    ]
    assert [c.id for c in ordered(given)] == ["NaCl-2", "NaCl-1"]


def voted(number: int, energy: float | None, chance: float, twin_of: int = 0) -> Candidate:
    made = candidate(number, energy, twin_of)
    wanted = Wanted(label="NaCl", rank=number)
    return made.with_(vote=StructureVote("retrieval", chance, 0.1), wanted=wanted)


def test_what_was_retrieved_keeps_the_order_of_the_votes_when_it_is_relaxed() -> None:
    given = [
        voted(2, -3.45, 0.2),
        voted(1, -3.42, 0.5),
        voted(3, -3.38, 0.1),
        voted(4, -3.5, 0.05),
        voted(5, None, 0.01),
    ]
    found = ordered(given)
    # the third lies 0.12 eV/atom above the lowest, which is the fourth; what failed is last
    assert [c.id for c in found] == ["NaCl-1", "NaCl-2", "NaCl-4", "NaCl-3", "NaCl-5"]
    assert all(c.frequency is None for c in found)  # nothing was drawn
    unconverged = given[3].with_(checks={"relaxed": Check(FAIL)})
    found = ordered([*given[:3], unconverged])
    assert [c.id for c in found] == ["NaCl-1", "NaCl-2", "NaCl-3", "NaCl-4"]  # its energy is no measure


def test_equal_structures_have_the_sum_of_their_probabilities() -> None:
    given = [voted(1, -3.42, 0.5), voted(2, -3.45, 0.2), voted(3, -3.43, 0.1, twin_of=1)]
    found = ordered(given)
    assert [(c.id, c.vote.probability) for c in found] == [("NaCl-1", 0.6), ("NaCl-2", 0.2), ("NaCl-3", 0.1)]


def test_of_equal_structures_the_more_probable_is_kept() -> None:
    given = [voted(1, -3.42, 0.5), voted(2, -3.45, 0.2)]
    by_votes = {c.id: c.twin_of for c in UniqueStage(by_rank=True)(given)}
    by_energy = {c.id: c.twin_of for c in UniqueStage()(given)}
    assert by_votes == {"NaCl-1": "", "NaCl-2": "NaCl-1"} and by_energy == {"NaCl-1": "NaCl-2", "NaCl-2": ""}
    worse = [given[0].with_(checks={"relaxed": Check(FAIL)}), given[1]]  # what did not converge gives way
    assert {c.id: c.twin_of for c in UniqueStage(by_rank=True)(worse)} == by_energy


def test_templates_are_taken_where_something_is_said_of_them() -> None:
    salt, given = Target(1, {"Na": 1, "Cl": 1}), PredictSettings()
    assert decided_method([salt], given).method == "retrieval"
    assert decided_method([salt], given.replaced(rank_by="random")).method == "template"
    assert decided_method([salt], given.replaced(distinct=False)).method == "template"
    with pytest.raises(NucleateError, match="the method retrieval takes no templates and ranks in its own way"):
        decided_method([salt], given.replaced(method="retrieval", volume="copy"))
    with pytest.raises(NucleateError, match="Na-Cl is a chemical system, and known crystals are of a formula"):
        decided_method([Target(1, {}, system=("Na", "Cl"))], given.replaced(method="retrieval"))
