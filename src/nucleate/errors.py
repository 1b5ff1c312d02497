"""The exception that users meet, and the codes by which a program can tell what went wrong."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """What went wrong, in a form that programs can rely on: codes stay the same from version to version, while the
    reasons that people read may be reworded.

    `NucleateError` and the `Failure` of a rejected candidate have a `code`; in files it is written as its text.
    """

    ERROR = "error"
    """Anything that no other code names; the reason says what happened."""
    MEMORY = "memory"
    """There was too little memory for this crystal or formula."""
    TIME_LIMIT = "time-limit"
    """The work took longer than its time limit and was stopped."""
    DIED = "died"
    """The worker process ended without a result, and so did the one that tried again."""
    NOT_READ = "not-read"
    """A crystal in a file could not be read."""
    NO_FORMULA = "no-formula"
    """A text is not a formula."""
    NO_COMPOSITION = "no-composition"
    """The stage needs a composition, and there is none."""
    NO_STRUCTURE = "no-structure"
    """The stage needs a structure, and there is none."""
    NO_PROPOSAL = "no-proposal"
    """The language model proposed no acceptable formula for this candidate."""
    NO_TEMPLATE = "no-template"
    """No known crystal or crystal family has the ratio of atoms of the formula, or fewer have than were asked for."""
    ENOUGH = "enough"
    """The search was told to stop, and the answers before this one are probable enough."""
    NOT_GENERATED = "not-generated"
    """The generator cannot make a structure that meets the request."""
    UNMET = "unmet"
    """The candidate does not meet the request, for instance because an element is missing."""
    CHEMISTRY = "chemistry"
    """The composition fails a chemical check that rejects candidates, such as charge neutrality."""
    DUPLICATE = "duplicate"
    """An earlier candidate has the same formula."""
    GEOMETRY = "geometry"
    """The structure is impossible: atoms overlap, or the density or the cell is absurd."""
    NOT_RELAXED = "not-relaxed"
    """The cell grew or shrank without limit in the relaxation, or the potential cannot compute the structure."""
    NOT_OPENED = "not-opened"
    """A tree search spent no computation on it, because other candidates were more promising."""


class NucleateError(Exception):
    """Bad input or a missing resource. The command line prints its text, one line, and exits with 2.

    The text says what was wrong and what would be right. code: what went wrong, for programs.

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
    """An unexpected exception in one line, for the record of the one crystal or formula whose result it prevented."""
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
    """The code of an exception; `default` for a `NucleateError` whose code is the general `Code.ERROR`."""
    code = code_of(error)
    return default if isinstance(error, NucleateError) and code == Code.ERROR else code
