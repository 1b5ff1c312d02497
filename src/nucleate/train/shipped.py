"""Which trained weights there are: those of the package, by name and kind, and files. Nothing here loads torch."""

from __future__ import annotations

from pathlib import Path

from nucleate.errors import NucleateError


def weights_folder() -> Path:
    """Where the shipped weights lie."""
    return Path(__file__).parent.parent / "weights"


def weights_file(weights: str | Path) -> Path | None:
    """The file of a shipped name, or the file itself; None where there is neither."""
    shipped = weights_folder() / f"{weights}.safetensors"
    return next((path for path in (shipped, Path(weights)) if path.is_file()), None)


def shipped_weights(kind: str | None = None) -> list[str]:
    """Names of the shipped generators of crystals, or of the networks of a kind."""
    return sorted(p.stem for p in weights_folder().glob("*.safetensors") if _is_of(p, kind))


def require_weights(weights: str | Path, kind: str | None = None) -> Path:
    """The file of the weights; raises NucleateError, with the names there are of the kind, where there is none."""
    path = weights_file(weights)
    if path is None:
        raise NucleateError(f"no weights '{weights}'; shipped: {', '.join(shipped_weights(kind))}; or give a file")
    return path


def conditions_of(path: Path) -> set[str]:
    """Columns of data that the generator in a file can be asked for; empty for a file that says nothing of it."""
    import json

    try:
        conditions = json.loads(_metadata(path).get("recipe", "{}"))["network"]["condition_on"]
        return {name for name in conditions if isinstance(name, str)}
    except (ValueError, KeyError, TypeError):
        return set()


def _is_of(path: Path, kind: str | None) -> bool:
    metadata = _metadata(path)
    if metadata.get("nucleate") != "1":  # listed as a generator of crystals; loading it says what is wrong
        return kind is None
    return metadata.get("kind") == kind


def _metadata(path: Path) -> dict[str, str]:
    """What a file says of itself; empty where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}
