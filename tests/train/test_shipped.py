"""Which models nucleate and nucleate-papers ship, and how those of other packages are found."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from installed import install
from papers import needs_papers

from nucleate.cli.doctor import OK, OPTIONAL, UNUSED, models_of_packages
from nucleate.errors import NucleateError
from nucleate.evaluate.measures.network import property_network
from nucleate.generators import read_info
from nucleate.generators.methods import ADAPTIVE_WEIGHTS
from nucleate.generators.registry import require_generator
from nucleate.request.parse import parse_request
from nucleate.search.choose_weights import weights_for
from nucleate.search.names import NO_PROPERTIES, require_named, require_properties
from nucleate.search.property_network import judges_hint, shipped_judge
from nucleate.settings import DesignSettings, OptimiseSettings, PredictSettings
from nucleate.settings.generate import ComposeSettings
from nucleate.settings.sampling import FORMULA_MODEL, SPOKEN
from nucleate.stages.oxidation import WEIGHTS as OXIDATION
from nucleate.systems.base import FORMULA, PROPERTY
from nucleate.tasks.predict import METHODS, predict
from nucleate.train import papers, shipped
from nucleate.train.papers import PACKAGE, PAPERS, SERIES, how_to_install
from nucleate.train.shipped import (
    other_models,
    papers_entry,
    require_brought,
    require_weights,
    shipped_weights,
    weights_file,
    weights_folder,
)
from nucleate.train.similarity import SHIPPED as SIMILARITY

ROOT = Path(__file__).parents[2]
PAPERS_ROOT = ROOT / "packages" / "papers"
PAPERS_FOLDER = PAPERS_ROOT / "src" / "nucleate_papers" / "weights"
MOST_BYTES = 30e6  # of the weights of nucleate, whose wheel stays below 45 MB with them
INDEX_BYTES = 95e6  # package indices take files of 100 MB
GROUP = "nucleate.weights"
FOLDER = "from pathlib import Path\n\ndef folder():\n    return Path({!r})"


def files(folder, kind="*.safetensors"):
    return {path.stem: path for path in folder.glob(kind)}


def bring(monkeypatch, folder, package, names, version="1.0", entry="some"):
    """Install a package with models of these names, copies of a small one."""
    models = folder / "models"
    models.mkdir(parents=True)
    for name in names:
        (models / f"{name}.safetensors").symlink_to(weights_folder() / "mp20-sites.safetensors")
    module = package.replace("-", "_") + "_test"
    entries = {GROUP: {entry: f"{module}:folder"}}
    install(monkeypatch, folder, package, entries, version, **{module: FOLDER.format(str(models))})
    return models


def without_papers(monkeypatch):
    """nucleate-papers is not installed, and nucleate runs from no checkout."""
    monkeypatch.setattr(shipped, "_entries", list)
    monkeypatch.setattr(papers, "__file__", "/usr/lib/python3/site-packages/nucleate/train/papers.py")
    assert how_to_install() == "pip install nucleate-papers"


def test_each_model_is_in_one_package_and_has_a_card_and_a_recipe():
    own, others = files(weights_folder()), files(PAPERS_FOLDER)
    assert not set(own) & set(others) and set(others) == set(PAPERS)
    recipes = {path.stem for path in (ROOT / "recipes").rglob("*.toml")}
    assert set(own) | set(others) <= recipes
    for folder, models in ((weights_folder(), own), (PAPERS_FOLDER, others)):
        assert set(files(folder, "*.md")) == set(models)
        assert {path.suffix for path in folder.iterdir()} == {".md", ".safetensors"}
    page = (PAPERS_ROOT / "README.md").read_text()
    assert all(f"`{name}`" in page and f"weights/{name}.md" in page for name in others)


def test_the_packages_stay_small():
    sizes = [sum(path.stat().st_size for path in files(f).values()) for f in (weights_folder(), PAPERS_FOLDER)]
    assert sizes[0] < MOST_BYTES, "the wheel of nucleate would come near 45 MB: move a model to nucleate-papers"
    assert sizes[1] < INDEX_BYTES


def test_the_models_that_commands_choose_are_in_nucleate():
    chosen = {ADAPTIVE_WEIGHTS, FORMULA_MODEL, *SPOKEN, OXIDATION, SIMILARITY, ComposeSettings().weights}
    chosen |= {METHODS[name].weights for name in ("transformer", "adaptive")}
    requests = "SrTiO3", "anything", "Sr-Ti-O, cubic", "Li-Fe-O, e_form=-2", "anything, gap=1", "anything, e_hull=0"
    chosen |= {weights_for(parse_request(text)) for text in requests}
    chosen |= {shipped_judge([column], {"dataset": "mp-20"}) for column in papers.OF_MP20}
    for path in (ROOT / "src" / "nucleate" / "cli").glob("*.py"):  # defaults and examples of the commands
        chosen |= set(re.findall(r"(?:= |optimise |--from )\"?(mp20-[a-z]+)\b", path.read_text()))
    readme = (ROOT / "README.md").read_text() + (ROOT / "Makefile").read_text()
    named = r"(?:optimise|--from|--weights|--generator|--structures) ((?:mp20|perov5|carbon24|diffusion)-[a-z-]+)"
    chosen |= set(re.findall(named, readme))
    assert {"mp20-csp", "mp20-dng", "mp20-cds", "property-mp20"} <= chosen
    assert chosen <= set(files(weights_folder()))
    for settings in (DesignSettings(), PredictSettings(), ComposeSettings()):
        assert not set(map(str, settings.flat().values())) & set(PAPERS)


@pytest.mark.parametrize("name", PAPERS)
def test_the_table_of_models_of_papers_says_what_their_files_say(name):
    model = PAPERS[name]
    info = read_info(PAPERS_FOLDER / f"{name}.safetensors", model.kind)
    dataset = info.recipe.data.dataset.split("+")[0].partition(":")[0]
    names = info.recipe.predict if model.kind == PROPERTY else info.recipe.condition_on
    assert (dataset, set(names) - NO_PROPERTIES) == (model.dataset, set(model.properties))


def test_both_packages_have_one_version_and_are_installed_for_the_tests():
    own, other = (tomllib.loads((folder / "pyproject.toml").read_text())["project"] for folder in (ROOT, PAPERS_ROOT))
    assert own["version"] == other["version"] and own["version"].startswith(f"{SERIES}.")
    assert other["name"] == PACKAGE and other["dependencies"] == [f"nucleate=={SERIES}.*"]
    assert other["entry-points"][GROUP] == {"papers": "nucleate_papers:weights_folder"}
    target = re.search(r"/\.dev:(.*)\n\t(.*)", (ROOT / "Makefile").read_text())
    assert "packages/papers/pyproject.toml" in target[1] and "-e packages/papers" in target[2]


@needs_papers
def test_the_models_of_papers_are_found_by_name():
    assert set(PAPERS) <= set(other_models().files) and not other_models().problems
    assert papers_entry().version.startswith(f"{SERIES}.")
    for name, model in PAPERS.items():
        assert require_weights(name, model.kind) == weights_file(name) and name in shipped_weights(model.kind)
        require_brought(name)
    assert shipped_weights(PROPERTY)[0] == "property-mp20" and shipped_weights(FORMULA)[0] == FORMULA_MODEL
    found = {f.what: f for f in models_of_packages()}
    assert found[PACKAGE].state == OK and f"{len(PAPERS)} models" in found[PACKAGE].detail
    assert weights_for(parse_request("anything, heat_ref=1")) == "perov5-cds"  # what nucleate itself cannot make


def test_without_the_package_every_message_says_the_command(monkeypatch):
    without_papers(monkeypatch)
    said = "in the package nucleate-papers, which is not installed; run: pip install nucleate-papers$"
    for call in (
        lambda: require_weights("mp20-unimat"),
        lambda: require_generator("perov5-cds"),
        lambda: require_generator("diffusion-lm", "formulas"),
        lambda: predict(["SrTiO3"], PredictSettings.of(method="compact")),
        lambda: property_network("property-perov5"),
        lambda: require_named(OptimiseSettings.of(weights="mp20-cdi")),
    ):
        with pytest.raises(NucleateError, match=said) as error:
            call()
        assert "\n" not in str(error.value)
    with pytest.raises(
        NucleateError, match="nucleate-papers has perov5-cdi, perov5-cds: pip install nucleate-papers; teach"
    ):
        require_properties(["heat_ref"])
    with pytest.raises(NucleateError, match="on offer: e_form, e_hull, gap; teach a model"):
        require_properties(["hardness"])
    with pytest.raises(NucleateError, match="mp20-sites; more with: pip install nucleate-papers; or give a file$"):
        require_weights("nothing")
    hint = judges_hint(["energy_per_atom"], {"dataset": "carbon-24"})
    assert hint == "; the package nucleate-papers has property-carbon24: pip install nucleate-papers"
    assert judges_hint(["band_gap"], {"dataset": "mp-20"}) == ""
    (finding,) = models_of_packages()
    assert (finding.state, finding.mend) == (OPTIONAL, "pip install nucleate-papers") and "17 models" in finding.detail


def test_a_checkout_installs_the_package_that_lies_in_it():
    assert how_to_install() == f"pip install -e {PAPERS_ROOT}"


def test_another_package_brings_models(monkeypatch, tmp_path):
    models = bring(monkeypatch, tmp_path, "oxides", ["oxides-sites"])
    assert weights_file("oxides-sites") == models / "oxides-sites.safetensors"
    assert "oxides-sites" in shipped_weights() and other_models().sources["oxides-sites"] == "oxides 1.0"
    assert weights_for(parse_request("Sr-Ti-O, cubic")) == ADAPTIVE_WEIGHTS


def test_two_models_of_one_name_are_never_mixed_up(monkeypatch, tmp_path):
    bring(monkeypatch, tmp_path / "a", "first", ["mp20-csp", "mine", "twice"], entry="first")
    bring(monkeypatch, tmp_path / "b", "second", ["twice"], entry="second")
    assert weights_file("mp20-csp") == weights_folder() / "mp20-csp.safetensors" and weights_file("mine") is not None
    assert weights_file("twice") is None and shipped_weights().count("mp20-csp") == 1
    problems = other_models().problems
    assert "the model 'mp20-csp' of first 1.0 is not used, because nucleate has one of that name" in problems
    with pytest.raises(
        NucleateError, match=r"two models 'twice', of .* and .*; uninstall one of these packages, or give"
    ):
        require_weights("twice")
    unused = [f.detail for f in models_of_packages() if f.state == UNUSED]
    assert unused == problems and len(unused) == 2


def test_a_version_of_the_package_that_does_not_fit_is_not_used(monkeypatch, tmp_path):
    bring(monkeypatch, tmp_path, PACKAGE, ["mp20-unimat"], version="9.2.0", entry="papers")
    said = f"nucleate-papers 9.2.0 does not belong to nucleate {SERIES}; run: pip install 'nucleate-papers=={SERIES}.*'"
    with pytest.raises(NucleateError) as error:
        require_weights("mp20-unimat")
    assert (
        str(error.value) == f"the model 'mp20-unimat' is in the package nucleate-papers, which cannot be used: {said}"
    )
    assert [(f.state, f.detail) for f in models_of_packages()] == [(UNUSED, said)]


def test_a_package_that_lacks_one_of_its_models_says_so(monkeypatch, tmp_path):
    bring(monkeypatch, tmp_path, PACKAGE, ["mp20-unimat"], version=f"{SERIES}.0", entry="papers")
    assert require_weights("mp20-unimat").parent == tmp_path / "models"
    with pytest.raises(NucleateError, match=rf"but nucleate-papers {SERIES}.0 lacks it; run: .*--force-reinstall"):
        require_weights("mp20-compact")


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            "def folder():\n    raise ValueError('no')",
            r"the folder of weights 'bad' .*broken 1.0 cannot be used \(Va",
        ),
        (
            "def folder():\n    return '/nowhere'",
            "the package broken 1.0 has no folder /nowhere of weights",
        ),
        ("def folder():\n    return 3", r"broken 1.0 cannot be used \(TypeError"),
    ],
)
def test_a_broken_package_breaks_nothing_else(monkeypatch, tmp_path, module, message):
    install(monkeypatch, tmp_path, "broken", {GROUP: {"bad": "broken_m:folder"}}, broken_m=module)
    assert require_weights("mp20-csp").is_file() and "mp20-csp" in shipped_weights()
    (problem,) = other_models().unusable.values()
    assert re.search(message, problem) and "\n" not in problem


def test_a_packed_model_goes_to_the_package_that_its_name_is_in():
    spec = importlib.util.spec_from_file_location("ship", ROOT / "scripts" / "ship.py")
    ship = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(ship)
    assert ship.home_of("mp20-unimat") == (PACKAGE, PAPERS_FOLDER)
    assert ship.home_of("mp20-csp") == ship.home_of("something-new") == ("nucleate", weights_folder())
