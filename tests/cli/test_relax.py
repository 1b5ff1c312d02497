from nucleate.chem.verdict import PASS, Verdict
from nucleate.cli.relax import _unrelaxed
from nucleate.pipeline.candidate import Candidate, Energy


def test_relaxing_again_forgets_what_was_said_of_the_old_structure():
    checks = {k: Verdict(PASS) for k in ("charge", "relaxed", "hull", "unique", "novel")}
    energies = {k: Energy(-1.0, "m") for k in ("energy", "e_form", "e_above_hull")}
    stages = ("generate", "check", "relax", "hull", "unique", "novelty")
    fresh = _unrelaxed(Candidate("a", energies=energies, checks=checks, stages=stages))
    assert fresh.stages == ("generate", "check") and set(fresh.checks) == {"charge"} and fresh.energies == {}
