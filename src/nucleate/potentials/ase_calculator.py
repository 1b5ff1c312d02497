"""Potentials that are computed by an ASE calculator: MACE, models of matgl (M3GNet, TensorNet, CHGNet ...), or others.

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

from nucleate.chem.elements import element_symbol
from nucleate.errors import NucleateError
from nucleate.potentials.base import Evaluation

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from pymatgen.core import Structure


class CalculatorPotential:
    """The potential that an ASE calculator computes.

    name: as the user gave it. method: model, version and energy scale; only energies of equal methods share a hull.
    """

    pool = 1

    def __init__(self, name: str, method: str, calculator: Calculator | None = None) -> None:
        self.name, self.method, self._given = name, method, calculator

    def load(self) -> None:
        _ = self._calculator

    @cached_property
    def elements(self) -> frozenset[str] | None:
        """The elements that the model names: by the atomic numbers of a MACE file, the element types of a matgl model,
        or a set of symbols in the attribute `elements`; None for a calculator that names none."""
        return _elements(self._calculator)

    @cached_property
    def _calculator(self) -> Calculator:
        assert self._given is not None
        return self._given

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """Energy, forces and stress of one crystal after the other, because a calculator takes one at a time."""
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
        """Energy of each structure as it stands, eV/atom."""
        from pymatgen.io.ase import AseAtomsAdaptor

        crystals = [AseAtomsAdaptor.get_atoms(s) for s in structures]
        return [self.evaluate([a])[0].energy / len(a) for a in crystals]


class ASEPotential(CalculatorPotential):
    """A potential that the user names as KIND:MODEL. Its method has a digest of the model's file, so that energies of
    two different files never share a hull."""

    def __init__(self, name: str) -> None:
        kind, _, self.model = name.partition(":")
        if kind not in KINDS or not self.model:
            raise NucleateError(f"'{name}' is no potential; write {', '.join(f'{k}:...' for k in KINDS)}")
        self._make, kind_name = KINDS[kind]
        super().__init__(name, f"{kind_name} {self.model}{_fingerprint(Path(self.model))}")

    @cached_property
    def _calculator(self) -> Calculator:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return self._make(self.model)


def _elements(calculator: Any) -> frozenset[str] | None:
    if isinstance(own := getattr(calculator, "elements", None), set | frozenset):
        return frozenset(own)
    models = getattr(calculator, "models", None)
    if models and hasattr(models[0], "atomic_numbers"):
        return frozenset(element_symbol(int(z)) for z in models[0].atomic_numbers)
    network = getattr(getattr(calculator, "potential", None), "model", None)
    if types := getattr(network, "element_types", None):
        return frozenset(types)
    return None


def _mace(model: str) -> Calculator:
    try:
        from mace import calculators
    except ImportError:
        raise NucleateError("mace: potentials need the package mace-torch: pip install mace-torch") from None
    return _loaded(
        f"mace:{model}",
        lambda: (
            calculators.MACECalculator(model_paths=model, device=_device(), default_dtype="float64")
            if Path(model).is_file()
            else calculators.mace_mp(model=model, device=_device(), default_dtype="float64")
        ),
    )


def _matgl(model: str) -> Calculator:
    try:
        import matgl
        from matgl.ext.ase import PESCalculator
    except ImportError:
        raise NucleateError("matgl: potentials need the package matgl: pip install matgl") from None

    def load() -> Any:
        potential = matgl.load_model(model)
        if not hasattr(potential, "calc_stresses"):
            raise NucleateError(f"matgl:{model} is a {type(potential).__name__}, not a potential")
        return PESCalculator(potential, stress_unit="eV/A3")

    return _loaded(f"matgl:{model}", load)


def _any(path: str) -> Calculator:
    module, _, attribute = path.partition(":")
    try:
        make = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise NucleateError(
            f"ase:{path} is no calculator; write ase:PACKAGE.MODULE:CALLABLE, e.g. ase:ase.calculators.emt:EMT"
        ) from None
    return _loaded(f"ase:{path}", make)


def _loaded(name: str, make: Callable[[], Any]) -> Any:
    """What `make` gives. Any error becomes a NucleateError of one line, because model hubs, files and pickles raise
    errors of many kinds."""
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
    """The first digits of the SHA-256 of a file, or of all files of a folder; "" for a name that is no path."""
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
