"""The one exception users meet: a single line that says what was wrong and what would be right."""

from __future__ import annotations


class NucleateError(Exception):
    """Bad input or a missing resource; the command line prints it on one line and exits with 2."""


def reason_of(error: BaseException) -> str:
    """One line for an unexpected exception that costs one piece of work and not the whole: why it is missing."""
    text = next(iter(str(error).strip().splitlines()), "")[:200]
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower():
        return "not enough memory; use fewer --workers, or leave this one out"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
