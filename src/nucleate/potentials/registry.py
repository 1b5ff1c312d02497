"""Potentials by name: those of this package, those of plug-ins, and any ASE calculator as KIND:MODEL."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

from nucleate.errors import NucleateError
from nucleate.plugins import PluginTable
from nucleate.potentials.ase_calculator import ASEPotential, CalculatorPotential
from nucleate.potentials.base import FeaturePotential, Potential

POTENTIALS = PluginTable(
    "nucleate.potentials",
    "potential",
    {"chgnet": "nucleate.potentials.chgnet:CHGNet", "sevennet": "nucleate.potentials.sevennet:SevenNet"},
)


def require_potential(name: str) -> None:
    """Raise NucleateError where there is no potential of that name. The model is not loaded."""
    if name not in POTENTIALS:
        get_potential(name)


def get_potential(name: str) -> Potential:
    """The potential of that name, or of KIND:MODEL (`potentials.ase_calculator`); raises NucleateError where there is
    none.

    What a plug-in registers is called without arguments and gives a `Potential`, or an ASE calculator that is then
    wrapped in a `CalculatorPotential`.
    """
    if name in POTENTIALS.own:
        return cast("Potential", POTENTIALS.make(name))
    if ":" in name:
        return _of_kind(name)
    if POTENTIALS.plugin(name) is not None:
        return _of_plugin(name)
    known = ", ".join(sorted(POTENTIALS.names()))
    said = "".join(f"; {text}" for text in POTENTIALS.problems() if f"'{name}'" in text)
    raise NucleateError(
        f"no potential '{name}'; known: {known}, mace:FILE, matgl:FOLDER, ase:PACKAGE.MODULE:CALLABLE{said}"
    )


def get_feature_potential(name: str) -> FeaturePotential:
    """The potential of that name; raises NucleateError where there is none, or where it gives no features."""
    potential = get_potential(name)
    if not hasattr(potential, "features"):
        raise NucleateError(f"{name} gives no features of crystals, which a comparison of sets needs; use chgnet")
    return cast("FeaturePotential", potential)


@lru_cache(maxsize=16)
def _of_kind(name: str) -> Potential:
    return ASEPotential(name)  # cached, so that its model is loaded once


@lru_cache(maxsize=16)
def _of_plugin(name: str) -> Potential:
    made: Any = POTENTIALS.make(name)
    if hasattr(made, "evaluate") and hasattr(made, "method"):
        return cast("Potential", made)
    part = POTENTIALS.plugin(name)
    assert part is not None
    if not hasattr(made, "calculate"):
        raise NucleateError(
            f"the potential '{name}' of the package {part.source} gives a {type(made).__name__}, which is neither a "
            "nucleate potential (nucleate.potentials.base.Potential) nor an ASE calculator"
        )
    return CalculatorPotential(name, getattr(made, "method", None) or f"{name} ({part.source})", made)
