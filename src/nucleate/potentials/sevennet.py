"""SevenNet-0 (Park et al., J. Chem. Theory Comput. 20, 4857 (2024)), with the weights that its package contains."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from nucleate.errors import NucleateError
from nucleate.potentials.base import MPTRJ_ELEMENTS, Evaluation, unknown_elements_reason

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure

MODEL = "7net-0_11Jul2024"


class SevenNet:
    """An equivariant potential. On a CPU it takes four times as long as CHGNet, and it is closer to its training data.

    It was fitted to the energies of VASP, without MP2020 corrections. It runs on the CPU unless the environment
    variable SEVENNET_DEVICE names another device.
    """

    name = "sevennet"
    method = "SevenNet-0 11Jul2024 (PBE+U, uncorrected)"
    elements = MPTRJ_ELEMENTS

    @property
    def pool(self) -> int:
        return 1 if _device() == "cpu" else 64

    def load(self) -> None:
        _model()

    def evaluate(self, crystals: Sequence[Atoms]) -> list[Evaluation]:
        """Energy, forces and stress of all crystals from one pass."""
        import numpy as np

        model = _model()
        with _quiet():
            found = model.network(_graphs(crystals, model))
        energies = found["inferred_total_energy"].detach().double().cpu().numpy().reshape(-1)
        forces = found["inferred_force"].detach().double().cpu().numpy()
        voigt = -found["inferred_stress"].detach().double().cpu().numpy().reshape(-1, 6)  # xx yy zz xy yz zx
        ends = np.cumsum([len(a) for a in crystals])
        out = []
        for k, end in enumerate(ends):
            xx, yy, zz, xy, yz, zx = voigt[k]
            stress = np.array([[xx, xy, zx], [xy, yy, yz], [zx, yz, zz]])
            out.append(Evaluation(float(energies[k]), forces[end - len(crystals[k]) : end], stress))
        return out

    def energies(self, structures: Sequence[Structure], batch_size: int = 16) -> list[float]:
        """Energy of each structure as it stands, eV/atom."""
        import torch
        from pymatgen.io.ase import AseAtomsAdaptor

        model = _model()
        out: list[float] = []
        for start in range(0, len(structures), batch_size):
            crystals = [AseAtomsAdaptor.get_atoms(s) for s in structures[start : start + batch_size]]
            with _quiet(), torch.no_grad():
                found = model.energy_only(_graphs(crystals, model))["inferred_total_energy"]
            totals = found.double().cpu().numpy().reshape(-1)
            out += [float(e) / len(a) for e, a in zip(totals, crystals, strict=True)]
        return out


def _device() -> str:
    return os.environ.get("SEVENNET_DEVICE", "cpu")


class _Model(NamedTuple):
    """network: for batches of crystals. energy_only: the same without forces and stress, which takes a quarter of the
    time. cutoff: how far neighbours are counted, angstrom."""

    network: Any
    energy_only: Any
    cutoff: float


def _graphs(crystals: Sequence[Atoms], model: _Model) -> Any:
    """One batch of graphs; raises NucleateError for an element that the network does not know."""
    from sevenn.atom_graph_data import AtomGraphData
    from sevenn.train.dataload import unlabeled_atoms_to_graph
    from torch_geometric.data import Batch

    for k, atoms in enumerate(crystals):
        if reason := unknown_elements_reason(SevenNet(), set(atoms.symbols)):
            raise NucleateError(f"crystal {k}: {reason}")
    graphs = [AtomGraphData.from_numpy_dict(unlabeled_atoms_to_graph(a, model.cutoff)) for a in crystals]
    return Batch.from_data_list(graphs).to(_device())


@cache
def _model() -> _Model:
    try:
        with _quiet():
            from sevenn import _keys, util

            checkpoint = util.load_checkpoint(MODEL)
            model = checkpoint.build_model()
    except ImportError:
        raise NucleateError("the potential 'sevennet' needs the package sevenn: pip install sevenn") from None
    model.set_is_batch_data(True)
    model = model.to(_device()).eval().requires_grad_(False)  # forces need gradients of positions, not of weights
    energy_only = copy.copy(model)  # shares the weights
    energy_only._modules = {k: v for k, v in model._modules.items() if k != "force_output"}
    return _Model(model, energy_only, float(checkpoint.config[_keys.CUTOFF]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what SevenNet prints, the warnings of its imports, and its log message about missing GPU kernels."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
