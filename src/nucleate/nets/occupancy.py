"""Slots of UniMat's table (Yang et al. 2023, section 2.1) that hold an atom or the null location: what the noise says
of each.

A noisy slot x = alpha x0 + sigma eps is one of two things. By the law of total expectation its noise is
E[eps | x] = p E[eps | x, an atom] + (1 - p) E[eps | x, null], and of these the last is known, (x - alpha null) / sigma,
and so is what x itself says for p. So a network has to tell only what the *other* slots say for p, and where the atoms
are that there are: null slots, 99 of 100, cost nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nucleate.codecs.unimat import NULL
from nucleate.diffusion.process import Fields, at

SPREAD = 3.0**-0.5  # standard deviation of coordinates that are uniform between -1 and 1
SURE = 30.0  # bound on logarithms of odds
BARRED = -1e4  # log odds of a slot of an element outside the chemical system


def evidence(x: Tensor, alpha_bar: Tensor) -> Tensor:
    """log p(x | an atom) - log p(x | null) of slots x (B, ..., 3), for normal coordinates of variance 1/3: (B, ...)."""
    abar = at(alpha_bar, x)
    null, atom = (1 - abar).clamp_min(1e-6), 1 - abar + abar * SPREAD**2
    difference = (x - abar.sqrt() * NULL).square() / null - x.square() / atom + (null / atom).log()
    return (difference.sum(-1) / 2).clamp(-SURE, SURE)


def atom_noise(x: Tensor, v: Tensor | float, alpha_bar: Tensor) -> Tensor:
    """E[eps | x, an atom] from the network's v: that of normal coordinates of variance 1/3 where v = 0."""
    abar = at(alpha_bar, x)
    return (1 - abar).sqrt() * x / (abar * SPREAD**2 + 1 - abar) + abar.sqrt() * v


def mixed(x: Tensor, v: Tensor | float, logit: Tensor, alpha_bar: Tensor) -> Tensor:
    """E[eps | x] of slots (B, ..., 3): log odds `logit` (B, ...) of being an atom, and the network's v for atoms."""
    abar = at(alpha_bar, x)
    null = (x - abar.sqrt() * NULL) / (1 - abar).clamp_min(1e-6).sqrt()
    p, q = torch.sigmoid(logit)[..., None], torch.sigmoid(-logit)[..., None]
    return p * atom_noise(x, v, alpha_bar) + q * null


def allowed_elements(condition: Fields, elements: Tensor, size: int) -> Tensor:
    """(B, P) bool: those of the elements (P,) that "chemical_system" (B, num_elements + 1) allows, all without it, less
    those that "barred_elements" (B, num_elements + 1) names."""
    inside = torch.ones(size, len(elements), dtype=torch.bool, device=elements.device)
    system, barred = condition.get("chemical_system"), condition.get("barred_elements")
    if system is not None:
        present = condition.get("chemical_system_present")
        inside = system[:, elements] > 0
        inside = inside if present is None else inside | ~present[:, None]
    return inside if barred is None else inside & (barred[:, elements] == 0)
