"""Safetensors files of prepared tensors and properties. A file is written completely or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from nucleate.errors import NucleateError
from nucleate.files import replacing

_PROPERTY = "property."  # the prefix of the names of tensors that hold properties


def write_prepared(path: str | Path, tensors: Mapping[str, Tensor], properties: Mapping[str, Tensor]) -> None:
    """Write tensors in their own dtype, and properties (name -> values) as float32."""
    from safetensors.torch import save

    every = dict(tensors) | {_PROPERTY + k: v.float() for k, v in properties.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save({k: v.contiguous() for k, v in every.items()}))


def read_prepared(path: str | Path, names: tuple[str, ...], what: str) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The tensors with these names, and the properties, of a file of `write_prepared`.

    what: the noun for the message ("crystals"). Raises NucleateError if the file is missing, damaged or lacks a tensor.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        t = load_file(str(path))
        return [t[name] for name in names], {
            k.removeprefix(_PROPERTY): v for k, v in t.items() if k.startswith(_PROPERTY)
        }
    except (SafetensorError, KeyError, OSError) as error:
        raise NucleateError(f"{path} is not a file of prepared {what} ({error})") from None
