"""What `random_search.py` keeps of each sample, as a small file, from which its tables are printed without the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from nucleate.errors import NucleateError
from nucleate.evaluate.matching.match import MatchSettings, match_pair
from nucleate.io import replacing
from nucleate.parallel import map_jobs
from nucleate.pipeline.candidate import PASS, Candidate, Energy

if TYPE_CHECKING:
    from pymatgen.core import Structure

ENERGY, HULL = "energy", "e_above_hull"


@dataclass(frozen=True)
class Sample:
    """One relaxed structure, or what became of it.

    energy, e_above_hull: eV/atom of a converged relaxation, None without one; method, reference: by what these
    energies were computed. deep: lies
    impossibly far below the hull. matched: StructureMatcher finds the known crystal in it. seconds: of CPU time.
    """

    method: str
    target: str
    formula: str
    rank: int
    energy: float | None
    e_above_hull: float | None
    deep: bool
    matched: bool
    failure: str
    potential: str
    reference: str
    seconds_structure: float
    seconds_relax: float

    @property
    def energies(self) -> dict[str, Energy]:
        """The sample in the form that the comparisons of the package take."""
        if self.energy is None:
            return {}
        return {ENERGY: Energy(self.energy, self.potential)}


def samples(
    method: str, drawn: Mapping[str, Sequence[Candidate]], targets: Mapping[str, Structure], workers: int
) -> list[Sample]:
    """The samples of the candidates of each target."""
    jobs, keys = [], []
    for name, group in drawn.items():
        for c in group:
            if converged(c):
                keys.append(c.id)
                jobs.append((c.structure, targets[name], MatchSettings(), False))
    found = map_jobs(match_pair, jobs, limit=MatchSettings().time_limit, workers=workers)
    hits = {keys[o.index] for o in found if o.reason is None and o.value.rms is not None}
    return [_sample(method, name, targets[name], c, c.id in hits) for name, group in drawn.items() for c in group]


def converged(c: Candidate) -> bool:
    """Whether the sample is a relaxed crystal with an energy."""
    return c.failure is None and "relaxed" in c.checks and c.checks["relaxed"].verdict == PASS


def _sample(method: str, name: str, target: Structure, c: Candidate, matched: bool) -> Sample:
    good = converged(c)
    energy, above = c.energies[ENERGY] if good else None, c.energies.get(HULL) if good else None
    seconds = {k: float(v) for k, v in c.provenance.items() if k.startswith("seconds_")}
    relax = seconds.pop("seconds_relax", 0.0)
    return Sample(
        method,
        name,
        target.composition.reduced_formula,
        c.wanted.rank,
        energy.value if energy else None,
        above.value if above else None,
        "hull" in c.checks,
        matched,
        "" if good else str(c.failure or "not converged"),
        energy.method if energy else "",
        (above.reference or "") if above else "",
        sum(seconds.values()),
        relax,
    )


def write(path: Path, rows: Iterable[Sample]) -> None:
    """All rows, sorted."""
    ordered = sorted(rows, key=lambda r: (r.method, r.target, r.rank))
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist([dataclasses.asdict(r) for r in ordered]), temporary, compression="zstd")


def read(path: Path | None) -> list[Sample]:
    """The samples that `write` wrote; none where there is no file."""
    if path is None or not path.is_file():
        return []
    try:
        return [Sample(**row) for row in pq.read_table(path).to_pylist()]
    except (pa.ArrowInvalid, TypeError) as error:
        raise NucleateError(f"{path} holds no rows of random_search.py ({error})") from None
