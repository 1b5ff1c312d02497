"""Recipes: one frozen dataclass is configuration, checkpoint metadata and provenance.

A recipe is a TOML file with one table per section below. Unknown keys and wrong types are refused with
the keys that exist, so that a typo never trains the wrong model.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nucleate.errors import NucleateError


@dataclass(frozen=True)
class DataConfig:
    """Which crystals or formulas to learn from."""

    dataset: str = "mp-20"  # what `nucleate.data.prepare` takes: "mp-20", "perov-5+perov-5:val[:3387]", a parquet file
    max_atoms: int = 20  # crystals (formulas) with more atoms are left out (and counted)
    exclude: tuple[str, ...] = ()  # data sets whose (reduced) compositions are held out of training


@dataclass(frozen=True)
class CodecConfig:
    """How a crystal (`codecs.joint`, `.unimat`, `.compact`) or a formula (`codecs.tokens`) becomes tensors."""

    lattice: str = "log-metric"  # "log-metric" or "parameters" (lengths, angles): 6 numbers; "matrix": paper 3, eq. 1
    num_elements: int = 100  # species classes 1..num_elements, the class is the atomic number
    kind: str = "joint"  # of crystals: "joint" (paper 3), "unimat" (2), "compact" (4) or "sites" (5: space group given)
    slots: int = 12  # of UniMat's table: L, the most atoms of one element
    periods: tuple[int, ...] = ()  # rows of UniMat's table, 1-7 and 8, 9 for lanthanides, actinides; none: all
    groups: tuple[int, ...] = ()  # its columns, 1-18
    species_scale: str = "atomic-number"  # of the compact codec: "atomic-number" (paper 4) or "pettifor"
    random_origin: bool = False  # of "unimat" and "compact", where the data's origins mean nothing: at any of the atoms
    vocabulary: str = "main"  # of formulas: "main", the 63 elements of Dong et al., or "all"
    order: str = "set"  # of a formula's words: none ("set"), "sorted" by electronegativity, or "shuffled" elements


@dataclass(frozen=True)
class DiffusionConfig:
    """The noise on each field: of crystals (paper 3, section 4.1), and of the words of formulas (paper 1).

    The fields of UniMat and of the compact codec are all Gaussian, with `lattice_schedule`.
    """

    lattice_schedule: str = "cosine"  # GaussianVP: "cosine", "linear" or "exponential"
    sigma_min: float = 0.005  # WrappedVE, in fractional units
    sigma_max: float = 0.5
    species: str = "given"  # "given" (composition known), "uniform" or "absorbing" (D3PM)
    species_power: float = 1.0  # D3PM keeps a class with probability (1 - t)^power: above 1 elements come late
    species_weight: float = 1.0  # weight of the species loss beside lattice and coordinates
    words: str = "absorbing"  # of formulas: "absorbing" (Diffusion-BERT) or "embedding" (Diffusion-LM)
    word_frequency: float = 0.3  # of the spindle schedule: how far the time of masking depends on a word's information
    embedding_dim: int = 32  # length of the vectors of words
    lattice_sigma_max: float = 3.0  # of "sites", GaussianVE from sigma_min on, in standard deviations of the data


@dataclass(frozen=True)
class NetworkConfig:
    """The crystal transformer (paper 3, section 4.2); formulas use dim, layers, heads and what is said of both.

    UniMat's networks (`nets.slots`, `nets.unet3d`) and the compact one (`nets.compact`) use dim, layers, heads,
    frequencies, condition_on and what is theirs.
    """

    dim: int = 128
    layers: int = 6
    heads: int = 8
    pair_dim: int = 64
    frequencies: int = 12  # highest m of eq. 14
    conditioning: str = "cds"  # "cdi" (eq. 16), "cds" (eqs. 17-19) or "adaln" (adaptive layer norm)
    norm: str = "post"  # "post" (eqs. 9-10) or "pre"
    attention: str = "relative"  # eq. 11 as it stands, or "fused": relative values by rotation, in one kernel
    self_conditioning: bool = False  # the network sees its own earlier output (Chen et al. 2023)
    distance: bool = False  # add radial features of the minimum-image distance to eqs. 12-13; UniMat's sparse and
    # the compact network: attention is told where atoms lie to each other (`nets.gaussian.Relative`)
    composition: bool = False  # add the mean of the atoms' species embeddings to the condition of eq. 15
    condition_on: tuple[str, ...] = ()  # "chemical_system" and any numeric column of the data
    kind: str = "sparse"  # of UniMat: "sparse", slots that may be occupied alone, or "dense", the 3D U-Net
    widths: tuple[int, ...] = ()  # of the U-Nets' levels, from the outermost in: "dense", and the compact network
    seen: int = 32  # "sparse": slots that attention sees, the likeliest ones
    predict: tuple[str, ...] = ()  # task "property": the columns to predict
    edges: int = 20  # of "sites": how many of the nearest atoms a site sees


@dataclass(frozen=True)
class TrainConfig:
    """One optimisation run."""

    steps: int = 20_000
    batch_size: int = 256
    learning_rate: float = 1e-3
    final_learning_rate: float = 1e-5
    warmup: int = 500
    weight_decay: float = 0.0
    clip: float = 1.0  # gradient norm
    ema: float = 0.999
    condition_dropout: float = 0.1
    precision: str = "auto"  # "auto" (bf16 where the hardware has instructions for it), "float32" or "bf16"
    seed: int = 0
    checkpoint_every: int = 500  # steps
    log_every: int = 50
    start_from: str = ""  # weights (name or file) to start from; parameters of equal name and shape are taken
    adapter_rank: int = 0  # fine-tuning of `start_from`: train low-rank adapters of this rank alone (0: everything)


@dataclass(frozen=True)
class SampleConfig:
    """How crystals are drawn from the trained model."""

    steps: int = 200
    corrector_steps: int = 1
    corrector_size: float = 1e-5  # Langevin step at sigma_min (DiffCSP's step_lr)
    noise: float = 1.0  # of lattice and coordinates: 1 draws from the model, less is colder, 0 keeps to the modes
    sampler: str = "ancestral"  # the flows "ddim", "second-order": no noise but its effect (`diffusion.loop.sample`);
    # "langevin": annealed Langevin dynamics (paper 5); "one-by-one": a network call for each masked word of a formula
    species_temperature: float = 1.0  # of the drawn elements: below 1 likely ones are likelier, at a cost in variety
    guidance: float = 1.5  # classifier-free guidance scale of the conditions; 1 is the plain conditional model
    guidance_until: float = 0.0  # the noise level t down to which there is guidance; the plain model below it
    lattice_noise: float = 1.0  # of the lattice, beside `noise`: paper 5 multiplies it by 0.15


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a model; stored inside its checkpoint."""

    name: str
    task: str = "csp"  # "csp": composition given; "dng": all generated; "formula": formulas; "property": predicts
    data: DataConfig = field(default_factory=DataConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)

    @property
    def properties(self) -> tuple[str, ...]:
        """The columns of the data that training needs, those to condition on before those to predict."""
        conditions = tuple(name for name in self.network.condition_on if name != "chemical_system")
        return (*conditions, *self.network.predict)


CHOICES: dict[str, tuple[str, ...]] = {
    "task": ("csp", "dng", "formula", "property"),
    "codec.kind": ("joint", "unimat", "compact", "sites"),
    "codec.lattice": ("log-metric", "parameters", "matrix"),
    "codec.species_scale": ("atomic-number", "pettifor"),
    "codec.vocabulary": ("main", "all"),
    "codec.order": ("set", "sorted", "shuffled"),
    "diffusion.lattice_schedule": ("cosine", "linear", "exponential"),
    "diffusion.species": ("given", "uniform", "absorbing"),
    "diffusion.words": ("absorbing", "embedding"),
    "network.kind": ("sparse", "dense"),
    "network.conditioning": ("cdi", "cds", "adaln"),
    "network.norm": ("post", "pre"),
    "network.attention": ("relative", "fused"),
    "train.precision": ("auto", "float32", "bf16"),
    "sample.sampler": ("ancestral", "ddim", "second-order", "langevin", "one-by-one"),
}


def from_dict(cls: type, values: dict[str, Any], where: str = "") -> Any:
    """Build the frozen dataclass `cls` from plain values; raises NucleateError naming the key at fault."""
    hints = typing.get_type_hints(cls)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise NucleateError(f"unknown key '{where}{unknown[0]}'; known here: {', '.join(sorted(hints))}")
    required = [f.name for f in dataclasses.fields(cls) if _is_required(f) and f.name not in values]
    if required:
        raise NucleateError(f"missing key '{where}{required[0]}'")
    return cls(**{k: _convert(hints[k], v, where + k) for k, v in values.items()})


def _is_required(f: dataclasses.Field) -> bool:
    return f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING


def _convert(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise NucleateError(f"'{where}' must be a table, not {value!r}")
        return from_dict(typing.cast(type, hint), value, where + ".")
    if isinstance(hint, types.GenericAlias) and hint.__origin__ is tuple:
        if not isinstance(value, list | tuple):
            raise NucleateError(f"'{where}' must be a list, not {value!r}")
        return tuple(_convert(hint.__args__[0], v, where) for v in value)
    if isinstance(hint, types.GenericAlias) and hint.__origin__ in (dict, Mapping):
        if not isinstance(value, dict):
            raise NucleateError(f"'{where}' must be a table, not {value!r}")
        kind = hint.__args__[1]
        return value if kind is Any else {k: _convert(kind, v, f"{where}.{k}") for k, v in value.items()}
    if isinstance(hint, types.UnionType):  # X | None
        return None if value is None else _convert(next(a for a in hint.__args__ if a is not type(None)), value, where)
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise NucleateError(f"'{where}' must be {hint.__name__}, not {value!r}")
    if where in CHOICES and value not in CHOICES[where]:
        raise NucleateError(f"'{where}' must be one of {', '.join(CHOICES[where])}, not {value!r}")
    return value


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe from TOML; errors name the file and the key."""
    try:
        values = tomllib.loads(Path(path).read_text())
    except FileNotFoundError:
        raise NucleateError(f"no recipe at {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NucleateError(f"{path} is not TOML: {error}") from None
    try:
        return from_dict(Recipe, values)
    except NucleateError as error:
        raise NucleateError(f"{path}: {error}") from None


def recipe_to_json(recipe: Recipe) -> str:
    """One line of JSON that `recipe_from_json` reads back exactly."""
    return json.dumps(dataclasses.asdict(recipe))


def recipe_from_json(text: str) -> Recipe:
    """The inverse of `recipe_to_json`."""
    return from_dict(Recipe, json.loads(text))
