"""CHGNet (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)), with the weights that its package contains."""

from __future__ import annotations

import contextlib
import io
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.potentials.base import MPTRJ_ELEMENTS, Evaluation, unknown_elements_reason

if TYPE_CHECKING:
    import numpy as np
    from ase import Atoms
    from numpy.typing import NDArray
    from pymatgen.core import Structure
    from torch import Tensor

VERSION = "0.3.0"  # of the weights; it is part of the method of every energy


class CHGNet:
    """The default potential. It was fitted to energies that include the MP2020 corrections.

    It runs on the CPU, where a crystal of about ten atoms is as fast as on a GPU, unless the environment variable
    CHGNET_DEVICE names another device.
    """

    name = "chgnet"
    method = f"CHGNet {VERSION} (MP2020-corrected PBE+U)"
    elements = MPTRJ_ELEMENTS

    @property
    def pool(self) -> int:
        return 1 if _device() == "cpu" else 64

    def load(self) -> None:
        _model()

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """Energy, forces and stress of all crystals from one forward and one backward pass.

        CHGNet's own calculator makes two backward passes and keeps their graphs for training, which takes three times
        as long.
        """
        import torch
        from pymatgen.io.ase import AseAtomsAdaptor

        model = _model()
        with _quiet():
            from chgnet.model.model import BatchedGraph

            structures = [AseAtomsAdaptor.get_structure(a) for a in crystals]
            graphs = [_graph(model, s, f"structure {k}").to(_device()) for k, s in enumerate(structures)]
            batch = BatchedGraph.from_graphs(
                graphs,
                bond_basis_expansion=model.bond_basis_expansion,
                angle_basis_expansion=model.angle_basis_expansion,
                compute_stress=True,
            )
            found = model._compute(batch)
            energy = found["e"] * found["atoms_per_graph"] if model.is_intensive else found["e"]
            slopes = torch.autograd.grad(energy.sum(), [*batch.atom_positions, *batch.strains])
            with torch.no_grad():
                energy = energy + model.composition_model(graphs) * found["atoms_per_graph"]
        n = len(graphs)
        volumes = [abs(float(v)) for v in batch.volumes]  # CHGNet's volumes are negative for left-handed cells
        return [Evaluation(float(energy[k]), -_array(slopes[k]), _array(slopes[n + k]) / volumes[k]) for k in range(n)]

    def energies(self, structures: Sequence[Structure], batch_size: int = 16) -> list[float]:
        """Energy of each structure as it stands, eV/atom. Raises NucleateError for a structure that CHGNet cannot take,
        with its index and formula."""
        return [float(v["e"]) for v in self._predict(structures, batch_size)]

    def features(
        self, structures: Sequence[Structure], batch_size: int = 16
    ) -> tuple[list[float], NDArray[np.float64]]:
        """Energies of n structures, eV/atom, and features (n, 64): those of the atoms after the last interaction block,
        averaged over the crystal."""
        import numpy as np

        found = self._predict(structures, batch_size)
        rows = [np.asarray(v["crystal_fea"], dtype=np.float64) for v in found]
        return [float(v["e"]) for v in found], np.array(rows).reshape(len(rows), -1)

    def _predict(self, structures: Sequence[Structure], batch_size: int) -> list[dict[str, Any]]:
        import torch

        model = _model()
        out: list[dict[str, Any]] = []
        with _quiet(), torch.no_grad():
            for start in range(0, len(structures), batch_size):
                batch = structures[start : start + batch_size]
                graphs = [_graph(model, s, f"structure {start + k}") for k, s in enumerate(batch)]
                result = model.predict_graph(graphs, task="e", return_crystal_feas=True, batch_size=batch_size)
                out += [result] if isinstance(result, dict) else result
        for k, values in enumerate(out):
            if not math.isfinite(float(values["e"])):
                formula = formula_text(structures[k].composition)
                raise NucleateError(f"CHGNet gives structure {k} ({formula}) an energy of {float(values['e'])}")
        return out


def _graph(model: Any, structure: Structure, where: str) -> Any:
    try:
        if not structure.is_ordered:
            raise ValueError("it has partial occupancies")
        if reason := unknown_elements_reason(CHGNet(), {site.specie.symbol for site in structure}):
            raise ValueError(reason)
        return model.graph_converter(structure)
    except (ValueError, AttributeError, RuntimeError) as error:
        raise NucleateError(f"CHGNet cannot take {where} ({formula_text(structure.composition)}): {error}") from None


def _array(x: Tensor) -> NDArray[np.float64]:
    return x.double().cpu().numpy()


def _device() -> str:
    return os.environ.get("CHGNET_DEVICE", "cpu")


@cache
def _model() -> Any:
    try:
        with _quiet():
            from chgnet.model import CHGNet as Network

            return Network.load(model_name=VERSION, use_device=_device(), verbose=False)
    except ImportError:
        raise NucleateError("the potential 'chgnet' needs the package chgnet: pip install chgnet") from None
    except (ValueError, FileNotFoundError) as error:
        raise NucleateError(
            f"the installed chgnet has no weights {VERSION} ({error}): pip install 'chgnet>=0.4'"
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what CHGNet prints and the warnings of its imports."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
