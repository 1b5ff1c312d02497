import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.cli.metrics import show_report
from nucleate.evaluate.csp_report import evaluate_csp, reported_by
from nucleate.evaluate.matching import match
from nucleate.evaluate.matching.counts import MatchSettings
from nucleate.evaluate.matching.match import Pair, count_matches
from nucleate.evaluate.measures.statistics import wilson
from nucleate.evaluate.measures.validity import compositional_validity, structural_validity
from nucleate.evaluate.protocols import get_protocol

STO = Structure.from_spacegroup(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]])
NACL = Structure.from_spacegroup(
    225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
).get_primitive_structure()
CU = Structure(Lattice.cubic(3.61), ["Cu"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def swapped(structure):
    """Another crystal of the same composition: every position random."""
    rng = np.random.default_rng(1)
    return Structure(Lattice.from_parameters(3, 4, 9, 70, 80, 65), structure.species, rng.random((len(structure), 3)))


def test_perfect_predictions_and_none():
    groups = [("a", STO, [STO.copy()]), ("b", NACL, [None]), ("c", CU, [])]
    counts = count_matches(groups, workers=1)
    assert counts.targets == 3
    score = counts.score("unfiltered", 1)
    assert (score.match_rate.hits, score.match_rate.total) == (1, 3)  # the denominator is every target
    assert score.rmse.value == pytest.approx(0, abs=1e-6)
    assert score.rmse.count == 1
    assert score.crmse.value == pytest.approx(2 * 0.5 / 3, abs=1e-6)
    assert counts.reasons == {"no prediction": 2}


def test_best_of_k_and_first_are_counted_apart():
    off = STO.copy()
    off.perturb(0.15)
    counts = count_matches([("a", STO, [swapped(STO), off, STO.copy()])], workers=1)
    assert counts.score("unfiltered", 1).match_rate.hits == 0
    assert counts.score("unfiltered", 3).match_rate.hits == 1
    assert counts.score("unfiltered", 3).rmse.value == pytest.approx(0, abs=1e-6)  # the best, not the first match
    assert counts.reasons == {"no match": 1}
    with pytest.raises(KeyError):
        counts.score("unfiltered", 2)


def test_rmse_is_normalised_by_the_cell():
    moved = STO.copy()
    moved.translate_sites([1], [0.05, 0, 0])
    rms = count_matches([("a", STO, [moved])], workers=1).score("unfiltered", 1).rmse.value
    shifts = np.array([0, 0.05 * 3.905, 0, 0, 0])
    expected = np.sqrt(((shifts - shifts.mean()) ** 2).mean()) / (STO.volume / 5) ** (1 / 3)  # after centring
    assert rms == pytest.approx(expected, rel=1e-3)


def test_volume_is_counted_apart_because_the_matcher_is_blind_to_it():
    big, near = NACL.copy(), NACL.copy()
    big.scale_lattice(8 * NACL.volume)
    near.scale_lattice(1.19 * NACL.volume)
    counts = count_matches([("a", NACL, [big]), ("b", NACL, [near])], workers=1)
    assert counts.score("unfiltered", 1).match_rate.hits == 2
    assert counts.score("with volume", 1).match_rate.hits == 1


def test_filtered_demands_a_valid_prediction_and_a_valid_target():
    fe3o4 = Structure.from_spacegroup(  # SMACT calls it invalid: mixed valence
        227, Lattice.cubic(8.39), ["Fe", "Fe", "O"], [[0.125] * 3, [0.5] * 3, [0.255] * 3]
    ).get_primitive_structure()
    tiny = NACL.copy()
    tiny.scale_lattice(0.01 * NACL.volume)  # atoms 0.6 angstrom apart are valid, a smaller cell is not
    smaller = NACL.copy()
    smaller.scale_lattice(0.001 * NACL.volume)
    counts = count_matches([("a", fe3o4, [fe3o4.copy()]), ("b", NACL, [tiny]), ("c", NACL, [smaller])], workers=1)
    assert counts.score("unfiltered", 1).match_rate.hits == 3
    assert counts.score("filtered", 1).match_rate.hits == 1
    assert counts.valid_targets.hits == 2


def test_unknown_compositions_are_told_and_counted_as_invalid():
    assert compositional_validity("SrTiO3") is True
    assert compositional_validity("Fe3O4") is False
    assert compositional_validity("Cu3Au") is True  # an alloy
    assert compositional_validity("HeO") is None
    he = Structure(Lattice.cubic(4), ["He", "O"], [[0, 0, 0], [0.5] * 3])
    smact14 = MatchSettings(composition_rule="smact14")
    counts = count_matches([("a", he, [he.copy()])], smact14, workers=0)
    assert counts.unknown_compositions == 1
    assert counts.score("filtered", 1).match_rate.hits == 0
    report = evaluate_csp([("a", he, [he.copy()])], smact14, workers=0)
    assert "cannot judge" in report.sections[0].note and report["unknown_compositions"].value == 1


def test_structural_validity_is_the_original_definition():
    assert structural_validity(NACL)
    assert not structural_validity(Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.12, 0, 0]]))  # 0.48
    assert structural_validity(Structure(Lattice.cubic(0.47), ["Na"], [[0, 0, 0]]))  # own images are ignored
    assert not structural_validity(Structure(Lattice.cubic(0.46), ["Na"], [[0, 0, 0]]))  # volume 0.097


def test_wrong_composition_and_broken_lattice_are_reasons():
    nan = STO.copy()
    nan.lattice = Lattice(np.full((3, 3), np.nan))
    counts = count_matches([("a", STO, [NACL, nan])], workers=1)
    assert counts.reasons == {
        "another composition than the target's": 1,
        "the lattice or a coordinate is not a number": 1,
    }


def test_a_matcher_that_hangs_is_a_counted_miss(monkeypatch):
    monkeypatch.setattr(match, "match_pair", hang)
    counts = count_matches([("a", NACL, [NACL, STO])], MatchSettings(time_limit=1.0), workers=1)
    assert counts.reasons == {"took longer than 1 s": 1}
    assert counts.score("unfiltered", 1).match_rate.hits == 1


def hang(prediction, target, settings, own):
    if len(prediction) == 5:
        import time

        time.sleep(3600)
    return Pair(0.0, 1.0, True)


def test_break_down_adds_up_and_the_counts_is_json():
    groups = [("a", STO, [STO]), ("b", NACL, [None]), ("c", CU, [CU]), ("d", swapped(STO), [None])]
    counts = count_matches(groups, workers=1)
    assert [(b.label, b.at_1.hits, b.at_1.total) for b in counts.by_crystal_system] == [
        ("cubic", 2, 3),
        ("triclinic", 0, 1),
    ]
    assert [(b.label, b.at_1.hits, b.at_1.total) for b in counts.by_num_atoms] == [("1-4", 1, 2), ("5-8", 1, 2)]
    report = evaluate_csp(groups, workers=0, dataset="mp-20:test", settings={"seed": 3})
    values = json.loads(report.to_json())
    (rates, _, _, systems, sizes, missed, targets) = values["sections"]
    assert next((m["name"], m["value"], m["n"]) for m in rates["metrics"]) == ("unfiltered_@1", 0.5, 4)
    assert rates["metrics"][0]["published"]["DiffCSP"] == 0.5149
    assert (rates["metrics"][0]["low"], rates["metrics"][0]["high"]) == wilson(2, 4)
    assert [(m["label"], m["value"], m["n"]) for m in systems["metrics"]] == [("cubic", 2 / 3, 3), ("triclinic", 0, 1)]
    assert [(m["label"], m["value"], m["n"]) for m in sizes["metrics"]] == [("1-4", 0.5, 2), ("5-8", 0.5, 2)]
    assert missed["metrics"][0]["value"] == 2 and targets["metrics"][0]["name"] == "valid_targets"
    assert values["reference"] == "mp-20:test" and values["settings"] == {"seed": 3, "samples": 1}
    assert values["protocol"]["crystalite-2026"]["stol"] == 0.5


def test_tables_show_the_published_values_for_their_own_data_set_only():
    from rich.console import Console

    def shown(dataset):
        console = Console(width=160, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
        show_report(console, evaluate_csp([("a", STO, [STO, None])], workers=0, dataset=dataset))
        return console.export_text()

    for text in ("CDVAE 33.9", "DiffCSP 51.49", "Crystalite 66.05", "MaskGXT 67.06", "0.0325"):
        assert text in shown("mp-20:test")
    assert "51.49" not in shown("perov-5:test")
    assert "100.00" in shown("perov-5:test")


def test_the_counts_of_a_protocol_stand_out():
    report = evaluate_csp([("a", STO, [STO, None])], workers=0, protocol="cdvae-2022")
    strong = reported_by(get_protocol("cdvae-2022"), report)
    assert {"filtered_@1", "filtered_@2", "unfiltered_@1", "rmse_unfiltered_@1", "crmse_filtered_@2"} <= strong
    assert not any("METRe" in name or "volume" in name for name in strong)
    polymorphs = reported_by(get_protocol("polymorph-2026"), report)
    assert {"METRe_@1", "METRe_one-to-one_@2", "with_volume_@1"} <= polymorphs and "filtered_@1" not in polymorphs


def test_no_groups_is_an_empty_report():
    counts = count_matches([])
    assert counts.targets == counts.samples == 0
    report = evaluate_csp([])
    assert report.n == 0
    json.loads(report.to_json())
