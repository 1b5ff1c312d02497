"""The rows of a CIF's atom loop. Every row becomes one fully occupied site, or an error or remark that names the row.

The element is that of `_atom_site_type_symbol`, or else the beginning of the label (CIF core dictionary). If these
letters have two meanings, all elements that they can mean are kept, and the formula of the file decides later.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass

from nucleate.chem.elements import SYMBOLS
from nucleate.errors import NucleateError
from nucleate.io.cif.text import UNKNOWN, DataBlock

ELEMENTS = frozenset(SYMBOLS[:103])  # no crystal contains an element beyond lawrencium
# Two capitals that can be an element and just as well a group of atoms on one site.
GROUPS = {"CO": "carbon and oxygen", "NO": "nitrogen and oxygen", "HO": "a hydroxide", "HF": "hydrogen and fluorine"}
HYDROGEN = {"D": "deuterium", "T": "tritium", "2H": "deuterium", "3H": "tritium"}
# Labels of an oxygen with hydrogens: OH1, O-H, O1H, OW, O(W)2, Wat1, H2O
HYDROUS = re.compile(r"(O\d*[-_(.]*[HW]\d*\)?|Wat|Water|H2O|HOH)[^A-Za-z]*", re.IGNORECASE)
VACANT = ("va", "vac", "vacancy", "wat", "water", "oh", "ow")  # in a label beside an element: Na1Vac
OCCUPIED = 5e-4  # an occupancy that differs less from 1 is 1 except for rounding
FAR = 2.0  # larger fractional coordinates are unusual; they may be in angstrom
FARTHEST = 1000.0  # larger fractional coordinates are errors, such as a lost decimal point
COORDINATES = tuple(f"_atom_site_fract_{axis}" for axis in "xyz")


@dataclass(frozen=True)
class SiteRow:
    """A fully occupied site as it is in the file.

    elements: those that it can be, the most probable first. certain: whether the letters alone decide; otherwise the
    formula of the file must. position: fractional coordinates. multiplicity: of its orbit, None if the file does not
    give it. label: "" if the file has none.
    """

    name: str  # for messages: 'row 3 of the atom loop (O1)'
    elements: tuple[str, ...]
    certain: bool
    position: tuple[float, float, float]
    multiplicity: int | None = None
    label: str = ""


def rows_of(block: DataBlock) -> tuple[list[SiteRow], list[str]]:
    """The sites of a block and remarks on them; raises NucleateError for a row that cannot be a site."""
    missing = [tag for tag in COORDINATES if tag not in block.columns]
    if missing:
        if "_atom_site_cartn_x" in block.columns:
            raise NucleateError("the sites have Cartesian coordinates; fractional ones (_atom_site_fract_x) are needed")
        raise NucleateError(f"no sites (no {missing[0]})")
    count = len(block.columns[COORDINATES[0]])
    own = next((tags for tags in block.loops if COORDINATES[0] in tags), None)
    columns = {
        t: v
        for t, v in block.columns.items()
        if t.startswith("_atom_site_") and len(v) == count and (own is None or t in own)
    }
    split = [t for t in (*COORDINATES, *_READ_TAGS) if t in block.columns and t not in columns]
    if split:
        raise NucleateError(
            f"{split[0]} has {len(block.columns[split[0]])} values outside the loop of the {count} sites; it must be a "
            f"column of the loop that has {COORDINATES[0]}"
        )
    rows: list[SiteRow] = []
    remarks: list[str] = []
    for i in range(count):
        values = {tag: column[i].strip() for tag, column in columns.items()}
        label, symbol = values.get("_atom_site_label", ""), values.get("_atom_site_type_symbol", "")
        name = f"row {i + 1} of the atom loop ({label if label not in UNKNOWN else symbol or 'no label'})"
        if (reason := _not_an_atom(values)) is not None:
            remarks.append(f"{name} is left out: {reason}")
            continue
        _require_whole_atom(name, values)
        elements, certain, remark = _elements(name, label, symbol, columns)
        if remark:
            remarks.append(f"{name}: {remark}")
        x, y, z = (_coordinate(name, tag, values[tag]) for tag in COORDINATES)
        if max(map(abs, (x, y, z))) > FARTHEST:
            raise NucleateError(f"{name}: {max(map(abs, (x, y, z))):g} is not a fraction of the cell")
        if max(map(abs, (x, y, z))) > FAR:
            remarks.append(f"{name}: coordinates up to {max(map(abs, (x, y, z))):g}; are they fractions of the cell?")
        rows.append(SiteRow(name, elements, certain, (x, y, z), _multiplicity(values), label))
    if not rows:
        raise NucleateError(f"no sites are left; {remarks[0]}" if remarks else "no sites")
    if not any("H" in row.elements for row in rows):
        rows = [_doubtful_by_label(row) for row in rows]
    groups = {v for v in columns.get("_atom_site_disorder_group", []) if v.strip() not in (*UNKNOWN, "0")}
    if len(groups) > 1:
        raise NucleateError(
            f"the sites are in {len(groups)} disorder groups ({', '.join(sorted(groups))}); order the structure"
        )
    if any(group.strip().startswith("-") for group in groups):
        raise NucleateError(
            f"there are sites of disorder group {next(iter(groups))}, by which SHELX means atoms that are disordered "
            "around a symmetry element; order the structure"
        )
    if groups:
        remarks.append(f"only the disorder group {next(iter(groups))} is listed, with full occupancy")
    return rows, remarks


def _doubtful_by_label(row: SiteRow) -> SiteRow:
    """The row, marked as not certain if its label calls an oxygen water or hydroxide. For files without hydrogens."""
    if row.elements != ("O",) or not HYDROUS.fullmatch(row.label):
        return row
    return dataclasses.replace(row, certain=False)


_OCCUPANCY = "_atom_site_occupancy"
_MULTIPLICITY = ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity")
_HYDROGENS = "_atom_site_attached_hydrogens"
_READ_TAGS = ("_atom_site_label", "_atom_site_type_symbol", _OCCUPANCY, _HYDROGENS, *_MULTIPLICITY)


def cif_number(text: str) -> float:
    """The value of a number in a CIF, without its standard uncertainty "(5)". Raises ValueError for other texts."""
    match = re.fullmatch(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?:\(\d+\))?", text.strip())
    if match is None or not math.isfinite(value := float(match[1])):
        raise ValueError(text)
    return value


def not_a_number(what: str, text: str) -> NucleateError:
    """The error for a value that should be a number."""
    if text in UNKNOWN:
        return NucleateError(f"{what} is not given")
    if re.fullmatch(r"[+-]?\d*,\d+(\(\d+\))?", text):
        return NucleateError(f"{what} has a decimal comma ('{text}'); CIF needs a decimal point")
    return NucleateError(f"{what} is not a number ('{text}')")


def _coordinate(name: str, tag: str, text: str) -> float:
    fraction = re.fullmatch(r"([+-]?\d+)/([1-9]\d*)", text)
    if fraction:
        return int(fraction[1]) / int(fraction[2])
    try:
        return cif_number(text)
    except ValueError:
        raise not_a_number(f"{name}: {tag}", text) from None


def _not_an_atom(values: dict[str, str]) -> str | None:
    if values.get("_atom_site_calc_flag", "").lower() in ("dum", "dummy"):
        return "the file marks it as a dummy"
    try:
        empty = cif_number(values.get(_OCCUPANCY, "1")) == 0
    except ValueError:
        return None
    return "its occupancy is 0" if empty else None


def _require_whole_atom(name: str, values: dict[str, str]) -> None:
    """Raises NucleateError for a row without full occupancy ("." and "?" mean 1), or with implicit hydrogens."""
    text = values.get(_OCCUPANCY, "1")
    try:
        occupancy = 1.0 if text in UNKNOWN else cif_number(text)
    except ValueError:
        raise not_a_number(f"{name}: the occupancy", text) from None
    if abs(occupancy - 1) > OCCUPIED:
        kind = "partial occupancy" if occupancy < 1 else "an occupancy above 1"
        raise NucleateError(f"{name}: {kind} ({text}); nucleate order makes ordered cells")
    hydrogens = values.get(_HYDROGENS, "0")
    if hydrogens not in (*UNKNOWN, "0"):
        raise NucleateError(f"{name} has {hydrogens} attached hydrogens without coordinates; add them as sites")


def _multiplicity(values: dict[str, str]) -> int | None:
    text = next((values[t] for t in _MULTIPLICITY if values.get(t, "") not in UNKNOWN), "")
    return int(text) if text.isdigit() else None


def _elements(name: str, label: str, symbol: str, columns: dict[str, list[str]]) -> tuple[tuple[str, ...], bool, str]:
    """The elements that the row can be, whether the first is certain, and a remark."""
    if symbol not in UNKNOWN:
        elements, certain, remark = _elements_of_symbol(name, symbol, columns["_atom_site_type_symbol"])
        by_label = _elements_of_label(label)
        if not remark and len(by_label[0]) == 1 and by_label[1] and by_label[0] != elements:
            remark = f"the type symbol is {elements[0]}, but the label is {label}; the symbol is taken"
        return elements, certain, remark
    if label in UNKNOWN:
        raise NucleateError(f"{name} names no element")
    elements, certain = _elements_of_label(label)
    if not elements:
        raise NucleateError(f"{name}: '{label}' names no element; add a column _atom_site_type_symbol")
    letters = _letters(label)
    remark = f"{letters} is {HYDROGEN[letters]}, taken as hydrogen" if letters in HYDROGEN else ""
    return elements, certain, remark


def _elements_of_symbol(name: str, symbol: str, all_symbols: list[str]) -> tuple[tuple[str, ...], bool, str]:
    """As `_elements`, for a type symbol such as Na, NA, Na1+, O2-, D: the element and perhaps a charge or a number."""
    match = re.fullmatch(r"([23]H|[A-Za-z]{1,2})(\d*\.?\d*[+-]\d*\.?\d*|\d*)", symbol)
    letters = match[1] if match else ""
    if letters in HYDROGEN:
        return ("H",), True, f"{letters} is {HYDROGEN[letters]}, taken as hydrogen"
    isotope = re.fullmatch(r"(\d{1,3})([A-Z][a-z]?)", symbol)
    if isotope and isotope[2] in ELEMENTS and 1 <= int(isotope[1]) / (SYMBOLS.index(isotope[2]) + 1) <= 3:
        return (
            (isotope[2],),
            True,
            f"{symbol} is an isotope, taken as {isotope[2]}",
        )  # 7Li, 11B (neutron data)
    element = letters.capitalize()
    if element not in ELEMENTS:
        raise NucleateError(f"{name}: the type symbol '{symbol}' is not an element")
    if letters in GROUPS:
        in_capitals = any(re.fullmatch(r"[A-Z]{2}\W*\d*\W*", s) and s[:2] not in GROUPS for s in all_symbols)
        return (element,), in_capitals, ""
    return (element,), True, ""


def _letters(label: str) -> str:
    match = re.match(r"[A-Za-z]+", label)
    return match[0] if match else ""


def _elements_of_label(label: str) -> tuple[tuple[str, ...], bool]:
    """The elements that a label may mean (Fe1, O2A, MG1, OW, HO1), and whether the letters alone decide.

    They decide if they are just the symbol of one element, in its own spelling or in capitals with no other meaning.
    Further letters may name the site (CaM2) or further atoms (OH), so that the formula must decide.
    """
    letters = _letters(label)
    if re.match(r"(H2O|[NC]H\d)", label, re.IGNORECASE):  # a molecule on one site
        return (), False
    if letters in HYDROGEN:
        return ("H",), letters == "D"  # T just as often means a tetrahedral site
    if letters in ELEMENTS:  # W just as often means a water molecule
        return (letters,), letters != "W" and not _names_more(letters, label[len(letters) :])
    found = []
    if letters[:2].capitalize() in ELEMENTS and (letters[1:2].islower() or len(letters) == 2):
        found.append(letters[:2].capitalize())
    first = letters[:1].upper()
    if first in ELEMENTS and (letters[1:2].isupper() or letters.islower()):
        found.append(first)
    certain = len(found) == 1 and len(letters) == 2 and len(found[0]) == 2
    return tuple(found), certain and not _names_more(letters, label[len(letters) :])


def _names_more(element: str, rest: str) -> bool:
    """Whether the rest of a label, after its element, names further atoms on the site or vacancies.

    This is so for O1W, O-H, Na/K, Si1Al, Fe(Mg), S-O4, Na1Vac, but not for O1A, C1S, Fe_M1, Na(1), O2-.
    """
    for match in re.finditer(r"([^A-Za-z]*)([A-Za-z]+)(\d*)", rest):
        between, letters, number = match.groups()
        if letters.lower() in VACANT or (letters.upper() in ("H", "W", "D") and element in ("O", "N", "C")):
            return True
        if letters in ELEMENTS and (len(letters) == 2 or number or re.search(r"[/,+:&]", between)):
            return True
    return False
