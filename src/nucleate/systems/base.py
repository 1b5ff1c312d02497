"""What a system is: everything that makes data, a network, a training objective and a generator from its recipes."""

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

FORMULA, PROPERTY = "formula", "property"  # kinds of weights; those of generators of crystals have no kind
Progress = Callable[[str, int, int], None]  # (name of the work, amount done, total amount)


class Codec(Protocol):
    """Turns training data into fields that diffuse. Its settings come from the recipe; what it knows about the training
    data is its `state`."""

    @property
    def per_atom(self) -> frozenset[str]:
        """Names of the fields whose second axis runs over atoms, (B, A, ...)."""
        ...

    @property
    def state(self) -> CodecState: ...

    def fitted(self, data: Any) -> Codec:
        """The same codec with everything that it has to know about the training data."""
        ...

    def training_fields(self, data: Any, index: Tensor, width: int, rng: Streams) -> dict[str, Tensor]:
        """The fields of the examples `index` (b,), with `width` atoms. rng: for random choices."""
        ...


class Objective(Protocol):
    """What a network is trained for. weights: the weight of each loss in the sum; losses without one have weight 1."""

    weights: dict[str, float]

    def losses(self, model: nn.Module, index: Tensor, width: int, step: int) -> dict[str, Tensor]:
        """Name -> loss (a scalar) over the examples `index` (b,), with `width` atoms, at a step of training."""
        ...


@dataclass(frozen=True, kw_only=True)
class DataSource:
    """The training data of a system.

    unit: what the examples are called ("crystals"). load: path of a prepared file -> data; raises NucleateError if it
    holds something else. prepare: (recipe, progress, properties) -> data, and a summary of the rows of the dataset;
    properties are the columns that the data gets, and None stands for those of the recipe. fits: (recipe, data) -> (N,)
    bool, the examples that the recipe can use; raises NucleateError for data that it cannot use at all. held_out:
    recipe -> the examples that the recipe keeps out of training, with a summary; None if they are not known.
    """

    unit: str
    load: Callable[[str | Path], Data]
    prepare: Callable[[Any, Progress | None, tuple[str, ...] | None], tuple[Data, Summary]]
    fits: Callable[[Any, Any], Tensor]
    held_out: Callable[[Any], tuple[Data, Summary]] | None = None


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """How crystals or formulas are drawn from a trained network of a system.

    generator: the generator class as "module:class"; it is a text because systems must not import generators. names:
    recipe -> the names of its samplers. accepts: recipe -> the fields of a `Condition` that its generator obeys; needs:
    recipe -> fields of which at least one must be given. hints: recipe -> messages for fields that it does not accept,
    in place of "cannot be asked for". arguments: settings -> arguments of `diffusion.loop.sample`. kept: conditions
    that also remain in the null prediction of guidance (`diffusion.loop.Guided`). room: recipe -> the largest number of
    atoms of one element in a crystal, or None if there is no limit.
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
    """The text of model cards. task: recipe -> its task in a few words. facts: `train.checkpoint.ModelInfo` -> further
    rows of the table. limits, measured: texts with placeholders for values of the ModelInfo."""

    task: Callable[[Any], str]
    facts: Callable[[Any], dict[str, str]]
    limits: str
    measured: str = "{measured}"


@dataclass(frozen=True, kw_only=True)
class System:
    """A family of models. `config` is the class of its recipes, whose `system` is the name of the system.

    codec: (recipe, state) -> the codec. processes: (recipe, codec, network) -> the noise process of each field that
    diffuses. network: (recipe, codec, max_atoms) -> the untrained network. objective: (recipe, codec, data, properties,
    device, network) -> the objective of training; properties: name -> standardised values (N,). sampler: None for
    networks that are no generators. kind: the kind of network in the metadata of weights; None for generators of
    crystals.
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
