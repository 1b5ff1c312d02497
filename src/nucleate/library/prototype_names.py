"""Common names of structure types: minerals, symbols of the Strukturbericht and labels of AFLOW."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILE = Path(__file__).parent / "prototypes.tsv"
MOST_WORDS = 3  # of a name; longer ones describe a structure and do not name it


@dataclass(frozen=True)
class NamedPrototype:
    """A structure type.

    label: as in `KnownEntry.prototype`. aflow, strukturbericht, name: what others call it, "" where they do not.
    example: the formula of the crystal whose form this is.
    """

    label: str
    aflow: str
    strukturbericht: str
    name: str
    example: str


@cache
def named_prototypes() -> tuple[NamedPrototype, ...]:
    """All structure types of prototypes.tsv."""
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return tuple(NamedPrototype(*line.split("\t")) for line in lines[1:])


def labels_of_name(text: str) -> tuple[str, ...]:
    """The labels of the structure types that have this name ("spinel", "H1_1", "A2BC4_cF56_227_d_a_e"), in upper or
    lower case; () for an unknown one.

    A label is of all crystals with the same symmetry and sites: a few structure types of one label differ in lengths
    and free coordinates alone (marcasite and hydrophilite), and each name leads to all of them.
    """
    return prototype_names().get(_plain(text), ())


@cache
def prototype_names() -> dict[str, tuple[str, ...]]:
    """Every name in lower case, with spaces alone between its words -> labels."""
    out: dict[str, tuple[str, ...]] = {}
    for known in named_prototypes():
        for name in (known.aflow, known.strukturbericht, known.name):
            if name:
                labels = (*out.get(_plain(name), ()), known.label)
                out[_plain(name)] = tuple(dict.fromkeys(labels))
    return out


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[\s_()-]+", " ", text).casefold().split())


def names_of_label(label: str) -> tuple[str, ...]:
    """The short common names of a structure type, minerals for the most part: "ABC3_cP5_221_a_b_c" -> ("perovskite",).
    Of a longer name the part before a comma or colon; () for a structure type without a name. Several names are of
    several structure types with the same label."""
    return _names().get(label, ())


@cache
def _names() -> dict[str, tuple[str, ...]]:
    out: dict[str, tuple[str, ...]] = {}
    for known in named_prototypes():
        out[known.label] = tuple(
            dict.fromkeys((*out.get(known.label, ()), _short(known.name) or known.strukturbericht))
        )
    return {label: tuple(filter(None, names)) for label, names in out.items()}


def _short(name: str) -> str:
    """ "(Cubic) Perovskite" -> "perovskite", "Halite, Rock Salt" -> "halite"; "" for a name that is a description."""
    if "_" in name:  # a formula
        return ""
    plain = re.split(r"[,:]", re.sub(r"\([^)]*\)", " ", name))[0]
    words = [word.lower() if word[1:].islower() else word for word in plain.split()]
    return " ".join(words) if 0 < len(words) <= MOST_WORDS else ""
