"""How probable it is that a noisy slot of UniMat's table (Yang et al. 2023, section 2.1) holds an atom.

A slot holds either an atom or the null location. So by the law of total expectation the noise of a noisy slot
x = alpha x0 + sigma eps is E[eps | x] = p E[eps | x, atom] + (1 - p) E[eps | x, null], where p is the probability of an
atom. The last expectation is known exactly, (x - alpha null) / sigma, and so is what x itself contributes to p. A
network has to learn only what the other slots contribute to p, and where the atoms are. The null slots, 99 of 100, cost
nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nucleate.codecs.unimat import NULL
from nucleate.diffusion.process import Fields, at

SPREAD = 3.0**-0.5  # standard deviation of coordinates that are uniform between -1 and 1
SURE = 30.0  # largest absolute value of the log odds that `evidence` gives
BARRED = -1e4  # log odds of a slot whose element is not allowed


def evidence(x: Tensor, alpha_bar: Tensor) -> Tensor:
    """log p(x | atom) - log p(x | null) of noisy slots x (B, ..., 3), with shape (B, ...).

    The coordinates of atoms are taken as normally distributed with variance 1/3.
    """
    abar = at(alpha_bar, x)
    null, atom = (1 - abar).clamp_min(1e-6), 1 - abar + abar * SPREAD**2
    difference = (x - abar.sqrt() * NULL).square() / null - x.square() / atom + (null / atom).log()
    return (difference.sum(-1) / 2).clamp(-SURE, SURE)


def atom_noise(x: Tensor, v: Tensor | float, alpha_bar: Tensor) -> Tensor:
    """E[eps | x, atom] of positions x (B, ..., 3) from the network's v. With v = 0 it is exact for normally distributed
    coordinates of variance 1/3."""
    abar = at(alpha_bar, x)
    return (1 - abar).sqrt() * x / (abar * SPREAD**2 + 1 - abar) + abar.sqrt() * v


def mixed(x: Tensor, v: Tensor | float, logit: Tensor, alpha_bar: Tensor) -> Tensor:
    """E[eps | x] of slots x (B, ..., 3) from the log odds `logit` (B, ...) that they hold atoms, and from v."""
    abar = at(alpha_bar, x)
    null = (x - abar.sqrt() * NULL) / (1 - abar).clamp_min(1e-6).sqrt()
    p, q = torch.sigmoid(logit)[..., None], torch.sigmoid(-logit)[..., None]
    return p * atom_noise(x, v, alpha_bar) + q * null


def allowed_elements(condition: Fields, elements: Tensor, size: int) -> Tensor:
    """Which of the elements (P,) each crystal may contain, (B, P) bool.

    These are the elements of condition "chemical_system" (B, num_elements + 1), or all elements where there is none,
    without those of "barred_elements" (B, num_elements + 1). size: the number of crystals B.
    """
    inside = torch.ones(size, len(elements), dtype=torch.bool, device=elements.device)
    system, barred = condition.get("chemical_system"), condition.get("barred_elements")
    if system is not None:
        present = condition.get("chemical_system_present")
        inside = system[:, elements] > 0
        inside = inside if present is None else inside | ~present[:, None]
    return inside if barred is None else inside & (barred[:, elements] == 0)
