"""Which trained weights there are: those that nucleate and other installed packages ship, by name and kind, and files
of a user. Nothing here imports torch.

Another package, such as nucleate-papers, brings models by an entry point that names a function, which gives the folder
of the weights (NAME.safetensors) and cards (NAME.md):

    [project.entry-points."nucleate.weights"]
    papers = "nucleate_papers:weights_folder"
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nucleate.errors import NucleateError
from nucleate.plugins import PluginEntry, PluginTable
from nucleate.train.papers import PACKAGE, PAPERS, SERIES, fits, how_to_install

WEIGHTS = PluginTable("nucleate.weights", "folder of weights", {"nucleate": "nucleate.train.shipped:weights_folder"})


@dataclass(frozen=True)
class OtherModels:
    """The models of other packages. Nothing of it is an error until somebody asks for what is missing.

    files: name -> weights file. sources: name -> its package and version. left_out: name of a model -> why it is not
    among them. unusable: package -> why none of its models is.
    """

    files: Mapping[str, Path]
    sources: Mapping[str, str]
    left_out: Mapping[str, str]
    unusable: Mapping[str, str]

    @property
    def problems(self) -> list[str]:
        """One line for each package and model that cannot be used."""
        return [*WEIGHTS.problems(), *self.unusable.values(), *self.left_out.values()]


def weights_folder() -> Path:
    """The folder of the weights that nucleate itself ships."""
    return Path(__file__).parent.parent / "weights"


def folder_of(entry: PluginEntry) -> Path:
    """The folder of weights that an entry of the table stands for. Raises NucleateError where there is none, and for a
    nucleate-papers of another version."""
    if entry.package == PACKAGE and not fits(entry.version):
        raise NucleateError(
            f"{entry.source} does not belong to nucleate {SERIES}; run: pip install '{PACKAGE}=={SERIES}.*'"
        )
    with WEIGHTS.errors_naming(entry):
        folder = Path(WEIGHTS.make(entry.name))
        if not folder.is_dir():
            raise NucleateError(f"the package {entry.source} has no folder {folder} of weights; install it again")
    return folder


def other_models() -> OtherModels:
    """The models of the installed packages that bring some."""
    unusable: dict[str, str] = {}
    brought: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
    for entry in _entries():
        try:
            for path in _files_in(folder_of(entry)):
                brought[path.stem].append((entry.source, path))
        except NucleateError as error:
            unusable[entry.package] = str(error)
    own = {path.stem for path in _files_in(weights_folder())}
    left_out: dict[str, str] = {}
    for name, found in brought.items():
        sources = " and ".join(source for source, _ in found)
        if name in own:
            left_out[name] = f"the model '{name}' of {sources} is not used, because nucleate has one of that name"
        elif len(found) > 1:
            left_out[name] = f"there are two models '{name}', of {sources}; uninstall one of these packages"
    kept = {name: found[0] for name, found in brought.items() if name not in left_out}
    files = {name: path for name, (_, path) in kept.items()}
    return OtherModels(files, {name: source for name, (source, _) in kept.items()}, left_out, unusable)


def papers_entry() -> PluginEntry | None:
    """The entry of the installed package nucleate-papers; None where it is not installed."""
    return next((entry for entry in _entries() if entry.package == PACKAGE), None)


def weights_file(weights: str | Path) -> Path | None:
    """The path of weights that are given by a shipped name or by the path of a file; None if there are no such ones."""
    own = weights_folder() / f"{weights}.safetensors"
    if own.is_file():
        return own
    path = other_models().files.get(str(weights), Path(weights))
    return path if path.is_file() else None


def shipped_weights(kind: str | None = None) -> list[str]:
    """Names of the installed networks of a kind (`ModelInfo.kind`), sorted: first those of nucleate, then those of
    other packages. None stands for generators of crystals."""
    own, others = {path.stem: path for path in _files_in(weights_folder())}, other_models().files
    return [name for files in (own, others) for name in sorted(files) if _is_of(files[name], kind)]


def require_weights(weights: str | Path, kind: str | None = None) -> Path:
    """The path of weights that are given by a shipped name or by the path of a file.

    Raises NucleateError if there are no such weights: with the command that installs nucleate-papers if they are in
    that package, else with the shipped names of the kind.
    """
    path = weights_file(weights)
    if path is None:
        require_brought(weights)
        more = "" if papers_entry() else f"; more with: {how_to_install()}"
        names = ", ".join(shipped_weights(kind))
        raise NucleateError(f"no weights '{weights}'; shipped: {names}{more}; or give a file")
    return path


def require_brought(weights: str | Path) -> None:
    """Raise NucleateError for a model that an installed package or nucleate-papers has and that cannot be used, with
    what to do about it. Other names that do not exist are not looked at."""
    name = str(weights)
    if weights_file(name) is not None:
        return
    others = other_models()
    if name in others.left_out:
        raise NucleateError(f"{others.left_out[name]}, or give the path of the file")
    if name in PAPERS:
        raise NucleateError(f"the model '{name}' is in the package {PACKAGE}, {_state_of_papers(others)}")


def papers_hint(names: Iterable[str]) -> str:
    """Which of these models of nucleate-papers are not here, with the command that brings them; "" if none is missing.
    To be appended to a message."""
    missing = [name for name in names if weights_file(name) is None]
    return f"; the package {PACKAGE} has {', '.join(missing)}: {how_to_install()}" if missing else ""


def _state_of_papers(others: OtherModels) -> str:
    """Why a model of nucleate-papers is not here, and the command that brings it."""
    refused = [text for text in WEIGHTS.problems() if PACKAGE in text]
    if said := others.unusable.get(PACKAGE, "".join(refused[:1])):
        return f"which cannot be used: {said}"
    if (entry := papers_entry()) is None:
        return f"which is not installed; run: {how_to_install()}"
    return f"but {entry.source} lacks it; run: {how_to_install()} --force-reinstall --no-deps"


def _entries() -> list[PluginEntry]:
    """The entry points of other packages."""
    return [entry for name in WEIGHTS.names() if (entry := WEIGHTS.plugin(name)) is not None]


def _files_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


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
