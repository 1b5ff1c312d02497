"""Published and stored values of real data, to the last digit. Needs NUCLEATE_DATA."""

import os

import pytest

from nucleate.evaluate.dng import evaluate_dng
from nucleate.evaluate.inputs import read_dataset
from nucleate.evaluate.measurements import DngSettings

pytestmark = pytest.mark.skipif(
    not os.environ.get("NUCLEATE_DATA"), reason="NUCLEATE_DATA does not name a folder of data sets"
)


def test_validation_crystals_of_perov_5_against_the_test_split():
    """What a perfect generator reaches on Perov-5; COV as CDVAE counts it and with one crystal near in both."""
    settings = DngSettings(protocols=("cdvae-2022",), energies=False)
    report = evaluate_dng(read_dataset("perov-5:val"), read_dataset("perov-5:test"), settings)
    assert report.n == 3787
    assert report["valid_structure"].value == 1
    percent = {name: round(100 * report[f"cov_{name}"].value, 2) for name in ("recall", "precision")}
    assert percent == {"recall": 98.63, "precision": 98.55}
    joint = {name: round(100 * report[f"cov_{name}_joint"].value, 1) for name in ("recall", "precision")}
    assert joint == {"recall": 80.6, "precision": 80.1}
    assert round(report["w_density_all"].value, 4) == 0.0882
    assert round(report["w_elements_all"].value, 4) == 0.0248
