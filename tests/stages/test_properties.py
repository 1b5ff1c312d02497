import pytest
from pymatgen.core import Lattice, Structure

from nucleate.pipeline.candidate import Candidate
from nucleate.stages.properties import PredictStage
from nucleate.train.property import load_property_network

GAP, E_FORM = "band_gap", "formation_energy_per_atom"


def rock_salt(a, cation, anion):
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), [cation, anion], [[0, 0, 0], [0.5] * 3])


@pytest.fixture(scope="module")
def model():
    return load_property_network("property-mp20", "cpu")


def test_predictions_and_their_distance_from_the_wanted_ranges(model):
    candidates = [
        Candidate("salt", structure=rock_salt(5.64, "Na", "Cl")),
        Candidate("unseen", structure=rock_salt(5.0, "Rn", "O")),
        Candidate("empty"),
    ]
    (plain, _, _) = PredictStage(model)(candidates)
    values = plain.predicted.values
    assert values[E_FORM] == pytest.approx(-2.1, abs=0.2) and not plain.predicted.wanted
    wanted = {GAP: (0.0, 20.0), E_FORM: (values[E_FORM] - 0.7, values[E_FORM] - 0.5)}
    salt, unseen, empty = PredictStage(model, wanted)(candidates)
    assert salt.predicted.values == values and salt.predicted.by == "property-mp20"
    assert salt.predicted.wanted == wanted
    off = salt.predicted.off_target
    assert off[GAP] == 0 and off[E_FORM] == pytest.approx(0.5 / model.info.properties[E_FORM].std)
    above = PredictStage(model, {E_FORM: (0.0, 1.0)}).off_target(E_FORM, 2.0)
    assert above == pytest.approx(1.0 / model.info.properties[E_FORM].std)
    for c, why in ((unseen, "property-mp20 never saw Rn"), (empty, "no structure")):
        assert c.predicted.missing == why and c.predicted.wanted
        assert not c.predicted.values and not c.predicted.off_target
        assert c.failure is None


def test_predictions_are_written_beside_the_crystals(model):
    from nucleate.pipeline.convert import scalar_info

    (salt,) = PredictStage(model, {GAP: (1.0, 2.0)})([Candidate("salt", structure=rock_salt(5.64, "Na", "Cl"))])
    info = scalar_info(salt)
    assert info["predicted_by"] == "property-mp20" and info["predicted_band_gap"] > 3
