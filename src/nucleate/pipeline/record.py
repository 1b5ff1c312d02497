"""Reading candidate records. They come from files that anyone may have written, so every field is checked."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nucleate.chem.elements import atomic_number
from nucleate.errors import NucleateError
from nucleate.io.write import json_default
from nucleate.pipeline.old_records import upgraded
from nucleate.pipeline.origin import Origin, Wanted
from nucleate.pipeline.state import FACTS
from nucleate.pipeline.typed import VERSION

T = TypeVar("T")
MAX_NESTING = 60  # levels of lists within lists; a structure within a provenance has ten
MAX_EV = 1000.0  # eV/atom; energies of interatomic potentials are smaller
MAX_DFT_EV = 1e6  # eV/atom; total energies of all electrons are large, that of oganesson about a million
LOWEST_RELATIVE = -20.0  # eV/atom; no compound lies so far below its elements, or below the hull


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


class _Fixed(_Strict):
    lattice: Annotated[Sequence[Triple], Field(min_length=3, max_length=3)]
    species: Sequence[Symbol]
    frac_coords: Sequence[Triple]
    cell: str = ""
    species_at: Sequence[int] = ()
    coords: Sequence[int] = ()


class _Condition(_Strict):
    """The fields of `generators.base.Condition`."""

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


class _Wanted(_Strict):
    condition: _Condition | None = None
    label: str = ""
    rank: Annotated[int, Field(ge=1)] = 1


class _Record(_Strict):
    """A record. Fields of the type Table are checked later, as the dataclasses that they become (`pipeline.typed`)."""

    version: int
    id: Text
    seed: int = Field(ge=-(2**63), lt=2**64)
    structure: Table | None
    energies: dict[Text, _Energy]
    checks: dict[Text, _Check]
    failure: _Failure | None
    stages: list[Text]
    provenance: Table
    composition: Annotated[dict[Symbol, Atoms], Field(min_length=1)] | None = None  # older records have none
    wanted: _Wanted = _Wanted()
    origin: Table = {}
    fixed: list[Any] = []
    meets: list[str] = []
    twin_of: str = ""
    relaxation: Table | None = None
    hull: Table | None = None
    novelty: Table | None = None
    second: Table | None = None
    predicted: Table | None = None
    formula_score: Table | None = None
    objective: Table | None = None
    frequency: Table | None = None
    vote: Table | None = None
    phonons: Table | None = None
    dft: Table | None = None


def fields_of_record(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Candidate` from a record of any version; structure, energies and checks are still plain values.

    Raises NucleateError, one line, for a record that is not of the form that `Candidate.to_dict` gives, or gave in an
    earlier version. Of the structure only the type is checked, a dictionary or None.
    """
    _check_plain({k: v for k, v in values.items() if k != "structure"})
    values = upgraded(values)
    _check_version(values.get("version"))
    _validated(_Record, values)
    for name, energy in values["energies"].items():
        _check_energy(name, energy["value"], values.get("dft") is not None)
    out = {k: v for k, v in values.items() if k != "version"}
    composition = values.get("composition")
    out |= {
        "stages": tuple(values["stages"]),
        "composition": {k: int(n) for k, n in composition.items()} if composition is not None else None,
        "wanted": _wanted(values.get("wanted", {})),
        "origin": _typed("origin", Origin, values.get("origin", {})),
        "fixed": tuple(values.get("fixed", ())),
        "meets": tuple(values.get("meets", ())),
    }
    for name, kind in FACTS.items():
        if values.get(name) is not None:
            out[name] = _typed(name, kind, values[name])
    if out.get("origin") is not None and out["origin"].family is not None:
        _validated(_Elements, {"elements": list(out["origin"].family.elements)})
    return out


class _Elements(_Strict):
    elements: Sequence[Symbol]


def _wanted(values: Mapping[str, Any]) -> Wanted:
    from nucleate.generators.conditions import condition_from_dict

    condition = values.get("condition")
    if condition is None:
        return Wanted(**values)
    counts = condition.get("composition")
    if counts is not None:
        condition = {**condition, "composition": {k: int(n) for k, n in counts.items()}}
    return Wanted(**{**values, "condition": condition_from_dict(condition)})


def _check_version(version: Any) -> None:
    if type(version) is int and version > VERSION:
        raise NucleateError(
            f"a candidate record of version {str(version)[:20]}, but this nucleate reads versions up to {VERSION};"
            " install a newer nucleate"
        )


def _validated(model: type[BaseModel], values: Mapping[str, Any]) -> None:
    try:
        model.model_validate(values)
    except ValidationError as error:
        raise NucleateError(f"not a candidate record: {_line(error)}") from None


def _typed(name: str, kind: type[T], values: Any) -> T:
    """A value of the dataclass `kind` whose fields all have the right types. It is validated as JSON, where pydantic
    takes a list for a tuple."""
    try:
        adapter: TypeAdapter[T] = _adapter(cast(Any, kind))
        return adapter.validate_json(json.dumps(values, default=json_default), strict=True)
    except ValidationError as error:
        raise NucleateError(f"not a candidate record: {_line(error, name)}") from None


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _check_energy(name: str, value: float, by_dft: bool) -> None:
    most = MAX_DFT_EV if by_dft else MAX_EV
    least = LOWEST_RELATIVE if name.endswith(("e_form", "e_above_hull")) else -most
    if not least <= value <= most:
        raise NucleateError(
            f"energies.{name} of {value:.6g} eV/atom is beyond anything real ({least:g} to {most:g} eV/atom)"
        )


def _check_plain(values: Any, depth: int = 0) -> None:
    """Raises NucleateError for values that could not be written to a file again."""
    if depth > MAX_NESTING:
        raise NucleateError(f"not a candidate record: lists or tables within each other, more than {MAX_NESTING} deep")
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


FAULTS = {
    "string_type": "must be a text",
    "string_too_short": "must be a text that is not empty",
    "string_unicode": "must be a text of valid Unicode",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "dict_type": "must be a table (a dictionary)",
    "dataclass_type": "must be a table (a dictionary)",
    "model_type": "must be a table (a dictionary)",
    "list_type": "must be a list",
    "tuple_type": "must be a list of two numbers",
    "too_short": "must not be empty",
    "literal_error": "must be pass, fail or unknown",
}  # pydantic's name of a fault -> what the message says


def _line(error: ValidationError, within: str = "") -> str:
    """A message about the first fault: its place in the record, what would be right, and what is there.

    within: the field of the record that was validated; "" for the whole record.
    """
    first = error.errors(include_url=False, include_context=False)[0]
    loc = (within, *first["loc"]) if within else first["loc"]
    where = ".".join(str(p)[:40] for p in loc if p != "[key]")
    if first["type"] in ("missing", "extra_forbidden", "unexpected_keyword_argument"):
        return f"{where} is missing" if first["type"] == "missing" else f"{where} is not known"
    said = FAULTS.get(first["type"], first["msg"].removeprefix("Value error, ").replace("Input should", "must"))
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 40
    return f"{where} {said}, not {short.repr(first['input'])}"
