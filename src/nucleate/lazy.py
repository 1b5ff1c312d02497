"""Names of a package that are imported when they are first used, so that importing the package takes no time."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """The `__getattr__` of a package. homes: public name -> the full name of the module that defines it."""

    def import_name(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        value = getattr(importlib.import_module(homes[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return import_name


def imported_when_called(module: str, name: str) -> Callable[..., Any]:
    """A method that calls the function `name` of a module, which is imported at the first call.

    It is used for methods that display an object (`_repr_html_`). IPython looks for them on the class, but the code
    that draws the object is in a part of the package that the module of the class must not import.
    """

    def call(*args: Any, **named: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **named)

    call.__name__, call.__doc__ = name, f"`{module}.{name}` of this object."
    return call
