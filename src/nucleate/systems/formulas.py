"""Formulas as sentences (Dong et al., arXiv 2310.00475): words are masked (Diffusion-BERT), or noise is added to their
vectors (Diffusion-LM)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import model_validator

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection, Count
from nucleate.systems.base import FORMULA, DataSource, ModelCard, Progress, Sampler, System
from nucleate.systems.recipe import ConditionalRecipe, Guidance, Temperature, refuse_unused
from nucleate.systems.recipe import SampleConfig as PlainSampleConfig

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from nucleate.codecs.tokens import TokenCodec
    from nucleate.crystal.formulas import FormulaBatch
    from nucleate.data.tables import Summary
    from nucleate.diffusion.process import Process
    from nucleate.systems.base import Data, Objective

ONE_BY_ONE = "one-by-one"  # the sampler that calls the network for each masked word
SAMPLERS = {"absorbing": (ONE_BY_ONE, "ancestral"), "embedding": ("ancestral", "ddim")}


class CodecConfig(ConfigSection):
    """How a formula becomes words (`codecs.tokens`)."""

    vocabulary: Literal["main", "all"] = "main"  # "main": the 63 elements of Dong et al.
    # the order of words: none ("set"), by electronegativity ("sorted"), or a random order of elements ("shuffled")
    order: Literal["set", "sorted", "shuffled"] = "set"


class DiffusionConfig(ConfigSection):
    """The noise on the words."""

    words: Literal["absorbing", "embedding"] = "absorbing"  # words are masked, or their vectors get Gaussian noise
    word_frequency: float = 0.3  # for "absorbing": how much the time of masking depends on a word's frequency
    embedding_dim: Count = 32  # for "embedding": the dimension of the vectors of words

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.words == "absorbing":
            refuse_unused(self, "diffusion", 'words = "embedding"', ("embedding_dim",))
        else:
            refuse_unused(self, "diffusion", 'words = "absorbing"', ("word_frequency",))
        return self


class NetworkConfig(ConfigSection):
    """The transformer over words (`nets.token_transformer`)."""

    dim: Count = 128
    layers: Count = 6
    heads: Count = 8
    self_conditioning: bool = False  # whether the network gets its own earlier output; only for words = "embedding"
    condition_on: tuple[str, ...] = ()  # "balanced" and any numeric column of the data


class SampleConfig(Temperature, Guidance, PlainSampleConfig):
    """How formulas are drawn."""

    sampler: Literal["one-by-one", "ancestral", "ddim"] = "ancestral"


class FormulaRecipe(ConditionalRecipe):
    """A recipe of formulas."""

    system: Literal["formulas"] = "formulas"
    codec: CodecConfig = CodecConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    network: NetworkConfig = NetworkConfig()
    sample: SampleConfig = SampleConfig()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        refuse_unused(self.data, "data", "recipes of crystals", ("frame",))
        words, sampler = self.diffusion.words, self.sample.sampler
        if sampler not in SAMPLERS[words]:
            known = ", ".join(SAMPLERS[words])
            raise ValueError(f"'sample.sampler' must be one of {known} with words = \"{words}\", not '{sampler}'")
        if self.network.self_conditioning and words != "embedding":
            raise ValueError("'network.self_conditioning' needs words = \"embedding\": masked words have no estimate")
        if "chemical_system" in self.network.condition_on:
            raise ValueError(
                "formulas have no condition 'chemical_system', because a chemical system is imposed on the words in "
                "sampling; leave it out of 'network.condition_on'"
            )
        return self

    @property
    def self_conditioning(self) -> bool:
        return self.network.self_conditioning


def load(path: str | Path) -> FormulaBatch:
    """The formulas in a prepared file. Raises NucleateError if it holds something else."""
    from nucleate.crystal.formulas import FormulaBatch

    return FormulaBatch.load(path)


def prepare(
    recipe: FormulaRecipe, progress: Progress | None = None, properties: tuple[str, ...] | None = None
) -> tuple[FormulaBatch, Summary]:
    """The formulas of the recipe's dataset, with the recipe's properties, and a summary of the rows of the dataset."""
    from nucleate.data.formulas import prepare_formulas

    return prepare_formulas(recipe.data, recipe.properties, recipe.codec.vocabulary, progress)


def held_out(recipe: FormulaRecipe) -> tuple[FormulaBatch, Summary]:
    """The formulas that the recipe keeps out of training, and a summary of the rows of the dataset."""
    from nucleate.data.formulas import prepare_formulas

    return prepare_formulas(recipe.data, recipe.properties, recipe.codec.vocabulary, held_out=True)


def fits(recipe: FormulaRecipe, data: FormulaBatch) -> Tensor:
    """Which formulas the recipe can use, (N,) bool: those of at most `data.max_atoms` atoms."""
    return data.num_atoms <= recipe.data.max_atoms


def codec(recipe: FormulaRecipe, state: CodecState) -> TokenCodec:
    from nucleate.codecs.tokens import TokenCodec

    return TokenCodec(recipe.codec.vocabulary, recipe.codec.order, state.counts)


def processes(recipe: FormulaRecipe, codec: TokenCodec, network: Any) -> dict[str, Process]:
    """The noise on the words. Masking needs the frequencies of words from the codec, Gaussian noise needs their vectors
    from the network."""
    from nucleate.codecs.tokens import TOKENS
    from nucleate.diffusion.embedded import Embedded
    from nucleate.diffusion.spindle import Spindle

    if recipe.diffusion.words == "embedding":
        return {TOKENS: Embedded(network.table)}
    return {TOKENS: Spindle(codec.information(), recipe.diffusion.word_frequency)}


def network(recipe: FormulaRecipe, codec: TokenCodec, max_atoms: int) -> nn.Module:
    from nucleate.nets.token_transformer import TokenTransformer

    vector = recipe.diffusion.embedding_dim if recipe.diffusion.words == "embedding" else None
    return TokenTransformer(codec, max_atoms, vector=vector, **recipe.network.model_dump())


def objective(
    recipe: FormulaRecipe,
    codec: TokenCodec,
    data: Data,
    properties: Mapping[str, Tensor],
    device: torch.device,
    network: nn.Module,
) -> Objective:
    from nucleate.systems.denoising import Denoising

    return Denoising(recipe, codec, data, properties, device, processes(recipe, codec, network))


def accepts(recipe: FormulaRecipe) -> frozenset[str]:
    """The fields of a `Condition` that a model of formulas obeys."""
    fields = {"num_atoms", "chemical_system", "contains", "exclude", "num_elements", "pattern"}
    return frozenset(fields | {"properties"} if recipe.properties else fields)


def sample_arguments(settings: SampleConfig) -> dict[str, Any]:
    return settings.model_dump(include={"steps", "sampler", "noise"})


def task_of(recipe: FormulaRecipe) -> str:
    """The task of a recipe, for the model card."""
    words = {"absorbing": "masked words (Diffusion-BERT)", "embedding": "vectors of words (Diffusion-LM)"}
    return f"formulas, by {words[recipe.diffusion.words]}"


def facts(info: Any) -> dict[str, str]:
    """Rows of the model card. info: `ModelInfo`."""
    data = info.recipe.data
    many = f"{info.training['formulas']:,} formulas of up to {info.max_atoms} atoms"
    return {"data": f"{data.dataset}: {many}; those of {' and '.join(data.exclude)} held out"}


LIMITS = """\
Proposes compositions for screening. A formula that is neutral and balanced need not exist: give it a structure and an
energy. Rare combinations of charge states and formulas of many atoms are wrong more often. Elements outside the list
are refused. `balanced` is SMACT's verdict with its smact14 states, 1 or 0. Guidance makes a wanted property more
likely, but does not guarantee it."""

SYSTEM = System(
    name="formulas",
    config=FormulaRecipe,
    data=DataSource(unit="formulas", load=load, prepare=prepare, fits=fits, held_out=held_out),
    codec=codec,
    processes=processes,
    network=network,
    objective=objective,
    sampler=Sampler(
        generator="nucleate.generators.formulas:FormulaGenerator",
        names=lambda recipe: SAMPLERS[recipe.diffusion.words],
        accepts=accepts,
        arguments=sample_arguments,
    ),
    card=ModelCard(task=task_of, facts=facts, limits=LIMITS),
    kind=FORMULA,
)
