"""Crystals from a trained diffusion model, which is made of a codec, noise processes and a denoiser."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nucleate.chem.elements import atomic_number
from nucleate.crystal.batch import CrystalBatch
from nucleate.crystal.convert import structures_from_batch
from nucleate.crystal.geometry import is_finite, shortest_distance
from nucleate.diffusion.loop import Denoiser, Guided, sample
from nucleate.diffusion.philox import derived_seed
from nucleate.diffusion.process import Fields
from nucleate.diffusion.rng import Streams, derive_seeds
from nucleate.diffusion.self_conditioning import Remembering
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.conditioning import property_tensors, wanted_columns
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.inpaint import inpaint_constraints, plan_inpainting, species_order
from nucleate.generators.model_checks import check_model_condition, facts_of
from nucleate.generators.planning import plan_condition
from nucleate.generators.units import draw_units
from nucleate.systems.recipe import Apart, Guidance, SampleConfig, Temperature
from nucleate.train.checkpoint import ModelInfo

if TYPE_CHECKING:
    from pymatgen.core import Structure

ATTEMPTS = 8  # draws for a chemical system; after the last one a crystal is given back even if it lacks an element


class Restricted:
    """A denoiser whose species logits are divided by a temperature, and are -inf for species outside of `allowed`
    (B, K + 1), which can therefore never occur."""

    def __init__(self, denoiser: Denoiser, allowed: Tensor, temperature: float = 1.0) -> None:
        self.denoiser, self.allowed, self.temperature = denoiser, allowed, temperature

    def __call__(self, fields: Fields, t: Tensor, condition: Fields) -> Fields:
        out = dict(self.denoiser(fields, t, condition))
        logits = out["atomic_numbers"] / self.temperature
        out["atomic_numbers"] = logits.masked_fill(~self.allowed[:, None], -torch.inf)
        return out


class DiffusionGenerator(BaseGenerator["Structure"]):
    """Samples a trained model. Crystal i depends on condition i and seed i only, not on its batch.

    settings: the `sample` section of a recipe of the model's system; None means that of the model's recipe.
    guidance_scale: of classifier-free guidance, for models with conditions (1 is the conditional model itself); None
    means that of the settings. batch_size: number of crystals of similar size that are sampled together; None means 64
    on a CPU, whose caches can hold that, and else 512. device: of torch; None means a GPU if there is one.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        info: ModelInfo,
        *,
        settings: SampleConfig | None = None,
        guidance_scale: float | None = None,
        batch_size: int | None = None,
        device: str | None = None,
    ) -> None:
        self.info, self.sampler = info, info.sampler
        self.settings: SampleConfig = settings or info.recipe.sample
        guided = isinstance(self.settings, Guidance)
        if guidance_scale is not None and not guided:
            raise NucleateError(f"{info.recipe.name} takes no wishes that guidance (--guidance) could make stronger")
        own = self.settings.guidance if isinstance(self.settings, Guidance) else 1.0
        self.guidance_scale = own if guidance_scale is None else guidance_scale
        if not math.isfinite(self.guidance_scale):
            raise NucleateError(f"the guidance scale must be a number, not {self.guidance_scale:g}")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.batch_size = batch_size or (64 if self.device.type == "cpu" else 512)
        self.model = model.to(self.device).eval()
        self.codec = info.codec
        self.processes = info.system.processes(info.recipe, self.codec, self.model)
        self.name, self.accepts = info.recipe.name, self.sampler.accepts(info.recipe)
        self.needs, self.hints = self.sampler.needs(info.recipe), self.sampler.hints(info.recipe)
        # A CPU is not faster with more crystals at once; a GPU needs full batches
        self.chunk = 8 if self.device.type == "cpu" else self.batch_size

    def check(self, condition: Condition) -> None:
        """Raise NucleateError, in one line, for values that this model cannot meet."""
        check_model_condition(self.info, condition)

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one crystal. Formula units and sizes of cells are drawn with the frequencies of the training
        crystals."""
        return plan_condition(wishes, seed, units=self.draw_formula_units, size=self.draw_num_atoms)

    def facts(self) -> dict[str, Any]:
        """Training, data set and properties, as the file of the weights has them."""
        return facts_of(self.info)

    def draw_num_atoms(self, condition: Condition, seed: int) -> int:
        """The number of atoms in the cell: the given one, or one drawn from the training crystals with similar
        properties, at least as large as the number of elements in the chemical system."""
        if condition.num_atoms is not None:
            return condition.num_atoms
        if condition.fixed is not None:
            return len(condition.fixed.species)
        weights = self.info.size_weights(wanted_columns(self.info, condition))
        weights[: max(len(condition.chemical_system or ()), 1)] = 0
        return int(Streams(derive_seeds(seed, 1)).categorical(weights[None])[0])

    def draw_formula_units(self, formula: Mapping[str, int], seed: int, space_group: int | None = None) -> int:
        """The number of formula units in a cell, weighted by the sizes of the training crystals. space_group: not used,
        because these models do not accept one. Raises NucleateError for a formula unit that is too large."""
        unit = sum(formula.values())
        if unit > self.info.max_atoms:
            raise NucleateError(
                f"one formula unit has {unit} atoms; {self.name} makes cells of at most {self.info.max_atoms}"
            )
        return draw_units(self.info.num_atoms_counts, unit, seed)

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[Structure]:
        """One structure for each condition and seed, in their order; P1 cells in angstrom.

        Crystals of a chemical system have no other elements. A crystal that lacks an element of it is drawn again, at
        most ATTEMPTS times, and then given back as it is. The same is done with a crystal without atoms, which UniMat's
        table may give, with one that has an excluded element, which only models without logits of the elements
        (compact) can give, and with one whose atoms lie upon each other, where the settings say how far apart they are
        to be. progress counts finished crystals.
        """
        out: list[Structure | None] = [None] * len(conditions)
        todo, done = list(range(len(conditions))), 0
        for attempt in range(ATTEMPTS):
            attempt_seeds = [derived_seed(seeds[i], 0, attempt) for i in todo]
            structures = self._draw([conditions[i] for i in todo], attempt_seeds)
            again = []
            for i, structure in zip(todo, structures, strict=True):
                out[i] = structure
                elements = {e.symbol for e in structure.composition.elements}
                lacks = set(conditions[i].chemical_system or ()) - elements
                if not len(structure) or lacks or elements & set(conditions[i].exclude) or self._collides(structure):
                    again.append(i)
            todo, done = again, len(conditions) - len(again)
            if progress is not None:
                progress(done, len(conditions))
            if not todo:
                break
        return [s for s in out if s is not None]

    def _collides(self, structure: Structure) -> bool:
        """Whether two atoms are nearer to each other than the settings allow, if they say anything of it."""
        if not isinstance(self.settings, Apart) or not self.settings.apart:
            return False
        return not is_finite(structure) or shortest_distance(structure) < self.settings.apart

    def _draw(self, conditions: list[Condition], seeds: list[int]) -> list[Structure]:
        species = [self._species(c, s) for c, s in zip(conditions, seeds, strict=True)]
        order = sorted(range(len(species)), key=lambda i: len(species[i]))
        out: dict[int, Structure] = {}
        for start in range(0, len(order), self.batch_size):
            chunk = order[start : start + self.batch_size]
            batch = self.sample_batch(
                [species[i] for i in chunk], [conditions[i] for i in chunk], [seeds[i] for i in chunk]
            )
            for i, structure in zip(chunk, structures_from_batch(batch), strict=True):
                fixed = conditions[i].fixed
                out[i] = plan_inpainting(fixed).restore(structure) if fixed is not None else structure
        return [out[i] for i in range(len(species))]

    def _species(self, condition: Condition, seed: int) -> list[int]:
        """Atomic numbers of the atoms, those of a fixed cell first; ones where elements are to be generated."""
        if condition.composition:
            return species_order(condition.composition, condition.fixed)
        return [1] * self.draw_num_atoms(condition, seed)

    def sample_batch(self, species: list[list[int]], conditions: list[Condition], seeds: list[int]) -> CrystalBatch:
        """Sample one batch of crystals. species: for each crystal i the atomic numbers (n_i,), which give its size and,
        for models that accept a composition, its elements."""
        codec, settings = self.codec, self.settings
        b, a = len(species), max(map(len, species))
        z = torch.zeros(b, a, dtype=torch.int64)
        for i, numbers in enumerate(species):
            z[i, : len(numbers)] = torch.tensor(numbers)
        like = codec.blank(z.to(self.device))
        denoiser: Denoiser = self.model
        tensors = property_tensors(self.info, conditions, self.device)
        allowed: Tensor | None = None
        if "composition" not in self.accepts:
            allowed = torch.zeros(b, codec.num_elements + 1, dtype=torch.bool)
            allowed[:, list(self.info.elements)] = True
            barred = torch.zeros_like(allowed)
            for i, condition in enumerate(conditions):
                if condition.chemical_system is not None:
                    allowed[i] = False
                    allowed[i, [atomic_number(e) for e in condition.chemical_system]] = True
                barred[i, [n for e in condition.exclude if (n := atomic_number(e)) < barred.shape[1]]] = True
            if any(c.chemical_system is not None for c in conditions):
                tensors["chemical_system"] = allowed.float().to(self.device)
                present = torch.tensor([c.chemical_system is not None for c in conditions])
                tensors["chemical_system_present"] = present.to(self.device)
            if "barred_elements" in self.sampler.kept and barred.any():
                tensors["barred_elements"] = barred.float().to(self.device)
            allowed &= ~barred
        if tensors and isinstance(settings, Guidance):
            denoiser = Guided(denoiser, self.guidance_scale, settings.guidance_until, self.sampler.kept)
        if allowed is not None and "atomic_numbers" in self.processes:
            temperature = settings.species_temperature if isinstance(settings, Temperature) else 1.0
            denoiser = Restricted(denoiser, allowed.to(self.device), temperature)
        if self.info.recipe.self_conditioning:
            denoiser = Remembering(denoiser)
        inpaints = "fixed" in self.accepts
        fields = sample(
            denoiser,
            self.processes,
            like,
            rng=Streams(torch.tensor(seeds, device=self.device)),
            condition=tensors,
            constraints=inpaint_constraints(conditions, codec, self.processes, like) if inpaints else (),
            **self.sampler.arguments(settings),
        )
        return CrystalBatch(*codec.decode(fields)).to("cpu")
