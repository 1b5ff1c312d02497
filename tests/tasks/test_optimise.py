import dataclasses

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from nucleate.config import DataConfig
from nucleate.crystal import lattice as lat
from nucleate.crystal.batch import CrystalBatch
from nucleate.engine.local import Serial
from nucleate.errors import NucleateError
from nucleate.evaluate.metric import ReportSection
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.state import PredictedProperties
from nucleate.settings import OptimiseSettings
from nucleate.systems import joint, property
from nucleate.systems.recipe import ConditionalTraining, FromWeights
from nucleate.tasks.optimise import optimise
from nucleate.tasks.optimise_report import diversity, predicted, why_not
from nucleate.train.loop import WEIGHTS, Trainer

NETWORK = {"dim": 32, "layers": 1, "heads": 2, "pair_dim": 12, "norm": "pre"}
COLUMN = "formation_energy_per_atom"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A generator and a judge of crystals whose energy is minus the share of oxygen beside lithium, and their data."""
    folder = tmp_path_factory.mktemp("models")
    g = torch.Generator().manual_seed(0)
    oxygen = torch.randint(0, 4, (300,), generator=g)
    z = torch.where(torch.arange(3) < oxygen[:, None], 8, 3)
    cell = torch.eye(3) * 5 + 0.2 * torch.rand(300, 3, 3, generator=g)
    frac = torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]) + 0.02 * torch.rand(300, 3, 3, generator=g)
    energy = -oxygen / 3.0 + 0.1 * torch.rand(300, generator=g)
    data = CrystalBatch(cell, frac, z, {COLUMN: energy})
    train = {"steps": 160, "batch_size": 64, "warmup": 10, "learning_rate": 5e-3, "ema": 0.9, "precision": "float32"}
    where = DataConfig(dataset="mine", max_atoms=3)
    generator = joint.JointRecipe(
        name="tiny",
        task="dng",
        data=where,
        diffusion=joint.DiffusionConfig(species="absorbing"),
        network=joint.NetworkConfig(**NETWORK, frequencies=2, composition=True, condition_on=(COLUMN,)),
        train=ConditionalTraining(**train),
        sample=joint.SampleConfig(steps=20, sampler="ddim"),
    )
    judge = property.PropertyRecipe(
        name="judge",
        data=where,
        network=property.NetworkConfig(**NETWORK, predict=(COLUMN,)),
        train=FromWeights(**train),
    )
    Trainer(generator, data, folder / "generator").run()
    Trainer(judge, data, folder / "judge").run()
    parameters = lat.lengths_angles(cell)
    rows = [
        {
            "material_id": str(i),
            "atomic_numbers": z[i].tolist(),
            "frac_coords": frac[i].flatten().tolist(),
            "lengths": parameters[i, :3].tolist(),
            "angles": parameters[i, 3:].tolist(),
            COLUMN: float(energy[i]),
        }
        for i in range(300)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "mine_train.parquet")
    return folder


@pytest.fixture(scope="module")
def settings(models):
    """Half-trained cells may be needles, on which the comparison of crystals takes its full time limit: left out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUCLEATE_DATA", str(models))
        patch.setattr("nucleate.tasks.optimise_report.diversity", lambda *_: ReportSection("Diversity", ()))
        yield OptimiseSettings.of(
            weights=str(models / "generator" / WEIGHTS),
            candidates=12,
            judge=str(models / "judge" / WEIGHTS),
            guidance=1.0,
        )


@pytest.fixture(scope="module")
def found(settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, optimise(settings, folder, executor=Serial(), workers=1)


def test_the_lowest_energy_is_asked_for_and_found(found):
    _, result = found
    assert result.column == COLUMN and result.target == pytest.approx(-1.0, abs=0.02)
    report = result.report
    assert report.n == 12 and report["sr_15"].value > 0.4
    best = report["best_of_10_sr_15"]  # the best of the first ten; two crystals are left over
    assert best.value == 1.0 and best.n == 1
    values = [predicted(c, COLUMN) for c in result.candidates]
    assert values[0] == min(v for v in values if v is not None)
    assert result.candidates[0].structure.composition["O"] == 3


def test_the_same_call_resumes_and_another_one_is_refused(settings, found, monkeypatch):
    folder, first = found
    monkeypatch.setattr("nucleate.generators.DiffusionGenerator.generate", None)  # everything is there
    again = optimise(settings, folder, executor=Serial())
    assert [c.to_dict() for c in again.candidates] == [c.to_dict() for c in first.candidates]
    assert again.report.to_dict() == first.report.to_dict()
    with pytest.raises(NucleateError, match="holds another run"):
        optimise(dataclasses.replace(settings, seed=1), folder, executor=Serial())


def test_maximising_asks_for_the_highest_value(settings, tmp_path):
    result = optimise(dataclasses.replace(settings, maximise=True), tmp_path, executor=Serial())
    assert result.target == pytest.approx(0.1, abs=0.02)
    oxygen = [c.structure.composition["O"] for c in result.candidates if c.structure is not None]
    assert sum(oxygen) / (3 * len(oxygen)) < 0.35


def test_duplicates_and_known_crystals_are_counted(models, monkeypatch):
    from nucleate.data.tables import load_table
    from nucleate.io.parse import structure_from_columns

    monkeypatch.setenv("NUCLEATE_DATA", str(models))
    row = load_table("mine", "train").to_pylist()[0]
    known = structure_from_columns(*(row[k] for k in ("atomic_numbers", "frac_coords", "lengths", "angles"))).structure
    new = known.copy()
    new.replace(0, "Na")
    candidates = [Candidate(str(i), structure=s) for i, s in enumerate([known, new, new])]
    candidates.append(Candidate("3", structure=new).failed("check", "error", "too dense"))
    shares = {m.name: m.value for m in diversity(candidates, "mine", 0).metrics}
    assert shares == {"valid": 0.75, "unique": 0.5, "novel": 0.5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": "mp20-dng"}, "mp20-dng takes no property"),
        ({"property": "band_gap"}, "cannot be asked for band_gap; properties on offer: e_form"),
        ({"target": 80.0}, "standard deviations outside"),
        ({"relax": 13}, "cannot relax 13 of 12"),
        (
            {"judge": "auto"},
            "no shipped network predicts formation_energy_per_atom of mine; name one by the setting 'judge'",
        ),
    ],
)
def test_impossible_optimisations_are_refused_before_anything_is_written(settings, tmp_path, changes, message):
    with pytest.raises(NucleateError, match=message):
        optimise(dataclasses.replace(settings, **changes), tmp_path / "run", executor=Serial())
    assert not (tmp_path / "run").exists()


def test_a_missing_value_has_its_reason():
    from nucleate.pipeline.candidate import Check

    blank = Candidate("a")
    assert why_not(blank.failed("check", "error", "too dense")) == "check: too dense"
    assert why_not(blank.with_(predicted=PredictedProperties("net", missing="net never saw Rn"))) == "net never saw Rn"
    assert why_not(blank.with_(checks={"hull": Check("unknown", "no Rn in it")})) == "no Rn in it"
    assert why_not(blank) is None
