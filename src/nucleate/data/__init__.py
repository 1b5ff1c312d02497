"""Datasets: they are downloaded with checksums, stored as parquet files, and prepared as tensors for training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nucleate.lazy import lazy_names

if TYPE_CHECKING:
    from nucleate.data.catalog import CATALOG, home, parse_name
    from nucleate.data.download import download
    from nucleate.data.formulas import prepare_formulas
    from nucleate.data.own import add_files
    from nucleate.data.prepared import prepare, prepare_crystals
    from nucleate.data.tables import Summary, load_table

__getattr__ = lazy_names(
    __name__,
    {
        "CATALOG": "nucleate.data.catalog",
        "Summary": "nucleate.data.tables",
        "add_files": "nucleate.data.own",
        "download": "nucleate.data.download",
        "home": "nucleate.data.catalog",
        "load_table": "nucleate.data.tables",
        "parse_name": "nucleate.data.catalog",
        "prepare": "nucleate.data.prepared",
        "prepare_crystals": "nucleate.data.prepared",
        "prepare_formulas": "nucleate.data.formulas",
    },
)

__all__ = [
    "CATALOG",
    "Summary",
    "add_files",
    "download",
    "home",
    "load_table",
    "parse_name",
    "prepare",
    "prepare_crystals",
    "prepare_formulas",
]
