"""Tables of objects by name (generators, potentials, ...): this package's own, and those that other packages add by
Python entry points.

Another package adds a generator with the name `lattices` by these lines in its pyproject.toml:

    [project.entry-points."nucleate.generators"]
    lattices = "nucleate_lattices:Lattices"

The package is imported only when that name is asked for. If that fails, a message of one line names the object and its
package, and everything else works as before. This package's own names cannot be replaced.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points, version
from typing import Any

from nucleate.errors import NucleateError

OWN_PACKAGE = "nucleate"
# What a plug-in may be called. With these characters a name cannot be confused with a file or with KIND:MODEL.
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class PluginEntry:
    """One entry of a `PluginTable`.

    target: where the object is, as "module:attribute". package, version: of the distribution that brings it.
    """

    name: str
    target: str
    package: str
    version: str

    @property
    def source(self) -> str:
        """The package and its version, for messages: "nucleate-lattices 0.1"."""
        return f"{self.package} {self.version}".strip()


@dataclass(frozen=True)
class PluginTable:
    """All objects of one kind by name, such as all generators.

    group: the group of entry points ("nucleate.generators"). noun: what one object is called in messages ("generator").
    own: this package's objects, name -> "module:attribute" or the object itself. reserved: gives further names that
    plug-ins must not have.
    """

    group: str
    noun: str
    own: dict[str, Any]
    reserved: Callable[[], Mapping[str, Any]] = dict

    def names(self) -> list[str]:
        """All names; this package's come first."""
        return [*self.own, *sorted(self._plugins())]

    def entries(self) -> list[PluginEntry]:
        """All entries; this package's come first. Nothing is imported."""
        return [*(_own_entry(n, t) for n, t in self.own.items()), *(p for _, p in sorted(self._plugins().items()))]

    def plugin(self, name: str) -> PluginEntry | None:
        """The plug-in of that name; None if there is none, or if the name is one of this package."""
        return self._plugins().get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self._plugins()

    def problems(self) -> list[str]:
        """One line for each plug-in that cannot be used because of its name. Nothing is imported."""
        return [text for _, text in self._refused()]

    def load(self, name: str) -> Any:
        """The object of that name. Raises NucleateError if there is none, or if it cannot be imported."""
        if name in self.own:
            target = self.own[name]
            return _import(target) if isinstance(target, str) else target
        entry = self.plugin(name)
        if entry is None:
            why = "".join(f"; {text}" for other, text in self._refused() if other == name)
            raise NucleateError(f"no {self.noun} '{name}'; known: {', '.join(self.names())}{why}")
        with self.errors_naming(entry):
            return _import(entry.target)

    def make(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Call the object of that name and return the result. Raises NucleateError as `load` does, and if a plug-in
        fails."""
        factory = self.load(name)
        entry = self.plugin(name)
        if entry is None:
            return factory(*arguments, **options)
        with self.errors_naming(entry):
            return factory(*arguments, **options)

    def errors_naming(self, entry: PluginEntry) -> _PluginErrors:
        """A context in which every exception becomes a NucleateError of one line that names the plug-in and its
        package."""
        return _PluginErrors(f"the {self.noun} '{entry.name}' of the package {entry.source}")

    def _plugins(self) -> dict[str, PluginEntry]:
        refused = {name for name, _ in self._refused()}
        return {e.name: _plugin_entry(e) for e in _entry_points(self.group, tuple(sys.path)) if e.name not in refused}

    def _refused(self) -> Iterator[tuple[str, str]]:
        """(name, why) of each plug-in whose name is malformed, or belongs to nucleate or to two packages."""
        entries = _entry_points(self.group, tuple(sys.path))
        if not entries:
            return
        taken = {*self.own, *self.reserved()}
        packages: dict[str, list[str]] = {}
        for entry in entries:
            packages.setdefault(entry.name, []).append(_plugin_entry(entry).source)
        for name, sources in packages.items():
            what = f"the {self.noun} '{name}' of the package {sources[0]} is left out"
            if not NAME.fullmatch(name):
                yield name, f"{what}: a name has letters, digits, '-' and '_', and begins with a letter"
            elif name in taken:
                yield name, f"{what}: nucleate has one of that name; its author has to choose another name"
            elif len(sources) > 1:
                yield name, f"{what}: {' and '.join(sources[1:])} has one of that name too; uninstall one of them"


class _PluginErrors:
    """A context that turns exceptions of a plug-in into a line that says which plug-in it was."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, NucleateError) or not isinstance(error, Exception):
            return
        message = " ".join(str(error).split())[:200]
        raise NucleateError(
            f"{self.what} cannot be used ({type(error).__name__}: {message}); fix or uninstall it"
        ) from error


@lru_cache(maxsize=16)
def _entry_points(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """The entry points of a group that other packages bring. path: sys.path, so that they are found anew if it
    changes."""
    return tuple(e for e in entry_points(group=group) if e.dist is None or e.dist.name != OWN_PACKAGE)


def _plugin_entry(entry: EntryPoint) -> PluginEntry:
    package = entry.dist.name if entry.dist is not None else "of unknown name"
    return PluginEntry(entry.name, entry.value, package, entry.dist.version if entry.dist is not None else "")


def _own_entry(name: str, target: Any) -> PluginEntry:
    return PluginEntry(name, target if isinstance(target, str) else repr(target), OWN_PACKAGE, version(OWN_PACKAGE))


def _import(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found
