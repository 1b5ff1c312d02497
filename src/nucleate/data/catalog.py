"""The datasets that can be downloaded, and the folder in which datasets are stored."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.locks import Lock

SPLITS = ("train", "val", "test")
# The data and the splits of Xie et al., ICLR 2022 (arXiv:2110.06197), from github.com/txie-93/cdvae (MIT)
CDVAE = "https://raw.githubusercontent.com/txie-93/cdvae/f857f598d6f6cca5dc1ea0582d228f12dcc2c2ea/data"


@dataclass(frozen=True)
class Source:
    """A file to download. rows: the number of crystals that it must have. sha256: None if no checksum is published."""

    url: str
    rows: int
    sha256: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A dataset of the catalogue, with one CSV file for each split.

    about: a description. properties: names of columns with numbers. rename: old -> new names of columns, and drop:
    names of columns that are left out; the columns "cif" and "material_id" always stay.
    """

    name: str
    about: str
    files: Mapping[str, Source]
    properties: tuple[str, ...]
    rename: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


def _cdvae(folder: str, rows: tuple[int, int, int]) -> dict[str, Source]:
    return {s: Source(f"{CDVAE}/{folder}/{s}.csv", n) for s, n in zip(SPLITS, rows, strict=True)}


CATALOG: dict[str, Dataset] = {
    d.name: d
    for d in (
        Dataset(
            "mp-20",
            "45,229 inorganic crystals of up to 20 atoms, Materials Project (CC-BY 4.0)",
            _cdvae("mp_20", (27_136, 9_047, 9_046)),
            ("formation_energy_per_atom", "band_gap", "e_above_hull"),
            {"spacegroup.number": "spacegroup"},
            ("pretty_formula", "elements"),
        ),
        Dataset(
            "perov-5",
            "18,928 perovskites of 5 atoms (Castelli et al., 2012)",
            _cdvae("perov_5", (11_356, 3_787, 3_785)),
            ("heat_all", "heat_ref", "dir_gap", "ind_gap"),
            {"spacegroup.number": "spacegroup"},
        ),
        Dataset(
            "carbon-24",
            "10,153 carbon crystals of 6 to 24 atoms at 10 GPa (Pickard, 2020)",
            _cdvae("carbon_24", (6_091, 2_032, 2_030)),
            ("energy_per_atom",),
            {"spacegroup.number": "spacegroup"},
        ),
    )
}


def home() -> Path:
    """The folder of the datasets: NUCLEATE_DATA if it is set, else the platform's cache folder."""
    folder = os.environ.get("NUCLEATE_DATA")
    return Path(folder).expanduser() if folder else user_cache()


def user_cache() -> Path:
    """The platform's cache folder for nucleate."""
    import pooch

    return Path(pooch.os_cache("nucleate"))


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or in its nearest parent that exists.

    A folder without permission to write is respected also by the superuser, who could write there.
    """
    while not folder.exists():
        folder = folder.parent
    return bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK)


def dataset_lock(name: str) -> Lock:
    """The lock that is held while the files of a dataset are made. Raises NucleateError if another process holds it."""
    file = home() / f".{stem(name, 'all')}.lock"
    return Lock(file, f"is making the dataset '{name}' in {home()}", "set NUCLEATE_DATA to another folder")


def parse_name(name: str, split: str | None = None) -> tuple[str, str]:
    """The name and the split of a dataset: "mp-20:test", or "mp-20" and "test", give ("mp-20", "test"). The split is
    "train" if none is given. Raises NucleateError for an impossible name and for an unknown split."""
    bare, _, own = name.partition(":")
    if own and split and own != split:
        raise NucleateError(f"'{name}' and split '{split}' contradict each other")
    chosen = own or split or "train"
    if chosen not in SPLITS:
        raise NucleateError(f"unknown split '{chosen}'; known are {', '.join(SPLITS)}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", bare):
        raise NucleateError(f"'{bare}' cannot be the name of a dataset; use letters, digits, '-', '_' and '.'")
    return bare, chosen


def stem(name: str, split: str) -> str:
    """The name of a split's parquet file without its ending: ("mp-20", "test") -> "mp_20_test"."""
    return f"{name.replace('-', '_')}_{split}"
