"""What any structure generator must satisfy; call these from the tests of a new one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nucleate.crystal.convert import atom_counts
from nucleate.generators.base import Condition, StructureGenerator


def check_structure_generator(
    generator: StructureGenerator, conditions: Sequence[Condition], tolerance: float = 1e-3
) -> None:
    """Raise AssertionError unless `generator` is deterministic, independent of the batch, and honours its conditions.

    conditions: at least two that the generator can meet, of different sizes. tolerance: on fractional coordinates and,
    relative, on the lattice, for the rounding of differently shaped batches.
    """
    seeds = [11 + i for i in range(len(conditions))]
    together = generator.generate(conditions, seeds)
    assert len(together) == len(conditions), "one structure for each condition"
    again = generator.generate(conditions, seeds)
    for i, (a, b) in enumerate(zip(together, again, strict=True)):
        assert a == b, f"crystal {i} differs between two equal calls"
    reverse = generator.generate(conditions[::-1], seeds[::-1])[::-1]
    for i, condition in enumerate(conditions):
        (alone,) = generator.generate([condition], [seeds[i]])
        for other in (alone, reverse[i]):
            assert other.species == together[i].species, f"species of crystal {i} depend on its batch"
            gap = np.abs(other.frac_coords - together[i].frac_coords) % 1.0
            assert np.minimum(gap, 1 - gap).max() < tolerance, f"coordinates of crystal {i} depend on its batch"
            scale = np.abs(other.lattice.matrix).max()
            gap = np.abs(other.lattice.matrix - together[i].lattice.matrix).max() / scale
            assert gap < tolerance, f"the lattice of crystal {i} depends on its batch ({gap:.1e})"
    for condition, structure in zip(conditions, together, strict=True):
        counts = atom_counts(structure)
        if condition.composition is not None:
            assert counts == dict(condition.composition), f"{counts} is not {condition.composition}"
        if condition.chemical_system is not None:
            assert set(counts) <= set(condition.chemical_system), f"{counts} leaves {condition.chemical_system}"
        if condition.num_atoms is not None:
            assert len(structure) == condition.num_atoms
        assert structure.volume > 0 and np.isfinite(structure.frac_coords).all()
    (first,) = generator.generate([conditions[0]], [1])
    (second,) = generator.generate([conditions[0]], [2])
    assert first != second, "the seed changes nothing"
