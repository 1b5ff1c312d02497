"""Checks whether the oxidation states that a network assigns to the elements of a formula make it neutral.

It is the third validity check of Dong et al. (arXiv 2310.00475), who use BERTOS (Fu et al., arXiv 2211.15895). Here the
network is `oxidation-icsd`; its card says what it was trained on and how often it is right.
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
    """The oxidation state of an element in a formula.

    shares: (state, share of the atoms) for each state, two for mixed valence. probability: that the network gives to
    this state, or to mixed valence.
    """

    shares: tuple[tuple[int, Fraction], ...]
    probability: float

    @property
    def mean(self) -> Fraction:
        """The mean state of the atoms."""
        return sum((q * share for q, share in self.shares), Fraction(0))

    def __str__(self) -> str:
        if len(self.shares) == 1:
            return f"{self.shares[0][0]:+d}"
        return " and ".join(f"{q:+d} ({share})" for q, share in self.shares)


@lru_cache(maxsize=1)
def shipped_model() -> OxidationModel:
    """The network of oxidation states that nucleate contains."""
    from nucleate.train.oxidation import load_oxidation
    from nucleate.train.shipped import weights_folder

    return load_oxidation(weights_folder() / f"{WEIGHTS}.safetensors")


def assign_oxidation_states(
    formulas: Sequence[str], model: OxidationModel | None = None
) -> list[dict[str, OxidationState]]:
    """Oxidation states of the elements of each formula, symbol -> state.

    They depend on the reduced formula only, not on the order of its elements. A pure element has the state 0, without
    asking the network. Raises NucleateError for a text that is no formula, and for an element that the network was not
    trained on.
    """
    return _assign([Formula.of(parse_strict(f)) for f in formulas], model or shipped_model())


def oxidation_verdicts(formulas: Sequence[str], model: OxidationModel | None = None) -> list[Verdict]:
    """The verdicts of `composition_oxidation_verdicts` on formulas. Raises NucleateError for a text that is no
    formula."""
    return composition_oxidation_verdicts([parse_strict(f) for f in formulas], model)


def composition_oxidation_verdicts(
    compositions: Sequence[Mapping[str, int]], model: OxidationModel | None = None
) -> list[Verdict]:
    """For each composition (element -> atoms): pass if the assigned states add up to zero, else fail; unknown for
    elements that the network was not trained on. The reason names the states.

    A pure element passes. Alloys (which have SMACT's metals only) are unknown: the training formulas have none, and the
    network would give them ions. The paper does not say what it does with alloys.
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
    groups: dict[int, list[int]] = {}  # number of elements -> formulas, so that no padding is needed
    for i, key in enumerate(keys):
        groups.setdefault(len(key), []).append(i)
    for i in groups.pop(1, []):
        out[i] = {keys[i][0][0]: OxidationState(((0, Fraction(1)),), 1.0)}
    for rows in groups.values():
        index, counts = encode([dict(keys[i]) for i in rows], model.elements)
        shares, probabilities, mixed = predict_states(model.network, index, counts)
        top, states = shares.topk(2, -1)
        chance = torch.where(top[..., 1] > 0, mixed, (1 - mixed) * probabilities.gather(-1, states)[..., 0])
        columns = zip(rows, top.tolist(), states.tolist(), chance.tolist(), strict=True)
        for i, of_elements, states_of, chances in columns:
            for (symbol, n), two, index_of, p in zip(keys[i], of_elements, states_of, chances, strict=True):
                atoms = max(n, 2)  # an element with one atom in the formula may have two states in equal shares
                found = {model.states[k]: Fraction(round(x * atoms), atoms) for x, k in zip(two, index_of, strict=True)}
                out[i][symbol] = OxidationState(tuple(sorted(s for s in found.items() if s[1])), p)
    return out
