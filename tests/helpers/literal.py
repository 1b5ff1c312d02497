"""The published definitions written out once more: slow, plain, and without a line of nucleate."""

import itertools
import math
from collections import Counter

import numpy as np

NO_ATOMS_NEARER = 0.5  # angstrom
SMALLEST_VOLUME = 0.1  # cubic angstrom


def distances(lattice, frac_coords, reach=3):
    """(n, n, images) distances from each atom to all images of each atom, cells up to `reach` away."""
    cells = np.array(list(itertools.product(range(-reach, reach + 1), repeat=3)))
    out = np.empty((len(frac_coords), len(frac_coords), len(cells)))
    for i, a in enumerate(frac_coords):
        for j, b in enumerate(frac_coords):
            for k, cell in enumerate(cells):
                out[i, j, k] = np.linalg.norm((b - a + cell) @ lattice)
    return out


def shortest_pair(lattice, frac_coords):
    """Between two different atoms of the cell, whichever image."""
    d = distances(lattice, frac_coords).min(axis=2)
    n = len(d)
    return min((d[i, j] for i in range(n) for j in range(n) if i != j), default=np.inf)


def shortest_with_images(lattice, frac_coords):
    """Between any two atoms of the crystal."""
    d = distances(lattice, frac_coords)
    return d[d > 1e-9].min() if not _coincide(d) else 0.0


def _coincide(d):
    return any((d[i, j] <= 1e-9).any() for i in range(len(d)) for j in range(len(d)) if i != j)


def structural_validity(lattice, frac_coords):
    """CDVAE: no two atoms nearer than 0.5, the diagonal padded; a volume of 0.1 or more."""
    return shortest_pair(lattice, frac_coords) >= NO_ATOMS_NEARER and abs(np.linalg.det(lattice)) >= SMALLEST_VOLUME


def structural_validity_corrected(lattice, frac_coords, masses):
    """Self-images counted; 0.01 to 25 g/cm3."""
    volume = abs(np.linalg.det(lattice))
    density = sum(masses) / volume * 1.66053906660
    near = shortest_with_images(lattice, frac_coords) < NO_ATOMS_NEARER
    return bool(volume >= SMALLEST_VOLUME and 0.01 <= density <= 25 and not near)


def compositional_validity(atomic_numbers, symbols, states, electronegativity, metals):
    """CDVAE: every combination of oxidation states is tried until one is neutral and passes Pauling's test.

    symbols, states, electronegativity: by atomic number; states () and electronegativity None where there are none.
    """
    atoms = Counter(atomic_numbers)
    elements = sorted(atoms)
    smallest = math.gcd(*atoms.values())
    counts = [atoms[z] // smallest for z in elements]
    if len(elements) == 1:
        return True
    if all(symbols[z] in metals for z in elements):
        return True
    for charges in itertools.product(*(states[z] for z in elements)):
        if sum(n * q for n, q in zip(counts, charges, strict=True)) != 0:
            continue
        try:
            okay = pauling(charges, [electronegativity[z] for z in elements])
        except TypeError:  # "if no electronegativity data, assume it is okay"
            okay = True
        if okay:
            return True
    return False


def pauling(charges, electronegativities):
    """SMACT 2.2.1: a cation must be less electronegative than an anion; None < 1 raises TypeError."""
    for i in range(len(charges)):
        for j in range(i + 1, len(charges)):
            q, r, x, y = charges[i], charges[j], electronegativities[i], electronegativities[j]
            if q > 0 > r and not x < y:
                return False
            if q < 0 < r and not x > y:
                return False
            if x is None or y is None:
                return False
    return True


def coverage(generated, reference, structure_cutoff, composition_cutoff, n_generated):
    """generated, reference: (structure, composition) fingerprints. All distances at once, as in CDVAE."""
    from scipy.spatial.distance import cdist

    s = cdist(generated[0], reference[0])
    c = cdist(generated[1], reference[1])
    both = (s <= structure_cutoff) & (c <= composition_cutoff)
    return {
        "recall": np.mean((s.min(0) <= structure_cutoff) & (c.min(0) <= composition_cutoff)),
        "precision": np.sum((s.min(1) <= structure_cutoff) & (c.min(1) <= composition_cutoff)) / n_generated,
        "recall_joint": np.mean(both.any(0)),
        "precision_joint": np.sum(both.any(1)) / n_generated,
        "amsd_recall": s.min(0).mean(),
        "amsd_precision": s.min(1).mean(),
        "amcd_recall": c.min(0).mean(),
        "amcd_precision": c.min(1).mean(),
    }


def wasserstein(a, b):
    """Area between the two cumulative distributions, step by step."""
    steps = sorted({*map(float, a), *map(float, b)})
    area = 0.0
    for left, right in itertools.pairwise(steps):
        area += abs(np.mean(np.asarray(a) <= left) - np.mean(np.asarray(b) <= left)) * (right - left)
    return area


def frechet(a, b):
    """With the matrix square root of the product, as it is written."""
    from scipy.linalg import sqrtm

    s, t = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = np.mean(a, axis=0) - np.mean(b, axis=0)
    return shift @ shift + np.trace(s + t - 2 * np.real(sqrtm(s @ t)))


def jensen_shannon(p, q):
    """Square root of H((p + q) / 2) - (H(p) + H(q)) / 2, entropies in bits."""

    def entropy(x):
        return -sum(v * math.log2(v) for v in x if v > 0)

    p, q = (np.asarray(v) / np.sum(v) for v in (p, q))
    return math.sqrt(max(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, 0))


def wilson(hits, total, z=1.959963984540054):
    """The rates x at which the observed one is z standard deviations away: (p - x)^2 = z^2 x (1 - x) / n."""
    p = hits / total
    low, high = sorted(np.roots([1 + z * z / total, -2 * p - z * z / total, p * p]).real)
    return low, high
