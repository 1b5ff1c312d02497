"""Datasets: downloaded with checksums, kept as parquet, prepared as tensors."""

from nucleate.data.catalog import CATALOG, home, parse_name
from nucleate.data.download import get
from nucleate.data.formulas import prepare_formulas
from nucleate.data.own import add_files
from nucleate.data.prepared import prepare, prepare_crystals
from nucleate.data.tables import Summary, load_table
from nucleate.data.training import prepare_for

__all__ = [
    "CATALOG",
    "Summary",
    "add_files",
    "get",
    "home",
    "load_table",
    "parse_name",
    "prepare",
    "prepare_crystals",
    "prepare_for",
    "prepare_formulas",
]
