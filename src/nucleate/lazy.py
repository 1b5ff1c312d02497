"""Names of a package that are imported when they are first used, so that importing the package takes no time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package. homes: public name -> the module, of the whole path, that defines it."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return get


def later(module: str, name: str) -> Callable[..., Any]:
    """A method that is a function of a module which is imported at the first call.

    For methods that display an object (`_repr_html_`): IPython looks for them on the class, and what draws them stands
    on an upper floor of the package.
    """

    def call(*args: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **named)

    call.__name__, call.__doc__ = name, f"`{module}.{name}` of this object."
    return call
