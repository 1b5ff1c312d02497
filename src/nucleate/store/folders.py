"""Run folders: whether a new run may begin in a folder, and whether a folder holds a run that can be resumed."""

from __future__ import annotations

from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.files import check_writable
from nucleate.store.database import was_killed_before_request


def require_free_folder(out: Path, overwrite: bool) -> None:
    """Raises NucleateError where no run may begin: `out` is a file, holds a run (unless `overwrite`), or holds files
    that are not of a run of nucleate."""
    check_writable(out, folder=True)
    if not out.is_dir() or was_killed_before_request(out):
        return
    if not (out / "request.json").is_file():
        raise NucleateError(f"{out} is not empty and is no run of nucleate; choose another folder")
    if not overwrite:
        raise NucleateError(f"{out} holds a run already; use --resume {out}, --overwrite, or another folder")


def require_run(out: Path) -> None:
    """Raises NucleateError where `out` holds no run that can be resumed."""
    if (out / "request.json").is_file():
        return
    if out.is_dir() and any(out.iterdir()) and was_killed_before_request(out):
        raise NucleateError(
            f"the run in {out} was stopped before its request was written: give the command that began it again"
        )
    raise NucleateError(f"there is no run to resume in {out} (no request.json)")
