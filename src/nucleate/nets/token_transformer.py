"""A transformer over the words of a formula: the denoiser of both composition language models."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.tokens import MASK_ID, PAD_ID, TOKENS, TokenCodec
from nucleate.diffusion.process import Fields
from nucleate.diffusion.self_conditioning import ESTIMATE
from nucleate.nets.condition import ConditionEmbedding
from nucleate.nets.layers import AdaptiveBlock


class TokenTransformer(nn.Module):
    """Predicts the words of a formula from noisy ones: logits (B, A, V) of masked words, or the vectors (B, A, d) of
    words that are vectors.

    fields: "tokens" (B, A) or (B, A, d), "mask" (B, A). If the words have no order (codec.order "set"), equal words
    share one token. Attention over distinct words, with the logarithm of their number added to the scores of their
    keys, equals attention over all words, at a third of the cost for formulas. The number is also an input of its own,
    because attention is an average and learns numbers late. All masked words then have the same logits.
    """

    def __init__(
        self,
        codec: TokenCodec,
        max_atoms: int,
        *,
        vector: int | None,
        dim: int,
        layers: int,
        heads: int,
        self_conditioning: bool = False,
        condition_on: tuple[str, ...] = (),
    ) -> None:
        """vector: the length of the vectors, if words are vectors, otherwise None."""
        super().__init__()
        self.is_set = codec.order == "set"
        self.words = nn.Embedding(codec.size, vector or dim)
        self.from_vector = nn.Linear(vector, dim) if vector else None
        self.from_estimate = nn.Linear(vector, dim, bias=False) if vector and self_conditioning else None
        # embeds how often a word occurs ("set"), or else the place of a word in the formula
        self.number = nn.Embedding(max_atoms + 1, dim)
        self.condition = ConditionEmbedding(dim, len(codec.words), max_atoms, condition_on)
        self.blocks = nn.ModuleList(AdaptiveBlock(dim, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)
        self.read = nn.Linear(dim, vector or codec.size)

    def table(self) -> Tensor:
        """The words' vectors (V, d), each of length sqrt(d)."""
        return F.normalize(self.words.weight, dim=-1) * self.words.weight.shape[1] ** 0.5

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        x, mask = fields[TOKENS], fields["mask"]
        z_c = self.condition(t, mask, condition)
        if self.is_set:
            ids, counts = distinct_tokens(torch.where(mask, x, PAD_ID), self.words.num_embeddings)
            bias = torch.where(counts > 0, counts.clamp_min(1).log(), -1e9)
            bias[:, 0] = counts[:, 0].clamp_min(1).log()  # MASK comes first; its row is used even if no word is masked
            z = self.words(ids) + self.number(counts.long())
        else:
            bias = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, -1e9)
            z = self.from_vector(x) if self.from_vector is not None else self.words(x)
            z = z + self.number(torch.arange(x.shape[1], device=x.device))
            estimate = fields.get(ESTIMATE + TOKENS)
            if self.from_estimate is not None and estimate is not None:
                z = z + self.from_estimate(estimate)
        for block in self.blocks:
            z = block(z, z_c, bias[:, None, None])
        if self.is_set:
            z = z[:, :1]
        out = self.read(self.norm(z)).float()
        return {TOKENS: out.expand(-1, x.shape[1], -1) if self.is_set else out}


def distinct_tokens(ids: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The different tokens of each row (B, K), and how often each of them occurs (B, K), for tokens (B, A).

    MASK is always the first; PAD is left out. Rows with fewer than K words are filled with words of count 0.
    """
    counts = torch.zeros(len(ids), size, device=ids.device).scatter_add_(
        1, ids, torch.ones_like(ids, dtype=torch.float)
    )
    counts[:, PAD_ID] = 0
    present = counts > 0
    present[:, MASK_ID] = True
    width = int(present.sum(1).max())
    # a stable order, by place in the vocabulary, so that the order of the sum in attention does not depend on the batch
    words = torch.argsort(present.to(torch.int8), dim=1, descending=True, stable=True)[:, :width]
    return words, counts.gather(1, words)
