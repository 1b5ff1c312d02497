"""Formulas as sentences of element tokens (Dong et al., arXiv 2310.00475, section 2.1): SrTiO3 is "Sr Ti O O O ."

The vocabulary is that of the paper: six special words and the elements. The length of a sentence is drawn before its
words, as the number of atoms of a cell is; so the final "." and the PAD behind it are known, and only atoms diffuse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from nucleate.chem.elements import MAIN_ELEMENTS, SYMBOLS, atomic_number
from nucleate.codecs.state import CodecState
from nucleate.crystal.formulas import FormulaBatch
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams

SPECIAL = ("MASK", "PAD", "UNK", "CLS", "SEP", ".")
MASK_ID, PAD_ID = 0, 1  # the absorbing class of diffusion is 0
TOKENS = "tokens"  # the field that diffuses, (B, A)


@dataclass(frozen=True)
class TokenCodec:
    """encode and decode. counts: how often each word occurs in the training formulas; its `information` follows.

    vocabulary: "main" (63 elements, 69 words: the paper's) or "all" (118). order: the words of a formula have none
    ("set"), are "sorted" by electronegativity as the data are, or come by elements that are "shuffled" in training.
    """

    vocabulary: str = "main"
    order: str = "set"
    counts: tuple[int, ...] = ()

    per_atom: ClassVar[frozenset[str]] = frozenset({TOKENS, "mask"})

    @property
    def state(self) -> CodecState:
        return CodecState((), (), counts=self.counts)

    def fitted(self, data: FormulaBatch) -> TokenCodec:
        """The same codec with the number of each word in the training formulas."""
        ids = self.encode(data.atomic_numbers)[TOKENS][data.mask]
        return replace(self, counts=tuple(torch.bincount(ids, minlength=self.size).tolist()))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary; the place of a word is its token."""
        elements = SYMBOLS if self.vocabulary == "all" else tuple(s for s in SYMBOLS if s in MAIN_ELEMENTS)
        return (*SPECIAL, *elements)

    @property
    def size(self) -> int:
        return len(self.words)

    @cached_property
    def _tokens(self) -> Tensor:
        """Atomic number -> token, UNK where the vocabulary lacks it, PAD for 0: (119,)."""
        table = torch.full((len(SYMBOLS) + 1,), SPECIAL.index("UNK"))
        table[0] = PAD_ID
        for token, word in enumerate(self.words[len(SPECIAL) :], len(SPECIAL)):
            table[atomic_number(word)] = token
        return table

    def token(self, symbol: str) -> int:
        """The token of an element; UNK where the vocabulary lacks it."""
        return int(self._tokens[atomic_number(symbol)])

    def information(self) -> tuple[float, ...]:
        """-log of each word's share of the training atoms, in nats; 0 for words that never occur."""
        total = sum(self.counts)
        return tuple(-math.log(n / total) if n else 0.0 for n in self.counts)

    def encode(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """(B, A), padded with zeros -> tokens (B, A) and mask (B, A)."""
        return {TOKENS: self._tokens.to(atomic_numbers.device)[atomic_numbers], "mask": atomic_numbers > 0}

    def training_fields(self, data: FormulaBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the formulas `index` (b,) of training data, cut to `width` atoms."""
        fields = self.encode(data.atomic_numbers[index, :width])
        if self.order == "shuffled":
            fields[TOKENS] = shuffled(fields[TOKENS], fields["mask"], rng)
        return fields

    def decode(self, fields: Fields) -> list[str]:
        """Sentences without their final period, "Sr Ti O O O". Special words stand in brackets, since UNK without them
        is the formula of uranium, nitrogen and potassium."""
        rows: Sequence[tuple[list[int], list[bool]]] = list(
            zip(fields[TOKENS].tolist(), fields["mask"].tolist(), strict=True)
        )
        shown = [f"<{w}>" if w in SPECIAL else w for w in self.words]
        return [" ".join(shown[i] for i, real in zip(ids, mask, strict=True) if real) for ids, mask in rows]


def shuffled(tokens: Tensor, mask: Tensor, rng: Streams) -> Tensor:
    """The elements of each formula (B, A) in a random order, equal ones side by side."""
    key = rng.uniform((len(tokens), int(tokens.max()) + 1)).to(tokens.device).gather(1, tokens)
    return tokens.gather(1, torch.argsort(torch.where(mask, key, 2.0), dim=1, stable=True))
