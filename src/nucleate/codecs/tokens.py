"""Formulas as sentences whose words are elements (Dong et al., arXiv 2310.00475, section 2.1): SrTiO3 is "Sr Ti O O O
."

The vocabulary is that of the source: six special words and the elements. The length of a sentence is drawn before its
words, as the number of atoms in a cell is. So the final "." and the PAD after it are known, and only atoms diffuse.
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
    """Encodes formulas as tokens and decodes tokens.

    vocabulary: "main" (63 elements, 69 words, as in the source) or "all" (118 elements). order: of the words of a
    formula: "set" has no order, "sorted" is that of the data, by electronegativity, and "shuffled" puts the elements in
    a random order in training. counts: how often each word occurs in the training formulas.
    """

    vocabulary: str = "main"
    order: str = "set"
    counts: tuple[int, ...] = ()

    per_atom: ClassVar[frozenset[str]] = frozenset({TOKENS, "mask"})

    @property
    def state(self) -> CodecState:
        return CodecState((), (), counts=self.counts)

    def fitted(self, data: FormulaBatch) -> TokenCodec:
        """The same codec with the numbers of each word in the training formulas."""
        ids = self.encode(data.atomic_numbers)[TOKENS][data.mask]
        return replace(self, counts=tuple(torch.bincount(ids, minlength=self.size).tolist()))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The vocabulary; the index of a word is its token."""
        elements = SYMBOLS if self.vocabulary == "all" else tuple(s for s in SYMBOLS if s in MAIN_ELEMENTS)
        return (*SPECIAL, *elements)

    @property
    def size(self) -> int:
        return len(self.words)

    @cached_property
    def _tokens(self) -> Tensor:
        """Atomic number -> token, (119,): UNK for elements that are not in the vocabulary, PAD for 0."""
        table = torch.full((len(SYMBOLS) + 1,), SPECIAL.index("UNK"))
        table[0] = PAD_ID
        for token, word in enumerate(self.words[len(SPECIAL) :], len(SPECIAL)):
            table[atomic_number(word)] = token
        return table

    def token(self, symbol: str) -> int:
        """The token of an element; UNK if it is not in the vocabulary."""
        return int(self._tokens[atomic_number(symbol)])

    def information(self) -> tuple[float, ...]:
        """The information of each word, (V,): -log of its share of the training atoms, in nats; 0 for words that never
        occur."""
        total = sum(self.counts)
        return tuple(-math.log(n / total) if n else 0.0 for n in self.counts)

    def encode(self, atomic_numbers: Tensor) -> dict[str, Tensor]:
        """The fields TOKENS (B, A) and "mask" (B, A) of atomic numbers (B, A), which are padded with zeros."""
        return {TOKENS: self._tokens.to(atomic_numbers.device)[atomic_numbers], "mask": atomic_numbers > 0}

    def training_fields(self, data: FormulaBatch, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the formulas `index` (b,) of the training data, with `width` atoms."""
        fields = self.encode(data.atomic_numbers[index, :width])
        if self.order == "shuffled":
            fields[TOKENS] = shuffled(fields[TOKENS], fields["mask"], rng)
        return fields

    def decode(self, fields: Fields) -> list[str]:
        """Sentences without their final period: "Sr Ti O O O". Special words are in angle brackets, because "UNK" would
        otherwise be read as uranium, nitrogen and potassium."""
        rows: Sequence[tuple[list[int], list[bool]]] = list(
            zip(fields[TOKENS].tolist(), fields["mask"].tolist(), strict=True)
        )
        shown = [f"<{w}>" if w in SPECIAL else w for w in self.words]
        return [" ".join(shown[i] for i, real in zip(ids, mask, strict=True) if real) for ids, mask in rows]


def shuffled(tokens: Tensor, mask: Tensor, rng: Streams) -> Tensor:
    """The tokens (B, A) with the elements of each formula in a random order; atoms of an element stay side by side."""
    key = rng.uniform((len(tokens), int(tokens.max()) + 1)).to(tokens.device).gather(1, tokens)
    return tokens.gather(1, torch.argsort(torch.where(mask, key, 2.0), dim=1, stable=True))
