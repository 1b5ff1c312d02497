"""What a candidate record may hold. Records come from files that anyone may have written: all of it is looked at."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nucleate.chem.elements import atomic_number
from nucleate.errors import NucleateError

DEEPEST = 60  # lists within lists; a structure within a provenance has ten
MOST_EV = 1000.0  # eV/atom: no interatomic potential says more of a crystal
MOST_DFT_EV = 1e6  # eV/atom: total energies of all electrons are large, that of oganesson about a million
LOWEST_RELATIVE = -20.0  # eV/atom: no compound lies so far below its elements, or below the hull


def _element(symbol: str) -> str:
    try:
        atomic_number(symbol)
    except NucleateError as error:
        raise ValueError(f"must be an element ({error})") from None
    return symbol


def _whole(value: float) -> float:
    if value != int(value):
        raise ValueError("must be a whole number of atoms")
    return value


Real = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]
Symbol = Annotated[str, AfterValidator(_element)]
Atoms = Annotated[Real, Field(gt=0, le=1e6), AfterValidator(_whole)]
Range = tuple[Real, Real]
Triple = Annotated[Sequence[Real], Field(min_length=3, max_length=3)]
Table = dict[str, Any]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class _Energy(_Strict):
    value: Real
    method: Text
    reference: str = ""


class _Check(_Strict):
    verdict: Literal["pass", "fail", "unknown"]
    reason: str = ""


class _Failure(_Strict):
    stage: Text
    code: Text
    reason: str


class _Language(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    read: list[str] = []
    not_read: str = Field("", alias="not read")


class _Template(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    formula: str
    id: str
    substitution: dict[str, str]
    distance: Real | None = None
    similarity: Real | None = None
    volume: Real | None = None


class _Fixed(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    lattice: Annotated[Sequence[Triple], Field(min_length=3, max_length=3)]
    species: Sequence[Symbol]
    frac_coords: Sequence[Triple]
    cell: str = ""
    species_at: Sequence[int] = ()
    coords: Sequence[int] = ()


class _Condition(BaseModel):
    """What a structure was, or is to be, drawn for: `generators.base.Condition`."""

    model_config = ConfigDict(strict=True, extra="allow")
    composition: Annotated[dict[Symbol, Atoms], Field(min_length=1)] | None = None
    chemical_system: Sequence[Symbol] | None = None
    num_atoms: Annotated[int, Field(ge=1)] | None = None
    space_group: Annotated[int, Field(ge=1, le=230)] | None = None
    properties: dict[str, Real] = {}
    text: str | None = None
    fixed: _Fixed | None = None
    lattice_shape: str | None = None
    contains: Sequence[Symbol] = ()
    exclude: Sequence[Symbol] = ()
    num_elements: Annotated[int, Field(ge=1)] | None = None
    pattern: str | None = None
    sites: dict[Symbol, int] | None = None


class _Family(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    name: Text
    structure_type: int
    elements: Sequence[Symbol]
    charges: Sequence[Real]
    score: Real


class _Heuristic(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")
    value: Real


class _Provenance(BaseModel):
    """The entries that stages, tables and reports build on; any others are kept as they are."""

    model_config = ConfigDict(strict=True, extra="allow")
    condition: _Condition = _Condition()
    properties: Table = {}
    wanted: dict[str, Annotated[Range, Field(strict=False)]] = {}
    predicted: dict[str, Real] = {}
    predicted_by: str = ""
    not_predicted: str = ""
    off_target: dict[str, Real] = {}
    objective: Real = 0.0
    no_objective: str = ""
    decomposition: str = ""
    correction: dict[str, Real] = {}
    why: list[str] = []
    relax: Table = {}
    second: Table = {}
    phonons: Table = {}
    dft: Table = {}
    family: _Family | Annotated[dict[str, Any], Field(max_length=0)] = {}
    heuristic: _Heuristic | Annotated[dict[str, Any], Field(max_length=0)] = {}
    language: _Language | Annotated[dict[str, Any], Field(max_length=0)] = {}
    template: _Template | None = None
    formula: str = ""
    rank: int = 1
    found: int = 0
    drawn: int = 0


class _Record(_Strict):
    id: Text
    seed: int = Field(ge=-(2**63), lt=2**64)
    structure: Table | None
    energies: dict[Text, _Energy]
    checks: dict[Text, _Check]
    failure: _Failure | None
    stages: list[Text]
    provenance: _Provenance
    composition: Annotated[dict[Symbol, Atoms], Field(min_length=1)] | None = None  # older records have none


def check_record(values: Mapping[str, Any]) -> None:
    """Raises NucleateError, one line, for a record that is not what `Candidate.to_dict` gives.

    The structure is looked at no further than that it is a dictionary or None.
    """
    try:
        _Record.model_validate(values)
    except ValidationError as error:
        raise NucleateError(f"not a candidate record: {_line(error)}") from None
    provenance = values["provenance"]
    if "predicted_by" not in provenance and (provenance.get("predicted") or provenance.get("wanted")):
        raise NucleateError("not a candidate record: provenance.predicted_by is missing")
    for name, energy in values["energies"].items():
        _check_energy(name, energy["value"], "dft" in provenance)
    _check_plain({k: v for k, v in values.items() if k != "structure"})


def _check_energy(name: str, value: float, by_dft: bool) -> None:
    most = MOST_DFT_EV if by_dft else MOST_EV
    least = LOWEST_RELATIVE if name.endswith(("e_form", "e_above_hull")) else -most
    if not least <= value <= most:
        raise NucleateError(
            f"energies.{name} of {value:.6g} eV/atom is beyond anything real ({least:g} to {most:g} eV/atom)"
        )


def _check_plain(values: Any, depth: int = 0) -> None:
    """Raises NucleateError for what cannot be written to a file again."""
    if depth > DEEPEST:
        raise NucleateError(f"not a candidate record: lists or tables within each other, more than {DEEPEST} deep")
    if isinstance(values, str):
        if not values.isascii() and any("\ud800" <= c <= "\udfff" for c in values):
            raise NucleateError("not a candidate record: a text in it is no valid Unicode")
    elif isinstance(values, Mapping):
        for key, value in values.items():
            _check_plain(key, depth + 1)
            _check_plain(value, depth + 1)
    elif isinstance(values, list | tuple):
        for value in values:
            _check_plain(value, depth + 1)


WORDS = {
    "string_type": "must be a text",
    "string_too_short": "must be a text that is not empty",
    "string_unicode": "must be a text of valid Unicode",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be a table (a dictionary)",
    "model_type": "must be a table (a dictionary)",
    "list_type": "must be a list",
    "tuple_type": "must be a list of two numbers",
    "too_short": "must not be empty",
    "literal_error": "must be pass, fail or unknown",
}  # pydantic's names of faults


def _line(error: ValidationError) -> str:
    """The first fault: where it stands, what would be right, and what stands there."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(p)[:40] for p in first["loc"] if p != "[key]")
    if first["type"] in ("missing", "extra_forbidden"):
        return f"{where} is missing" if first["type"] == "missing" else f"{where} is not known"
    said = WORDS.get(first["type"], first["msg"].removeprefix("Value error, ").replace("Input should", "must"))
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 40
    return f"{where} {said}, not {short.repr(first['input'])}"
