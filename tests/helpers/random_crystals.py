"""Crystals that mean nothing, for codecs, networks and tiny trainings; the same for a seed."""

import torch

from nucleate.crystal.batch import CrystalBatch

ELEMENTS = (3, 8, 26, 38, 22)  # Li O Fe Sr Ti


def crystals_of(*rows, seed=0):
    """Crystals of given atomic numbers, one row each."""
    g = torch.Generator().manual_seed(seed)
    width = max(map(len, rows))
    z = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    lattice = 5 * torch.eye(3) + torch.rand(len(rows), 3, 3, generator=g)
    return CrystalBatch(lattice, torch.rand(len(rows), width, 3, generator=g) * (z > 0)[..., None], z)


def few_elements(count):
    """`count` crystals of 4 and 6 atoms in turn."""
    z = torch.tensor(ELEMENTS)[torch.randint(0, 5, (count, 6), generator=torch.Generator().manual_seed(0))]
    return crystals_of(*(row[: 6 if i % 2 else 4] for i, row in enumerate(z.tolist())))
