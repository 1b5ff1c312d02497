"""The one exception users meet, and the codes that say to a program what went wrong."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What went wrong, as a program may rely on it: codes stay, while the reasons that people read may be reworded.

    A code is the `code` of a `NucleateError` and of the `Failure` of a rejected candidate, and is written as its text.
    """

    ERROR = "error"
    """Anything that no other code names; the reason says what happened."""
    MEMORY = "memory"
    """There was too little memory for this one piece of work."""
    TIME_LIMIT = "time-limit"
    """The work took longer than its limit and was ended."""
    DIED = "died"
    """The process that worked on it ended twice without a result."""
    NOT_READ = "not-read"
    """A crystal of a file could not be read."""
    NO_FORMULA = "no-formula"
    """A text is not a formula."""
    NO_COMPOSITION = "no-composition"
    """The stage needs a composition, and there is none."""
    NO_STRUCTURE = "no-structure"
    """The stage needs a structure, and there is none."""
    NO_PROPOSAL = "no-proposal"
    """A language model gave no acceptable formula for it."""
    NO_TEMPLATE = "no-template"
    """No known crystal or crystal family (or fewer than asked for) has the ratio of the formula."""
    NOT_GENERATED = "not-generated"
    """The generator cannot make a structure of what it was asked for."""
    UNMET = "unmet"
    """It is not what was asked for, for instance because an element is missing."""
    CHEMISTRY = "chemistry"
    """The composition fails a chemistry check that rejects, such as neutral charges."""
    DUPLICATE = "duplicate"
    """An earlier candidate has the same formula."""
    GEOMETRY = "geometry"
    """The structure is impossible: atoms on top of each other, an absurd density or cell."""
    NOT_RELAXED = "not-relaxed"
    """The relaxation blew up or collapsed, or the potential cannot take the structure."""
    NOT_OPENED = "not-opened"
    """A tree search rejected it unseen, because others were more promising."""


class NucleateError(Exception):
    """Bad input or a missing resource; the command line prints it on one line and exits with 2.

    The text is one line that says what was wrong and what would be right. code: the same for programs.

    Example:
        >>> import nucleate
        >>> try:
        ...     nucleate.relax("absent.cif")
        ... except nucleate.NucleateError as error:
        ...     print(error)
        no file or folder absent.cif
    """

    def __init__(self, *args: object, code: str = Code.ERROR) -> None:
        super().__init__(*args)
        self.code = code


def reason_of(error: BaseException) -> str:
    """One line for an unexpected exception that costs one piece of work and not the whole: why it is missing."""
    text = _first_line(error)
    if _is_memory(error, text):
        return "not enough memory; use fewer --workers, or leave this one out"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def code_of(error: BaseException) -> str:
    """The code of an exception: its own if it is a `NucleateError`, else `Code.MEMORY` or `Code.ERROR`."""
    if isinstance(error, NucleateError):
        return error.code
    return Code.MEMORY if _is_memory(error, _first_line(error)) else Code.ERROR


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:200]


def _is_memory(error: BaseException, text: str) -> bool:
    return isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text.lower()


def code_or(error: BaseException, default: str) -> str:
    """The code of an exception, or `default` where it has none that says more than `Code.ERROR`."""
    code = code_of(error)
    return default if isinstance(error, NucleateError) and code == Code.ERROR else code
