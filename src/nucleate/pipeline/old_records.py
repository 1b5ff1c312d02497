"""Converts candidate records of earlier versions into today's form, before they are checked.

Records without a version had in "provenance" what typed fields hold now, and a failure as one text, "stage: reason".
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from nucleate.errors import Code
from nucleate.pipeline.origin import FamilyMember, LanguageModelUse, TemplateMatch
from nucleate.pipeline.state import DftCalculation, FormulaScore, Phonons, Relaxation

CODES_OF_STAGES = {
    "read": Code.NOT_READ,
    "formula": Code.NO_FORMULA,
    "propose": Code.NO_PROPOSAL,
    "compose": Code.UNMET,
    "chemistry": Code.CHEMISTRY,
    "template": Code.NO_TEMPLATE,
    "prototype": Code.NO_TEMPLATE,
    "generate": Code.NOT_GENERATED,
    "check": Code.GEOMETRY,
    "relax": Code.NOT_RELAXED,
    "width": Code.NOT_OPENED,
    "beam": Code.NOT_OPENED,
}  # the code of most failures at a stage
SAME_AS = "same as "  # the reason of a failed check "unique" began with it


def upgraded(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record of any version in today's form. Wrong values are left as they are: the record is checked afterwards."""
    if "version" in values:
        return values
    out = {**values, "version": 2}
    failure = values.get("failure")
    if isinstance(failure, str) and failure:
        out["failure"] = _failure(failure)
    unique = (values.get("checks") or {}).get("unique") if isinstance(values.get("checks"), Mapping) else None
    reason = unique.get("reason") if isinstance(unique, Mapping) else None
    if isinstance(reason, str) and reason.startswith(SAME_AS):
        out["twin_of"] = reason.removeprefix(SAME_AS)
    if isinstance(values.get("provenance"), Mapping):
        out |= _from_provenance(dict(values["provenance"]))
    return out


def version_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """Today's record of a candidate that no stage has changed, as the first version wrote it, with keys in that order.
    Part files of the first version identify their candidates by it (`store.part`)."""
    wanted, origin, failure = record.get("wanted", {}), record.get("origin", {}), record["failure"]
    file = origin.get("file", {})
    own = {
        "generator": "file" if file else None,
        "file": file.get("file"),
        "row": file.get("row"),
        "properties": file.get("properties"),
        "fixed": record.get("fixed"),
        "id_in_file": file.get("id"),
        "formula": wanted.get("label"),
        "rank": wanted.get("rank"),
        "condition": wanted.get("condition"),
    }
    return {
        **{key: record[key] for key in ("id", "seed", "structure", "energies", "checks")},
        "failure": f"{failure['stage']}: {failure['reason']}" if failure else None,
        "stages": record["stages"],
        "provenance": {**{k: v for k, v in own.items() if v is not None}, **record["provenance"]},
        "composition": record["composition"],
    }


def _failure(text: str) -> dict[str, str]:
    """A failure that was written as one text, "stage: reason"."""
    stage, _, reason = text.partition(": ")
    copy = stage == "chemistry" and reason.startswith("same formula as ")
    return {
        "stage": stage,
        "code": str(Code.DUPLICATE if copy else CODES_OF_STAGES.get(stage, Code.ERROR)),
        "reason": reason,
    }


def _from_provenance(old: dict[str, Any]) -> dict[str, Any]:
    """The typed fields that a provenance held, and "provenance" with the rest."""
    predicted = {
        "by": old.pop("predicted_by", None),
        "values": old.pop("predicted", None),
        "missing": old.pop("not_predicted", None),
        "wanted": old.pop("wanted", None),
        "off_target": old.pop("off_target", None),
    }
    out = {
        "wanted": _given(
            condition=old.pop("condition", None), label=old.pop("formula", None), rank=old.pop("rank", None)
        ),
        "origin": _origin(old),
        "fixed": old.pop("fixed", None),
        "meets": old.pop("why", None),
        "hull": _given(decomposition=old.pop("decomposition", None), correction=old.get("correction")),
        "predicted": _given(**predicted),
        "objective": _given(value=old.pop("objective", None), missing=old.pop("no_objective", None)),
        "frequency": _given(found=old.pop("found", None), drawn=old.pop("drawn", None)),
        "formula_score": _picked(old, "heuristic", FormulaScore),
        "phonons": _picked(old, "phonons", Phonons),
        "relaxation": _relaxation(old, "relax"),
        "second": _second(old),
        "dft": _dft(old),
    }
    old.pop("correction", None)
    return {**{k: v for k, v in out.items() if v is not None}, "provenance": old}


def _origin(old: dict[str, Any]) -> dict[str, Any] | None:
    language = old.get("language")
    if isinstance(language, Mapping) and "not read" in language:
        old["language"] = {("not_read" if k == "not read" else k): v for k, v in language.items()}
    generator = old.pop("generator", None)
    member = _given(set=old.get("set"), name=old.get("name"), content=old.get("content"))
    if member is not None and len(member) == 3:
        for name in member:
            old.pop(name)
    else:
        member = None
    file = _given(
        file=old.pop("file", None),
        row=old.pop("row", None),
        id=old.pop("id_in_file", None),
        properties=old.pop("properties", None),
    )
    return _given(
        generator=None if generator == "file" else generator,
        template=_picked(old, "template", TemplateMatch),
        family=_picked(old, "family", FamilyMember),
        language=_picked(old, "language", LanguageModelUse),
        file=file,
        member=member,
    )


def _relaxation(old: dict[str, Any], key: str) -> Any:
    record = old.get(key)
    if not isinstance(record, Mapping):
        return old.pop(key, None)
    record = dict(record)
    if record.pop("elements", None) is not None:
        record["elements_known"] = False
    if "last_frame" in record:
        old["last_frame"] = record.pop("last_frame")
    old[key] = record
    return _picked(old, key, Relaxation)


def _second(old: dict[str, Any]) -> Any:
    record = old.get("second")
    if not isinstance(record, Mapping):
        return old.pop("second", None)
    old["second"] = {k: v for k, v in record.items() if k != "correction"}
    return _given(relaxation=_relaxation(old, "second") or {}, correction=record.get("correction"))


def _dft(old: dict[str, Any]) -> Any:
    record = old.pop("dft", None)
    if not isinstance(record, Mapping):
        return record
    names = {f.name for f in dataclasses.fields(DftCalculation)}
    details = {k: v for k, v in record.items() if k not in names}
    return {**{k: v for k, v in record.items() if k in names}, **({"details": details} if details else {})}


def _given(**values: Any) -> dict[str, Any] | None:
    """The values that are not None, or None if there are none."""
    return {k: v for k, v in values.items() if v is not None} or None


def _picked(old: dict[str, Any], key: str, kind: type[Any]) -> Any:
    """The values of a key for which `kind` has fields; the others stay in the provenance."""
    record = old.pop(key, None)
    if not isinstance(record, Mapping) or not record:
        return record or None
    names = {f.name for f in dataclasses.fields(kind)}
    if rest := {k: v for k, v in record.items() if k not in names}:
        old[key] = rest
    return {k: v for k, v in record.items() if k in names}
