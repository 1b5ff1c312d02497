"""The check stage: chemistry informs, impossible geometry rejects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nucleate.chem.states import STATE_SETS
from nucleate.chem.valence import balance_verdict, charge_verdict
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check

if TYPE_CHECKING:
    from pymatgen.core import Structure

MIN_DISTANCE = 0.5  # angstrom; the validity of CDVAE (Xie et al. 2022) that papers 3 and 5 use; MP-20 has 0.74 and up
MIN_CONTACT = 0.6  # of the sum of covalent radii; no crystal of MP-20's validation split is below 0.65
MIN_VOLUME = 0.1  # cubic angstrom per atom; real crystals have at least 5
DENSITY_RANGE = (0.01, 25.0)  # g/cm3; osmium, the densest, has 22.6

CHEMISTRY = ("charge", "electronegativity")
GEOMETRY = ("volume", "density", "distance")


class CheckStage:
    """Writes the checks "charge", "electronegativity", "volume", "density" and "distance" into each candidate.

    Rejected are structures whose numbers are not finite or beyond the hard limits above. A contact shorter than 0.6
    of the covalent radii fails "distance" without rejection: a relaxation may still mend it.
    """

    name = "check"
    batched = False
    quick = True  # milliseconds each: starting a process would take longer

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        for candidate in candidates:
            yield check(candidate)


def check(candidate: Candidate, states: str = STATE_SETS[0]) -> Candidate:
    """The candidate with its checks; failed where the geometry is impossible.

    A composition without a structure has chemistry checks alone. states: the set of `chem.states` for these.
    """
    if candidate.structure is None:
        if not candidate.composition:
            return candidate.failed("check", "there is no structure")
        return candidate.with_(checks=check_chemistry(candidate.composition, states))
    geometry, failure = check_geometry(candidate.structure)
    checked = candidate.with_(checks={**check_chemistry(candidate.structure.composition, states), **geometry})
    return checked.failed("check", failure) if failure else checked


def check_chemistry(composition: Mapping[Any, float], states: str = STATE_SETS[0]) -> dict[str, Check]:
    """Verdicts "charge" and "electronegativity" of element -> amount."""
    return {
        "charge": charge_verdict(composition, states),
        "electronegativity": balance_verdict(composition, states),
    }


def check_geometry(structure: Structure) -> tuple[dict[str, Check], str | None]:
    """Verdicts "volume", "density" and "distance", and why the structure is impossible, or None."""
    from nucleate.crystal.geometry import closest_contacts, density, is_finite, volume_per_atom

    checks = {name: Check(UNKNOWN, "not measured") for name in GEOMETRY}
    if len(structure) == 0:
        return checks, "the structure has no atoms"
    if not is_finite(structure):
        return checks, "a coordinate or the cell is not a finite number"

    volume = volume_per_atom(structure)
    reason = f"{volume:.3g} A^3 per atom"
    if volume < MIN_VOLUME:
        reason += f", below {MIN_VOLUME:g}"
        return checks | {"volume": Check(FAIL, reason)}, reason
    checks["volume"] = Check(PASS, reason)

    failures = []
    low, high = DENSITY_RANGE
    rho = density(structure)
    inside = low <= rho <= high
    reason = f"{rho:.3g} g/cm3" + ("" if inside else f", outside {low:g} to {high:g}")
    checks["density"] = Check(PASS if inside else FAIL, reason)
    if not inside:
        failures.append(reason)

    nearest, tightest = closest_contacts(structure, MIN_CONTACT)
    if nearest.distance < MIN_DISTANCE:
        reason = f"{_pair(structure, nearest.i, nearest.j)} {nearest.distance:.2f} A apart, below {MIN_DISTANCE:g}"
        checks["distance"] = Check(FAIL, reason)
        failures.append(reason)
    elif tightest.ratio < MIN_CONTACT:
        pair = _pair(structure, tightest.i, tightest.j)
        reason = (
            f"{pair} {tightest.distance:.2f} A apart, {tightest.ratio:.2f} of the covalent radii (< {MIN_CONTACT:g})"
        )
        checks["distance"] = Check(FAIL, reason)
    else:
        checks["distance"] = Check(PASS, f"shortest {nearest.distance:.2f} A")
    return checks, "; ".join(failures) or None


def _pair(structure: Structure, i: int, j: int) -> str:
    """The two sites as a user counts them, from one."""
    first, second = (structure[k].species_string for k in (i, j))
    return f"{first} (atom {i + 1}) and its own image" if i == j else f"{first} and {second} (atoms {i + 1}, {j + 1})"
