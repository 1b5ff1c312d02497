import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from random_crystals import few_elements

from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_generator
from nucleate.generators.conditions import condition_from_dict, condition_to_dict
from nucleate.generators.inpaint import fixed_parts, plan_inpainting
from nucleate.systems.joint import DiffusionConfig, JointRecipe, NetworkConfig, SampleConfig
from nucleate.systems.recipe import ConditionalTraining
from nucleate.train.loop import WEIGHTS, Trainer

PEROVSKITE = Structure(
    Lattice.cubic(3.9),
    ["Sr", "Ti", "O", "O", "O"],
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]],
)
CHANGE = np.array([[1, 0, 0], [3, 1, 0], [-2, 1, 1]])
SKEWED = Structure(Lattice(CHANGE @ PEROVSKITE.lattice.matrix), ["Sr", "O"], [[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]])


@pytest.fixture(scope="module", params=["csp", "dng"])
def generator(request, tmp_path_factory):
    recipe = JointRecipe(
        name="tiny",
        task=request.param,
        diffusion=DiffusionConfig(species="given" if request.param == "csp" else "absorbing"),
        network=NetworkConfig(dim=16, layers=1, heads=2, pair_dim=8, frequencies=2, norm="pre"),
        train=ConditionalTraining(steps=3, batch_size=8, precision="float32"),
        sample=SampleConfig(steps=6),
    )
    folder = tmp_path_factory.mktemp(request.param)
    Trainer(recipe, few_elements(40), folder).run()
    return load_generator(folder / WEIGHTS)


def condition(generator, fixed, composition, **more):
    if generator.info.takes_composition:
        return Condition(composition=composition, fixed=fixed, **more)
    return Condition(num_atoms=sum(composition.values()), fixed=fixed, **more)


SR_TI_O3 = {"Sr": 1, "Ti": 1, "O": 3}


def test_what_is_fixed_comes_out_exactly(generator):
    (made,) = generator.generate([condition(generator, fixed_parts(PEROVSKITE, "lattice,Sr,Ti"), SR_TI_O3)], [0])
    assert np.array_equal(made.lattice.matrix, PEROVSKITE.lattice.matrix)
    assert np.array_equal(made.frac_coords[:2], PEROVSKITE.frac_coords[:2])
    assert [s.specie.symbol for s in made][:2] == ["Sr", "Ti"]
    assert not np.allclose(made.frac_coords[2:], PEROVSKITE.frac_coords[2:], atol=0.01)


def test_a_cell_that_is_not_reduced_keeps_its_basis(generator):
    (made,) = generator.generate([condition(generator, fixed_parts(SKEWED, "lattice,Sr"), {"Sr": 1, "O": 1})], [1])
    assert np.array_equal(made.lattice.matrix, SKEWED.lattice.matrix)
    assert np.array_equal(made.frac_coords[0], SKEWED.frac_coords[0])


def test_atoms_can_be_added_to_a_cell(generator):
    (made,) = generator.generate([condition(generator, fixed_parts(SKEWED, "lattice,1-2"), {"Sr": 1, "O": 3})], [2])
    assert len(made) == 4 and np.array_equal(made.frac_coords[:2], SKEWED.frac_coords)


def test_lattice_shapes_are_kept(generator):
    conditions = [
        condition(generator, fixed_parts(PEROVSKITE, "shape,species"), SR_TI_O3),
        condition(generator, None, {"Sr": 1, "O": 1}, lattice_shape="hexagonal"),
        condition(generator, None, {"Sr": 1, "O": 1}),
    ]
    cubic, hexagonal, free = generator.generate(conditions, [3, 4, 5])
    assert cubic.lattice.abc == pytest.approx([cubic.lattice.a] * 3, rel=1e-4)
    assert cubic.lattice.angles == pytest.approx([90] * 3, abs=1e-2)
    assert hexagonal.lattice.a == pytest.approx(hexagonal.lattice.b, rel=1e-4)
    assert hexagonal.lattice.angles == pytest.approx([90, 90, 120], abs=1e-2)
    assert max(abs(a - 90) for a in free.lattice.angles) > 1


def test_the_reduced_cell_of_a_plan_is_the_same_crystal():
    p = plan_inpainting(fixed_parts(SKEWED, "lattice,1-2"))
    reduced = Structure(Lattice(p.lattice), SKEWED.species, p.frac_coords)
    assert p.restore(reduced).lattice.matrix == pytest.approx(SKEWED.lattice.matrix)
    assert np.sort(reduced.distance_matrix, None) == pytest.approx(np.sort(SKEWED.distance_matrix, None), abs=1e-6)


def test_conditions_survive_json():
    import json

    before = Condition(fixed=fixed_parts(SKEWED, "shape,Sr"), lattice_shape=None, properties={"e_form": -1.0})
    assert condition_from_dict(json.loads(json.dumps(condition_to_dict(before)))) == before


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ("lattice,shape", "contradict"),
        ("Na", "'Na' is nothing that can be kept of this cell; give lattice, shape"),
        ("4-6", "the cell has atoms 1 to 5"),
        ("0", "the cell has atoms 1 to 5"),
        ("", "nothing that can be kept"),
    ],
)
def test_wrong_masks_are_refused(mask, message):
    with pytest.raises(NucleateError, match=message):
        fixed_parts(PEROVSKITE, mask)


def test_what_cannot_be_kept_is_refused(generator):
    fixed = fixed_parts(PEROVSKITE, "O")
    with pytest.raises(NucleateError, match="more than the 2 asked for"):
        generator.check(condition(generator, fixed, {"Sr": 1, "O": 1}))
    with pytest.raises(NucleateError, match="contradict"):
        generator.check(condition(generator, fixed_parts(PEROVSKITE, "lattice"), SR_TI_O3, lattice_shape="cubic"))
    if generator.info.takes_composition:
        with pytest.raises(NucleateError, match="keeps 3 O, but the composition has 1"):
            generator.check(condition(generator, fixed, {"Sr": 5, "O": 1}))
    else:
        with pytest.raises(NucleateError, match="never saw Xe"):
            generator.check(
                condition(generator, fixed_parts(Structure(Lattice.cubic(4), ["Xe"], [[0] * 3]), "Xe"), {"Sr": 1})
            )


def test_a_fixed_cell_larger_than_the_model_knows_is_refused(generator):
    fixed = fixed_parts(PEROVSKITE * (2, 2, 2), "lattice")
    size = {"composition": {"Sr": 8, "Ti": 8, "O": 24}} if generator.info.takes_composition else {}
    with pytest.raises(NucleateError, match="cells of 1 to 20 atoms, not 40"):
        generator.check(Condition(fixed=fixed, **size))


def test_scripts_find_the_function_under_its_earlier_name():
    from nucleate.generators.inpaint import fix

    assert fix is fixed_parts
