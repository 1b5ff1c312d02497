"""Lattices as tensors (B, 3, 3) whose rows are lattice vectors in angstrom."""

from __future__ import annotations

import torch
from torch import Tensor

_SYMMETRIC = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))  # the entries of a symmetric matrix in Voigt order


def lengths_angles(lattice: Tensor) -> Tensor:
    """(B, 3, 3) -> (B, 6): a, b, c in angstrom, alpha, beta, gamma in degrees."""
    lengths = lattice.norm(dim=-1)
    cosines = [(lattice[:, i] * lattice[:, j]).sum(-1) / (lengths[:, i] * lengths[:, j]) for i, j in _SYMMETRIC[3:]]
    angles = torch.rad2deg(torch.arccos(torch.stack(cosines, -1).clamp(-1, 1)))
    return torch.cat([lengths, angles], -1)


def from_lengths_angles(parameters: Tensor) -> Tensor:
    """(B, 6) -> (B, 3, 3) with a along x and b in the xy plane. The inverse of `lengths_angles`, up to a rotation."""
    a, b, c, alpha, beta, gamma = parameters.unbind(-1)
    ca, cb, cg = (torch.cos(torch.deg2rad(v)) for v in (alpha, beta, gamma))
    sg = torch.sin(torch.deg2rad(gamma))
    y = (ca - cb * cg) / sg
    z = torch.sqrt((1 - cb.square() - y.square()).clamp_min(1e-12))
    zero = torch.zeros_like(a)
    rows = [torch.stack(r, -1) for r in ([a, zero, zero], [b * cg, b * sg, zero], [c * cb, c * y, c * z])]
    return torch.stack(rows, -2)


def metric_tensor(lattice: Tensor) -> Tensor:
    """The metric tensor G = L L^T, (B, 3, 3), in square angstrom. It does not change if the lattice is rotated."""
    return lattice @ lattice.transpose(-1, -2)


def to_log_metric(lattice: Tensor) -> Tensor:
    """(B, 3, 3) -> (B, 6): the entries of log(G) / 2 in Voigt order, where G is the metric tensor.

    The exponential of this symmetric matrix is the lattice without its rotation (its polar factor). So the numbers do
    not depend on the orientation, lattices up to rotation and numbers correspond one to one, and any six numbers give a
    cell of positive volume. The trace is the logarithm of the volume.
    """
    values, vectors = torch.linalg.eigh(metric_tensor(lattice).double())
    log = (vectors * (0.5 * values.clamp_min(1e-12).log())[..., None, :]) @ vectors.transpose(-1, -2)
    return torch.stack([log[..., i, j] for i, j in _SYMMETRIC], -1).to(lattice.dtype)


def symmetric_matrix(entries: Tensor) -> Tensor:
    """The symmetric matrix (B, 3, 3) of entries (B, 6) in Voigt order."""
    xx, yy, zz, yz, xz, xy = entries.unbind(-1)
    return torch.stack([xx, xy, xz, xy, yy, yz, xz, yz, zz], -1).unflatten(-1, (3, 3))


def from_log_metric(entries: Tensor) -> Tensor:
    """The symmetric lattice (B, 3, 3) whose `to_log_metric` is `entries` (B, 6)."""
    values, vectors = torch.linalg.eigh(symmetric_matrix(entries))
    return (vectors * values.exp()[..., None, :]) @ vectors.transpose(-1, -2)


def volume(lattice: Tensor) -> Tensor:
    """The volume (B,) of cells (B, 3, 3) in cubic angstrom; it is never negative."""
    return torch.linalg.det(lattice).abs()
