"""Sampling of masked words one at a time; it takes about as many network calls as there are masked words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams
from nucleate.diffusion.spindle import MASK, Spindle

GRID = 64  # the probability that a word is still masked is computed at so many times and interpolated between them
LONGEST = 0.1  # if words differ in schedule, the network is called again after this time even if no word was revealed

# tokens (B, A) so far -> which tokens may come next, (B, V) bool
Rule = Callable[[Tensor], Tensor]


@torch.no_grad()
def unmask(
    denoiser: Callable[[Fields, Tensor, Fields], Mapping[str, Tensor]],
    process: Spindle,
    field: str,
    fields: Fields,
    rng: Streams,
    condition: Fields,
    *,
    rule: Rule | None = None,
    ties: Tensor | None = None,
    temperature: float = 1.0,
) -> Tensor:
    """Replace each MASK of `fields[field]` (B, A), where `fields["mask"]` is true, by a word; all other words stay.
    Returns the tokens (B, A).

    For every masked word the time at which it is revealed is drawn from the process. The word with the largest time is
    revealed (t runs from 1 to 0), and the network is called again at that time. If all words have the same schedule
    this is exact, with one call for each word. Otherwise the posterior of a masked word changes with time: as p(v)
    (1 - a_v(s)) / (1 - a_v(t)), which is taken into account, and through the other masked words, which is not; so the
    network is called at least after every LONGEST. If some words are given, sampling starts at the time at which the
    same share of words is revealed.
    rule: forbids words, whatever the network predicts. ties: (B, A) labels; words with the same label are revealed
    together as the same word. temperature: the logits are divided by it.
    """
    x, mask = fields[field].clone(), fields["mask"]
    times = _grid(x.device)
    hidden = 1 - process.keep(times)  # (G + 1, V)
    t = start_time(process, (x != MASK) & mask, mask)
    while bool((unknown := (x == MASK) & mask).any()):
        u = rng.uniform(x.shape).to(x.device)  # drawn for all rows, so that a row's draws do not depend on the others
        row = unknown.any(1).nonzero()[:, 0]
        masked, now, each = unknown[row], t[row], torch.arange(len(row), device=x.device)
        given = {k: v[row] for k, v in condition.items()}
        logits = denoiser({field: x[row], "mask": mask[row]}, now, given)[field] / temperature
        if rule is not None:
            logits = logits.masked_fill(~rule(x)[row, None], -torch.inf)
        weight = process.probabilities(logits) / (1 - process.keep(now)).clamp_min(1e-6)[:, None]
        # (b, A, G + 1): the probability that a word is still masked at each time; it falls from 1 at `now` to 0
        still = weight @ hidden.T
        still = still.masked_fill(times >= now[:, None, None], 1.0)
        place = (still > u[row, :, None]).sum(-1).clamp(1, GRID)  # the first time of the grid at which it is revealed
        high, low = (still.gather(-1, p[..., None])[..., 0] for p in (place - 1, place))
        fraction = ((high - u[row]) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        revealed, chosen = torch.where(masked, times[place - 1] - fraction / GRID, -1.0).max(1)
        late = (revealed < now - LONGEST) if process.weight else torch.zeros_like(revealed, dtype=torch.bool)
        cell = place[each, chosen]
        rate = weight[each, chosen] * (hidden[cell - 1] - hidden[cell])
        rate = torch.where(rate.sum(1, keepdim=True) > 0, rate, weight[each, chosen])
        odds = torch.ones(len(x), rate.shape[1], device=x.device)
        odds[row] = rate
        words = rng.categorical(odds)[row]
        target = torch.zeros_like(masked)
        target[each, chosen] = True
        if ties is not None:
            target |= ties[row] == ties[row, chosen][:, None]
        x[row] = torch.where(target & masked & ~late[:, None], words[:, None], x[row])
        t[row] = torch.where(late, now - LONGEST, torch.minimum(revealed.clamp_min(0), now))
    return x


def start_time(process: Spindle, given: Tensor, mask: Tensor) -> Tensor:
    """The time (B,), on the grid, at which the share of revealed words is that of the given words; 1 if none are given.

    given: (B, A) bool, mask: (B, A) bool.
    """
    times = _grid(mask.device)
    share = given.sum(1) / mask.sum(1).clamp_min(1)
    h = torch.tensor(process.information, device=times.device)
    shown = process.keep(times) @ torch.where(h > 0, (-h).exp(), torch.zeros_like(h))  # rises along the grid
    return times[torch.searchsorted(shown, share.clamp_max(float(shown[-1]))).clamp_max(len(times) - 1)]


def _grid(device: torch.device) -> Tensor:
    """The times (GRID + 1,) from 1 to 0."""
    return torch.linspace(1, 0, GRID + 1, device=device)
