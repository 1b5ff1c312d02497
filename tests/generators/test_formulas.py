from pathlib import Path

import pytest
import torch
from papers import of_papers

from nucleate.chem.formula import parse_strict
from nucleate.crystal.formulas import FormulaBatch
from nucleate.diffusion.unmask import start_time
from nucleate.errors import NucleateError
from nucleate.generators import Condition, load_formula_generator, load_generator
from nucleate.generators.pattern import parse_pattern
from nucleate.systems.reading import read_recipe
from nucleate.train.loop import WEIGHTS, Trainer
from recipes import model_of

ROOT = Path(__file__).parent.parent.parent
KNOWN = [{3: 1, 26: 1, 8: 2}, {11: 1, 17: 1}, {38: 1, 22: 1, 8: 3}, {12: 1, 8: 1}, {3: 2, 8: 1}, {30: 1, 16: 1}] * 8
WORDS = {"Li", "Fe", "O", "Na", "Cl", "Sr", "Ti", "Mg", "Zn", "S"}


def recipe(words, order):
    embedding = words == "embedding"
    return read_recipe(
        {
            "name": "tiny",
            "system": "formulas",
            "data": {"max_atoms": 12},
            "codec": {"order": order},
            "diffusion": {"words": words} | ({"embedding_dim": 8} if embedding else {}),
            "network": {
                "dim": 16,
                "layers": 1,
                "heads": 2,
                "condition_on": ["balanced"],
                "self_conditioning": embedding,
            },
            "train": {"steps": 4, "batch_size": 16, "precision": "float32"},
            "sample": {"steps": 5, "sampler": "ancestral" if embedding else "one-by-one"},
        }
    )


def trained(folder, words="absorbing", order="set", steps=None):
    data = FormulaBatch.from_counts(KNOWN, {"balanced": (torch.arange(len(KNOWN)) % 2).float()})
    trainer = Trainer(recipe(words, order), data, folder)
    trainer.run(until=steps)
    return trainer


@pytest.fixture(scope="module", params=[("absorbing", "set"), ("absorbing", "shuffled"), ("embedding", "sorted")])
def weights(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("formulas")
    trained(folder, *request.param)
    return folder / WEIGHTS


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("masked")
    trained(folder)
    return load_formula_generator(folder / WEIGHTS)


def test_a_text_depends_on_its_condition_and_seed_alone(weights):
    generator = load_formula_generator(weights, batch_size=4)
    conditions = [Condition(num_atoms=2), Condition(), Condition(properties={"balanced": 1.0}), Condition()] * 3
    seeds = list(range(12))
    together = generator.generate(conditions, seeds)
    assert together == generator.generate(conditions, seeds) and len(set(together)) > 6
    backwards = generator.generate(conditions[::-1], seeds[::-1])[::-1]
    alone = [generator.generate([c], [s])[0] for c, s in zip(conditions, seeds, strict=True)]
    assert together == backwards == alone
    assert all(len(t.split()) == 2 for t in together[::4])


def test_a_run_resumes_exactly(tmp_path):
    whole = trained(tmp_path / "whole", "embedding", "sorted")
    trained(tmp_path / "parts", "embedding", "sorted", steps=2)
    parts = trained(tmp_path / "parts", "embedding", "sorted")
    for k, v in whole.model.state_dict().items():
        torch.testing.assert_close(parts.model.state_dict()[k], v)
    assert whole.info.codec.information() == parts.info.codec.information()


def drawn(generator, condition, n=40):
    return [parse_strict(t) for t in generator.generate([condition] * n, list(range(n)))]


def test_conditions_on_elements_hold_whatever_the_network_predicts(masked):
    for counts in drawn(masked, Condition(contains=("Li", "O"), exclude=("Fe",))):
        assert {"Li", "O"} <= set(counts) and "Fe" not in counts
    for counts in drawn(masked, Condition(chemical_system=("Na", "Fe", "O"))):
        assert set(counts) == {"Na", "Fe", "O"}
    for k in (1, 3, 5):
        assert all(len(counts) == k for counts in drawn(masked, Condition(num_elements=k)))
    for counts in drawn(masked, Condition(num_elements=3, contains=("Ti",), num_atoms=9)):
        assert len(counts) == 3 and counts["Ti"] and sum(counts.values()) == 9
    for counts in drawn(masked, Condition(pattern="Li ?2 O4")):
        (other,) = set(counts) - {"Li", "O"}
        assert counts == {"Li": 1, other: 2, "O": 4}
    for counts in drawn(masked, Condition(pattern="Sr *")):
        assert counts["Sr"] >= 1 and sum(counts.values()) >= 2


def test_likelihoods_are_the_network_s_for_each_masked_element(masked):
    some = [{"Sr": 1, "Ti": 1, "O": 3}, {"Li": 2, "O": 1}, {"Na": 4, "Cl": 4}]
    found = masked.log_likelihoods(some)
    assert all(v < 0 for v in found)
    assert found == pytest.approx([masked.log_likelihoods([c])[0] for c in some], abs=1e-5)
    # The formula unit decides
    assert found[2] == pytest.approx(masked.log_likelihoods([{"Cl": 1, "Na": 1}])[0], abs=1e-5)
    codec, process = masked.codec, masked.process
    one, expected = torch.ones(1, 3, dtype=torch.bool), 0.0
    for words, asked in (([0, 0, codec.token("O")], "Li"), ([codec.token("Li")] * 2 + [0], "O")):
        given = torch.tensor([words])
        t = start_time(process, given != 0, one)
        with torch.no_grad():
            logits = masked.model({"tokens": given, "mask": one}, t, {})["tokens"]
        p = process.probabilities(logits)[0, words.index(0)]
        assert float(p.sum()) == pytest.approx(1, abs=1e-5)
        expected += float(p[codec.token(asked)].log()) / 2
    assert found[1] == pytest.approx(expected, abs=1e-5)


def test_likelihoods_of_formulas_outside_the_model_are_minus_infinity(masked, tmp_path):
    assert masked.log_likelihoods([{"U": 1, "O": 2}, {"Li": 13, "O": 1}]) == [-float("inf")] * 2
    assert masked.log_likelihoods([]) == []
    trained(tmp_path, "embedding", "sorted")
    with pytest.raises(NucleateError, match="tiny has no masked words to ask for"):
        load_formula_generator(tmp_path / WEIGHTS).log_likelihoods([{"Li": 2, "O": 1}])


def test_gaps_of_a_pattern():
    pattern = parse_pattern("Ba0 ?".replace("0", "2"))
    assert pattern.named == {"Ba": 2} and pattern.gaps == (1,) and pattern.num_atoms == 3
    assert parse_pattern("O2 ? O").named == {"O": 3} and parse_pattern("Fe*").open
    for text, why in (
        ("LiO", "no gap"),
        ("Li ? *", "both"),
        ("Li0 ?", "at least 1"),
        ("Xx ?", "not an element"),
        ("Li (?)2", r"'\(' does not belong"),
    ):
        with pytest.raises(NucleateError, match=why):
            parse_pattern(text)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        (Condition(composition={"Li": 1}), "cannot be asked for a given formula"),
        (Condition(space_group=225), "cannot be asked for a space group"),
        (Condition(properties={"hardness": 3.0}), "cannot be asked for hardness"),
        (Condition(contains=("U",)), "never saw U"),
        (Condition(contains=("Li",), exclude=("Li",)), "wanted and excluded"),
        (Condition(chemical_system=("Li", "O"), contains=("Fe",)), "outside the chemical system"),
        (Condition(num_elements=1, contains=("Li", "O")), "more than the 1"),
        (Condition(num_elements=0), "at least 1"),
        (Condition(chemical_system=("Li", "O"), num_elements=3), "has 2 elements, not 3"),
        (Condition(num_atoms=2, num_elements=3), "2 atoms cannot hold"),
        (Condition(num_atoms=40), "at most 12 atoms"),
        (Condition(pattern="Li ? O20"), "at most 12 atoms"),
        (Condition(pattern="Li ? O4", num_atoms=9), "has 6 atoms, not 9"),
        (Condition(pattern="Li ? O4", contains=("Fe",)), "into the pattern"),
        (Condition(pattern="Li ? O4", num_elements=2), "has 3 elements, not 2"),
        (Condition(pattern="Li ?2 O4", num_elements=4), "has 3 elements, not 4"),
        (Condition(pattern="Li ? ? O4", num_elements=5), "has 3 to 4 elements, not 5"),
        (Condition(pattern="Li ? O4", chemical_system=("Li", "O")), "leaves no element for"),
    ],
)
def test_impossible_conditions_are_refused_in_one_line(masked, condition, why):
    with pytest.raises(NucleateError, match=why) as error:
        masked.generate([condition], [0])
    assert "\n" not in str(error.value)


def test_models_of_vectors_refuse_wishes_about_elements(tmp_path):
    trained(tmp_path, "embedding", "sorted")
    generator = load_formula_generator(tmp_path / WEIGHTS)
    with pytest.raises(NucleateError, match="draws whole formulas"):
        generator.generate([Condition(contains=("Li",))], [0])
    with pytest.raises(NucleateError, match="known are ancestral, ddim"):
        load_formula_generator(tmp_path / WEIGHTS, sampler="one-by-one")


def test_weights_of_another_kind_are_refused(tmp_path):
    trained(tmp_path)
    with pytest.raises(NucleateError, match="kind 'formula', not a generator"):
        load_generator(tmp_path / WEIGHTS)
    with pytest.raises(NucleateError, match="a generator, not a network of kind 'formula'"):
        load_formula_generator("mp20-csp")
    start = read_recipe({"name": "other", "system": "joint", "train": {"start_from": str(tmp_path / WEIGHTS)}})
    from nucleate.crystal.batch import CrystalBatch

    with pytest.raises(NucleateError, match="was trained on formulas, and this recipe trains on crystals"):
        Trainer(start, CrystalBatch.from_arrays([torch.eye(3)], [[[0, 0, 0]]], [[3]]), tmp_path / "other")


def test_a_step_by_step_sampler_gives_formulas_too(tmp_path):
    trained(tmp_path)
    texts = load_formula_generator(tmp_path / WEIGHTS, sampler="ancestral", steps=6).generate(
        [Condition()] * 5, range(5)
    )
    assert len(texts) == 5 and all("MASK" not in t for t in texts)


@pytest.mark.parametrize("name", ["diffusion-bert-all", *of_papers("diffusion-bert", "diffusion-lm")])
def test_shipped_weights_draw_formulas_and_have_recipe_and_card(name):
    from nucleate.generators import shipped_weights
    from nucleate.systems import load_recipe
    from nucleate.train.shipped import weights_file

    generator = load_formula_generator(name, steps=10 if name == "diffusion-lm" else None)
    assert name in shipped_weights("formula") and name not in shipped_weights()
    assert model_of(generator.info.recipe) == model_of(load_recipe(ROOT / "recipes" / f"{name}.toml"))
    card = weights_file(name).with_suffix(".md").read_text()
    assert "CN + EB" in card and f"{generator.info.training['formulas']:,} formulas" in card
    texts = generator.generate([Condition()] * 24, list(range(24)))
    assert sum(map(is_formula, texts)) >= 22 and len(set(texts)) >= 20


def is_formula(text):
    try:
        return bool(parse_strict(text))
    except NucleateError:
        return False
