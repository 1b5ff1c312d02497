"""Energies and features of unrelaxed crystals, predicted by a trained network.

The network is a universal potential, or a property network. The latter is many times faster, but reliable only for
crystals like those of its training data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.features import Arrays, Progress, arrays_of, digest, structure_from_arrays
from nucleate.io import replacing
from nucleate.parallel import map_again

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pymatgen.core import Structure

    from nucleate.train.property import PropertyModel

BATCH = 8  # crystals in one job; if it fails, they are tried again one by one
TIME_LIMIT = 60.0  # seconds for one job
CHUNK = 256  # crystals in one batch of a property network
CAUTION = "A property network was trained only on relaxed crystals: for unrealistic crystals its energies hardly rise."


@dataclass(frozen=True, eq=False)
class Predictions:
    """The predictions of a network for n crystals: e_form (n,) in eV/atom and features (n, d).

    Both are nan for crystals with an entry in `reasons` (index -> why there is no prediction). method, reference: how
    the energies were computed, and with which reference set; the latter is "" for a property network, whose energies
    are a column of its training data with a zero of its own. quantity: the name of the energies. layer: the layer of
    the network whose output the features are. caution: a warning for the report, or "".
    """

    e_form: NDArray[np.float64]
    features: NDArray[np.float64]
    reasons: dict[int, str]
    method: str
    reference: str
    quantity: str = "formation energy"
    layer: str = "pooled after its last interaction block"
    caution: str = ""

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.e_form)


def predict_energies(
    structures: Sequence[Structure],
    potential: str = "chgnet",
    reference: str = "chgnet-mp",
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> Predictions:
    """Energies and features of each crystal.

    potential: a universal potential, or a property network (shipped name or file). With a potential, energies of the
    unrelaxed crystals are computed in parallel and become formation energies relative to the elements of the reference
    set. With a property network, its own energy column is taken. workers: number of processes. progress: called with
    (crystals done, all crystals). cache: a folder that keeps the result for just this set. A script needs `if __name__
    == "__main__":`. Raises NucleateError for a name that is neither, and for a network that predicts no energy.
    """
    network = property_network(potential)
    if network is not None:
        return _by_property_network(structures, network, potential, progress, cache)
    from nucleate.hull.distances import formation_energy
    from nucleate.hull.load import load_reference
    from nucleate.pipeline.candidate import Energy
    from nucleate.pipeline.method import EnergyMethod
    from nucleate.potentials.registry import get_potential

    method, known = get_potential(potential).method, load_reference(reference)
    known.require_method(method)
    crystals = [arrays_of(s) for s in structures]
    file = cache / f"network-{digest(crystals, f'{method}/1')}.npz" if cache is not None else None
    found = _load_found(file)
    if found is None:
        found = _energies_by_potential(crystals, potential, workers, progress)
        if file is not None:
            _save_found(file, *found)
    elif progress is not None:
        progress(len(crystals), len(crystals))
    energies, features, reasons = found
    e_form = np.full(len(crystals), np.nan)
    for i in np.flatnonzero(np.isfinite(energies)).tolist():
        try:
            e_form[i] = formation_energy(
                structures[i].composition, Energy(float(energies[i]), EnergyMethod(method)), known
            )
        except NucleateError as error:
            reasons[i] = str(error)
    return Predictions(e_form, features, reasons, method, known.name)


def property_network(potential: str) -> PropertyModel | None:
    """The property network of this name or file; None for the name of a universal potential. Raises NucleateError for
    other names."""
    from nucleate.potentials.registry import POTENTIALS, get_feature_potential
    from nucleate.systems.base import PROPERTY
    from nucleate.train.shipped import require_brought, shipped_weights, weights_file

    if potential in POTENTIALS or (":" in potential and weights_file(potential) is None):
        get_feature_potential(potential)  # a potential without features is refused before any work
        return None
    if weights_file(potential) is None:
        require_brought(potential)
        raise NucleateError(
            f"no potential or property network '{potential}'; potentials: chgnet; "
            f"property networks: {', '.join(shipped_weights(PROPERTY))}, or a file"
        )
    from nucleate.train.property import load_property_network

    model = load_property_network(potential)
    energy_column(model)
    return model


def energy_column(model: PropertyModel) -> str:
    """The column of the network that serves as formation energy, or an energy per atom if there is none.

    Raises NucleateError if the network predicts no energy.
    """
    from nucleate.generators.properties import ALIASES, resolve_property

    column = resolve_property("e_form", model.columns) or resolve_property("energy", model.columns)
    if column is None:
        wanted = ", ".join((*ALIASES["e_form"], *ALIASES["energy"]))
        raise NucleateError(f"{model.name} predicts {', '.join(model.columns)}, none of {wanted}")
    return column


def _by_property_network(
    structures: Sequence[Structure], model: PropertyModel, potential: str, progress: Progress | None, cache: Path | None
) -> Predictions:
    from nucleate.generators.properties import ALIASES
    from nucleate.train.shipped import weights_file

    column, weights = energy_column(model), weights_file(potential)
    assert weights is not None
    file = None
    if cache is not None:  # the weights in a file of this name may change
        version = hashlib.sha256(weights.read_bytes()).hexdigest()
        file = cache / f"network-{digest([arrays_of(s) for s in structures], f'{version}/1')}.npz"
    found = _load_found(file)
    if found is None:
        found = _predict_in_chunks(structures, model, column, progress)
        if file is not None:
            _save_found(file, *found)
    elif progress is not None:
        progress(len(structures), len(structures))
    quantity = "formation energy" if column in ALIASES["e_form"] else "energy per atom"
    method = f"{model.name} (property network, its {column})"
    return Predictions(*found, method, "", quantity, "pooled, the input of its last layer", CAUTION)


def _predict_in_chunks(
    structures: Sequence[Structure], model: PropertyModel, column: str, progress: Progress | None
) -> Found:
    from nucleate.train.property import crystals_of

    energies = np.full(len(structures), np.nan)
    features = np.full((len(structures), model.network.dim), np.nan)
    reasons: dict[int, str] = {}
    for start in range(0, len(structures), CHUNK):
        crystals, problems = crystals_of(structures[start : start + CHUNK])
        part = model.features(crystals)
        rows = slice(start, start + len(part))
        features[rows], energies[rows] = part.numpy(), model.values(part)[column].numpy()
        reasons |= {start + i: why for i, why in (model.refusals(crystals) | problems).items()}
        if progress is not None:
            progress(start + len(part), len(structures))
    return energies, features, reasons


Found = tuple["NDArray[np.float64]", "NDArray[np.float64]", dict[int, str]]


def _energies_by_potential(
    crystals: list[Arrays], potential: str, workers: int | None, progress: Progress | None
) -> Found:
    order = sorted(range(len(crystals)), key=lambda i: len(crystals[i][2]))  # crystals of one size share a batch
    jobs = [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
    energies = np.full(len(crystals), np.nan)
    features: NDArray[np.float64] | None = None
    reasons: dict[int, str] = {}
    finished = 0
    for job, value, reason in _run_batches(crystals, jobs, potential, workers):
        if reason is not None:
            reasons[job[0]] = reason
        else:
            energies[job] = value[0]
            features = np.full((len(crystals), value[1].shape[1]), np.nan) if features is None else features
            features[job] = value[1]
        finished += len(job)
        if progress is not None:
            progress(finished, len(crystals))
    return energies, np.empty((len(crystals), 0)) if features is None else features, reasons


def _run_batches(
    crystals: list[Arrays], jobs: list[list[int]], potential: str, workers: int | None
) -> Iterator[tuple[list[int], tuple, str | None]]:
    """Run the jobs. If one fails, its crystals are computed one by one, so that only those at fault have no result."""

    def of(members: list[int]) -> tuple:
        return members, [crystals[i] for i in members], potential

    def again(job: tuple, reason: str) -> list[tuple]:
        return [of([i]) for i in job[0]] if len(job[0]) > 1 else []

    work = [of(job) for job in jobs]
    for job, outcome in map_again(_predict_batch, work, again, limit=TIME_LIMIT, workers=workers, prepare=_prepare):
        yield job[0], outcome.value, outcome.reason


def _prepare() -> None:
    from nucleate.potentials.registry import get_potential

    get_potential("chgnet").load()


def _predict_batch(
    members: list[int], crystals: list[Arrays], potential: str
) -> tuple[list[float], NDArray[np.float64]]:
    from nucleate.potentials.registry import get_feature_potential

    return get_feature_potential(potential).features([structure_from_arrays(*c) for c in crystals], BATCH)


def _load_found(file: Path | None) -> Found | None:
    if file is None or not file.is_file():
        return None
    try:
        with np.load(file) as data:
            reasons = dict(zip(data["failed"].tolist(), data["why"].tolist(), strict=True))
            return data["energies"], data["features"], reasons
    except (OSError, ValueError, KeyError):
        return None  # the file is damaged: compute everything again


def _save_found(file: Path, energies: NDArray, features: NDArray, reasons: dict[int, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    failed, why = np.array(list(reasons), dtype=np.int64), np.array(list(reasons.values()), dtype=str)
    with replacing(file) as temporary, temporary.open("wb") as out:
        np.savez_compressed(out, energies=energies, features=features, failed=failed, why=why)
