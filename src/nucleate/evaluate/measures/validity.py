"""Is a crystal valid? The published definitions, each as it is counted in its source, and corrected ones.

Compositions: one oxidation state for each element, a total charge of zero, and Pauling's test: every cation is less
electronegative than every anion. SMACT (Davies et al., J. Open Source Softw. 4, 1361 (2019)) tries all combinations of
states. Here the states are split at each electronegativity into anions and cations, and the reachable charges are added
up element by element: the same verdicts without the combinations, of which eight elements can have 10^8.
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
DENSITY_RANGE = (0.01, 25.0)  # g/cm3, of LeMat-GenBench; osmium, the densest element, has 22.6
OXIDATION_STATES = {"smact14": "smact14", "icsd24": "icsd24-3"}  # name of the rule -> set of `chem.states`
_IRIDIUM_2_2_1 = (-2, -1, 1, 2, 3, 4, 5, 6, 7, 8)  # later versions of SMACT have -3 for -2


def structural_validity(structure: Structure) -> bool:
    """CDVAE's and DiffCSP's definition: no two atoms nearer than 0.5 angstrom and a volume of at least 0.1 cubic
    angstrom. An atom's own images are ignored, as in the original, so a crystal and its supercell may differ. What has
    no atoms or numbers that are not finite is invalid."""
    import numpy as np

    from nucleate.crystal.geometry import is_finite

    if len(structure) == 0 or not is_finite(structure) or not structure.volume >= MIN_VOLUME:
        return False
    distances = np.array(structure.distance_matrix)
    np.fill_diagonal(distances, np.inf)
    return not (distances < MIN_DISTANCE).any()


def structural_validity_corrected(structure: Structure) -> Verdict:
    """Pass or fail, with the reason: finite numbers, a volume of at least 0.1 cubic angstrom, a density of 0.01 to 25
    g/cm3 and no distance below 0.5 angstrom, the periodic images of an atom included.

    The answer is the same for every cell of a crystal, unless its volume is near the limit.
    """
    from nucleate.crystal.geometry import shortest_distance

    if fault := _no_crystal(structure):
        return Verdict(FAIL, fault)
    rho = float(structure.density)
    if not DENSITY_RANGE[0] <= rho <= DENSITY_RANGE[1]:
        return Verdict(FAIL, f"{rho:.3g} g/cm3, outside {DENSITY_RANGE[0]:g} to {DENSITY_RANGE[1]:g}")
    nearest = shortest_distance(structure)
    if nearest < MIN_DISTANCE:
        return Verdict(FAIL, f"two atoms {nearest:.2f} angstrom apart, below {MIN_DISTANCE:g}")
    return Verdict(PASS, f"shortest distance {nearest:.2f} angstrom")


def _no_crystal(structure: Structure) -> str:
    """Why nothing can be measured, or ""."""
    from nucleate.crystal.geometry import is_finite

    if len(structure) == 0:
        return "no atoms"
    if not is_finite(structure):
        return "the cell or a coordinate is not a finite number"
    volume = float(structure.volume)
    return "" if volume >= MIN_VOLUME else f"volume {volume:.3g} cubic angstrom, below {MIN_VOLUME:g}"


def lemat_plausible(structure: Structure) -> Verdict:
    """Physical plausibility of LeMat-GenBench (Betala et al., arXiv 2512.04562), all of: 0.01 to 25 g/cm3; 0.00001 to
    0.5 atoms per cubic angstrom; a volume over 1 cubic angstrom, lattice vectors of 1 to 100 angstrom and angles
    strictly between 0 and 180 degrees, of the cell as given; pymatgen can write it as CIF; spglib finds a space group
    (symprec 0.01 angstrom).

    Confirmed: the defaults of the benchmark's public code (`PhysicalPlausibilityMetric`). Not confirmed: that its paper
    says the same, and was computed so; an earlier version of the code asked for 1 to 25 g/cm3 and did not look at the
    number density. What the code calls a CIF round trip only writes.
    """
    if fault := _no_crystal(structure):
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
    except Exception as error:  # the definition: whatever goes wrong
        return Verdict(FAIL, f"cannot be written as CIF ({type(error).__name__})")
    try:
        number = SpacegroupAnalyzer(structure).get_space_group_number()
    except Exception as error:
        return Verdict(FAIL, f"no space group found ({type(error).__name__})")
    return Verdict(PASS, f"space group {number}")


def lemat_distances(structure: Structure) -> Verdict:
    """LeMat-GenBench's minimum interatomic distance: no pair nearer than half of (0.7 + r_i + r_j) angstrom, with
    Slater's atomic radii as pymatgen has them, 1 angstrom where it has none; an atom's own images are ignored.

    Confirmed in the benchmark's public code (`MinimumInteratomicDistanceMetric`). Its overall validity is this,
    `lemat_plausible` and charge neutrality; the last, by bond valences and a table of oxidation states made from
    LeMat-Bulk, is not reproduced here. Raises NucleateError for partial occupancies.
    """
    import numpy as np
    from pymatgen.core import Element

    from nucleate.crystal.convert import species_numbers

    if fault := _no_crystal(structure):
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
    """SMACT's validity test (charge neutral with Pauling's test; elements and alloys pass); None is unknown.

    oxidation_states: "smact14" (what the papers used) or "icsd24" (the default of SMACT 3 and 4: states that the ICSD
    reports three times or more). Unknown where the set has no states for an element, and where a neutral compound has
    an element without electronegativity; SMACT itself answers False. Raises NucleateError for a text that is no formula
    and for another set.
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
    """The rule by name: "original" (as CDVAE counts it), or SMACT's test with "smact14" or "icsd24" states."""
    if rule != "original":
        return compositional_validity(formula, rule)
    from pymatgen.core import Composition

    counts = Composition(formula).element_composition
    return compositional_validity_original([e.Z for e, n in counts.items() for _ in range(round(n))])


def compositional_validity_original(atomic_numbers: Iterable[int]) -> bool:
    """CDVAE's `smact_verdict` of the atoms of a crystal: True or False, with SMACT 2.2.1's rules, which CDVAE pins.

    It differs from `compositional_validity` where SMACT lacks data. A compound of an element without oxidation states
    (He, Ne, Ar) fails. Where an electronegativity is missing (Pm, Rn, Lr), pairs of elements are compared in the order
    of atomic numbers, and the test ends satisfied at the first cation and anion that cannot be compared. States are
    those of version 2.2.1, smact14's but for iridium. So the 10,000 crystals that DiffCSP published reach the published
    83.25 %. (DiffCSP's copy also calls formulas of more than 10^7 combinations of states invalid; none of these has as
    many.) Raises NucleateError without atoms.
    """
    atoms = Counter(int(z) for z in atomic_numbers)
    if not atoms:
        raise NucleateError("a composition needs atoms")
    return _cdvae(tuple(reduced({element_symbol(z): n for z, n in sorted(atoms.items())}).items()))


@lru_cache(maxsize=100_000)
def _cdvae(counts: Counts) -> bool:
    """CDVAE's test of a composition whose `counts` are in the order of atomic numbers."""
    if kind_without_ions([s for s, _ in counts]):
        return True
    states = [_IRIDIUM_2_2_1 if s == "Ir" else states_of(s, "smact14") for s, _ in counts]
    chi = [pauling_electronegativity(s) for s, _ in counts]
    known = [x for x in chi if x is not None]
    rules = pauling_choices(known, states) if len(known) == len(chi) else _stops_satisfied(chi, states)
    return any(neutral_ions(counts, allowed) is not None for allowed in rules)


def _stops_satisfied(chi: Sequence[float | None], states: States) -> Iterator[States]:
    """The states with which SMACT 2.2.1 stops at a cation and an anion that it cannot compare.

    It takes pairs (0, 1), (0, 2), ... (1, 2), ... A pair that fails, and one of like charges with an unknown
    electronegativity, end it with False. So it ends at the latest where element 0 meets the first unknown one.
    """
    last = max(chi.index(None), 1)
    for sign in (1, -1):  # of element 0
        allowed = [list(s) for s in states]
        allowed[0] = [q for q in states[0] if q * sign > 0]
        allowed[last] = [q for q in states[last] if q * sign < 0]
        for j in range(1, last):
            a, b = chi[0], chi[j]
            if a is not None and b is not None and (a - b) * sign >= 0:
                allowed[j] = [q for q in states[j] if q * sign >= 0]
        yield allowed
