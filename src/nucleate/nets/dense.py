"""The network of the UniMat paper (Yang et al. 2023, section 2.2): a 3D U-Net over the whole periodic table, including
the empty places."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from nucleate.codecs.unimat import SLOTS, UniMatCodec, ranks
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.process import Fields
from nucleate.nets.gaussian import as_noise
from nucleate.nets.layers import mlp
from nucleate.nets.occupancy import BARRED, allowed_elements, atom_noise, mixed
from nucleate.nets.table import TableNetwork, squashed
from nucleate.nets.unet3d import UNet3D


class DenseUNet(TableNetwork):
    """Predicts the noise of a noisy table and of a noisy cell; fields and conditions are those of
    `nets.slots.SlotTransformer`.

    Conditions on composition are concatenated with the noisy table: the allowed elements (composition type, H x W), or
    the occupied slots (exact composition, L x H x W). Cell, time and properties shift and scale the convolutions.
    """

    def __init__(
        self,
        codec: UniMatCodec,
        max_atoms: int,
        processes: Mapping[str, GaussianVP],
        *,
        dim: int,
        heads: int,
        widths: tuple[int, ...] = (),
        condition_on: tuple[str, ...] = (),
    ) -> None:
        """widths: those of the levels of the U-Net, from the outermost to the innermost; (dim,) if empty."""
        super().__init__(codec, max_atoms, processes, dim, condition_on)
        widths = widths or (dim,)
        self.from_lattice = mlp(6, dim, dim)
        self.unet = UNet3D(4 if codec.given else 5, 4 + dim, widths, heads, dim, codec.grid_shape)
        self.to_lattice = mlp(2 * dim, dim, 6)
        nn.init.zeros_(self.to_lattice[-1].weight)  # type: ignore[arg-type]

    def forward(self, fields: Fields, t: Tensor, condition: Fields) -> dict[str, Tensor]:
        lattice = fields["lattice"]
        z_c = self.condition(t, fields["mask"], condition) + self.from_lattice(lattice)
        if self.codec.given:
            frac, mask, z = fields["frac_coords"], fields["mask"], fields["atomic_numbers"]
            slots = frac.new_zeros(len(frac), len(self.elements), self.codec.slots, 4)
            crystal, atom = mask.nonzero(as_tuple=True)
            place = self.codec.index.to(z.device)[z[crystal, atom]], ranks(z)[crystal, atom]
            slots[crystal, place[0], place[1]] = torch.cat([frac, mask[..., None].to(frac)], -1)[crystal, atom]
            read, pooled = self._read(slots, slots[..., 3], z_c)
            v = torch.zeros_like(frac)
            v[crystal, atom] = read[crystal, place[0], place[1], :3]
            out = {"frac_coords": atom_noise(frac, v, self.processes["frac_coords"].alpha_bar(t))}
        else:
            x = fields[SLOTS]
            abar = self.processes[SLOTS].alpha_bar(t)
            inside = allowed_elements(condition, self.elements, len(x))[..., None].expand(x.shape[:-1])
            logit = self.log_odds(x, abar).masked_fill(~inside, BARRED)
            channels = [x, squashed(logit)[..., None], inside.to(x)[..., None]]
            read, pooled = self._read(torch.cat(channels, -1), torch.sigmoid(logit), z_c)
            out = {SLOTS: mixed(x, read[..., :3], logit + read[..., 3], abar)}
        v = self.to_lattice(torch.cat([pooled, z_c.to(pooled)], -1)).to(lattice)
        return {"lattice": as_noise(lattice, v, self.processes["lattice"].alpha_bar(t))} | out

    def _read(self, slots: Tensor, weight: Tensor, z_c: Tensor) -> tuple[Tensor, Tensor]:
        """v and log odds (B, P, L, 4) of the slots (B, P, L, C), and the mean of the rest by `weight` (B, P, L)."""
        out = self.codec.from_grid(self.unet(self.codec.to_grid(slots, 0.0), z_c)).to(slots)
        total = weight.sum((1, 2)).clamp_min(1e-3)[:, None]
        return out[..., :4], torch.einsum("bpld,bpl->bd", out[..., 4:], weight) / total
