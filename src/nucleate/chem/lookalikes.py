"""Characters that were typed in place of others that look alike: 0 for the letter O, O for 0, and 1 or I for the l of
chlorine.

The mistyped text is often a formula, too, but of another compound: SrTi03 is not meant as SrTi3, nor CaC12 as a
carbide. It is refused with a message that names both readings.
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
    """Raise NucleateError if a character of a formula was probably typed for another one that looks alike.

    text: a formula without adducts in plain signs; counts: its atoms. A number that begins with 0 is refused. In a
    formula without oxygen a number above 100 with a 0 inside is refused. In all other cases a text is refused only if
    its charges do not balance and those of the formula with the other character do.
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
    from nucleate.chem.capitals import with_spaces

    if (phase := _PHASE.search(text)) and _usual(base := text[: phase.start()]):
        raise NucleateError(f"it can be {base}, of which {phase[1]} is a phase, or {with_spaces(base)} {phase[1]}")
    other = _CHLORINE.sub("Cl", text)
    if other != text and _usual(other) and not _usual(text):
        raise NucleateError(f"it can be {other}, of chlorine, or {with_spaces(text)}; write the one that is meant")


def refuse_water(text: str) -> None:
    """Raise NucleateError for "H20" (with the digit 0) in place of water, in a formula in plain signs."""
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
    """Whether a text is a formula whose charges balance without rare charges."""
    from nucleate.chem.capitals import has_usual_charges
    from nucleate.chem.grammar import parse_with_fractions

    try:
        return has_usual_charges(parse_with_fractions(text))
    except NucleateError:
        return False
