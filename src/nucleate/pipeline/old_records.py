"""Candidate records of earlier versions, brought into today's form before they are checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nucleate.errors import Code

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


def upgraded(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record of any version in today's form. What is not as it should be stays, for the check that comes next."""
    failure = values.get("failure")
    if not isinstance(failure, str) or not failure:
        return values
    return {**values, "failure": _failure(failure)}


def _failure(text: str) -> dict[str, str]:
    """A failure that was written as one text, "stage: reason"."""
    stage, _, reason = text.partition(": ")
    copy = stage == "chemistry" and reason.startswith("same formula as ")
    return {
        "stage": stage,
        "code": str(Code.DUPLICATE if copy else CODES_OF_STAGES.get(stage, Code.ERROR)),
        "reason": reason,
    }
