"""Potentials through an ASE calculator: MACE, matgl's models (M3GNet, TensorNet, CHGNet ...), or any other.

mace:FILE or mace:medium         a MACE model file, or one that mace-torch fetches from its hub by name
matgl:FOLDER or matgl:NAME       a saved matgl potential, or one of its hub
ase:PACKAGE.MODULE:CALLABLE      whatever CALLABLE() returns, e.g. ase:ase.calculators.emt:EMT
"""

from __future__ import annotations

import hashlib
import importlib
import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.chem.elements import symbol
from nucleate.errors import NucleateError
from nucleate.potentials.base import Evaluation

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure


class CalculatorPotential:
    """The potential that an ASE calculator computes.

    method: model, version and energy scale; only energies of equal methods share a hull.
    """

    pool = 1

    def __init__(self, name: str, method: str, calculator: Calculator | None = None) -> None:
        self.name, self.method, self._given = name, method, calculator

    def load(self) -> None:
        _ = self._calculator

    @cached_property
    def elements(self) -> frozenset[str] | None:
        """What the model says it was made for: the atomic numbers of a MACE file, the element types of a matgl
        model, a set `elements` of symbols; None for a calculator that says nothing."""
        return _elements(self._calculator)

    @cached_property
    def _calculator(self) -> Calculator:
        assert self._given is not None
        return self._given

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """One after the other: a calculator takes one crystal."""
        import numpy as np
        from ase.calculators.calculator import all_changes
        from ase.stress import voigt_6_to_full_3x3_stress

        out = []
        for atoms in crystals:
            own = self._calculator
            own.calculate(atoms.copy(), ["energy", "forces", "stress"], all_changes)
            if missing := [k for k in ("energy", "forces", "stress") if own.results.get(k) is None]:
                raise NucleateError(f"{self.name} gives no {' and no '.join(missing)}")
            stress = np.asarray(own.results["stress"], dtype=np.float64)
            full = stress if stress.shape == (3, 3) else voigt_6_to_full_3x3_stress(stress)
            forces = np.array(own.results["forces"], dtype=np.float64)
            out.append(Evaluation(float(own.results["energy"]), forces, np.array(full)))
        return out

    def energies(self, structures: Sequence[Structure], batch_size: int = 16) -> list[float]:
        from pymatgen.io.ase import AseAtomsAdaptor

        crystals = [AseAtomsAdaptor.get_atoms(s) for s in structures]
        return [self.evaluate([a])[0].energy / len(a) for a in crystals]


class ASEPotential(CalculatorPotential):
    """A potential of the user's. Its method names the very file: energies of two files never share a hull."""

    def __init__(self, name: str) -> None:
        kind, _, self.what = name.partition(":")
        if kind not in KINDS or not self.what:
            raise NucleateError(f"'{name}' is no potential; write {', '.join(f'{k}:...' for k in KINDS)}")
        self._make, words = KINDS[kind]
        super().__init__(name, f"{words} {self.what}{_fingerprint(Path(self.what))}")

    @cached_property
    def _calculator(self) -> Calculator:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._make(self.what)


def _elements(calculator: Any) -> frozenset[str] | None:
    if isinstance(own := getattr(calculator, "elements", None), set | frozenset):
        return frozenset(own)
    models = getattr(calculator, "models", None)
    if models and hasattr(models[0], "atomic_numbers"):
        return frozenset(symbol(int(z)) for z in models[0].atomic_numbers)
    network = getattr(getattr(calculator, "potential", None), "model", None)
    if types := getattr(network, "element_types", None):
        return frozenset(types)
    return None


def _mace(what: str) -> Calculator:
    try:
        from mace import calculators
    except ImportError:
        raise NucleateError("mace: potentials need the package mace-torch: pip install mace-torch") from None
    return _loaded(
        f"mace:{what}",
        lambda: (
            calculators.MACECalculator(model_paths=what, device=_device(), default_dtype="float64")
            if Path(what).is_file()
            else calculators.mace_mp(model=what, device=_device(), default_dtype="float64")
        ),
    )


def _matgl(what: str) -> Calculator:
    try:
        import matgl
        from matgl.ext.ase import PESCalculator
    except ImportError:
        raise NucleateError("matgl: potentials need the package matgl: pip install matgl") from None

    def load() -> Any:
        potential = matgl.load_model(what)
        if not hasattr(potential, "calc_stresses"):
            raise NucleateError(f"matgl:{what} is a {type(potential).__name__}, not a potential")
        return PESCalculator(potential, stress_unit="eV/A3")

    return _loaded(f"matgl:{what}", load)


def _any(what: str) -> Calculator:
    module, _, attribute = what.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise NucleateError(
            f"ase:{what} is no calculator; write ase:PACKAGE.MODULE:CALLABLE, e.g. ase:ase.calculators.emt:EMT"
        ) from None
    return _loaded(f"ase:{what}", make)


def _loaded(name: str, make: Callable[[], Any]) -> Any:
    """Its calculator, or one line that says why there is none: hubs, files and pickles fail in many ways."""
    try:
        return make()
    except NucleateError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error.__cause__ or error}".splitlines()[0][:200]
        raise NucleateError(f"{name} cannot be loaded ({reason}); give the path of a model") from None


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _fingerprint(path: Path) -> str:
    """The first digits of a file's or a folder's SHA-256; nothing for a name."""
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else []
    if not files:
        return ""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return f" (sha256 {digest.hexdigest()[:12]})"


KINDS: dict[str, tuple[Callable[[str], Calculator], str]] = {
    "mace": (_mace, "MACE"),
    "matgl": (_matgl, "matgl"),
    "ase": (_any, "ASE calculator"),
}
