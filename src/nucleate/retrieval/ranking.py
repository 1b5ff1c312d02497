"""How likely each decorated prototype is for a composition, from the known crystals that have it.

Every known crystal of the same ratio, in every way in which the elements of the composition can take the places of its
own, votes for the decorated prototype that comes of it. Its vote is the heavier the more alike the elements in each
slot are, the more stable the crystal is, and the simpler its structure. The share of a prototype in all votes, among
which are those for "none of these", is its probability: kernel regression in the sense of Nadaraya and Watson, with a
kernel that is learned from the library itself. `train.retrieval_ranking` fits it, by leaving out one formula after
another.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import NucleateError
from nucleate.retrieval.relatives import ROLES, roles_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from nucleate.retrieval.relatives import Relatives

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Whole = NDArray[np.int64]

FOLDER = Path(__file__).parent
FITS = ("known", "mp-20")  # for the whole library; for the training split of MP-20 as the library
NEVER = -1e9  # in the place of the logarithm of zero


@dataclass(frozen=True, eq=False)
class Votes:
    """votes: (n, A) logarithm of the vote of each relative for each assignment of elements. keys: (K,) logarithm of the
    sum of the votes for each decorated prototype, NEVER without one. none: that of the votes for none of them."""

    votes: Array
    keys: Array
    none: float

    @property
    def probabilities(self) -> Array:
        """(K + 1,) of each decorated prototype, and that it is none of them."""
        every = np.append(self.keys, self.none)
        shares = np.exp(every - every.max())
        return np.asarray(shares / shares.sum())


@dataclass(frozen=True, eq=False)
class VoteModel:
    """The parameters of the votes.

    kinds: (119 * 3, D) the place of each element in each of its roles, among which squared distances count, after the
    other elements of the formula have moved it: by a layer (inner (2 D + 1, H), inner_bias (H,), outer (H, D)) that
    sees it, the mean place of all atoms, and the logarithm of its share of them. sizes: (119, M) what must keep its
    proportions between the slots of a crystal. slots: (3,) the weight of a slot: a
    constant, by the logarithm of its share of the atoms, by that of its sets of equivalent atoms. proportions: (3,) two
    such weights for the sizes, and that of these. tail: (1,) how soon votes grow less with distance. quality (2, Q),
    pattern (2, F), none (2, 3): weights of `qualities`, of `pattern_facts`, and of a constant, of the logarithm of one
    and the number of relatives, and of the number of elements; the first row for any crystal of a composition, the
    second for one that is near the hull or was made. same: (2,) the weight of a crystal of the composition itself.
    context (D, C), context_bias (C,): what of the mean place of all atoms changes the weights of the facts of patterns
    (pattern_in_context (2, C, F)) and the votes for none (none_in_context (2, C)).
    """

    name: str
    kinds: Array
    sizes: Array
    slots: Array
    proportions: Array
    tail: Array
    quality: Array
    pattern: Array
    none: Array
    same: Array
    inner: Array
    inner_bias: Array
    outer: Array
    context: Array
    context_bias: Array
    pattern_in_context: Array
    none_in_context: Array
    metadata: dict[str, str]

    def votes(
        self, relatives: Relatives, numbers: Sequence[int], *, stable: bool = True, visible: Mask | None = None
    ) -> Votes:
        """The votes of the relatives of a composition.

        numbers: (S,) atomic numbers, in the order of `relatives.order_of`. stable: whether a crystal near the hull is
        looked for. visible: (n,) which of the relatives vote, all by default.
        """
        wanted = np.array(numbers, dtype=np.int64)
        ratio = relatives.reduced / relatives.reduced.sum()
        theirs, _ = self._placed(relatives.elements * ROLES + relatives.roles, ratio)
        ours, mean = self._placed((wanted * ROLES + roles_of(wanted[None])[0])[None], ratio)
        apart = _squared_distances(theirs, ours[0])  # (n, S, S)
        context = np.tanh(mean[0] @ self.context + self.context_bias)
        share = np.log(ratio)
        sites = np.log(relatives.sites)[relatives.pattern]
        weights = _softplus(self.slots[0] + self.slots[1] * share + self.slots[2] * sites)
        size = self.sizes[relatives.elements]  # (n, S, M)
        balance = _softmax(self.proportions[0] * share + self.proportions[1] * sites)
        distance, slots = np.empty((len(theirs), len(relatives.assignments))), np.arange(len(wanted))
        for a, assigned in enumerate(relatives.assignments):
            change = size - self.sizes[wanted[assigned]]
            mean = (balance[..., None] * change).sum(1)
            spread = (balance[..., None] * change**2).sum((1, 2)) - (mean**2).sum(-1)
            elements = (weights * apart[:, slots, assigned]).sum(1)
            distance[:, a] = elements + 5 * _softplus(self.proportions[2]) * spread
        heights = relatives.quality @ self.quality[int(stable)]
        of_facts = self.pattern[int(stable)] + context @ self.pattern_in_context[int(stable)]
        heights += (relatives.facts @ of_facts - np.log(relatives.exchanges))[relatives.pattern]
        heights += self.same[int(stable)] * relatives.of_composition(wanted)
        votes = heights[:, None] - _softplus(self.tail[0] + 2) * np.log1p(distance)
        if visible is not None:
            votes[~visible] = NEVER
        keys = relatives.keys[relatives.pattern]
        top = votes.max()
        mass = np.bincount(keys.ravel(), np.exp(votes - top).ravel(), relatives.num_keys)
        with np.errstate(divide="ignore"):
            summed = np.where(mass > 0, np.log(mass) + top, NEVER)
        count = len(theirs) if visible is None else int(visible.sum())
        none = self.none[int(stable)] @ [1.0, np.log1p(count), len(wanted)]
        none += self.none_in_context[int(stable)] @ context
        return Votes(votes, summed, float(none))

    def _placed(self, kinds: Whole, ratio: Array) -> tuple[Array, Array]:
        """Places of the elements of m compositions of one ratio, as the other elements move them (m, S, D), and the
        mean places of their atoms (m, D). kinds: (m, S) rows of `kinds`."""
        places = self.kinds[kinds]
        mean = np.einsum("s,msd->md", ratio, places)
        wide = places.shape[-1]
        of_mean = mean @ self.inner[wide : 2 * wide] + self.inner_bias
        hidden = places @ self.inner[:wide] + of_mean[:, None] + np.log(ratio)[:, None] * self.inner[2 * wide]
        return places + np.tanh(hidden) @ self.outer, mean


@cache
def load_ranking(name: str = "known") -> VoteModel:
    """A fit that comes with nucleate, one of FITS. Raises NucleateError for another name."""
    from safetensors import safe_open

    if name not in FITS:
        raise NucleateError(f"there is no ranking '{name}'; there are {', '.join(FITS)}")
    path = FOLDER / f"ranking-{name}.safetensors"
    with safe_open(path, "numpy") as file:
        arrays: dict[str, Any] = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}  # noqa: SIM118
        return VoteModel(name=name, metadata=dict(file.metadata() or {}), **arrays)


def _squared_distances(a: Array, b: Array) -> Array:
    """Between all rows (..., n, D) and (m, D): (..., n, m)."""
    both = (a**2).sum(-1)[..., None] + (b**2).sum(-1) - 2 * a @ b.T
    return np.asarray(np.maximum(both, 0.0))


def _softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def _softmax(x: Array) -> Array:
    shares = np.exp(x - x.max(1, keepdims=True))
    return np.asarray(shares / shares.sum(1, keepdims=True))
