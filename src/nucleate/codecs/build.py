"""The codec of a recipe, from training data or from what a checkpoint says of them."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from nucleate.codecs.compact import CompactCodec
from nucleate.codecs.joint import JointCodec
from nucleate.codecs.sites import SITES, SiteCodec
from nucleate.codecs.tokens import FORMULA, TokenCodec
from nucleate.codecs.unimat import UniMatCodec, unfitting
from nucleate.config import Recipe
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.formulas import FormulaBatch
from nucleate.crystal.orbits import SymmetricBatch

Codec = JointCodec | TokenCodec | SiteCodec
Data = CrystalBatch | FormulaBatch | SymmetricBatch


def load_data(recipe: Recipe, path: str | Path) -> Data:
    """Prepared training data; NucleateError for a file that holds something else than the recipe needs."""
    if recipe.task == FORMULA:
        return FormulaBatch.load(path)
    return SymmetricBatch.load(path) if recipe.codec.kind == SITES else CrystalBatch.load(path)


def fit_codec(recipe: Recipe, data: Data) -> Codec:
    """The recipe's codec with what it has to know of the training data, all of which must fit (`fitting`)."""
    if isinstance(data, FormulaBatch):
        return TokenCodec.fit(recipe.codec, data.atomic_numbers)
    if isinstance(data, SymmetricBatch):
        return SiteCodec(recipe.codec).fitted(data)
    counts = data.atomic_numbers[data.mask].bincount(minlength=recipe.codec.num_elements + 1)
    elements = tuple(counts.nonzero()[:, 0].tolist())
    codec = restore_codec(recipe, elements=elements, counts=tuple(counts[list(elements)].tolist()), crystals=len(data))
    assert isinstance(codec, JointCodec)
    return codec.fitted(data.lattice, data.num_atoms)


def restore_codec(
    recipe: Recipe,
    *,
    mean: tuple[float, ...] = (0.0,) * 6,
    std: tuple[float, ...] = (1.0,) * 6,
    elements: tuple[int, ...] = (),
    counts: tuple[int, ...] = (),
    crystals: int = 0,
) -> Codec:
    """The same codec again. counts: how often each word (formulas), element (UniMat's table), or Wyckoff position and
    space group (sites) occurs."""
    if recipe.task == FORMULA:
        return TokenCodec(recipe.codec, counts)
    if recipe.codec.kind == SITES:
        return SiteCodec(recipe.codec, mean, std, counts)
    if recipe.codec.kind == "unimat":
        return UniMatCodec(recipe.codec, mean, std, elements, counts, crystals, recipe.task == "csp")
    if recipe.codec.kind == "compact":
        return CompactCodec(recipe.codec, mean, std, elements)
    return JointCodec(recipe.codec, mean, std)


def fitting(recipe: Recipe, data: Data) -> Tensor:
    """(N,) bool: which crystals (formulas) a recipe can take: of up to `data.max_atoms` atoms, and inside its table."""
    keep = data.num_atoms <= recipe.data.max_atoms
    if recipe.codec.kind == "unimat" and isinstance(data, CrystalBatch):
        keep &= ~unfitting(UniMatCodec.places(recipe.codec), slots(recipe), data.atomic_numbers)
    return keep


def slots(recipe: Recipe) -> int:
    """The most atoms of one element that UniMat can take: L, or any number where only occupied slots are computed."""
    listed = recipe.task == "csp" and recipe.network.kind == "sparse"
    return recipe.data.max_atoms if listed else recipe.codec.slots
