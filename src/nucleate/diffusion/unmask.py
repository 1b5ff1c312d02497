"""Reverse absorbing diffusion one word at a time: about as many network calls as there are masked words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams
from nucleate.diffusion.spindle import MASK, Spindle

GRID = 64  # times at which the chance that a word is still masked is taken; linear between them
LONGEST = 0.1  # time after which the network is asked again though no word was shown, where words differ in schedule

# (words (B, A) so far) -> which words may come next (B, V)
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
    """Fill in the MASKs of `fields[field]` (B, A) where `fields["mask"]` is true; all other words stay.

    The time at which each word would be shown next is drawn from the process; the latest one (t runs from 1 to 0) is
    shown, and the network asked again at that time. For the plain schedule that is exact, with one call for each word.
    Otherwise the posterior of a masked word changes while nothing is shown, by itself as p(v) (1 - a_v(s)) /
    (1 - a_v(t)), which is followed, and with the other masked words, which is not: hence LONGEST.
    Where words are given, the time starts at which as large a share of words is shown.
    rule: bars words, whatever the network thinks of them. ties: (B, A) labels; words of one label are shown together,
    as the same word. temperature: divides the logits.
    """
    x, mask = fields[field].clone(), fields["mask"]
    times = _grid(x.device)
    hidden = 1 - process.keep(times)  # (G + 1, V)
    t = start_time(process, (x != MASK) & mask, mask)
    while bool((unknown := (x == MASK) & mask).any()):
        u = rng.uniform(x.shape).to(x.device)  # for all rows: a row's draws do not depend on the others
        row = unknown.any(1).nonzero()[:, 0]
        todo, now, each = unknown[row], t[row], torch.arange(len(row), device=x.device)
        given = {k: v[row] for k, v in condition.items()}
        logits = denoiser({field: x[row], "mask": mask[row]}, now, given)[field] / temperature
        if rule is not None:
            logits = logits.masked_fill(~rule(x)[row, None], -torch.inf)
        weight = process.probabilities(logits) / (1 - process.keep(now)).clamp_min(1e-6)[:, None]
        still = weight @ hidden.T  # (b, A, G + 1): that a word is masked at each time, which falls from 1 at `now` to 0
        still = still.masked_fill(times >= now[:, None, None], 1.0)
        place = (still > u[row, :, None]).sum(-1).clamp(1, GRID)  # the first time of the grid at which it is shown
        high, low = (still.gather(-1, p[..., None])[..., 0] for p in (place - 1, place))
        part = ((high - u[row]) / (high - low).clamp_min(1e-9)).clamp(0, 1)
        shown, chosen = torch.where(todo, times[place - 1] - part / GRID, -1.0).max(1)
        late = (shown < now - LONGEST) if process.weight else torch.zeros_like(shown, dtype=torch.bool)
        cell = place[each, chosen]
        rate = weight[each, chosen] * (hidden[cell - 1] - hidden[cell])
        rate = torch.where(rate.sum(1, keepdim=True) > 0, rate, weight[each, chosen])
        odds = torch.ones(len(x), rate.shape[1], device=x.device)
        odds[row] = rate
        words = rng.categorical(odds)[row]
        target = torch.zeros_like(todo)
        target[each, chosen] = True
        if ties is not None:
            target |= ties[row] == ties[row, chosen][:, None]
        x[row] = torch.where(target & todo & ~late[:, None], words[:, None], x[row])
        t[row] = torch.where(late, now - LONGEST, torch.minimum(shown.clamp_min(0), now))
    return x


def start_time(process: Spindle, given: Tensor, mask: Tensor) -> Tensor:
    """(B,): the time at which the share of words that is given would be shown, 1 where none is; a time of the grid."""
    times = _grid(mask.device)
    share = given.sum(1) / mask.sum(1).clamp_min(1)
    h = torch.tensor(process.information, device=times.device)
    shown = process.keep(times) @ torch.where(h > 0, (-h).exp(), torch.zeros_like(h))  # rises along the grid
    return times[torch.searchsorted(shown, share.clamp_max(float(shown[-1]))).clamp_max(len(times) - 1)]


def _grid(device: torch.device) -> Tensor:
    """Times from 1 to 0, (GRID + 1,)."""
    return torch.linspace(1, 0, GRID + 1, device=device)
