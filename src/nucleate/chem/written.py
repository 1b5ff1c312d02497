"""Rewrites formulas as people type them in plain signs, and refuses what cannot be part of a formula.

Typesetting with one meaning is rewritten ("SrTiO₃", "Fe_2O_3", "Li½CoO2"). Charges, variables, names of phases and
letters of other alphabets are refused with a message that says what would be right.
"""
# ruff: noqa: RUF001 - signs of other alphabets are the subject

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError

ADDUCT = "·"
_PLAIN = re.compile(r"(?:[A-Z][a-z]?[0-9]*|[()][0-9]*)+")
_DOTS = str.maketrans(dict.fromkeys("·•⋅∙*×∗●・‧⸱", ADDUCT))
_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—−﹣－", "-"))
_BRACKETS = str.maketrans("[]{}", "()()")
_VULGAR = re.compile(r"(\d*)([¼-¾⅐-⅞])")
_SUBSCRIPT = re.compile(r"_\s*\{\s*([^{}]*?)\s*\}|_\s*(?=[\d.])|</?sub>|\$|\\(?:mathrm|text|rm|ce)\b")
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻"
_LATIN = dict(zip("АВСЕНІЈКМОРЅТХУаеосрхуіΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABCEHIJKMOPSTXYaeocpxyiABEZHIKMNOPTYXo", strict=True))
_AMOUNT = r"\d+(?:[./]\d+)?"
_VARIABLE = r"(?:[nmuvwxyzδε]|delta)"
_PHASE = re.compile(
    r"^\s*(?:[α-ω]'?|[Aa]lpha|[Bb]eta|[Gg]amma|[Dd]elta|[Ee]psilon|[Tt]heta|[Kk]appa|[a-z]|\d{1,2}[HRCT])-(?=[A-Z(\[])"
)
_LABEL = re.compile(r"\s*\(([a-zα-ω][^()]*)\)\s*$|(?<=[A-Za-z0-9)\]])[\s-]+((?!delta)[a-z][a-z -]{2,})$")
_CHARGED = re.compile(r"[+^]|[-]+$|-\d+$")
_ROMAN = re.compile(r"(?<=[A-Za-z0-9])\((?:[IVX]+)\)|I{2,}V?")  # Fe(III)2O3, FeIIIO
_OPEN_NUMBER = re.compile(rf"(?<=[A-Za-z0-9)\]}}])\s*[+±-]+\s*({_VARIABLE}|d)(?![a-z])|({_VARIABLE})\s*[+±-]\s*\d")
_PLACEHOLDERS = frozenset({"A", "M", "X", "R", "L", "Q", "Z", "E", "G", "J", "Ln", "RE", "Me", "Tr"})
_ABBREVIATIONS = {
    "YBCO": "YBa2Cu3O7", "BSCCO": "Bi2Sr2CaCu2O8", "KNN": "K0.5Na0.5NbO3", "BFO": "BiFeO3", "BBO": "BaB2O4",
    "KBBF": "KBe2BO3F2", "CIS": "CuInSe2", "BSCF": "Ba0.5Sr0.5Co0.8Fe0.2O3", "NBO": "NbO", "BCO": "BaCuO2",
}  # fmt: skip


def in_plain_signs(text: str) -> str:
    """The formula in Latin letters, digits, round brackets, "/" for fractions and "·" between the parts of an adduct.

    Raises NucleateError, which says what would be right, for charges, variables, names of phases, letters of other
    alphabets, and ratios without numbers.
    """
    if roman := _ROMAN.search(text):
        raise NucleateError(_of_ions(f"'{roman[0]}' is a charge in Roman numerals"))
    if _PLAIN.fullmatch(text):
        return text
    for letter in text:
        if letter in _LATIN:
            raise NucleateError(f"'{letter}' is a {_alphabet(letter)} letter; write the Latin {_LATIN[letter]}")
    if raised := [c for c in text if c in _RAISED]:
        raise NucleateError(_of_ions(f"'{raised[0]}' is a superscript, which is for charges and isotopes"))
    text = _SUBSCRIPT.sub(lambda m: m[1] or "", text)
    text = _VULGAR.sub(_improper, text)
    text = unicodedata.normalize("NFKC", text).replace("⁄", "/").translate(_DASHES).translate(_DOTS)
    if label := _PHASE.search(text):
        raise NucleateError(_of_phases(label[0].strip().rstrip("-"), text[label.end() :]))
    if label := _LABEL.search(text):
        raise NucleateError(_of_phases(label[1] or label[2], text[: label.start()]))
    if found := re.search(r"[□☐▢]|Vac?(?![a-z])", text):
        raise NucleateError(f"'{found[0]}' is a vacancy, which a formula leaves out")
    if re.search(r"\.\s*\.", text):
        raise NucleateError("there are two full stops beside each other")
    if re.search(r"\d,\d", text):
        raise NucleateError(f"write decimals with a point, not a comma: {text.strip().replace(',', '.')}")
    if found := re.search(r"\(([A-Z][A-Za-z0-9]*(?:\s*,\s*[A-Z][A-Za-z0-9]*)+)\)", text):
        first = found[1].partition(",")[0]
        raise NucleateError(f"'{found[0]}' leaves the ratio open; give numbers, as in ({first}0.5...)")
    text = re.sub(r"\s+x\s*(?=\d)", ADDUCT, text.strip())
    _refuse_signs(text)
    return re.sub(r"\s*/\s*", "/", _matched(text).translate(_BRACKETS).rstrip("."))


def looks_like_formula(text: str) -> bool:
    """Whether a text with a slash or a full stop is probably meant as a formula, and not as the name of a file.

    That is so if its letters are symbols of elements and variables, and its slashes belong to fractions: "Li1/2CoO2",
    "MgCl2.NH3", "Pb(Mg1/3Nb2/3)O3-x", but not "run1/2", "NaCl.cif" or "X.CIF".
    """
    if re.search(r"(?<!\d)/|/(?!\d)|\\|\.[A-Z]{3,}$", text):
        return False
    letters = re.findall(r"[A-Z][a-z]?|[a-z]+", text)
    return bool(letters) and all(
        word in SYMBOLS or (word[:1] in SYMBOLS and re.fullmatch(_VARIABLE, word[1:])) or re.fullmatch(_VARIABLE, word)
        for word in letters
    )


def with_joined_adducts(text: str) -> str:
    """A text in which the adducts are written without blanks and with the sign "·": "CuSO4 . 5H2O" and "CuSO4*5H2O"
    become "CuSO4·5H2O". Full stops within words and at the end of sentences stay as they are."""
    text = re.sub(r"(?<=[A-Za-z0-9)\]])\s*[·•⋅∙×]\s*(?=\d*\s?[A-Z(\[])", ADDUCT, text)
    text = re.sub(rf"(?<=[A-Za-z0-9)\]])(?:\s+[.x]\s+|\s*\*\s*)(?={_AMOUNT}\s?[A-Z(\[])", ADDUCT, text)
    text = re.sub(rf"(?<=[A-Z][a-z0-9)\]])\s+(?={_AMOUNT}\s?H2O\b)", ADDUCT, text)
    return re.sub(rf"(?<={ADDUCT})({_AMOUNT})\s(?=[A-Z(\[])", r"\1", text)


def fault_at(text: str, index: int) -> str:
    """What is wrong with a formula in plain signs at an index where there is no symbol, number or bracket."""
    found = re.match(_VARIABLE + r"(?![a-z])", text[index:])
    if found and index:
        return f"{found[0]} is a variable; put a number in its place"
    character = text[index]
    if character == ADDUCT:
        return "there is no compound on one side of a dot"
    if character.isascii() and character.isdigit():
        return "a number follows no element"
    if character == ":":
        return "':' is used for doped crystals; write the dopant with its number, such as Zn0.99Mn0.01S"
    return f"unexpected '{character}'" if character.isprintable() else "an unprintable character"


def why_no_element(symbol: str) -> str:
    """Why a symbol does not name an element."""
    if symbol in ("D", "T"):
        return f"'{symbol}' is not an element but an isotope of hydrogen; write H"
    if len(symbol) == 2 and symbol[0] in SYMBOLS and re.fullmatch(_VARIABLE, symbol[1]):
        return f"{symbol[1]} is a variable; put a number in its place"
    if symbol in _PLACEHOLDERS or (symbol[0] in "AMXRLQZ" and len(symbol) == 1):
        return f"'{symbol}' is not an element; if it stands for one, write that element"
    return f"'{symbol}' is not an element"


def refuse_abbreviation(text: str) -> None:
    """Raise NucleateError for abbreviations that look like formulas of other elements: YBCO, and Ac for acetate."""
    if "OAc" in text or "(Ac)" in text:
        raise NucleateError("Ac is actinium; acetate is C2H3O2")
    if meant := _ABBREVIATIONS.get(text.strip()):
        spaced = " ".join(text.strip())
        raise NucleateError(f"it is an abbreviation of {meant}; write that, or {spaced} if you mean these elements")


def _improper(match: re.Match[str]) -> str:
    value = Fraction(unicodedata.numeric(match[2])).limit_denominator(10) + int(match[1] or 0)
    return f"{value.numerator}/{value.denominator}"


def _alphabet(letter: str) -> str:
    return "Cyrillic" if "CYRILLIC" in unicodedata.name(letter) else "Greek"


def _of_ions(fault: str) -> str:
    return f"{fault}; a formula describes a neutral crystal and has no charges: NaCl, not Na+ or Cl-"


def _of_phases(label: str, rest: str) -> str:
    return f"'{label.strip()}' is not an element, and a formula has only elements: {rest.strip()}"


def _refuse_signs(text: str) -> None:
    """Raise NucleateError for the signs "+", "-" and "^", which mean variables, mixtures or charges."""
    if found := _OPEN_NUMBER.search(text):
        raise NucleateError(f"{found[1] or found[2]} is a variable; put a number in its place")
    if " + " in text:
        raise NucleateError("'+' means a mixture; an adduct is written with a dot: CuSO4·5H2O")
    if _CHARGED.search(text):
        raise NucleateError(_of_ions("it has a charge"))
    if "-" in text:
        raise NucleateError(
            "'-' does not belong in a formula; it is for chemical systems (Li-Fe-O), and an adduct is written with "
            "a dot"
        )


def _matched(text: str) -> str:
    """The text itself. Raises NucleateError if a bracket is closed by one of another kind."""
    pairs, stack = {")": "(", "]": "[", "}": "{"}, []
    for c in text:
        if c in "([{":
            stack.append(c)
        elif c in pairs and stack and stack.pop() != pairs[c]:
            raise NucleateError(f"'{c}' closes a bracket of another kind")
    return text
