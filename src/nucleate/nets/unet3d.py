"""The 3D U-Net of UniMat (Yang et al. 2023, section 2.2, appendix 6): convolutions and attention over slots, rows and
columns.

It is a U-Net for videos (Ho et al. 2022b), with the rows and columns of the periodic table in place of the image, and
the slots in place of time.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nucleate.errors import NucleateError
from nucleate.nets.layers import attention

Grid = tuple[int, int]  # rows and columns of a level


def reach(grid: Grid) -> Grid:
    """Kernel size over rows and columns: 3, but 1 where there is only one, since the rest would cover only padding."""
    return 3 if grid[0] > 1 else 1, 3 if grid[1] > 1 else 1


def convolution(a: int, b: int, slots: int, grid: Grid, stride: int = 1) -> nn.Conv3d:
    """A convolution from `a` to `b` channels. slots: how many slots the kernel spans. stride: of rows and columns; of n
    rows, ceil(n / stride) remain."""
    kernel = (slots, *reach(grid))
    return nn.Conv3d(a, b, kernel, (1, stride, stride), (slots // 2, kernel[1] // 2, kernel[2] // 2))


def group_norm(width: int) -> nn.GroupNorm:
    """Up to 8 groups of at least 4 channels each."""
    return nn.GroupNorm(max(g for g in (1, 2, 4, 8) if width % g == 0 and (g == 1 or width >= 4 * g)), width)


class ResidualBlock(nn.Module):
    """Two 3 x 3 x 3 convolutions, shifted and scaled by the condition. Before training, only the shortcut acts."""

    def __init__(self, a: int, b: int, grid: Grid, condition_dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = group_norm(a), group_norm(b)
        self.conv1, self.conv2 = convolution(a, b, 3, grid), convolution(b, b, 3, grid)
        self.condition = nn.Linear(condition_dim, 2 * b)
        self.shortcut = nn.Conv3d(a, b, 1) if a != b else nn.Identity()
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor, z_c: Tensor) -> Tensor:
        shift, scale = self.condition(F.silu(z_c))[:, :, None, None, None].chunk(2, 1)
        h = self.norm2(self.conv1(F.silu(self.norm1(x))))
        return self.shortcut(x) + self.conv2(F.silu(torch.addcmul(h + shift, h, scale)))


class AxialAttention(nn.Module):
    """Attention among all places of the table at each slot, or among all slots of each place.

    Before training it has no effect.
    """

    def __init__(self, width: int, heads: int, over: str) -> None:
        """over: "places" or "slots"."""
        super().__init__()
        self.heads, self.over = heads, over
        self.norm = nn.LayerNorm(width)
        # three layers, not one: their results are contiguous, so that heads and places merge below without a copy
        self.q, self.k, self.v = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, d, L, H, W)."""
        rows = x.permute(0, 2, 3, 4, 1).flatten(2, 3)  # (B, L, P, d), a view where x is channels last
        b, length, places, d = rows.shape
        normed = self.norm(rows)
        shape = (b * length, places, self.heads, -1) if self.over == "places" else (b, length, places * self.heads, -1)
        q, k, v = (layer(normed).reshape(shape).transpose(1, 2) for layer in (self.q, self.k, self.v))
        attended = attention(q, k, v).transpose(1, 2).reshape(b, length, places, d)
        return x + self.out(attended).unflatten(2, x.shape[-2:]).permute(0, 4, 1, 2, 3)


class UNetLevel(nn.Module):
    """A residual block, attention over places and attention over slots, at one level of the U-Net."""

    def __init__(self, a: int, b: int, grid: Grid, heads: int, condition_dim: int) -> None:
        super().__init__()
        self.block = ResidualBlock(a, b, grid, condition_dim)
        over = ("places", "slots") if grid != (1, 1) else ("slots",)
        self.attention = nn.ModuleList(AxialAttention(b, heads, axis) for axis in over)

    def forward(self, x: Tensor, z_c: Tensor) -> Tensor:
        x = self.block(x, z_c)
        for layer in self.attention:
            x = layer(x)
        return x


class Position(nn.Module):
    """Adds a learned vector for each row and for each column, so that elements of a period or group share features."""

    def __init__(self, width: int, grid: Grid) -> None:
        super().__init__()
        self.row, self.column = (nn.Parameter(0.5 * torch.randn(width, n)) for n in grid)

    def forward(self, x: Tensor) -> Tensor:
        return x + (self.row[:, None, :, None] + self.column[:, None, None]).to(x.dtype)


class UNet3D(nn.Module):
    """A U-Net: (B, channels_in, L, H, W) and a condition (B, condition_dim) to (B, channels_out, L, H, W).

    widths: the channels of the levels, from the outermost to the innermost. Each further level has half the rows and
    columns, rounded up (9 x 18, 5 x 9, 3 x 5 ...), down to 1 x 1, and all slots. The last level is the middle, with two
    stages. Each level before it has one stage on the way down and one on the way up; the latter also gets the output of
    the former (concatenated).

    A level with a single row or column has kernels of size 1 along it, and a level with a single place has no attention
    over places. So on a 1 x 1 table this is a network over slots only, without weights that have no effect. Slots have
    no embedding of their position, because they are shuffled in training.

    Each level learns a vector for each of its rows and columns, so the grid (H, W) is fixed, while L is not. The output
    is zero before training. Raises NucleateError for widths that `heads` does not divide, and for another grid.
    """

    def __init__(
        self, channels_in: int, channels_out: int, widths: tuple[int, ...], heads: int, condition_dim: int, grid: Grid
    ) -> None:
        super().__init__()
        if not widths or any(w % heads for w in widths):
            raise NucleateError(f"the U-Net's widths must be multiples of its {heads} heads, not {list(widths)}")
        if min(grid) < 1:
            raise NucleateError(f"the U-Net's grid must have at least one row and column, not {grid}")
        self.grid = grid
        grids = [grid]
        for _ in widths[1:]:
            grids.append((-(-grids[-1][0] // 2), -(-grids[-1][1] // 2)))
        levels = list(zip(widths, grids, strict=True))
        self.read_in = convolution(channels_in, widths[0], 3, grid)
        self.position = nn.ModuleList(Position(w, g) if g != (1, 1) else nn.Identity() for w, g in levels)
        self.down = nn.ModuleList(UNetLevel(w, w, g, heads, condition_dim) for w, g in levels[:-1])
        self.halve = nn.ModuleList(convolution(a, b, 1, g, stride=2) for (a, g), (b, _) in pairwise(levels))
        self.middle = nn.ModuleList(
            UNetLevel(widths[-1], widths[-1], grids[-1], heads, condition_dim) for _ in range(2)
        )
        # The 1 x 1 x 1 convolution comes before the number of places is increased: it costs a quarter there, and the
        # convolutions of the next stage smooth the result.
        self.narrow = nn.ModuleList(nn.Conv3d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(UNetLevel(2 * w, w, g, heads, condition_dim) for w, g in levels[:-1])
        self.norm = group_norm(widths[0])
        self.read_out = nn.Conv3d(widths[0], channels_out, 1)
        nn.init.zeros_(self.read_out.weight)
        nn.init.zeros_(self.read_out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, z_c: Tensor) -> Tensor:
        if tuple(x.shape[-2:]) != self.grid:
            raise NucleateError(f"this U-Net was made for a table of {self.grid}, not {tuple(x.shape[-2:])}")
        h = self.read_in(x.contiguous(memory_format=torch.channels_last_3d))
        skips: list[Tensor] = []
        for position, stage, halve in zip(self.position, self.down, self.halve, strict=False):
            h = stage(position(h), z_c)
            skips.append(h)
            h = halve(h)
        h = self.position[-1](h)
        for stage in self.middle:
            h = stage(h, z_c)
        for narrow, stage in zip(reversed(self.narrow), reversed(self.up), strict=True):
            skip = skips.pop()
            h = F.interpolate(narrow(h), skip.shape[2:])
            h = stage(torch.cat([h, skip], 1), z_c)
        return self.read_out(F.silu(self.norm(h))).to(x.dtype)
