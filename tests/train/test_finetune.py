from dataclasses import replace

import pytest
import torch

from nucleate.config import DataConfig
from nucleate.crystal.batch import CrystalBatch
from nucleate.errors import NucleateError
from nucleate.generators import read_info
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.finetune import finetune_recipe
from nucleate.train.loop import WEIGHTS, Trainer
from nucleate.train.weights_file import load_tensors

NETWORK = {"dim": 16, "layers": 1, "heads": 2, "pair_dim": 8, "frequencies": 2, "norm": "pre", "conditioning": "adaln"}


def crystals(n, elements, seed, **properties):
    g = torch.Generator().manual_seed(seed)
    z = torch.tensor(elements)[torch.randint(0, len(elements), (n, 4), generator=g)]
    return CrystalBatch(
        torch.eye(3) * 5 + torch.rand(n, 3, 3, generator=g), torch.rand(n, 4, 3, generator=g), z, properties
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    recipe = JointRecipe(
        name="base",
        task="dng",
        data=DataConfig(max_atoms=4),
        diffusion=DiffusionConfig(species="absorbing"),
        network=NetworkConfig(**NETWORK, condition_on=("chemical_system", "gap")),
        train=ConditionalTraining(steps=10, batch_size=16, precision="float32"),
    )
    Trainer(recipe, crystals(60, [3, 8, 26], 0, gap=torch.arange(60.0)), folder).run()
    return folder / WEIGHTS


def info(path):
    return read_info(path)


def tuned(base, folder, rank, steps=4, until=None):
    recipe = finetune_recipe(info(base), str(base), "hardness", "mine", steps=steps, rank=rank)
    trainer = Trainer(recipe, crystals(30, [3, 8], 1, hardness=torch.arange(30.0)), folder)
    trainer.run(until=until)
    return trainer


def test_a_new_condition_starts_without_influence_and_the_old_ones_as_they_were(base, tmp_path):
    trainer = tuned(base, tmp_path, rank=2, until=0)
    g = torch.Generator().manual_seed(0)
    z = torch.randint(1, 10, (2, 4), generator=g)
    frac = torch.rand(2, 4, 3, generator=g)
    fields = {"lattice": torch.randn(2, 6, generator=g), "frac_coords": frac, "atomic_numbers": z, "mask": z > 0}
    from nucleate.generators import load_generator

    old, t = load_generator(base).model, torch.rand(2)
    condition = {"gap": torch.randn(2, 1)}
    new = trainer.model(fields, t, condition | {"hardness": torch.randn(2, 1)})
    for k, v in old(fields, t, condition).items():
        torch.testing.assert_close(new[k], v, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("rank", [0, 2])
def test_the_tuned_weights_are_a_plain_model(base, tmp_path, rank):
    tuned(base, tmp_path, rank)
    tensors, _ = load_tensors(tmp_path / WEIGHTS)
    before, _ = load_tensors(base)
    new = {"condition.null.hardness", "condition.project.hardness.weight", "condition.project.hardness.bias"}
    assert set(tensors) - set(before) == new and set(before) <= set(tensors)
    own = info(tmp_path / WEIGHTS)
    assert own.recipe.condition_on == ("chemical_system", "gap", "hardness")
    assert own.properties["gap"] == info(base).properties["gap"] and own.properties["hardness"].n == 30
    assert own.lattice_mean == info(base).lattice_mean  # the scale of the weights
    assert own.elements == ((3, 8, 26) if rank else (3, 8))


def test_adapters_leave_the_other_weights_alone(base, tmp_path):
    trainer = tuned(base, tmp_path, rank=2)
    before, _ = load_tensors(base)
    after = trainer.model.state_dict()
    frozen = [k for k in after if k.endswith("linear.weight")]
    assert len(frozen) > 5
    for name in frozen:
        assert torch.equal(after[name], before[name.replace(".linear.weight", ".weight")])


def test_a_tuning_run_resumes(base, tmp_path):
    whole = tuned(base, tmp_path / "whole", rank=2, steps=6)
    tuned(base, tmp_path / "parts", rank=2, steps=6, until=3)
    parts = tuned(base, tmp_path / "parts", rank=2, steps=6)
    for k, v in whole.model.state_dict().items():
        torch.testing.assert_close(parts.model.state_dict()[k], v)


def test_models_and_columns_that_cannot_be_tuned_are_refused(base, tmp_path):
    with pytest.raises(NucleateError, match="steps must be at least 1"):
        finetune_recipe(info(base), str(base), "hardness", "mine", steps=0, rank=2)
    recipe = finetune_recipe(info(base), str(base), "hardness", "mine", steps=2, rank=2)
    assert recipe.data.frame == "reduced"
    canonical = replace(info(base), recipe=recipe.changed(data={"frame": "canonical"}))
    assert finetune_recipe(canonical, str(base), "hardness", "mine", steps=2, rank=2).data.frame == "canonical"
    with pytest.raises(NucleateError, match="the data carries no 'hardness'"):
        Trainer(recipe, crystals(30, [3, 8], 1), tmp_path)
    with pytest.raises(NucleateError, match="do not vary"):
        Trainer(recipe, crystals(30, [3, 8], 1, hardness=torch.ones(30)), tmp_path)
