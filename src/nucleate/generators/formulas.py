"""Formulas from a trained diffusion language model (Dong et al. 2023, arXiv 2310.00475).

Either masked words are filled in one by one (Diffusion-BERT), or vectors of words are denoised and rounded to words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch

from nucleate.chem.composition import reduced
from nucleate.chem.elements import SYMBOLS, atomic_number
from nucleate.chem.states import writing_order
from nucleate.codecs.tokens import MASK_ID, PAD_ID, TOKENS
from nucleate.diffusion.embedded import Embedded
from nucleate.diffusion.loop import Denoiser, Guided, sample
from nucleate.diffusion.rng import Streams, derive_seeds
from nucleate.diffusion.self_conditioning import Remembering
from nucleate.diffusion.spindle import Spindle
from nucleate.diffusion.unmask import start_time, unmask
from nucleate.errors import NucleateError
from nucleate.generators.base import Condition, Progress, Wishes
from nucleate.generators.conditioning import property_tensors, wanted_columns
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.load import load_sampler
from nucleate.generators.model_checks import check_properties, facts_of
from nucleate.generators.planning import plan_formula
from nucleate.generators.word_plan import WordPlan, word_plan, word_rule
from nucleate.systems.base import FORMULA
from nucleate.systems.formulas import ONE_BY_ONE, SampleConfig
from nucleate.train.checkpoint import ModelInfo


class FormulaGenerator(BaseGenerator[str]):
    """Draws formulas. Text i depends on condition i and seed i only, not on its batch.

    Conditions on elements always hold, because a masked word can be given, forbidden or tied to another one. They need
    a model with the sampler "one-by-one"; a model of vectors accepts num_atoms and properties only. guidance_scale: of
    classifier-free guidance for properties (1 is the conditional model itself); None means the recipe's.
    """

    makes = "formulas"

    def __init__(
        self,
        model: torch.nn.Module,
        info: ModelInfo,
        *,
        settings: SampleConfig | None = None,
        guidance_scale: float | None = None,
        batch_size: int = 512,
        device: str | None = None,
    ) -> None:
        self.info, self.sampler, self.batch_size = info, info.sampler, batch_size
        self.name, self.accepts, self.chunk = info.recipe.name, self.sampler.accepts(info.recipe), batch_size
        self.settings: SampleConfig = settings or info.recipe.sample
        self.guidance_scale = self.settings.guidance if guidance_scale is None else guidance_scale
        if not math.isfinite(self.guidance_scale):
            raise NucleateError(f"the guidance scale must be a number, not {self.guidance_scale:g}")
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.model = model.to(self.device).eval()
        self.codec = info.codec
        self.process = info.system.processes(info.recipe, self.codec, self.model)[TOKENS]

    def plan(self, wishes: Wishes, seed: int) -> Condition:
        """The condition of one formula; values of properties are drawn from their wanted ranges."""
        return plan_formula(wishes, seed)

    def facts(self) -> dict[str, Any]:
        """Training, data set and properties, as the file of the weights has them."""
        return facts_of(self.info)

    def check(self, condition: Condition) -> None:
        """Raise NucleateError, in one line, for values that this model cannot meet."""
        check_properties(self.info, condition)
        plan = word_plan(condition)
        if plan.constrained and self.settings.sampler != ONE_BY_ONE:
            raise NucleateError(
                f"{self.name} with the sampler '{self.settings.sampler}' draws whole formulas at once; wishes about "
                "elements need one that draws element by element: --weights (or --generator) diffusion-bert-all"
            )
        for symbol in sorted({*plan.given, *plan.allowed}):
            if atomic_number(symbol) not in self.info.elements:
                raise NucleateError(
                    f"{self.name} never saw {symbol} in training; it knows {len(self.info.elements)} elements"
                )
        if plan.most_atoms is not None and plan.fewest_atoms > plan.most_atoms:
            raise NucleateError(f"{plan.most_atoms} atoms cannot hold what is asked for: {plan.fewest_atoms} at least")
        if max(plan.fewest_atoms, plan.most_atoms or 0) > self.info.max_atoms:
            raise NucleateError(
                f"{self.name} makes formulas of at most {self.info.max_atoms} atoms, not "
                f"{max(plan.fewest_atoms, plan.most_atoms or 0)}"
            )

    def draw(
        self, conditions: Sequence[Condition], seeds: Sequence[int], progress: Progress | None = None
    ) -> list[str]:
        """One text for each condition and seed, such as "Sr Ti O O O". Most, but not all, texts are formulas."""
        plans = [word_plan(c) for c in conditions]
        sizes = [self._draw_num_atoms(c, p, s) for c, p, s in zip(conditions, plans, seeds, strict=True)]
        order = sorted(range(len(conditions)), key=sizes.__getitem__)
        out: dict[int, str] = {}
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            texts = self._draw(
                [sizes[i] for i in rows],
                [plans[i] for i in rows],
                [conditions[i] for i in rows],
                [seeds[i] for i in rows],
            )
            out.update(zip(rows, texts, strict=True))
            if progress is not None:
                progress(len(out), len(order))
        return [out[i] for i in range(len(conditions))]

    @torch.no_grad()
    def log_likelihoods(self, compositions: Sequence[Mapping[str, int]]) -> list[float]:
        """Pseudo-log-likelihood of each formula by this model: how probable each element is, given the others.

        It is that of masked language models (Salazar et al., ACL 2020, eq. 1), taken by elements: all atoms of one
        element are masked, the network gives the probability of that element in their place, and the mean of the
        natural logarithms over the elements is the result, at most 0. compositions: element -> atoms in a formula unit.
        The result is -inf for elements that were not in the training data and for too many atoms. Raises NucleateError
        for a model without masked words.
        """
        if not isinstance(self.process, Spindle):
            raise NucleateError(f"{self.name} has no masked words to ask for; take diffusion-bert-all")
        out = [0.0] * len(compositions)
        asked: dict[tuple[int, ...], list[tuple[int, int]]] = {}  # masked words -> (index of formula, masked element)
        for i, composition in enumerate(compositions):
            numbers = reduced(composition)
            known = all(atomic_number(symbol) in self.info.elements for symbol in numbers)
            if not known or sum(numbers.values()) > self.info.max_atoms:
                out[i] = -math.inf
                continue
            words = [self.codec.token(symbol) for symbol, n in numbers.items() for _ in range(n)]
            for end, (symbol, n) in zip(accumulate(numbers.values()), numbers.items(), strict=True):
                masked = (*words[: end - n], *[MASK_ID] * n, *words[end:])
                asked.setdefault(masked, []).append((i, self.codec.token(symbol)))
        texts = sorted(asked, key=len)  # each once, though many formulas differ only in the masked element
        for start in range(0, len(texts), self.batch_size):
            batch = texts[start : start + self.batch_size]
            for text, logarithms in zip(batch, self._masked(self.process, batch).tolist(), strict=True):
                for i, word in asked[text]:
                    out[i] += logarithms[word] / len(compositions[i])
        return out

    def _masked(self, process: Spindle, texts: Sequence[tuple[int, ...]]) -> torch.Tensor:
        """Logarithms (B, V) of the probability of each word in place of the masked words of each text."""
        sizes = torch.tensor([len(text) for text in texts], device=self.device)
        width = int(sizes.max())
        words = torch.tensor([[*text, *[PAD_ID] * (width - len(text))] for text in texts], device=self.device)
        mask = torch.arange(width, device=self.device) < sizes[:, None]
        hidden = (words == MASK_ID) & mask
        logits = self.model({TOKENS: words, "mask": mask}, start_time(process, mask & ~hidden, mask), {})[TOKENS]
        first = logits[torch.arange(len(texts), device=self.device), hidden.int().argmax(1)]
        return process.probabilities(first).clamp_min(1e-30).log()

    def _draw_num_atoms(self, condition: Condition, plan: WordPlan, seed: int) -> int:
        if plan.most_atoms is not None:
            return plan.most_atoms
        weights = self.info.size_weights(wanted_columns(self.info, condition))
        weights[: plan.fewest_atoms] = 0
        if not weights.any():
            weights[plan.fewest_atoms] = 1
        return int(Streams(derive_seeds(seed, 1)).categorical(weights[None])[0])

    def _draw(
        self, sizes: list[int], plans: list[WordPlan], conditions: list[Condition], seeds: list[int]
    ) -> list[str]:
        words = torch.zeros(len(sizes), max(sizes), dtype=torch.int64, device=self.device)
        fields = {TOKENS: words, "mask": torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]}
        fields["mask"] = fields["mask"].to(self.device)
        tensors = property_tensors(self.info, conditions, self.device)
        # `_draw_num_atoms` uses stream 1 of the seed
        rng = Streams(torch.cat([derive_seeds(seed, 0) for seed in seeds]).to(self.device))
        denoiser: Denoiser = self.model
        if tensors:
            denoiser = Guided(denoiser, self.guidance_scale, self.settings.guidance_until)
        if self.info.recipe.self_conditioning:
            denoiser = Remembering(denoiser)
        s = self.settings
        if s.sampler == ONE_BY_ONE:
            assert isinstance(self.process, Spindle)
            ties = torch.arange(max(sizes), device=self.device).repeat(len(sizes), 1)
            for row, plan in enumerate(plans):
                plan.write(words[row], ties[row], self.codec)
            rule = word_rule(plans, self.codec, fields["mask"], ties) if any(p.constrained for p in plans) else None
            drawn = unmask(
                denoiser,
                self.process,
                TOKENS,
                fields,
                rng,
                tensors,
                rule=rule,
                ties=ties,
                temperature=s.species_temperature,
            )
        else:
            drawn = sample(
                denoiser,
                {TOKENS: self.process},
                fields,
                rng=rng,
                condition=tensors,
                **self.sampler.arguments(s),
            )[TOKENS]
            if isinstance(self.process, Embedded):
                drawn = self.process.round(drawn)
        assert bool((drawn != MASK_ID)[fields["mask"]].all())
        texts: list[str] = self.codec.decode({TOKENS: drawn, "mask": fields["mask"]})
        return [_in_order(text) for text in texts] if self.codec.order == "set" else texts


def _in_order(text: str) -> str:
    """The words in the order of elements in a formula; words that are no elements come first."""
    elements = frozenset(SYMBOLS)
    return " ".join(sorted(text.split(), key=lambda w: writing_order(w) if w in elements else (-1.0, w)))


def load_formula_generator(
    weights: str | Path,
    *,
    steps: int | None = None,
    sampler: str | None = None,
    guidance_scale: float | None = None,
    species_temperature: float | None = None,
    batch_size: int = 512,
    device: str | None = None,
) -> FormulaGenerator:
    """A generator of formulas, from the name of a shipped model or a checkpoint file.

    steps, sampler, guidance_scale, species_temperature: None means the value of the model's recipe. batch_size:
    formulas that are drawn together. device: of torch. Raises NucleateError if there is no such model, and for settings
    that the model does not have.

    Example:
        >>> import nucleate
        >>> generator = nucleate.load_formula_generator("diffusion-bert")
        >>> (words,) = generator.generate([nucleate.Condition(chemical_system=("Na", "Cl"))], seeds=[0])
        >>> sorted(set(words.split()))  # an element for each atom
        ['Cl', 'Na']
    """
    made: FormulaGenerator = load_sampler(
        weights,
        FORMULA,
        steps=steps,
        sampler=sampler,
        guidance_scale=guidance_scale,
        species_temperature=species_temperature,
        batch_size=batch_size,
        device=device,
    )
    return made
