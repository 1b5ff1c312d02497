"""Runs that draw formulas first (here by a stand-in for a model), check them, and then give them structures."""

import dataclasses
import runpy
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

import nucleate.search.names
from nucleate.data.write import table_from_items, write_crystal_table
from nucleate.diffusion.philox import derived_seed
from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.generators import Condition, read_info
from nucleate.generators.defaults import BaseGenerator
from nucleate.generators.model_checks import facts_of
from nucleate.generators.planning import plan_formula
from nucleate.generators.registry import GENERATORS
from nucleate.io import Named
from nucleate.pipeline.candidate import PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.origin import Wanted
from nucleate.pipeline.rank import to_rows
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.stages.realise import ComposeStage, RealiseStage
from nucleate.tasks.design import design, load_run, resume

TEXTS = ["Na Cl", "Na Na Cl Cl", "Mg O", "Na Cl Cl Cl", "[UNK] O", "K Cl", "Sr Ti O O O", "K Br"]
FAILURES = {
    "c00002": "chemistry: same formula as c00001",
    "c00004": "chemistry: charge: no neutral combination of icsd24 oxidation states",
    "c00005": "compose: '[UNK] O' is not a formula: unexpected '['",
}
NACL = Structure.from_spacegroup(225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])


class Played(BaseGenerator):
    """Text i belongs to the seed of candidate i."""

    name, makes = "played", "formulas"
    accepts = frozenset({"chemical_system", "contains", "exclude", "num_elements", "pattern", "properties"})

    def __init__(self, texts=TEXTS):
        self.texts = {derived_seed(0, i): text for i, text in enumerate(texts)}
        self.asked = []

    def check(self, condition):
        if "Rn" in (condition.chemical_system or ()):
            raise NucleateError("played never saw Rn in training")

    def plan(self, wishes, seed):
        return plan_formula(wishes, seed)

    def facts(self):
        return facts_of(read_info("mp20-dng"))

    def draw(self, conditions, seeds, progress=None):
        self.asked += conditions
        return [self.texts[s] for s in seeds]


@pytest.fixture(scope="module")
def played():
    model = Played()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(GENERATORS.own, "played", lambda: model)
        patch.setattr(nucleate.search.names, "require_names", lambda **names: None)
        yield model


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    file = tmp_path_factory.mktemp("data") / "known.parquet"
    write_crystal_table(table_from_items([Named("salt", NACL)])[0], file)
    return DesignSettings.of(oversample=4, generator="played", templates=str(file), relax_steps=2, second="none")


@pytest.fixture(scope="module")
def run(played, settings, tmp_path_factory):
    return design("anything, 2 candidates", tmp_path_factory.mktemp("whole") / "run", settings, executor=Serial())


def test_a_run_from_formulas_to_ranked_crystals(run, played):
    found = {c.id: c for c in run.all}
    assert len(run.all) == 8 and played.asked == [Condition()] * 8
    assert {k: str(found[k].failure) for k in FAILURES} == FAILURES
    assert str(found["c00007"].failure).startswith("template: ") and found["c00007"].structure is None
    assert {c.id for c in run.all if c.failure is None} == {"c00001", "c00003", "c00006", "c00008"}
    salt = found["c00001"]
    assert salt.stages[:4] == ("compose", "chemistry", "template", "check") and salt.composition == {"Na": 1, "Cl": 1}
    assert salt.provenance["text"] == "Na Cl" and salt.provenance["composer"] == "played"
    assert salt.origin.template.id == "salt" and salt.checks["oxidation"].reason == "Na +1, Cl -1"
    assert [c.formula for c in run.candidates] and all("e_above_hull" in c.energies for c in run.candidates)
    assert set(run.seconds) >= {"compose", "chemistry", "template", "relax", "hull"}
    report = (run.folder / "report.html").read_text()
    for words in (
        "<b>7</b><span>formulas",
        "<b>5</b><span>neutral",
        "same formula as c00001",
        "templates: 1 crystals of",
        "played",
    ):
        assert words in report, words
    assert to_rows(load_run(run.folder).all) == to_rows(run.all)


def test_runs_side_by_side(run):
    script = Path(__file__).parents[2] / "scripts" / "pipeline_table.py"
    found = runpy.run_path(str(script))["table"]([run, run])
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in found}
    assert found[0].count("played, template (emd) (run)") == 2
    assert rows["formulas / candidates"].startswith("87.5% (")
    assert rows["neutral, balanced and distinct / candidates"].startswith("62.5% (")
    assert rows["**n**, to get a structure"] == "5" and rows["with a structure / n"].startswith("80.0% (")
    assert rows["compose, s per candidate"].endswith("(8)") and rows["template, s per candidate"].endswith("(5)")


def test_crystals_far_below_the_hull_do_not_count_as_near_it(run):
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "pipeline_table.py"))
    best = next(c for c in run.all if c.failure is None)
    e_form, energy = best.energies["e_form"], dataclasses.replace(best.energies["e_above_hull"], value=-0.5)
    relaxed = best.with_(checks={"relaxed": Check(PASS)}, energies={"e_form": e_form, "e_above_hull": energy})
    deep = relaxed.with_(checks={"hull": Check(UNKNOWN, "phases are missing")})
    rows = script["column"](dataclasses.replace(run, all=[relaxed, deep]))
    assert rows["e_above_hull <= 0.1 eV/atom / n"].startswith("50.0%")
    assert rows["hull unknown: over 0.2 eV/atom below all known / n"].startswith("50.0%")
    assert rows["e_above_hull, 50% quantile, eV/atom"] == "-0.500"


class Dies(Serial):
    """An executor that is killed in the middle of a stage."""

    def __init__(self, stage):
        self.stage = stage

    def map(self, stage, candidates):
        for i, result in enumerate(super().map(stage, candidates)):
            if stage.name == self.stage and i == 2:
                raise KeyboardInterrupt
            yield result


@pytest.mark.parametrize("stage", ["compose", "chemistry"])
def test_an_interrupted_run_resumes_to_the_same(run, settings, tmp_path, stage):
    with pytest.raises(KeyboardInterrupt):
        design("anything, 2 candidates", tmp_path / "part", settings, executor=Dies(stage))
    begun = load_run(tmp_path / "part").all
    assert 2 <= sum(stage in c.stages for c in begun) < 8
    assert to_rows(resume(tmp_path / "part", executor=Serial()).all) == to_rows(run.all)


def test_structures_by_a_model_of_given_compositions(played, tmp_path):
    settings = DesignSettings.of(
        oversample=4, generator="played", structures="mp20-csp", steps=3, relax_steps=0, second="none"
    )
    run = design("anything, 2 candidates", tmp_path / "run", settings, executor=Serial())
    made = {c.id: c for c in run.all if c.structure is not None}
    assert {"c00001", "c00003", "c00006", "c00007", "c00008"} == set(made)
    for c in made.values():
        assert c.origin.generator == "mp20-csp"
        assert c.formula == Candidate("x", composition=c.composition).formula
        assert c.stages[:3] == ("compose", "chemistry", "generate")


def test_a_composition_that_cannot_be_made_is_a_failure():
    from nucleate.generators import load_generator

    stage = RealiseStage(load_generator("mp20-csp", steps=2))
    large, odd, empty = stage(
        [Candidate("a", composition={"Ca": 5, "P": 3, "O": 13}), Candidate("b", composition={"Rn": 1}), Candidate("c")]
    )
    assert str(large.failure) == "generate: one formula unit has 21 atoms; mp20-csp makes cells of at most 20"
    assert "never saw Rn" in str(odd.failure) and str(empty.failure) == "generate: there is no composition"


def test_formulas_outside_the_chemical_system_are_rejected():
    asked = Wanted(Condition(chemical_system=("Na", "Cl")))
    seeds = [derived_seed(0, i) for i in range(3)]
    model = Played(["Na Cl", "Na Na", "Na Cl Br"])
    model.chunk = 2
    good, lacks, more = ComposeStage(model)([Candidate(f"c{i}", s, wanted=asked) for i, s in enumerate(seeds)])
    assert model.asked == [Condition(chemical_system=("Na", "Cl"))] * 3
    assert good.failure is None
    assert (str(lacks.failure), str(more.failure)) == ("compose: no Cl in it", "compose: Br is not in Na-Cl")


def test_wishes_about_elements_are_recorded_and_followed(played, settings, tmp_path):
    wish = parse_request("Na ?, 2 candidates", exclude="Cl,Pb", num_elements=2)
    with pytest.raises(KeyboardInterrupt):
        design(wish, tmp_path / "run", settings, executor=Dies("compose"))
    assert load_run(tmp_path / "run").request == wish
    asked = len(played.asked)
    made = {c.id: c for c in resume(tmp_path / "run", executor=Serial()).all}
    wanted = Condition(pattern="Na ?", exclude=("Cl", "Pb"), num_elements=2)
    assert played.asked[asked:] and all(condition == wanted for condition in played.asked[asked:])
    assert str(made["c00001"].failure) == "compose: Cl is in it" and made["c00003"].failure is None
    assert str(made["c00007"].failure) == "compose: 3 elements, not 2"
    assert "formulas such as Na ? with no Cl, Pb and 2 different" in (tmp_path / "run" / "report.html").read_text()
    for text, options in (("Li ? O4", {}), ("anything", {"contains": "Li"}), ("NaCl", {"num_elements": 2})):
        with pytest.raises(NucleateError, match=r"can be asked for only where formulas are drawn first"):
            design(parse_request(text, **options), tmp_path / "none", DesignSettings())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("request_", "changes", "message"),
    [
        ("NaCl", {}, "NaCl is a formula, and with generator played formulas are drawn"),
        ("Na-Cl, 4 atoms", {}, "a number of atoms .--num-atoms. cannot be asked for"),
        ("Na-Cl, cubic", {}, "a space group .--space-group. cannot be asked for"),
        ("Rn-F", {}, "chgnet does not know Rn: not in its training data"),
        ("anything", {"weights": "mp20-dng"}, "leave 'weights' out"),
        ("anything", {"steps": 5}, "'steps' and 'sampler' would have no effect"),
        ("anything", {"structures": "mp20-dng"}, "mp20-dng takes no formula"),
        ("anything", {"structures": "none"}, "no weights 'none'"),
        ("anything", {"rank_by": "age"}, "not 'age'"),
        ("anything", {"templates": "nowhere.parquet"}, "no file nowhere.parquet"),
        ("anything", {"oversample": 0}, "oversample must be at least 1"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_written(
    played, settings, tmp_path, request_, changes, message
):
    with pytest.raises(NucleateError, match=message):
        design(request_, tmp_path / "run", settings.replaced(**changes))
    assert not (tmp_path / "run").exists()
