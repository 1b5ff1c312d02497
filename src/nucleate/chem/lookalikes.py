"""Signs that are typed for others that look alike: 0 for the letter O, O for 0, and 1 or I for the l of chlorine.

Such a text is often a formula of other elements: SrTi03 is not SrTi3, nor CaC12 a carbide. It is refused with both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nucleate.errors import NucleateError

_LEADING = re.compile(r"(?<![\d./])0(?=\d)")  # SrTi03
_WITHIN = re.compile(r"(?<![\d./])([1-9]\d*)0([1-9]\d*)(?![\d./])")  # Fe203
_WATER = re.compile(r"(^\d*|\(|[.·]\s*\d*)H20(?=\)|$|\s*·)")  # (H20)6, CuSO4.5H20
_ELEMENT = re.compile(r"[A-Z][a-z]?[1-9]?0")  # Li20
_LETTER = re.compile(r"(?<=[A-Za-z)])O(?=\.\d)")  # LaO.7SrO.3MnO3
_CHLORINE = re.compile(r"(?<=[A-Za-z0-9)])C(?:I|1)(?![a-z./])")  # CaC12, TiCI4
_PHASE = re.compile(r"\s*\(([A-Z])\)$")  # TiO2(B)


def refuse_lookalikes(text: str, counts: Mapping[str, Any]) -> None:
    """Raises NucleateError where a plain formula without adducts rather has another sign than stands there.

    counts: its atoms. A number that begins with a zero is refused, and one above a hundred that has a zero within,
    where the formula has no oxygen; elsewhere charges decide, which must balance with the other sign alone.
    """
    if _LEADING.search(text):
        raise NucleateError(
            f"a number begins with a zero; write {_LEADING.sub('O', text)} with the letter O for oxygen, or "
            f"{_LEADING.sub('', text)}"
        )
    if "O" not in counts:
        if _WITHIN.search(text):
            _refuse(_WITHIN.sub(r"\1O\2", text), _WITHIN.sub(r"\g<0>.0", text))
        if _ELEMENT.fullmatch(text) and _usual(f"{text[:-1]}O"):
            _refuse(f"{text[:-1]}O", f"{text}.0")
    elif _LETTER.search(text) and len(re.findall(r"O(?![a-z])", text)) > 1:
        raise NucleateError(f"it can be {_LETTER.sub('0', text)} with the digit 0, or with oxygen {_spelt(text)}")
    from nucleate.chem.capitals import spaced

    if (phase := _PHASE.search(text)) and _usual(base := text[: phase.start()]):
        raise NucleateError(f"it can be {base}, of which {phase[1]} is a phase, or {spaced(base)} {phase[1]}")
    other = _CHLORINE.sub("Cl", text)
    if other != text and _usual(other) and not _usual(text):
        raise NucleateError(f"it can be {other}, of chlorine, or {spaced(text)}; write the one that is meant")


def refuse_water(text: str) -> None:
    """Raises NucleateError for H20 where water stands, in a plain formula with its adducts."""
    if _WATER.search(text):
        _refuse(_WATER.sub(r"\1H2O", text), _WATER.sub(r"\1H20.0", text))


def _refuse(oxide: str, exact: str) -> None:
    raise NucleateError(
        f"it can be {oxide} with the letter O, or {exact} with the digit 0; write the one that is meant"
    )


def _spelt(text: str) -> str:
    """The text with O0.7 in place of O.7."""
    return re.sub(r"(?<=O)(?=\.\d)", "0", text)


def _usual(text: str) -> bool:
    """Whether it is a formula whose ions, of charges that are no rarity, balance."""
    from nucleate.chem.capitals import usual
    from nucleate.chem.grammar import counts_of

    try:
        return usual(counts_of(text))
    except NucleateError:
        return False
