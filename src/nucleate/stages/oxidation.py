"""Do the oxidation states that a network gives to the elements of a formula make it neutral?

The third validity check of Dong et al. (arXiv 2310.00475), who use BERTOS (Fu et al., arXiv 2211.15895). Here it is a
network of our own, `oxidation-icsd`; its card says what it was trained on and how often it is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from nucleate.chem.checks import kind_without_ions
from nucleate.chem.composition import Formula
from nucleate.chem.formula import parse_strict
from nucleate.chem.verdict import FAIL, PASS, UNKNOWN, Verdict
from nucleate.errors import NucleateError

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
    from nucleate.train.oxidation import load_oxidation
    from nucleate.train.shipped import weights_folder

    return load_oxidation(weights_folder() / f"{WEIGHTS}.safetensors")


def assign(formulas: Sequence[str], model: OxidationModel | None = None) -> list[dict[str, OxidationState]]:
    """Oxidation states of the elements of each formula, symbol -> state.

    They depend on the reduced formula alone, not on the order of its elements. An element by itself has state 0, by
    definition and without the network. Raises NucleateError for what is no formula and for an element that the
    network was not trained on.
    """
    return _assign([Formula.of(parse_strict(f)) for f in formulas], model or shipped_model())


def oxidation_verdicts(formulas: Sequence[str], model: OxidationModel | None = None) -> list[Verdict]:
    """The verdicts of `verdicts_of` on texts. Raises NucleateError for no formula."""
    return verdicts_of([parse_strict(f) for f in formulas], model)


def verdicts_of(compositions: Sequence[Mapping[str, int]], model: OxidationModel | None = None) -> list[Verdict]:
    """Pass where the assigned states add up to zero, fail where not, unknown for elements the network has not seen.

    compositions: element -> atoms, all judged in one go. The states are in the reason. An element by itself passes.
    Alloys (SMACT's metals alone) are unknown: the training formulas have none, and the network would give them ions.
    The paper does not say what it does with them.
    """
    model = model or shipped_model()
    keys = [Formula.of(c) for c in compositions]
    found: dict[Formula, Verdict] = {}
    for key in keys:
        symbols = [s for s, _ in key]
        if kind := kind_without_ions(symbols):
            alone = kind == "element"
            found[key] = Verdict(PASS, kind) if alone else Verdict(UNKNOWN, "an alloy has no oxidation states")
        elif unseen := next((s for s in symbols if s not in model.elements), None):
            found[key] = Verdict(UNKNOWN, f"{unseen} is not in the training data")
    asked = list(dict.fromkeys(k for k in keys if k not in found))
    for key, states in zip(asked, _assign(asked, model), strict=True):
        found[key] = _verdict(key, states)
    return [found[key] for key in keys]


def _verdict(key: Formula, states: Mapping[str, OxidationState]) -> Verdict:
    cations_first = sorted(states.items(), key=lambda item: (-item[1].mean, item[0]))
    words = ", ".join(f"{symbol} {state}" for symbol, state in cations_first)
    charge = sum((n * states[symbol].mean for symbol, n in key), Fraction(0))
    if charge == 0:
        return Verdict(PASS, words)
    return Verdict(FAIL, f"charge {'+' if charge > 0 else '-'}{abs(charge)}: {words}")


def _assign(keys: Sequence[Formula], model: OxidationModel) -> list[dict[str, OxidationState]]:
    import torch

    from nucleate.nets.oxidation import encode
    from nucleate.train.oxidation import predict_states

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
        shares, probabilities, mixed = predict_states(model.network, index, counts)
        top, place = shares.topk(2, -1)
        chance = torch.where(top[..., 1] > 0, mixed, (1 - mixed) * probabilities.gather(-1, place)[..., 0])
        columns = zip(rows, top.tolist(), place.tolist(), chance.tolist(), strict=True)
        for i, parts, places, chances in columns:
            for (symbol, n), part, where, p in zip(keys[i], parts, places, chances, strict=True):
                atoms = max(n, 2)  # an element with one atom may be in two states, half and half
                found = {model.states[w]: Fraction(round(x * atoms), atoms) for x, w in zip(part, where, strict=True)}
                out[i][symbol] = OxidationState(tuple(sorted(s for s in found.items() if s[1])), p)
    return out
