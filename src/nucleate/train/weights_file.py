"""Safetensors files with metadata: a file is written completely or not at all, carries hashes of its content, and is
checked when it is read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nucleate.errors import NucleateError
from nucleate.io import replacing

# The metadata keys of two hashes: that of the tensors, and that of all other metadata. The oldest files have neither.
TENSORS_SHA256, METADATA_SHA256 = "sha256_tensors", "sha256_metadata"


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write tensors and metadata to a safetensors file.

    It is written under a temporary name, flushed to disk and then renamed, so that a killed process never leaves an
    incomplete file.
    """
    from safetensors.torch import save

    tensors = {k: v.detach().contiguous().cpu() for k, v in tensors.items()}
    metadata = {k: v for k, v in metadata.items() if k != METADATA_SHA256} | {TENSORS_SHA256: _tensors_hash(tensors)}
    metadata[METADATA_SHA256] = _metadata_hash(metadata)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(save(tensors, metadata))
        file.flush()
        os.fsync(file.fileno())


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the metadata in a file. Raises NucleateError if it is missing, was not written by nucleate, or is
    damaged."""
    with _opened(path) as (file, metadata):
        tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (not a dict)
    if TENSORS_SHA256 in metadata and metadata[TENSORS_SHA256] != _tensors_hash(tensors):
        raise NucleateError(f"{path} is damaged: its tensors have changed since writing (sha256 differs)")
    return tensors, metadata


def read_metadata(path: str | Path) -> dict[str, str]:
    """The metadata in a file; the tensors are not read. Raises NucleateError as `load_tensors` does."""
    with _opened(path) as (_, metadata):
        return metadata


@contextlib.contextmanager
def errors_name_file(path: str | Path) -> Iterator[None]:
    """A context in which every exception becomes a NucleateError of one line that names the file."""
    try:
        yield
    except NucleateError as error:
        raise error if str(path) in str(error) else NucleateError(f"{path}: {error}") from None
    except KeyError as error:
        raise NucleateError(f"{path} is damaged: it has no {error}") from None
    except Exception as error:  # a damaged file can cause exceptions of any kind while a network is built from it
        reason = " ".join(str(error).split())[:200]
        raise NucleateError(f"{path} is damaged: {type(error).__name__}{f': {reason}' if reason else ''}") from None


def built_from(
    path: str | Path, tensors: Mapping[str, Tensor], network_sizes: Mapping[str, int], make: Callable[[], Any]
) -> Any:
    """The module that `make` builds, filled with the tensors of the file `path` as float32.

    network_sizes: the sizes that the file's recipe asks for (`sizes_of`). Raises NucleateError if tensors are missing,
    superfluous, of another shape, or not finite. `make` is first called on torch's "meta" device, which reserves no
    memory, so that a damaged size in the recipe cannot exhaust it.
    """
    with errors_name_file(path):
        kinds = sorted({str(v.dtype).removeprefix("torch.") for v in tensors.values() if v.is_floating_point()})
        if len(kinds) > 1:
            raise NucleateError(f"{path} is damaged: its tensors are of several types, {' and '.join(kinds)}")
        if bad := [k for k, v in tensors.items() if not bool(v.isfinite().all())]:
            raise NucleateError(f"{path} is damaged: '{bad[0]}' holds values that are not finite")
        held = sum(v.numel() for v in tensors.values())
        most = {"layers": len(tensors)}  # every layer has at least one tensor
        if large := [f"{k} = {v}" for k, v in network_sizes.items() if v > most.get(k, held)]:
            raise NucleateError(f"{path} does not fit its own recipe ({large[0]} with {held:,} numbers in all)")
        with torch.device("meta"):
            _require_fit(path, make().state_dict(), tensors)
        module = make()
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
    return module


def sizes_of(network_config: Any) -> dict[str, int]:
    """The integers in the configuration of a network (name -> value); of a tuple of integers the largest."""
    out = {k: v for k, v in vars(network_config).items() if type(v) is int}
    several = {k: v for k, v in vars(network_config).items() if isinstance(v, tuple) and v and type(v[0]) is int}
    return out | {k: max(v) for k, v in several.items()}


def _require_fit(path: str | Path, wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    problems = [f"no tensor '{k}'" for k in wanted if k not in tensors]
    problems += [f"an unknown tensor '{k}'" for k in tensors if k not in wanted]
    problems += [
        f"'{k}' is {tuple(v.shape)}, not {tuple(wanted[k].shape)}"
        for k, v in tensors.items()
        if k in wanted and v.shape != wanted[k].shape
    ]
    problems += [
        f"'{k}' holds {v.dtype}, not floating-point numbers"
        for k, v in tensors.items()
        if k in wanted and wanted[k].is_floating_point() and not v.is_floating_point()
    ]
    if problems:
        more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
        raise NucleateError(f"{path} does not fit its own recipe ({problems[0]}{more})")


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The open file and its metadata; raises NucleateError if it is missing or is not a nucleate checkpoint."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise NucleateError(f"no weights at {path}")
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("nucleate") != "1":
                raise NucleateError(f"{path} holds no nucleate recipe; was it written by another program?")
            if {TENSORS_SHA256, METADATA_SHA256} & set(metadata):
                own = metadata.get(METADATA_SHA256)
                if own != _metadata_hash({k: v for k, v in metadata.items() if k != METADATA_SHA256}):
                    raise NucleateError(f"{path} is damaged: its metadata has changed since writing (sha256 differs)")
            yield file, metadata
    except (SafetensorError, OSError) as error:
        raise NucleateError(f"{path} is not a safetensors file, or is incomplete ({error})") from None


def _metadata_hash(metadata: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(metadata, sort_keys=True).encode()).hexdigest()


def _tensors_hash(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return digest.hexdigest()
