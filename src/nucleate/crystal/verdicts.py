"""Whether a structure is possible: limits of volume, density and distances, and verdicts with reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict

if TYPE_CHECKING:
    from pymatgen.core import Structure

# In angstrom. This is the limit of structural validity in CDVAE (Xie et al., arXiv 2110.06197), which most papers use;
# the shortest distance in MP-20 is 0.74.
MIN_DISTANCE = 0.5
MIN_CONTACT = 0.6  # of the sum of covalent radii; no crystal of MP-20's validation split is below 0.65
MIN_VOLUME = 0.1  # cubic angstrom per atom; real crystals have at least 5
DENSITY_RANGE = (0.01, 25.0)  # g/cm3; osmium, the densest, has 22.6

GEOMETRY = ("volume", "density", "distance")


def geometry_verdicts(structure: Structure) -> tuple[dict[str, Verdict], str | None]:
    """The verdicts "volume", "density" and "distance", and the reason why the structure is impossible, or None.

    A contact that is short compared with the covalent radii fails the check "distance", but is no reason to call the
    structure impossible.
    """
    from nucleate.crystal.geometry import closest_contacts, is_finite, mass_density, volume_per_atom

    checks = {name: Verdict(UNKNOWN, "not measured") for name in GEOMETRY}
    if len(structure) == 0:
        return checks, "the structure has no atoms"
    if not is_finite(structure):
        return checks, "a coordinate or the cell is not a finite number"

    volume = volume_per_atom(structure)
    reason = f"{volume:.3g} A^3 per atom"
    if volume < MIN_VOLUME:
        reason += f", below {MIN_VOLUME:g}"
        return checks | {"volume": Verdict(FAIL, reason)}, reason
    checks["volume"] = Verdict(PASS, reason)

    failures = []
    low, high = DENSITY_RANGE
    rho = mass_density(structure)
    inside = low <= rho <= high
    reason = f"{rho:.3g} g/cm3" + ("" if inside else f", outside {low:g} to {high:g}")
    checks["density"] = Verdict(PASS if inside else FAIL, reason)
    if not inside:
        failures.append(reason)

    nearest, tightest = closest_contacts(structure, MIN_CONTACT)
    if nearest.distance < MIN_DISTANCE:
        reason = f"{_pair(structure, nearest.i, nearest.j)} {nearest.distance:.2f} A apart, below {MIN_DISTANCE:g}"
        checks["distance"] = Verdict(FAIL, reason)
        failures.append(reason)
    elif tightest.ratio < MIN_CONTACT:
        pair = _pair(structure, tightest.i, tightest.j)
        reason = (
            f"{pair} {tightest.distance:.2f} A apart, {tightest.ratio:.2f} of the covalent radii (< {MIN_CONTACT:g})"
        )
        checks["distance"] = Verdict(FAIL, reason)
    else:
        checks["distance"] = Verdict(PASS, f"shortest {nearest.distance:.2f} A")
    return checks, "; ".join(failures) or None


def _pair(structure: Structure, i: int, j: int) -> str:
    """The names and numbers of two sites, where the numbers are counted from one."""
    first, second = (structure[k].species_string for k in (i, j))
    return f"{first} (atom {i + 1}) and its own image" if i == j else f"{first} and {second} (atoms {i + 1}, {j + 1})"
