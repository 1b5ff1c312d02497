"""Small layers that more than one network uses."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.errors import NucleateError


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers with SiLU between them."""
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(sizes)):
        layers += [nn.SiLU()] if i else []
        layers.append(nn.Linear(a, b))
    return nn.Sequential(*layers)


def require_heads(dim: int, heads: int) -> None:
    """Raise NucleateError if vectors of length `dim` cannot be divided evenly among the heads of attention."""
    if dim % heads:
        raise NucleateError(f"network.dim ({dim}) must be a multiple of network.heads ({heads})")


def sinusoidal(t: Tensor, dim: int) -> Tensor:
    """Sinusoidal features of times in [0, 1] (Vaswani et al. 2017): (B,) -> (B, dim)."""
    frequency = torch.exp(-math.log(10_000) * torch.arange(dim // 2, device=t.device) / (dim // 2))
    angle = 1000.0 * t[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)


def periodic_features(frac_coords: Tensor, frequencies: int) -> Tensor:
    """Fourier features of all pair differences f_j - f_i (Takahara et al. 2024, eq. 14): (B, A, 3) -> (B, A, A, 6 *
    frequencies).

    Sines and cosines are computed for each atom and combined by the addition theorems: A evaluations instead of A^2.
    """
    own = phases(frac_coords, frequencies)
    return turned_back(own[:, None], own[:, :, None])


def phases(frac_coords: Tensor, frequencies: int) -> Tensor:
    """sin and cos of 2 pi m f for m = 1 ... frequencies: (..., 3) -> (..., 6 * frequencies)."""
    m = torch.arange(1, frequencies + 1, device=frac_coords.device)
    angle = 2 * math.pi * (frac_coords[..., None] * m).flatten(-2)
    return torch.cat([angle.sin(), angle.cos()], -1)


def turned_back(there: Tensor, here: Tensor) -> Tensor:
    """The phases of f_j - f_i, from those of f_j (`there`) and of f_i (`here`): (..., 6 F).

    They are linear in `there`, so that a weighted sum over j can be taken first.
    """
    sin_j, cos_j = there.chunk(2, -1)
    sin_i, cos_i = here.chunk(2, -1)
    return torch.cat([sin_j * cos_i - cos_j * sin_i, cos_j * cos_i + sin_j * sin_i], -1)


def minimum_image_distance(frac_coords: Tensor, metric: Tensor) -> Tensor:
    """Shortest periodic distance of all pairs over the 27 nearest images, self-images for i = j: (B, A, A).

    frac_coords (B, A, 3); metric (B, 3, 3) in square angstrom (or any squared length).
    """
    difference = frac_coords[:, None] - frac_coords[:, :, None]
    difference = difference - torch.floor(difference + 0.5)
    n = torch.cartesian_prod(*[torch.tensor([-1.0, 0.0, 1.0], device=metric.device, dtype=metric.dtype)] * 3)
    gd = torch.einsum("bijc,bcd->bijd", difference, metric)
    own = (gd * difference).sum(-1)
    gn = torch.einsum("kc,bcd->bkd", n, metric)
    nn_ = torch.einsum("bkc,kc->bk", gn, n)
    d2 = own[..., None] + 2 * torch.einsum("bijc,bkc->bijk", difference, gn) + nn_[:, None, None]
    eye = torch.eye(frac_coords.shape[1], dtype=torch.bool, device=metric.device)
    zero_image = torch.zeros(27, dtype=torch.bool, device=metric.device)
    zero_image[13] = True
    d2 = d2.masked_fill(eye[None, :, :, None] & zero_image, torch.inf)
    return d2.amin(-1).clamp_min(1e-6).sqrt()


class Radial(nn.Module):
    """Gaussian radial features of distances on an even grid up to `cutoff`: (...) -> (..., count)."""

    centres: Tensor

    def __init__(self, count: int = 16, cutoff: float = 8.0) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0.5, cutoff, count), persistent=False)
        self.width = cutoff / count

    def forward(self, distance: Tensor) -> Tensor:
        return torch.exp(-(((distance[..., None] - self.centres) / self.width) ** 2))


def attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d) + bias) v of (..., heads, n, d), by the fused kernel.

    On a CPU it computes in single precision, because the backward pass of the kernel takes 2 to 40 times as long in
    bf16 there.
    """
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, None if bias is None else bias.to(q.dtype))
    wide = torch.promote_types(q.dtype, torch.float32)
    bias = None if bias is None else bias.to(wide)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.to(wide), k.to(wide), v.to(wide), bias).to(v.dtype)


def relative_attention(q: Tensor, k: Tensor, v: Tensor, phase: Tensor, beta: Tensor, bias: Tensor | None) -> Tensor:
    """Attention whose values depend on relative positions (Takahara et al. 2024, eq. 11):
    sum_j a_ij (v_j + beta^T psi(f_j - f_i)).

    By the addition theorems the Fourier features psi (eq. 14) of f_j - f_i follow from those of f_j and of f_i. So the
    features of f_j are appended to the values, and one call of the fused kernel computes all of eq. 11. q, k, v
    (B, h, A, d); phase (B, A, 6 F), the features of the f_i; beta (h, 6 F, d); bias broadcasts to (B, h, A, A). Returns
    (B, A, h d).
    """
    carried = torch.cat([v, phase[:, None].to(v.dtype).expand(-1, v.shape[1], -1, -1)], -1)
    values = attention(q, k, carried, bias).transpose(1, 2)
    values, pooled = values.split([v.shape[-1], phase.shape[-1]], -1)
    pooled = turned_back(pooled, phase[:, :, None]).to(values.dtype)
    return (values + torch.einsum("bahp,hpe->bahe", pooled, beta.to(values.dtype))).flatten(2)


class AdaptiveBlock(nn.Module):
    """Self-attention and a perceptron, each shifted, scaled and gated by the condition (Peebles & Xie 2023).

    phases: the number of phases of each token, for `relative_attention`; 0 for plain attention.
    """

    def __init__(self, dim: int, heads: int, condition_dim: int | None = None, phases: int = 0) -> None:
        super().__init__()
        require_heads(dim, heads)
        self.heads = heads
        self.beta = nn.Parameter(torch.randn(heads, phases, dim // heads) * phases**-0.5) if phases else None
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim)
        self.mlp = mlp(dim, 4 * dim, dim)
        self.norm1, self.norm2 = (nn.LayerNorm(dim, elementwise_affine=False) for _ in range(2))
        self.condition = nn.Linear(condition_dim or dim, 6 * dim)
        nn.init.zeros_(self.condition.weight)
        nn.init.zeros_(self.condition.bias)

    def forward(self, z: Tensor, z_c: Tensor, bias: Tensor | None = None, phase: Tensor | None = None) -> Tensor:
        """z (B, A, d); z_c (B, condition_dim); bias broadcasts to (B, heads, A, A), or none; phase (B, A, phases)."""
        shift1, scale1, gate1, shift2, scale2, gate2 = self.condition(F.silu(z_c))[:, None].chunk(6, -1)
        qkv = self.qkv(self.norm1(z) * (1 + scale1) + shift1).unflatten(-1, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        if self.beta is None or phase is None:
            values = attention(q, k, v, bias).transpose(1, 2).flatten(2)
        else:
            values = relative_attention(q, k, v, phase, self.beta, bias)
        z = z + gate1 * self.out(values)
        return z + gate2 * self.mlp(self.norm2(z) * (1 + scale2) + shift2)
