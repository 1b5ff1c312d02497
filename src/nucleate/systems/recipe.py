"""What the recipes of all systems have in common; each system adds its own sections to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from nucleate.config import ConfigSection, Count, DataConfig, NotNegative, Positive, Share, TrainConfig

Schedule = Literal["cosine", "linear", "exponential"]  # of `diffusion.gaussian.GaussianVP`
Elements = Annotated[int, Field(ge=1, le=118)]  # the largest atomic number


class FromWeights(TrainConfig):
    """Training that may begin with the weights of another run."""

    start_from: str = ""  # weights (name or file) to start from; parameters of equal name and shape are taken
    adapter_rank: Annotated[int, Field(ge=0)] = 0  # trains low-rank adapters of this rank alone (0: everything)


class ConditionalTraining(FromWeights):
    """Training of a network that takes conditions."""

    condition_dropout: Share = 0.1  # how often a condition is hidden, so that the network learns to do without it


class SampleConfig(ConfigSection):
    """How objects are drawn from the trained network."""

    steps: Count = 200
    noise: NotNegative = 1.0  # 1 draws from the model, less is colder, 0 keeps to its modes
    sampler: str = "ancestral"  # each system says which there are (`diffusion.loop.sample`)


class Guidance(ConfigSection):
    """How strongly the conditions of a network act when it draws."""

    guidance: float = 1.5  # scale of classifier-free guidance by the conditions; 1 is the plain conditional model
    guidance_until: float = 0.0  # the noise level t down to which there is guidance; the plain model below it


class Temperature(ConfigSection):
    """How variedly elements are drawn from their probabilities."""

    species_temperature: Positive = 1.0  # below 1 likely elements are likelier, at a cost in variety


class Corrector(ConfigSection):
    """Langevin moves beside the steps of the sampler."""

    corrector_steps: Annotated[int, Field(ge=0)] = 1
    corrector_size: NotNegative = 1e-5  # size of a move at sigma_min (DiffCSP's step_lr)


class Recipe(ConfigSection):
    """Everything that determines a model; stored inside its weights. Each system has a subclass of its own.

    system: the name of the system in `nucleate.systems.registry.SYSTEMS`. codec: how the data become tensors. network:
    the sizes of the network. sample: how objects are drawn, nothing for networks that draw none.
    """

    name: str
    system: str
    data: DataConfig = DataConfig()
    codec: Any
    network: Any
    train: FromWeights = FromWeights()
    sample: Any

    @property
    def condition_on(self) -> tuple[str, ...]:
        """What the network can be asked for: "chemical_system", and columns of the data."""
        return ()

    @property
    def condition_dropout(self) -> float:
        """How often a condition is hidden in training."""
        return 0.0

    @property
    def predict(self) -> tuple[str, ...]:
        """The columns of the data that the network predicts."""
        return ()

    @property
    def self_conditioning(self) -> bool:
        """Whether the network sees its own earlier output (Chen et al. 2023)."""
        return False

    @property
    def properties(self) -> tuple[str, ...]:
        """The columns of the data that training needs, those to condition on before those to predict."""
        conditions = tuple(name for name in self.condition_on if name != "chemical_system")
        return (*conditions, *self.predict)


class ConditionalRecipe(Recipe):
    """A recipe whose network takes conditions: `network.condition_on`."""

    train: ConditionalTraining = ConditionalTraining()

    @property
    def condition_on(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.network.condition_on
        return names

    @property
    def condition_dropout(self) -> float:
        return self.train.condition_dropout


def only_of(section: ConfigSection, where: str, of: str, knobs: tuple[str, ...]) -> None:
    """Raise ValueError where one of `knobs` is set in a section that does not use it. of: what they belong to."""
    for name in knobs:
        if getattr(section, name) != type(section).model_fields[name].default:
            raise ValueError(f"'{where}.{name}' is a knob of {of}, and has no effect here; leave it out")
