"""A new system is one entry of the dictionary: it trains, is saved and loaded, and generates with no other change."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
import torch
from random_crystals import few_elements

from nucleate.codecs.state import CodecState
from nucleate.config import ConfigSection
from nucleate.crystal import lattice as lat
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator, read_info
from nucleate.systems import SYSTEMS, ModelCard, Recipe, Sampler, System, load_recipe, system_of
from nucleate.systems.crystals import CRYSTALS
from nucleate.systems.denoising import Denoising
from nucleate.systems.recipe import SampleConfig
from nucleate.train.loop import WEIGHTS, Trainer


class CubesRecipe(Recipe):
    """Simple cubic crystals of one element: only the size of the cell is generated."""

    class Codec(ConfigSection):
        element: int = 84

    class Network(ConfigSection):
        width: int = 8

    class Sample(SampleConfig):
        sampler: Literal["ancestral", "ddim"] = "ancestral"

    system: Literal["cubes"] = "cubes"
    codec: Codec = Codec()
    network: Network = Network()
    sample: Sample = Sample()


@dataclasses.dataclass(frozen=True)
class CubesCodec:
    """One number for a crystal, the logarithm of its edge."""

    element: int
    mean: float = 0.0
    std: float = 1.0

    num_elements: ClassVar[int] = 100
    per_atom: ClassVar[frozenset[str]] = frozenset()

    @property
    def state(self):
        return CodecState((self.mean,), (self.std,))

    def _edges(self, data):
        return lat.volume(data.lattice).log() / 3

    def fitted(self, data):
        edges = self._edges(data)
        return dataclasses.replace(self, mean=float(edges.mean()), std=float(edges.std()))

    def training_fields(self, data, index, width, rng):
        edges = (self._edges(data)[index, None] - self.mean) / self.std
        return {"edge": edges, "mask": torch.ones(len(index), 1, dtype=torch.bool)}

    def blank(self, atomic_numbers):
        return {"edge": torch.zeros(len(atomic_numbers), 1), "mask": atomic_numbers[:, :1] > 0}

    def decode(self, fields):
        edges = (fields["edge"] * self.std + self.mean).exp()
        b = len(edges)
        numbers = torch.full((b, 1), self.element)
        return edges[:, :, None] * torch.eye(3), torch.zeros(b, 1, 3), numbers


class CubesNetwork(torch.nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, width), torch.nn.SiLU(), torch.nn.Linear(width, 1))

    def forward(self, fields, t, condition):
        return {"edge": self.layers(torch.cat([fields["edge"], t[:, None]], -1))}


def processes(recipe: CubesRecipe, codec: Any, network: Any) -> dict[str, Any]:
    return {"edge": GaussianVP()}


CUBES = System(
    name="cubes",
    config=CubesRecipe,
    data=dataclasses.replace(CRYSTALS, fits=lambda recipe, data: data.num_atoms <= recipe.data.max_atoms),
    codec=lambda recipe, state: CubesCodec(recipe.codec.element, state.mean[0], state.std[0]),
    processes=processes,
    network=lambda recipe, codec, max_atoms: CubesNetwork(recipe.network.width),
    objective=lambda recipe, codec, data, properties, device, network: Denoising(
        recipe, codec, data, properties, device, processes(recipe, codec, network)
    ),
    sampler=Sampler(
        names=lambda recipe: ("ancestral", "ddim"),
        accepts=lambda recipe: frozenset(),
        arguments=lambda settings: settings.model_dump(),
    ),
    card=ModelCard(task=lambda recipe: "simple cubes", facts=lambda info: {}, limits=""),
)
TOML = """
name = "polonium"
system = "cubes"
[network]
width = 4
[train]
steps = 2
batch_size = 8
precision = "float32"
[sample]
steps = 4
"""


@pytest.fixture
def recipe(monkeypatch, tmp_path):
    monkeypatch.setitem(SYSTEMS, "cubes", CUBES)
    (tmp_path / "polonium.toml").write_text(TOML)
    return load_recipe(tmp_path / "polonium.toml")


def test_a_new_system_trains_is_saved_and_generates(recipe, tmp_path):
    assert isinstance(recipe, CubesRecipe) and system_of(recipe) is CUBES
    Trainer(recipe, few_elements(40), tmp_path / "run", "cpu").run()
    assert [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()] == [2]
    info = read_info(tmp_path / "run" / WEIGHTS)
    assert info.recipe == recipe and info.system is CUBES and info.training["steps"] == 2
    generator = load_generator(tmp_path / "run" / WEIGHTS, sampler="ddim", device="cpu")
    first, second = generator.generate([Condition()] * 2, [1, 2])
    assert first.composition.formula == "Po1" and first.lattice.is_orthogonal and first.lattice.a == first.lattice.c
    assert first.lattice.a != second.lattice.a
    assert generator.generate([Condition()], [1])[0].lattice == first.lattice


def test_a_new_system_refuses_settings_that_it_does_not_have(recipe, tmp_path):
    (tmp_path / "r.toml").write_text(TOML + "[codec]\nslots = 3\n")
    with pytest.raises(NucleateError, match="'codec.slots' is a setting of unimat, not of cubes"):
        load_recipe(tmp_path / "r.toml")
    Trainer(recipe, few_elements(40), tmp_path / "run", "cpu").run()
    generator = load_generator(tmp_path / "run" / WEIGHTS, device="cpu")
    for condition, words in (
        (Condition(composition={"Po": 1}), "cannot be asked for a given formula"),
        (Condition(num_atoms=1), "cannot be asked for a number of atoms"),
        (Condition(lattice_shape="cubic"), "cannot be asked for a lattice shape"),
        (Condition(properties={"gap": 1.0}), "cannot be asked for gap"),
    ):
        with pytest.raises(NucleateError, match=words):
            generator.generate([condition], [0])
    with pytest.raises(NucleateError, match="takes no wishes that guidance"):
        load_generator(tmp_path / "run" / WEIGHTS, guidance_scale=2.0)
    with pytest.raises(NucleateError, match="has no temperature"):
        load_generator(tmp_path / "run" / WEIGHTS, species_temperature=0.5)


ROOT = Path(__file__).parents[2]
# Ways to ask which system a recipe, a model or a codec is of.
QUESTIONS = re.compile(
    r"recipe\.task|(?<!report\.)\btask\s*(==|!=|in\b)|\bcodec\.kind|\.system(\.name)?\s*(==|!=|in\b)|==\s*[\"']unimat[\"']"
    r"|isinstance\([^)]*(JointCodec|UniMatCodec|CompactCodec|SiteCodec|TokenCodec|Denoising|Prediction)\b"
    r"|isinstance\([^)]*(Joint|UniMat|Compact|Site|Formula|Property|Crystal)Recipe\b"
    r"|isinstance\([^)]*(CrystalTransformer|SlotTransformer|DenseUNet|CompactNetwork|SiteNetwork|TokenTransformer)\b"
)


def test_no_code_outside_systems_tests_which_system_it_has():
    files = [p for part in ("src/nucleate", "benchmarks", "scripts") for p in (ROOT / part).rglob("*.py")]
    asked = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(files)
        if path.parent.name != "systems"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if QUESTIONS.search(line)
    ]
    assert asked == []
