"""Tables of parts by name: those of this package, and those that other packages bring by Python entry points.

Another package brings a generator of the name `lattices` with these lines of its pyproject.toml:

    [project.entry-points."nucleate.generators"]
    lattices = "nucleate_lattices:Lattices"

Nothing of it is imported before somebody asks for that name. A part that cannot be imported is reported in one line
that names it and its package, and takes nothing else along. Names of this package's own parts cannot be replaced.
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
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # of a plug-in: it can be taken for no file and no KIND:MODEL


@dataclass(frozen=True)
class Part:
    """A part that can be asked for by name.

    target: "module:attribute". package, version: of the distribution that brings it.
    """

    name: str
    target: str
    package: str
    version: str

    @property
    def source(self) -> str:
        """Its package and version, for messages: "nucleate-lattices 0.1"."""
        return f"{self.package} {self.version}".strip()


@dataclass(frozen=True)
class PluginTable:
    """The parts of one kind, by name.

    group: of the entry points. noun: of one part, in messages. own: name -> "module:attribute" (or the object itself)
    of what this package brings. reserved: further names that plug-ins must not take.
    """

    group: str
    noun: str
    own: dict[str, Any]
    reserved: Callable[[], Mapping[str, Any]] = dict

    def names(self) -> list[str]:
        """All names, this package's first."""
        return [*self.own, *sorted(self._plugins())]

    def parts(self) -> list[Part]:
        """What there is, this package's parts first; nothing is imported."""
        return [*(_own_part(n, t) for n, t in self.own.items()), *(p for _, p in sorted(self._plugins().items()))]

    def plugin(self, name: str) -> Part | None:
        """The plug-in of that name; None where there is none, or the name is of this package."""
        return self._plugins().get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.own or name in self._plugins()

    def problems(self) -> list[str]:
        """One line for each plug-in that is refused because of its name; nothing is imported."""
        return [text for _, text in self._refused()]

    def load(self, name: str) -> Any:
        """The object of that name. Raises NucleateError, in one line, where there is none or it cannot be imported."""
        if name in self.own:
            target = self.own[name]
            return _import(target) if isinstance(target, str) else target
        part = self.plugin(name)
        if part is None:
            said = "".join(f"; {text}" for other, text in self._refused() if other == name)
            raise NucleateError(f"no {self.noun} '{name}'; known: {', '.join(self.names())}{said}")
        with self.blamed(part):
            return _import(part.target)

    def make(self, name: str, *arguments: Any, **options: Any) -> Any:
        """What the object of that name gives when it is called. Raises NucleateError as `load`."""
        factory = self.load(name)
        part = self.plugin(name)
        if part is None:
            return factory(*arguments, **options)
        with self.blamed(part):
            return factory(*arguments, **options)

    def blamed(self, part: Part) -> _Blamed:
        """A context in which any exception becomes one line that names the plug-in and its package."""
        return _Blamed(f"the {self.noun} '{part.name}' of the package {part.source}")

    def _plugins(self) -> dict[str, Part]:
        refused = {name for name, _ in self._refused()}
        return {e.name: _part(e) for e in _entries(self.group, tuple(sys.path)) if e.name not in refused}

    def _refused(self) -> Iterator[tuple[str, str]]:
        """(name, why) of the plug-ins whose name is taken, twice there, or no name."""
        entries = _entries(self.group, tuple(sys.path))
        if not entries:
            return
        taken = {*self.own, *self.reserved()}
        packages: dict[str, list[str]] = {}
        for entry in entries:
            packages.setdefault(entry.name, []).append(_part(entry).source)
        for name, sources in packages.items():
            what = f"the {self.noun} '{name}' of the package {sources[0]} is left out"
            if not NAME.fullmatch(name):
                yield name, f"{what}: a name has letters, digits, '-' and '_', and begins with a letter"
            elif name in taken:
                yield name, f"{what}: nucleate has one of that name; its author has to choose another name"
            elif len(sources) > 1:
                yield name, f"{what}: {' and '.join(sources[1:])} brings one of that name too; uninstall one of them"


class _Blamed:
    """Turns exceptions of foreign code into a line that says whose they are."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, NucleateError) or not isinstance(error, Exception):
            return
        said = " ".join(str(error).split())[:200]
        raise NucleateError(f"{self.what} cannot be used ({type(error).__name__}: {said}); mend or uninstall it") from (
            error
        )


@lru_cache(maxsize=16)
def _entries(group: str, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    """Entry points of a group; `path`, sys.path, is what the answer depends on."""
    return tuple(e for e in entry_points(group=group) if e.dist is None or e.dist.name != OWN_PACKAGE)


def _part(entry: EntryPoint) -> Part:
    package = entry.dist.name if entry.dist is not None else "of unknown name"
    return Part(entry.name, entry.value, package, entry.dist.version if entry.dist is not None else "")


def _own_part(name: str, target: Any) -> Part:
    return Part(name, target if isinstance(target, str) else repr(target), OWN_PACKAGE, version(OWN_PACKAGE))


def _import(target: str) -> Any:
    """The object that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for name in attribute.split(".") if attribute else ():
        found = getattr(found, name)
    return found
