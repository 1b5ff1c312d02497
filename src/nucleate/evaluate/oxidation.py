"""Do the oxidation states that a network gives to the elements of a formula make it neutral?

The third validity check of Dong et al. (arXiv 2310.00475), who use BERTOS (Fu et al., arXiv 2211.15895). Here it is a
network of our own, `oxidation-icsd`; its card says what it was trained on and how often it is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import parse
from nucleate.pipeline.reference import FormulaKey, formula_key

if TYPE_CHECKING:
    from nucleate.train.oxidation import OxidationModel

WEIGHTS = "oxidation-icsd"


@dataclass(frozen=True)
class OxidationState:
    """Of one element in one formula. shares: (state, share of the atoms), two of them in mixed valence.

    probability: that the network gives this answer; for mixed valence, that there is any.
    """

    shares: tuple[tuple[int, Fraction], ...]
    probability: float

    @property
    def mean(self) -> Fraction:
        return sum((q * share for q, share in self.shares), Fraction(0))

    def __str__(self) -> str:
        if len(self.shares) == 1:
            return f"{self.shares[0][0]:+d}"
        return " and ".join(f"{q:+d} ({share})" for q, share in self.shares)


@lru_cache(maxsize=1)
def shipped_model() -> OxidationModel:
    """The network in the package."""
    from nucleate.train.checkpoint import weights_folder
    from nucleate.train.oxidation import load_oxidation

    return load_oxidation(weights_folder() / f"{WEIGHTS}.safetensors")


def assign(formulas: Sequence[str], model: OxidationModel | None = None) -> list[dict[str, OxidationState]]:
    """Oxidation states of the elements of each formula, symbol -> state.

    They depend on the reduced formula alone, not on the order of its elements. An element by itself has state 0, by
    definition and without the network. Raises NucleateError for what is no formula and for an element that the
    network was not trained on.
    """
    return _assign([formula_key(parse(f)) for f in formulas], model or shipped_model())


def oxidation_verdicts(formulas: Sequence[str], model: OxidationModel | None = None) -> list[Verdict]:
    """Pass where the assigned states add up to zero, fail where not, unknown for elements the network has not seen.

    An element by itself passes. Alloys (SMACT's metals alone) are unknown: the training formulas have none, and the
    network would give them ions. The paper does not say what it does with them. Raises NucleateError for no formula.
    """
    model = model or shipped_model()
    keys = [formula_key(parse(f)) for f in formulas]
    unseen = [next((s for s, _ in key if len(key) > 1 and s not in model.elements), None) for key in keys]
    answers = iter(_assign([k for k, u in zip(keys, unseen, strict=True) if u is None], model))
    return [
        _verdict(key, next(answers)) if symbol is None else Verdict(UNKNOWN, f"{symbol} is not in the training data")
        for key, symbol in zip(keys, unseen, strict=True)
    ]


def _verdict(key: FormulaKey, states: dict[str, OxidationState]) -> Verdict:
    from smact import metals

    if len(key) > 1 and all(symbol in metals for symbol, _ in key):
        return Verdict(UNKNOWN, "an alloy has no oxidation states")
    charge = sum((n * states[symbol].mean for symbol, n in key), Fraction(0))
    if charge == 0:
        return Verdict(PASS)
    sign = "+" if charge > 0 else "-"
    return Verdict(FAIL, f"charge {sign}{abs(charge)}: " + ", ".join(f"{s} {states[s]}" for s, _ in key))


def _assign(keys: Sequence[FormulaKey], model: OxidationModel) -> list[dict[str, OxidationState]]:
    import torch

    from nucleate.nets.oxidation import encode
    from nucleate.train.oxidation import predict

    for key in keys:
        if missing := [s for s, _ in key if len(key) > 1 and s not in model.elements]:
            raise NucleateError(f"the network of oxidation states was not trained on {missing[0]}")
    out: list[dict[str, OxidationState]] = [{} for _ in keys]
    groups: dict[int, list[int]] = {}  # by number of elements, so that nothing is padded
    for i, key in enumerate(keys):
        groups.setdefault(len(key), []).append(i)
    for i in groups.pop(1, []):
        out[i] = {keys[i][0][0]: OxidationState(((0, Fraction(1)),), 1.0)}
    for rows in groups.values():
        index, counts = encode([dict(keys[i]) for i in rows], model.elements)
        shares, probabilities, mixed = predict(model.network, index, counts)
        top, place = shares.topk(2, -1)
        chance = torch.where(top[..., 1] > 0, mixed, (1 - mixed) * probabilities.gather(-1, place)[..., 0])
        columns = zip(rows, top.tolist(), place.tolist(), chance.tolist(), strict=True)
        for i, parts, places, chances in columns:
            for (symbol, n), part, where, p in zip(keys[i], parts, places, chances, strict=True):
                atoms = max(n, 2)  # an element with one atom may be in two states, half and half
                found = {model.states[w]: Fraction(round(x * atoms), atoms) for x, w in zip(part, where, strict=True)}
                out[i][symbol] = OxidationState(tuple(sorted(s for s in found.items() if s[1])), p)
    return out
