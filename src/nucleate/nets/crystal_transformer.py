"""The crystal transformer (Takahara et al. 2024, section 4.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.codecs.joint import JointCodec
from nucleate.crystal.lattice import metric_tensor
from nucleate.diffusion.process import Fields
from nucleate.diffusion.self_conditioning import ESTIMATE
from nucleate.errors import NucleateError
from nucleate.nets.condition import ConditionEmbedding
from nucleate.nets.layers import (
    Radial,
    minimum_image_distance,
    mlp,
    periodic_features,
    phases,
    relative_attention,
    require_heads,
)

FUSED_FREQUENCIES = 4  # number of frequencies of the Fourier features that "fused" attention appends to the values


class TransformerBlock(nn.Module):
    """Self-attention with relative positions (eqs. 9-13), and one of three ways to use the condition.

    The biases alpha_ij and beta_ij are linear in hidden pair features, beta_ij = W p_ij. Since
    sum_j a_ij W p_ij = W sum_j a_ij p_ij, beta is applied after the sum over j: exactly eq. 11,
    without ever forming a (B, A, A, dim) tensor.

    With `attention` "fused", beta is linear in the Fourier features of f_j - f_i instead (`relative_attention`).
    """

    def __init__(self, dim: int, heads: int, pair_dim: int, conditioning: str, norm: str, attention: str) -> None:
        super().__init__()
        require_heads(dim, heads)
        self.heads, self.conditioning, self.pre = heads, conditioning, norm == "pre"
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.alpha = nn.Linear(pair_dim, heads, bias=False)
        features = 6 * FUSED_FREQUENCIES if attention == "fused" else pair_dim
        self.beta = nn.Parameter(torch.randn(heads, features, dim // heads) * features**-0.5)
        self.out = nn.Linear(dim, dim)
        self.mlp = mlp(dim, 4 * dim, dim)
        affine = self.conditioning != "adaln"
        self.norm1 = nn.LayerNorm(dim, elementwise_affine=affine)
        self.norm2 = nn.LayerNorm(dim, elementwise_affine=affine)
        if self.conditioning == "cds":
            self.condition = nn.Linear(dim, 3 * dim, bias=False)  # W^Qc, W^Kc, W^Vc of eqs. 17-19
        elif self.conditioning == "adaln":
            self.condition = nn.Linear(dim, 6 * dim)  # Peebles & Xie 2023: shift, scale and gate for both halves
            nn.init.zeros_(self.condition.weight)
            nn.init.zeros_(self.condition.bias)

    def attend(self, z: Tensor, z_c: Tensor, pair: Tensor, bias: Tensor, phase: Tensor | None = None) -> Tensor:
        """Eq. 11. z (B, A, d); pair (B, A, A, P); bias (B, 1, 1, A), very negative on padding; phase (B, A, 6 F), only
        for "fused" attention."""
        b, a, d = z.shape
        qkv = self.qkv(z)
        if self.conditioning == "cds":
            qkv = qkv + self.condition(z_c)[:, None]
        q, k, v = qkv.view(b, a, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)  # (B, h, A, d/h)
        alpha = self.alpha(pair).permute(0, 3, 1, 2) + bias  # (B, h, A, A)
        if phase is not None:
            return self.out(relative_attention(q, k, v, phase, self.beta, alpha))
        scores = q @ k.transpose(-1, -2) * (d // self.heads) ** -0.5
        weights = (scores + alpha).softmax(-1)  # (B, h, A, A)
        values = weights @ v
        pooled = weights.transpose(1, 2) @ pair  # (B, A, h, P)
        values = values.transpose(1, 2) + torch.einsum("bahp,hpe->bahe", pooled, self.beta)
        return self.out(values.reshape(b, a, d))

    def forward(self, z: Tensor, z_c: Tensor, pair: Tensor, bias: Tensor, phase: Tensor | None = None) -> Tensor:
        if self.conditioning == "adaln":
            shift1, scale1, gate1, shift2, scale2, gate2 = self.condition(F.silu(z_c))[:, None].chunk(6, -1)
            z = z + gate1 * self.attend(self.norm1(z) * (1 + scale1) + shift1, z_c, pair, bias, phase)
            return z + gate2 * self.mlp(self.norm2(z) * (1 + scale2) + shift2)
        if self.pre:
            z = z + self.attend(self.norm1(z), z_c, pair, bias, phase)
            return z + self.mlp(self.norm2(z))
        z = self.norm1(self.attend(z, z_c, pair, bias, phase) + z)  # eq. 9
        return self.norm2(self.mlp(z) + z)  # eq. 10


class CrystalTransformer(nn.Module):
    """From a noisy crystal M_t = (L_t, F_t, A_t) to the noise of L, the normalised score of F and the logits of A_0.

    Invariant under permutation of atoms, shift of origin, cell images and (through the metric tensor) rotation.
    fields: "lattice" (B, 6) or (B, 3, 3), "frac_coords" (B, A, 3), "atomic_numbers" (B, A), "mask" (B, A). With
    `self_conditioning` also ESTIMATE + name, an earlier output of this network (absent if there is none yet).
    """

    def __init__(
        self,
        codec: JointCodec,
        max_atoms: int,
        *,
        species: bool,
        dim: int,
        layers: int,
        heads: int,
        pair_dim: int,
        frequencies: int,
        conditioning: str = "cds",
        norm: str = "post",
        attention: str = "relative",
        self_conditioning: bool = False,
        distance: bool = False,
        composition: bool = False,
        condition_on: tuple[str, ...] = (),
    ) -> None:
        """species: whether the network also predicts the elements. frequencies: the highest m of eq. 14. The other
        arguments are explained in `systems.joint.NetworkConfig`. Raises NucleateError for self-conditioning with
        lattice matrices."""
        super().__init__()
        self.codec, self.frequencies, self.fused = codec, frequencies, attention == "fused"
        elements = codec.num_elements
        self.species = nn.Sequential(nn.Embedding(elements + 1, dim), mlp(dim, dim))
        self.condition = ConditionEmbedding(dim, elements, max_atoms, condition_on)
        # Attention averages over atoms, and learns late how many of each element there are. The mean of the embeddings
        # gives this information from the start.
        self.composition = nn.Linear(dim, dim) if composition else None
        if self.composition is not None:  # zero at first, so that training can start from weights without this layer
            nn.init.zeros_(self.composition.weight)
            nn.init.zeros_(self.composition.bias)
        self.estimates = nn.ModuleDict()
        if self_conditioning:
            if codec.lattice == "matrix":
                raise NucleateError('self_conditioning needs codec.lattice = "log-metric": it must not see a rotation')
            sizes = {"lattice": 6, "frac_coords": 3} | ({"atomic_numbers": elements + 1} if species else {})
            self.estimates.update({k: nn.Linear(n, dim, bias=False) for k, n in sizes.items()})
        self.start = mlp(2 * dim, dim, dim) if conditioning != "cds" else None  # eq. 16
        hidden = 2 * pair_dim
        # The first layer of the pair MLP, as a sum over its inputs: no concatenation of (B, A, A, F) tensors.
        self.from_fourier = nn.Linear(6 * frequencies, hidden, bias=False)
        self.from_metric = nn.Linear(9, hidden)
        self.radial = Radial() if distance else None
        self.from_distance = nn.Linear(len(self.radial.centres), hidden, bias=False) if self.radial else None
        self.pair = nn.Sequential(nn.SiLU(), nn.Linear(hidden, pair_dim), nn.SiLU())
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, heads, pair_dim, conditioning, norm, attention) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim) if norm == "pre" or conditioning == "adaln" else nn.Identity()
        self.matrix = codec.lattice == "matrix"
        self.to_lattice = mlp(dim, dim, 9 if self.matrix else 6)
        self.to_coords = mlp(dim, dim, 3)
        self.to_species = mlp(dim, dim, elements + 1) if species else None

    def pair_features(self, fields: Fields) -> Tensor:
        """Hidden features of psi_FT(f_j - f_i) and the metric tensor (eqs. 12-14), shape (B, A, A, pair_dim)."""
        frac, num_atoms = fields["frac_coords"], fields["mask"].sum(1)
        g = metric_tensor(self.codec.decode_lattice(fields["lattice"], num_atoms))
        scaled = g / num_atoms[:, None, None] ** (2 / 3) / 8.0  # of order one for real crystals
        scaled = torch.asinh(scaled)  # keeps the rare huge cells at high noise within bounds
        hidden = self.from_fourier(periodic_features(frac, self.frequencies))
        hidden = hidden + self.from_metric(scaled.flatten(1))[:, None, None]
        if self.radial is not None and self.from_distance is not None:
            hidden = hidden + self.from_distance(self.radial(minimum_image_distance(frac, g)))
        return self.pair(hidden)

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        mask, dtype = fields["mask"], fields["lattice"].dtype  # outputs leave autocast in this dtype
        z_c = self.condition(t, mask, condition)
        z = self.species(fields["atomic_numbers"])
        if self.composition is not None:
            z_c = z_c + self.composition((z * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        for name, layer in self.estimates.items():
            estimate = fields.get(ESTIMATE + name)
            if estimate is None:
                continue
            if name == "lattice":
                z_c = z_c + layer(estimate)
            else:
                z = z + layer(estimate.softmax(-1) if name == "atomic_numbers" else estimate)
        if self.start is not None:
            z = self.start(torch.cat([z, z_c[:, None].expand_as(z)], -1))
        pair = self.pair_features(fields)
        bias = torch.zeros(mask.shape, device=z.device).masked_fill(~mask, -1e9)[:, None, None]
        phase = phases(fields["frac_coords"], FUSED_FREQUENCIES) if self.fused else None
        for block in self.blocks:
            z = block(z, z_c, pair, bias, phase)
        z = self.norm(z).to(dtype)
        weights = mask[..., None].to(z.dtype)
        pooled = (z * weights).sum(1) / weights.sum(1)
        lattice = self.to_lattice(pooled).to(dtype)
        if self.matrix:  # eps_L = phi(z) L_t on row vectors: equivariant under rotation of L_t
            lattice = lattice.unflatten(-1, (3, 3)) @ fields["lattice"]
        coords = self.to_coords(z).to(dtype)
        coords = coords - (coords * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        out = {"lattice": lattice, "frac_coords": coords * weights}
        if self.to_species is not None:
            out["atomic_numbers"] = self.to_species(z).to(dtype)
        return out
