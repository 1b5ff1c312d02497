"""Crystals as space group, cell and sites, prepared for training and cached as tensors."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Sequence

import torch

from nucleate.config import DataConfig
from nucleate.crystal.asymmetric import asymmetric_unit, symmetric_batch
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.orbits import SymmetricBatch
from nucleate.data.prepared import cache_folder, prepare_crystals
from nucleate.data.tables import Summary
from nucleate.errors import NucleateError
from nucleate.io import replacing

VERSION = 1  # of the preparation; increase it if the same crystals would give other tensors
BLOCK = 200  # the number of crystals between two reports of progress


def prepare_sites(
    data: DataConfig, progress: Callable[[str, int, int], None] | None = None, properties: Sequence[str] = ()
) -> tuple[SymmetricBatch, Summary]:
    """The symmetric training crystals of a recipe (`crystal.asymmetric.asymmetric_unit`), and a summary of the rows of
    its dataset.

    Crystals without a consistent symmetry are left out and counted. Raises NucleateError if properties are given,
    because these batches cannot have any.
    """
    if properties:
        raise NucleateError(f"symmetric crystals cannot have properties; leave out {', '.join(properties)}")

    def show(what: str) -> Callable[[int, int], None]:
        return lambda done, total: progress(what, done, total) if progress is not None else None

    crystals, summary = prepare_crystals(data, (), show("reducing cells"))
    cache = cache_folder() / f"sites-{_digest(crystals)}.safetensors"
    try:
        batch = SymmetricBatch.load(cache)
    except NucleateError:
        batch = _sites(crystals, show("finding symmetry"))
        with contextlib.suppress(NucleateError), replacing(cache) as temporary:
            batch.save(temporary)  # if the disk is full or read-only, the next call has to prepare them again
    if lost := len(crystals) - len(batch):
        left_out = dict(summary.left_out) | {"without a consistent symmetry": lost}
        summary = dataclasses.replace(summary, usable=len(batch), left_out=left_out)
    return batch, summary


def _sites(crystals: CrystalBatch, progress: Callable[[int, int], None]) -> SymmetricBatch:
    units = []
    for start in range(0, len(crystals), BLOCK):
        progress(start, len(crystals))
        for structure in structures_from_batch(crystals[slice(start, start + BLOCK)]):
            try:
                units.append(asymmetric_unit(structure))
            except NucleateError:
                continue
    progress(len(crystals), len(crystals))
    return symmetric_batch(units)


def _digest(crystals: CrystalBatch) -> str:
    digest = hashlib.sha256(str(VERSION).encode())
    for tensor in (crystals.lattice, crystals.frac_coords, crystals.atomic_numbers.to(torch.uint8)):
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
