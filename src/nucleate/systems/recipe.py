"""What the recipes of all systems have in common. Each system adds its own sections."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from nucleate.config import ConfigSection, Count, DataConfig, NotNegative, Positive, Share, TrainConfig

Schedule = Literal["cosine", "linear", "exponential"]  # of `diffusion.gaussian.GaussianVP`
Elements = Annotated[int, Field(ge=1, le=118)]  # the largest atomic number


class FromWeights(TrainConfig):
    """Training that can start from trained weights."""

    start_from: str = ""  # weights (name or file) to start from; tensors of equal name and shape are taken from them
    adapter_rank: Annotated[int, Field(ge=0)] = 0  # train only low-rank adapters of this rank; 0: train everything


class ConditionalTraining(FromWeights):
    """Training of a network that is conditioned on properties."""

    condition_dropout: Share = 0.1  # how often a condition is hidden, so that the network also works without it


class SampleConfig(ConfigSection):
    """How crystals or formulas are drawn from the trained network."""

    steps: Count = 200
    noise: NotNegative = 1.0  # with 1 samples follow the model, with less they are closer to its modes
    sampler: str = "ancestral"  # the method (`diffusion.loop.sample`); each system has its own choice


class Guidance(ConfigSection):
    """How strongly conditions act in sampling."""

    guidance: float = 1.5  # the scale of classifier-free guidance; 1 is the conditional model without guidance
    guidance_until: float = 0.0  # guidance is used down to this noise level t


class Apart(ConfigSection):
    """Which crystals are drawn again because atoms lie upon each other."""

    apart: NotNegative = 0.5  # angstrom; a crystal with two atoms nearer than this is drawn again, a few times at most


class Temperature(ConfigSection):
    """How elements are drawn from their probabilities."""

    species_temperature: Positive = 1.0  # below 1, probable elements become more probable, and variety is lost


class Corrector(ConfigSection):
    """Langevin moves in addition to the steps of the sampler."""

    corrector_steps: Annotated[int, Field(ge=0)] = 1  # the number of moves for each step
    corrector_size: NotNegative = 1e-5  # the size of a move at sigma_min (DiffCSP's step_lr)


class Recipe(ConfigSection):
    """Everything that determines a model. It is stored with the weights. Each system has its own subclass.

    system: the name of the system in `nucleate.systems.registry.SYSTEMS`. codec: how data become tensors. network: the
    sizes of the network. sample: how crystals or formulas are drawn; empty for networks that are no generators.
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
        """The conditions of the network: "chemical_system", and columns of the data."""
        return ()

    @property
    def condition_dropout(self) -> float:
        """The probability with which a condition is hidden in training."""
        return 0.0

    @property
    def predict(self) -> tuple[str, ...]:
        """The columns of the data that the network predicts."""
        return ()

    @property
    def self_conditioning(self) -> bool:
        """Whether the network gets its own earlier output (Chen et al. 2023)."""
        return False

    @property
    def properties(self) -> tuple[str, ...]:
        """The columns of the data that training needs: first those of conditions, then those to predict."""
        conditions = tuple(name for name in self.condition_on if name != "chemical_system")
        return (*conditions, *self.predict)


class ConditionalRecipe(Recipe):
    """A recipe whose network is conditioned on `network.condition_on`."""

    train: ConditionalTraining = ConditionalTraining()

    @property
    def condition_on(self) -> tuple[str, ...]:
        names: tuple[str, ...] = self.network.condition_on
        return names

    @property
    def condition_dropout(self) -> float:
        return self.train.condition_dropout


def refuse_unused(section: ConfigSection, path: str, owner: str, names: tuple[str, ...]) -> None:
    """Raise ValueError if one of the settings `names` differs from its default in a section that does not use it.

    path: of the section, and owner: what uses these settings, for the message.
    """
    for name in names:
        if getattr(section, name) != type(section).model_fields[name].default:
            raise ValueError(f"'{path}.{name}' is a setting of {owner}, and has no effect here; leave it out")
