"""The arithmetic of random streams and of seeds that are computed from others. Nothing here imports torch.

Philox-4x32-10: J. K. Salmon et al., SC 2011, "Parallel random numbers: as easy as 1, 2, 3".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF  # of a word
SEED_MASK = 0x7FFFFFFFFFFFFFFF  # of a seed, which is an int64 and not negative
Words = Any  # an int, an array of int64, or a tensor of int64


def philox(counter: Sequence[Words], key: Sequence[Words], rounds: int = 10) -> list[Words]:
    """Philox-4x32: four random words from four words of a counter and two words of a key (of 32 bits each)."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        p0, p1 = c0 * _M0, c2 * _M1  # exact modulo 2**64
        c0, c1, c2, c3 = (
            ((p1 >> 32) & MASK) ^ c1 ^ k0,
            p1 & MASK,
            ((p0 >> 32) & MASK) ^ c3 ^ k1,
            p0 & MASK,
        )
        k0, k1 = (k0 + _W0) & MASK, (k1 + _W1) & MASK
    return [c0, c1, c2, c3]


def seed_of_words(words: Sequence[Words]) -> Words:
    """The seed that four random words make, of which two are used."""
    return ((words[0] << 31) ^ words[1]) & SEED_MASK


def derived_seed(seed: int, *labels: int) -> int:
    """A seed (0 to 2**63 - 1) that is computed from another one and whole numbers, as `rng.derive_seeds`."""
    state: int = seed
    for label in labels:
        state = seed_of_words(philox([label & MASK, (label >> 32) & MASK, 0, 0], [state & MASK, (state >> 32) & MASK]))
    return state
