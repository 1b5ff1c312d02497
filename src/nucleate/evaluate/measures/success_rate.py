"""Success rates of property optimisation, SR5, SR10 and SR15, as CDVAE (Xie et al., ICLR 2022) counts them.

These are the shares of optimised crystals whose property lies within the best 5, 10 or 15 % of the data. Optimisations
are often restarted several times, and only the best result counts. Then each group of restarts is one trial.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import mean, rate
from nucleate.evaluate.metric import Metric, Report, ReportSection, Series, metric
from nucleate.evaluate.published import OPTIMISATION, published

if TYPE_CHECKING:
    import pyarrow as pa

PERCENTS = (5.0, 10.0, 15.0)
PUBLISHED_PROTOCOL = "cdvae-2022"

# Column, unit and thresholds in CDVAE's public code: percentiles (numpy's linear rule) of the training split. For
# perov-5 and carbon-24 they can be reproduced to all digits, for mp-20 to 0.0005 eV/atom from the available rows.
CDVAE: Mapping[str, tuple[str, str, tuple[float, float, float]]] = {
    "mp-20": ("formation_energy_per_atom", "eV/atom", (-3.17562208, -2.82196882, -2.52814761)),
    "carbon-24": ("energy_per_atom", "eV/atom", (-154.527093, -154.45865733, -154.44206825)),
    "perov-5": ("heat_ref", "", (0.43924842, 0.61202443, 0.7364607)),
}


@dataclass(frozen=True)
class Thresholds:
    """The values that the best `percents` of the data reach.

    protocol: where the values come from, for the report. source: data set and column. dataset: name of the data set,
    with which the published rates are found; "" for another column or split. n: the number of values from which the
    thresholds were computed, 0 for published thresholds.
    """

    percents: tuple[float, ...]
    values: tuple[float, ...]
    protocol: str
    source: str
    unit: str = ""
    dataset: str = ""
    maximise: bool = False
    n: int = 0


def success_thresholds(
    dataset: str | pa.Table,
    column: str | None = None,
    *,
    percents: Sequence[float] = PERCENTS,
    maximise: bool = False,
) -> Thresholds:
    """The published thresholds of "mp-20", "perov-5" or "carbon-24", or percentiles of a column of any data.

    dataset: a name, "name:split", a parquet file or a table. The thresholds are the published ones for one of the three
    names without a split or column, the percents 5, 10 and 15, and minimisation. Raises NucleateError for an unknown
    data set, and for a column that does not exist or does not contain numbers.
    """
    wanted = tuple(float(p) for p in percents)
    if isinstance(dataset, str) and dataset in CDVAE and column is None and wanted == PERCENTS and not maximise:
        name, unit, values = CDVAE[dataset]
        return Thresholds(PERCENTS, values, PUBLISHED_PROTOCOL, f"{dataset}:train, {name}", unit, dataset)
    if isinstance(dataset, str):
        bare = dataset.partition(":")[0]
        column = column or (CDVAE[bare][0] if bare in CDVAE else None)
        source, table = _open_dataset(dataset)
    else:
        source, table = "the table", dataset
    if column is None or column not in table.column_names:
        what = f"no column '{column}'" if column else "no column was named"
        raise NucleateError(f"{source}: {what}; the columns are: {', '.join(table.column_names)}")
    return percentile_thresholds(table.column(column).to_pylist(), wanted, maximise, f"{source}, {column}")


def _open_dataset(dataset: str) -> tuple[str, pa.Table]:
    """A description of the data set, and its columns without the geometry."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from nucleate.crystal.columns import GEOMETRY
    from nucleate.data.catalog import parse_name
    from nucleate.data.tables import read_table, table_file

    file, notes = table_file(dataset)
    source = file.name if dataset.endswith(".parquet") else ":".join(parse_name(dataset))
    try:
        present = pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        raise NucleateError(f"{file} is not parquet, or damaged ({str(error).splitlines()[0]})") from None
    return "; ".join((source, *notes)), read_table(file, [c for c in present if c not in GEOMETRY])


def percentile_thresholds(
    values: Sequence[float | None], percents: Sequence[float] = PERCENTS, maximise: bool = False, source: str = "values"
) -> Thresholds:
    """Percentiles of the known values, by linear interpolation; for maximisation counted from the largest value.

    Raises NucleateError for percents outside 0 to 100, and if there is no number among the values.
    """
    import numpy as np

    if not percents or not all(0 < p < 100 for p in percents):
        raise NucleateError(f"percentiles lie between 0 and 100, not {', '.join(f'{p:g}' for p in percents) or 'none'}")
    try:
        known = [x for v in values if v is not None and math.isfinite(x := float(v))]
    except (TypeError, ValueError):
        raise NucleateError(f"{source} does not contain numbers") from None
    if not known:
        raise NucleateError(f"{source} contains no number")
    found = np.percentile(known, [100 - p if maximise else p for p in percents])
    return Thresholds(
        tuple(percents),
        tuple(map(float, found)),
        f"percentiles of {len(known):,} values of {source}",
        source,
        maximise=maximise,
        n=len(known),
    )


def success_rates(
    values: Sequence[float | None],
    limits: Thresholds,
    valid: Sequence[bool] | None = None,
    groups: Sequence[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    reasons: Sequence[str | None] | None = None,
    method: str = "",
    subject: str = "crystals",
    real: Sequence[float | None] | None = None,
    real_name: str = "",
) -> Report:
    """The share of crystals, or of groups by their best crystal, that reach each threshold (<=, or >= to maximise).

    values (n,): the property, None if it is missing. valid (n,): invalid crystals count as failures. groups (n,): the
    name of the optimisation of which each crystal is one restart; None if every crystal is a trial by itself. names
    (n,): names of the crystals, for the report. reasons (n,): why a value is missing. method: what predicted the
    values. subject: what the crystals are called in the report. real: values of known crystals for comparison, without
    groups. Raises NucleateError if there are no values, and for lists of different lengths.
    """
    n = len(values)
    if not n:
        raise NucleateError("no crystals to judge")
    for what, other in (("validities", valid), ("groups", groups), ("names", names), ("reasons", reasons)):
        if other is not None and len(other) != n:
            raise NucleateError(f"{len(other):,} {what} for {n:,} values")
    failures: list[tuple[str, str, str]] = []
    usable: list[float | None] = []
    for i, value in enumerate(values):
        number = _finite_number(value)
        sound = valid is None or bool(valid[i])
        if number is None or not sound:
            missing = (reasons[i] if reasons is not None else None) or "no value"
            reason = "invalid crystal" if not sound else missing if value is None else "not a finite number"
            failures.append((names[i] if names is not None else str(i + 1), "property", reason))
        usable.append(number if sound else None)
    known = [v for v in usable if v is not None]
    trials: dict[str, list[float]] = {}
    for i, value in enumerate(usable):
        trials.setdefault(groups[i] if groups is not None else str(i), []).extend([] if value is None else [value])
    pick, sign = (max, ">=") if limits.maximise else (min, "<=")
    best = [pick(trial) if trial else None for trial in trials.values()]
    what = f"of {len(best):,} groups, the best of each" if groups is not None else f"of all {n:,} crystals"
    rows: list[Metric] = []
    for percent, limit in zip(limits.percents, limits.values, strict=True):
        hits = sum(v is not None and (v >= limit if limits.maximise else v <= limit) for v in best)
        text = f"{sign} {limit:.4f} {limits.unit}".rstrip()
        label, definition = f"SR{percent:g} ({text})", f"{text}, {what}"
        published_rates = published(OPTIMISATION, f"sr_{percent:g}", limits.dataset)
        rows.append(metric(f"sr_{percent:g}", label, rate(hits, len(best)), definition, published=published_rates))
    rows.append(metric("with_value", "valid, with a value", rate(len(known), n), f"of all {n:,} crystals"))
    rows.append(metric("property_mean", "property, mean", mean(known), "where known", unit=limits.unit))
    source = limits.protocol if limits.n else f"{limits.protocol} ({limits.source})"
    note = f"Thresholds: {source}. Values by {method or 'a method that is not named'}. Invalid or no value: no success."
    if limits.dataset:
        note += " Published: values by CDVAE's own network; DiffCSP: best of 10 restarts."
    drawn = {subject: known}
    report = Report(
        "optimisation",
        subject,
        n,
        (ReportSection("Success rates", tuple(rows), note),),
        reference=limits.source,
        protocol={
            limits.protocol: {
                "title": "success rates of property optimisation",
                "source": "Xie et al., ICLR 2022 (CDVAE); Takahara et al., arXiv 2406.09263, Table 1",
                "percents": list(limits.percents),
                "thresholds": list(limits.values),
                "goal": "maximise" if limits.maximise else "minimise",
                "groups": len(best) if groups is not None else None,
                "method": method,
            }
        },
        failures=tuple(failures),
        series=(Series("Property", limits.unit, drawn),),
    )
    if real is None:
        return report
    name = real_name or "known crystals"
    floor = success_rates(real, limits, subject=name)
    both = Series("Property", limits.unit, {**drawn, **floor.series[0].values})
    return dataclasses.replace(report.with_floor(floor, name), series=(both,))


def _finite_number(value: float | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
