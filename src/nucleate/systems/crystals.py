"""What all systems that generate crystals have in common: training data, accepted conditions, and model cards."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from nucleate.errors import NucleateError
from nucleate.systems.base import DataSource, ModelCard, Progress
from nucleate.systems.recipe import ConditionalRecipe, Guidance, Recipe, SampleConfig

if TYPE_CHECKING:
    from torch import Tensor

    from nucleate.crystal.batch import CrystalBatch
    from nucleate.data.tables import Summary


class CrystalRecipe(ConditionalRecipe):
    """A recipe of a model that generates crystals, either of a given composition or with elements of its choice."""

    task: Literal["csp", "dng"] = "csp"  # "csp": the composition is given; "dng": the elements are generated as well


class CrystalSampleConfig(Guidance, SampleConfig):
    """How crystals are drawn."""

    sampler: Literal["ancestral", "ddim", "second-order"] = "ancestral"  # the last two are flows and add no noise


def load(path: str | Path) -> CrystalBatch:
    """The crystals in a prepared file. Raises NucleateError if it holds something else."""
    from nucleate.crystal.batch import CrystalBatch

    return CrystalBatch.load(path)


def prepare(
    recipe: Recipe, progress: Progress | None = None, properties: tuple[str, ...] | None = None
) -> tuple[CrystalBatch, Summary]:
    """The crystals of the recipe's data set, in the recipe's frame."""
    from nucleate.data.frames import WORDS
    from nucleate.data.prepared import prepare_crystals

    show = functools.partial(progress, WORDS[recipe.data.frame]) if progress is not None else None
    columns = recipe.properties if properties is None else properties
    return prepare_crystals(recipe.data, columns, show)


def fits(recipe: Any, data: CrystalBatch) -> Tensor:
    """Which crystals the recipe can use, (N,) bool: those of at most `data.max_atoms` atoms. Raises NucleateError if
    they have an element beyond `codec.num_elements`."""
    keep = data.num_atoms <= recipe.data.max_atoms
    require_elements(recipe, data.atomic_numbers[keep])
    return keep


def require_elements(recipe: Any, atomic_numbers: Tensor) -> None:
    """Raise NucleateError if an atomic number is larger than `codec.num_elements`."""
    largest = int(atomic_numbers.max()) if atomic_numbers.numel() else 0
    if largest > recipe.codec.num_elements:
        raise NucleateError(f"the data has atomic number {largest}; raise codec.num_elements")


CRYSTALS = DataSource(unit="crystals", load=load, prepare=prepare, fits=fits)


def sampler_names(recipe: Recipe) -> tuple[str, ...]:
    """The names of the samplers that the recipe's system has."""
    names: tuple[str, ...] = get_args(type(recipe.sample).model_fields["sampler"].annotation)
    return names


def accepts(recipe: CrystalRecipe) -> frozenset[str]:
    """The fields of a `Condition` that a model of this recipe obeys."""
    properties = {"properties"} if recipe.properties else set()
    if recipe.task == "csp":
        return frozenset(properties | {"composition"})
    system = {"chemical_system"} & set(recipe.condition_on)
    return frozenset(properties | system | {"num_atoms", "exclude"})


def needs(recipe: CrystalRecipe) -> tuple[str, ...]:
    """The fields of a `Condition` of which one must be given."""
    return ("composition",) if recipe.task == "csp" else ()


def hints(recipe: CrystalRecipe) -> dict[str, str]:
    """Messages for fields that a recipe does not accept: field -> what to do instead."""
    advice = "use other weights, such as mp20-dng or mp20-csp"
    shapes = {
        "fixed": f"cannot be asked for parts of a given cell (--fix); {advice}",
        "lattice_shape": f"cannot be asked for a lattice shape (--lattice-shape); {advice}",
    }
    if recipe.task == "csp":
        return shapes
    return {
        **shapes,
        "composition": "chooses the elements itself and takes no formula; use weights such as mp20-csp",
        "chemical_system": "was not trained on chemical systems",
        "num_atoms": "finds the number of atoms itself",
    }


def task_of(recipe: CrystalRecipe) -> str:
    """The task of a recipe, for the model card."""
    tasks = {"csp": "crystal structure prediction: composition of the cell given", "dng": "de novo generation"}
    return tasks[recipe.task]


def facts(info: Any) -> dict[str, str]:
    """Rows of the model card. info: `ModelInfo`."""
    recipe, unfit = info.recipe, info.training.get("left out")
    notes = [f"compositions of {' and '.join(recipe.data.exclude)} held out"] if recipe.data.exclude else []
    notes += [f"{unfit:,} left out, which the recipe's table or cell cannot hold"] if unfit else []
    left_out = "".join(f"; {words}" for words in notes)
    return {
        "data": f"{recipe.data.dataset}: {info.training['crystals']:,} crystals{left_out}",
        "cells": f"1 to {info.max_atoms} atoms{', in canonical form' * (recipe.data.frame != 'reduced')}",
    }


LIMITS = """\
Generates inorganic crystals for screening. Relax them and compute their energies before you rely on them. Cells of more
than {max_atoms} atoms and elements outside the list are refused. The model was trained on the crystals of one
database and has its gaps and biases. Guidance makes a wanted property more likely, but does not guarantee it: check
the result."""

CARD = ModelCard(task=task_of, facts=facts, limits=LIMITS)
