"""Which known crystals the benchmarks of this folder let a method take from: never those that it is to find."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from nucleate.library import load_library

if TYPE_CHECKING:
    from nucleate.library import Library

TESTED = "mp-20:val,test"
KNOWN = {
    "others": "every crystal of the library that is not in MP-20's validation and test splits, nor like one of them",
    "train": "those of MP-20's training split alone, also if they are like one of the others",
}


def add_known(parser: argparse.ArgumentParser) -> None:
    """Add the option --known."""
    texts = "; ".join(f"{name}: {text}" for name, text in KNOWN.items())
    parser.add_argument("--known", choices=list(KNOWN), default="others", help=texts)


def known_crystals(name: str) -> Library:
    """The crystals that a value of --known means."""
    return load_library().only("mp-20:train") if name == "train" else load_library().hidden(dataset=TESTED)
