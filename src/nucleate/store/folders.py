"""Run folders: where one may begin, and what can go on."""

from __future__ import annotations

from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.files import check_writable
from nucleate.store.database import is_stillborn


def check_folder(out: Path, overwrite: bool) -> None:
    """Raises NucleateError where no run may begin: a file, a run (unless it is to be replaced), anything of others."""
    check_writable(out, folder=True)
    if not out.is_dir() or is_stillborn(out):
        return
    if not (out / "request.json").is_file():
        raise NucleateError(f"{out} is not empty and is no run of nucleate; choose another folder")
    if not overwrite:
        raise NucleateError(f"{out} holds a run already; use --resume {out}, --overwrite, or another folder")


def require_run(out: Path) -> None:
    """Raises NucleateError where there is no run that could go on."""
    if (out / "request.json").is_file():
        return
    if out.is_dir() and any(out.iterdir()) and is_stillborn(out):
        raise NucleateError(
            f"the run in {out} was stopped before its request was written: give the command that began it again"
        )
    raise NucleateError(f"there is no run to resume in {out} (no request.json)")
