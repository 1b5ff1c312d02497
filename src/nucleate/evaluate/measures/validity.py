"""The validity of crystals, by the published definitions, each as its source computes it, and by corrected ones.

A composition is valid if there is an oxidation state for each element such that the total charge is zero, and every
cation is less electronegative than every anion (Pauling's test). SMACT (Davies et al., J. Open Source Softw. 4, 1361
(2019)) tries all combinations of states, of which eight elements can have 10^8. Here the elements are divided into
cations and anions at each electronegativity, and the possible charges are added up element by element. The verdicts are
the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.chem.checks import Counts, States, kind_without_ions, neutral_ions, pauling_choices, smact_verdict
from nucleate.chem.composition import reduced
from nucleate.chem.elements import element_symbol
from nucleate.chem.states import pauling_electronegativity, states_of
from nucleate.chem.verdict import FAIL, PASS, Verdict
from nucleate.errors import NucleateError

if TYPE_CHECKING:
    from pymatgen.core import Structure

MIN_DISTANCE = 0.5  # angstrom
MIN_VOLUME = 0.1  # cubic angstrom
DENSITY_RANGE = (0.01, 25.0)  # g/cm3, as in LeMat-GenBench; osmium, the densest element, has 22.6
OXIDATION_STATES = {"smact14": "smact14", "icsd24": "icsd24-3"}  # name of the rule -> set of `chem.states`
_IRIDIUM_2_2_1 = (-2, -1, 1, 2, 3, 4, 5, 6, 7, 8)  # later versions of SMACT have -3 in place of -2


def structural_validity(structure: Structure) -> bool:
    """CDVAE's and DiffCSP's definition: no distance below 0.5 angstrom and a volume of at least 0.1 cubic angstrom.

    An atom's own images are ignored, as in the original, so that a crystal and its supercell may differ. A structure
    without atoms, or with numbers that are not finite, is invalid.
    """
    import numpy as np

    from nucleate.crystal.geometry import is_finite

    if len(structure) == 0 or not is_finite(structure) or not structure.volume >= MIN_VOLUME:
        return False
    distances = np.array(structure.distance_matrix)
    np.fill_diagonal(distances, np.inf)
    return not (distances < MIN_DISTANCE).any()


def structural_validity_corrected(structure: Structure) -> Verdict:
    """Whether all numbers are finite, the volume is at least 0.1 cubic angstrom, the density is 0.01 to 25 g/cm3, and
    no distance is below 0.5 angstrom, those between images of one atom included. The verdict has the reason.

    It is the same for every cell of a crystal, unless the volume is near the limit.
    """
    from nucleate.crystal.geometry import shortest_distance

    if fault := _fault_of_cell(structure):
        return Verdict(FAIL, fault)
    rho = float(structure.density)
    if not DENSITY_RANGE[0] <= rho <= DENSITY_RANGE[1]:
        return Verdict(FAIL, f"{rho:.3g} g/cm3, outside {DENSITY_RANGE[0]:g} to {DENSITY_RANGE[1]:g}")
    nearest = shortest_distance(structure)
    if nearest < MIN_DISTANCE:
        return Verdict(FAIL, f"two atoms {nearest:.2f} angstrom apart, below {MIN_DISTANCE:g}")
    return Verdict(PASS, f"shortest distance {nearest:.2f} angstrom")


def _fault_of_cell(structure: Structure) -> str:
    """Why nothing can be measured on the structure, or ""."""
    from nucleate.crystal.geometry import is_finite

    if len(structure) == 0:
        return "no atoms"
    if not is_finite(structure):
        return "the cell or a coordinate is not a finite number"
    volume = float(structure.volume)
    return "" if volume >= MIN_VOLUME else f"volume {volume:.3g} cubic angstrom, below {MIN_VOLUME:g}"


def lemat_plausible(structure: Structure) -> Verdict:
    """The physical plausibility of LeMat-GenBench (Betala et al., arXiv 2512.04562).

    All of these are required: a density of 0.01 to 25 g/cm3; 0.00001 to 0.5 atoms per cubic angstrom; for the given
    cell, a volume over 1 cubic angstrom, lattice vectors of 1 to 100 angstrom and angles strictly between 0 and 180
    degrees; pymatgen can write the crystal as CIF; spglib finds a space group (symprec 0.01 angstrom).

    These are the defaults of the benchmark's public code (`PhysicalPlausibilityMetric`). We could not confirm that its
    paper states the same and was computed in this way: an earlier version of the code required 1 to 25 g/cm3 and did
    not check the number density. What the code calls a CIF round trip only writes the file.
    """
    if fault := _fault_of_cell(structure):
        return Verdict(FAIL, fault)
    volume, rho = float(structure.volume), float(structure.density)
    number_density = len(structure) / volume
    if not DENSITY_RANGE[0] <= rho <= DENSITY_RANGE[1]:
        return Verdict(FAIL, f"{rho:.3g} g/cm3, outside {DENSITY_RANGE[0]:g} to {DENSITY_RANGE[1]:g}")
    if not 1e-5 <= number_density <= 0.5:
        return Verdict(FAIL, f"{number_density:.3g} atoms per cubic angstrom, outside 0.00001 to 0.5")
    if not volume > 1:
        return Verdict(FAIL, f"volume {volume:.3g} cubic angstrom, not over 1")
    if not all(1 <= x <= 100 for x in structure.lattice.abc):
        return Verdict(FAIL, "a lattice vector outside 1 to 100 angstrom")
    if not all(0 < x < 180 for x in structure.lattice.angles):
        return Verdict(FAIL, "a lattice angle outside 0 to 180 degrees")
    return _cif_and_space_group(structure)


def _cif_and_space_group(structure: Structure) -> Verdict:
    from pymatgen.io.cif import CifWriter
    from pymatgen.symmetry.analyzer import SpacegroupAnalyzer

    try:
        str(CifWriter(structure))
    except Exception as error:  # by definition any error counts
        return Verdict(FAIL, f"cannot be written as CIF ({type(error).__name__})")
    try:
        number = SpacegroupAnalyzer(structure).get_space_group_number()
    except Exception as error:
        return Verdict(FAIL, f"no space group found ({type(error).__name__})")
    return Verdict(PASS, f"space group {number}")


def lemat_distances(structure: Structure) -> Verdict:
    """LeMat-GenBench's minimum interatomic distance: no pair is closer than half of (0.7 + r_i + r_j) angstrom.

    The radii are Slater's atomic radii as pymatgen has them, 1 angstrom if it has none. An atom's own images are
    ignored. The rule is that of the benchmark's public code (`MinimumInteratomicDistanceMetric`). The overall validity
    there consists of this rule, `lemat_plausible` and charge neutrality. The last one uses bond valences and a table of
    oxidation states made from LeMat-Bulk; it is not implemented here. Raises NucleateError for partial occupancies.
    """
    import numpy as np
    from pymatgen.core import Element

    from nucleate.crystal.convert import species_numbers

    if fault := _fault_of_cell(structure):
        return Verdict(FAIL, fault)
    radii = np.array([float(Element.from_Z(int(z)).atomic_radius or 1.0) for z in species_numbers(structure)])
    least = (0.7 + radii[:, None] + radii) / 2
    short = np.array(structure.distance_matrix) - least
    np.fill_diagonal(short, np.inf)
    i, j = sorted(int(k) for k in np.unravel_index(short.argmin(), short.shape))
    if short[i, j] < 0:
        pair = f"{structure[i].species_string} and {structure[j].species_string} (atoms {i + 1}, {j + 1})"
        return Verdict(FAIL, f"{pair} {short[i, j] + least[i, j]:.2f} angstrom apart, below {least[i, j]:.2f}")
    return Verdict(PASS)


def compositional_validity(formula: str, oxidation_states: str = "smact14") -> bool | None:
    """SMACT's validity test: charge neutrality and Pauling's test; elements and alloys pass. None means unknown.

    oxidation_states: "smact14" (used in most publications) or "icsd24" (the default of SMACT 3 and 4: states that the
    ICSD reports at least three times). The result is unknown if the set has no states for an element, or if a neutral
    compound has an element without electronegativity; SMACT itself then answers False. Raises NucleateError for a text
    that is not a formula, and for another set.
    """
    from pymatgen.core import Composition

    if oxidation_states not in OXIDATION_STATES:
        raise NucleateError(f"oxidation states are {' or '.join(OXIDATION_STATES)}, not '{oxidation_states}'")
    try:
        composition = Composition(formula)
    except ValueError as error:
        raise NucleateError(f"'{formula}' is not a formula ({error})") from None
    return {PASS: True, FAIL: False}.get(smact_verdict(composition, OXIDATION_STATES[oxidation_states]).verdict)


def composition_passes(formula: str, rule: str) -> bool | None:
    """The verdict of a rule: "original" (CDVAE's rule), or SMACT's test with the "smact14" or "icsd24" states."""
    if rule != "original":
        return compositional_validity(formula, rule)
    from pymatgen.core import Composition

    counts = Composition(formula).element_composition
    return compositional_validity_original([e.Z for e, n in counts.items() for _ in range(round(n))])


def compositional_validity_original(atomic_numbers: Iterable[int]) -> bool:
    """CDVAE's compositional validity (`smact_validity` in its code) of the atoms of a crystal, with the rules of SMACT
    2.2.1, the version that CDVAE requires.

    It differs from `compositional_validity` if SMACT lacks data. A compound of an element without oxidation states (He,
    Ne, Ar) fails. If an electronegativity is missing (Pm, Rn, Lr), pairs of elements are compared in the order of
    atomic numbers, and the test passes at the first cation and anion that cannot be compared. The states are those of
    version 2.2.1, which are smact14's except for iridium. With these rules the 10,000 crystals that DiffCSP published
    reach the published 83.25 %. (DiffCSP's copy also calls formulas with more than 10^7 combinations of states invalid;
    none of these crystals has so many.) Raises NucleateError if there are no atoms.
    """
    atoms = Counter(int(z) for z in atomic_numbers)
    if not atoms:
        raise NucleateError("a composition needs atoms")
    return _passes_cdvae(tuple(reduced({element_symbol(z): n for z, n in sorted(atoms.items())}).items()))


@lru_cache(maxsize=100_000)
def _passes_cdvae(counts: Counts) -> bool:
    """CDVAE's test of a composition; `counts` must be in the order of atomic numbers."""
    if kind_without_ions([s for s, _ in counts]):
        return True
    states = [_IRIDIUM_2_2_1 if s == "Ir" else states_of(s, "smact14") for s, _ in counts]
    chi = [pauling_electronegativity(s) for s, _ in counts]
    known = [x for x in chi if x is not None]
    rules = pauling_choices(known, states) if len(known) == len(chi) else _satisfying_states(chi, states)
    return any(neutral_ions(counts, allowed) is not None for allowed in rules)


def _satisfying_states(chi: Sequence[float | None], states: States) -> Iterator[States]:
    """The states with which SMACT 2.2.1 passes because it reaches a cation and an anion that it cannot compare.

    The loop compares the pairs (0, 1), (0, 2), ... (1, 2), ... It ends with False at a pair that fails, and at a pair
    of equal signs with an unknown electronegativity. So it ends at the latest at element 0 and the first element
    whose electronegativity is unknown.
    """
    last = max(chi.index(None), 1)
    for sign in (1, -1):  # the sign of the charge of element 0
        allowed = [list(s) for s in states]
        allowed[0] = [q for q in states[0] if q * sign > 0]
        allowed[last] = [q for q in states[last] if q * sign < 0]
        for j in range(1, last):
            a, b = chi[0], chi[j]
            if a is not None and b is not None and (a - b) * sign >= 0:
                allowed[j] = [q for q in states[j] if q * sign >= 0]
        yield allowed
