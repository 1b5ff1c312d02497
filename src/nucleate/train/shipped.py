"""Which trained weights there are: those that the package ships, by name and kind, and a user's files. Nothing here
imports torch."""

from __future__ import annotations

from pathlib import Path

from nucleate.errors import NucleateError


def weights_folder() -> Path:
    """The folder of the weights that the package ships."""
    return Path(__file__).parent.parent / "weights"


def weights_file(weights: str | Path) -> Path | None:
    """The path of weights that are given by a shipped name or by the path of a file; None if there are no such ones."""
    shipped = weights_folder() / f"{weights}.safetensors"
    return next((path for path in (shipped, Path(weights)) if path.is_file()), None)


def shipped_weights(kind: str | None = None) -> list[str]:
    """Names of the shipped networks of a kind (`ModelInfo.kind`), sorted; None stands for generators of crystals."""
    return sorted(p.stem for p in weights_folder().glob("*.safetensors") if _is_of(p, kind))


def require_weights(weights: str | Path, kind: str | None = None) -> Path:
    """The path of weights that are given by a shipped name or by the path of a file.

    Raises NucleateError, with the shipped names of the kind, if there are no such weights.
    """
    path = weights_file(weights)
    if path is None:
        raise NucleateError(f"no weights '{weights}'; shipped: {', '.join(shipped_weights(kind))}; or give a file")
    return path


def conditions_of(path: Path) -> set[str]:
    """Names of the properties that a value can be asked for from the generator in a file; empty if the file names
    none."""
    import json

    try:
        conditions = json.loads(_metadata(path).get("recipe", "{}"))["network"]["condition_on"]
        return {name for name in conditions if isinstance(name, str)}
    except (ValueError, KeyError, TypeError):
        return set()


def _is_of(path: Path, kind: str | None) -> bool:
    metadata = _metadata(path)
    if metadata.get("nucleate") != "1":  # a damaged file is listed as a generator; loading it then says what is wrong
        return kind is None
    return metadata.get("kind") == kind


def _metadata(path: Path) -> dict[str, str]:
    """The metadata of a weights file; empty if it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
