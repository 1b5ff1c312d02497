import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.pipeline.candidate import Candidate
from nucleate.stages.check import CheckStage


def check(structure):
    (result,) = CheckStage()([Candidate("a", structure=structure)])
    return result


def verdicts(candidate):
    return {name: c.verdict for name, c in candidate.checks.items()}


def test_a_real_crystal_passes_all_checks():
    salt = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    result = check(salt)
    assert result.failure is None
    assert verdicts(result) == dict.fromkeys(("charge", "electronegativity", "volume", "density", "distance"), "pass")
    assert result.checks["distance"].reason == "shortest 2.82 A"


def test_failed_chemistry_does_not_reject():
    result = check(Structure(Lattice.cubic(4), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]))
    assert result.failure is None
    assert verdicts(result)["charge"] == "fail" and verdicts(result)["electronegativity"] == "unknown"


def test_overlapping_atoms_are_rejected():
    result = check(Structure(Lattice.cubic(5), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.95]]))
    assert str(result.failure) == "check: Na and Cl (atoms 1, 2) 0.25 A apart, below 0.5"
    assert verdicts(result)["distance"] == "fail"


def test_a_tight_contact_fails_without_rejection():
    result = check(Structure(Lattice.cubic(5), ["Cs", "Cl"], [[0, 0, 0], [0, 0, 0.3]]))
    assert result.failure is None
    assert verdicts(result)["distance"] == "fail"
    assert "0.43 of the covalent radii" in result.checks["distance"].reason


def test_an_atom_and_its_own_image():
    result = check(Structure(Lattice.orthorhombic(0.4, 20, 20), ["H"], [[0, 0, 0]]))
    assert result.failure is not None and "its own image" in str(result.failure)


@pytest.mark.parametrize(("a", "element", "word"), [(100.0, "H", "g/cm3"), (2.2, "Os", "g/cm3"), (0.4, "H", "A^3")])
def test_impossible_densities_are_rejected(a, element, word):
    result = check(Structure(Lattice.cubic(a), [element], [[0, 0, 0]]))
    assert result.failure is not None and word in str(result.failure)


@pytest.mark.parametrize(
    "structure",
    [
        Structure(Lattice.cubic(3), ["Na"], [[np.nan, 0, 0]]),
        Structure(Lattice(np.full((3, 3), np.inf)), ["Na"], [[0, 0, 0]]),
        Structure(Lattice(np.zeros((3, 3))), ["Na"], [[0, 0, 0]]),
        Structure(Lattice.cubic(3), [], []),
        None,
    ],
)
def test_an_impossible_crystal_is_rejected_without_an_exception(structure):
    result = check(structure)
    assert result.failure is not None and str(result.failure).startswith("check: ")
    assert "pass" not in {verdicts(result).get(k) for k in ("volume", "density", "distance")}


def test_partial_occupancies_can_be_checked():
    result = check(Structure(Lattice.cubic(4.2), [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    assert result.failure is None and verdicts(result)["charge"] == "pass"


def test_checks_are_kept_in_json():
    result = check(Structure(Lattice.cubic(5), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]))
    import json

    assert Candidate.from_dict(json.loads(result.to_json())).checks == result.checks
