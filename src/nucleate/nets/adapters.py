"""Low-rank adapters, with which a trained network learns something new from little data without losing what it has
learned before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

TRAINED_WHOLE = ("condition.",)  # prefixes of parameters that are trained without adapters: the embedding of conditions


class Adapted(nn.Module):
    """A linear layer with a low-rank update, y = (W + B A) x + b (Hu et al. 2022, eq. 3); W and b are frozen.

    B starts at zero, so that the network is unchanged at first.
    """

    def __init__(self, linear: nn.Linear, rank: int) -> None:
        super().__init__()
        self.linear = linear.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, linear.in_features) * linear.in_features**-0.5)
        self.up = nn.Parameter(torch.zeros(linear.out_features, rank))

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + nn.functional.linear(nn.functional.linear(x, self.down), self.up)


def add_adapters(model: nn.Module, rank: int) -> None:
    """Freeze a network and put adapters on its linear layers, in place; the condition embedding stays trainable."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(TRAINED_WHOLE))
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and not name.startswith(TRAINED_WHOLE):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, Adapted(module, rank))


def merge(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of a network with adapters as the state of the network without adapters, in which W is W + B A."""
    out = dict(state)
    for name in [n.removesuffix(".down") for n in state if n.endswith(".down")]:
        update = out.pop(f"{name}.up") @ out.pop(f"{name}.down")
        out[f"{name}.weight"] = out.pop(f"{name}.linear.weight") + update
        if f"{name}.linear.bias" in out:
            out[f"{name}.bias"] = out.pop(f"{name}.linear.bias")
    return out
