"""What a system is: all that turns a recipe of its kind into data, a network, a training objective and a generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nucleate.codecs.state import CodecState
    from nucleate.crystal.batch import CrystalBatch
    from nucleate.crystal.formulas import FormulaBatch
    from nucleate.crystal.orbits import SymmetricBatch
    from nucleate.data.tables import Summary
    from nucleate.diffusion.process import Process
    from nucleate.diffusion.rng import Streams
    from nucleate.systems.recipe import Recipe

    Data = CrystalBatch | FormulaBatch | SymmetricBatch

FORMULA, PROPERTY = "formula", "property"  # kinds of weights; those of generators of crystals have none
Progress = Callable[[str, int, int], None]  # (what is done, done, total)


class Codec(Protocol):
    """Turns training data into fields that diffuse. Its settings are those of the recipe; what it has to know of the
    data beside them is its `state`."""

    @property
    def per_atom(self) -> frozenset[str]:
        """Names of the fields whose second axis runs over atoms, (B, A, ...)."""
        ...

    @property
    def state(self) -> CodecState: ...

    def fitted(self, data: Any) -> Codec:
        """The same codec with what it has to know of the training data."""
        ...

    def training_fields(self, data: Any, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the examples `index` (b,), cut to `width` atoms; `rng` makes random choices."""
        ...


class Objective(Protocol):
    """What is trained for. weights: the weight of each loss in their sum, 1 for those that are not named."""

    weights: dict[str, float]

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        """name -> scalar, of the examples `index` (b,) cut to `width` atoms, at a step of training."""
        ...


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """What a system learns from.

    unit: what the examples are called. load: a prepared file as data; raises NucleateError for one that holds something
    else. prepare: (recipe, progress, properties) to the data and what became of the rows of the data set; properties
    are the columns to carry, None takes the recipe's. fits: (recipe, data) to (N,) bool, the examples that the recipe
    can take; raises NucleateError for data that no such recipe can take. held_out: as prepare, of the examples that the
    recipe keeps out of training; None where it is not known which.
    """

    unit: str
    load: Callable[[str | Path], Data]
    prepare: Callable[[Any, Progress | None, tuple[str, ...] | None], tuple[Data, Summary]]
    fits: Callable[[Any, Any], Tensor]
    held_out: Callable[[Any], tuple[Data, Summary]] | None = None


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How objects are drawn from a trained network of a system.

    generator: "module:class" of the generator, a path because generators stand above systems. names: the samplers that
    a recipe can be drawn with. accepts, needs: the fields of a `Condition` that a recipe's generator honours, and those
    of which it needs at least one. hints: what is said of other fields in place of "cannot be asked for". arguments: of
    `diffusion.loop.sample`, from the settings. kept: conditions that hold by construction, so that both terms of
    guidance have them. room: the most atoms of one element in a crystal of a recipe, None for any number.
    """

    generator: str = "nucleate.generators.diffusion:DiffusionGenerator"
    names: Callable[[Any], tuple[str, ...]]
    accepts: Callable[[Any], frozenset[str]]
    needs: Callable[[Any], tuple[str, ...]] = lambda recipe: ()
    hints: Callable[[Any], dict[str, str]] = lambda recipe: {}
    arguments: Callable[[Any], dict[str, Any]]
    kept: tuple[str, ...] = ()
    room: Callable[[Any], int | None] = lambda recipe: None


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What the model card says. task: of a recipe, in a few words. facts: further rows, from what is known of a trained
    model (`train.checkpoint.ModelInfo`). limits, measured: text, to be formatted with the info's values."""

    task: Callable[[Any], str]
    facts: Callable[[Any], dict[str, str]]
    limits: str
    measured: str = "{measured}"


@dataclass(frozen=True, kw_only=True)
class System:
    """A family of models. Its name is the `system` of its recipes, which `config` describes.

    codec: (recipe, state) to the codec. processes: (recipe, codec, network) to the noise on each field that diffuses.
    network: (recipe, codec, max_atoms) to the untrained network. objective: (recipe, codec, data, properties, device,
    network) to what is trained for; properties are standardised values (N,) by name. sampler: None for networks that
    draw nothing. kind: what the metadata of weights call them, None for generators of crystals.
    """

    name: str
    config: type[Recipe]
    data: DataSource
    codec: Callable[[Any, CodecState], Codec]
    processes: Callable[[Any, Any, Any], Mapping[str, Process]] = field(default=lambda recipe, codec, network: {})
    network: Callable[[Any, Any, int], nn.Module]
    objective: Callable[..., Objective]
    sampler: Sampler | None
    card: ModelCard
    kind: str | None = None
